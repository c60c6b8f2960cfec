//! Fields that templates and options name by their paths.

use anyhow::{Context, Result, bail, ensure};
use proc_macro2::{Ident, TokenStream};
use prost_reflect::MessageDescriptor;
use quote::quote;

use crate::model::{Arity, Field, Member, Type};
use crate::schema::Schema;

/// A field, perhaps of a message within the message.
pub(crate) struct Target {
    pub(super) field: Field,
    /// Its path by JSON names, dot-joined.
    pub(crate) json: String,
    /// The place of the path's first step.
    pub(super) slot: u32,
    /// The messages on the way to it.
    way: Vec<Ident>,
}

impl Target {
    /// Finds the field at `path`, proto names joined with dots.
    pub(super) fn find(schema: &Schema, message: &MessageDescriptor, path: &str) -> Result<Self> {
        let mut names = path.split('.').peekable();
        let (mut at, mut way) = (message.clone(), Vec::new());
        let (mut json, mut first_slot) = (String::new(), None);
        while let Some(name) = names.next() {
            let field = plain_field(schema, &at, name)?;
            let slot = *first_slot.get_or_insert(field.slot);
            let key = &field.json;
            if names.peek().is_none() {
                json.push_str(key);
                return Ok(Self { field, json, slot, way });
            }
            let Type::Message(inner, _) = &field.r#type else {
                bail!("{path}: {} is no message", field.descriptor.full_name());
            };
            ensure!(
                matches!(field.arity, Arity::Optional) && super::is_own(inner),
                "{path}: {} is no single message of ours",
                field.descriptor.full_name()
            );
            match &field.flatten {
                Some(prefix) => json.push_str(prefix),
                None => json.push_str(&format!("{key}.")),
            }
            at = inner.clone();
            way.push(field.rust);
        }
        bail!("{path}: no field")
    }

    /// The message that holds it, seen from `root`; has `?` where a message on the way may be missing.
    fn holder(&self, root: &TokenStream) -> TokenStream {
        let way = &self.way;
        quote!(#root #(.#way.as_ref()?)*)
    }

    /// An expression of type `bool`, over `message`; has `?` where a message on the way may be missing.
    pub(super) fn is_set(&self) -> TokenStream {
        let (holder, rust) = (self.holder(&quote!(message)), &self.field.rust);
        match (&self.field.arity, &self.field.r#type) {
            (Arity::Implicit, Type::Bool) => quote!(#holder.#rust),
            (Arity::Implicit, Type::Number("f32" | "f64")) => quote!(#holder.#rust != 0.0),
            (Arity::Implicit, Type::Number(_) | Type::Enum(..)) => quote!(#holder.#rust != 0),
            (Arity::Implicit, Type::String) => quote!(!#holder.#rust.is_empty()),
            _ => quote!(#holder.#rust.is_some()),
        }
    }

    /// An expression of the value or a reference to it, over `message`; has `?` where it may be missing.
    pub(super) fn value(&self) -> TokenStream {
        self.value_of(&quote!(message))
    }

    /// An expression of type `bool`: whether `message` and `other` have the same value; has `?` as above.
    pub(super) fn is_same(&self) -> TokenStream {
        let (one, other) = (self.value(), self.value_of(&quote!(other)));
        match self.field.r#type {
            Type::String => {
                let runtime = crate::runtime();
                quote!(#runtime::text::is_same(&#one, &#other))
            }
            _ => quote!(#one == #other),
        }
    }

    fn value_of(&self, root: &TokenStream) -> TokenStream {
        let (holder, rust) = (self.holder(root), &self.field.rust);
        match self.field.arity {
            Arity::Optional => quote!(#holder.#rust.as_ref()?),
            _ => quote!(#holder.#rust),
        }
    }

    /// Whether a text can represent it.
    pub(super) fn is_scalar(&self) -> bool {
        let single = matches!(self.field.arity, Arity::Implicit | Arity::Optional);
        single && !matches!(self.field.r#type, Type::Message(..) | Type::Bytes)
    }
}

/// The field `name` of a message, which is no member of a oneof and no header.
pub(super) fn plain_field(schema: &Schema, message: &MessageDescriptor, name: &str) -> Result<Field> {
    let place = message.full_name();
    let descriptor = message.get_field_by_name(name).with_context(|| format!("{place} has no field `{name}`"))?;
    for member in schema.members(message)? {
        match member {
            Member::Field(field) if field.descriptor == descriptor => {
                ensure!(field.header.is_none(), "{place}.{name} is a header");
                return Ok(field);
            }
            _ => {}
        }
    }
    bail!("{place}.{name} is a member of a oneof: a path cannot lead there")
}

/// The JSON paths of the repeated fields that a query can fill.
///
/// A message within itself is not entered again: its repeated fields there take one value each.
pub(super) fn lists(schema: &Schema, message: &MessageDescriptor) -> Result<Vec<String>> {
    let mut found = Vec::new();
    collect_lists(schema, message, "", &mut vec![message.full_name().to_owned()], &mut found)?;
    Ok(found)
}

fn collect_lists(
    schema: &Schema,
    message: &MessageDescriptor,
    prefix: &str,
    entered: &mut Vec<String>,
    found: &mut Vec<String>,
) -> Result<()> {
    for member in schema.members(message)? {
        let (fields, flatten_all) = match member {
            Member::Field(field) => (vec![field], false),
            Member::Oneof(oneof) => (oneof.fields, oneof.flatten),
        };
        for field in fields {
            match (&field.arity, &field.r#type) {
                (Arity::Map, _) => {}
                (Arity::List, Type::Message(inner, _)) if !schema.is_text(inner)? => {}
                (Arity::List, _) => found.push(format!("{prefix}{}", field.json)),
                (_, Type::Message(inner, _))
                    if super::is_own(inner) && !entered.iter().any(|name| name == inner.full_name()) =>
                {
                    let inner_prefix = match &field.flatten {
                        Some(flat) => format!("{prefix}{flat}"),
                        None if flatten_all => prefix.to_owned(),
                        None => format!("{prefix}{}.", field.json),
                    };
                    entered.push(inner.full_name().to_owned());
                    collect_lists(schema, inner, &inner_prefix, entered, found)?;
                    entered.pop();
                }
                _ => {}
            }
        }
    }
    Ok(())
}
