//! The associated persons of a business.

use kira_gateway::Undecided;
use kira_gateway::problem::Problems;
use tonic::{Request, Response, Status};

use super::{Call, Element, Elements, check_named, outcome, person, persons};
use crate::contract::v1;
use crate::contract::v1::associated_persons_service_server::AssociatedPersonsService;
use crate::contract::v1::update_user_request::User as Change;
use crate::service::etag;
use crate::service::failure::corrupt;
use crate::service::request::{caller, checked_id};
use crate::service::updates::Changed;

#[tonic::async_trait]
impl AssociatedPersonsService for Elements {
    async fn list_associated_persons(
        &self,
        request: Request<v1::ListAssociatedPersonsRequest>,
    ) -> Result<Response<v1::ListAssociatedPersonsResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let (profile, version) = self.profile(client_id, request.into_inner().user_id).await?;
        let data = persons(&profile)?.to_vec();
        Ok(etag::tagged(v1::ListAssociatedPersonsResponse { data }, version))
    }

    async fn get_associated_person(
        &self,
        request: Request<v1::GetAssociatedPersonRequest>,
    ) -> Result<Response<v1::GetAssociatedPersonResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let v1::GetAssociatedPersonRequest { user_id, person_id } = request.into_inner();
        let (profile, version) = self.profile(client_id, user_id).await?;
        let associated_person = Some(person(&profile, checked_id(person_id)?)?.clone());
        Ok(etag::tagged(v1::GetAssociatedPersonResponse { associated_person }, version))
    }

    async fn add_associated_person(
        &self,
        request: Request<v1::AddAssociatedPersonRequest>,
    ) -> Result<Response<v1::AddAssociatedPersonResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let v1::AddAssociatedPersonRequest { user_id, associated_person, if_match, idempotency_key } =
            request.into_inner();
        let (operation, element, problems) = ("add_associated_person", Element::Person(None), Problems::default());
        let call = Call { client_id, user_id, operation, if_match, idempotency_key, element, problems };
        let added = associated_person.unwrap_or_default();
        let changed = self.change(call, |_| of_business(added.into())).await?;
        let associated_person = Some(stored(&changed)?);
        let outcome = outcome(element, &changed);
        Ok(changed.answer(v1::AddAssociatedPersonResponse { associated_person, outcome }))
    }

    async fn update_associated_person(
        &self,
        mut request: Request<v1::UpdateAssociatedPersonRequest>,
    ) -> Result<Response<v1::UpdateAssociatedPersonResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let mut problems = Undecided::of(&mut request);
        let v1::UpdateAssociatedPersonRequest { user_id, person_id, associated_person, if_match, idempotency_key } =
            request.into_inner();
        let id = checked_id(person_id)?;
        let mut change = associated_person.unwrap_or_default();
        check_named(&mut problems, &mut change.id, id, &mut change.delete);
        let (operation, element) = ("update_associated_person", Element::Person(Some(id)));
        let call = Call { client_id, user_id, operation, if_match, idempotency_key, element, problems };
        let changed = self.change(call, |_| of_business(change)).await?;
        let associated_person = Some(stored(&changed)?);
        let outcome = outcome(element, &changed);
        Ok(changed.answer(v1::UpdateAssociatedPersonResponse { associated_person, outcome }))
    }

    async fn remove_associated_person(
        &self,
        request: Request<v1::RemoveAssociatedPersonRequest>,
    ) -> Result<Response<v1::RemoveAssociatedPersonResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let v1::RemoveAssociatedPersonRequest { user_id, person_id, if_match, idempotency_key } = request.into_inner();
        let id = checked_id(person_id)?;
        let (operation, element, problems) =
            ("remove_associated_person", Element::Person(Some(id)), Problems::default());
        let call = Call { client_id, user_id, operation, if_match, idempotency_key, element, problems };
        let removal = v1::AssociatedPersonChange {
            id: Some(id.to_string()),
            delete: Some(true),
            ..v1::AssociatedPersonChange::default()
        };
        let changed = self.change(call, |_| of_business(removal)).await?;
        let outcome = outcome(element, &changed);
        Ok(changed.answer(v1::RemoveAssociatedPersonResponse { outcome }))
    }
}

/// The change of a business that changes this person alone.
pub(super) fn of_business(person: v1::AssociatedPersonChange) -> Change {
    Change::Business(v1::BusinessChange { associated_persons: vec![person], ..v1::BusinessChange::default() })
}

/// The person that the change was about.
fn stored(changed: &Changed) -> Result<v1::AssociatedPerson, Status> {
    let id = changed.applied.element.ok_or_else(|| corrupt("a change without its element"))?;
    person(&changed.profile, id).cloned()
}
