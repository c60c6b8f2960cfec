//! Changes of stored messages, field by field. The generator implements [`Change`] and [`Apply`] for the messages with
//! `(kira.api.v1.message).changes`; what it means to apply a field is for a [`Merge`] to say.

use prost_types::Struct;

/// A message that says what changes in another.
pub trait Change {
    /// The message that it changes.
    type Stored;
}

/// A change that a `M` can apply.
pub trait Apply<M>: Change {
    /// Hands every field to `merge` beside the stored field of the same name, in the order of the contract.
    fn apply(self, stored: &mut Self::Stored, merge: &mut M);
}

/// Applies fields. `name` is the field's key in the current JSON object; `sent` is None where the change does not bring
/// it.
pub trait Merge {
    /// Applies a scalar.
    fn scalar<T: Value>(&mut self, name: &'static str, stored: &mut Option<T>, sent: Option<T>);

    /// Applies a field of SENSITIVITY_NUMBER.
    fn number(&mut self, name: &'static str, stored: &mut Option<String>, sent: Option<String>);

    /// Applies a list of scalars, which is replaced as a whole.
    fn replace<T: PartialEq>(&mut self, name: &'static str, stored: &mut Vec<T>, sent: Option<Vec<T>>);

    /// Applies a free JSON object.
    fn object(&mut self, name: &'static str, stored: &mut Option<Struct>, sent: Option<Struct>);

    /// Applies a file, whose JSON is a data URI.
    fn file<T>(&mut self, name: &'static str, stored: &mut Option<T>, sent: Option<T>);

    /// Enters a member of the current JSON object, which is an object itself.
    fn enter(&mut self, name: &'static str);

    /// Leaves the member that was entered last.
    fn leave(&mut self);
}

/// Applies what is sent about the elements of a list.
pub trait MergeList<C: ElementChange> {
    /// Applies it.
    fn list(&mut self, name: &'static str, stored: &mut Vec<C::Stored>, sent: Vec<C>);
}

/// A scalar that a change may bring.
pub trait Value: PartialEq {
    /// Whether it deletes the stored value.
    fn is_blank(&self) -> bool {
        false
    }
}

impl Value for bool {}
impl Value for f32 {}
impl Value for f64 {}
impl Value for i32 {}
impl Value for i64 {}
impl Value for u32 {}
impl Value for u64 {}

impl Value for String {
    fn is_blank(&self) -> bool {
        self.is_empty()
    }
}

/// A stored message with an identifier.
pub trait Element {
    /// Its identifier.
    fn id(&self) -> &String;

    /// Its identifier.
    fn id_mut(&mut self) -> &mut String;
}

/// A change of an [`Element`].
pub trait ElementChange: Change {
    /// The identifier of the element; None where the request does not name one.
    fn id(&self) -> &Option<String>;

    /// The identifier of the element; None where the request does not name one.
    fn id_mut(&mut self) -> &mut Option<String>;

    /// Whether it deletes the element.
    fn deletes(&self) -> bool;
}
