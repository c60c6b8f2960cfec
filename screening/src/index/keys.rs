//! The keys of a token. Two tokens are alike only if they have one in common.

use super::buckets::key;
use crate::name::{Class, LONG_SKELETON, SHORTEST_MISSPELT, group, simple, skeleton};

const SKELETON: u8 = 0;
const MISSPELT: u8 = 1;
const BROKEN_SKELETON: u8 = 2;
const VARIANT: u8 = 3;
const JOINED: u8 = 4;

/// Calls `found` with each key.
pub(super) fn of_token(text: &str, mut found: impl FnMut(u32)) {
    let bytes = text.as_bytes();
    let bones = skeleton(bytes);
    found(key(SKELETON, &bones));
    if bytes.len() >= SHORTEST_MISSPELT {
        with_one_less(MISSPELT, &simple(bytes), &mut found);
    }
    if bones.len() >= LONG_SKELETON {
        with_one_less(BROKEN_SKELETON, &bones, &mut found);
    }
    if let Some(group) = group(text) {
        found(key(VARIANT, &group.to_le_bytes()));
    }
}

/// The key of words written together.
pub(super) fn of_join(text: &str) -> u32 {
    key(JOINED, &skeleton(text.as_bytes()))
}

/// The key under which a word meets words that are written apart.
pub(super) fn of_whole(text: &str) -> u32 {
    key(SKELETON, &skeleton(text.as_bytes()))
}

fn with_one_less(kind: u8, text: &[u8], found: &mut impl FnMut(u32)) {
    found(key(kind, text));
    let mut rest = Vec::with_capacity(text.len());
    for at in 0..text.len() {
        // Leaving out either of two equal letters is the same.
        if at > 0 && text[at] == text[at - 1] {
            continue;
        }
        rest.clear();
        rest.extend_from_slice(&text[..at]);
        rest.extend_from_slice(&text[at + 1..]);
        found(key(kind, &rest));
    }
}

/// Whether tokens of the class are looked up by their keys. The others carry so little that every name is granted them, or
/// are found by their first letter.
pub(super) const fn is_keyed(class: Class) -> bool {
    !matches!(class, Class::Particle | Class::Title | Class::Form | Class::Initial)
}
