//! Screening: candidates, exact scores, facts, explanations.

use super::retrieval::{Candidate, Scratch};
use super::{Index, NameRef};
use crate::list::{Entry, NameKind};
use crate::name::{Change, Kind, Name};
use crate::score::{Alignment, Fact, Facts, Features, Model, align, compare, logit};

/// Who is screened.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// The name and its aliases, as written.
    pub names: Vec<String>,
    /// What else is known.
    pub facts: Facts,
}

impl Query {
    /// A query by one name.
    #[must_use]
    pub fn by_name(name: &str, kind: Kind) -> Self {
        Self { names: vec![name.to_owned()], facts: Facts { kind, ..Facts::default() } }
    }
}

/// An entry that may be the one who is screened, and why.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Match {
    /// The probability that a reviewer says so, between 0 and 1, both excluded.
    pub score: f32,
    /// The entry, with its list, programmes and place.
    pub entry: Entry,
    /// The entry's position in the index.
    pub position: usize,
    /// The names that are alike; none if only a document's number is the same.
    pub name: Option<NameMatch>,
    /// What else agrees or differs.
    pub facts: Vec<Fact>,
}

/// Two names that are alike, and how.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct NameMatch {
    /// As the query has it.
    pub query: String,
    /// As the list has it.
    pub listed: String,
    /// What the listed name is.
    pub kind: NameKind,
    /// The score of the names alone.
    pub score: f32,
    /// Word by word.
    pub tokens: Vec<MatchedToken>,
    /// Words of the query without a partner.
    pub query_rest: Vec<String>,
    /// Words of the listed name without a partner.
    pub listed_rest: Vec<String>,
    /// The sums that the score is made of.
    pub features: Features,
}

/// Words that belong together.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct MatchedToken {
    /// In ASCII, as compared.
    pub query: String,
    /// In ASCII, as compared.
    pub listed: String,
    /// What turns one into the other.
    pub change: Change,
    /// From 0 to 1.
    pub similarity: f32,
}

/// A name of the list that is like one of the query.
struct Found {
    logit: f32,
    query: usize,
    name: u32,
}

impl Index {
    /// The entries whose score is at least `threshold`, the most likely first.
    #[must_use]
    pub fn screen(&self, query: &Query, threshold: f32, scratch: &mut Scratch) -> Vec<Match> {
        let limit = Model::logit_of(threshold) - query.facts.most();
        let mut best = Best::default();
        for (position, name) in parsed(query).enumerate() {
            let candidates = self.candidates(&name, limit, scratch);
            self.compare_all(position, &name, &candidates, limit, &mut best);
        }
        self.finish(query, threshold, best)
    }

    /// The same by comparing every name: slow, and the measure of [`screen`](Self::screen).
    #[must_use]
    pub fn screen_exhaustively(&self, query: &Query, threshold: f32) -> Vec<Match> {
        let limit = Model::logit_of(threshold) - query.facts.most();
        let all: Vec<Candidate> = (0..self.names.len() as u32).map(|name| Candidate { name, most: f32::MAX }).collect();
        let mut best = Best::default();
        for (position, name) in parsed(query).enumerate() {
            self.compare_all(position, &name, &all, limit, &mut best);
        }
        self.finish(query, threshold, best)
    }

    fn compare_all(&self, position: usize, query: &Name, candidates: &[Candidate], limit: f32, best: &mut Best) {
        for candidate in candidates {
            let name = &self.names[candidate.name as usize];
            if best.0.get(&name.entry).is_some_and(|found| found.logit >= candidate.most) {
                continue;
            }
            let logit = self.logit(query, name);
            if logit >= limit {
                best.offer(name.entry, Found { logit, query: position, name: candidate.name });
            }
        }
    }

    fn logit(&self, query: &Name, name: &NameRef) -> f32 {
        let listed = self.name(name);
        logit(&self.model, &align(query, &listed), query, &listed)
    }

    fn finish(&self, query: &Query, threshold: f32, mut best: Best) -> Vec<Match> {
        self.add_documents(query, &mut best);
        let matches = best.0.into_iter().filter_map(|(entry, found)| self.explain(query, entry, &found));
        let mut matches: Vec<Match> = matches.filter(|found| found.score >= threshold).collect();
        matches.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.position.cmp(&b.position)));
        matches
    }

    /// Entries with a document's number of the query are compared whatever their names.
    fn add_documents(&self, query: &Query, best: &mut Best) {
        for number in &query.facts.documents {
            let bare = crate::list::bare_number(number);
            for entry in self.documents.get(super::buckets::key(0, bare.as_bytes())) {
                best.0.entry(*entry).or_insert(Found { logit: WITHOUT_NAME, query: 0, name: u32::MAX });
            }
        }
    }

    fn explain(&self, query: &Query, position: u32, found: &Found) -> Option<Match> {
        let entry = self.entry(position as usize)?;
        let facts = compare(&query.facts, &entry);
        let score = self.model.probability(found.logit + facts.iter().map(|fact| fact.weight).sum::<f32>());
        let name = self.names.get(found.name as usize).map(|name| self.explain_name(query, found, name));
        Some(Match { score, entry, position: position as usize, name, facts })
    }

    fn explain_name(&self, query: &Query, found: &Found, name: &NameRef) -> NameMatch {
        let (text, listed) = (self.text(name), self.name(name));
        let ours = Name::parse(&query.names[found.query], query.facts.kind);
        let alignment = align(&ours, &listed).explained(&ours, &listed);
        NameMatch {
            query: query.names[found.query].clone(),
            listed: text.text,
            kind: text.kind,
            score: self.model.probability(found.logit),
            tokens: tokens(&alignment, &ours, &listed),
            query_rest: alignment.query_rest.iter().map(|at| ours.tokens[*at].text.to_string()).collect(),
            listed_rest: alignment.listed_rest.iter().map(|at| listed.tokens[*at].text.to_string()).collect(),
            features: alignment.features(&ours, &listed),
        }
    }
}

/// Log odds of parties whose names are not alike: the same document's number alone makes a match.
const WITHOUT_NAME: f32 = -5.0;

/// The best name of each entry.
#[derive(Default)]
struct Best(std::collections::BTreeMap<u32, Found>);

impl Best {
    fn offer(&mut self, entry: u32, found: Found) {
        if self.0.get(&entry).is_none_or(|other| found.logit > other.logit) {
            self.0.insert(entry, found);
        }
    }
}

fn parsed(query: &Query) -> impl Iterator<Item = Name> {
    query.names.iter().map(|text| Name::parse(text, query.facts.kind))
}

fn tokens(alignment: &Alignment, query: &Name, listed: &Name) -> Vec<MatchedToken> {
    let words = |name: &Name, (start, count): (usize, usize)| {
        let words: Vec<&str> = name.tokens[start..start + count].iter().map(|token| &*token.text).collect();
        words.join(" ")
    };
    let matched = alignment.pairs.iter().map(|pair| MatchedToken {
        query: words(query, pair.query),
        listed: words(listed, pair.listed),
        change: pair.change,
        similarity: pair.similarity,
    });
    matched.collect()
}
