//! Whatever is stored, what an answer shows of it can be sent back.

use proptest::prelude::*;
use prost_types::Struct;

use super::tests::{record, stored};
use super::*;
use crate::contract::v1::create_user_request::User as Request;
use crate::env::MockClock;
use crate::profile::examples;
use crate::profile::merge::{AppliedChange, PreparedChange};

/// What a client makes of a user as it is shown: the whole body, read as a change.
fn sent_back(shown: &v1::User, tag: &'static str) -> v1::update_user_request::User {
    let text = kira_gateway::json::to_vec(shown);
    let read = kira_gateway::json::read_as::<v1::UpdateUserRequest>(&text, tag);
    assert!(read.problems.is_empty(), "{:?}", read.problems);
    read.message.user.expect("a kind")
}

fn changed(profile: &Profile, numbers: Numbers) -> AppliedChange {
    let tag = if matches!(profile, Profile::Individual(_)) { "individual" } else { "business" };
    let mut shown = to_user(&record(Status::Verified), profile.clone(), &Catalogue::default(), numbers);
    // An individual's entries are shown by the answer of an update.
    shown.record = record_of_individual(profile, numbers, true);
    let now = record(Status::Verified).created_at;
    let prepared = PreparedChange::new(sent_back(&shown, tag), &MockClock::at(now));
    let merged = prepared.merge(profile.clone()).expect("the same kind");
    let accepted = merged.judge(now, kira_gateway::problem::Problems::default());
    accepted.unwrap_or_else(|problems| panic!("{problems:?}")).finish(now)
}

/// Texts that numbers, names and answers may be, absent ones among them.
fn texts() -> impl Strategy<Value = Option<String>> {
    prop::option::of(prop_oneof![
        "[0-9]{1,9}",
        "[A-Z]{4}[0-9]{6}[A-Z0-9]{3}",
        "[0-9]{3}-[0-9]{2}-[0-9]{4}",
        // It shows something: blanks alone are no number.
        "[a-zñü][a-zñü ‑–]{0,5}[0-9]{0,4}",
    ])
}

fn metadata() -> impl Strategy<Value = Option<Struct>> {
    let keys = prop_oneof![
        Just("ssn"),
        Just("itin"),
        Just("ein"),
        Just("rfc"),
        Just("cnpj"),
        Just("occupation"),
        Just("pep_status"),
        Just("external_id"),
        Just("note"),
        Just(""),
    ];
    let values = prop_oneof![
        texts().prop_map(|text| text
            .map_or(prost_types::value::Kind::NullValue(0), |text| { prost_types::value::Kind::StringValue(text) })),
        any::<bool>().prop_map(prost_types::value::Kind::BoolValue),
        (-8_000_000..8_000_000).prop_map(|eighths| prost_types::value::Kind::NumberValue(f64::from(eighths) / 8.0)),
    ];
    let values = values.prop_map(|kind| prost_types::Value { kind: Some(kind) });
    let pairs = prop::collection::btree_map(keys.prop_map(str::to_owned), values, 0..6);
    prop::option::of(pairs.prop_map(|fields| Struct { fields }))
}

proptest! {
    #[test]
    fn what_is_shown_of_any_user_is_no_change(
        which in 0_usize..4,
        numbers in prop::collection::vec(texts(), 8),
        metadata in metadata(),
        is_masked: bool,
        repeats: bool,
    ) {
        let mut next = numbers.into_iter();
        let mut number = || next.next().flatten();
        let request = match examples::all()[which].clone() {
            Request::Individual(mut user) => {
                user.metadata = metadata;
                user.middle_name = number();
                user.external_id = number();
                for entry in &mut user.identifying_information {
                    entry.number = number().or(entry.number.take());
                }
                if repeats {
                    let again = user.identifying_information.clone();
                    user.identifying_information.extend(again);
                }
                Request::Individual(user)
            }
            Request::Business(mut user) => {
                user.metadata = metadata;
                (user.ein, user.rfc, user.cnpj) = (number(), number(), number());
                for person in &mut user.associated_persons {
                    person.ssn = number();
                    person.middle_name = number();
                }
                if repeats {
                    let again = user.associated_persons.clone();
                    user.associated_persons.extend(again);
                }
                Request::Business(user)
            }
        };
        let profile = stored(request);
        let after = changed(&profile, if is_masked { Numbers::Masked } else { Numbers::Clear });
        prop_assert_eq!(&after.updated, &Vec::<String>::new());
        prop_assert!(after.profile == profile);
        prop_assert!(after.documents.is_empty() && after.removed.is_empty());
    }
}

#[test]
fn every_number_of_the_contract_is_shown_masked() {
    for request in examples::all() {
        let mut numbers = Vec::new();
        let mut profile = stored(request);
        let mut see = |number: kira_gateway::numbers::Number<'_>| numbers.extend(number.text.clone());
        match &mut profile {
            Profile::Individual(user) => kira_gateway::numbers::Numbers::each_number(user, &mut see),
            Profile::Business(user) => kira_gateway::numbers::Numbers::each_number(user, &mut see),
        }
        assert!(!numbers.is_empty());
        let mut user = to_user(&record(Status::Created), profile.clone(), &Catalogue::default(), Numbers::Masked);
        user.record = record_of_individual(&profile, Numbers::Masked, true);
        let text = String::from_utf8(kira_gateway::json::to_vec(&user)).expect("JSON");
        assert!(numbers.iter().all(|number| !text.contains(number.as_str())), "{text}");
    }
}
