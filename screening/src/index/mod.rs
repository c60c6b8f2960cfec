//! All names of the lists in memory, found by what they may have been made into.
//!
//! [`Index::screen`] finds exactly what [`Index::screen_exhaustively`] finds, which compares every name. Each token of the
//! query fetches the tokens of the list that are like it by the keys that the comparison itself asks for; each of these
//! grants the names that have it the most that the pair can add to the score; only a name that can reach the threshold
//! with all it was granted is compared.

mod buckets;
mod codec;
mod dictionary;
mod keys;
mod retrieval;
mod search;

use std::collections::HashMap;

use self::buckets::Buckets;
use self::dictionary::Dictionary;
pub use self::retrieval::Scratch;
pub use self::search::{Match, MatchedToken, NameMatch, Query};
use crate::list::{Entry, bare_number};
use crate::name::{Kind, Name};
use crate::score::{Model, SHORTEST_NUMBER, can_be_joined, is_slight, joins};

/// Thousandths, in which weights are kept.
const UNIT: f32 = 1000.0;
/// Of a name's slight tokens, in which their sum is kept: 24 particles fit in a byte.
const SLIGHT_UNIT: f32 = 80.0;

/// A set of lists, ready to be screened against. It does not change; a new version is a new index.
#[derive(Debug, Default)]
pub struct Index {
    model: Model,
    dictionary: Dictionary,
    joined: Buckets,
    documents: Buckets,
    names: Box<[NameRef]>,
    bytes: Box<[u8]>,
    entry_starts: Box<[u32]>,
    shared: Box<[Box<str>]>,
}

/// A listed name: 12 bytes.
#[derive(Clone, Copy, Debug)]
struct NameRef {
    entry: u32,
    /// Of the text in `bytes`, one byte before its length.
    at: u32,
    /// The sum of its tokens' weights.
    weight: u16,
    /// The part of it that is slight, rounded up.
    slight: u8,
    kind: u8,
}

const KINDS: [Kind; 5] = [Kind::Person, Kind::Organisation, Kind::Vessel, Kind::Aircraft, Kind::Unknown];

/// Builds an index entry by entry.
#[derive(Default)]
pub struct IndexBuilder {
    dictionary: dictionary::Builder,
    joined: Vec<(u32, u32)>,
    documents: Vec<(u32, u32)>,
    names: Vec<NameRef>,
    bytes: Vec<u8>,
    entry_starts: Vec<u32>,
    shared: HashMap<Box<str>, usize>,
}

impl IndexBuilder {
    /// Adds an entry. Names without letters and digits cannot be found.
    pub fn add(&mut self, entry: &Entry) {
        let number = self.entry_starts.len() as u32;
        let start = self.bytes.len();
        self.entry_starts.push(start as u32);
        let shared = &mut self.shared;
        codec::write(&mut self.bytes, entry, &mut |text| {
            let next = shared.len();
            *shared.entry(text.into()).or_insert(next)
        });
        let places = codec::name_places(&self.bytes[start..]);
        for (name, place) in entry.names.iter().zip(places) {
            self.add_name(number, (start + place) as u32, &name.text, entry.kind);
        }
        for document in &entry.documents {
            let bare = bare_number(&document.number);
            if bare.chars().count() >= SHORTEST_NUMBER {
                self.documents.push((buckets::key(0, bare.as_bytes()), number));
            }
        }
    }

    fn add_name(&mut self, entry: u32, at: u32, text: &str, kind: Kind) {
        let name = Name::parse(text, kind);
        if name.tokens.is_empty() {
            return;
        }
        let number = self.names.len() as u32;
        self.dictionary.add(&name);
        let joined = joins(&name).filter(|(.., text)| can_be_joined(text));
        self.joined.extend(joined.map(|(.., text)| (keys::of_join(&text), number)));
        let slight: f32 = name.tokens.iter().filter(|token| is_slight(token)).map(|token| token.weight).sum();
        self.names.push(NameRef {
            entry,
            at,
            weight: (name.weight() * UNIT).round() as u16,
            slight: (slight * SLIGHT_UNIT).ceil() as u8,
            kind: KINDS.iter().position(|other| *other == kind).unwrap_or(KINDS.len() - 1) as u8,
        });
    }

    /// The index of what was added.
    #[must_use]
    pub fn build(self) -> Index {
        let mut shared = vec![Box::default(); self.shared.len()];
        self.shared.into_iter().for_each(|(text, at)| shared[at] = text);
        Index {
            model: Model::default(),
            dictionary: self.dictionary.build(),
            joined: bucket(&self.joined),
            documents: bucket(&self.documents),
            names: self.names.into(),
            bytes: self.bytes.into(),
            entry_starts: self.entry_starts.into(),
            shared: shared.into(),
        }
    }
}

fn bucket(pairs: &[(u32, u32)]) -> Buckets {
    Buckets::build(pairs.len(), |put| pairs.iter().for_each(|(key, number)| put(*key, *number)))
}

impl Index {
    /// An index of these entries.
    #[must_use]
    pub fn of(entries: &[Entry]) -> Self {
        let mut builder = IndexBuilder::default();
        entries.iter().for_each(|entry| builder.add(entry));
        builder.build()
    }

    /// How many names can be found.
    #[must_use]
    pub fn names(&self) -> usize {
        self.names.len()
    }

    /// How many entries there are.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.entry_starts.len()
    }

    /// The entry at a position below [`entries`](Self::entries).
    #[must_use]
    pub fn entry(&self, position: usize) -> Option<Entry> {
        let start = *self.entry_starts.get(position)? as usize;
        Some(codec::Reader { bytes: &self.bytes[start..], shared: &self.shared }.entry())
    }

    /// Bytes that it takes.
    #[must_use]
    pub fn memory(&self) -> usize {
        let shared: usize = self.shared.iter().map(|text| text.len() + size_of::<Box<str>>()).sum();
        let names = self.names.len() * size_of::<NameRef>();
        let entries = self.bytes.len() + self.entry_starts.len() * size_of::<u32>();
        self.dictionary.memory() + self.joined.memory() + self.documents.memory() + names + entries + shared
    }

    fn name(&self, name: &NameRef) -> Name {
        Name::parse(&self.text(name).text, KINDS[usize::from(name.kind)])
    }

    fn text(&self, name: &NameRef) -> crate::list::ListedName {
        codec::Reader { bytes: &self.bytes[name.at as usize..], shared: &self.shared }.name()
    }
}

#[cfg(test)]
mod tests;
