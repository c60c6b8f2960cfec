//! `Debug` that shows no personal value: a field with a sensitivity prints as `***`.

use anyhow::Result;
use proc_macro2::TokenStream;
use prost_reflect::MessageDescriptor;
use quote::quote;

use crate::model::Member;
use crate::schema::Schema;

pub(crate) fn message(schema: &Schema, message: &MessageDescriptor) -> Result<TokenStream> {
    let path = schema.own_path(message);
    let name = message.name();
    let mut fields = TokenStream::new();
    let mut oneofs = TokenStream::new();
    for member in schema.members(message)? {
        match member {
            Member::Field(field) => {
                let (label, rust) = (field.descriptor.name(), &field.rust);
                if field.sensitive {
                    fields.extend(quote!(.field(#label, &format_args!("***"))));
                } else {
                    fields.extend(quote!(.field(#label, &self.#rust)));
                }
            }
            Member::Oneof(oneof) => {
                let (label, rust, oneof_path) = (oneof.descriptor.name(), &oneof.rust, &oneof.path);
                fields.extend(quote!(.field(#label, &self.#rust)));
                let oneof_name = oneof.descriptor.name();
                let arms = oneof.fields.iter().map(|field| {
                    let variant = crate::names::camel(field.descriptor.name());
                    let label = field.descriptor.name();
                    if field.sensitive {
                        quote!(#oneof_path::#variant(_) => f.debug_tuple(#label).field(&format_args!("***")).finish())
                    } else {
                        quote!(#oneof_path::#variant(value) => f.debug_tuple(#label).field(value).finish())
                    }
                });
                oneofs.extend(quote! {
                    #[doc = #oneof_name]
                    impl ::core::fmt::Debug for #oneof_path {
                        fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                            match self { #(#arms,)* }
                        }
                    }
                });
            }
        }
    }
    Ok(quote! {
        impl ::core::fmt::Debug for #path {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.debug_struct(#name) #fields .finish()
            }
        }
        #oneofs
    })
}
