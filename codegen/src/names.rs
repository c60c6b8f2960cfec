//! Names as prost writes them: the paths of types and the identifiers of fields.

use heck::{ToSnakeCase, ToUpperCamelCase};
use proc_macro2::{Ident, Span, TokenStream};
use prost_build::Module;
use quote::quote;

/// An identifier, raw where the name is a keyword, as prost sanitises it.
pub(crate) fn ident(name: &str) -> Ident {
    match name {
        "self" | "super" | "crate" | "Self" | "extern" => Ident::new(&format!("{name}_"), Span::call_site()),
        _ if name.starts_with(|first: char| first.is_ascii_digit()) => {
            Ident::new(&format!("_{name}"), Span::call_site())
        }
        _ => syn::parse_str(name).unwrap_or_else(|_| Ident::new_raw(name, Span::call_site())),
    }
}

/// The identifier of a field, a module or a method.
pub(crate) fn snake(name: &str) -> Ident {
    ident(&name.to_snake_case())
}

/// The identifier of a type or of a variant.
pub(crate) fn camel(name: &str) -> Ident {
    ident(&name.to_upper_camel_case())
}

/// The path of the type `full_name` of `package`, seen from the root of the module of `from`.
pub(crate) fn type_path(full_name: &str, package: &str, from: &str) -> TokenStream {
    let up = Module::from_protobuf_package_name(from).len();
    let mut path = if package == from {
        TokenStream::new()
    } else {
        let supers = std::iter::repeat_n(quote!(super::), up);
        let down = package.split('.').filter(|part| !part.is_empty()).map(snake);
        quote!(#(#supers)* #(#down::)*)
    };
    path.extend(within_package(full_name, package));
    path
}

/// The path of a type below the module of its package: enclosing messages are modules.
pub(crate) fn within_package(full_name: &str, package: &str) -> TokenStream {
    let local = full_name.strip_prefix(package).unwrap_or(full_name).trim_start_matches('.');
    let (outer, name) = local.rsplit_once('.').map_or(("", local), |(outer, name)| (outer, name));
    let modules = outer.split('.').filter(|part| !part.is_empty()).map(snake);
    let name = camel(name);
    quote!(#(#modules::)* #name)
}
