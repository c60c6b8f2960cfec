//! JSON values whose objects keep the order of their keys, and the same values as YAML.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    String(String),
    Array(Vec<Json>),
    Object(Object),
}

/// A JSON object in the order of its keys.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Object(pub(super) Vec<(String, Json)>);

/// Makes an object.
pub(super) fn object<const N: usize>(members: [(&str, Json); N]) -> Json {
    Json::Object(Object(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()))
}

/// Makes a reference to a component.
pub(super) fn reference(section: &str, name: &str) -> Json {
    object([("$ref", format!("#/components/{section}/{name}").into())])
}

impl Object {
    pub(super) fn get(&self, key: &str) -> Option<&Json> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    pub(super) fn get_mut(&mut self, key: &str) -> Option<&mut Json> {
        self.0.iter_mut().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    /// Sets a member; a new one comes last.
    pub(super) fn set(&mut self, key: impl Into<String>, value: impl Into<Json>) {
        let (key, value) = (key.into(), value.into());
        match self.get_mut(&key) {
            Some(place) => *place = value,
            None => self.0.push((key, value)),
        }
    }

    /// Takes all members of another object.
    pub(super) fn extend(&mut self, other: &Json) {
        if let Json::Object(other) = other {
            for (key, value) in &other.0 {
                self.set(key.clone(), value.clone());
            }
        }
    }
}

impl Json {
    pub(super) fn get(&self, key: &str) -> Option<&Json> {
        match self {
            Json::Object(object) => object.get(key),
            _ => None,
        }
    }

    /// The members of an object; none of any other value.
    pub(super) fn members(&self) -> &[(String, Json)] {
        match self {
            Json::Object(object) => &object.0,
            _ => &[],
        }
    }

    /// The items of an array; none of any other value.
    pub(super) fn items(&self) -> &[Json] {
        match self {
            Json::Array(items) => items,
            _ => &[],
        }
    }

    pub(super) fn as_str(&self) -> Option<&str> {
        match self {
            Json::String(text) => Some(text),
            _ => None,
        }
    }

    /// The text of a member; empty where there is none.
    pub(super) fn text(&self, key: &str) -> &str {
        self.get(key).and_then(Json::as_str).unwrap_or_default()
    }

    /// Indented by two spaces, with a line break at the end.
    pub(super) fn pretty(&self) -> String {
        let mut out = String::new();
        self.write_json(&mut out, 0);
        out.push('\n');
        out
    }

    fn write_json(&self, out: &mut String, depth: usize) {
        match self {
            Json::Array(items) if !items.is_empty() => {
                out.push('[');
                for (position, item) in items.iter().enumerate() {
                    out.push_str(if position > 0 { ",\n" } else { "\n" });
                    indent(out, depth + 1);
                    item.write_json(out, depth + 1);
                }
                out.push('\n');
                indent(out, depth);
                out.push(']');
            }
            Json::Object(Object(members)) if !members.is_empty() => {
                out.push('{');
                for (position, (key, value)) in members.iter().enumerate() {
                    out.push_str(if position > 0 { ",\n" } else { "\n" });
                    indent(out, depth + 1);
                    out.push_str(&quoted(key));
                    out.push_str(": ");
                    value.write_json(out, depth + 1);
                }
                out.push('\n');
                indent(out, depth);
                out.push('}');
            }
            scalar => out.push_str(&scalar.flow()),
        }
    }

    /// A scalar, or an empty array or object, as both JSON and YAML write it.
    fn flow(&self) -> String {
        match self {
            Json::Null => "null".to_owned(),
            Json::Bool(value) => value.to_string(),
            Json::Number(number) => number.to_string(),
            Json::String(text) => quoted(text),
            Json::Array(_) => "[]".to_owned(),
            Json::Object(_) => "{}".to_owned(),
        }
    }

    /// YAML 1.2 in block style.
    pub(super) fn yaml(&self) -> String {
        let mut out = String::new();
        self.write_yaml(&mut out, 0);
        out.trim_start().to_owned()
    }

    /// Writes the value behind a key or a dash, with the line break that ends it.
    fn write_yaml(&self, out: &mut String, depth: usize) {
        match self {
            Json::Array(items) if !items.is_empty() => {
                out.push('\n');
                for item in items {
                    indent(out, depth);
                    out.push('-');
                    let mut text = String::new();
                    item.write_yaml(&mut text, depth + 1);
                    // The first member of an item is in the line of its dash.
                    match item {
                        Json::Object(Object(members)) if !members.is_empty() => {
                            out.push(' ');
                            out.push_str(text.trim_start());
                        }
                        _ => out.push_str(&text),
                    }
                }
            }
            Json::Object(Object(members)) if !members.is_empty() => {
                out.push('\n');
                for (key, value) in members {
                    indent(out, depth);
                    out.push_str(&yaml_scalar(key));
                    out.push(':');
                    value.write_yaml(out, depth + 1);
                }
            }
            Json::String(text) if is_block(text) => {
                out.push_str(" |-\n");
                for line in text.split('\n') {
                    if !line.is_empty() {
                        indent(out, depth);
                        out.push_str(line);
                    }
                    out.push('\n');
                }
            }
            Json::String(text) => {
                out.push(' ');
                out.push_str(&yaml_scalar(text));
                out.push('\n');
            }
            scalar => {
                out.push(' ');
                out.push_str(&scalar.flow());
                out.push('\n');
            }
        }
    }
}

fn indent(out: &mut String, depth: usize) {
    out.extend(std::iter::repeat_n("  ", depth));
}

/// A JSON string, which is a double-quoted scalar of YAML too.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Whether a text can be a literal block of YAML that ends without a line break.
fn is_block(text: &str) -> bool {
    text.contains('\n')
        && !text.starts_with([' ', '\n'])
        && !text.ends_with('\n')
        && !text.chars().any(|letter| letter.is_control() && letter != '\n')
}

/// A plain scalar where no reader of YAML, an old one neither, can take it for anything but this text.
fn yaml_scalar(text: &str) -> String {
    const WORDS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let is_plain = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/')
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || "_-./{}".contains(letter))
        && !WORDS.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is_plain { text.to_owned() } else { quoted(text) }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Json::String(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Json::String(text)
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Json::Bool(value)
    }
}

impl From<usize> for Json {
    fn from(number: usize) -> Self {
        Json::Number(number.into())
    }
}

impl From<f64> for Json {
    /// Whole numbers have no fraction. There is no JSON of what is not finite.
    fn from(number: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "of whole numbers of at most 53 bits")]
        let whole = (number.fract() == 0.0 && number.abs() < 9e15).then(|| (number as i64).into());
        whole.or_else(|| serde_json::Number::from_f64(number)).map_or(Json::Null, Json::Number)
    }
}

impl From<Object> for Json {
    fn from(object: Object) -> Self {
        Json::Object(object)
    }
}

impl<T: Into<Json>> From<Vec<T>> for Json {
    fn from(items: Vec<T>) -> Self {
        Json::Array(items.into_iter().map(Into::into).collect())
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
        Ok(Json::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
        Ok(Json::Number(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Json, E> {
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut found = Vec::new();
        while let Some(item) = items.next_element::<Json>()? {
            found.push(item);
        }
        Ok(Json::Array(found))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let mut found = Object::default();
        while let Some((key, value)) = members.next_entry::<String, Json>()? {
            found.set(key, value);
        }
        Ok(Json::Object(found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{
  "z": [],
  "a": {
    "off": "no",
    "text": "two\nlines",
    "list": [
      {
        "k": 1.5,
        "m": null
      },
      "a: b",
      [
        1
      ]
    ]
  }
}
"#;

    #[test]
    fn json_keeps_the_order_of_keys() {
        let value: Json = serde_json::from_str(TEXT).expect("JSON");
        assert_eq!(value.pretty(), TEXT);
    }

    #[test]
    fn yaml_quotes_what_another_reader_could_take_for_a_number_or_a_bool() {
        let value: Json = serde_json::from_str(TEXT).expect("JSON");
        let yaml = "z: []\na:\n  \"off\": \"no\"\n  text: |-\n    two\n    lines\n  list:\n    - k: 1.5\n      m: null\n    \
                    - \"a: b\"\n    -\n      - 1\n";
        assert_eq!(value.yaml(), yaml);
    }
}
