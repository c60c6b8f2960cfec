//! Files in JSON: data URIs. One that is read says its media type and its bytes, and is written the same.

#![no_main]

use kira_gateway::json::{self, ScalarError, Token, data_uri};
use kira_gateway_conformance::v1::{Cover, CoverType};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match data_uri::<CoverType>(Token::Text(text)) {
        Ok((number, content)) => {
            assert_eq!(number, CoverType::Png as i32);
            let (_, payload) = text.split_once(',').expect("a comma");
            assert!(content.len() * 4 <= payload.len() * 3, "more bytes than the text can hold");
            let written = json::to_vec(&Cover { r#type: number, content: content.clone() });
            let again: String = serde_json::from_slice(&written).expect("a string");
            assert_eq!(data_uri::<CoverType>(Token::Text(&again)).expect("a data URI").1, content);
        }
        Err(ScalarError::Value(_, message)) => assert!(!message.is_empty()),
        Err(ScalarError::Unlisted { expected, .. }) => assert!(!expected().is_empty()),
        Err(ScalarError::Type) => panic!("a text is of the right type"),
    }
});
