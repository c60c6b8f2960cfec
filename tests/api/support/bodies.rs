//! Request bodies, and how tests change them.

use base64_simd::STANDARD;
use serde_json::{Value, json};

pub(crate) const JPEG: &[u8] = include_bytes!("../../files/front.jpg");
const BACK: &[u8] = include_bytes!("../../files/back.jpg");
const PNG: &[u8] = include_bytes!("../../files/proof_of_address.png");
const PDF: &[u8] = include_bytes!("../../files/business_formation.pdf");

/// The least that makes an individual.
pub(crate) fn individual() -> Value {
    json!({"type": "individual", "email": "ana@example.com", "first_name": "Ana", "last_name": "Reyes"})
}

/// The least that makes a business.
pub(crate) fn business() -> Value {
    json!({"type": "business", "email": "office@example.com", "business_legal_name": "Reyes Ltd"})
}

/// The least that makes an identification entry.
pub(crate) fn passport() -> Value {
    json!({"type": "passport", "issuing_country": "MEX"})
}

/// The least that makes an associated person.
pub(crate) fn person() -> Value {
    json!({"first_name": "Luis", "last_name": "Vega"})
}

/// A document with a small real file.
pub(crate) fn document() -> Value {
    json!({"type": "front", "file": data_uri("image/jpeg", JPEG)})
}

/// An individual with one entry of one document.
pub(crate) fn with_file(file: &Value) -> Value {
    let mut body = individual();
    body["identifying_information"] = json!([passport()]);
    body["identifying_information"][0]["documents"] = json!([{"type": "front", "file": file}]);
    body
}

/// Where [`with_file`] puts the file.
pub(crate) const FILE: &str = "identifying_information.0.documents.0.file";

pub(crate) fn data_uri(media_type: &str, content: &[u8]) -> String {
    format!("data:{media_type};base64,{}", STANDARD.encode_to_string(content))
}

/// A body with another value at a dot-joined path.
pub(crate) fn with(body: &Value, path: &str, value: Value) -> Value {
    let mut body = body.clone();
    let (parent, key) = place(&mut body, path);
    parent[key] = value;
    body
}

/// A body without the value at a dot-joined path.
pub(crate) fn without(body: &Value, path: &str) -> Value {
    let mut body = body.clone();
    let (parent, key) = place(&mut body, path);
    parent.as_object_mut().expect("an object").remove(key);
    body
}

fn place<'a, 'p>(body: &'a mut Value, path: &'p str) -> (&'a mut Value, &'p str) {
    let (way, key) = path.rsplit_once('.').unwrap_or(("", path));
    let step = |value: &'a mut Value, step: &str| match step.parse::<usize>() {
        Ok(index) => &mut value[index],
        Err(_) => &mut value[step],
    };
    (way.split('.').filter(|name| !name.is_empty()).fold(body, step), key)
}

/// The four example requests of the specification, with real files in place of the placeholders.
pub(crate) const EXAMPLES: [&str; 4] = ["individual_usa", "individual_mexico", "business_usa", "business_mexico"];

/// One of [`EXAMPLES`].
pub(crate) fn example(name: &str) -> Value {
    let text = match name {
        "individual_usa" => include_str!("../../examples/individual_usa.json"),
        "individual_mexico" => include_str!("../../examples/individual_mexico.json"),
        "business_usa" => include_str!("../../examples/business_usa.json"),
        "business_mexico" => include_str!("../../examples/business_mexico.json"),
        _ => panic!("no example {name}"),
    };
    let mut body = serde_json::from_str(text).expect("the example is JSON");
    fill(&mut body);
    body
}

/// Puts files in place of the placeholders, by the media type of the URI.
fn fill(value: &mut Value) {
    match value {
        Value::Object(entries) => entries.values_mut().for_each(fill),
        Value::Array(values) => values.iter_mut().for_each(fill),
        Value::String(text) if text.ends_with("}}") => {
            let (head, name) = text.split_once(',').expect("a data URI");
            let media_type = head.trim_start_matches("data:").trim_end_matches(";base64");
            let content = match (media_type, name) {
                ("image/png", _) => PNG,
                ("application/pdf", _) => PDF,
                (_, "{{back}}") => BACK,
                _ => JPEG,
            };
            *text = data_uri(media_type, content);
        }
        _ => {}
    }
}
