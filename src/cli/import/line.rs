//! A line of an import file: the body of a create, and the key that names it.

use std::borrow::Cow;
use std::fmt;

use ring::digest::{Context, SHA256};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use uuid::Uuid;

/// The member of a line that names the create.
const KEY: &str = "idempotency_key";
/// The member in which an export keeps what is no part of a create.
pub(crate) const EXPORTED: &str = "_exported";
/// The member that names the user in the client's own systems.
const EXTERNAL_ID: &str = "external_id";

/// A line that can be sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// The idempotency key: the line's own, or one derived from it.
    pub(super) key: Uuid,
    /// The body of the create, as the line has it.
    pub(super) body: String,
}

/// Why a line cannot be sent: where, and a code.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// The path within the line.
    pub(super) path: Cow<'static, str>,
    /// The code.
    pub(super) code: &'static str,
}

impl Problem {
    pub(super) fn new(path: impl Into<Cow<'static, str>>, code: &'static str) -> Self {
        Self { path: path.into(), code }
    }
}

/// Reads a line of a file of this client. What is wrong within the body is for the service to say.
pub(super) fn read(text: &[u8], client_id: Uuid) -> Result<Line, Problem> {
    let text = std::str::from_utf8(text).map_err(|_| Problem::new("", "invalid_json"))?;
    let members: Members<'_> = serde_json::from_str(text)
        .map_err(|error| Problem::new("", if error.is_data() { "invalid_type" } else { "invalid_json" }))?;
    let own = |name: &str| members.0.iter().filter(|(key, _)| key == name).map(|(_, value)| *value).collect::<Vec<_>>();
    let is_sent = |(key, _): &&(String, &RawValue)| key != KEY && key != EXPORTED;
    let body: Vec<String> =
        members.0.iter().filter(is_sent).map(|(key, value)| format!("{}:{value}", quoted(key))).collect();
    let body = format!("{{{}}}", body.join(","));
    let key = match own(KEY).as_slice() {
        [] => derived(client_id, own(EXTERNAL_ID).first().copied(), &body),
        [key] => {
            let key: String = serde_json::from_str(key.get()).map_err(|_| Problem::new(KEY, "invalid_type"))?;
            Uuid::try_parse(&key).map_err(|_| Problem::new(KEY, "invalid_string"))?
        }
        _ => return Err(Problem::new(KEY, "invalid_json")),
    };
    Ok(Line { key, body })
}

/// The key of a line without one: the same for the same client and `external_id`, or, without that, for the same body.
/// A line that comes again is the same create then, in whatever file and by whatever way it is sent.
fn derived(client_id: Uuid, external_id: Option<&RawValue>, body: &str) -> Uuid {
    let external_id: Option<String> = external_id.and_then(|value| serde_json::from_str(value.get()).ok());
    let mut digest = Context::new(&SHA256);
    digest.update(b"kira-users import");
    digest.update(client_id.as_bytes());
    match external_id.as_deref().filter(|external_id| !external_id.is_empty()) {
        Some(external_id) => {
            digest.update(b"external_id");
            digest.update(external_id.as_bytes());
        }
        None => {
            digest.update(b"body");
            digest.update(body.as_bytes());
        }
    }
    let mut short = [0; 16];
    short.copy_from_slice(&digest.finish().as_ref()[..16]);
    uuid::Builder::from_custom_bytes(short).into_uuid()
}

fn quoted(key: &str) -> String {
    serde_json::Value::from(key).to_string()
}

/// The members of an object, each as it is written, in their order. A member that is there twice stays so: the service
/// refuses it.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;

        impl<'de> Visitor<'de> for Read {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = entries.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: Uuid = Uuid::from_u128(1);

    fn key(text: &str) -> Uuid {
        read(text.as_bytes(), CLIENT).expect("a line").key
    }

    #[test]
    fn the_body_is_sent_as_it_is_written_without_what_is_not_of_a_create() {
        let id = "550e8400-e29b-41d4-a716-446655440001";
        let text = format!(
            r#"{{ "type" : "individual", "idempotency_key":"{id}", "metadata": {{"a" : 1.50, "a":2}}, "_exported":{{"id":1}} }}"#
        );
        let line = read(text.as_bytes(), CLIENT).expect("a line");
        assert_eq!(line.key.to_string(), id);
        assert_eq!(line.body, r#"{"type":"individual","metadata":{"a" : 1.50, "a":2}}"#);
    }

    #[test]
    fn a_line_without_a_key_gets_the_same_one_each_time() {
        let named = key(r#"{"external_id":"a","first_name":"Ada"}"#);
        assert_eq!(named, key(r#"{"first_name":"Other", "external_id": "a"}"#), "the external id decides");
        assert_ne!(named, key(r#"{"external_id":"b"}"#));
        assert_ne!(named, read(br#"{"external_id":"a"}"#, Uuid::from_u128(2)).expect("a line").key, "of one client");
        let unnamed = key(r#"{"first_name":"Ada"}"#);
        assert_eq!(unnamed, key(r#"{ "first_name":"Ada" }"#));
        for other in [r#"{"first_name":"Eve"}"#, r#"{"external_id":"","first_name":"Ada"}"#] {
            assert_ne!(unnamed, key(other));
        }
    }

    #[test]
    fn what_cannot_be_sent_is_told_by_path_and_code() {
        for (text, path, code) in [
            (&b"{"[..], "", "invalid_json"),
            (b"\xff", "", "invalid_json"),
            (b"[]", "", "invalid_type"),
            (b"{} {}", "", "invalid_json"),
            (br#"{"idempotency_key":7}"#, KEY, "invalid_type"),
            (br#"{"idempotency_key":"x"}"#, KEY, "invalid_string"),
            (br#"{"idempotency_key":"x","idempotency_key":"y"}"#, KEY, "invalid_json"),
        ] {
            assert_eq!(read(text, CLIENT), Err(Problem::new(path, code)), "{}", String::from_utf8_lossy(text));
        }
    }
}
