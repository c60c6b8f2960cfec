//! The recorded examples as requests to send: what the Postman collection and the `.http` file are made from.

use super::json::Json;

/// What the examples have in place of a client's own id and password.
const STAND_INS: [(&str, &str); 2] =
    [("6f0c2a52-8d0b-4c53-9a0e-0b1d2f3a4c5d", "client_id"), ("your-password", "password")];
const IDEMPOTENCY_KEY: &str = "idempotency-key";
const API_KEY: &str = "x-api-key";

/// What the requests of a file take from their reader.
pub(super) const VARIABLES: [(&str, &str); 5] =
    [("base_url", "http://localhost:8080"), ("client_id", ""), ("password", ""), ("api_key", ""), ("token", "")];

/// A request with variables in double braces.
pub(super) struct Request<'a> {
    /// The tag of its operation.
    pub(super) tag: &'a str,
    /// The id of its operation.
    pub(super) id: &'a str,
    /// What it shows.
    pub(super) title: String,
    pub(super) description: &'a str,
    pub(super) method: String,
    /// Path with variables.
    pub(super) path: String,
    pub(super) query: Vec<(&'a str, String)>,
    pub(super) headers: Vec<(&'a str, String)>,
    pub(super) needs_token: bool,
    pub(super) body: Option<String>,
    /// What later requests take from the answer: a variable, and the keys that lead to its value.
    pub(super) saves: Vec<(String, Vec<String>)>,
}

/// The requests of a document: one for each example of a body, in its order but for those that delete what others need, which come
/// last. `key` is a new idempotency key.
pub(super) fn requests<'a>(document: &'a Json, key: &str) -> Vec<Request<'a>> {
    let paths = document.get("paths").map(Json::members).unwrap_or_default();
    let operations =
        paths.iter().flat_map(|(path, item)| item.members().iter().map(move |(verb, of)| (path, verb, of)));
    // A file is none of the examples.
    let is_json = |operation: &Json| {
        operation
            .get("requestBody")
            .is_none_or(|body| body.get("content").is_some_and(|of| of.get("application/json").is_some()))
    };
    let operations = operations.filter(|(_, _, operation)| is_json(operation));
    let mut requests: Vec<_> =
        operations.flat_map(|(path, verb, operation)| of_operation(path, verb, operation, key)).collect();
    requests.sort_by_key(|request| request.method == "DELETE");
    requests
}

fn of_operation<'a>(path: &str, verb: &str, operation: &'a Json, key: &str) -> Vec<Request<'a>> {
    let content = operation.get("requestBody").and_then(|body| body.get("content")?.get("application/json"));
    let examples = content.and_then(|content| content.get("examples")).map(Json::members).unwrap_or_default();
    let summary = operation.text("summary");
    let request = |title: String, body: Option<&Json>| Request {
        tag: operation.get("tags").and_then(|tags| tags.items().first()?.as_str()).unwrap_or_default(),
        id: operation.text("operationId"),
        title,
        description: operation.text("description"),
        method: verb.to_uppercase(),
        path: with_variables(path),
        query: parameters(operation, "query").collect(),
        headers: headers(operation, key),
        needs_token: security(operation).is_none_or(|schemes| names(schemes, "bearerAuth")),
        body: body.map(body_text),
        saves: saves(operation),
    };
    if examples.is_empty() {
        let body = content.and_then(|content| content.get("example"));
        return vec![request(summary.to_owned(), body)];
    }
    let title = |example: &Json| format!("{summary}: {}", example.text("summary"));
    examples.iter().map(|(_, example)| request(title(example), example.get("value"))).collect()
}

/// `/v1/users/{user_id}` with `{{user_id}}`.
fn with_variables(path: &str) -> String {
    path.replace('{', "{{").replace('}', "}}")
}

/// The variables that paths have and no answer gives: empty until their reader fills them.
pub(super) fn path_variables(requests: &[Request<'_>]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for request in requests {
        for part in request.path.split("{{").skip(1) {
            let name = part.split("}}").next().unwrap_or_default().to_owned();
            if !found.contains(&name) {
                found.push(name);
            }
        }
    }
    found
}

/// The parameters of one place that an example has a value for.
fn parameters<'a>(operation: &'a Json, place: &'a str) -> impl Iterator<Item = (&'a str, String)> {
    let all = operation.get("parameters").map(Json::items).unwrap_or_default().iter();
    let here = all.filter(move |parameter| parameter.text("in") == place);
    here.filter_map(|parameter| {
        let value = match parameter.get("example")? {
            Json::String(text) => text.clone(),
            other => other.pretty().trim().to_owned(),
        };
        let name = parameter.text("name");
        // An id of the examples is known to no service.
        let value = if name.ends_with("_id") { format!("{{{{{name}}}}}") } else { value };
        Some((name, value))
    })
}

fn headers<'a>(operation: &'a Json, key: &str) -> Vec<(&'a str, String)> {
    let mut headers = Vec::new();
    if security(operation).is_none_or(|schemes| names(schemes, "apiKey")) {
        headers.push((API_KEY, "{{api_key}}".to_owned()));
    }
    let all = operation.get("parameters").map(Json::items).unwrap_or_default();
    if all.iter().any(|parameter| parameter.text("name") == IDEMPOTENCY_KEY) {
        headers.push((IDEMPOTENCY_KEY, key.to_owned()));
    }
    headers
}

fn security(operation: &Json) -> Option<&Json> {
    operation.get("security")
}

fn names(schemes: &Json, name: &str) -> bool {
    schemes.items().iter().any(|scheme| scheme.get(name).is_some())
}

fn body_text(body: &Json) -> String {
    let text = body.pretty().trim_end().to_owned();
    STAND_INS.iter().fold(text, |text, (stand_in, variable)| text.replace(stand_in, &format!("{{{{{variable}}}}}")))
}

/// From the links of the answers, and the token from that of its call.
fn saves(operation: &Json) -> Vec<(String, Vec<String>)> {
    let mut saves: Vec<(String, Vec<String>)> = Vec::new();
    if operation.text("operationId") == "createToken" {
        saves.push(("token".to_owned(), ["data", "access_token"].map(str::to_owned).to_vec()));
    }
    let responses = operation.get("responses").map(Json::members).unwrap_or_default().iter();
    let links = responses.filter_map(|(_, response)| response.get("links")).flat_map(Json::members);
    for (name, value) in links.filter_map(|(_, link)| link.get("parameters")).flat_map(Json::members) {
        let Some(pointer) = value.as_str().and_then(|value| value.strip_prefix("$response.body#/")) else { continue };
        let save = (name.clone(), pointer.split('/').map(str::to_owned).collect());
        if !saves.contains(&save) {
            saves.push(save);
        }
    }
    saves
}
