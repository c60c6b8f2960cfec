//! Merging alone: what it keeps, what it names, and where it puts the problems.

use chrono::{DateTime, Utc};
use kira_gateway::problem::Problems;

use super::*;
use crate::contract::v1::create_user_request::User as Request;
use crate::env::MockClock;
use crate::profile::CanonicalRequest;
use crate::profile::examples;

fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + chrono::TimeDelta::days(20_000)
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn stored(request: Request) -> Profile {
    CanonicalRequest::new(request).plan(&MockClock::at(now())).profile
}

fn individual() -> Profile {
    let user = v1::Individual {
        email: text("ada@example.com"),
        first_name: text("Ada"),
        last_name: text("Lovelace"),
        middle_name: text("Byron"),
        ..v1::Individual::default()
    };
    stored(Request::Individual(user))
}

fn merge(profile: Profile, change: Change) -> Result<AppliedChange, Problems> {
    let clock = MockClock::at(now());
    let merged = PreparedChange::new(change, &clock).merge(profile).expect("the same kind");
    merged.judge(now(), Problems::default()).map(|accepted| accepted.finish(now()))
}

fn paths(problems: Problems) -> Vec<String> {
    problems.into_sorted().iter().map(|problem| problem.path.to_string()).collect()
}

#[test]
fn a_change_that_says_nothing_leaves_every_example_as_it_is() {
    for request in examples::all() {
        let profile = stored(request);
        let change = match &profile {
            Profile::Individual(_) => Change::Individual(v1::IndividualChange::default()),
            Profile::Business(_) => Change::Business(v1::BusinessChange::default()),
        };
        let changed = merge(profile.clone(), change).expect("an accepted change");
        assert_eq!(changed.profile, profile);
        assert_eq!((changed.updated.len(), changed.documents.len(), changed.removed.len()), (0, 0, 0));
    }
}

#[test]
fn a_change_of_the_other_kind_cannot_be_merged() {
    let prepared = PreparedChange::new(Change::Business(v1::BusinessChange::default()), &MockClock::at(now()));
    assert!(prepared.merge(individual()).is_err());
}

#[test]
fn an_empty_text_is_gone_once_the_rules_have_seen_it() {
    let change = v1::IndividualChange { middle_name: text(""), ..v1::IndividualChange::default() };
    let changed = merge(individual(), Change::Individual(change)).expect("an accepted change");
    let Profile::Individual(user) = changed.profile else { panic!("an individual") };
    assert_eq!((user.middle_name, changed.updated), (None, vec!["middle_name".to_owned()]));
    let change = v1::IndividualChange { first_name: text(""), ..v1::IndividualChange::default() };
    let refused = merge(individual(), Change::Individual(change)).map(|_| ()).expect_err("a required text");
    assert_eq!(paths(refused), ["first_name"]);
}

#[test]
fn a_list_value_that_is_unspecified_is_refused() {
    let change = v1::IndividualChange { gender: Some(0), ..v1::IndividualChange::default() };
    let refused = merge(individual(), Change::Individual(change)).map(|_| ()).expect_err("a refusal");
    assert_eq!(paths(refused), ["gender"]);
}

#[test]
fn merging_again_gives_what_is_added_the_same_identifiers() {
    let file = v1::File { media_type: v1::MediaType::Jpeg.into(), content: Bytes::from_static(b"\xff\xd8\xff\xe0") };
    let document = v1::DocumentChange {
        r#type: Some(v1::DocumentType::Front.into()),
        file: Some(file),
        ..v1::DocumentChange::default()
    };
    let change = v1::IndividualChange { documents: vec![document], ..v1::IndividualChange::default() };
    let prepared = PreparedChange::new(Change::Individual(change), &MockClock::at(now()));
    let once = || {
        let merged = prepared.clone().merge(individual()).expect("the same kind");
        merged.judge(now(), Problems::default()).expect("an accepted change").finish(now())
    };
    let (one, two) = (once(), once());
    assert_eq!(one.profile, two.profile);
    assert_eq!(one.documents, two.documents);
    assert_eq!(one.documents.len(), 1);
}

#[test]
fn what_the_request_does_not_touch_is_not_judged_again() {
    let entry = |number: Option<String>| v1::Identification {
        r#type: Some(v1::IdentificationType::Ssn.into()),
        issuing_country: text("USA"),
        number,
        ..v1::Identification::default()
    };
    let Profile::Individual(mut user) = individual() else { panic!("an individual") };
    // An entry from before its rule.
    user.identifying_information = vec![entry(None), entry(text("1"))];
    user.identifying_information[0].id = "old".to_owned();
    user.identifying_information[1].id = "good".to_owned();
    let change = |id: &str| {
        let entry =
            v1::IdentificationChange { id: text(id), description: text("x"), ..v1::IdentificationChange::default() };
        let change = v1::IndividualChange { identifying_information: vec![entry], ..v1::IndividualChange::default() };
        merge(Profile::Individual(user.clone()), Change::Individual(change)).map(|changed| changed.updated)
    };
    assert_eq!(change("good").expect("an accepted change"), ["identifying_information.0.description"]);
    assert_eq!(paths(change("old").expect_err("a refusal")), ["identifying_information.0.number"]);
}
