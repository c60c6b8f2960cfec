//! What changed between two versions of a list.

use std::collections::BTreeMap;

use super::Entry;

/// Entries by their ids.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Difference {
    /// Only in the new version.
    pub added: Vec<String>,
    /// Only in the old version.
    pub removed: Vec<String>,
    /// In both, with another content; see [`Entry::content_hash`].
    pub changed: Vec<String>,
    /// In both, the same.
    pub unchanged: usize,
    /// Entries of the old version.
    pub before: usize,
    /// Entries of the new version.
    pub after: usize,
}

/// Compares two versions of one list. Order and place in the file make no difference.
#[must_use]
pub fn diff(old: &[Entry], new: &[Entry]) -> Difference {
    let mut known: BTreeMap<&str, String> = old.iter().map(|entry| (entry.id.as_str(), entry.content_hash())).collect();
    let mut found = Difference { before: old.len(), after: new.len(), ..Difference::default() };
    for entry in new {
        match known.remove(entry.id.as_str()) {
            None => found.added.push(entry.id.clone()),
            Some(hash) if hash == entry.content_hash() => found.unchanged += 1,
            Some(_) => found.changed.push(entry.id.clone()),
        }
    }
    found.removed = known.into_keys().map(str::to_owned).collect();
    found
}

impl Difference {
    /// The new version has lost half of the old one or more. Publishers do not do that; downloads that broke do.
    #[must_use]
    pub const fn shrank_by_half(&self) -> bool {
        self.removed.len() * 2 >= self.before && self.before > 1
    }
}
