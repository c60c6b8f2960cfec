//! What the document has and the contract does not: prose, headers, schemas of rules that are functions, webhooks.

use std::path::Path;

use anyhow::{Context, Result};

use super::json::Json;

/// The files beside the contract: `base.json`, and `examples.json` with recorded calls.
pub(super) struct Base {
    base: Json,
    examples: Json,
}

impl Base {
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let file = |name: &str| {
            let path = folder.join(name);
            let text = std::fs::read(&path).with_context(|| path.display().to_string())?;
            serde_json::from_slice::<Json>(&text).with_context(|| path.display().to_string())
        };
        Ok(Self { base: file("base.json")?, examples: file("examples.json")? })
    }

    /// A part of the document.
    pub(super) fn part(&self, name: &str) -> Result<&Json> {
        self.base.get(name).with_context(|| format!("base.json has no `{name}`"))
    }

    fn in_part(&self, part: &str, name: &str) -> Option<&Json> {
        self.base.get(part).and_then(|part| part.get(name))
    }

    /// The JSON Schema of a rule that is a function, by its name; an empty object where there can be none.
    pub(super) fn rule(&self, name: &str) -> Option<&Json> {
        self.in_part("rules", name)
    }

    /// The message whose rules judge what a change leads to.
    pub(super) fn changes_of(&self, message: &str) -> Option<&str> {
        self.in_part("changes", message).and_then(Json::as_str)
    }

    /// The schema and an example of a body that the contract has as bytes.
    pub(super) fn raw_body(&self, method: &str) -> Option<&Json> {
        self.in_part("bodies", method)
    }

    /// What other operations take of the answer of a method.
    pub(super) fn links(&self, method: &str) -> impl Iterator<Item = &Json> {
        let links = self.base.get("links").map(Json::items).unwrap_or_default();
        links.iter().filter(move |link| link.text("from") == method)
    }

    /// The recorded calls of a method.
    pub(super) fn examples(&self, method: &str) -> impl Iterator<Item = &Json> {
        self.examples.items().iter().filter(move |example| example.text("operation") == method)
    }
}
