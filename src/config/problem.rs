//! What is wrong with a configuration, all of it at once.

use std::fmt;

/// One thing that is wrong, at one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key as the operator wrote it: an environment name, or a path in the file.
    pub key: String,
    /// What is wrong with it and what is accepted; never the value of a secret.
    pub message: String,
}

impl Problem {
    pub(super) fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { key: key.into(), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.message)
    }
}

/// Every problem of a configuration; one line each when printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The problems: those of the file and the environment's names first, then values in the order of the settings.
    pub problems: Vec<Problem>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration is not valid")?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl std::error::Error for ConfigError {}

/// The one of `known` that `name` was probably meant to be, if any comes close.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|candidate| (edit_distance(name, candidate), candidate))
        .min()
        // Two letters swapped are two edits; further away than a third of the name is a different word.
        .filter(|(distance, _)| *distance <= (name.chars().count() / 3).max(2))
        .map(|(_, candidate)| candidate)
}

/// How many characters to insert, delete or replace to turn `a` into `b` (Levenshtein).
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::{edit_distance, nearest};

    #[test]
    fn the_edit_distance_counts_insertions_deletions_and_replacements() {
        assert_eq!(edit_distance("kitten", "sitting"), 3);
        assert_eq!(edit_distance("", "abc"), 3);
        assert_eq!(edit_distance("same", "same"), 0);
    }

    #[test]
    fn a_slip_of_the_finger_finds_the_name_that_was_meant() {
        let known = ["KIRA_HTTP_ADDR", "KIRA_GRPC_ADDR"];
        assert_eq!(nearest("KIRA_HTPP_ADR", known.into_iter()), Some("KIRA_HTTP_ADDR"));
    }

    #[test]
    fn a_different_word_finds_nothing() {
        assert_eq!(nearest("zebra", ["addr", "url"].into_iter()), None);
    }
}
