//! `Change` and `Apply` of the messages with `(kira.api.v1.message).changes`. A change that lacks a field of the stored
//! message, or describes one otherwise, is a build error.

use anyhow::{Context, Result, bail, ensure};
use proc_macro2::TokenStream;
use prost_reflect::{Kind, MessageDescriptor};
use quote::quote;

use crate::model::{Arity, Field, Form, Member, Type};
use crate::runtime;
use crate::schema::Schema;

/// What an element's change has beside the fields of the element.
const ID: &str = "id";
const DELETE: &str = "delete";

pub(crate) fn message(schema: &Schema, message: &MessageDescriptor) -> Result<TokenStream> {
    let Some(stored) = schema.changed(message)? else { return Ok(TokenStream::new()) };
    let gateway = runtime();
    let path = schema.own_path(message);
    let stored_path = schema.own_path(&stored);
    let (pairs, extra) = pairs(schema, message, &stored)?;
    for field in &extra {
        let name = field.descriptor.name();
        ensure!(name == ID || name == DELETE, "{}: {} has no such field", field.descriptor.full_name(), stored.name());
    }
    let mut lists = Vec::new();
    let code = apply(schema, &pairs, "", &quote!(sent), &quote!(stored), &mut lists)?;
    let element = if extra.is_empty() { TokenStream::new() } else { element(&path, &stored_path, &pairs) };
    Ok(quote! {
        impl #gateway::change::Change for #path {
            type Stored = #stored_path;
        }

        impl<M> #gateway::change::Apply<M> for #path
        where
            M: #gateway::change::Merge #(+ #gateway::change::MergeList<#lists>)*,
        {
            fn apply(self, stored: &mut #stored_path, merge: &mut M) {
                let sent = self;
                #code
            }
        }

        #element
    })
}

fn element(change: &TokenStream, stored: &TokenStream, pairs: &[Pair]) -> TokenStream {
    let gateway = runtime();
    let members = pairs.iter().map(|(field, _)| {
        let rust = &field.rust;
        match field.arity {
            Arity::List => quote!(#rust: element.#rust.into_iter().map(::core::convert::Into::into).collect()),
            _ => quote!(#rust: element.#rust),
        }
    });
    quote! {
        impl ::core::convert::From<#stored> for #change {
            /// The change that adds this element: it has no identifier yet.
            fn from(element: #stored) -> Self {
                Self { #(#members,)* ..::core::default::Default::default() }
            }
        }

        impl #gateway::change::ElementChange for #change {
            fn id(&self) -> &Option<::prost::alloc::string::String> { &self.id }
            fn id_mut(&mut self) -> &mut Option<::prost::alloc::string::String> { &mut self.id }
            fn deletes(&self) -> bool { self.delete == Some(true) }
        }

        impl #gateway::change::Element for #stored {
            fn id(&self) -> &::prost::alloc::string::String { &self.id }
            fn id_mut(&mut self) -> &mut ::prost::alloc::string::String { &mut self.id }
        }
    }
}

/// A field of a change, and the stored field of the same name.
type Pair = (Field, Field);

/// The fields of a change beside those that they change, and those of the change alone.
fn pairs(schema: &Schema, change: &MessageDescriptor, stored: &MessageDescriptor) -> Result<(Vec<Pair>, Vec<Field>)> {
    let mut stored_fields = fields(schema, stored)?;
    stored_fields.retain(|field| !field.output_only);
    let (mut pairs, mut extra) = (Vec::new(), Vec::new());
    for field in fields(schema, change)? {
        let place = field.descriptor.full_name().to_owned();
        let Some(position) = stored_fields.iter().position(|other| other.descriptor.name() == field.descriptor.name())
        else {
            extra.push(field);
            continue;
        };
        let stored = stored_fields.remove(position);
        let same = (&field.json, &field.aliases, &field.flatten) == (&stored.json, &stored.aliases, &stored.flatten);
        ensure!(same, "{place}: the JSON names are those of {}", stored.descriptor.full_name());
        let sensitivity = (field.sensitive, field.number) == (stored.sensitive, stored.number);
        ensure!(sensitivity, "{place}: the sensitivity is that of {}", stored.descriptor.full_name());
        pairs.push((field, stored));
    }
    if let Some(missing) = stored_fields.first() {
        bail!("{}: {} has no field to change it", missing.descriptor.full_name(), change.full_name());
    }
    Ok((pairs, extra))
}

fn fields(schema: &Schema, message: &MessageDescriptor) -> Result<Vec<Field>> {
    let one = |member| match member {
        Member::Field(field) => Ok(field),
        Member::Oneof(oneof) => bail!("{}: a change of a oneof is not supported", oneof.descriptor.full_name()),
    };
    schema.members(message)?.into_iter().map(one).collect()
}

/// Applies the fields of one message. `lists` collects the changes of elements.
fn apply(
    schema: &Schema,
    pairs: &[Pair],
    prefix: &str,
    sent: &TokenStream,
    stored: &TokenStream,
    lists: &mut Vec<TokenStream>,
) -> Result<TokenStream> {
    let mut code = TokenStream::new();
    for (field, target) in pairs {
        let rust = &field.rust;
        let name = format!("{prefix}{}", field.json);
        let applied = match (&field.r#type, &field.arity) {
            (Type::Message(message, path), Arity::List) => {
                let changed = schema.changed(message)?;
                let of_element =
                    matches!(target.descriptor.kind(), Kind::Message(element) if changed.as_ref() == Some(&element));
                ensure!(of_element, "{}: not a list of changes", field.descriptor.full_name());
                lists.push(path.clone());
                quote!(merge.list(#name, &mut #stored.#rust, #sent.#rust);)
            }
            (Type::Message(message, _), Arity::Optional) => {
                of_message(schema, (field, target), message, prefix, (sent, stored), lists)?
            }
            (_, Arity::Optional) => {
                let same =
                    field.descriptor.kind() == target.descriptor.kind() && matches!(target.arity, Arity::Optional);
                ensure!(same, "{}: not the type of the stored field", field.descriptor.full_name());
                let method = if field.number { quote!(number) } else { quote!(scalar) };
                quote!(merge.#method(#name, &mut #stored.#rust, #sent.#rust);)
            }
            _ => bail!("{}: a change cannot have such a field", field.descriptor.full_name()),
        };
        code.extend(applied);
    }
    Ok(code)
}

fn of_message(
    schema: &Schema,
    (field, target): (&Field, &Field),
    message: &MessageDescriptor,
    prefix: &str,
    (sent, stored): (&TokenStream, &TokenStream),
    lists: &mut Vec<TokenStream>,
) -> Result<TokenStream> {
    let rust = &field.rust;
    let name = format!("{prefix}{}", field.json);
    let place = field.descriptor.full_name();
    if matches!(target.arity, Arity::List) {
        let members = fields(schema, message).with_context(|| place.to_owned())?;
        let [values] = members.as_slice() else { bail!("{place}: a list that is replaced is a message of one field") };
        let same = values.descriptor.kind() == target.descriptor.kind() && matches!(values.arity, Arity::List);
        ensure!(same && schema.form(message) == Form::Transparent, "{place}: not the list that is stored");
        let values = &values.rust;
        return Ok(quote!(merge.replace(#name, &mut #stored.#rust, #sent.#rust.map(|sent| sent.#values));));
    }
    ensure!(field.descriptor.kind() == target.descriptor.kind(), "{place}: not the type of the stored field");
    match (message.full_name(), schema.form(message)) {
        ("google.protobuf.Struct", _) => return Ok(quote!(merge.object(#name, &mut #stored.#rust, #sent.#rust);)),
        (_, Form::DataUri) => return Ok(quote!(merge.file(#name, &mut #stored.#rust, #sent.#rust);)),
        (_, Form::Object) if schema.has_check(field) => {}
        _ => bail!("{place}: a change cannot have such a field"),
    }
    let (pairs, _) = pairs(schema, message, message)?;
    let (sent_inner, stored_inner) = (quote!(sent), quote!(stored));
    let prefix = field.flatten.as_ref().map_or_else(String::new, |own| format!("{prefix}{own}"));
    let inner = apply(schema, &pairs, &prefix, &sent_inner, &stored_inner, lists)?;
    let (enter, leave) = match field.flatten {
        Some(_) => (TokenStream::new(), TokenStream::new()),
        None => (quote!(merge.enter(#name);), quote!(merge.leave();)),
    };
    Ok(quote! {
        if let Some(sent) = #sent.#rust {
            let stored = #stored.#rust.get_or_insert_default();
            #enter
            #inner
            #leave
        }
    })
}
