//! By what an element that a change does not name by its id is known again (decisions, section 9): clients send their
//! whole list at every save.

use std::collections::HashMap;

use crate::contract::v1;
use crate::domain::writing::compact;
use crate::profile::mask::masks;
use crate::profile::{non_empty, specified};

/// How sure a match is, the surest first: what matches better is never taken by what matches less.
pub(super) const LEVELS: usize = 3;

/// The SHA-256 of the files that a change brings, by the identifiers of their documents.
pub(super) type Digests = HashMap<String, String>;

/// A stored element that can be known again.
pub(super) trait Known {
    /// Every name that it answers to.
    fn names(&self) -> Vec<Name>;
}

/// What a change says of an element that may be a stored one.
pub(super) trait Recognize {
    /// The name to ask for at each level; none where it cannot be known at that level.
    fn ask(&self, digests: &Digests) -> [Option<Name>; LEVELS];
}

/// A name that an element answers to: the level, and what is compared.
pub(super) type Name = (usize, Vec<String>);

/// Two spellings of one name, with other blanks or in another case, are the same.
fn plain(text: &Option<String>) -> String {
    let words = non_empty(text).unwrap_or_default().split_whitespace();
    words.collect::<Vec<_>>().join(" ").to_lowercase()
}

fn number(text: &str) -> String {
    compact(text).into_iter().collect()
}

/// First and last name and birth date, with the middle name; then where one of the two has none; then the e-mail.
struct Person<'a> {
    first: &'a Option<String>,
    last: &'a Option<String>,
    birth: &'a Option<String>,
    email: &'a Option<String>,
}

impl Person<'_> {
    fn named(&self, middle: String) -> Vec<String> {
        vec![plain(self.first), plain(self.last), non_empty(self.birth).unwrap_or_default().to_owned(), middle]
    }

    fn has_name(&self) -> bool {
        non_empty(self.first).is_some() || non_empty(self.last).is_some()
    }

    fn email(&self) -> Option<Name> {
        non_empty(self.email).map(|_| (2, vec![plain(self.email)]))
    }
}

/// Stands for any middle name: no name has a NUL in it.
const ANY: &str = "\0";

impl Known for v1::AssociatedPerson {
    fn names(&self) -> Vec<Name> {
        let Self { first_name: first, middle_name: middle, last_name: last, birth_date: birth, email, .. } = self;
        let person = Person { first, last, birth, email };
        let middle = plain(middle);
        let mut names = vec![(1, person.named(ANY.to_owned())), (0, person.named(middle.clone()))];
        if middle.is_empty() {
            names.push((1, person.named(middle)));
        }
        names.extend(person.email());
        names
    }
}

impl Recognize for v1::AssociatedPersonChange {
    fn ask(&self, _: &Digests) -> [Option<Name>; LEVELS] {
        let Self { first_name: first, middle_name: middle, last_name: last, birth_date: birth, email, .. } = self;
        let person = Person { first, last, birth, email };
        let middle = plain(middle);
        let loosely = if middle.is_empty() { ANY.to_owned() } else { String::new() };
        let named = person.has_name();
        [named.then(|| (0, person.named(middle))), named.then(|| (1, person.named(loosely))), person.email()]
    }
}

/// Type, issuing country and number; then the number as answers show it masked.
fn entry(level: usize, kind: Option<i32>, country: &Option<String>, number: String) -> Option<Name> {
    let kind: v1::IdentificationType = specified(kind)?;
    Some((level, vec![kind.json_name().to_owned(), non_empty(country)?.to_owned(), number]))
}

impl Known for v1::Identification {
    fn names(&self) -> Vec<Name> {
        let Self { r#type: kind, issuing_country: country, number: text, .. } = self;
        let text = non_empty(text).unwrap_or_default();
        let exact = entry(0, *kind, country, number(text));
        let masked = masks(text).into_iter().filter(|_| !text.is_empty());
        let masked = masked.filter_map(|mask| entry(1, *kind, country, mask));
        exact.into_iter().chain(masked).collect()
    }
}

impl Recognize for v1::IdentificationChange {
    fn ask(&self, _: &Digests) -> [Option<Name>; LEVELS] {
        let Self { r#type: kind, issuing_country: country, number: text, .. } = self;
        let text = non_empty(text).unwrap_or_default();
        [entry(0, *kind, country, number(text)), entry(1, *kind, country, text.to_owned()), None]
    }
}

/// Type and content.
fn document(kind: Option<i32>, sha256: &str) -> Option<Name> {
    let kind: v1::DocumentType = specified(kind)?;
    (!sha256.is_empty()).then(|| (0, vec![kind.json_name().to_owned(), sha256.to_owned()]))
}

impl Known for v1::Document {
    fn names(&self) -> Vec<Name> {
        document(self.r#type, &self.sha256).into_iter().collect()
    }
}

impl Recognize for v1::DocumentChange {
    fn ask(&self, digests: &Digests) -> [Option<Name>; LEVELS] {
        let sha256 = self.id.as_ref().and_then(|id| digests.get(id));
        [sha256.and_then(|sha256| document(self.r#type, sha256)), None, None]
    }
}

/// Which stored element each of the `sent` is, by its index; none for one that is not stored. A stored one is taken once,
/// in the order of the request, and `free` says which may be.
pub(super) fn matches<K: Known, R: Recognize>(
    stored: &[K],
    mut free: Vec<bool>,
    sent: &[(usize, &R)],
    digests: &Digests,
) -> HashMap<usize, usize> {
    let mut known: HashMap<Name, Vec<usize>> = HashMap::new();
    for (position, element) in stored.iter().enumerate().rev() {
        for name in element.names() {
            known.entry(name).or_default().push(position);
        }
    }
    let asked: Vec<_> = sent.iter().map(|(index, change)| (*index, change.ask(digests))).collect();
    let mut found = HashMap::new();
    for level in 0..LEVELS {
        for (index, names) in &asked {
            if found.contains_key(index) {
                continue;
            }
            let Some(candidates) = names[level].as_ref().and_then(|name| known.get_mut(name)) else { continue };
            while let Some(position) = candidates.pop() {
                if std::mem::replace(&mut free[position], false) {
                    found.insert(*index, position);
                    break;
                }
            }
        }
    }
    found
}
