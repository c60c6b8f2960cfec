//! Which names can reach the threshold at all.
//!
//! Three steps, each dearer for fewer names. First each token of the list that is like one of the query grants its names
//! the most that the pair can add. Then the same sum counts each token of a name once. Then the name is aligned with the
//! similarities that are known by now. No step leaves out a name that the last and exact comparison would take.

use super::{Index, NameRef, SLIGHT_UNIT, UNIT, keys};
use crate::name::{Class, Name, Token, as_written, similarity_from, skeleton, weight};
use crate::score::{Features, align_with, can_be_joined, is_slight, joins, logit};

/// Memory of one thread's searches, used again for the next.
#[derive(Debug, Default)]
pub struct Scratch {
    /// What each name was granted.
    grants: Vec<Grant>,
    touched: Vec<u32>,
    near: Vec<u32>,
    /// Names with words that are one word of the query, and how long that is.
    joined: Vec<(u32, usize)>,
    /// For each token of the dictionary its row of `pairs` and 1 more, or 0.
    rows: Vec<u32>,
    used_rows: Vec<u32>,
    /// For each row what each token or run of tokens of the query grants.
    pairs: Vec<Pair>,
    width: usize,
}

/// The most that alignments with a name can have.
#[derive(Clone, Copy, Debug, Default)]
struct Grant {
    /// Evidence in common, in thousandths.
    matched: u16,
    /// How far the two sides of the pairs differ in weight, in thousandths.
    uneven: u16,
}

#[derive(Clone, Copy, Debug, Default)]
struct Pair {
    similarity: f32,
    matched: f32,
    uneven: f32,
}

/// A name that can reach the threshold, and the most that it can score.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) name: u32,
    pub(super) most: f32,
}

impl Scratch {
    fn start(&mut self, names: usize, tokens: usize, width: usize) {
        self.grants.resize(names, Grant::default());
        self.rows.resize(tokens, 0);
        self.used_rows.drain(..).for_each(|token| self.rows[token as usize] = 0);
        self.touched.clear();
        self.joined.clear();
        self.pairs.clear();
        self.width = width;
    }

    fn pair(&mut self, token: u32, column: usize) -> &mut Pair {
        let row = &mut self.rows[token as usize];
        if *row == 0 {
            self.used_rows.push(token);
            *row = self.used_rows.len() as u32;
            self.pairs.resize(self.pairs.len() + self.width, Pair::default());
        }
        &mut self.pairs[(*row as usize - 1) * self.width + column]
    }

    fn row(&self, token: u32) -> &[Pair] {
        match self.rows[token as usize] as usize {
            0 => &[],
            row => &self.pairs[(row - 1) * self.width..row * self.width],
        }
    }

    fn grant(&mut self, index: &Index, token: u32, column: usize, matched: f32, uneven: f32) {
        let pair = self.pair(token, column);
        (pair.matched, pair.uneven) = (pair.matched.max(matched), pair.uneven.max(uneven));
        let (matched, uneven) = ((matched * UNIT).ceil() as u16 + 1, (uneven * UNIT).ceil() as u16);
        for name in index.dictionary.names(token) {
            let grant = &mut self.grants[*name as usize];
            if grant.matched == 0 {
                self.touched.push(*name);
            }
            grant.matched = grant.matched.saturating_add(matched);
            grant.uneven = grant.uneven.saturating_add(uneven);
        }
    }
}

impl Index {
    /// The names whose score can be at least `limit`, in log odds; the most promising first.
    pub(super) fn candidates(&self, query: &Name, limit: f32, scratch: &mut Scratch) -> Vec<Candidate> {
        let runs: Vec<(usize, usize, String)> = joins(query).collect();
        scratch.start(self.names.len(), self.dictionary.len() as usize, query.tokens.len() + runs.len());
        for (at, token) in query.tokens.iter().enumerate() {
            self.grant_similar(query, at, self.most_conflict(limit), scratch);
            self.grant_initials(token, at, scratch);
            if query.cut == Some(at) && !is_slight(token) {
                for found in self.dictionary.starting_with(&token.text) {
                    self.grant_whole(token, found, at, scratch);
                }
            }
        }
        self.grant_joined(query, &runs, scratch);
        self.choose(query, limit, scratch)
    }

    /// Two names with more evidence against them than this are below the limit. What a pair of tokens lacks is against them
    /// on both sides, so that no name above the limit has a pair that lacks more.
    fn most_conflict(&self, limit: f32) -> f32 {
        (limit - self.model.constant) / self.model.weights[0] + SLACK
    }

    fn grant_similar(&self, query: &Name, at: usize, conflict: f32, scratch: &mut Scratch) {
        let token = &query.tokens[at];
        if !keys::is_keyed(token.class) {
            return;
        }
        let mut near = std::mem::take(&mut scratch.near);
        self.dictionary.near(&token.text, &mut near);
        for found in &near {
            let listed = self.dictionary.get(*found);
            let other = weight(listed.text.len(), listed.class);
            let least = 1.0 - conflict / token.weight.max(other);
            let (ours, theirs) = (token.text.as_bytes(), listed.text.as_bytes());
            let similarity = similarity_from(least, ours, theirs, query.lax || listed.lax);
            if similarity > 0.0 {
                scratch.pair(*found, at).similarity = similarity;
                scratch.grant(self, *found, at, similarity * token.weight.max(other), (token.weight - other).abs());
            }
        }
        scratch.near = near;
    }

    /// One letter of the query stands for any word, and any word of the query for one letter of the list.
    fn grant_initials(&self, token: &Token, at: usize, scratch: &mut Scratch) {
        for found in self.dictionary.starting_with(&token.text[..1]) {
            let listed = self.dictionary.get(found);
            if token.class == Class::Initial || listed.class == Class::Initial {
                self.grant_whole(token, found, at, scratch);
            } else if listed.text.len() > 1 {
                break;
            }
        }
    }

    /// The lighter side of such a pair counts for both: the other one loses the difference.
    fn grant_whole(&self, token: &Token, found: u32, at: usize, scratch: &mut Scratch) {
        let listed = self.dictionary.get(found);
        let other = weight(listed.text.len(), listed.class);
        scratch.grant(self, found, at, token.weight.max(other), (token.weight - other).abs());
    }

    fn grant_joined(&self, query: &Name, runs: &[(usize, usize, String)], scratch: &mut Scratch) {
        for (number, (start, count, text)) in runs.iter().enumerate() {
            let together: f32 = query.tokens[*start..start + count].iter().map(|token| token.weight).sum();
            let bones = skeleton(text.as_bytes());
            for found in self.dictionary.of_skeleton(text) {
                let listed = self.dictionary.get(*found);
                if can_be_joined(listed.text) && *skeleton(listed.text.as_bytes()) == *bones {
                    let other = weight(listed.text.len(), listed.class);
                    let column = query.tokens.len() + number;
                    scratch.grant(self, *found, column, together.max(other), (together - other).abs());
                }
            }
        }
        for token in query.tokens.iter().filter(|token| can_be_joined(&token.text)) {
            let names = self.joined.get(keys::of_join(&token.text));
            scratch.joined.extend(names.iter().map(|name| (*name, token.text.len())));
        }
    }

    fn choose(&self, query: &Name, limit: f32, scratch: &mut Scratch) -> Vec<Candidate> {
        let slight: f32 = query.tokens.iter().filter(|token| is_slight(token)).map(|token| token.weight).sum();
        let bound = Bound { index: self, query, weight: query.weight(), slight, limit };
        let mut candidates: Vec<Candidate> = Vec::new();
        let joined = std::mem::take(&mut scratch.joined);
        for (name, length) in &joined {
            if bound.most(&self.names[*name as usize], bound.with_join(scratch, *name, *length)).is_some() {
                candidates.extend(bound.candidate(scratch, *name));
            }
        }
        scratch.joined = joined;
        let touched = std::mem::take(&mut scratch.touched);
        for name in &touched {
            let grant = std::mem::take(&mut scratch.grants[*name as usize]);
            let first = (f32::from(grant.matched) / UNIT, f32::from(grant.uneven) / UNIT);
            let entry = &self.names[*name as usize];
            if bound.most(entry, first).is_some() && bound.most(entry, bound.counted_once(scratch, *name)).is_some() {
                candidates.extend(bound.candidate(scratch, *name));
            }
        }
        scratch.touched = touched;
        candidates.sort_unstable_by(|a, b| b.most.total_cmp(&a.most).then(a.name.cmp(&b.name)));
        candidates
    }

    /// A listed name by its tokens, without the letters of its own script.
    fn rebuilt(&self, name: u32) -> Name {
        let mut lax = false;
        let tokens = self.dictionary.tokens(name).iter().map(|token| {
            let listed = self.dictionary.get(*token);
            lax |= listed.lax;
            Token::new(listed.text, listed.class)
        });
        let tokens = tokens.collect();
        Name {
            tokens,
            cut: None,
            lax,
            native: None,
            as_written: as_written(&self.text(&self.names[name as usize]).text),
        }
    }
}

struct Bound<'a> {
    index: &'a Index,
    query: &'a Name,
    weight: f32,
    slight: f32,
    limit: f32,
}

/// Rounding of what is kept in thousandths.
const SLACK: f32 = 0.004;

/// How much longer a run of words can be than the word that it is.
const LONGER: usize = 3;

impl Bound<'_> {
    /// The most log odds that a name can have with so much in common and so uneven pairs, if they reach the limit.
    fn most(&self, name: &NameRef, (matched, uneven): (f32, f32)) -> Option<f32> {
        let listed = f32::from(name.weight) / UNIT;
        // Slight tokens are granted to every name.
        let matched = matched + self.slight + f32::from(name.slight) / SLIGHT_UNIT + SLACK;
        let conflict = (self.weight.min(listed) - matched).max(0.0);
        let model = &self.index.model;
        // Cheap and rarely passed.
        if model.constant + model.weights[0] * conflict < self.limit {
            return None;
        }
        let missing = ((self.weight - listed).abs() - uneven - SLACK).max(0.0);
        let most = model.logit(&Features { matched, conflict, missing, ..Features::default() }) + SLACK;
        (most >= self.limit).then_some(most)
    }

    /// The grants of a name, of each of its tokens the largest only.
    fn counted_once(&self, scratch: &Scratch, name: u32) -> (f32, f32) {
        let (mut matched, mut uneven) = (0.0, 0.0);
        for token in self.index.dictionary.tokens(name) {
            let row = scratch.row(*token).iter();
            let (most, widest) = row.fold((0.0f32, 0.0f32), |(m, u), pair| (m.max(pair.matched), u.max(pair.uneven)));
            matched += most;
            uneven += widest;
        }
        (matched, uneven)
    }

    /// The same for a name some of whose words are one word of the query, of this length.
    fn with_join(&self, scratch: &Scratch, name: u32, length: usize) -> (f32, f32) {
        let (matched, uneven) = self.counted_once(scratch, name);
        // Three words of so many letters together, beside whatever they were granted one by one.
        let run = 1.2 + 0.1 * (length + LONGER) as f32;
        (matched + run, uneven + run)
    }

    fn candidate(&self, scratch: &Scratch, name: u32) -> Option<Candidate> {
        let most = self.aligned(scratch, name);
        (most >= self.limit).then_some(Candidate { name, most })
    }

    /// Log odds by the similarities that are known: those of a name above the limit are exact, but for what the letters of
    /// another script can take off.
    fn aligned(&self, scratch: &Scratch, name: u32) -> f32 {
        let listed = self.index.rebuilt(name);
        let tokens = self.index.dictionary.tokens(name);
        let similar = |q: usize, n: usize| scratch.row(tokens[n]).get(q).map_or(0.0, |pair| pair.similarity);
        let alignment = align_with(self.query, &listed, similar);
        logit(&self.index.model, &alignment, self.query, &listed)
    }
}

/// A listed name is kept in this many bytes.
const _: () = assert!(size_of::<NameRef>() == 12);
