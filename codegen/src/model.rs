//! The contract as the generator sees it.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use proc_macro2::{Ident, TokenStream};
use prost_reflect::{FieldDescriptor, MessageDescriptor, OneofDescriptor};

use crate::options::Options;

/// What a field holds, once or many times.
#[derive(Clone)]
pub(crate) enum Type {
    Bool,
    /// Any integer or floating-point type, by its Rust name.
    Number(&'static str),
    String,
    Bytes,
    Enum(TokenStream),
    Message(MessageDescriptor, TokenStream),
}

/// How often a field holds it.
#[derive(Clone)]
pub(crate) enum Arity {
    /// Always there; the default where nothing was given.
    Implicit,
    /// There or not.
    Optional,
    List,
    /// From texts to the type.
    Map,
}

/// Of kira.api.v1.Impact.
#[derive(Clone, Copy)]
pub(crate) enum Impact {
    None,
    Reconsider,
    Invalidates,
}

/// A field with its options.
#[derive(Clone)]
pub(crate) struct Field {
    pub(crate) descriptor: FieldDescriptor,
    pub(crate) rust: Ident,
    pub(crate) r#type: Type,
    pub(crate) arity: Arity,
    pub(crate) json: String,
    pub(crate) aliases: Vec<String>,
    pub(crate) flatten: Option<String>,
    pub(crate) header: Option<String>,
    pub(crate) sensitive: bool,
    /// Whether it is the number of a person or business, which answers may mask.
    pub(crate) number: bool,
    /// What a change of it means.
    pub(crate) impact: Impact,
    /// Whether it is an enum that says what kind of request it is.
    pub(crate) discriminator: bool,
    pub(crate) emit_empty: bool,
    /// Whether each element of the list is judged alone.
    pub(crate) each_alone: bool,
    pub(crate) form_message: Option<String>,
    pub(crate) input_only: bool,
    pub(crate) output_only: bool,
    /// Place in the schema order of the enclosing JSON object; a flattened message takes as many as it has members.
    pub(crate) slot: u32,
}

/// A oneof with its options.
#[derive(Clone)]
pub(crate) struct Oneof {
    pub(crate) descriptor: OneofDescriptor,
    pub(crate) rust: Ident,
    /// The enum that prost makes of it, from the root of the package's module.
    pub(crate) path: TokenStream,
    pub(crate) flatten: bool,
    pub(crate) discriminator: Option<String>,
    /// Whether only the service knows which member it is, and judges it.
    pub(crate) late: bool,
    pub(crate) fields: Vec<Field>,
    pub(crate) slot: u32,
}

/// A message's parts in the order of their declaration.
#[derive(Clone)]
pub(crate) enum Member {
    Field(Field),
    Oneof(Oneof),
}

/// A member of a message's JSON object, those of flattened messages included.
#[derive(Clone)]
pub(crate) struct Leaf {
    pub(crate) field: Field,
    /// The key, prefixes included.
    pub(crate) name: String,
    pub(crate) slot: u32,
    /// The flattened fields on the way to it, each with the path of its message's type.
    pub(crate) way: Vec<(Ident, TokenStream)>,
    pub(crate) input_only: bool,
    pub(crate) output_only: bool,
}

impl Leaf {
    /// Whether requests bring it in their body.
    pub(crate) fn is_read(&self) -> bool {
        !self.output_only && self.field.header.is_none()
    }

    /// Whether only the service may set it.
    pub(crate) fn is_output_only(&self) -> bool {
        self.output_only
    }
}

/// The JSON object of a message.
pub(crate) struct Shape {
    pub(crate) leaves: Vec<Leaf>,
    pub(crate) oneofs: Vec<Oneof>,
    /// How many places its members take.
    pub(crate) slots: u32,
}

impl Shape {
    /// Refuses two members with one key. Those of a flattened oneof are judged with their message, which is another.
    pub(crate) fn check_names(&self) -> Result<()> {
        let mut seen = BTreeSet::new();
        let of_leaves = self.leaves.iter().filter(|leaf| leaf.field.header.is_none());
        let of_leaves = of_leaves.flat_map(|leaf| std::iter::once(&leaf.name).chain(&leaf.field.aliases));
        let of_oneofs = self.oneofs.iter().filter(|oneof| !oneof.flatten).flat_map(|oneof| &oneof.fields);
        let discriminators = self.oneofs.iter().filter_map(|oneof| oneof.discriminator.as_ref());
        for name in of_leaves.chain(of_oneofs.map(|field| &field.json)).chain(discriminators) {
            ensure!(seen.insert(name), "two members have the JSON name `{name}`");
        }
        Ok(())
    }
}

/// The JSON of a message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Object,
    DataUri,
    Transparent,
}

/// An enum value with its options.
pub(crate) struct EnumValue {
    pub(crate) number: i32,
    pub(crate) json: String,
    pub(crate) category: String,
    pub(crate) reason: Option<Options>,
}
