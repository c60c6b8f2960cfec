//! The requests as a file for editors that send them, such as those of Visual Studio Code and JetBrains.

use super::json::Json;
use super::requests::{Request, VARIABLES, requests};

/// The editors' own name of a new UUID.
const KEY: &str = "{{$uuid}}";

/// The text of the file.
pub(super) fn text(document: &Json) -> String {
    let requests = requests(document, KEY);
    let mut text =
        "# Recorded examples of the REST API. Fill in the credentials, send the first request, then any other.\n\n"
            .to_owned();
    for (name, value) in VARIABLES.iter().filter(|(name, _)| *name != "token") {
        text.push_str(&format!("@{name} = {value}\n"));
    }
    let mut names: Vec<&str> = Vec::new();
    for request in &requests {
        let is_first = !names.contains(&request.id);
        names.push(request.id);
        push(&mut text, request, is_first);
        for (variable, keys) in request.saves.iter().filter(|_| is_first) {
            let path = keys.iter().fold(String::new(), |path, key| match key.parse::<usize>() {
                Ok(index) => format!("{path}[{index}]"),
                Err(_) => format!("{path}.{key}"),
            });
            text.push_str(&format!("\n@{variable} = {{{{{}.response.body.${path}}}}}\n", request.id));
        }
    }
    text
}

fn push(text: &mut String, request: &Request<'_>, is_first: bool) {
    text.push_str(&format!("\n### {}\n", request.title));
    if is_first {
        // Others refer to its answer by this name.
        text.push_str(&format!("# @name {}\n", request.id));
    }
    let query: Vec<String> = request.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mark = if query.is_empty() { "" } else { "?" };
    text.push_str(&format!("{} {{{{base_url}}}}{}{mark}{}\n", request.method, request.path, query.join("&")));
    if request.needs_token {
        text.push_str("authorization: Bearer {{token}}\n");
    }
    for (name, value) in &request.headers {
        text.push_str(&format!("{name}: {value}\n"));
    }
    if let Some(body) = &request.body {
        text.push_str(&format!("content-type: application/json\n\n{body}\n"));
    }
}
