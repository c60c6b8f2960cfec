//! A whole service in this process, on a database and a folder of its own, with a clock that the test moves.

use std::collections::HashMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use kira_users::app::{self, Running};
use kira_users::auth::{ClientAdmin, Credentials, Role, StoreDirectory};
use kira_users::config::Config;
use kira_users::contract::v1;
use kira_users::contract::v1::auth_service_client::AuthServiceClient;
use kira_users::contract::v1::users_service_client::UsersServiceClient;
use kira_users::env::MockClock;
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tempfile::TempDir;
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;
use uuid::Uuid;

use super::database::TestDatabase;

/// The time at which every test begins.
pub(crate) const BEGINNING: &str = "2026-11-23T10:00:00Z";

/// The largest message that test clients take and send.
const MAX_MESSAGE: usize = 128 << 20;

/// A service under test.
pub(crate) struct Service {
    pub(crate) running: Running,
    pub(crate) clock: Arc<MockClock>,
    pub(crate) database: TestDatabase,
    /// Of documents and keys.
    pub(crate) folder: TempDir,
    pub(crate) http: reqwest::Client,
}

/// A client of the service with a token of its own.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) id: Uuid,
    pub(crate) password: String,
    pub(crate) api_key: String,
    pub(crate) token: String,
    pub(crate) base: String,
    pub(crate) http: reqwest::Client,
    pub(crate) channel: Channel,
}

/// An answer of the REST API.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) async fn of(response: reqwest::Response) -> Self {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let text = response.text().await.expect("a text");
        Self { status, headers, text }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON in an answer {}", self.status))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

impl Service {
    /// A service with the default configuration.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// A service with settings of the environment.
    pub(crate) async fn start_with(settings: &[(&str, &str)]) -> Self {
        let database = TestDatabase::migrated().await;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let clock = BEGINNING.parse::<DateTime<Utc>>().expect("a time");
        Self::start_on(database, folder, Arc::new(MockClock::at(clock)), settings).await
    }

    /// A service on what another one has left.
    pub(crate) async fn start_on(
        database: TestDatabase,
        folder: TempDir,
        clock: Arc<MockClock>,
        settings: &[(&str, &str)],
    ) -> Self {
        let config = config(&database, &folder, settings);
        let running = app::start(&config, clock.clone()).await.expect("the service starts");
        let http = http_client();
        Self { running, clock, database, folder, http }
    }

    /// Stops the service, and starts it again on the same data.
    pub(crate) async fn restart(self) -> Self {
        let Self { running, clock, database, folder, .. } = self;
        running.stop(Duration::from_secs(10)).await;
        Self::start_on(database, folder, clock, &[]).await
    }

    /// The base URL of the REST API.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.running.http_addr)
    }

    /// The base URL of the admin port.
    pub(crate) fn admin_url(&self) -> String {
        format!("http://{}", self.running.admin_addr)
    }

    /// A connection to the gRPC API.
    pub(crate) async fn channel(&self) -> Channel {
        channel(self.running.grpc_addr).await
    }

    /// The management of clients, as the command line has it.
    pub(crate) async fn clients(&self) -> ClientAdmin {
        let resources = self.running.resources.clone();
        let directory = StoreDirectory::new(resources.store.clone(), resources.vault.clone());
        ClientAdmin::open(resources.store, &directory, resources.env).await.expect("the client directory opens")
    }

    /// A new client with a token.
    pub(crate) async fn client(&self) -> Client {
        let credentials = self.clients().await.create("test", Role::Client).await.expect("a client is made");
        self.client_of(&credentials).await
    }

    /// A new reviewer with a token.
    pub(crate) async fn reviewer(&self, name: &str) -> Client {
        let credentials = self.clients().await.create(name, Role::Reviewer).await.expect("a reviewer is made");
        self.client_of(&credentials).await
    }

    /// The client of these credentials, with a new token.
    pub(crate) async fn client_of(&self, credentials: &Credentials) -> Client {
        let channel = self.channel().await;
        let mut client = Client {
            id: credentials.client_id,
            password: credentials.password.clone(),
            api_key: credentials.api_key.clone(),
            token: String::new(),
            base: self.url(),
            http: self.http.clone(),
            channel,
        };
        client.renew_token().await;
        client
    }
}

impl Client {
    /// The same client, with the same token, at another replica.
    pub(crate) async fn at(&self, replica: &Running) -> Self {
        let base = format!("http://{}", replica.http_addr);
        Self { base, channel: channel(replica.grpc_addr).await, ..self.clone() }
    }

    /// Gets a new token by `POST /auth`.
    pub(crate) async fn renew_token(&mut self) {
        let answer = self.authenticate(&self.password).await;
        assert_eq!(answer.status, 200, "the client gets a token");
        let token = answer.json()["data"]["access_token"].as_str().map(str::to_owned);
        self.token = token.expect("a token");
    }

    /// `POST /auth` with a password.
    pub(crate) async fn authenticate(&self, password: &str) -> Answer {
        let body = json!({"client_id": self.id, "password": password});
        let request = self.http.post(format!("{}/auth", self.base)).header("x-api-key", &self.api_key).json(&body);
        Answer::of(request.send().await.expect("an answer")).await
    }

    /// A REST request with the client's credentials.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        request.bearer_auth(&self.token).header("x-api-key", &self.api_key)
    }

    /// `GET` of a path.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path).send().await.expect("an answer")).await
    }

    /// `POST /v1/users` with a key of its own.
    pub(crate) async fn create(&self, body: &Value) -> Answer {
        self.create_with(Uuid::new_v4(), body).await
    }

    /// `POST /v1/users` with an idempotency key.
    pub(crate) async fn create_with(&self, key: Uuid, body: &Value) -> Answer {
        self.create_raw(&[("idempotency-key", &key.to_string())], body.to_string()).await
    }

    /// `POST /v1/users` with any headers and any body; its content type is JSON.
    pub(crate) async fn create_raw(&self, headers: &[(&'static str, &str)], body: impl Into<reqwest::Body>) -> Answer {
        let mut request = self.request(Method::POST, "/v1/users").header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, HeaderValue::from_str(value).expect("a header"));
        }
        Answer::of(request.body(body).send().await.expect("an answer")).await
    }

    /// The users service over gRPC. [`Client::call`] makes its requests.
    pub(crate) fn grpc(&self) -> UsersServiceClient<Channel> {
        UsersServiceClient::new(self.channel.clone())
            .max_decoding_message_size(MAX_MESSAGE)
            .max_encoding_message_size(MAX_MESSAGE)
    }

    /// The token service over gRPC.
    pub(crate) fn grpc_auth(&self) -> AuthServiceClient<Channel> {
        AuthServiceClient::new(self.channel.clone())
    }

    /// A gRPC request with the client's credentials.
    pub(crate) fn call<T>(&self, message: T) -> tonic::Request<T> {
        let mut request = tonic::Request::new(message);
        let metadata = request.metadata_mut();
        metadata.insert("authorization", format!("Bearer {}", self.token).parse().expect("metadata"));
        metadata.insert("x-api-key", self.api_key.parse().expect("metadata"));
        request
    }

    /// CreateUser over gRPC: the user, and whether it was replayed.
    pub(crate) async fn grpc_create(
        &self,
        key: Uuid,
        user: v1::create_user_request::User,
    ) -> Result<(v1::User, bool), tonic::Status> {
        let message = v1::CreateUserRequest { idempotency_key: Some(key.to_string()), user: Some(user) };
        let response = self.grpc().create_user(self.call(message)).await?;
        let replayed = is_replayed(response.metadata());
        Ok((response.into_inner().user.expect("a user"), replayed))
    }
}

/// Whether the response metadata marks a replay.
pub(crate) fn is_replayed(metadata: &MetadataMap) -> bool {
    metadata.get("idempotent-replayed").is_some_and(|value| value == "true")
}

async fn channel(address: SocketAddr) -> Channel {
    let url = format!("http://{address}");
    Channel::from_shared(url).expect("a URL").connect().await.expect("the gRPC API answers")
}

/// An HTTP client that knows no proxy.
pub(crate) fn http_client() -> reqwest::Client {
    // The first of several tests in one process installs the provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().expect("an HTTP client")
}

/// The configuration of a service under test: free ports, its own database and folder, fixed master keys.
pub(crate) fn config(database: &TestDatabase, folder: &TempDir, settings: &[(&str, &str)]) -> Config {
    let mut environment: HashMap<&str, String> = HashMap::from([
        ("KIRA_DATA_DIR", folder.path().display().to_string()),
        ("KIRA_DOCUMENTS_URL", folder.path().join("documents").display().to_string()),
        ("KIRA_VERIFICATION_PROVIDER", "sandbox".to_owned()),
        ("KIRA_HTTP_ADDR", "127.0.0.1:0".to_owned()),
        ("KIRA_GRPC_ADDR", "127.0.0.1:0".to_owned()),
        ("KIRA_ADMIN_ADDR", "127.0.0.1:0".to_owned()),
        // Tests drain the queue themselves.
        ("KIRA_WORKER", "false".to_owned()),
        ("KIRA_MASTER_KEYS", "test:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".to_owned()),
    ]);
    environment.extend(database.settings());
    for (name, value) in settings {
        environment.insert(name, (*value).to_owned());
    }
    let environment = environment.into_iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    Config::from_parts(None, environment).expect("the configuration of the test")
}
