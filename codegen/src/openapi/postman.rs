//! The requests as a Postman collection, format 2.1.

use super::json::{Json, Object, object};
use super::requests::{Request, VARIABLES, path_variables, requests};

const SCHEMA: &str = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json";
/// Postman's own name of a new UUID.
const KEY: &str = "{{$guid}}";

/// The collection of a document: a folder for each tag.
pub(super) fn collection(document: &Json) -> Json {
    let nothing = Json::Null;
    let info = document.get("info").unwrap_or(&nothing);
    let requests = requests(document, KEY);
    let tags = document.get("tags").map(Json::items).unwrap_or_default();
    let folders = tags.iter().map(|tag| folder(tag, &requests)).collect::<Vec<_>>();
    let fixed = VARIABLES.iter().map(|(key, value)| variable(key, value));
    let variables: Vec<Json> = fixed.chain(path_variables(&requests).iter().map(|name| variable(name, ""))).collect();
    object([
        (
            "info",
            object([
                ("name", info.text("title").into()),
                ("description", info.text("description").into()),
                ("schema", SCHEMA.into()),
            ]),
        ),
        ("auth", bearer()),
        ("variable", variables.into()),
        ("item", folders.into()),
    ])
}

fn variable(key: &str, value: &str) -> Json {
    object([("key", key.into()), ("value", value.into()), ("type", "string".into())])
}

fn bearer() -> Json {
    object([("type", "bearer".into()), ("bearer", vec![variable("token", "{{token}}")].into())])
}

fn folder(tag: &Json, requests: &[Request<'_>]) -> Json {
    let name = tag.text("name");
    let items: Vec<Json> = requests.iter().filter(|request| request.tag == name).map(item).collect();
    object([("name", name.into()), ("description", tag.text("description").into()), ("item", items.into())])
}

fn item(request: &Request<'_>) -> Json {
    let mut item = Object::default();
    item.set("name", request.title.as_str());
    if !request.saves.is_empty() {
        item.set("event", vec![script(request)]);
    }
    item.set("request", sent(request));
    item.set("response", Json::Array(Vec::new()));
    item.into()
}

fn sent(request: &Request<'_>) -> Json {
    let mut sent = Object::default();
    if !request.needs_token {
        sent.set("auth", object([("type", "noauth".into())]));
    }
    sent.set("method", request.method.as_str());
    let header = |(key, value): (&str, &str)| object([("key", key.into()), ("value", value.into())]);
    let mut headers: Vec<Json> = request.headers.iter().map(|(key, value)| header((key, value))).collect();
    if let Some(body) = &request.body {
        headers.push(header(("content-type", "application/json")));
        let json = object([("raw", object([("language", "json".into())]))]);
        sent.set("body", object([("mode", "raw".into()), ("raw", body.as_str().into()), ("options", json)]));
    }
    sent.set("header", headers);
    sent.set("url", url(request));
    sent.set("description", request.description);
    sent.into()
}

fn url(request: &Request<'_>) -> Json {
    let query: Vec<String> = request.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mark = if query.is_empty() { "" } else { "?" };
    let path: Vec<&str> = request.path.trim_start_matches('/').split('/').collect();
    let mut url = Object::default();
    url.set("raw", format!("{{{{base_url}}}}{}{mark}{}", request.path, query.join("&")));
    url.set("host", vec!["{{base_url}}"]);
    url.set("path", path);
    if !query.is_empty() {
        let pair = |(key, value): &(&str, String)| object([("key", (*key).into()), ("value", value.as_str().into())]);
        url.set("query", request.query.iter().map(pair).collect::<Vec<_>>());
    }
    url.into()
}

/// Keeps what later requests need of a good answer.
fn script(request: &Request<'_>) -> Json {
    let mut lines = vec!["if (pm.response.code < 300) {".to_owned(), "  const answer = pm.response.json();".to_owned()];
    for (name, keys) in &request.saves {
        let value = keys.iter().fold("answer".to_owned(), |value, key| format!("{value}?.[{}]", index(key)));
        lines.push(format!("  if ({value} !== undefined) pm.collectionVariables.set(\"{name}\", {value});"));
    }
    lines.push("}".to_owned());
    let script = object([("type", "text/javascript".into()), ("exec", lines.into())]);
    object([("listen", "test".into()), ("script", script)])
}

/// A key of an object, or an index of a list.
fn index(key: &str) -> String {
    if key.parse::<usize>().is_ok() { key.to_owned() } else { format!("\"{key}\"") }
}
