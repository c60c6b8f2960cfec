//! What is said between the service and an outside provider: JSON, both ways.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::findings;
use crate::domain::verification::{Assurance, Decision, Outcome, Reason};

/// More reasons than that are left out; the raw answer is kept whole.
const MAX_REASONS: usize = 50;
/// The longest name that a provider may have for an attempt, in characters.
const MAX_REFERENCE: usize = 255;

/// The request to verify a user.
#[derive(Serialize)]
pub(super) struct VerifyRequest<'a> {
    /// Names the attempt, and with it the request: the same when it is asked again.
    pub(super) attempt_id: Uuid,
    /// Individual or business.
    pub(super) r#type: &'static str,
    /// The user, as the contract's requests write it; documents have an id in place of their file.
    pub(super) user: &'a RawValue,
}

/// Writes a request's body: the request, and `files` as its last field.
pub(super) struct BodyWriter {
    body: String,
    is_first: bool,
}

impl BodyWriter {
    /// The room for the files spares copies of what is personal.
    pub(super) fn new(request: &VerifyRequest<'_>, room: usize) -> Self {
        // Its parts are texts, an identifier and JSON already, which are all written without an error.
        let head = serde_json::to_string(request).unwrap_or_default();
        let mut body = String::with_capacity(head.len() + room + 16);
        body.push_str(head.strip_suffix('}').unwrap_or(&head));
        body.push_str(r#","files":["#);
        Self { body, is_first: true }
    }

    /// Adds a file: the id of its document, its kind and its content, in base64.
    pub(super) fn file(&mut self, id: &str, media_type: &str, content: &[u8]) {
        if !std::mem::replace(&mut self.is_first, false) {
            self.body.push(',');
        }
        let head = serde_json::json!({"id": id, "media_type": media_type}).to_string();
        self.body.push_str(head.strip_suffix('}').unwrap_or(&head));
        self.body.push_str(r#","content":""#);
        base64_simd::STANDARD.encode_append(content, &mut self.body);
        self.body.push_str(r#""}"#);
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.body.push_str("]}");
        self.body.into_bytes()
    }
}

/// The provider's report of a verification: the response to a request or a poll, or the payload of a callback.
#[derive(Debug, Deserialize)]
pub(super) struct VendorReport {
    /// Of a callback; an answer that has it must be about the attempt that was asked about.
    pub(super) attempt_id: Option<Uuid>,
    pub(super) status: ReportedStatus,
    pub(super) reference: Option<String>,
    #[serde(default)]
    reasons: Vec<ReportedReason>,
    /// When to ask again, in seconds.
    pub(super) poll_after: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ReportedStatus {
    Approved,
    Rejected,
    Review,
    Pending,
}

#[derive(Debug, Deserialize)]
struct ReportedReason {
    code: String,
    path: Option<String>,
}

impl VendorReport {
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// The provider's name for the attempt, if it is one to keep.
    pub(super) fn reference(&self) -> Option<String> {
        self.reference.clone().filter(|name| !name.is_empty() && name.chars().count() <= MAX_REFERENCE)
    }

    /// The outcome; none while the provider is processing the case.
    pub(super) fn outcome(&self) -> Option<Outcome> {
        let decision = match self.status {
            ReportedStatus::Approved => Decision::Verified,
            ReportedStatus::Rejected => Decision::Rejected,
            ReportedStatus::Review => Decision::Review,
            ReportedStatus::Pending => return None,
        };
        let reported = self.reasons.iter().take(MAX_REASONS);
        let mut reasons: Vec<Reason> =
            reported.map(|reason| findings::reason(&reason.code, reason.path.as_deref())).collect();
        if reasons.is_empty() && decision != Decision::Verified {
            reasons.push(findings::reason("", None));
        }
        Some(Outcome { decision, assurance: Assurance::Identity, reasons })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(text: &str) -> VendorReport {
        VendorReport::read(text.as_bytes()).expect("a report")
    }

    #[test]
    fn an_approval_is_an_outcome_without_reasons() {
        let outcome = report(r#"{"status":"approved","reference":"v1"}"#).outcome().expect("an outcome");
        assert_eq!((outcome.decision, outcome.assurance), (Decision::Verified, Assurance::Identity));
        assert!(outcome.reasons.is_empty());
    }

    #[test]
    fn what_is_pending_has_no_outcome_yet() {
        assert_eq!(report(r#"{"status":"pending"}"#).outcome(), None);
    }

    #[test]
    fn a_rejection_always_has_a_reason() {
        let outcome = report(r#"{"status":"rejected"}"#).outcome().expect("an outcome");
        assert_eq!(outcome.reasons[0].code, "provider_finding");
    }

    #[test]
    fn the_providers_own_words_are_not_passed_on() {
        let text = r#"{"status":"rejected","reasons":[{"code":"document_expired","message":"Ada's passport P123",
                       "path":"identifying_information.0"},{"code":"Ada Lovelace","path":"Ada!"}]}"#;
        let outcome = report(text).outcome().expect("an outcome");
        assert_eq!(outcome.reasons[0].code, "document_expired");
        assert_eq!(outcome.reasons[0].path.as_deref(), Some("identifying_information.0"));
        assert_eq!((outcome.reasons[1].code.as_str(), &outcome.reasons[1].path), ("provider_finding", &None));
        assert!(!format!("{outcome:?}").contains("Ada"));
    }

    #[test]
    fn a_body_is_one_json_object_with_its_files_in_their_order() {
        let user = RawValue::from_string(r#"{"metadata":{"a":{}}}"#.to_owned()).expect("JSON");
        let request = VerifyRequest { attempt_id: Uuid::nil(), r#type: "individual", user: &user };
        let mut body = BodyWriter::new(&request, 0);
        body.file("1", "image/png", b"one");
        body.file("2", "application/pdf", b"");
        let written: serde_json::Value = serde_json::from_slice(&body.finish()).expect("JSON");
        let expected = serde_json::json!({
            "attempt_id": Uuid::nil(),
            "type": "individual",
            "user": {"metadata": {"a": {}}},
            "files": [
                {"id": "1", "media_type": "image/png", "content": "b25l"},
                {"id": "2", "media_type": "application/pdf", "content": ""},
            ],
        });
        assert_eq!(written, expected);
        let none: serde_json::Value = serde_json::from_slice(&BodyWriter::new(&request, 0).finish()).expect("JSON");
        assert_eq!(none["files"], serde_json::json!([]));
    }

    #[test]
    fn what_is_no_report_is_not_read() {
        for text in ["", "[]", "{}", r#"{"status":"done"}"#, r#"{"status":"approved","attempt_id":"x"}"#] {
            assert!(VendorReport::read(text.as_bytes()).is_none(), "{text}");
        }
    }
}
