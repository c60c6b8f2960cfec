//! What the service does: the calls of the contract, and between the contract and everything else what is stored of a
//! request, what the rules see of it, what its owner is shown.

#[cfg(test)]
mod examples;
mod failure;
pub mod orphans;
pub mod profile;
pub mod response;
pub mod subject;
pub mod tokens;
pub mod users;

/// A text that is there: an empty one counts as absent (decisions, section 2).
fn filled(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}

/// A value of a list that is there: a number that is no value of the list, or its zero, counts as absent.
fn chosen<E: TryFrom<i32>>(number: Option<i32>) -> Option<E> {
    number.filter(|number| *number != 0).and_then(|number| E::try_from(number).ok())
}
