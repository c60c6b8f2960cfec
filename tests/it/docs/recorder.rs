//! Calls of the service, written down as the examples of the document.

use std::collections::BTreeMap;

use reqwest::Method;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::harness::service::{Answer, Client};

/// A call and its answer, in the form of `proto/openapi/examples.json`.
#[derive(Serialize)]
struct Recorded {
    operation: &'static str,
    name: &'static str,
    summary: &'static str,
    parameters: BTreeMap<&'static str, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Box<RawValue>>,
    status: u16,
    response: Box<RawValue>,
}

/// All calls that were made, in their order.
#[derive(Default)]
pub(crate) struct Recorder {
    recorded: Vec<Recorded>,
    /// What differs from run to run, and its stand-in.
    stand_ins: Vec<(String, String)>,
    ids: usize,
}

impl Recorder {
    /// Shows `stand_in` in place of a value.
    pub(crate) fn hide(&mut self, value: &str, stand_in: &str) {
        self.stand_ins.push((value.to_owned(), stand_in.to_owned()));
    }

    /// Makes a call and writes it down. `call` is the operation, the example's name and what it shows; `route` the method
    /// and the template of the path. A parameter that is not in the path is a header if it is one of [`HEADERS`].
    pub(crate) async fn call(
        &mut self,
        client: &Client,
        call: [&'static str; 3],
        route: &str,
        parameters: &[(&'static str, &str)],
        body: Option<&str>,
    ) -> Value {
        let (method, template) = route.split_once(' ').expect("a method and a path");
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let (mut path, mut query, mut headers) = (template.to_owned(), Vec::new(), Vec::new());
        for (name, value) in parameters {
            let place = format!("{{{name}}}");
            match () {
                () if path.contains(&place) => path = path.replace(&place, value),
                () if HEADERS.contains(name) => headers.push((*name, *value)),
                () => query.push(format!("{name}={value}")),
            }
        }
        if !query.is_empty() {
            path.push('?');
            path.push_str(&query.join("&"));
        }
        let mut request = client.request(method, &path);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_owned());
        }
        let answer = Answer::of(request.send().await.expect("an answer")).await;
        self.note(call, parameters, body, &answer);
        answer.json()
    }

    /// Opens a stream with a parameter and a media type, and writes its first two items down, as the text that they are.
    pub(crate) async fn stream(
        &mut self,
        client: &Client,
        call: [&'static str; 3],
        path: &str,
        parameters: [(&'static str, &'static str); 2],
        end_of_item: &str,
    ) {
        let [(name, value), (accept, media_type)] = parameters;
        let request = client.request(Method::GET, &format!("{path}?{name}={value}")).header(accept, media_type);
        let mut response = request.send().await.expect("an answer");
        let mut text = String::new();
        while text.matches(end_of_item).count() < 2 {
            let chunk = response.chunk().await.expect("a stream").expect("another item");
            text.push_str(std::str::from_utf8(&chunk).expect("UTF-8"));
        }
        let items: String = text.split_inclusive(end_of_item).take(2).collect();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        self.note(call, &parameters, None, &Answer { status, headers, text: Value::from(items).to_string() });
    }

    /// Writes a call down that was made already.
    pub(crate) fn note(
        &mut self,
        call: [&'static str; 3],
        parameters: &[(&'static str, &str)],
        body: Option<&str>,
        answer: &Answer,
    ) {
        let [operation, name, summary] = call;
        assert!((200..300).contains(&answer.status), "{operation} {name}: {} {}", answer.status, answer.text);
        let parameters = parameters.iter().map(|(name, value)| (*name, self.parameter(value))).collect();
        let body = body.map(|body| raw(self.shown(body)));
        let response = raw(self.shown(&answer.text));
        let status = answer.status;
        self.recorded.push(Recorded { operation, name, summary, parameters, body, status, response });
    }

    fn parameter(&mut self, value: &str) -> Value {
        value.parse::<u64>().map_or_else(|_| self.shown(value).into(), Value::from)
    }

    /// A text without what differs from run to run.
    fn shown(&mut self, text: &str) -> String {
        let text = self.stand_ins.iter().fold(text.to_owned(), |text, (value, stand_in)| text.replace(value, stand_in));
        let mut out = String::new();
        let mut rest = text.as_str();
        while let Some(at) = (0..rest.len()).find(|at| rest.get(*at..).is_some_and(is_id)) {
            let (before, from) = rest.split_at(at);
            let (id, after) = from.split_at(36);
            out.push_str(before);
            out.push_str(&self.stand_in(id));
            rest = after;
        }
        out.push_str(rest);
        out
    }

    /// The stand-in of an id that the service made: those have version 7.
    fn stand_in(&mut self, id: &str) -> String {
        if let Some((_, known)) = self.stand_ins.iter().find(|(value, _)| value == id) {
            return known.clone();
        }
        self.ids += 1;
        // Of another version, so that it is not replaced again.
        let stand_in = format!("01a207a1-5638-4000-8000-{:012}", self.ids);
        self.hide(id, &stand_in);
        stand_in
    }

    /// The file of examples.
    pub(crate) fn into_file(self) -> String {
        let lines: Vec<_> = self.recorded.iter().map(|call| serde_json::to_string(call).expect("JSON")).collect();
        format!("[\n{}\n]\n", lines.join(",\n"))
    }
}

/// The parameters that are headers.
const HEADERS: [&str; 2] = ["idempotency-key", "if-match"];

/// Whether a text begins with a UUID of version 7.
fn is_id(text: &str) -> bool {
    text.get(..36).is_some_and(|id| id.as_bytes()[14] == b'7' && uuid::Uuid::try_parse(id).is_ok())
}

fn raw(text: String) -> Box<RawValue> {
    // Line breaks in JSON are between its tokens.
    let line = text.lines().map(str::trim).collect::<String>();
    RawValue::from_string(line).expect("JSON")
}
