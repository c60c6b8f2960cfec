//! Requests: the specification's examples with real files, and the least that makes a user.

use kira_users::contract::v1;
use kira_users::contract::v1::create_user_request::User;
use serde_json::{Value, json};

const FRONT: &[u8] = include_bytes!("../../fixtures/files/front.jpg");
const BACK: &[u8] = include_bytes!("../../fixtures/files/back.jpg");
const PROOF_OF_ADDRESS: &[u8] = include_bytes!("../../fixtures/files/proof_of_address.png");
const BUSINESS_FORMATION: &[u8] = include_bytes!("../../fixtures/files/business_formation.pdf");

/// The specification's four requests.
pub(crate) const EXAMPLES: [&str; 4] = [
    include_str!("../../fixtures/examples/individual_usa.json"),
    include_str!("../../fixtures/examples/individual_mexico.json"),
    include_str!("../../fixtures/examples/business_usa.json"),
    include_str!("../../fixtures/examples/business_mexico.json"),
];

/// One of [`EXAMPLES`] with real files.
pub(crate) fn example(text: &str) -> Value {
    serde_json::from_str(&example_text(text)).expect("an example is JSON")
}

/// As [`example`], with its keys in the order in which they are written.
pub(crate) fn example_text(text: &str) -> String {
    let fill = |text: &str, place: &str, content: &[u8]| text.replace(place, &base64(content));
    let text = fill(text, "image/jpeg;base64,{{front}}", FRONT);
    let text = fill(&text, "image/jpeg;base64,{{back}}", BACK);
    let text = fill(&text, "image/png;base64,{{file_proof_of_address}}", PROOF_OF_ADDRESS);
    let text = fill(&text, "application/pdf;base64,{{file_proof_of_address}}", BUSINESS_FORMATION);
    fill(&text, "application/pdf;base64,{{file_business_formation}}", BUSINESS_FORMATION)
}

/// The individual of the specification that triggers a verification, with three files.
pub(crate) fn with_files() -> Value {
    example(EXAMPLES[0])
}

/// As little as makes a user.
pub(crate) fn minimal() -> Value {
    json!({"type": "individual", "email": "ada@example.com", "first_name": "Ada", "last_name": "Lovelace"})
}

/// `body` with another value at a JSON pointer.
pub(crate) fn with(mut body: Value, pointer: &str, value: Value) -> Value {
    *body.pointer_mut(pointer).expect("the place is there") = value;
    body
}

/// A data URI.
pub(crate) fn data_uri(media_type: &str, content: &[u8]) -> Value {
    json!(format!("data:{media_type};base64,{}", base64_simd::STANDARD.encode_to_string(content)))
}

/// A JPEG that has `text` in a comment.
pub(crate) fn jpeg(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len() + 2).expect("a short comment").to_be_bytes();
    [&FRONT[..2], &[0xff, 0xfe], &length, text.as_bytes(), &FRONT[2..]].concat()
}

/// What a JSON body says, as a gRPC client says it.
pub(crate) fn message(body: &Value) -> User {
    let read = kira_gateway::json::read::<v1::CreateUserRequest>(body.to_string().as_bytes());
    assert!(read.problems.is_empty(), "a good body");
    read.message.user.expect("a user")
}

fn base64(content: &[u8]) -> String {
    // The pattern that is replaced begins with the media type.
    let media_type = match content {
        [0xff, ..] => "image/jpeg",
        [0x89, ..] => "image/png",
        _ => "application/pdf",
    };
    format!("{media_type};base64,{}", base64_simd::STANDARD.encode_to_string(content))
}
