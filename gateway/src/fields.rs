//! The fields of stored messages by the names that requests give them: what a change of one means, and which have a
//! value.

use crate::check::is_blank;

/// What a change of a field means to an outcome that was based on it. See `kira.api.v1.Impact`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Impact {
    /// Nothing.
    None,
    /// It may remove the cause of a refusal.
    Reconsider,
    /// The outcome says nothing about the new value.
    Invalidates,
}

/// A field that requests bring.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// What a change of it means; of a list, that an element is added or removed.
    pub impact: Impact,
    /// Whether it is a list, so that an index may follow its name.
    pub is_list: bool,
    /// The fields of the message, or of each element, in it.
    pub within: Option<Lookup>,
}

/// Finds a field by its name in the JSON object of a message.
pub type Lookup = fn(name: &str) -> Option<Field>;

/// A message whose fields are known by name. The generator implements it for what requests bring and the service stores.
pub trait Fields {
    /// The field of this name in the JSON object of the message.
    fn field(name: &str) -> Option<Field>;

    /// Reports the name of every field of the JSON object that has a value, in the order of the contract. Not those of
    /// messages within it, nor lists of messages. A text that shows nothing and an enum value that is unknown are no
    /// values.
    fn each_given(&self, see: &mut dyn FnMut(&'static str));
}

/// The field at a path of a request, such as `documents.0.type`; None where the message has no such field.
#[must_use]
pub fn find<T: Fields>(path: &str) -> Option<Field> {
    let mut within: Option<Lookup> = Some(T::field);
    let mut found: Option<Field> = None;
    for part in path.split('.') {
        let is_index = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        match &mut found {
            Some(list) if is_index && list.is_list => list.is_list = false,
            _ => {
                let field = within?(part)?;
                within = field.within;
                found = Some(field);
            }
        }
    }
    found
}

/// Whether a text has a value.
#[must_use]
pub fn is_given(text: &Option<String>) -> bool {
    text.as_deref().is_some_and(|text| !is_blank(text))
}

/// Whether a value of an enum has a value: a known one that is not its zero.
#[must_use]
pub fn is_specified<E: TryFrom<i32>>(number: Option<i32>) -> bool {
    number.is_some_and(|number| number != 0 && E::try_from(number).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Shelf;

    impl Fields for Shelf {
        fn field(name: &str) -> Option<Field> {
            let (impact, is_list, within): (_, _, Option<Lookup>) = match name {
                "name" => (Impact::Reconsider, false, None),
                "labels" => (Impact::None, true, None),
                "books" => (Impact::Invalidates, true, Some(Shelf::field)),
                _ => return None,
            };
            Some(Field { impact, is_list, within })
        }

        fn each_given(&self, _: &mut dyn FnMut(&'static str)) {}
    }

    #[test]
    fn a_path_ends_at_a_field_or_an_element() {
        let impact = |path| find::<Shelf>(path).map(|field| field.impact);
        assert_eq!(impact("name"), Some(Impact::Reconsider));
        assert_eq!(impact("labels.3"), Some(Impact::None));
        assert_eq!(impact("books.0"), Some(Impact::Invalidates));
        assert_eq!(impact("books.0.books.1.name"), Some(Impact::Reconsider));
    }

    #[test]
    fn any_other_path_is_of_no_field() {
        for path in ["", "title", "name.0", "name.name", "labels.0.1", "labels.x", "books.0.1", "books.", ".name", "0"]
        {
            assert!(find::<Shelf>(path).is_none(), "{path}");
        }
    }
}
