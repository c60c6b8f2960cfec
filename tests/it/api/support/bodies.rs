//! Request bodies, and how tests change them.

use base64_simd::STANDARD;
use serde_json::{Value, json};

use crate::harness::requests;

pub(crate) const JPEG: &[u8] = include_bytes!("../../../fixtures/files/front.jpg");

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

/// The names of the specification's four example requests.
pub(crate) const EXAMPLES: [&str; 4] = ["individual_usa", "individual_mexico", "business_usa", "business_mexico"];

/// One of [`EXAMPLES`], with real files.
pub(crate) fn example(name: &str) -> Value {
    let index = EXAMPLES.iter().position(|known| *known == name).expect("an example");
    requests::example(requests::EXAMPLES[index])
}
