//! The REST routes of a service, over the same methods that gRPC calls.

use anyhow::{Context as _, Result};
use proc_macro2::TokenStream;
use prost_reflect::{MethodDescriptor, ServiceDescriptor};
use quote::quote;

use super::binding::{self, Binding, Body, Part, Upload};
use super::field::{self, Target};
use crate::model::{Arity, Field, Member, Type};
use crate::schema::Schema;

pub(super) fn service(schema: &Schema, service: &ServiceDescriptor) -> Result<TokenStream> {
    let runtime = crate::runtime();
    let path = super::trait_path(service);
    let bindings = binding::bindings(schema, service)?;
    let routes = bindings.iter().map(|binding| route(schema, binding, &path)).collect::<Result<Vec<_>>>()?;
    let parameter = if routes.is_empty() { quote!(_) } else { quote!(service) };
    Ok(quote! {
        /// The REST routes to the calls.
        pub fn routes<S: #path>(
            #parameter: ::std::sync::Arc<#runtime::Checked<S>>,
        ) -> ::std::vec::Vec<#runtime::rest::Route> {
            ::std::vec::Vec::from([#(#routes),*])
        }
    })
}

fn route(schema: &Schema, binding: &Binding, path: &TokenStream) -> Result<TokenStream> {
    let runtime = crate::runtime();
    let method = &binding.method;
    let (policy, name) = (super::policy_name(method), super::method_name(method));
    let request = super::type_path(schema, method, &method.input());
    let (verb, template) = (&binding.verb, &binding.template);
    let variables = variables(binding, &request);
    let late =
        matches!(binding.body, Body::Whole) && super::is_own(&method.input()) && schema.is_late(&method.input())?;
    let body = if late || binding.upload.is_some() {
        quote!(::core::option::Option::None)
    } else {
        body(schema, binding, &request)
    };
    let (query, lists, closed) = query(schema, binding)?;
    let headers = headers(schema, method)?;
    let set = if super::is_own(&method.input()) {
        quote!(|message, path, value, problems| {
            #runtime::text::SetField::set_field(message, path, value, problems)
        })
    } else {
        quote!(|_, _, _, _| false)
    };
    let write = write(schema, binding);
    let location = location(schema, method)?;
    let event_id = event_id(schema, method)?;
    let page = page(schema, method)?;
    let (kind, bytes) = match &binding.upload {
        Some(upload) => {
            let upload = self::upload(schema, binding, upload, &request);
            (quote!(upload), quote!(#upload,))
        }
        None if binding::answers_bytes(schema, method) => (quote!(download), content(schema, binding)),
        None if method.is_server_streaming() => (quote!(server_streaming), TokenStream::new()),
        None => (quote!(unary), TokenStream::new()),
    };
    Ok(quote! {
        #runtime::rest::Route::#kind(
            #runtime::rest::Binding {
                method: &#policy,
                verb: #verb,
                template: #template,
                variables: #variables,
                headers: &[#(#headers),*],
                body: #body,
                late: #late,
                set: #set,
                query: #query,
                lists: &[#(#lists),*],
                closed: &[#(#closed),*],
                write: #write,
                location: #location,
                event_id: #event_id,
                page: #page,
            },
            #bytes
            {
                let service = ::std::sync::Arc::clone(&service);
                move |request| {
                    let service = ::std::sync::Arc::clone(&service);
                    ::std::boxed::Box::pin(async move {
                        <#runtime::Checked<S> as #path>::#name(&service, request).await
                    })
                }
            },
        )
    })
}

/// How the body of a request becomes messages.
fn upload(schema: &Schema, binding: &Binding, upload: &Upload, request: &TokenStream) -> TokenStream {
    let runtime = crate::runtime();
    let Upload { content, head, media_type } = upload;
    let (rust, file) = (&content.rust, &content.json);
    let media_type = match media_type {
        Some(path) => quote!(::core::option::Option::Some(#path)),
        None => quote!(::core::option::Option::None),
    };
    let form = match head {
        Some(Field { rust, json, r#type: Type::Message(message, _), .. }) => {
            let path = super::type_path(schema, &binding.method, message);
            quote! {
                ::core::option::Option::Some(#runtime::rest::Form {
                    file: #file,
                    head: #json,
                    begin: || #request {
                        #rust: ::core::option::Option::Some(::core::convert::Into::into(<#path>::default())),
                        ..::core::default::Default::default()
                    },
                })
            }
        }
        _ => quote!(::core::option::Option::None),
    };
    quote! {
        #runtime::rest::Upload {
            content: |bytes| #request {
                #rust: ::core::convert::From::from(bytes),
                ..::core::default::Default::default()
            },
            media_type: #media_type,
            form: #form,
        }
    }
}

/// The bytes of an item of a stream.
fn content(schema: &Schema, binding: &Binding) -> TokenStream {
    let response = super::type_path(schema, &binding.method, &binding.method.output());
    let rust = binding.response.as_ref().map(|field| &field.rust);
    quote!(|message: #response| ::core::convert::From::from(message.#rust),)
}

fn variables(binding: &Binding, request: &TokenStream) -> TokenStream {
    let runtime = crate::runtime();
    let variables = binding.variables.iter().map(|target| {
        let (name, slot, is_set, is_same) = (&target.json, target.slot, target.is_set(), target.is_same());
        quote! {
            #runtime::rest::Variable {
                name: #name,
                slot: #slot,
                is_set: |message: &#request| {
                    let is_set = || ::core::option::Option::Some(#is_set);
                    is_set().unwrap_or(false)
                },
                is_same: |message: &#request, other: &#request| {
                    let is_same = || ::core::option::Option::Some(#is_same);
                    is_same().unwrap_or(false)
                },
            }
        }
    });
    quote!(::std::vec::Vec::from([#(#variables),*]))
}

fn body(schema: &Schema, binding: &Binding, request: &TokenStream) -> TokenStream {
    let runtime = crate::runtime();
    match &binding.body {
        Body::None => quote!(::core::option::Option::None),
        Body::Whole => quote!(::core::option::Option::Some(|body| #runtime::json::read::<#request>(body))),
        Body::Field(field) => {
            let Field { rust, json, slot, .. } = &**field;
            let path = field_path(schema, &binding.method, field);
            quote! {
                ::core::option::Option::Some(|body| {
                    #runtime::rest::read_field::<#path, #request>(body, #slot, #json, |message, value| {
                        message.#rust = ::core::option::Option::Some(value.into());
                    })
                })
            }
        }
        Body::Raw(field) => {
            let rust = &field.rust;
            quote! {
                ::core::option::Option::Some(|body| #runtime::json::Body {
                    message: #request {
                        #rust: ::core::convert::From::from(body.to_vec()),
                        ..::core::default::Default::default()
                    },
                    ..::core::default::Default::default()
                })
            }
        }
    }
}

/// The type of a message field, from the module of the routes.
fn field_path(schema: &Schema, method: &MethodDescriptor, field: &Field) -> TokenStream {
    match &field.r#type {
        Type::Message(message, _) => super::type_path(schema, method, message),
        _ => TokenStream::new(),
    }
}

/// The headers that are fields of the request.
fn headers(schema: &Schema, method: &MethodDescriptor) -> Result<Vec<String>> {
    if !super::is_own(&method.input()) {
        return Ok(Vec::new());
    }
    let members = schema.members(&method.input())?.into_iter();
    Ok(members
        .filter_map(|member| match member {
            Member::Field(field) => field.header,
            Member::Oneof(_) => None,
        })
        .collect())
}

/// Whether there can be a query, its parameters that may be repeated, and the fields that it cannot fill.
fn query(schema: &Schema, binding: &Binding) -> Result<(bool, Vec<String>, Vec<String>)> {
    let message = binding.method.input();
    if matches!(binding.body, Body::Whole) || !super::is_own(&message) {
        return Ok((false, Vec::new(), Vec::new()));
    }
    let mut closed = Vec::new();
    for member in schema.members(&message)? {
        if let Member::Field(Field { header: Some(_), json, .. }) = member {
            closed.push(json);
        }
    }
    if let Body::Field(field) | Body::Raw(field) = &binding.body {
        closed.push(field.json.clone());
    }
    Ok((true, field::lists(schema, &message)?, closed))
}

fn write(schema: &Schema, binding: &Binding) -> TokenStream {
    let runtime = crate::runtime();
    let method = &binding.method;
    let response = super::type_path(schema, method, &method.output());
    let expression = match &binding.response {
        None => quote!(#runtime::json::to_vec(message)),
        Some(field) => {
            let rust = &field.rust;
            match field.arity {
                Arity::List => quote!(#runtime::rest::json_list(&message.#rust)),
                // A stream of bytes is not JSON.
                Arity::Implicit => return quote!(|_: &#response| ::std::vec::Vec::new()),
                _ => quote! {
                    match &message.#rust {
                        ::core::option::Option::Some(value) => #runtime::json::to_vec(value),
                        ::core::option::Option::None => b"null".to_vec(),
                    }
                },
            }
        }
    };
    quote!(|message: &#response| #expression)
}

fn location(schema: &Schema, method: &MethodDescriptor) -> Result<TokenStream> {
    let runtime = crate::runtime();
    let Some(text) = super::policy::location(&super::policy::options(schema, method)) else {
        return Ok(quote!(|_| ::core::option::Option::None));
    };
    let response = super::type_path(schema, method, &method.output());
    let parts = binding::location(schema, method, &text)?.into_iter().map(|part| match part {
        Part::Text(text) => quote!(#runtime::rest::push_segment(&mut path, #text)?;),
        Part::Value(target) => {
            let value = target.value();
            quote!(#runtime::rest::push_segment(&mut path, &#value.to_string())?;)
        }
    });
    Ok(quote! {
        |message: &#response| {
            let mut path = ::std::string::String::new();
            #(#parts)*
            ::core::option::Option::Some(path)
        }
    })
}

fn event_id(schema: &Schema, method: &MethodDescriptor) -> Result<TokenStream> {
    let Some(path) = super::policy::event_id(&super::policy::options(schema, method)) else {
        return Ok(quote!(|_| ::core::option::Option::None));
    };
    if !method.is_server_streaming() {
        return super::refuse(method, "`event_id` is for calls whose answer is a stream");
    }
    let target = Target::find(schema, &method.output(), &path).with_context(|| method.full_name().to_owned())?;
    if !target.is_scalar() || !matches!(target.field.r#type, Type::String | Type::Number(_)) {
        return super::refuse(method, format_args!("`event_id`: `{path}` is no text and no number"));
    }
    let (response, value) = (super::type_path(schema, method, &method.output()), target.value());
    Ok(quote!(|message: &#response| ::core::option::Option::Some(#value.to_string())))
}

/// Which part of a list the response says that it is.
fn page(schema: &Schema, method: &MethodDescriptor) -> Result<TokenStream> {
    let options = super::policy::options(schema, method);
    if !options.is_some_and(|options| options.flag("page")) {
        return Ok(quote!(|_| ::core::option::Option::None));
    }
    let runtime = crate::runtime();
    let find = |name: &str| Target::find(schema, &method.output(), &format!("pagination.{name}"));
    let value = |name: &str, fits: fn(&Field) -> bool| match find(name) {
        Ok(target) if fits(&target.field) => Ok(target.value()),
        _ => super::refuse(method, format_args!("`page`: the response has no `pagination.{name}` of its type")),
    };
    let is_number = |field: &Field| matches!((&field.arity, &field.r#type), (Arity::Implicit, Type::Number("u32")));
    let is_flag = |field: &Field| matches!((&field.arity, &field.r#type), (Arity::Implicit, Type::Bool));
    let (limit, offset) = (value("limit", is_number)?, value("offset", is_number)?);
    let has_more = value("has_more", is_flag)?;
    let next_cursor = match find("next_cursor") {
        Ok(target) => {
            let value = target.value();
            quote!((|| ::core::option::Option::Some(#value.clone()))())
        }
        Err(_) => quote!(::core::option::Option::None),
    };
    let response = super::type_path(schema, method, &method.output());
    Ok(quote! {
        |message: &#response| ::core::option::Option::Some(#runtime::rest::Page {
            limit: #limit,
            offset: #offset,
            has_more: #has_more,
            next_cursor: #next_cursor,
        })
    })
}
