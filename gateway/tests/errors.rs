//! Errors over both protocols.

use http::HeaderMap;
use http_body_util::BodyExt;
use kira_gateway::error::{
    ErrorReason, complete, complete_headers, details, invalid_request, method_not_allowed, rest_response, status,
    status_with_retry, with_reason,
};
use kira_gateway::problem::{Path, Problems, Step};
use tonic::{Code, Status};

async fn rest(status: &Status) -> (u16, HeaderMap, serde_json::Value) {
    let (head, body) = rest_response(status).into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    (head.status.as_u16(), head.headers, serde_json::from_slice(&body).expect("JSON"))
}

fn problems(count: usize) -> Problems {
    let mut problems = Problems::default();
    for index in 0..count {
        let step = Step::Key { slot: 1, name: "files".into() };
        problems.push(Path(vec![step, Step::Index(index)]), "too_big", "Must be smaller");
    }
    problems
}

#[tokio::test]
async fn an_error_has_its_reasons_code_and_its_own_message() {
    let found = status(ErrorReason::NotFound, "User not found");
    assert_eq!(found.code(), Code::NotFound);
    assert_eq!(details(&found).expect("details").reason, ErrorReason::NotFound);
    let (code, headers, body) = rest(&found).await;
    assert_eq!(code, 404);
    assert_eq!(body, serde_json::json!({"code": "not_found", "message": "User not found"}));
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(headers["cache-control"], "no-store");
    assert_eq!(headers["x-content-type-options"], "nosniff");
}

#[tokio::test]
async fn problems_are_listed_with_path_message_and_code() {
    let found = invalid_request(problems(2));
    assert_eq!(found.code(), Code::InvalidArgument);
    let (code, _, body) = rest(&found).await;
    assert_eq!(code, 400);
    let expected = serde_json::json!({"error": "Invalid request data", "details": [
        {"path": "files.0", "message": "Must be smaller", "code": "too_big"},
        {"path": "files.1", "message": "Must be smaller", "code": "too_big"},
    ]});
    assert_eq!(body, expected);
}

#[tokio::test]
async fn a_wait_is_a_header() {
    let (code, headers, _) = rest(&status_with_retry(ErrorReason::RateLimitExceeded, 7)).await;
    assert_eq!((code, &headers["retry-after"]), (429, &http::HeaderValue::from_static("7")));
}

#[tokio::test]
async fn a_wrong_method_is_answered_with_the_right_ones() {
    let (code, headers, body) = rest(&method_not_allowed(&http::Method::PUT, &["GET", "HEAD"])).await;
    assert_eq!((code, &headers["allow"]), (405, &http::HeaderValue::from_static("GET, HEAD")));
    assert_eq!(body["code"], "method_not_allowed");
}

#[tokio::test]
async fn who_is_unknown_is_told_how_to_introduce_itself() {
    let (code, headers, body) = rest(&status(ErrorReason::Unauthorized, "Token expired")).await;
    assert_eq!((code, &headers["www-authenticate"]), (401, &http::HeaderValue::from_static("Bearer")));
    assert_eq!(body, serde_json::json!({"code": "unauthorized", "message": "Token expired"}));
}

#[tokio::test]
async fn what_went_wrong_inside_stays_inside() {
    for inside in [
        Status::internal("connection to 10.0.0.7 refused"),
        Status::unknown("boom"),
        Status::already_exists("UNIQUE constraint failed: users.id"),
        status(ErrorReason::InternalError, "disk full"),
    ] {
        let (code, _, body) = rest(&inside).await;
        assert_eq!(code, 500);
        assert_eq!(body, serde_json::json!({"code": "internal_error", "message": "An unexpected error occurred"}));
    }
    let (_, _, body) = rest(&Status::unavailable("connection to 10.0.0.7 refused")).await;
    assert_eq!(body["message"], ErrorReason::Unavailable.message());
}

#[test]
fn statuses_of_the_library_get_the_reason_that_fits() {
    for (status, expected) in [
        (
            Status::out_of_range("Error, decoded message length too large: found 9 bytes, the limit is: 4 bytes"),
            ErrorReason::PayloadTooLarge,
        ),
        (
            Status::resource_exhausted("Error decompressing: size limit, of 4 bytes, exceeded"),
            ErrorReason::PayloadTooLarge,
        ),
        (Status::resource_exhausted("Too many active requests"), ErrorReason::RateLimitExceeded),
        (Status::cancelled("Timeout expired"), ErrorReason::DeadlineExceeded),
        (Status::unimplemented(""), ErrorReason::Unimplemented),
        (Status::internal("failed to decode Protobuf message: invalid tag"), ErrorReason::InvalidRequest),
        (Status::internal("Missing request message."), ErrorReason::InvalidRequest),
        (Status::internal("Error encoding: x"), ErrorReason::InternalError),
    ] {
        let completed = complete(status.clone());
        assert_eq!(details(&completed).expect("details").reason, expected, "{status}");
        assert_eq!(completed.code(), expected.code());
    }
}

#[test]
fn a_malformed_protobuf_is_what_the_library_says_it_is() {
    use prost::Message;
    let error = <()>::decode([0xff_u8].as_slice()).expect_err("no message");
    assert!(error.to_string().starts_with("failed to decode Protobuf message"), "{error}");
}

#[test]
fn a_status_with_a_reason_is_complete() {
    let found = status(ErrorReason::NotFound, "User not found");
    assert_eq!(complete(found.clone()).details(), found.details());
}

#[test]
fn the_headers_of_a_grpc_answer_are_completed() {
    let mut headers = HeaderMap::new();
    Status::unimplemented("no such method").add_header(&mut headers).expect("headers");
    headers.insert("x-request-id", http::HeaderValue::from_static("r1"));
    complete_headers(&mut headers);
    let found = Status::from_header_map(&headers).expect("a status");
    assert_eq!((found.code(), found.message()), (Code::Unimplemented, "Not implemented"));
    assert_eq!(details(&found).expect("details").reason, ErrorReason::Unimplemented);
    assert_eq!(headers["x-request-id"], "r1");
}

#[test]
fn a_success_stays_one() {
    let mut headers =
        HeaderMap::from_iter([(http::HeaderName::from_static("grpc-status"), http::HeaderValue::from_static("0"))]);
    complete_headers(&mut headers);
    assert_eq!(headers.len(), 1);
}

#[test]
fn a_list_longer_than_headers_may_be_is_cut_over_grpc() {
    let mut headers = HeaderMap::new();
    invalid_request(problems(1_000)).add_header(&mut headers).expect("headers");
    complete_headers(&mut headers);
    assert!(headers["grpc-status-details-bin"].len() < 6_000);
    let found = details(&Status::from_header_map(&headers).expect("a status")).expect("details");
    let (last, listed) = found.violations.split_last().expect("violations");
    assert_eq!(last.description, format!("{} more problem(s) are not listed", 1_000 - listed.len()));
    assert!(listed.len() > 40);
}

#[test]
fn every_reason_has_a_name_that_leads_back_to_it() {
    let reason = ErrorReason::from_reason("PAYLOAD_TOO_LARGE").expect("a reason");
    assert_eq!(reason, ErrorReason::PayloadTooLarge);
    assert_eq!((reason.as_str(), reason.machine_code()), ("PAYLOAD_TOO_LARGE", "payload_too_large"));
    assert_eq!((reason.http_status(), reason.code()), (413, Code::ResourceExhausted));
    assert_eq!(with_reason(reason).message(), reason.message());
    assert_eq!(ErrorReason::from_reason("UNSPECIFIED"), None);
}
