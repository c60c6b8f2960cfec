//! The four example requests of the specification, with small real files in place of the placeholders.

use bytes::Bytes;

use crate::contract::v1;
use crate::contract::v1::create_user_request::User as Request;

const FRONT: &[u8] = include_bytes!("../../tests/fixtures/files/front.jpg");
const BACK: &[u8] = include_bytes!("../../tests/fixtures/files/back.jpg");
const PROOF_OF_ADDRESS: &[u8] = include_bytes!("../../tests/fixtures/files/proof_of_address.png");
const BUSINESS_FORMATION: &[u8] = include_bytes!("../../tests/fixtures/files/business_formation.pdf");

pub(crate) fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

pub(crate) fn document(kind: v1::DocumentType) -> v1::Document {
    let (media_type, content) = match kind {
        v1::DocumentType::Back => (v1::MediaType::Jpeg, BACK),
        v1::DocumentType::FileProofOfAddress => (v1::MediaType::Png, PROOF_OF_ADDRESS),
        v1::DocumentType::FileBusinessFormation => (v1::MediaType::Pdf, BUSINESS_FORMATION),
        _ => (v1::MediaType::Jpeg, FRONT),
    };
    v1::Document {
        r#type: Some(kind.into()),
        file: Some(v1::File { media_type: media_type.into(), content: Bytes::from_static(content) }),
        ..v1::Document::default()
    }
}

pub(crate) fn entry(
    kind: v1::IdentificationType,
    country: &str,
    number: Option<&str>,
    documents: &[v1::DocumentType],
) -> v1::Identification {
    v1::Identification {
        r#type: Some(kind.into()),
        issuing_country: some(country),
        number: number.map(str::to_owned),
        documents: documents.iter().copied().map(document).collect(),
        ..v1::Identification::default()
    }
}

fn expiring(expiration: &str, entry: v1::Identification) -> v1::Identification {
    v1::Identification { expiration: some(expiration), ..entry }
}

fn described(description: &str, entry: v1::Identification) -> v1::Identification {
    v1::Identification { description: some(description), ..entry }
}

fn address([street, street_2, city, state, zip_code, country]: [&str; 6]) -> Option<v1::Address> {
    Some(v1::Address {
        street: some(street),
        street_2: some(street_2).filter(|text| !text.is_empty()),
        city: some(city),
        state: some(state),
        zip_code: some(zip_code),
        country: some(country),
    })
}

/// "Example Request - Individual USA"
pub(crate) fn usa_individual() -> v1::Individual {
    use v1::DocumentType::{Back, FileProofOfAddress, Front};
    use v1::IdentificationType::{DriversLicense, Ssn};
    v1::Individual {
        first_name: some("John"),
        last_name: some("Doe"),
        middle_name: some("William"),
        email: some("john@example.com"),
        phone: some("+12025551234"),
        birth_date: some("1990-01-15"),
        nationality: some("USA"),
        gender: Some(v1::Gender::Male.into()),
        external_id: some("your-internal-id-123"),
        address: address(["123 Main Street", "Apt 4B", "San Francisco", "CA", "94105", "USA"]),
        identifying_information: vec![
            entry(Ssn, "USA", Some("123-45-6789"), &[]),
            expiring("2028-01-15", entry(DriversLicense, "USA", Some("D1234567"), &[Front, Back, FileProofOfAddress])),
        ],
        compliance: Some(v1::IndividualCompliance {
            pep_status: Some(false),
            source_of_funds: Some(v1::IndividualSourceOfFunds::Salary.into()),
            account_purpose: Some(v1::IndividualAccountPurpose::ManagePersonalFunds.into()),
            employment_status: Some(v1::EmploymentStatus::Employed.into()),
            current_employer: some("Acme Corp"),
            occupation: some("Software Engineer"),
            expected_monthly_payments: Some(v1::ExpectedMonthlyPayments::ExpectedMonthlyPayments50009999.into()),
            ..v1::IndividualCompliance::default()
        }),
        ..v1::Individual::default()
    }
}

/// "Example Request - Individual International (Mexico)"
pub(crate) fn mexican_individual() -> v1::Individual {
    use v1::DocumentType::{Back, FileProofOfAddress, Front};
    use v1::IdentificationType::{Curp, NationalId, Rfc};
    v1::Individual {
        first_name: some("Maria"),
        last_name: some("Garcia"),
        middle_name: some("Lopez"),
        email: some("maria@example.com"),
        phone: some("+5215512345678"),
        birth_date: some("1988-05-20"),
        nationality: some("MEX"),
        gender: Some(v1::Gender::Female.into()),
        external_id: some("mex-user-456"),
        address: address(["Av. Reforma 222", "Piso 10", "Ciudad de Mexico", "CDMX", "06600", "MEX"]),
        identifying_information: vec![
            entry(Curp, "MEX", Some("GARM880520MDFRRL09"), &[]),
            entry(Rfc, "MEX", Some("GARM880520XXX"), &[]),
            expiring("2030-05-20", entry(NationalId, "MEX", Some("1234567890123"), &[Front, Back, FileProofOfAddress])),
        ],
        compliance: Some(v1::IndividualCompliance {
            pep_status: Some(false),
            source_of_funds: Some(v1::IndividualSourceOfFunds::Salary.into()),
            account_purpose: Some(v1::IndividualAccountPurpose::MakePayments.into()),
            employment_status: Some(v1::EmploymentStatus::Employed.into()),
            current_employer: some("Empresa S.A."),
            occupation: some("Contador"),
            ..v1::IndividualCompliance::default()
        }),
        ..v1::Individual::default()
    }
}

/// "Example Request - Business USA"
pub(crate) fn usa_business() -> v1::Business {
    use v1::DocumentType::{Back, FileBusinessFormation, Front};
    use v1::IdentificationType::{BusinessFormation, DriversLicense, Passport};
    let passport = entry(Passport, "USA", Some("987654321"), &[Front]);
    v1::Business {
        business_legal_name: some("Acme Technology Inc."),
        business_trade_name: some("Acme Tech"),
        doing_business_as: some("Acme"),
        email: some("contact@example.com"),
        phone: some("+14155551234"),
        business_type: Some(v1::BusinessType::Corporation.into()),
        business_description: some("SaaS platform for enterprise solutions"),
        business_industry: vec![
            v1::BusinessIndustry::DataProcessingHostingRelatedServices.into(),
            v1::BusinessIndustry::ComputerElectronicProductManufacturing.into(),
        ],
        business_website: some("https://acmetech.com"),
        external_id: some("business-usa-789"),
        formation_date: some("2018-03-15"),
        formation_state: some("DE"),
        address: address(["100 Market Street", "Suite 500", "San Francisco", "CA", "94105", "USA"]),
        ein: some("12-3456789"),
        representative: Some(v1::LegalRepresentative {
            first_name: some("Robert"),
            last_name: some("Smith"),
            title: some("CEO"),
            birth_date: some("1975-08-22"),
            ssn: some("987-65-4321"),
        }),
        associated_persons: vec![
            v1::AssociatedPerson {
                first_name: some("Robert"),
                last_name: some("Smith"),
                email: some("robert@example.com"),
                birth_date: some("1975-08-22"),
                has_ownership: Some(true),
                ownership_percentage: Some(60.0),
                has_control: Some(true),
                is_signer: Some(true),
                title: some("CEO"),
                ssn: some("987-65-4321"),
                address: address(["456 Oak Avenue", "", "Palo Alto", "CA", "94301", "USA"]),
                identifying_information: vec![entry(DriversLicense, "USA", Some("CA12345678"), &[Front, Back])],
                ..v1::AssociatedPerson::default()
            },
            v1::AssociatedPerson {
                first_name: some("Sarah"),
                last_name: some("Johnson"),
                email: some("sarah@example.com"),
                birth_date: some("1980-11-10"),
                has_ownership: Some(true),
                ownership_percentage: Some(40.0),
                has_control: Some(false),
                is_signer: Some(false),
                title: some("Co-founder"),
                ssn: some("111-22-3333"),
                address: address(["789 Pine Street", "", "San Jose", "CA", "95113", "USA"]),
                identifying_information: vec![expiring("2029-11-10", passport)],
                ..v1::AssociatedPerson::default()
            },
        ],
        identifying_information: vec![described(
            "Certificate of Incorporation",
            entry(BusinessFormation, "USA", None, &[FileBusinessFormation]),
        )],
        compliance: Some(v1::BusinessCompliance {
            pep_status: Some(false),
            source_of_funds: Some(v1::BusinessSourceOfFunds::SalesOfGoodsAndServices.into()),
            account_purpose: Some(v1::BusinessAccountPurpose::ReceivePaymentsForGoodsAndServices.into()),
            expected_monthly_payments: Some(v1::ExpectedMonthlyPayments::ExpectedMonthlyPayments50000Plus.into()),
            has_material_intermediary_ownership: Some(false),
            additional_info: None,
        }),
        ..v1::Business::default()
    }
}

/// "Example Request - Business International (Mexico)"
pub(crate) fn mexican_business() -> v1::Business {
    use v1::DocumentType::{Back, FileBusinessFormation, FileProofOfAddress, Front};
    use v1::IdentificationType::{BusinessFormation, NationalId, Passport, ProofOfAddress};
    let passport = entry(Passport, "MEX", Some("G12345678"), &[Front]);
    v1::Business {
        business_legal_name: some("Tecnologia Avanzada S.A. de C.V."),
        business_trade_name: some("TecAvanzada"),
        doing_business_as: some("TecAv"),
        email: some("contacto@example.com"),
        phone: some("+5215598765432"),
        business_type: Some(v1::BusinessType::Corporation.into()),
        business_description: some("Desarrollo de software empresarial"),
        business_industry: vec![
            v1::BusinessIndustry::DataProcessingHostingRelatedServices.into(),
            v1::BusinessIndustry::ProfessionalScientificTechnical.into(),
        ],
        business_website: some("https://tecavanzada.mx"),
        external_id: some("mex-business-001"),
        formation_date: some("2015-06-01"),
        formation_state: some("CDMX"),
        address: address(["Paseo de la Reforma 505", "Piso 20", "Ciudad de Mexico", "CDMX", "06500", "MEX"]),
        rfc: some("TAV150601XXX"),
        representative: Some(v1::LegalRepresentative {
            first_name: some("Carlos"),
            last_name: some("Hernandez"),
            title: some("Director General"),
            birth_date: some("1970-02-14"),
            ssn: None,
        }),
        associated_persons: vec![
            v1::AssociatedPerson {
                first_name: some("Carlos"),
                last_name: some("Hernandez"),
                email: some("carlos@example.com"),
                birth_date: some("1970-02-14"),
                has_ownership: Some(true),
                ownership_percentage: Some(70.0),
                has_control: Some(true),
                is_signer: Some(true),
                title: some("Director General"),
                nationality: some("MEX"),
                address: address(["Av. Insurgentes Sur 1000", "", "Ciudad de Mexico", "CDMX", "03100", "MEX"]),
                identifying_information: vec![entry(NationalId, "MEX", Some("HERC700214HDFRRL01"), &[Front, Back])],
                ..v1::AssociatedPerson::default()
            },
            v1::AssociatedPerson {
                first_name: some("Ana"),
                last_name: some("Martinez"),
                email: some("ana@example.com"),
                birth_date: some("1982-09-25"),
                has_ownership: Some(true),
                ownership_percentage: Some(30.0),
                has_control: Some(false),
                is_signer: Some(true),
                title: some("Directora Financiera"),
                nationality: some("MEX"),
                address: address(["Calle Durango 200", "", "Ciudad de Mexico", "CDMX", "06700", "MEX"]),
                identifying_information: vec![expiring("2030-09-25", passport)],
                ..v1::AssociatedPerson::default()
            },
        ],
        identifying_information: vec![
            described("Acta Constitutiva", entry(BusinessFormation, "MEX", None, &[FileBusinessFormation])),
            described("Comprobante de domicilio fiscal", entry(ProofOfAddress, "MEX", None, &[FileProofOfAddress])),
        ],
        compliance: Some(v1::BusinessCompliance {
            pep_status: Some(false),
            source_of_funds: Some(v1::BusinessSourceOfFunds::SalesOfGoodsAndServices.into()),
            account_purpose: Some(v1::BusinessAccountPurpose::ReceivePaymentsForGoodsAndServices.into()),
            expected_monthly_payments: Some(v1::ExpectedMonthlyPayments::ExpectedMonthlyPayments1000049999.into()),
            ..v1::BusinessCompliance::default()
        }),
        ..v1::Business::default()
    }
}

/// All four, in the specification's order.
pub(crate) fn all() -> [Request; 4] {
    [
        Request::Individual(usa_individual()),
        Request::Individual(mexican_individual()),
        Request::Business(usa_business()),
        Request::Business(mexican_business()),
    ]
}
