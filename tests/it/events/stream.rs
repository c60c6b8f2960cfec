//! A stream of events over REST, read record by record.

use reqwest::Method;
use serde_json::Value;

use crate::harness::service::{Answer, Client};

/// What is read of the answer to a watch.
pub(crate) struct Records {
    response: reqwest::Response,
    separator: &'static str,
    text: String,
}

impl Records {
    /// Lines.
    pub(crate) async fn lines(client: &Client, query: &str) -> Self {
        Self { separator: "\n", ..Self::open(client, query, &[]).await.expect("a stream") }
    }

    /// Server-sent events.
    pub(crate) async fn events(client: &Client, query: &str, headers: &[(&str, &str)]) -> Self {
        let headers = [&[("accept", "text/event-stream")], headers].concat();
        Self { separator: "\n\n", ..Self::open(client, query, &headers).await.expect("a stream") }
    }

    /// Either, or the refusal.
    pub(crate) async fn open(client: &Client, query: &str, headers: &[(&str, &str)]) -> Result<Self, Answer> {
        let mut request = client.request(Method::GET, &format!("/v1/events:watch?{query}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.expect("an answer");
        if response.status() != 200 {
            return Err(Answer::of(response).await);
        }
        Ok(Self { response, separator: "\n", text: String::new() })
    }

    /// The next record; none at the end.
    pub(crate) async fn next(&mut self) -> Option<String> {
        loop {
            if let Some((record, rest)) = self.text.split_once(self.separator) {
                let (record, rest) = (record.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(record);
            }
            let chunk = self.response.chunk().await.expect("no break")?;
            self.text.push_str(std::str::from_utf8(&chunk).expect("a text"));
        }
    }

    /// The next line as JSON, past the empty ones of a silence.
    pub(crate) async fn json(&mut self) -> Value {
        loop {
            let line = self.next().await.expect("no end");
            if !line.is_empty() {
                return serde_json::from_str(&line).expect("JSON");
            }
        }
    }

    /// The id and the JSON of the next event.
    pub(crate) async fn event(&mut self) -> (String, Value) {
        let record = self.next().await.expect("no end");
        let (id, data) = record.split_once('\n').expect("two lines");
        let data = data.strip_prefix("data: ").expect("data");
        (id.strip_prefix("id: ").expect("an id").to_owned(), serde_json::from_str(data).expect("JSON"))
    }
}
