//! Turns what was given into typed values, and collects every problem on the way.

use std::fmt::Debug;

use super::problem::Problem;
use super::source::{Given, Source};
use super::table::SETTINGS;
use super::value::Value;

/// Hands out settings by their TOML path.
pub(super) struct Reader {
    source: Source,
    pub(super) problems: Vec<Problem>,
}

impl Reader {
    pub(super) fn new(mut source: Source) -> Self {
        let problems = std::mem::take(&mut source.problems);
        Self { source, problems }
    }

    /// The setting's value if it was given; a wrong one is noted and counts as not given.
    pub(super) fn optional<T: Value>(&mut self, path: &'static str) -> Option<T> {
        let Given { key, text } = self.source.values.get(path)?;
        match T::parse(text) {
            Ok(value) => Some(value),
            Err(problem) => {
                let shown = if is_secret(path) { String::new() } else { format!("{text:?} ") };
                self.problems.push(Problem::new(key, format!("{shown}{problem}; accepted: {}", T::ACCEPTED)));
                None
            }
        }
    }

    /// The setting's value, or its default from the table of settings.
    pub(super) fn required<T: Value>(&mut self, path: &'static str) -> T {
        self.optional(path).unwrap_or_else(|| {
            let default = SETTINGS.iter().find(|setting| setting.path == path).map_or("", |setting| setting.default);
            // Every path read with `required` has a default that parses; loading the empty configuration tests it.
            T::parse(default).unwrap_or_else(|problem| unreachable!("the default of {path} {problem}"))
        })
    }

    /// Like [`Reader::required`], within bounds.
    pub(super) fn bounded<T: Value + PartialOrd + Debug>(&mut self, path: &'static str, least: T, most: T) -> T {
        let value: T = self.required(path);
        if value < least || value > most {
            let problem = format!("{value:?} is out of range; accepted: {least:?} to {most:?}");
            self.refuse(path, problem);
        }
        value
    }

    /// Whether anything was given for the setting.
    pub(super) fn has(&self, path: &str) -> bool {
        self.source.values.contains_key(path)
    }

    /// Notes a problem at the key that gave the setting, or at its environment name.
    pub(super) fn refuse(&mut self, path: &'static str, message: impl Into<String>) {
        let key = self.key(path);
        self.problems.push(Problem::new(key, message));
    }

    /// The name by which the operator knows the setting.
    pub(super) fn key(&self, path: &'static str) -> String {
        let env = || SETTINGS.iter().find(|setting| setting.path == path).map_or(path, |setting| setting.env);
        self.source.values.get(path).map_or_else(|| env().to_owned(), |given| given.key.clone())
    }

    /// The list `[[products]]` of the file, if it has one.
    pub(super) fn take_products(&mut self) -> Option<toml::Value> {
        self.source.products.take()
    }
}

fn is_secret(path: &str) -> bool {
    SETTINGS.iter().any(|setting| setting.path == path && setting.secret)
}
