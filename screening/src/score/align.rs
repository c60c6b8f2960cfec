//! Which tokens of two names belong together.

use super::model::Features;
use crate::name::similarity::{self, Change};
use crate::name::{Class, MAX_TOKEN, Name, Token, skeleton};

/// Tokens of both names that belong together.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Aligned {
    /// First token of the query and how many.
    pub query: (usize, usize),
    /// First token of the listed name and how many.
    pub listed: (usize, usize),
    /// From 0 to 1.
    pub similarity: f32,
    /// What turns one into the other.
    pub change: Change,
}

/// The best found assignment of tokens to tokens.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct Alignment {
    /// In the order of the query.
    pub pairs: Vec<Aligned>,
    /// Tokens of the query without a partner.
    pub query_rest: Vec<usize>,
    /// Tokens of the listed name without a partner.
    pub listed_rest: Vec<usize>,
}

/// Words of up to three tokens may be written together in the other name.
const MOST_JOINED: usize = 3;

/// Words written together are hardly changed besides.
const LEAST_JOINED: f32 = 0.75;

struct Candidate {
    pair: Aligned,
    gain: f32,
}

/// Aligns two names.
#[must_use]
pub fn align(query: &Name, listed: &Name) -> Alignment {
    align_with(query, listed, |q, n| {
        let (a, b) = (&query.tokens[q].text, &listed.tokens[n].text);
        similarity::similarity(a.as_bytes(), b.as_bytes(), query.lax || listed.lax)
    })
}

/// Aligns with known similarities of single words, by their positions.
pub(crate) fn align_with(query: &Name, listed: &Name, similar: impl Fn(usize, usize) -> f32) -> Alignment {
    let mut candidates = Vec::with_capacity(query.tokens.len() * 2);
    for q in 0..query.tokens.len() {
        for n in 0..listed.tokens.len() {
            candidates.extend(single(query, listed, q, n, &similar));
        }
    }
    joined(query, listed, &mut candidates);
    choose(candidates, query, listed)
}

fn single(query: &Name, listed: &Name, q: usize, n: usize, similar: impl Fn(usize, usize) -> f32) -> Option<Candidate> {
    let (a, b) = (&query.tokens[q], &listed.tokens[n]);
    let (similarity, change) = match initial(a, b).or_else(|| cut(query, q, b)) {
        Some(found) => found,
        None if a.class == Class::Initial || b.class == Class::Initial || is_slight(a) || is_slight(b) => {
            (f32::from(u8::from(a.text == b.text)), Change::Same)
        }
        None => (similar(q, n), Change::Edited),
    };
    let weight = if is_slight(a) || is_slight(b) { a.weight.min(b.weight) } else { a.weight.max(b.weight) };
    let gain = similarity * similarity * weight;
    let pair = Aligned { query: (q, 1), listed: (n, 1), similarity, change };
    (gain > 0.0).then_some(Candidate { pair, gain })
}

fn initial(a: &Token, b: &Token) -> Option<(f32, Change)> {
    let either = a.class == Class::Initial || b.class == Class::Initial;
    let names = [a, b]
        .iter()
        .all(|token| matches!(token.class, Class::Word | Class::Patronymic | Class::Particle | Class::Initial));
    let same = a.text.as_bytes().first() == b.text.as_bytes().first();
    (either && names && same && a.text.len() != b.text.len()).then_some((0.9, Change::Initial))
}

/// The last token of a long query may have lost its end.
fn cut(query: &Name, q: usize, listed: &Token) -> Option<(f32, Change)> {
    let token = &query.tokens[q];
    let is_prefix = listed.text.len() > token.text.len() && listed.text.starts_with(&*token.text);
    (query.cut == Some(q) && is_prefix && !is_slight(token) && !is_slight(listed)).then_some((0.9, Change::Cut))
}

/// Particles, titles and company forms meet only as the same word, and weigh what the lighter one weighs.
pub(crate) const fn is_slight(token: &Token) -> bool {
    matches!(token.class, Class::Particle | Class::Title | Class::Form)
}

fn joined(query: &Name, listed: &Name, candidates: &mut Vec<Candidate>) {
    for (start, count) in runs(query).filter(|run| may_be_one(query, *run, listed)) {
        let text = written_together(query, (start, count));
        let bones = skeleton(text.as_bytes());
        for (n, token) in listed.tokens.iter().enumerate() {
            let pair = ((start, count), (n, 1));
            candidates.extend(join(query, listed, pair, (&text, &token.text), &bones));
        }
    }
    for (start, count) in runs(listed).filter(|run| may_be_one(listed, *run, query)) {
        let text = written_together(listed, (start, count));
        let bones = skeleton(text.as_bytes());
        for (q, token) in query.tokens.iter().enumerate() {
            let pair = ((q, 1), (start, count));
            candidates.extend(join(query, listed, pair, (&text, &token.text), &bones));
        }
    }
}

fn runs(name: &Name) -> impl Iterator<Item = (usize, usize)> {
    let length = name.tokens.len();
    (0..length).flat_map(move |start| (2..=MOST_JOINED.min(length - start)).map(move |count| (start, count)))
}

fn written_together(name: &Name, (start, count): (usize, usize)) -> String {
    name.tokens[start..start + count].iter().map(|token| &*token.text).collect()
}

/// Some word of the other name has about the length of the run and its first letter.
fn may_be_one(name: &Name, (start, count): (usize, usize), other: &Name) -> bool {
    let length: usize = name.tokens[start..start + count].iter().map(|token| token.text.len()).sum();
    length <= MAX_TOKEN && other.tokens.iter().any(|word| is_about(&word.text, length, &name.tokens[start].text))
}

fn is_about(word: &str, length: usize, first: &str) -> bool {
    let letter = |text: &str| text.bytes().next().map(|letter| if b"aeiou".contains(&letter) { b'a' } else { letter });
    can_be_joined(word) && word.len() + 3 >= length && letter(word) == letter(first)
}

/// All runs of two and three tokens, written together.
pub(crate) fn joins(name: &Name) -> impl Iterator<Item = (usize, usize, String)> {
    let texts = runs(name).map(|(start, count)| (start, count, written_together(name, (start, count))));
    texts.filter(|(.., text)| text.len() <= MAX_TOKEN)
}

/// Short words look like too many runs of words.
pub(crate) const fn can_be_joined(text: &str) -> bool {
    text.len() >= 5
}

type Spans = ((usize, usize), (usize, usize));

fn join(query: &Name, listed: &Name, spans: Spans, texts: (&str, &str), bones: &[u8]) -> Option<Candidate> {
    // Tokens shorter than the pieces together cannot be them; the comparison of skeletons is what the index has keys for.
    let single = if spans.0.1 == 1 { &query.tokens[spans.0.0] } else { &listed.tokens[spans.1.0] };
    if is_slight(single) || !is_about(texts.1, texts.0.len(), texts.0) || *skeleton(texts.1.as_bytes()) != *bones {
        return None;
    }
    let lax = query.lax || listed.lax;
    let similarity = 0.99 * similarity::similarity(texts.0.as_bytes(), texts.1.as_bytes(), lax);
    // A letter on its own is an initial unless it completes the word exactly.
    let least = if has_initial(query, spans.0) || has_initial(listed, spans.1) { 0.98 } else { LEAST_JOINED };
    let gain = similarity * similarity * span_weight(query, spans.0).max(span_weight(listed, spans.1));
    let pair = Aligned { query: spans.0, listed: spans.1, similarity, change: Change::Joined };
    (similarity >= least).then_some(Candidate { pair, gain })
}

fn has_initial(name: &Name, (start, count): (usize, usize)) -> bool {
    count > 1 && name.tokens[start..start + count].iter().any(|token| token.class == Class::Initial)
}

fn span_weight(name: &Name, (start, count): (usize, usize)) -> f32 {
    name.tokens[start..start + count].iter().map(|token| token.weight).sum()
}

fn choose(mut candidates: Vec<Candidate>, query: &Name, listed: &Name) -> Alignment {
    candidates.sort_by(|a, b| b.gain.total_cmp(&a.gain).then_with(|| key(&a.pair).cmp(&key(&b.pair))));
    let (mut used_q, mut used_n) = (0u32, 0u32);
    let mut pairs = Vec::new();
    for Candidate { pair, .. } in candidates {
        let (mask_q, mask_n) = (mask(pair.query), mask(pair.listed));
        if used_q & mask_q == 0 && used_n & mask_n == 0 {
            used_q |= mask_q;
            used_n |= mask_n;
            pairs.push(pair);
        }
    }
    pairs.sort_by_key(|pair| pair.query);
    let rest = |count: usize, used: u32| (0..count).filter(|at| used & (1 << at) == 0).collect();
    Alignment { pairs, query_rest: rest(query.tokens.len(), used_q), listed_rest: rest(listed.tokens.len(), used_n) }
}

/// Equal gains: neighbours first.
fn key(pair: &Aligned) -> (usize, usize, usize) {
    (pair.query.0.abs_diff(pair.listed.0), pair.query.0, pair.listed.0)
}

const fn mask((start, count): (usize, usize)) -> u32 {
    ((1 << count) - 1) << start
}

impl Alignment {
    /// Some pair is of words and not only of particles, titles or company forms. Names without one are not alike, however
    /// little they have.
    #[must_use]
    pub fn is_telling(&self, query: &Name, listed: &Name) -> bool {
        self.pairs.iter().any(|pair| {
            let (a, b) = (&query.tokens[pair.query.0], &listed.tokens[pair.listed.0]);
            matches!(pair.change, Change::Initial | Change::Joined) || !(is_slight(a) || is_slight(b))
        })
    }

    /// What the score is made of.
    #[must_use]
    pub fn features(&self, query: &Name, listed: &Name) -> Features {
        let mut sums = Features::default();
        let (mut of_query, mut of_listed) = (0.0, 0.0);
        for pair in &self.pairs {
            let (a, b) = pair_weights(pair, query, listed);
            sums.matched += pair.similarity * a.min(b);
            of_query += a;
            of_listed += b;
            sums.initials += f32::from(u8::from(matches!(pair.change, Change::Initial | Change::Cut)));
        }
        let rest = |name: &Name, at: &[usize]| at.iter().map(|at| name.tokens[*at].weight).sum::<f32>();
        of_query += rest(query, &self.query_rest);
        of_listed += rest(listed, &self.listed_rest);
        sums.conflict = (of_query.min(of_listed) - sums.matched).max(0.0);
        sums.missing = (of_query - of_listed).abs();
        sums.reordered = f32::from(u8::from(!self.pairs.is_sorted_by_key(|pair| pair.listed.0)));
        sums.rewritten = f32::from(u8::from(query.as_written != listed.as_written));
        sums.native = f32::from(u8::from(native_differs(query, listed)));
        sums
    }

    /// Names the change of each pair; left out while only the score is asked for.
    pub(crate) fn explained(mut self, query: &Name, listed: &Name) -> Self {
        for pair in self.pairs.iter_mut().filter(|pair| pair.change == Change::Edited) {
            let (a, b) = (&query.tokens[pair.query.0].text, &listed.tokens[pair.listed.0].text);
            pair.change = similarity::change(a.as_bytes(), b.as_bytes());
        }
        self
    }
}

/// What the two sides of a pair weigh: the same, unless one is slight. An initial and a cut word stand for the whole; words written together weigh what
/// the whole does.
fn pair_weights(pair: &Aligned, query: &Name, listed: &Name) -> (f32, f32) {
    let (a, b) = (span_weight(query, pair.query), span_weight(listed, pair.listed));
    match pair.change {
        Change::Initial | Change::Cut => (a.min(b), a.min(b)),
        Change::Joined => (a.max(b), a.max(b)),
        _ if is_slight(&query.tokens[pair.query.0]) || is_slight(&listed.tokens[pair.listed.0]) => (a, b),
        _ => (a.max(b), a.max(b)),
    }
}

/// Both names are in syllables of the same kind, and the syllables differ.
fn native_differs(query: &Name, listed: &Name) -> bool {
    matches!((&query.native, &listed.native), (Some(a), Some(b)) if {
        let sorted = |text: &str| { let mut letters: Vec<char> = text.chars().collect(); letters.sort_unstable(); letters };
        let (a, b) = (sorted(a), sorted(b));
        a.len() == b.len() && a != b
    })
}
