//! The JSON codec: `FromJson` and `ToJson` of messages, and the names of enum values.

use anyhow::{Result, bail, ensure};
use proc_macro2::TokenStream;
use prost_reflect::{EnumDescriptor, MessageDescriptor};
use quote::quote;

use crate::model::{Arity, Field, Form, Leaf, Oneof, Shape, Type};
use crate::names;
use crate::runtime;
use crate::schema::Schema;
use crate::text;

/// Marks that the reader has for the members of one object.
const MAX_SLOTS: u32 = 256;

pub(crate) fn message(schema: &Schema, message: &MessageDescriptor) -> Result<TokenStream> {
    let mut code = TokenStream::new();
    let path = schema.own_path(message);
    let shape = schema.shape(message)?;
    if schema.is_request(message) {
        code.extend(read(schema, message, &path, &shape)?);
        if schema.form(message) == Form::Object {
            code.extend(text::set_field(schema, &path, &shape)?);
        }
    }
    if schema.is_response(message) {
        code.extend(write(schema, message, &path, &shape)?);
    }
    Ok(code)
}

pub(crate) fn r#enum(schema: &Schema, descriptor: &EnumDescriptor) -> Result<TokenStream> {
    let gateway = runtime();
    let path = names::within_package(descriptor.full_name(), descriptor.package_name());
    let values = schema.enum_values(descriptor)?;
    let rows = values.iter().map(|value| {
        let (number, name) = (value.number, &value.json);
        quote!((#number, #name))
    });
    let mut code = quote! {
        impl #gateway::json::JsonEnum for #path {
            const VALUES: &'static [(i32, &'static str)] = &[#(#rows),*];
        }

        impl #path {
            /// The value's JSON name; empty for the unspecified one.
            #[must_use]
            pub fn json_name(self) -> &'static str {
                <Self as #gateway::json::JsonEnum>::name_of(self as i32).unwrap_or_default()
            }
        }
    };
    if values.iter().any(|value| !value.category.is_empty()) {
        let arms = values.iter().filter(|value| !value.category.is_empty()).map(|value| {
            let (number, category) = (value.number, &value.category);
            quote!(#number => #category)
        });
        code.extend(quote! {
            impl #path {
                /// The group of values that this one is of; empty where it is of none.
                #[must_use]
                pub fn category(self) -> &'static str {
                    match self as i32 { #(#arms,)* _ => "" }
                }
            }
        });
    }
    Ok(code)
}

/// The type, or the marker, that reads one value of a type.
pub(crate) fn marker(r#type: &Type) -> TokenStream {
    let gateway = runtime();
    match r#type {
        Type::Bool => quote!(bool),
        Type::Number(rust) => {
            let rust = names::ident(rust);
            quote!(#rust)
        }
        Type::String => quote!(::prost::alloc::string::String),
        Type::Bytes => quote!(#gateway::json::Base64),
        Type::Enum(path) => quote!(#gateway::json::Enum<#path>),
        Type::Message(_, path) => quote!(#path),
    }
}

fn field_marker(field: &Field) -> TokenStream {
    let gateway = runtime();
    let one = match &field.r#type {
        Type::Enum(path) if field.discriminator => quote!(#gateway::json::Discriminator<#path>),
        r#type => marker(r#type),
    };
    match field.arity {
        Arity::Implicit | Arity::Optional => one,
        Arity::List if field.each_alone => quote!(#gateway::json::AloneList<#one>),
        Arity::List => quote!(#gateway::json::List<#one>),
        Arity::Map => quote!(#gateway::json::Map<#one>),
    }
}

/// The place of a leaf below `self`; the flattened messages on the way are made.
pub(crate) fn place(leaf: &Leaf) -> TokenStream {
    let way = leaf.way.iter().map(|(field, _)| quote!(#field.get_or_insert_default().));
    let rust = &leaf.field.rust;
    quote!(self.#(#way)* #rust)
}

pub(crate) fn assign(leaf: &Leaf) -> TokenStream {
    let place = place(leaf);
    match (&leaf.field.arity, &leaf.field.r#type) {
        // A recursive message is boxed: `into` makes of a value either itself or its box.
        (Arity::Optional, Type::Message(..)) => quote!(#place = Some(value.into())),
        (Arity::Optional, _) => quote!(#place = Some(value)),
        _ => quote!(#place = value),
    }
}

fn read(schema: &Schema, message: &MessageDescriptor, path: &TokenStream, shape: &Shape) -> Result<TokenStream> {
    match schema.form(message) {
        Form::DataUri => read_data_uri(message, path, shape),
        Form::Transparent => read_transparent(schema, message, path, shape),
        Form::Object => read_object(message, path, shape),
    }
}

fn read_data_uri(message: &MessageDescriptor, path: &TokenStream, shape: &Shape) -> Result<TokenStream> {
    let gateway = runtime();
    let (media_type, media_enum, content) = data_uri_fields(message, shape)?;
    Ok(quote! {
        impl #gateway::json::Scalar for #path {
            type Value = Self;

            fn expected() -> ::std::borrow::Cow<'static, str> {
                ::std::borrow::Cow::Borrowed("string")
            }

            fn read(token: #gateway::json::Token<'_>) -> Result<Self, #gateway::json::ScalarError> {
                let (#media_type, #content) = #gateway::json::data_uri::<#media_enum>(token)?;
                Ok(Self { #media_type, #content })
            }
        }
    })
}

fn read_transparent(
    schema: &Schema,
    message: &MessageDescriptor,
    path: &TokenStream,
    shape: &Shape,
) -> Result<TokenStream> {
    let leaf = only_field(message, shape)?;
    let rust = &leaf.field.rust;
    let marker = field_marker(&leaf.field);
    if schema.transparent_scalar(message)? {
        return Ok(transparent_scalar(path, rust, &marker));
    }
    let gateway = runtime();
    let body = quote! {
        let value = <#marker as #gateway::json::FromJson>::from_json(json, reader)?;
        Ok(value.map(|#rust| Self { #rust }))
    };
    Ok(from_json(path, &body))
}

fn from_json(path: &TokenStream, body: &TokenStream) -> TokenStream {
    let gateway = runtime();
    quote! {
        impl #gateway::json::FromJson for #path {
            type Value = Self;

            fn from_json<'de, __D: #gateway::json::Deserializer<'de>>(
                json: __D,
                reader: &#gateway::json::Reader<'de>,
            ) -> Result<Option<Self>, __D::Error> {
                #body
            }
        }
    }
}

fn read_object(message: &MessageDescriptor, path: &TokenStream, shape: &Shape) -> Result<TokenStream> {
    let gateway = runtime();
    let mut slots = shape.slots;
    let leaves = shape.leaves.iter().filter(|leaf| leaf.is_read());
    let mut arms: TokenStream = leaves.map(|leaf| read_leaf(leaf, &mut slots)).collect();
    ensure!(slots <= MAX_SLOTS, "{}: more than {MAX_SLOTS} members in one JSON object", message.full_name());
    let mut rest = quote!(_ => return Ok(false),);
    let mut reads = quote!(#gateway::json::read_object::<Self, __D>(json, reader));
    let mut union = TokenStream::new();
    for oneof in &shape.oneofs {
        match &oneof.discriminator {
            None if oneof.flatten => {
                bail!("{}: it has no discriminator, and so cannot be read", oneof.descriptor.full_name())
            }
            None => arms.extend(read_oneof(oneof)),
            Some(discriminator) => {
                rest = read_union_member(oneof);
                reads = quote!(#gateway::json::read_union::<Self, __D>(json, reader));
                union = read_union(path, oneof, discriminator);
            }
        }
    }
    let from_json = from_json(path, &reads);
    Ok(quote! {
        impl #gateway::json::Object for #path {
            fn read_member<'de, A: #gateway::json::MapAccess<'de>>(
                &mut self,
                key: &str,
                entries: &mut A,
                members: &mut #gateway::json::Members<'_, 'de>,
            ) -> Result<bool, A::Error> {
                let _ = (&entries, &members);
                match key { #arms #rest }
                #[allow(unreachable_code)]
                Ok(true)
            }
        }

        #from_json

        #union
    })
}

/// The keys of one member. Every name but the first takes a mark of its own behind those of the schema. Problems are
/// reported under the first name, the only one that the later checks know.
fn read_leaf(leaf: &Leaf, slots: &mut u32) -> TokenStream {
    let marker = field_marker(&leaf.field);
    let assign = assign(leaf);
    let (slot, name) = (leaf.slot, &leaf.name);
    if leaf.field.aliases.is_empty() {
        return quote! {
            #name => if let Some(value) = members.value::<#marker, A>(entries, #slot, #name)? { #assign; },
        };
    }
    let mut spellings = vec![(slot, name.clone())];
    for alias in &leaf.field.aliases {
        spellings.push((*slots, alias.clone()));
        *slots += 1;
    }
    let arms = spellings.iter().map(|(mark, spelling)| {
        let others = spellings.iter().filter(|(other, _)| other != mark);
        let others = others.map(|(slot, name)| quote!((#slot, #name)));
        quote! {
            #spelling => if let Some(value) =
                members.alias::<#marker, A>(entries, (#slot, #name), (#mark, #spelling), &[#(#others),*])? { #assign; },
        }
    });
    quote!(#(#arms)*)
}

/// Leaves a key that the enclosing object does not have to the member of a flattened oneof.
fn read_union_member(oneof: &Oneof) -> TokenStream {
    let (rust, path) = (&oneof.rust, &oneof.path);
    let kinds = oneof.fields.iter().map(|field| {
        let variant = names::camel(field.descriptor.name());
        let base = field.slot;
        quote! {
            Some(#path::#variant(kind)) => {
                members.base += #base;
                let known = kind.read_member(key, entries, members);
                members.base -= #base;
                known
            }
        }
    });
    quote!(_ => return match &mut self.#rust { #(#kinds)* None => Ok(false) },)
}

/// Chooses the member of a flattened oneof by its discriminator.
fn read_union(path: &TokenStream, oneof: &Oneof, discriminator: &str) -> TokenStream {
    let gateway = runtime();
    let (rust, oneof_path, slot) = (&oneof.rust, &oneof.path, oneof.slot);
    let tags = oneof.fields.iter().map(|field| &field.json);
    let choices = oneof.fields.iter().map(|field| {
        let variant = names::camel(field.descriptor.name());
        let tag = &field.json;
        quote!(#tag => #oneof_path::#variant(Default::default()))
    });
    quote! {
        impl #gateway::json::Union for #path {
            const DISCRIMINATOR: &'static str = #discriminator;
            const SLOT: u32 = #slot;
            const TAGS: &'static [&'static str] = &[#(#tags),*];

            fn choose(&mut self, tag: &str) -> bool {
                self.#rust = Some(match tag { #(#choices,)* _ => return false });
                true
            }
        }
    }
}

/// A message that is read as its only field.
fn transparent_scalar(path: &TokenStream, rust: &proc_macro2::Ident, marker: &TokenStream) -> TokenStream {
    let gateway = runtime();
    quote! {
        impl #gateway::json::Scalar for #path {
            type Value = Self;

            fn expected() -> ::std::borrow::Cow<'static, str> {
                <#marker as #gateway::json::Scalar>::expected()
            }

            fn read(token: #gateway::json::Token<'_>) -> Result<Self, #gateway::json::ScalarError> {
                <#marker as #gateway::json::Scalar>::read(token).map(|#rust| Self { #rust })
            }

            fn from_text(text: &str) -> Result<Self, #gateway::json::ScalarError> {
                <#marker as #gateway::json::Scalar>::from_text(text).map(|#rust| Self { #rust })
            }
        }
    }
}

/// The members of a oneof that are keys of their own: at most one may be given.
fn read_oneof(oneof: &Oneof) -> TokenStream {
    let (rust, path) = (&oneof.rust, &oneof.path);
    let arms = oneof.fields.iter().map(|field| {
        let (slot, name, marker) = (field.slot, &field.json, marker(&field.r#type));
        let variant = names::camel(field.descriptor.name());
        let others = oneof.fields.iter().filter(|other| other.slot != slot);
        let others = others.map(|other| {
            let (slot, name) = (other.slot, &other.json);
            quote!((#slot, #name))
        });
        quote! {
            #name => if let Some(value) =
                members.exclusive::<#marker, A>(entries, #slot, #name, &[#(#others),*])? {
                self.#rust = Some(#path::#variant(value.into()));
            },
        }
    });
    quote!(#(#arms)*)
}

/// The parts of a message whose JSON is a data URI: media type field, its enum, content field.
fn data_uri_fields(
    message: &MessageDescriptor,
    shape: &Shape,
) -> Result<(proc_macro2::Ident, TokenStream, proc_macro2::Ident)> {
    let mut media_type = None;
    let mut content = None;
    for leaf in &shape.leaves {
        match (&leaf.field.r#type, &leaf.field.arity) {
            (Type::Enum(path), Arity::Implicit) => media_type = Some((leaf.field.rust.clone(), path.clone())),
            (Type::Bytes, Arity::Implicit) => content = Some(leaf.field.rust.clone()),
            _ => {}
        }
    }
    match (media_type, content, shape.leaves.len()) {
        (Some((media_type, r#enum)), Some(content), 2) => Ok((media_type, r#enum, content)),
        _ => bail!("{}: a data URI has a media type, an enum, and a content, bytes", message.full_name()),
    }
}

fn only_field<'a>(message: &MessageDescriptor, shape: &'a Shape) -> Result<&'a Leaf> {
    match (shape.leaves.as_slice(), shape.oneofs.is_empty()) {
        ([leaf], true) => Ok(leaf),
        _ => bail!("{}: a transparent message has one field", message.full_name()),
    }
}

fn write(schema: &Schema, message: &MessageDescriptor, path: &TokenStream, shape: &Shape) -> Result<TokenStream> {
    let gateway = runtime();
    match schema.form(message) {
        Form::DataUri => {
            let (media_type, media_enum, content) = data_uri_fields(message, shape)?;
            return Ok(quote! {
                impl #gateway::json::ToJson for #path {
                    fn write(&self, out: &mut #gateway::json::Writer) {
                        #gateway::json::write_data_uri::<#media_enum>(self.#media_type, &self.#content, out);
                    }
                }
            });
        }
        Form::Transparent => {
            let leaf = only_field(message, shape)?;
            let rust = &leaf.field.rust;
            let value = write_value(&leaf.field, &quote!(&self.#rust));
            return Ok(quote! {
                impl #gateway::json::ToJson for #path {
                    fn write(&self, out: &mut #gateway::json::Writer) { #value }
                }
            });
        }
        Form::Object => {}
    }
    let mut parts: Vec<(u32, TokenStream)> = Vec::new();
    for leaf in shape.leaves.iter().filter(|leaf| leaf.field.header.is_none()) {
        let written = write_leaf(leaf);
        let part = if leaf.input_only { quote!(if out.is_whole() { #written }) } else { written };
        parts.push((leaf.slot, part));
    }
    for oneof in &shape.oneofs {
        parts.push((oneof.slot, write_oneof(oneof)));
    }
    parts.sort_by_key(|(slot, _)| *slot);
    let parts = parts.into_iter().map(|(_, part)| part);
    Ok(quote! {
        impl #gateway::json::ToJson for #path {
            fn write(&self, out: &mut #gateway::json::Writer) {
                out.object(|out| self.write_members(out));
            }

            fn write_members(&self, out: &mut #gateway::json::Writer) {
                #(#parts)*
            }
        }
    })
}

fn write_leaf(leaf: &Leaf) -> TokenStream {
    let (rust, name) = (&leaf.field.rust, &leaf.name);
    let owner = match leaf.way.last() {
        Some(_) => quote!(inner),
        None => quote!(self),
    };
    let whole = write_value(&leaf.field, &quote!(&#owner.#rust));
    let written = match leaf.field.arity {
        Arity::Implicit if matches!(leaf.field.r#type, Type::Enum(..)) => {
            quote!(if #owner.#rust != 0 { out.key(#name); #whole })
        }
        Arity::Implicit => quote!(out.key(#name); #whole),
        Arity::Optional => {
            let value = write_value(&leaf.field, &quote!(value));
            quote!(if let Some(value) = &#owner.#rust { out.key(#name); #value })
        }
        Arity::List | Arity::Map if leaf.field.emit_empty => quote!(out.key(#name); #whole),
        Arity::List | Arity::Map => quote!(if !#owner.#rust.is_empty() { out.key(#name); #whole }),
    };
    leaf.way.iter().enumerate().rev().fold(written, |code, (depth, (field, _))| {
        let owner = if depth == 0 { quote!(self) } else { quote!(inner) };
        quote!(if let Some(inner) = &#owner.#field { #code })
    })
}

/// Writes what `reference` refers to.
fn write_value(field: &Field, reference: &TokenStream) -> TokenStream {
    let gateway = runtime();
    match (&field.r#type, &field.arity) {
        (Type::Enum(path), Arity::List) => quote!(out.enumerations::<#path>(#reference);),
        (Type::Enum(path), _) => quote!(out.enumeration::<#path>(*#reference);),
        (_, Arity::List) => quote!(out.array(#reference);),
        (_, Arity::Map) => quote!(out.map(#reference);),
        _ => quote!(#gateway::json::ToJson::write(#reference, out);),
    }
}

fn write_oneof(oneof: &Oneof) -> TokenStream {
    let (rust, path) = (&oneof.rust, &oneof.path);
    let arms = oneof.fields.iter().map(|field| {
        let variant = names::camel(field.descriptor.name());
        let name = &field.json;
        if oneof.flatten {
            let tag = oneof.discriminator.as_ref().map(|key| quote!(out.key(#key); out.text(#name);));
            return quote!(Some(#path::#variant(value)) => { #tag value.write_members(out); });
        }
        let value = write_value(field, &quote!(value));
        quote!(Some(#path::#variant(value)) => { out.key(#name); #value })
    });
    quote!(match &self.#rust { #(#arms)* None => {} })
}
