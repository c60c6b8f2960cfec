//! How alike two tokens are: an edit distance whose costs know sounds, scanners and keyboards.

use std::sync::LazyLock;

use super::token::{MAX_TOKEN, folded, simple, skeleton};
use super::variants;

/// Below this, tokens count as different.
const LEAST: f32 = 0.4;
/// Costs are counted in hundredths of one plain edit.
const PLAIN: u16 = 100;
const VARIANT: f32 = 0.95;

/// What makes a token of one name a token of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Nothing.
    Same,
    /// Another form of the same given name.
    Variant,
    /// Another spelling of the same sound.
    Spelling,
    /// Vowels were left out.
    VowelsDropped,
    /// Letters that a scanner takes for each other.
    LookAlike,
    /// Neighbouring letters in the other order.
    Transposed,
    /// One or two letters differ.
    Edited,
    /// One letter stands for the word.
    Initial,
    /// The text was cut.
    Cut,
    /// Words are written together in one name and apart in the other.
    Joined,
}

struct Costs([[u8; 128]; 128]);

static SUBSTITUTE: LazyLock<Costs> = LazyLock::new(costs);

const SOUNDS: &[(&str, u8)] = &[
    ("aeiouy", 40),
    ("ckqgx", 40),
    ("sz", 30),
    ("dt", 45),
    ("bp", 50),
    ("fvw", 35),
    ("uvw", 40),
    ("jyi", 30),
    ("jgz", 60),
    ("kh", 60),
    ("fp", 55),
    ("mn", 70),
    ("lr", 75),
    ("hg", 60),
];
const LOOK_ALIKE: &[&str] = &["0o", "1li", "5s", "8b", "2z", "9g", "6b", "4a", "3e"];
const KEYBOARD: &[&str] = &["qwertyuiop", "asdfghjkl", "zxcvbnm"];

fn costs() -> Costs {
    let mut table = [[PLAIN as u8; 128]; 128];
    for row in KEYBOARD {
        row.as_bytes().windows(2).for_each(|pair| lower(&mut table, pair[0], pair[1], 85));
    }
    for (letters, cost) in SOUNDS {
        each_pair(letters, |a, b| lower(&mut table, a, b, *cost));
    }
    for letters in LOOK_ALIKE {
        each_pair(letters, |a, b| lower(&mut table, a, b, 15));
    }
    (0..128).for_each(|letter| table[letter][letter] = 0);
    Costs(table)
}

fn each_pair(letters: &str, mut act: impl FnMut(u8, u8)) {
    for a in letters.bytes() {
        letters.bytes().filter(|b| *b != a).for_each(|b| act(a, b));
    }
}

fn lower(table: &mut [[u8; 128]; 128], a: u8, b: u8, cost: u8) {
    for (a, b) in [(a, b), (b, a)] {
        let cell = &mut table[usize::from(a)][usize::from(b)];
        *cell = (*cell).min(cost);
    }
}

const fn is_vowel(letter: u8) -> bool {
    matches!(letter, b'a' | b'e' | b'i' | b'o' | b'u' | b'y')
}

/// What one letter more costs at `at`.
fn insertion(text: &[u8], at: usize, lax: bool) -> u16 {
    let letter = text[at];
    let before = at.checked_sub(1).map(|before| text[before]);
    match letter {
        _ if before == Some(letter) || text.get(at + 1) == Some(&letter) => 10,
        b'a' | b'e' | b'i' | b'o' | b'u' if at == 0 => 60,
        _ if is_vowel(letter) && lax => 12,
        _ if is_vowel(letter) => 35,
        b'h' | b'j' => 30,
        b'c' if text.get(at + 1) == Some(&b'k') => 15,
        b'k' | b'g' if text.get(at + 1) == Some(&b'h') => 35,
        b't' if matches!(text.get(at + 1), Some(b'z' | b's' | b'c')) => 35,
        _ => PLAIN,
    }
}

/// Both tokens have what one scanner's error turns into the other.
fn merged(two: &[u8], one: u8) -> bool {
    matches!((two, one), ([b'r', b'n'], b'm') | ([b'c', b'l'], b'd') | ([b'v', b'v'], b'w') | ([b'i', b'i'], b'u'))
}

type Row = [u16; MAX_TOKEN + 1];

/// The weighted edit distance, or none if it is above `limit`.
fn distance(a: &[u8], b: &[u8], lax: bool, limit: u16) -> Option<u16> {
    let width = b.len().min(MAX_TOKEN);
    let b = &b[..width];
    let merges = has_mergeable(a) || has_mergeable(b);
    let (mut older, mut last, mut now): (Row, Row, Row) = ([0; MAX_TOKEN + 1], [0; MAX_TOKEN + 1], [0; MAX_TOKEN + 1]);
    let mut gaps = [0u16; MAX_TOKEN];
    for j in 0..width {
        gaps[j] = insertion(b, j, lax);
        last[j + 1] = last[j] + gaps[j];
    }
    for i in 0..a.len() {
        let substitute = &SUBSTITUTE.0[usize::from(a[i] & 127)];
        let gap = insertion(a, i, lax);
        now[0] = last[0] + gap;
        let mut least = now[0];
        for (j, letter) in b.iter().enumerate() {
            let plain = last[j] + u16::from(substitute[usize::from(*letter & 127)]);
            let mut best = plain.min(last[j + 1] + gap).min(now[j] + gaps[j]);
            if i > 0 && j > 0 {
                best = best.min(crossed(a, b, (i, j), &older));
            }
            if merges {
                best = best.min(merge(a, b, (i, j), (&older, &last)));
            }
            now[j + 1] = best;
            least = least.min(best);
        }
        // Two rows back can still be continued by a merged pair, at a cost.
        if least > limit + 20 {
            return None;
        }
        std::mem::swap(&mut older, &mut last);
        std::mem::swap(&mut last, &mut now);
    }
    Some(last[width]).filter(|cost| *cost <= limit)
}

fn has_mergeable(text: &[u8]) -> bool {
    text.windows(2).any(|two| matches!(two, [b'r', b'n'] | [b'c', b'l'] | [b'v', b'v'] | [b'i', b'i']))
}

/// What it costs up to here if the last two letters changed places.
fn crossed(a: &[u8], b: &[u8], (i, j): (usize, usize), older: &Row) -> u16 {
    let changed = a[i] == b[j - 1] && a[i - 1] == b[j] && a[i] != b[j];
    if changed { older[j - 1] + 60 } else { u16::MAX }
}

/// What it costs up to here if a scanner took two letters for one.
fn merge(a: &[u8], b: &[u8], (i, j): (usize, usize), (older, last): (&Row, &Row)) -> u16 {
    let in_b = if j > 0 && merged(&b[j - 1..=j], a[i]) { last[j - 1] + 20 } else { u16::MAX };
    let in_a = if i > 0 && merged(&a[i - 1..=i], b[j]) { older[j] + 20 } else { u16::MAX };
    in_a.min(in_b)
}

/// How much may differ between tokens of this length, in hundredths of an edit.
fn scale(length: usize) -> f32 {
    50.0 * length as f32 + 75.0
}

/// From 0 (different) to 1 (the same). The index finds every token of the list that is not 0 against a query's token:
/// tokens without a common key (see [`meet`]) are 0.
pub(crate) fn similarity(a: &[u8], b: &[u8], lax: bool) -> f32 {
    similarity_from(LEAST, a, b, lax)
}

/// The same, or 0 if it is below `least`; the larger that is, the less is there to compute.
pub(crate) fn similarity_from(least: f32, a: &[u8], b: &[u8], lax: bool) -> f32 {
    if a == b {
        return 1.0;
    }
    let least = least.max(LEAST);
    let scale = scale(a.len().max(b.len()));
    let limit = (scale * (1.0 - least)) as u16 + 1;
    let by_edits = distance(a, b, lax, limit).map_or(0.0, |cost| 1.0 - f32::from(cost) / scale);
    if by_edits < VARIANT && is_variant(a, b) {
        return if VARIANT >= least { VARIANT } else { 0.0 };
    }
    let best = if by_edits < VARIANT && vowels_dropped(a, b) { VARIANT } else { by_edits };
    if best >= least && meet(a, b) { best.min(0.995) } else { 0.0 }
}

fn is_variant(a: &[u8], b: &[u8]) -> bool {
    let group = |text: &[u8]| std::str::from_utf8(text).ok().and_then(variants::group);
    group(a).is_some_and(|of_a| group(b) == Some(of_a))
}

/// One is the other without its inner vowels.
fn vowels_dropped(a: &[u8], b: &[u8]) -> bool {
    let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
    if short.len() < 2 || short.len() == long.len() || short[0] != long[0] {
        return false;
    }
    let inner_vowels = short[1..short.len() - 1].iter().filter(|letter| **letter != b'y' && is_vowel(**letter)).count();
    let mut rest = short.iter().peekable();
    let all_else_is_vowel = long.iter().all(|letter| rest.next_if_eq(&letter).is_some() || is_vowel(*letter));
    inner_vowels == 0 && all_else_is_vowel && rest.peek().is_none()
}

/// Whether the tokens have a key of the index in common: the same consonants, or one letter away.
pub(crate) fn meet(a: &[u8], b: &[u8]) -> bool {
    let (bones_a, bones_b) = (skeleton(a), skeleton(b));
    *bones_a == *bones_b
        || (a.len().min(b.len()) >= SHORTEST_MISSPELT && one_away(&simple(a), &simple(b)))
        || (bones_a.len() >= LONG_SKELETON && bones_b.len() >= LONG_SKELETON && one_away(&bones_a, &bones_b))
}

/// Skeletons from this length on have keys with one letter left out.
pub(crate) const LONG_SKELETON: usize = 4;

/// Shorter tokens have no keys with one letter left out.
pub(crate) const SHORTEST_MISSPELT: usize = 3;

/// Equal after leaving out at most one letter of each.
fn one_away(a: &[u8], b: &[u8]) -> bool {
    let prefix = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let (a, b) = (&a[prefix..], &b[prefix..]);
    let suffix = a.iter().rev().zip(b.iter().rev()).take_while(|(x, y)| x == y).count();
    let (a, b) = (&a[..a.len() - suffix], &b[..b.len() - suffix]);
    match (a.len(), b.len()) {
        (0 | 1, 0 | 1) => true,
        (x, y) if x == y => a[1..] == b[..y - 1] || a[..x - 1] == b[1..],
        _ => false,
    }
}

/// Says in one word what happened to a token.
pub(crate) fn change(a: &[u8], b: &[u8]) -> Change {
    let mut letters = [a.to_vec(), b.to_vec()];
    letters.iter_mut().for_each(|letters| letters.sort_unstable());
    match () {
        () if a == b => Change::Same,
        () if is_variant(a, b) => Change::Variant,
        () if vowels_dropped(a, b) => Change::VowelsDropped,
        () if letters[0] == letters[1] => Change::Transposed,
        () if a.iter().chain(b).any(u8::is_ascii_digit)
            || distance(a, b, false, 30).is_some()
                && a.len() != b.len()
                && *folded(a) == *folded(b)
                && has_merged(a, b) =>
        {
            Change::LookAlike
        }
        () if *folded(a) == *folded(b) || *skeleton(a) == *skeleton(b) => Change::Spelling,
        () => Change::Edited,
    }
}

fn has_merged(a: &[u8], b: &[u8]) -> bool {
    let count = |text: &[u8]| text.windows(2).filter(|two| matches!(two, [b'r', b'n'] | [b'c', b'l'])).count();
    count(a) != count(b)
}
