//! The services of the contract, and the two doors to them.

use std::sync::Arc;

use chrono::TimeDelta;
use kira_gateway::Checked;
use kira_gateway::method::Methods;
use kira_gateway::rest::Gateway;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use super::open::{AppError, Opened};
use super::{keys, verification, webhooks};
use crate::ambient::SharedAmbient;
use crate::auth::Authenticator;
use crate::config::Config;
use crate::contract::{self, v1};
use crate::domain::eligibility::{Catalogue, Product};
use crate::server::{GrpcDoor, RestDoor};
use crate::service::callbacks::Callbacks;
use crate::service::events::{Events, Feed};
use crate::service::response::Numbers;
use crate::service::reviews::{ReviewDesk, Reviews};
use crate::service::tokens::Tokens;
use crate::service::users::Users;
use crate::service::verifications::Verifications;
use crate::service::webhooks::Webhooks;
use crate::shares::Shares;
use crate::vault::documents::DocumentStore;

/// The reviews of an opened installation, for the command line.
///
/// # Errors
/// The configuration cannot work.
pub async fn review_desk(config: &Config, opened: &Opened) -> Result<ReviewDesk, AppError> {
    keys::check(opened).await?;
    Ok(ReviewDesk { users: users(config, opened, Arc::default()).await?, four_eyes: config.review.four_eyes })
}

/// Where the documents of this installation are kept.
pub(super) async fn documents(config: &Config, opened: &Opened) -> Result<DocumentStore, AppError> {
    DocumentStore::open(&config.documents.url, keys::installation(opened).await?).map_err(AppError::start)
}

/// The services of the contract.
pub(super) struct Services {
    users: Users,
    verifications: Verifications,
    reviews: Reviews,
    callbacks: Callbacks,
    events: Events,
    webhooks: Webhooks,
    tokens: Tokens,
}

impl Services {
    /// All services; `wanted` is told whenever a verification is asked for.
    pub(super) async fn open(
        config: &Config,
        opened: &Opened,
        authenticator: Arc<Authenticator>,
        wanted: Arc<Notify>,
    ) -> Result<Self, AppError> {
        let users = users(config, opened, wanted).await?;
        Ok(Self {
            verifications: Verifications {
                store: users.store.clone(),
                vault: users.vault.clone(),
                ambient: Arc::clone(&users.ambient),
                fingerprints: users.fingerprints.clone(),
                verification_deadline: users.verification_deadline,
                verification_wanted: Arc::clone(&users.verification_wanted),
            },
            reviews: Reviews { desk: ReviewDesk { users: users.clone(), four_eyes: config.review.four_eyes } },
            callbacks: Callbacks {
                store: users.store.clone(),
                vault: users.vault.clone(),
                ambient: Arc::clone(&users.ambient),
                secret: verification::callback_secret(config)?,
            },
            events: Events {
                store: users.store.clone(),
                feed: Arc::new(Feed::new(users.store.clone())),
                streams: Shares::new(config.server.event_streams_per_client),
            },
            webhooks: Webhooks { desk: webhooks::webhook_desk(config, opened) },
            tokens: Tokens { authenticator },
            users,
        })
    }

    /// Where the documents are kept.
    pub(super) const fn documents(&self) -> &DocumentStore {
        &self.users.documents
    }

    /// What tells watchers of new events.
    pub(super) const fn feed(&self) -> &Arc<Feed> {
        &self.events.feed
    }

    /// The two doors to the services, and what the second says of its health. Streams end at `stop`.
    pub(super) async fn doors(
        self,
        config: &Config,
        ambient: &SharedAmbient,
        stop: &CancellationToken,
    ) -> Result<(RestDoor, GrpcDoor, Health), AppError> {
        let ambient = Arc::clone(ambient);
        let clock: kira_gateway::Clock = Arc::new(move || ambient.now());
        let users = Arc::new(Checked::new(self.users, Arc::clone(&clock)));
        let verifications = Arc::new(Checked::new(self.verifications, Arc::clone(&clock)));
        let reviews = Arc::new(Checked::new(self.reviews, Arc::clone(&clock)));
        let callbacks = Arc::new(Checked::new(self.callbacks, Arc::clone(&clock)));
        let events = Arc::new(Checked::new(self.events, Arc::clone(&clock)));
        let webhooks = Arc::new(Checked::new(self.webhooks, Arc::clone(&clock)));
        let tokens = Arc::new(Checked::new(self.tokens, clock));
        let gateway = Gateway::builder()
            .routes(v1::users_service_rest::routes(Arc::clone(&users)))
            .routes(v1::verifications_service_rest::routes(Arc::clone(&verifications)))
            .routes(v1::reviews_service_rest::routes(Arc::clone(&reviews)))
            .routes(v1::verification_callbacks_service_rest::routes(Arc::clone(&callbacks)))
            .routes(v1::events_service_rest::routes(Arc::clone(&events)))
            .routes(v1::webhooks_service_rest::routes(Arc::clone(&webhooks)))
            .routes(v1::auth_service_rest::routes(Arc::clone(&tokens)))
            .build()
            .map_err(AppError::start)?;

        let max = usize::try_from(config.server.max_body_bytes).unwrap_or(usize::MAX);
        let users = v1::users_service_server::UsersServiceServer::from_arc(users);
        let verifications = v1::verifications_service_server::VerificationsServiceServer::from_arc(verifications);
        let reviews = v1::reviews_service_server::ReviewsServiceServer::from_arc(reviews);
        let callbacks =
            v1::verification_callbacks_service_server::VerificationCallbacksServiceServer::from_arc(callbacks);
        let events = v1::events_service_server::EventsServiceServer::from_arc(events);
        let webhooks = v1::webhooks_service_server::WebhooksServiceServer::from_arc(webhooks);
        let tokens = v1::auth_service_server::AuthServiceServer::from_arc(tokens);
        let (health, health_service) = Health::serving().await;
        let reflection = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(contract::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .build_v1()
            .map_err(AppError::start)?;
        let routes = Routes::new(users.max_decoding_message_size(max))
            .add_service(verifications.max_decoding_message_size(max))
            .add_service(reviews.max_decoding_message_size(max))
            .add_service(callbacks.max_decoding_message_size(max))
            .add_service(events.max_decoding_message_size(max))
            .add_service(webhooks.max_decoding_message_size(max))
            .add_service(tokens.max_decoding_message_size(max))
            .add_service(health_service)
            .add_service(reflection);
        Ok((RestDoor::new(gateway, stop.clone()), GrpcDoor::new(routes, Methods::new(METHODS), stop.clone()), health))
    }
}

/// The calls of all services.
const METHODS: &[&[&kira_gateway::method::Method]] = &[
    v1::users_service_rest::METHODS,
    v1::verifications_service_rest::METHODS,
    v1::reviews_service_rest::METHODS,
    v1::verification_callbacks_service_rest::METHODS,
    v1::events_service_rest::METHODS,
    v1::webhooks_service_rest::METHODS,
    v1::auth_service_rest::METHODS,
];

/// What gRPC's health service answers.
#[derive(Clone)]
pub(super) struct Health(HealthReporter);

impl Health {
    /// Begins with all services serving.
    async fn serving()
    -> (Self, tonic_health::pb::health_server::HealthServer<impl tonic_health::pb::health_server::Health>) {
        let (reporter, service) = tonic_health::server::health_reporter();
        let health = Self(reporter);
        health.report(true).await;
        (health, service)
    }

    /// Says of the whole (the empty name) and of every service whether it may get traffic.
    pub(super) async fn report(&self, serving: bool) {
        let status = if serving { ServingStatus::Serving } else { ServingStatus::NotServing };
        let services = METHODS.iter().filter_map(|methods| methods.first()).map(|method| method.service);
        for service in std::iter::once("").chain(services) {
            self.0.set_service_status(service, status).await;
        }
    }
}

async fn users(config: &Config, opened: &Opened, verification_wanted: Arc<Notify>) -> Result<Users, AppError> {
    Ok(Users {
        store: opened.store.clone(),
        vault: opened.vault.clone(),
        documents: documents(config, opened).await?,
        ambient: Arc::clone(&opened.ambient),
        fingerprints: keys::fingerprints(opened).await?,
        catalogue: catalogue(config)?,
        numbers: if config.mask_numbers { Numbers::Masked } else { Numbers::Clear },
        verification_deadline: TimeDelta::from_std(config.verification.deadline).map_err(AppError::start)?,
        verification_wanted,
    })
}

fn catalogue(config: &Config) -> Result<Catalogue, AppError> {
    let product = |product: &crate::config::Product| {
        let code = product.code.parse().map_err(AppError::start)?;
        Ok(Product { id: product.id, code, name: product.name.clone() })
    };
    config.products.iter().map(product).collect::<Result<Vec<_>, AppError>>().map(Catalogue)
}
