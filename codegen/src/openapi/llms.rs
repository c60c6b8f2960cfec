//! The document in short, for language models: <https://llmstxt.org>.

use std::fmt::Write as _;

use super::json::Json;

/// The text of `llms.txt`.
pub(super) fn text(document: &Json) -> String {
    let nothing = Json::Null;
    let part = |name: &str| document.get(name).unwrap_or(&nothing);
    let info = part("info");
    let mut text = format!("# {}\n\n> {}\n\n{}\n", info.text("title"), info.text("summary"), info.text("description"));
    text.push_str("\n## Documents\n\n");
    text.push_str("- [OpenAPI 3.1, JSON](openapi.json): every call, schema, error and webhook\n");
    text.push_str("- [OpenAPI 3.1, YAML](openapi.yaml): the same\n");
    text.push_str("- [Reference for people](docs): the same as a page, with a form to try each call\n");
    for tag in part("tags").items() {
        let name = tag.text("name");
        line(&mut text, format_args!("\n## {name}\n\n{}\n", tag.text("description")));
        for (path, item) in part("paths").members() {
            for (verb, operation) in item.members() {
                let tags = operation.get("tags").map(Json::items).unwrap_or_default();
                if tags.iter().any(|tag| tag.as_str() == Some(name)) {
                    let (id, summary) = (
                        operation.text("operationId"),
                        operation.text("description").lines().next().unwrap_or_default(),
                    );
                    line(&mut text, format_args!("- `{} {path}` ({id}): {summary}", verb.to_uppercase()));
                }
            }
        }
    }
    text.push_str("\n## Webhooks\n\n");
    for (event, item) in part("webhooks").members() {
        let summary = item.get("post").map(|operation| operation.text("summary")).unwrap_or_default();
        line(&mut text, format_args!("- `{event}`: {summary}"));
    }
    text
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a String takes any text");
}
