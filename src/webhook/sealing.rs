//! What is sealed of webhooks: the URLs and secrets of endpoints, the bodies of deliveries, what endpoints answered.

use uuid::Uuid;
use zeroize::Zeroizing;

use super::message;
use super::signature::EndpointSecret;
use crate::profile::{self, Profile};
use crate::store::{EndpointRecord, RelayedEvent};
use crate::vault::{AeadContext, Owner, Vault, VaultError};

/// The sealed body of the delivery `delivery_id` of an event.
#[must_use]
pub fn sealed_body(vault: &Vault, event: &RelayedEvent, delivery_id: Uuid) -> Vec<u8> {
    let body = message::of_event(event, external_id(vault, event).as_deref());
    seal_body(vault, delivery_id, &body)
}

/// Seals the body of a delivery.
#[must_use]
pub fn seal_body(vault: &Vault, delivery_id: Uuid, body: &[u8]) -> Vec<u8> {
    vault.seal_secret(&body_name(delivery_id), body)
}

/// Opens the body of a delivery.
pub(super) fn open_body(vault: &Vault, delivery_id: Uuid, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    vault.open_secret(&body_name(delivery_id), sealed)
}

/// The client's own reference of the user. A profile that cannot be read must not hold the event back.
fn external_id(vault: &Vault, event: &RelayedEvent) -> Option<String> {
    let (wrapped_key, sealed_profile) = event.user.as_ref()?;
    let owner = Owner { client_id: event.client_id, user_id: event.user_id };
    let opened = vault.open_data_key(owner, wrapped_key).and_then(|key| {
        let plaintext = key.open(&AeadContext::UserProfile, sealed_profile.clone())?;
        Ok(Zeroizing::new(plaintext))
    });
    match opened
        .map_err(|error| error.to_string())
        .and_then(|plaintext| profile::decode(&plaintext).map_err(|error| error.to_string()))
    {
        Ok(Profile::Individual(user)) => user.external_id.filter(|id| !id.is_empty()),
        Ok(Profile::Business(user)) => user.external_id.filter(|id| !id.is_empty()),
        Err(error) => {
            tracing::error!(error, user = %event.user_id, "a webhook goes without the client's reference of the user");
            None
        }
    }
}

/// Seals the URL of an endpoint: its path or query often holds a token.
#[must_use]
pub fn seal_url(vault: &Vault, client_id: Uuid, endpoint_id: Uuid, url: &str) -> Vec<u8> {
    vault.seal_secret(&url_name(client_id, endpoint_id), url.as_bytes())
}

/// Opens the URL of an endpoint.
///
/// # Errors
/// As `Vault::open_secret`.
pub fn open_url(vault: &Vault, endpoint: &EndpointRecord) -> Result<Zeroizing<String>, VaultError> {
    let opened = vault.open_secret(&url_name(endpoint.client_id, endpoint.id), &endpoint.sealed_url)?;
    let text = std::str::from_utf8(&opened).map_err(|_| VaultError::UnknownFormat)?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// Seals the secret of an endpoint.
#[must_use]
pub fn seal_secret(vault: &Vault, endpoint_id: Uuid, secret: &EndpointSecret) -> Vec<u8> {
    vault.seal_secret(&secret_name(endpoint_id), secret.expose().as_bytes())
}

/// Opens the secret of an endpoint.
pub(super) fn open_secret(vault: &Vault, endpoint_id: Uuid, sealed: &[u8]) -> Result<EndpointSecret, VaultError> {
    let opened = vault.open_secret(&secret_name(endpoint_id), sealed)?;
    let text = std::str::from_utf8(&opened).map_err(|_| VaultError::UnknownFormat)?;
    Ok(EndpointSecret::new(text))
}

/// Seals the beginning of an answer.
pub(super) fn seal_answer(vault: &Vault, delivery_id: Uuid, answer: &[u8]) -> Vec<u8> {
    vault.seal_secret(&answer_name(delivery_id), answer)
}

/// Opens the beginning of an answer to a delivery, as far as it is text.
///
/// # Errors
/// As `Vault::open_secret`.
pub fn open_answer(vault: &Vault, delivery_id: Uuid, sealed: &[u8]) -> Result<String, VaultError> {
    let opened = vault.open_secret(&answer_name(delivery_id), sealed)?;
    Ok(String::from_utf8_lossy(&opened).replace('\0', "\u{fffd}"))
}

/// The name under which the URL of an endpoint is sealed.
#[must_use]
pub fn url_name(client_id: Uuid, endpoint_id: Uuid) -> String {
    format!("webhook-url/{client_id}/{endpoint_id}")
}

/// The name under which the secret of an endpoint is sealed.
#[must_use]
pub fn secret_name(endpoint_id: Uuid) -> String {
    format!("webhook-secret/{endpoint_id}")
}

/// The name under which the body of a delivery is sealed.
#[must_use]
pub fn body_name(delivery_id: Uuid) -> String {
    format!("webhook-body/{delivery_id}")
}

/// The name under which the answers to a delivery are sealed.
#[must_use]
pub fn answer_name(delivery_id: Uuid) -> String {
    format!("webhook-answer/{delivery_id}")
}
