//! The distinct tokens of all names, in order, and the names that have them.

use std::collections::HashMap;

use super::buckets::Buckets;
use super::keys;
use crate::name::{Class, Name};

const CLASSES: [Class; 8] = [
    Class::Word,
    Class::Initial,
    Class::Particle,
    Class::Title,
    Class::Form,
    Class::Generic,
    Class::Patronymic,
    Class::Number,
];
const LAX: u8 = 128;

/// One distinct token.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    pub(super) text: &'a str,
    pub(super) class: Class,
    /// It belongs to names whose vowels count less.
    pub(super) lax: bool,
}

#[derive(Debug, Default)]
pub(super) struct Dictionary {
    texts: Box<str>,
    /// Where each text starts, and the end of the last.
    starts: Box<[u32]>,
    tags: Box<[u8]>,
    keys: Buckets,
    /// Where the names of each token start, and the end of the last.
    posting_starts: Box<[u32]>,
    postings: Box<[u32]>,
    /// Where the tokens of each name start, and the end of the last.
    name_starts: Box<[u32]>,
    name_tokens: Box<[u32]>,
}

/// Gathers the tokens of names.
#[derive(Default)]
pub(super) struct Builder {
    numbers: HashMap<(Box<str>, u8), u32>,
    /// Of all names one after the other.
    tokens: Vec<u32>,
    /// Where each name ends.
    ends: Vec<u32>,
}

fn tag(class: Class, lax: bool) -> u8 {
    let class = CLASSES.iter().position(|other| *other == class).unwrap_or(0) as u8;
    if lax { class | LAX } else { class }
}

impl Builder {
    /// Adds the next name.
    pub(super) fn add(&mut self, name: &Name) {
        for token in &name.tokens {
            let next = self.numbers.len() as u32;
            let token = *self.numbers.entry((token.text.clone(), tag(token.class, name.lax))).or_insert(next);
            self.tokens.push(token);
        }
        self.ends.push(self.tokens.len() as u32);
    }

    pub(super) fn build(self) -> Dictionary {
        let mut tokens: Vec<((Box<str>, u8), u32)> = self.numbers.into_iter().collect();
        tokens.sort_unstable();
        let mut order = vec![0u32; tokens.len()];
        let (mut texts, mut starts, mut tags) = (String::new(), vec![0u32], Vec::new());
        for (at, ((text, tag), number)) in tokens.iter().enumerate() {
            order[*number as usize] = at as u32;
            texts.push_str(text);
            starts.push(texts.len() as u32);
            tags.push(*tag);
        }
        let name_tokens: Box<[u32]> = self.tokens.iter().map(|token| order[*token as usize]).collect();
        let name_starts: Box<[u32]> = [0].into_iter().chain(self.ends).collect();
        let (posting_starts, postings) = postings(&name_tokens, &name_starts, order.len());
        let mut dictionary = Dictionary {
            texts: texts.into(),
            starts: starts.into(),
            tags: tags.into(),
            keys: Buckets::default(),
            posting_starts,
            postings,
            name_starts,
            name_tokens,
        };
        dictionary.keys = dictionary.index();
        dictionary
    }
}

/// The names of each token, each name once.
fn postings(tokens: &[u32], starts: &[u32], distinct: usize) -> (Box<[u32]>, Box<[u32]>) {
    let each = |act: &mut dyn FnMut(u32, u32)| {
        for (name, bounds) in starts.windows(2).enumerate() {
            let own = &tokens[bounds[0] as usize..bounds[1] as usize];
            let first = own.iter().enumerate().filter(|(at, token)| !own[..*at].contains(token));
            first.for_each(|(_, token)| act(*token, name as u32));
        }
    };
    let mut ends = vec![0u32; distinct + 1];
    each(&mut |token, _| ends[token as usize + 1] += 1);
    (1..ends.len()).for_each(|at| ends[at] += ends[at - 1]);
    let (mut next, mut postings) = (ends.clone(), vec![0u32; ends[distinct] as usize]);
    each(&mut |token, name| {
        let place = &mut next[token as usize];
        postings[*place as usize] = name;
        *place += 1;
    });
    (ends.into(), postings.into())
}

impl Dictionary {
    pub(super) fn len(&self) -> u32 {
        self.tags.len() as u32
    }

    pub(super) fn memory(&self) -> usize {
        let of_names = self.name_starts.len() + self.name_tokens.len();
        let numbers = self.starts.len() + self.posting_starts.len() + self.postings.len() + of_names;
        self.texts.len() + self.tags.len() + numbers * size_of::<u32>() + self.keys.memory()
    }

    pub(super) fn get(&self, token: u32) -> Entry<'_> {
        let at = token as usize;
        let tag = self.tags[at];
        Entry {
            text: &self.texts[self.starts[at] as usize..self.starts[at + 1] as usize],
            class: CLASSES[usize::from(tag & !LAX)],
            lax: tag & LAX != 0,
        }
    }

    /// The names that have the token.
    pub(super) fn names(&self, token: u32) -> &[u32] {
        let at = token as usize;
        &self.postings[self.posting_starts[at] as usize..self.posting_starts[at + 1] as usize]
    }

    /// The tokens of a name, in its order.
    pub(super) fn tokens(&self, name: u32) -> &[u32] {
        let at = name as usize;
        &self.name_tokens[self.name_starts[at] as usize..self.name_starts[at + 1] as usize]
    }

    /// Every token that may be like the text, and some that are not, in order.
    pub(super) fn near(&self, text: &str, tokens: &mut Vec<u32>) {
        tokens.clear();
        keys::of_token(text, |key| tokens.extend_from_slice(self.keys.get(key)));
        tokens.sort_unstable();
        tokens.dedup();
    }

    /// Every token with the same consonants, and some others.
    pub(super) fn of_skeleton(&self, text: &str) -> &[u32] {
        self.keys.get(keys::of_whole(text))
    }

    /// The tokens that start with the text.
    pub(super) fn starting_with(&self, text: &str) -> std::ops::Range<u32> {
        let first = self.first_from(|token| token >= text);
        let end = self.first_from(|token| token >= text && !token.starts_with(text));
        first..end
    }

    fn first_from(&self, is_after: impl Fn(&str) -> bool) -> u32 {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if is_after(self.get(middle).text) { high = middle } else { low = middle + 1 }
        }
        low
    }

    fn index(&self) -> Buckets {
        let each = |put: &mut dyn FnMut(u32, u32)| {
            for token in 0..self.len() {
                let entry = self.get(token);
                if keys::is_keyed(entry.class) {
                    keys::of_token(entry.text, |key| put(key, token));
                }
            }
        };
        let mut count = 0;
        each(&mut |_, _| count += 1);
        Buckets::build(count, each)
    }
}
