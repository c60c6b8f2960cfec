use chrono::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::env::MockClock;
use crate::profile::examples::{self, document, some};

fn clock() -> MockClock {
    MockClock::at(Utc.with_ymd_and_hms(2026, 1, 15, 10, 30, 0).single().expect("a real time"))
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest::digest(&digest::SHA256, bytes).as_ref().try_into().expect("SHA-256 has 32 bytes")
}

fn fingerprint(request: impl Into<Request>) -> [u8; 32] {
    CanonicalRequest::new(request.into()).fingerprint(sha256)
}

fn individual(planned: &NewProfile) -> &v1::Individual {
    match &planned.profile {
        Profile::Individual(individual) => individual,
        Profile::Business(_) => panic!("planned from an individual"),
    }
}

fn business(planned: &NewProfile) -> &v1::Business {
    match &planned.profile {
        Profile::Business(business) => business,
        Profile::Individual(_) => panic!("planned from a business"),
    }
}

impl From<v1::Individual> for Request {
    fn from(individual: v1::Individual) -> Self {
        Self::Individual(individual)
    }
}

impl From<v1::Business> for Request {
    fn from(business: v1::Business) -> Self {
        Self::Business(business)
    }
}

#[test]
fn a_planned_document_says_what_was_stored_in_place_of_its_file() {
    let planned = CanonicalRequest::new(examples::usa_individual().into()).plan(&clock());
    let front = &individual(&planned).identifying_information[1].documents[0];
    assert!(front.file.is_none());
    assert!(front.media_type() == v1::MediaType::Jpeg);
    assert_eq!(front.size, 170);
    assert_eq!(front.sha256, "73efb2c531fa23d10a2c3aa2b698e6a89489441ee45998178e9d7e809138d6ce");
    assert_eq!(front.uploaded_at, Some(timestamp(clock().now())));
}

#[test]
fn the_planned_files_are_those_of_the_request_under_the_profiles_ids() {
    for request in examples::all() {
        let mut expected = Vec::new();
        let mut profile = match request.clone() {
            Request::Individual(individual) => Profile::Individual(individual),
            Request::Business(business) => Profile::Business(business),
        };
        each_element_mut(&mut profile, &mut |element| {
            if let AnyElementMut::Document(document) = element {
                expected.extend(document.file.take().map(|file| (file.media_type, file.content)));
            }
        });
        let mut planned = CanonicalRequest::new(request).plan(&clock());
        let mut named = Vec::new();
        each_element_mut(&mut planned.profile, &mut |element| {
            if let AnyElementMut::Document(document) = element {
                named.push((document.id.clone(), document.media_type, document.sha256.clone()));
            }
        });
        let files: Vec<_> =
            planned.documents.iter().map(|file| (file.media_type as i32, file.content.clone())).collect();
        assert_eq!(files, expected);
        let ids: Vec<_> = planned
            .documents
            .iter()
            .map(|file| (file.id.to_string(), file.media_type as i32, hex::encode(sha256(&file.content))))
            .collect();
        assert_eq!(ids, named);
    }
}

#[test]
fn the_content_of_a_file_is_not_copied() {
    let request = examples::usa_individual();
    let sent = request.identifying_information[1].documents[0].file.clone().expect("the example brings it").content;
    let planned = CanonicalRequest::new(request.into()).plan(&clock());
    assert_eq!(planned.documents[0].content.as_ptr(), sent.as_ptr());
}

#[test]
fn every_person_identification_and_document_gets_an_id_of_its_own() {
    let mut planned = CanonicalRequest::new(examples::usa_business().into()).plan(&clock());
    let mut ids = Vec::new();
    each_element_mut(&mut planned.profile, &mut |element| {
        ids.push(match element {
            AnyElementMut::AssociatedPerson(person) => person.id.clone(),
            AnyElementMut::Identification(entry) => entry.id.clone(),
            AnyElementMut::Document(document) => document.id.clone(),
        });
    });
    assert!(ids.iter().all(|id| Uuid::parse_str(id).is_ok()));
    assert_eq!(ids.len(), 2 + 3 + 4);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 2 + 3 + 4);
}

#[test]
fn legacy_documents_are_planned_too() {
    let mut user = examples::mexican_business();
    user.documents.push(document(v1::DocumentType::FileSourceOfWealth));
    let planned = CanonicalRequest::new(user.into()).plan(&clock());
    let last = planned.documents.last().expect("a file was sent");
    assert_eq!(business(&planned).documents[0].id, last.id.to_string());
}

#[test]
fn what_only_the_service_may_say_is_not_taken_from_a_request() {
    let mut user = examples::usa_business();
    let expected = fingerprint(user.clone());
    user.registered_address = Some(v1::PostalAddress { city: "Elsewhere".to_owned(), ..v1::PostalAddress::default() });
    user.associated_persons[0].id = "mine".to_owned();
    user.identifying_information[0].id = "mine".to_owned();
    let document = &mut user.identifying_information[0].documents[0];
    document.id = "mine".to_owned();
    document.sha256 = "00".to_owned();
    document.size = 1;
    document.media_type = v1::MediaType::Png.into();
    document.uploaded_at = Some(prost_types::Timestamp::default());
    assert_eq!(fingerprint(user.clone()), expected);
    let planned = CanonicalRequest::new(user.into()).plan(&clock());
    assert!(business(&planned).registered_address.is_none());
    assert_ne!(business(&planned).identifying_information[0].id, "mine");
}

#[test]
fn a_stored_profile_is_read_back() {
    for request in examples::all() {
        let planned = CanonicalRequest::new(request).plan(&clock());
        assert_eq!(decode(&encode(&planned.profile, 0)), Ok(planned.profile));
    }
}

#[test]
fn an_encoded_profile_can_be_sealed_in_place() {
    let planned = CanonicalRequest::new(examples::usa_business().into()).plan(&clock());
    let bytes = encode(&planned.profile, 28);
    assert!(bytes.capacity() >= bytes.len() + 28);
}

#[test]
fn bytes_that_are_no_profile_are_an_error_that_says_nothing_of_them() {
    for bytes in [b"".as_slice(), b"John Doe", b"\xff\xff\xff"] {
        assert_eq!(decode(bytes), Err(UnreadableProfile));
    }
    assert_eq!(UnreadableProfile.to_string(), "the stored profile cannot be read");
}

#[test]
fn nothing_personal_is_printed() {
    let draft = CanonicalRequest::new(examples::usa_individual().into());
    let planned = draft.clone().plan(&clock());
    let printed = format!("{draft:?} {planned:?}");
    for secret in ["Doe", "John", "6789", "D1234567", "Market", "example.com", "JFIF", "1990"] {
        assert!(!printed.contains(secret), "{secret}");
    }
}

#[test]
fn the_same_request_has_the_same_fingerprint_whenever_it_is_planned_and_however_it_came() {
    for request in examples::all() {
        let draft = CanonicalRequest::new(request.clone());
        let wire = v1::CreateUserRequest { idempotency_key: None, user: Some(request) }.encode_to_vec();
        let received = v1::CreateUserRequest::decode(wire.as_slice()).expect("just encoded").user.expect("just set");
        assert_eq!(CanonicalRequest::new(received).fingerprint(sha256), draft.fingerprint(sha256));
    }
}

#[test]
fn the_four_examples_have_four_fingerprints() {
    let mut all: Vec<_> = examples::all().map(fingerprint).to_vec();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 4);
}

#[test]
fn a_group_in_which_nothing_is_given_does_not_change_the_fingerprint() {
    let bare = v1::Individual { email: some("a@b.co"), ..v1::Individual::default() };
    let grouped = v1::Individual {
        address: Some(v1::Address::default()),
        primary_document: Some(v1::PrimaryDocument::default()),
        compliance: Some(v1::IndividualCompliance {
            additional_info: Some(v1::AdditionalInfo::default()),
            ..v1::IndividualCompliance::default()
        }),
        metadata: Some(prost_types::Struct::default()),
        ..bare.clone()
    };
    assert_eq!(fingerprint(bare), fingerprint(grouped));
}

#[test]
fn the_content_of_a_document_counts_in_the_fingerprint() {
    let user = examples::usa_individual();
    let expected = fingerprint(user.clone());
    let change = |change: &dyn Fn(&mut v1::File)| {
        let mut user = user.clone();
        change(user.identifying_information[1].documents[0].file.as_mut().expect("the example brings it"));
        fingerprint(user)
    };
    assert_ne!(change(&|file| file.content = Bytes::from_static(b"\xff\xd8\xff")), expected);
    assert_ne!(change(&|file| file.media_type = v1::MediaType::Png.into()), expected);
    assert_eq!(change(&|file| file.content = Bytes::copy_from_slice(&file.content)), expected);
}

#[test]
fn an_individual_and_a_business_never_have_one_fingerprint() {
    let individual = v1::Individual { email: some("a@b.co"), ..v1::Individual::default() };
    let business = v1::Business { email: some("a@b.co"), ..v1::Business::default() };
    assert_ne!(fingerprint(individual), fingerprint(business));
}

#[test]
fn the_order_of_entries_counts_and_the_order_of_metadata_does_not() {
    let text = |text: &str| prost_types::Value { kind: Some(prost_types::value::Kind::StringValue(text.to_owned())) };
    let pairs = [("a".to_owned(), text("1")), ("b".to_owned(), text("2"))];
    let metadata = |pairs: &[(String, prost_types::Value)]| {
        let fields = pairs.iter().cloned().collect();
        let metadata = Some(prost_types::Struct { fields });
        fingerprint(v1::Individual { metadata, ..examples::usa_individual() })
    };
    let reversed: Vec<_> = pairs.iter().rev().cloned().collect();
    assert_eq!(metadata(&pairs), metadata(&reversed));
    let mut swapped = examples::usa_individual();
    swapped.identifying_information.reverse();
    assert_ne!(fingerprint(swapped), fingerprint(examples::usa_individual()));
}

/// Requests of few values, so that equal pairs are met as well as unequal ones.
fn request() -> impl Strategy<Value = Request> {
    let text = || prop::option::of("[ab]");
    let file = (1..=2_i32, prop::collection::vec(0..2_u8, 1..2))
        .prop_map(|(media_type, content)| v1::File { media_type, content: content.into() });
    let document = (1..=2_i32, file, text()).prop_map(|(kind, file, description)| v1::Document {
        r#type: Some(kind),
        file: Some(file),
        description,
        ..v1::Document::default()
    });
    let entry = (1..=2_i32, text(), prop::collection::vec(document, 0..2)).prop_map(|(kind, number, documents)| {
        v1::Identification { r#type: Some(kind), number, documents, ..v1::Identification::default() }
    });
    let entries = || prop::collection::vec(entry.clone(), 0..2);
    let pep = prop::option::of(any::<bool>());
    (any::<bool>(), text(), text(), entries(), pep, prop::option::of(entries())).prop_map(
        |(is_individual, email, other, entries, pep_status, persons)| {
            if is_individual {
                let compliance = v1::IndividualCompliance { pep_status, ..v1::IndividualCompliance::default() };
                Request::Individual(v1::Individual {
                    email,
                    first_name: other,
                    identifying_information: entries,
                    compliance: Some(compliance).filter(|answers| answers.pep_status.is_some()),
                    ..v1::Individual::default()
                })
            } else {
                let person = |entries| v1::AssociatedPerson {
                    identifying_information: entries,
                    is_signer: pep_status,
                    ..v1::AssociatedPerson::default()
                };
                Request::Business(v1::Business {
                    email,
                    ein: other,
                    identifying_information: entries,
                    associated_persons: persons.into_iter().map(person).collect(),
                    ..v1::Business::default()
                })
            }
        },
    )
}

proptest! {
    #[test]
    fn fingerprints_are_equal_where_the_requests_are_and_nowhere_else(one in request(), other in request()) {
        prop_assert_eq!(fingerprint(one.clone()), fingerprint(one.clone()));
        prop_assert_eq!(fingerprint(one.clone()) == fingerprint(other.clone()), one == other);
    }
}
