//! By which values a user is found.

use std::collections::BTreeSet;

use super::{Profile, documents, non_empty};
use crate::contract::v1::{self, AnyElement};
use crate::domain::lookup::{self, Purpose};

/// How many values of one user are indexed at most; an ordinary user has ten. What is beyond is not found.
pub const MOST_ENTRIES: usize = 2_000;

/// The values by which a user is found, in the form in which they are compared.
#[must_use]
pub fn entries(profile: &Profile) -> BTreeSet<(Purpose, String)> {
    let (email, phone) = match profile {
        Profile::Individual(user) => (&user.email, &user.phone),
        Profile::Business(user) => (&user.email, &user.phone),
    };
    let mut found = BTreeSet::new();
    found.extend(non_empty(email).map(|email| (Purpose::Email, lookup::email(email))));
    found.extend(non_empty(phone).map(|phone| (Purpose::Phone, lookup::phone(phone))));
    found.extend(external_id(profile).map(|id| (Purpose::ExternalId, lookup::external_id(id))));
    found.extend(numbers(profile).into_iter().map(|number| (Purpose::Number, number)));
    found.extend(documents(profile).into_iter().map(|document| (Purpose::File, document.sha256.clone())));
    if let Profile::Business(user) = profile {
        found.extend(non_empty(&user.business_legal_name).map(|name| (Purpose::Company, lookup::company(name))));
        let domain = non_empty(&user.business_website).and_then(lookup::web_domain);
        found.extend(domain.map(|domain| (Purpose::Domain, domain)));
    }
    for word in words(profile) {
        found.extend(lookup::beginnings(&word).map(|beginning| (Purpose::Name, beginning)));
    }
    // What has no letter or digit is no value.
    found.retain(|(_, value)| !value.is_empty());
    if let Some(first_beyond) = found.iter().nth(MOST_ENTRIES).cloned() {
        found.split_off(&first_beyond);
    }
    found
}

/// The client's own reference.
#[must_use]
pub fn external_id(profile: &Profile) -> Option<&str> {
    match profile {
        Profile::Individual(user) => non_empty(&user.external_id),
        Profile::Business(user) => non_empty(&user.external_id),
    }
}

/// The tax and document numbers of a user and of the persons that belong to it.
fn numbers(profile: &Profile) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut note = |number: &Option<String>| found.extend(non_empty(number).map(lookup::number));
    each_element(profile, &mut |element| match element {
        AnyElement::Identification(entry) => note(&entry.number),
        AnyElement::AssociatedPerson(person) => note(&person.ssn),
        AnyElement::Document(_) => {}
    });
    let primary = match profile {
        Profile::Individual(user) => &user.primary_document,
        Profile::Business(user) => {
            [&user.ein, &user.rfc, &user.cnpj].into_iter().for_each(&mut note);
            user.representative.iter().for_each(|representative| note(&representative.ssn));
            &user.primary_document
        }
    };
    primary.iter().for_each(|document| note(&document.number));
    found
}

/// The words of the names of a user and of the persons that belong to it.
#[must_use]
pub fn words(profile: &Profile) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut note = |name: &Option<String>| found.extend(non_empty(name).into_iter().flat_map(lookup::words));
    each_element(profile, &mut |element| {
        if let AnyElement::AssociatedPerson(person) = element {
            [&person.first_name, &person.middle_name, &person.last_name].into_iter().for_each(&mut note);
        }
    });
    match profile {
        Profile::Individual(user) => {
            [&user.first_name, &user.middle_name, &user.last_name].into_iter().for_each(&mut note);
        }
        Profile::Business(user) => {
            let v1::Business { business_legal_name, business_trade_name, doing_business_as, .. } = user;
            [business_legal_name, business_trade_name, doing_business_as].into_iter().for_each(&mut note);
            if let Some(representative) = &user.representative {
                [&representative.first_name, &representative.last_name].into_iter().for_each(&mut note);
            }
        }
    }
    found
}

fn each_element(profile: &Profile, see: &mut dyn FnMut(AnyElement<'_>)) {
    match profile {
        Profile::Individual(user) => user.each_element(see),
        Profile::Business(user) => user.each_element(see),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    fn found(profile: &Profile, purpose: Purpose) -> Vec<String> {
        entries(profile).into_iter().filter(|entry| entry.0 == purpose).map(|entry| entry.1).collect()
    }

    #[test]
    fn an_individual_is_found_by_every_value_that_identifies_it() {
        let entry = |number: &str| v1::Identification { number: text(number), ..v1::Identification::default() };
        let profile = Profile::Individual(v1::Individual {
            email: text("Ada@Example.com"),
            first_name: text("Ada Maria"),
            last_name: text("Lovelace"),
            phone: text("+12025551234"),
            external_id: text("Client-7"),
            identifying_information: vec![entry("123-45-6789"), entry("")],
            primary_document: Some(v1::PrimaryDocument { number: text("123456789"), ..v1::PrimaryDocument::default() }),
            documents: vec![v1::Document { sha256: "ab".repeat(32), ..v1::Document::default() }],
            ..v1::Individual::default()
        });
        assert_eq!(found(&profile, Purpose::Email), ["ada@example.com"]);
        assert_eq!(found(&profile, Purpose::Phone), ["12025551234"]);
        assert_eq!(found(&profile, Purpose::ExternalId), ["Client-7"]);
        assert_eq!(found(&profile, Purpose::Number), ["123456789"], "one number, written twice");
        assert_eq!(found(&profile, Purpose::File), ["ab".repeat(32)]);
        assert_eq!(found(&profile, Purpose::Name), ["ada", "lov", "lovel", "mar", "maria"]);
        assert_eq!(words(&profile).into_iter().collect::<Vec<_>>(), ["ada", "lovelace", "maria"]);
    }

    #[test]
    fn a_business_is_found_by_its_own_values_and_those_of_its_persons() {
        let person = v1::AssociatedPerson {
            first_name: text("Grace"),
            last_name: text("Hopper"),
            email: text("grace@example.com"),
            ssn: text("987-65-4321"),
            ..v1::AssociatedPerson::default()
        };
        let profile = Profile::Business(v1::Business {
            email: text("info@acme.example"),
            business_legal_name: text("Acmé, Inc."),
            doing_business_as: text("Roadrunner"),
            business_website: text("https://www.acme.example/"),
            ein: text("12-3456789"),
            associated_persons: vec![person],
            ..v1::Business::default()
        });
        assert_eq!(found(&profile, Purpose::Email), ["info@acme.example"], "the address of a person is not the user's");
        assert_eq!(found(&profile, Purpose::Company), ["acme inc"]);
        assert_eq!(found(&profile, Purpose::Domain), ["acme.example"]);
        assert_eq!(found(&profile, Purpose::Number), ["123456789", "987654321"]);
        let names = ["acm", "gra", "grace", "hop", "hoppe", "inc", "roa", "roadr"];
        assert_eq!(found(&profile, Purpose::Name), names);
    }

    #[test]
    fn a_user_with_countless_values_keeps_the_most_important_ones() {
        let entry = |number: usize| v1::Identification { number: Some(format!("N{number}")), ..Default::default() };
        let profile = Profile::Individual(v1::Individual {
            email: text("a@b.example"),
            first_name: text("Ada"),
            identifying_information: (0..3_000).map(entry).collect(),
            ..v1::Individual::default()
        });
        assert_eq!(entries(&profile).len(), MOST_ENTRIES);
        assert_eq!(found(&profile, Purpose::Email), ["a@b.example"]);
        assert!(found(&profile, Purpose::Name).is_empty());
    }
}
