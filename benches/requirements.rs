//! What a user lacks: the rules over a business with ten associated persons, beside decoding the same request.
//!
//! `cargo bench --bench requirements`.

#![expect(clippy::print_stdout, reason = "the figures are the purpose")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use kira_users::contract::v1;
use kira_users::contract::v1::create_user_request::User;
use kira_users::domain::eligibility::ProductCode;
use kira_users::domain::requirements::report;
use kira_users::profile::Profile;
use kira_users::profile::subject::subject;
use serde_json::{Value, json};
use strum::VariantArray as _;

const EXAMPLE: &str = include_str!("../tests/fixtures/examples/business_usa.json");
/// Calls of one measurement.
const CALLS: u32 = 20_000;

fn main() {
    let mut request: Value = serde_json::from_str(EXAMPLE).expect("JSON");
    let person = request["associated_persons"][0].clone();
    request["associated_persons"] = json!(vec![person; 10]);
    let text = without_files(request).to_string();
    let profile = match kira_gateway::json::read::<v1::CreateUserRequest>(text.as_bytes()).message.user {
        Some(User::Business(business)) => Profile::Business(business),
        _ => panic!("the example is a business"),
    };
    let rules = each(|| {
        black_box(report(&subject(black_box(&profile)), ProductCode::VARIANTS.iter().copied()));
    });
    let decoding = each(|| {
        black_box(kira_gateway::json::read::<v1::CreateUserRequest>(black_box(text.as_bytes())));
    });
    println!("requirements of a business with ten persons, four products: {rules:?} (target: 20 µs)");
    println!("decoding the same request, {} bytes without files:   {decoding:?}", text.len());
    println!("ratio: {:.2}", rules.as_secs_f64() / decoding.as_secs_f64());
}

/// The request without its files, which decoding would spend its time on.
fn without_files(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .filter(|(key, _)| key != "file")
            .map(|(key, value)| (key, without_files(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(without_files).collect(),
        other => other,
    }
}

/// The time of one call: the best of five measurements.
fn each(mut call: impl FnMut()) -> Duration {
    let measure = |_| {
        let start = Instant::now();
        for _ in 0..CALLS {
            call();
        }
        start.elapsed() / CALLS
    };
    (0..5).map(measure).min().unwrap_or_default()
}
