//! The entries of the identifying information of a user, and of its associated persons.

use kira_gateway::Undecided;
use kira_gateway::problem::Problems;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::persons::of_business;
use super::{Call, Element, Elements, check_named, entries, entry, outcome};
use crate::contract::v1;
use crate::contract::v1::identifications_service_server::IdentificationsService;
use crate::contract::v1::update_user_request::User as Change;
use crate::domain::user_type::UserType;
use crate::service::etag;
use crate::service::failure::corrupt;
use crate::service::request::{caller, checked_id};
use crate::service::updates::Changed;
use crate::store::UserRecord;

#[tonic::async_trait]
impl IdentificationsService for Elements {
    async fn list_identifications(
        &self,
        request: Request<v1::ListIdentificationsRequest>,
    ) -> Result<Response<v1::ListIdentificationsResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let (profile, version) = self.profile(client_id, request.into_inner().user_id).await?;
        let data = entries(&profile, None)?.to_vec();
        Ok(etag::tagged(v1::ListIdentificationsResponse { data }, version))
    }

    async fn get_identification(
        &self,
        request: Request<v1::GetIdentificationRequest>,
    ) -> Result<Response<v1::GetIdentificationResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let v1::GetIdentificationRequest { user_id, identification_id } = request.into_inner();
        let (profile, version) = self.profile(client_id, user_id).await?;
        let identification = Some(entry(&profile, None, checked_id(identification_id)?)?.clone());
        Ok(etag::tagged(v1::GetIdentificationResponse { identification }, version))
    }

    async fn add_identification(
        &self,
        request: Request<v1::AddIdentificationRequest>,
    ) -> Result<Response<v1::AddIdentificationResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let v1::AddIdentificationRequest { user_id, identification, if_match, idempotency_key } = request.into_inner();
        let (operation, problems) = ("add_identification", Problems::default());
        let element = Element::Entry { person: None, id: None };
        let call = Call { client_id, user_id, operation, if_match, idempotency_key, element, problems };
        let changed = self.change_entry(call, identification.unwrap_or_default().into()).await?;
        let (identification, outcome) = (Some(stored(&changed, None)?), outcome(element, &changed));
        Ok(changed.answer(v1::AddIdentificationResponse { identification, outcome }))
    }

    async fn update_identification(
        &self,
        mut request: Request<v1::UpdateIdentificationRequest>,
    ) -> Result<Response<v1::UpdateIdentificationResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let mut problems = Undecided::of(&mut request);
        let v1::UpdateIdentificationRequest { user_id, identification_id, identification, if_match, idempotency_key } =
            request.into_inner();
        let id = checked_id(identification_id)?;
        let mut change = identification.unwrap_or_default();
        check_named(&mut problems, &mut change.id, id, &mut change.delete);
        let (operation, element) = ("update_identification", Element::Entry { person: None, id: Some(id) });
        let call = Call { client_id, user_id, operation, if_match, idempotency_key, element, problems };
        let changed = self.change_entry(call, change).await?;
        let (identification, outcome) = (Some(stored(&changed, None)?), outcome(element, &changed));
        Ok(changed.answer(v1::UpdateIdentificationResponse { identification, outcome }))
    }

    async fn remove_identification(
        &self,
        request: Request<v1::RemoveIdentificationRequest>,
    ) -> Result<Response<v1::RemoveIdentificationResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let v1::RemoveIdentificationRequest { user_id, identification_id, if_match, idempotency_key } =
            request.into_inner();
        let id = checked_id(identification_id)?;
        let (operation, problems) = ("remove_identification", Problems::default());
        let element = Element::Entry { person: None, id: Some(id) };
        let call = Call { client_id, user_id, operation, if_match, idempotency_key, element, problems };
        let changed = self.change_entry(call, removal(id)).await?;
        let outcome = outcome(element, &changed);
        Ok(changed.answer(v1::RemoveIdentificationResponse { outcome }))
    }

    async fn list_person_identifications(
        &self,
        request: Request<v1::ListPersonIdentificationsRequest>,
    ) -> Result<Response<v1::ListPersonIdentificationsResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let v1::ListPersonIdentificationsRequest { user_id, person_id } = request.into_inner();
        let (profile, version) = self.profile(client_id, user_id).await?;
        let data = entries(&profile, Some(checked_id(person_id)?))?.to_vec();
        Ok(etag::tagged(v1::ListPersonIdentificationsResponse { data }, version))
    }

    async fn get_person_identification(
        &self,
        request: Request<v1::GetPersonIdentificationRequest>,
    ) -> Result<Response<v1::GetPersonIdentificationResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let v1::GetPersonIdentificationRequest { user_id, person_id, identification_id } = request.into_inner();
        let (profile, version) = self.profile(client_id, user_id).await?;
        let found = entry(&profile, Some(checked_id(person_id)?), checked_id(identification_id)?)?;
        let identification = Some(found.clone());
        Ok(etag::tagged(v1::GetPersonIdentificationResponse { identification }, version))
    }

    async fn add_person_identification(
        &self,
        request: Request<v1::AddPersonIdentificationRequest>,
    ) -> Result<Response<v1::AddPersonIdentificationResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let v1::AddPersonIdentificationRequest { user_id, person_id, identification, if_match, idempotency_key } =
            request.into_inner();
        let person = Some(checked_id(person_id)?);
        let (operation, problems) = ("add_person_identification", Problems::default());
        let element = Element::Entry { person, id: None };
        let call = Call { client_id, user_id, operation, if_match, idempotency_key, element, problems };
        let changed = self.change_entry(call, identification.unwrap_or_default().into()).await?;
        let (identification, outcome) = (Some(stored(&changed, person)?), outcome(element, &changed));
        Ok(changed.answer(v1::AddPersonIdentificationResponse { identification, outcome }))
    }

    async fn update_person_identification(
        &self,
        mut request: Request<v1::UpdatePersonIdentificationRequest>,
    ) -> Result<Response<v1::UpdatePersonIdentificationResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let mut problems = Undecided::of(&mut request);
        let v1::UpdatePersonIdentificationRequest {
            user_id,
            person_id,
            identification_id,
            identification,
            if_match,
            idempotency_key,
        } = request.into_inner();
        let (person, id) = (Some(checked_id(person_id)?), checked_id(identification_id)?);
        let mut change = identification.unwrap_or_default();
        check_named(&mut problems, &mut change.id, id, &mut change.delete);
        let (operation, element) = ("update_person_identification", Element::Entry { person, id: Some(id) });
        let call = Call { client_id, user_id, operation, if_match, idempotency_key, element, problems };
        let changed = self.change_entry(call, change).await?;
        let (identification, outcome) = (Some(stored(&changed, person)?), outcome(element, &changed));
        Ok(changed.answer(v1::UpdatePersonIdentificationResponse { identification, outcome }))
    }

    async fn remove_person_identification(
        &self,
        request: Request<v1::RemovePersonIdentificationRequest>,
    ) -> Result<Response<v1::RemovePersonIdentificationResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let v1::RemovePersonIdentificationRequest { user_id, person_id, identification_id, if_match, idempotency_key } =
            request.into_inner();
        let (person, id) = (Some(checked_id(person_id)?), checked_id(identification_id)?);
        let (operation, problems) = ("remove_person_identification", Problems::default());
        let element = Element::Entry { person, id: Some(id) };
        let call = Call { client_id, user_id, operation, if_match, idempotency_key, element, problems };
        let changed = self.change_entry(call, removal(id)).await?;
        let outcome = outcome(element, &changed);
        Ok(changed.answer(v1::RemovePersonIdentificationResponse { outcome }))
    }
}

impl Elements {
    /// Changes one entry.
    async fn change_entry(&self, call: Call, entry: v1::IdentificationChange) -> Result<Changed, Status> {
        let person = match call.element {
            Element::Entry { person, .. } => person,
            Element::User | Element::Person(_) | Element::Document(_) => None,
        };
        self.change(call, |row| of_user(row, person, entry)).await
    }
}

/// The change of a user that changes this entry alone.
fn of_user(row: &UserRecord, person: Option<Uuid>, entry: v1::IdentificationChange) -> Change {
    let identifying_information = vec![entry];
    match person {
        Some(id) => of_business(v1::AssociatedPersonChange {
            id: Some(id.to_string()),
            identifying_information,
            ..v1::AssociatedPersonChange::default()
        }),
        None if row.kind == UserType::Individual.into_str() => {
            Change::Individual(v1::IndividualChange { identifying_information, ..v1::IndividualChange::default() })
        }
        None => Change::Business(v1::BusinessChange { identifying_information, ..v1::BusinessChange::default() }),
    }
}

fn removal(id: Uuid) -> v1::IdentificationChange {
    v1::IdentificationChange { id: Some(id.to_string()), delete: Some(true), ..v1::IdentificationChange::default() }
}

/// The entry that the change was about.
fn stored(changed: &Changed, person: Option<Uuid>) -> Result<v1::Identification, Status> {
    let id = changed.applied.element.ok_or_else(|| corrupt("a change without its element"))?;
    entry(&changed.profile, person, id).cloned()
}
