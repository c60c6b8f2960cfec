//! What an answer shows can be sent back: whole, masked, changed in one place.

use kira_users::contract::v1;
use kira_users::contract::v1::update_user_request::User as Change;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::requests::{EXAMPLES, example, message, with};
use crate::harness::service::{Client, Service};
use crate::updates::support::{
    created, grpc_update, problem, problems_of, put, put_with, send, shown, updated, violations_of,
};

const MASKED: &[(&str, &str)] = &[("KIRA_MASK_NUMBERS", "true")];

/// Every example with all that its own does not bring: numbers of every kind, documents, the client's own pairs.
fn examples() -> Vec<Value> {
    let mut all: Vec<Value> = EXAMPLES.iter().map(|text| example(text)).collect();
    for user in &mut all {
        user["document_type"] = json!("passport");
        user["document_number"] = json!("P-1234567");
        user["document_country"] = json!("USA");
        user["additional_info"] = json!({"has_us_bank_account": "No"});
        user["metadata"] = json!({
            "note": "***", "none": null, "deep": {"ssn": [1, null, "x"]}, "nit": "900.373.115-8", "number": -0.5,
        });
        if user["type"] == "business" {
            user["cnpj"] = json!("11.222.333/0001-81");
            user["representative_ssn"] = json!("987-65-4321");
            user["identifying_information"][0]["number"] = json!("BF-778899");
        }
    }
    all
}

async fn version(client: &Client, id: &str) -> String {
    client.get(&format!("/v1/users/{id}")).await.header("etag").expect("a tag").to_owned()
}

#[tokio::test]
async fn the_whole_body_of_a_get_is_no_change() {
    for settings in [&[], MASKED] {
        let service = Service::start_with(settings).await;
        let client = service.client().await;
        for body in examples() {
            let id = created(&client, &body).await;
            let before = version(&client, &id).await;
            let user = shown(&client, &id).await;
            let after = updated(&client, &id, &user).await;
            assert_eq!(after["updated_fields"], json!([]), "{user}");
            assert_eq!(after["verification_triggered"], false);
            // The answer of an update, with the entries of an individual, is a good request too.
            assert_eq!(updated(&client, &id, &after).await["updated_fields"], json!([]));
            assert_eq!((version(&client, &id).await, shown(&client, &id).await), (before, user));
        }
    }
}

#[tokio::test]
async fn one_leaf_that_is_changed_in_what_a_get_shows_is_the_only_change() {
    for settings in [&[], MASKED] {
        let service = Service::start_with(settings).await;
        let client = service.client().await;
        let leaves = [
            (0, "/phone", json!("+12025550199"), "phone"),
            (0, "/metadata/note", json!("another"), "metadata"),
            (1, "/gender", json!("other"), "gender"),
            (2, "/ein", json!("98-7654321"), "ein"),
            (2, "/representative_ssn", json!("987-65-0000"), "representative_ssn"),
            (2, "/associated_persons/1/ssn", json!("111-22-0000"), "associated_persons.1.ssn"),
            (3, "/associated_persons/0/title", json!("Gerente"), "associated_persons.0.title"),
            (
                3,
                "/associated_persons/0/identifying_information/0/number",
                json!("HERC700214HDFRRL02"),
                "associated_persons.0.identifying_information.0.number",
            ),
            (3, "/identifying_information/1/description", json!("Otro"), "identifying_information.1.description"),
            (3, "/business_industry", json!(["utilities"]), "business_industry"),
        ];
        for (index, pointer, value, field) in leaves {
            let id = created(&client, &examples()[index]).await;
            let changed = with(shown(&client, &id).await, pointer, value);
            let after = updated(&client, &id, &changed).await;
            assert_eq!(after["updated_fields"], json!([field]), "{pointer}");
        }
    }
}

#[tokio::test]
async fn the_whole_user_is_sent_back_over_grpc_too() {
    for settings in [&[], MASKED] {
        let service = Service::start_with(settings).await;
        let client = service.client().await;
        for body in examples() {
            let id = created(&client, &body).await;
            let request = client.call(v1::GetUserRequest { user_id: Some(id.clone()) });
            let user = client.grpc().get_user(request).await.expect("a user").into_inner().user.expect("a user");
            let after = grpc_update(&client, &id, Some(change_of(user))).await.expect("no change");
            assert_eq!(after.outcome.expect("an outcome").updated_fields, Vec::<String>::new());
        }
    }
}

/// What a gRPC client sends that copies field by field.
fn change_of(user: v1::User) -> Change {
    let (email, metadata) = (Some(user.email), user.metadata);
    match user.details.expect("a kind") {
        v1::user::Details::Individual(user) => Change::Individual(v1::IndividualChange {
            email,
            first_name: user.first_name,
            last_name: user.last_name,
            middle_name: user.middle_name,
            phone: user.phone,
            birth_date: user.birth_date,
            nationality: user.nationality,
            gender: user.gender,
            metadata,
            ..v1::IndividualChange::default()
        }),
        v1::user::Details::Business(user) => Change::Business(v1::BusinessChange {
            email,
            business_legal_name: user.business_legal_name,
            ein: user.ein,
            rfc: user.rfc,
            cnpj: user.cnpj,
            business_industry: Some(v1::BusinessIndustries { values: user.business_industry }),
            primary_document: user.primary_document,
            representative: user.representative,
            associated_persons: user.associated_persons.into_iter().map(person).collect(),
            identifying_information: user.identifying_information.into_iter().map(entry).collect(),
            compliance: user.compliance,
            metadata,
            ..v1::BusinessChange::default()
        }),
    }
}

fn person(person: v1::AssociatedPerson) -> v1::AssociatedPersonChange {
    v1::AssociatedPersonChange {
        id: Some(person.id),
        first_name: person.first_name,
        last_name: person.last_name,
        ssn: person.ssn,
        address: person.address,
        identifying_information: person.identifying_information.into_iter().map(entry).collect(),
        ..v1::AssociatedPersonChange::default()
    }
}

fn entry(entry: v1::Identification) -> v1::IdentificationChange {
    v1::IdentificationChange {
        id: Some(entry.id),
        r#type: entry.r#type,
        issuing_country: entry.issuing_country,
        number: entry.number,
        ..v1::IdentificationChange::default()
    }
}

/// The places of every number of a request: of an individual, and of a business.
const NUMBERS: [(usize, &str); 10] = [
    (0, "/document_number"),
    (0, "/identifying_information/0/number"),
    (0, "/identifying_information/1/number"),
    (3, "/ein"),
    (3, "/rfc"),
    (3, "/cnpj"),
    (3, "/representative_ssn"),
    (3, "/associated_persons/0/ssn"),
    (3, "/associated_persons/1/identifying_information/0/number"),
    (3, "/identifying_information/0/number"),
];

#[tokio::test]
async fn a_number_with_a_hidden_part_is_refused_wherever_it_is_sent() {
    let service = Service::start().await;
    let client = service.client().await;
    for (index, pointer) in NUMBERS {
        for mask in ["***-**-6789", "***6788", "•••••6789", "XXX-XX-6789"] {
            let mut body = examples()[index].clone();
            let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
            body.pointer_mut(parent).expect("the object")[key] = json!(mask);
            let expected = [problem(&pointer[1..].replace('/', "."), "custom")];
            assert_eq!(problems_of(&client.create(&body).await), expected, "create {pointer}");
            let dry = send(&client, Method::POST, "/v1/users:validate", &[], &body).await;
            assert_eq!(problems_of(&dry), expected, "validate {pointer}");
            let status = client.grpc_create(uuid::Uuid::new_v4(), message(&body)).await.expect_err("a refusal");
            assert_eq!(violations_of(&status), expected, "gRPC {pointer}");
        }
    }
}

#[tokio::test]
async fn a_mask_that_is_not_the_numbers_own_is_refused_by_an_update() {
    let service = Service::start_with(MASKED).await;
    let client = service.client().await;
    let id = created(&client, &example(EXAMPLES[2])).await;
    let person = shown(&client, &id).await["associated_persons"][0].clone();
    let change = json!({"ein": "***6788", "associated_persons": [{"id": person["id"], "ssn": "***-**-0000"}],
        "identifying_information": [{"type": "ssn", "issuing_country": "USA", "number": "***-**-6789"}],
        "metadata": {"ein": "***0000", "itin": "***-**-1111", "note": "***"}});
    let paths =
        ["ein", "associated_persons.0.ssn", "identifying_information.0.number", "metadata.ein", "metadata.itin"];
    let expected = paths.map(|path| problem(path, "custom"));
    assert_eq!(problems_of(&put(&client, &id, &change).await), expected);
    let path = format!("/v1/users/{id}");
    assert_eq!(problems_of(&send(&client, Method::PATCH, &path, &[], &change).await), expected);
    let change = v1::BusinessChange { ein: Some("***6788".to_owned()), ..v1::BusinessChange::default() };
    let status = grpc_update(&client, &id, Some(Change::Business(change))).await.expect_err("a refusal");
    assert_eq!(violations_of(&status), [problem("ein", "custom")]);
}

#[tokio::test]
async fn the_clients_own_pair_under_the_key_of_a_number_is_masked_too() {
    let service = Service::start_with(MASKED).await;
    let client = service.client().await;
    let mut body = example(EXAMPLES[0]);
    body["metadata"] = json!({"itin": "912-34-5678", "cnpj": "11222333000181"});
    let id = created(&client, &body).await;
    let user = shown(&client, &id).await;
    assert_eq!(user["metadata"]["itin"], "***-**-5678");
    assert_eq!(user["metadata"]["cnpj"], "***0181");
    assert_eq!(updated(&client, &id, &user).await["updated_fields"], json!([]));
    let mut copied = body;
    copied["metadata"]["itin"] = json!("***-**-5678");
    assert_eq!(problems_of(&client.create(&copied).await), [problem("metadata.itin", "custom")]);
}

#[tokio::test]
async fn what_the_service_adds_to_metadata_is_changed_at_its_own_field() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &example(EXAMPLES[0])).await;
    let refused = put(&client, &id, &json!({"metadata": {"occupation": "Pilot", "ssn": null, "a": 1}})).await;
    let places = [problem("metadata.occupation", "custom"), problem("metadata.ssn", "custom")];
    assert_eq!(problems_of(&refused), places);
    assert!(refused.text.contains("change `occupation`") && refused.text.contains("change `identifying_information`"));
    // The field changes, and its copy is as it was shown, or as it will be.
    for (occupation, copy) in [("Pilot", None), ("Baker", Some("Baker"))] {
        let mut user = shown(&client, &id).await;
        if let Some(copy) = copy {
            user["metadata"]["occupation"] = json!(copy);
        }
        user["occupation"] = json!(occupation);
        let after = updated(&client, &id, &user).await;
        assert_eq!(after["updated_fields"], json!(["occupation"]));
        assert_eq!(after["metadata"]["occupation"], json!(occupation));
    }
}

#[tokio::test]
async fn a_user_made_of_anothers_answer_keeps_no_copies_in_its_own_metadata() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &example(EXAMPLES[2])).await;
    let mut copy = shown(&client, &id).await;
    for list in ["associated_persons", "identifying_information"] {
        copy.as_object_mut().expect("an object").remove(list);
    }
    let twin = created(&client, &copy).await;
    assert_eq!(shown(&client, &twin).await["metadata"], shown(&client, &id).await["metadata"]);
    updated(&client, &twin, &json!({"ein": ""})).await;
    assert_eq!(shown(&client, &twin).await["metadata"].get("ein"), None, "no copy comes up behind it");
}

#[tokio::test]
async fn a_change_of_metadata_is_named_by_metadata_alone() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &example(EXAMPLES[0])).await;
    let change = json!({"metadata": {"batch": "7", "b": {"c": 1}}});
    assert_eq!(updated(&client, &id, &change).await["updated_fields"], json!(["metadata"]));
    assert_eq!(updated(&client, &id, &change).await["updated_fields"], json!([]));
    assert_eq!(
        updated(&client, &id, &json!({"metadata": {"batch": null}})).await["updated_fields"],
        json!(["metadata"])
    );
}

#[tokio::test]
async fn problems_of_reading_and_of_rules_are_in_the_order_of_the_schema() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &example(EXAMPLES[3])).await;
    let long = "9".repeat(1_025);
    let person = json!({"first_name": 5, "last_name": "", "ssn": long, "has_ownership": "yes", "email": "nobody"});
    let body = json!({"metadata": 5, "associated_persons": [person], "rfc": 5, "ein": long, "registered_address": {},
        "phone": "1", "identifying_information": [{"id": "none"}], "business_legal_name": 1});
    let expected = [
        problem("business_legal_name", "invalid_type"),
        problem("phone", "invalid_string"),
        problem("ein", "too_big"),
        problem("rfc", "invalid_type"),
        problem("associated_persons.0.first_name", "invalid_type"),
        problem("associated_persons.0.last_name", "too_small"),
        problem("associated_persons.0.email", "invalid_string"),
        problem("associated_persons.0.has_ownership", "invalid_type"),
        problem("associated_persons.0.ssn", "too_big"),
        problem("identifying_information.0.id", "custom"),
        problem("metadata", "invalid_type"),
    ];
    assert_eq!(problems_of(&put(&client, &id, &body).await), expected);
    let strict = put_with(&client, &id, &[("prefer", "handling=strict")], &body).await;
    assert_eq!(problems_of(&strict)[..11], expected);
}

#[tokio::test]
async fn the_users_own_id_may_stand_in_the_body_as_well() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &example(EXAMPLES[0])).await;
    let body = json!({"user_id": id, "phone": "+12025550199"});
    assert_eq!(updated(&client, &id, &body).await["updated_fields"], json!(["phone"]));
    let other = json!({"user_id": uuid::Uuid::nil()});
    assert_eq!(problems_of(&put(&client, &id, &other).await), [problem("user_id", "custom")]);
}
