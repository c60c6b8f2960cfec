//! Every field of a change, applied to the stored field of the same name. The patterns name all fields, so that one that
//! is added to the contract cannot be forgotten here.

use super::recorder::{ElementChange, Places, Recorder};
use crate::contract::v1;

/// Changes an individual.
pub(super) fn individual(recorder: &mut Recorder, stored: &mut v1::Individual, change: v1::IndividualChange) -> Places {
    let v1::IndividualChange {
        email,
        first_name,
        last_name,
        middle_name,
        phone,
        birth_date,
        nationality,
        gender,
        external_id,
        address,
        primary_document,
        identifying_information,
        compliance,
        metadata,
        documents,
    } = change;
    let mut places = Places::default();
    recorder.field("email", &mut stored.email, email);
    recorder.field("first_name", &mut stored.first_name, first_name);
    recorder.field("last_name", &mut stored.last_name, last_name);
    recorder.field("middle_name", &mut stored.middle_name, middle_name);
    recorder.field("phone", &mut stored.phone, phone);
    recorder.field("birth_date", &mut stored.birth_date, birth_date);
    recorder.field("nationality", &mut stored.nationality, nationality);
    recorder.field("gender", &mut stored.gender, gender);
    recorder.field("external_id", &mut stored.external_id, external_id);
    change_address(recorder, &mut stored.address, address);
    change_primary_document(recorder, &mut stored.primary_document, primary_document);
    recorder.list(&mut places, "identifying_information", &mut stored.identifying_information, identifying_information);
    change_individual_compliance(recorder, &mut stored.compliance, compliance);
    recorder.metadata(&mut stored.metadata, metadata);
    recorder.list(&mut places, "documents", &mut stored.documents, documents);
    places
}

/// Changes a business.
pub(super) fn business(recorder: &mut Recorder, stored: &mut v1::Business, change: v1::BusinessChange) -> Places {
    let v1::BusinessChange {
        email,
        business_legal_name,
        business_trade_name,
        doing_business_as,
        business_type,
        business_description,
        business_industry,
        business_website,
        phone,
        external_id,
        formation_date,
        formation_state,
        formation_country,
        address,
        ein,
        rfc,
        cnpj,
        primary_document,
        representative,
        associated_persons,
        identifying_information,
        compliance,
        metadata,
        documents,
    } = change;
    let mut places = Places::default();
    recorder.field("email", &mut stored.email, email);
    recorder.field("business_legal_name", &mut stored.business_legal_name, business_legal_name);
    recorder.field("business_trade_name", &mut stored.business_trade_name, business_trade_name);
    recorder.field("doing_business_as", &mut stored.doing_business_as, doing_business_as);
    recorder.field("business_type", &mut stored.business_type, business_type);
    recorder.field("business_description", &mut stored.business_description, business_description);
    recorder.replace("business_industry", &mut stored.business_industry, business_industry.map(|sent| sent.values));
    recorder.field("business_website", &mut stored.business_website, business_website);
    recorder.field("phone", &mut stored.phone, phone);
    recorder.field("external_id", &mut stored.external_id, external_id);
    recorder.field("formation_date", &mut stored.formation_date, formation_date);
    recorder.field("formation_state", &mut stored.formation_state, formation_state);
    recorder.field("formation_country", &mut stored.formation_country, formation_country);
    change_address(recorder, &mut stored.address, address);
    recorder.field("ein", &mut stored.ein, ein);
    recorder.field("rfc", &mut stored.rfc, rfc);
    recorder.field("cnpj", &mut stored.cnpj, cnpj);
    change_primary_document(recorder, &mut stored.primary_document, primary_document);
    change_representative(recorder, &mut stored.representative, representative);
    recorder.list(&mut places, "associated_persons", &mut stored.associated_persons, associated_persons);
    recorder.list(&mut places, "identifying_information", &mut stored.identifying_information, identifying_information);
    change_business_compliance(recorder, &mut stored.compliance, compliance);
    recorder.metadata(&mut stored.metadata, metadata);
    recorder.list(&mut places, "documents", &mut stored.documents, documents);
    places
}

impl ElementChange for v1::AssociatedPersonChange {
    type Element = v1::AssociatedPerson;

    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    fn removes(&self) -> bool {
        self.delete == Some(true)
    }

    fn apply(self, recorder: &mut Recorder, stored: &mut v1::AssociatedPerson) -> Places {
        let Self {
            id: _,
            delete: _,
            first_name,
            last_name,
            middle_name,
            email,
            birth_date,
            nationality,
            title,
            has_ownership,
            ownership_percentage,
            has_control,
            is_signer,
            ssn,
            address,
            identifying_information,
        } = self;
        let mut places = Places::default();
        recorder.field("first_name", &mut stored.first_name, first_name);
        recorder.field("last_name", &mut stored.last_name, last_name);
        recorder.field("middle_name", &mut stored.middle_name, middle_name);
        recorder.field("email", &mut stored.email, email);
        recorder.field("birth_date", &mut stored.birth_date, birth_date);
        recorder.field("nationality", &mut stored.nationality, nationality);
        recorder.field("title", &mut stored.title, title);
        recorder.field("has_ownership", &mut stored.has_ownership, has_ownership);
        recorder.field("ownership_percentage", &mut stored.ownership_percentage, ownership_percentage);
        recorder.field("has_control", &mut stored.has_control, has_control);
        recorder.field("is_signer", &mut stored.is_signer, is_signer);
        recorder.field("ssn", &mut stored.ssn, ssn);
        change_address(recorder, &mut stored.address, address);
        recorder.list(
            &mut places,
            "identifying_information",
            &mut stored.identifying_information,
            identifying_information,
        );
        places
    }
}

impl ElementChange for v1::IdentificationChange {
    type Element = v1::Identification;

    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    fn removes(&self) -> bool {
        self.delete == Some(true)
    }

    fn apply(self, recorder: &mut Recorder, stored: &mut v1::Identification) -> Places {
        let Self { id: _, delete: _, r#type, issuing_country, number, expiration, description, documents } = self;
        let mut places = Places::default();
        recorder.field("type", &mut stored.r#type, r#type);
        recorder.field("issuing_country", &mut stored.issuing_country, issuing_country);
        recorder.field("number", &mut stored.number, number);
        recorder.field("expiration", &mut stored.expiration, expiration);
        recorder.field("description", &mut stored.description, description);
        recorder.list(&mut places, "documents", &mut stored.documents, documents);
        places
    }
}

impl ElementChange for v1::DocumentChange {
    type Element = v1::Document;

    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    fn removes(&self) -> bool {
        self.delete == Some(true)
    }

    fn apply(self, recorder: &mut Recorder, stored: &mut v1::Document) -> Places {
        let Self { id: _, delete: _, r#type, file, description } = self;
        recorder.field("type", &mut stored.r#type, r#type);
        match file {
            Some(_) if !recorder.is_new() => {
                recorder.problem("file", "custom", "A stored file cannot change: remove the document and add another");
            }
            file => stored.file = stored.file.take().or(file),
        }
        recorder.field("description", &mut stored.description, description);
        Places::default()
    }
}

fn change_address(recorder: &mut Recorder, stored: &mut Option<v1::Address>, sent: Option<v1::Address>) {
    let Some(v1::Address { street, street_2, city, state, zip_code, country }) = sent else { return };
    let stored = stored.get_or_insert_default();
    recorder.field("address_street", &mut stored.street, street);
    recorder.field("address_street_2", &mut stored.street_2, street_2);
    recorder.field("address_city", &mut stored.city, city);
    recorder.field("address_state", &mut stored.state, state);
    recorder.field("address_zip_code", &mut stored.zip_code, zip_code);
    recorder.field("address_country", &mut stored.country, country);
}

fn change_primary_document(
    recorder: &mut Recorder,
    stored: &mut Option<v1::PrimaryDocument>,
    sent: Option<v1::PrimaryDocument>,
) {
    let Some(v1::PrimaryDocument { r#type, number, country }) = sent else { return };
    let stored = stored.get_or_insert_default();
    recorder.field("document_type", &mut stored.r#type, r#type);
    recorder.field("document_number", &mut stored.number, number);
    recorder.field("document_country", &mut stored.country, country);
}

fn change_representative(
    recorder: &mut Recorder,
    stored: &mut Option<v1::LegalRepresentative>,
    sent: Option<v1::LegalRepresentative>,
) {
    let Some(v1::LegalRepresentative { first_name, last_name, title, birth_date, ssn }) = sent else { return };
    let stored = stored.get_or_insert_default();
    recorder.field("representative_first_name", &mut stored.first_name, first_name);
    recorder.field("representative_last_name", &mut stored.last_name, last_name);
    recorder.field("representative_title", &mut stored.title, title);
    recorder.field("representative_birth_date", &mut stored.birth_date, birth_date);
    recorder.field("representative_ssn", &mut stored.ssn, ssn);
}

fn change_individual_compliance(
    recorder: &mut Recorder,
    stored: &mut Option<v1::IndividualCompliance>,
    sent: Option<v1::IndividualCompliance>,
) {
    let Some(v1::IndividualCompliance {
        pep_status,
        source_of_funds,
        account_purpose,
        expected_monthly_payments,
        employment_status,
        current_employer,
        income_source,
        occupation,
        immigration_status,
        additional_info,
    }) = sent
    else {
        return;
    };
    let stored = stored.get_or_insert_default();
    recorder.field("pep_status", &mut stored.pep_status, pep_status);
    recorder.field("source_of_funds", &mut stored.source_of_funds, source_of_funds);
    recorder.field("account_purpose", &mut stored.account_purpose, account_purpose);
    recorder.field("expected_monthly_payments", &mut stored.expected_monthly_payments, expected_monthly_payments);
    recorder.field("employment_status", &mut stored.employment_status, employment_status);
    recorder.field("current_employer", &mut stored.current_employer, current_employer);
    recorder.field("income_source", &mut stored.income_source, income_source);
    recorder.field("occupation", &mut stored.occupation, occupation);
    recorder.field("immigration_status", &mut stored.immigration_status, immigration_status);
    change_additional_info(recorder, &mut stored.additional_info, additional_info);
}

fn change_business_compliance(
    recorder: &mut Recorder,
    stored: &mut Option<v1::BusinessCompliance>,
    sent: Option<v1::BusinessCompliance>,
) {
    let Some(v1::BusinessCompliance {
        pep_status,
        source_of_funds,
        account_purpose,
        expected_monthly_payments,
        has_material_intermediary_ownership,
        additional_info,
    }) = sent
    else {
        return;
    };
    let stored = stored.get_or_insert_default();
    recorder.field("pep_status", &mut stored.pep_status, pep_status);
    recorder.field("source_of_funds", &mut stored.source_of_funds, source_of_funds);
    recorder.field("account_purpose", &mut stored.account_purpose, account_purpose);
    recorder.field("expected_monthly_payments", &mut stored.expected_monthly_payments, expected_monthly_payments);
    recorder.field(
        "has_material_intermediary_ownership",
        &mut stored.has_material_intermediary_ownership,
        has_material_intermediary_ownership,
    );
    change_additional_info(recorder, &mut stored.additional_info, additional_info);
}

fn change_additional_info(
    recorder: &mut Recorder,
    stored: &mut Option<v1::AdditionalInfo>,
    sent: Option<v1::AdditionalInfo>,
) {
    let Some(v1::AdditionalInfo {
        has_us_bank_account,
        has_denied_bank_account,
        denied_bank_account_explain,
        past_owner_interaction,
        past_owner_interaction_explain,
        any_politically_exposed_person,
        any_politically_exposed_person_explain,
        past_business_interaction,
        past_business_interaction_explain,
    }) = sent
    else {
        return;
    };
    let stored = stored.get_or_insert_default();
    recorder.within("additional_info", |recorder| {
        recorder.field("has_us_bank_account", &mut stored.has_us_bank_account, has_us_bank_account);
        recorder.field("has_denied_bank_account", &mut stored.has_denied_bank_account, has_denied_bank_account);
        recorder.field(
            "denied_bank_account_explain",
            &mut stored.denied_bank_account_explain,
            denied_bank_account_explain,
        );
        recorder.field("past_owner_interaction", &mut stored.past_owner_interaction, past_owner_interaction);
        recorder.field(
            "past_owner_interaction_explain",
            &mut stored.past_owner_interaction_explain,
            past_owner_interaction_explain,
        );
        recorder.field(
            "any_politically_exposed_person",
            &mut stored.any_politically_exposed_person,
            any_politically_exposed_person,
        );
        recorder.field(
            "any_politically_exposed_person_explain",
            &mut stored.any_politically_exposed_person_explain,
            any_politically_exposed_person_explain,
        );
        recorder.field("past_business_interaction", &mut stored.past_business_interaction, past_business_interaction);
        recorder.field(
            "past_business_interaction_explain",
            &mut stored.past_business_interaction_explain,
            past_business_interaction_explain,
        );
    });
}
