//! Builds the services of the contract and the two protocols that serve them.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use kira_gateway::Checked;
use kira_gateway::method::Methods;
use kira_gateway::rest::Gateway;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use super::open::{AppError, Resources};
use super::{keys, verification, webhooks};
use crate::archive::Archiver;
use crate::auth::Authenticator;
use crate::config::{Config, RetentionConfig};
use crate::contract::{self, v1};
use crate::domain::eligibility::{Catalogue, Product};
use crate::domain::erasure::Retention;
use crate::env::SharedEnv;
use crate::health::GrpcHealth;
use crate::per_client_permits::PerClientPermits;
use crate::server::{Docs, GrpcProtocol, RestProtocol};
use crate::service::callbacks::Callbacks;
use crate::service::convert::Numbers;
use crate::service::documents::{Documents, MAX_MESSAGE};
use crate::service::elements::Elements;
use crate::service::erasures::{Eraser, Erasures};
use crate::service::events::{Events, Feed};
use crate::service::export::Exporter;
use crate::service::history::History;
use crate::service::reviews::{ReviewAdmin, Reviews};
use crate::service::tokens::Tokens;
use crate::service::turns::Turns;
use crate::service::users::Users;
use crate::service::verifications::Verifications;
use crate::service::webhooks::Webhooks;
use crate::vault::documents::DocumentStore;

/// The administration of reviews, for the command line.
///
/// # Errors
/// The configuration cannot work.
pub async fn review_admin(config: &Config, resources: &Resources) -> Result<ReviewAdmin, AppError> {
    keys::check(resources).await?;
    Ok(ReviewAdmin { users: users(config, resources, Arc::default()).await?, four_eyes: config.review.four_eyes })
}

/// Moves events to the archive, for the command line.
///
/// # Errors
/// The database is unreachable, or the configuration cannot work.
pub async fn archiver(config: &Config, resources: &Resources) -> Result<Archiver, AppError> {
    keys::check(resources).await?;
    Ok(Archiver {
        store: resources.store.background(),
        objects: documents(config, resources).await?,
        env: Arc::clone(&resources.env),
        key: keys::evidence_key(resources).await?,
    })
}

/// The users service behind its REST routes, for a command that calls it in this process. Its requests need the caller as
/// an extension.
///
/// # Errors
/// The configuration cannot work.
pub async fn users_api(config: &Config, resources: &Resources) -> Result<Gateway, AppError> {
    keys::check(resources).await?;
    let env = Arc::clone(&resources.env);
    let users = users(config, resources, Arc::default()).await?;
    let users = Arc::new(Checked::new(users, Arc::new(move || env.now())));
    Gateway::builder().routes(v1::users_service_rest::routes(users)).build().map_err(AppError::start)
}

/// What opens stored users for an export.
///
/// # Errors
/// The configuration cannot work.
pub async fn exporter(config: &Config, resources: &Resources) -> Result<Exporter, AppError> {
    keys::check(resources).await?;
    let documents = documents(config, resources).await?;
    Ok(Exporter { store: resources.store.clone(), vault: resources.vault.clone(), documents })
}

/// What erases users, for the command line.
///
/// # Errors
/// The configuration cannot work.
pub async fn eraser(config: &Config, resources: &Resources) -> Result<Eraser, AppError> {
    keys::check(resources).await?;
    eraser_of(config, resources, users(config, resources, Arc::default()).await?).await
}

async fn eraser_of(config: &Config, resources: &Resources, users: Users) -> Result<Eraser, AppError> {
    let age = |age: Option<Duration>| age.map(TimeDelta::from_std).transpose().map_err(AppError::start);
    let RetentionConfig { minimum, created, rejected } = config.retention;
    let retention = Retention { minimum: age(minimum)?, created: age(created)?, rejected: age(rejected)? };
    Ok(Eraser { users, retention, key: Arc::new(keys::evidence_key(resources).await?) })
}

/// The document store of this installation.
pub(super) async fn documents(config: &Config, resources: &Resources) -> Result<DocumentStore, AppError> {
    DocumentStore::open(&config.documents.url, keys::installation(resources).await?).map_err(AppError::start)
}

/// The services of the contract.
pub(super) struct Services {
    users: Users,
    elements: Elements,
    documents: Documents,
    erasures: Erasures,
    history: History,
    verifications: Verifications,
    reviews: Reviews,
    callbacks: Callbacks,
    events: Events,
    webhooks: Webhooks,
    tokens: Tokens,
}

impl Services {
    /// Builds all services; `wake` is notified whenever a verification is requested.
    pub(super) async fn open(
        config: &Config,
        resources: &Resources,
        authenticator: Arc<Authenticator>,
        wake: Arc<Notify>,
    ) -> Result<Self, AppError> {
        let users = users(config, resources, wake).await?;
        Ok(Self {
            elements: Elements { users: users.clone() },
            documents: Documents { users: users.clone() },
            erasures: Erasures { eraser: eraser_of(config, resources, users.clone()).await? },
            history: History { store: users.store.clone() },
            verifications: Verifications {
                store: users.store.clone(),
                vault: users.vault.clone(),
                env: Arc::clone(&users.env),
                fingerprints: users.fingerprints.clone(),
                verification_deadline: users.verification_deadline,
                verification_wanted: Arc::clone(&users.verification_wanted),
            },
            reviews: Reviews { admin: ReviewAdmin { users: users.clone(), four_eyes: config.review.four_eyes } },
            callbacks: Callbacks {
                store: users.store.clone(),
                vault: users.vault.clone(),
                env: Arc::clone(&users.env),
                secret: verification::callback_secret(config)?,
            },
            events: Events {
                store: users.store.clone(),
                feed: Arc::new(Feed::new(users.store.clone())),
                streams: PerClientPermits::new(config.server.event_streams_per_client),
            },
            webhooks: Webhooks { admin: webhooks::webhook_admin(config, resources).await? },
            tokens: Tokens { authenticator },
            users,
        })
    }

    /// The document store.
    pub(super) const fn documents(&self) -> &DocumentStore {
        &self.users.documents
    }

    /// What erases users in the background.
    pub(super) fn background_eraser(&self) -> Eraser {
        let eraser = self.erasures.eraser.clone();
        let users = Users { store: eraser.users.store.background(), ..eraser.users };
        Eraser { users, ..eraser }
    }

    /// The feed that notifies watchers of new events.
    pub(super) const fn feed(&self) -> &Arc<Feed> {
        &self.events.feed
    }

    /// The two protocols to the services, and the gRPC health service. Streams end at `stop`.
    pub(super) async fn listeners(
        self,
        config: &Config,
        env: &SharedEnv,
        stop: &CancellationToken,
    ) -> Result<(RestProtocol, GrpcProtocol, GrpcHealth), AppError> {
        let env = Arc::clone(env);
        let clock: kira_gateway::Clock = Arc::new(move || env.now());
        let users = Arc::new(Checked::new(self.users, Arc::clone(&clock)));
        let elements = Arc::new(Checked::new(self.elements, Arc::clone(&clock)));
        let documents = Arc::new(Checked::new(self.documents, Arc::clone(&clock)));
        let erasures = Arc::new(Checked::new(self.erasures, Arc::clone(&clock)));
        let history = Arc::new(Checked::new(self.history, Arc::clone(&clock)));
        let verifications = Arc::new(Checked::new(self.verifications, Arc::clone(&clock)));
        let reviews = Arc::new(Checked::new(self.reviews, Arc::clone(&clock)));
        let callbacks = Arc::new(Checked::new(self.callbacks, Arc::clone(&clock)));
        let events = Arc::new(Checked::new(self.events, Arc::clone(&clock)));
        let webhooks = Arc::new(Checked::new(self.webhooks, Arc::clone(&clock)));
        let tokens = Arc::new(Checked::new(self.tokens, clock));
        let gateway = Gateway::builder()
            .routes(v1::users_service_rest::routes(Arc::clone(&users)))
            .routes(v1::associated_persons_service_rest::routes(Arc::clone(&elements)))
            .routes(v1::identifications_service_rest::routes(Arc::clone(&elements)))
            .routes(v1::documents_service_rest::routes(Arc::clone(&documents)))
            .routes(v1::erasures_service_rest::routes(Arc::clone(&erasures)))
            .routes(v1::history_service_rest::routes(Arc::clone(&history)))
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
        let persons = Arc::clone(&elements);
        let persons = v1::associated_persons_service_server::AssociatedPersonsServiceServer::from_arc(persons);
        let identifications = v1::identifications_service_server::IdentificationsServiceServer::from_arc(elements);
        let documents = v1::documents_service_server::DocumentsServiceServer::from_arc(documents);
        let erasures = v1::erasures_service_server::ErasuresServiceServer::from_arc(erasures);
        let history = v1::history_service_server::HistoryServiceServer::from_arc(history);
        let verifications = v1::verifications_service_server::VerificationsServiceServer::from_arc(verifications);
        let reviews = v1::reviews_service_server::ReviewsServiceServer::from_arc(reviews);
        let callbacks =
            v1::verification_callbacks_service_server::VerificationCallbacksServiceServer::from_arc(callbacks);
        let events = v1::events_service_server::EventsServiceServer::from_arc(events);
        let webhooks = v1::webhooks_service_server::WebhooksServiceServer::from_arc(webhooks);
        let tokens = v1::auth_service_server::AuthServiceServer::from_arc(tokens);
        let (health, health_service) = GrpcHealth::serving(service_names()).await;
        let reflection = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(contract::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .build_v1()
            .map_err(AppError::start)?;
        // Postman, evans and older clients support only v1alpha.
        let reflection_alpha = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(contract::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .build_v1alpha()
            .map_err(AppError::start)?;
        let routes = Routes::new(users.max_decoding_message_size(max))
            .add_service(persons.max_decoding_message_size(max))
            .add_service(identifications.max_decoding_message_size(max))
            // A message of an upload is in memory as a whole.
            .add_service(documents.max_decoding_message_size(MAX_MESSAGE))
            .add_service(erasures.max_decoding_message_size(max))
            .add_service(history.max_decoding_message_size(max))
            .add_service(verifications.max_decoding_message_size(max))
            .add_service(reviews.max_decoding_message_size(max))
            .add_service(callbacks.max_decoding_message_size(max))
            .add_service(events.max_decoding_message_size(max))
            .add_service(webhooks.max_decoding_message_size(max))
            .add_service(tokens.max_decoding_message_size(max))
            .add_service(health_service)
            .add_service(reflection)
            .add_service(reflection_alpha);
        Ok((
            RestProtocol::new(gateway, config.server.docs.then(Docs::new), stop.clone()),
            GrpcProtocol::new(routes, Methods::new(METHODS), stop.clone()),
            health,
        ))
    }
}

/// The calls of all services.
const METHODS: &[&[&kira_gateway::method::Method]] = &[
    v1::users_service_rest::METHODS,
    v1::associated_persons_service_rest::METHODS,
    v1::identifications_service_rest::METHODS,
    v1::documents_service_rest::METHODS,
    v1::erasures_service_rest::METHODS,
    v1::history_service_rest::METHODS,
    v1::verifications_service_rest::METHODS,
    v1::reviews_service_rest::METHODS,
    v1::verification_callbacks_service_rest::METHODS,
    v1::events_service_rest::METHODS,
    v1::webhooks_service_rest::METHODS,
    v1::auth_service_rest::METHODS,
];

/// The names of all services.
fn service_names() -> impl Iterator<Item = &'static str> {
    METHODS.iter().filter_map(|methods| methods.first()).map(|method| method.service)
}

async fn users(config: &Config, resources: &Resources, verification_wanted: Arc<Notify>) -> Result<Users, AppError> {
    Ok(Users {
        store: resources.store.clone(),
        vault: resources.vault.clone(),
        documents: documents(config, resources).await?,
        env: Arc::clone(&resources.env),
        fingerprints: keys::fingerprints(resources).await?,
        catalogue: catalogue(config)?,
        numbers: if config.mask_numbers { Numbers::Masked } else { Numbers::Clear },
        verification_deadline: TimeDelta::from_std(config.verification.deadline).map_err(AppError::start)?,
        verification_wanted,
        turns: Turns::default(),
        index: keys::index(resources).await?,
        unique_external_ids: config.unique_external_ids,
    })
}

fn catalogue(config: &Config) -> Result<Catalogue, AppError> {
    let product = |product: &crate::config::Product| {
        let code = product.code.parse().map_err(AppError::start)?;
        Ok(Product { id: product.id, code, name: product.name.clone() })
    };
    config.products.iter().map(product).collect::<Result<Vec<_>, AppError>>().map(Catalogue)
}
