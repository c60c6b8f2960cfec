//! A service, a client, and workers.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use kira_users::domain::verification::{Assurance, Outcome};
use kira_users::telemetry::Metrics;
use kira_users::vault::documents::DocumentStore;
use kira_users::verification::{Case, Progress, Provider, ProviderError, ProviderResponse, Worker, WorkerDeps};
use parking_lot::Mutex;
use sea_orm::{ConnectionTrait, Statement};
use serde_json::Value;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::harness::database::ALL_EVENTS;
use crate::harness::requests::{with, with_files};
use crate::harness::service::{Client, Service};

/// A service whose sandbox answers at once.
pub(crate) const AT_ONCE: [(&str, &str); 1] = [("KIRA_SANDBOX_DELAY", "0s")];

pub(crate) struct World {
    pub(crate) service: Service,
    pub(crate) client: Client,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(&AT_ONCE).await
    }

    pub(crate) async fn with(settings: &[(&str, &str)]) -> Self {
        let service = Service::start_with(settings).await;
        let client = service.client().await;
        Self { service, client }
    }

    /// The id of a new individual with all that verification needs.
    pub(crate) async fn individual(&self, last_name: &str) -> String {
        self.create(&with(with_files(), "/last_name", last_name.into())).await
    }

    pub(crate) async fn create(&self, body: &Value) -> String {
        let answer = self.client.create(body).await;
        assert_eq!(answer.status, 201);
        assert_eq!(answer.json()["verification_triggered"], true);
        assert_eq!(answer.json()["status"], "CREATED");
        answer.json()["id"].as_str().expect("an id").to_owned()
    }

    pub(crate) async fn user(&self, id: &str) -> Value {
        self.client.get(&format!("/v1/users/{id}")).await.json()
    }

    pub(crate) async fn status(&self, id: &str) -> String {
        self.user(id).await["status"].as_str().expect("a status").to_owned()
    }

    /// Works off what is due.
    pub(crate) async fn drain(&self) -> usize {
        self.service.running.worker.drain().await.expect("the database answers")
    }

    pub(crate) fn advance(&self, by: TimeDelta) {
        self.service.clock.advance(by);
    }

    /// A worker with a provider of the test's.
    pub(crate) fn worker(&self, provider: &Arc<Scripted>) -> Arc<Worker> {
        self.worker_of(provider.clone())
    }

    /// A worker with any provider.
    pub(crate) fn worker_of(&self, provider: Arc<dyn Provider>) -> Arc<Worker> {
        let resources = &self.service.running.resources;
        let documents = self.service.folder.path().join("documents");
        // It only reads, by keys that the database holds.
        let documents = DocumentStore::open(&documents.display().to_string(), Uuid::nil()).expect("a folder");
        let (store, vault, env) = (resources.store.clone(), resources.vault.clone(), resources.env.clone());
        Worker::new(
            WorkerDeps { store, vault, documents, env, wake: Arc::default(), metrics: Metrics::default() },
            provider,
        )
    }

    /// The kinds of the events of all users, in their order.
    pub(crate) async fn events(&self) -> Vec<String> {
        self.column(&format!("SELECT kind FROM {ALL_EVENTS} ORDER BY user_id, sequence")).await
    }

    /// Changes rows behind the service's back.
    pub(crate) async fn execute(&self, sql: &str) {
        let look = self.service.database.look().await;
        let result = look.execute_raw(Statement::from_string(look.get_database_backend(), sql)).await;
        assert_ne!(result.expect("a statement that is right").rows_affected(), 0);
    }

    /// Texts of the database.
    pub(crate) async fn column(&self, sql: &str) -> Vec<String> {
        let look = self.service.database.look().await;
        let rows = look.query_all_raw(Statement::from_string(look.get_database_backend(), sql)).await;
        let rows = rows.expect("a query that is right");
        rows.iter().map(|row| row.try_get_by_index(0).expect("a text")).collect()
    }
}

/// What a scripted provider does next.
pub(crate) enum Act {
    Answer(ProviderResponse),
    Fail(ProviderError),
    Panic,
}

/// A provider that follows the script of the test, and then verifies every user.
#[derive(Default)]
pub(crate) struct Scripted {
    acts: Mutex<VecDeque<Act>>,
    pub(crate) calls: AtomicUsize,
    pub(crate) references: Mutex<Vec<Option<String>>>,
    /// Sizes of the documents that it has read.
    pub(crate) sizes: Mutex<Vec<usize>>,
    /// Notified at each call.
    called: Notify,
    /// Whether it never answers.
    waits: AtomicBool,
    /// How many bytes it says that a case takes.
    memory: u64,
    /// How long it may take, where that is not the default.
    budget: Option<Duration>,
    /// How often the worker itself panics when it asks for the name.
    panics: AtomicUsize,
    /// Calls in flight, and their maximum so far.
    at_once: AtomicUsize,
    pub(crate) most_at_once: AtomicUsize,
}

impl Scripted {
    pub(crate) fn new(acts: impl IntoIterator<Item = Act>) -> Arc<Self> {
        Arc::new(Self { acts: Mutex::new(acts.into_iter().collect()), ..Self::default() })
    }

    /// A provider that takes a case and never answers.
    pub(crate) fn waiting() -> Arc<Self> {
        Self::waiting_for(None)
    }

    /// A provider that takes a case and never answers, with a budget.
    pub(crate) fn waiting_for(budget: Option<Duration>) -> Arc<Self> {
        Arc::new(Self { waits: true.into(), budget, ..Self::default() })
    }

    /// Waits for a call.
    pub(crate) async fn called(&self) {
        self.called.notified().await;
    }

    /// A provider for which each case takes this number of bytes.
    pub(crate) fn holding(memory: u64) -> Arc<Self> {
        Arc::new(Self { memory, ..Self::default() })
    }

    /// A provider at which the worker itself panics once.
    pub(crate) fn panicking() -> Arc<Self> {
        Arc::new(Self { panics: 1.into(), ..Self::default() })
    }

    /// From now on it never answers, or does again.
    pub(crate) fn wait(&self, waits: bool) {
        self.waits.store(waits, Ordering::Relaxed);
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

pub(crate) fn verified() -> ProviderResponse {
    Progress::Decided(Outcome::verified(Assurance::Identity)).into()
}

#[tonic::async_trait]
impl Provider for Scripted {
    fn name(&self) -> &'static str {
        let panics = self.panics.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        assert!(panics.is_err(), "planned");
        "scripted"
    }

    fn memory(&self, _: &Case) -> u64 {
        self.memory
    }

    fn budget(&self) -> Duration {
        self.budget.unwrap_or(Duration::from_secs(30))
    }

    async fn verify(&self, case: &Case) -> Result<ProviderResponse, ProviderError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.called.notify_one();
        self.most_at_once.fetch_max(self.at_once.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        if self.waits.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        self.references.lock().push(case.reference.clone());
        if let kira_users::profile::Profile::Individual(user) = &case.profile {
            for document in user.identifying_information.iter().flat_map(|entry| &entry.documents) {
                let content = case.content(document).await?;
                self.sizes.lock().push(content.len());
            }
        }
        self.at_once.fetch_sub(1, Ordering::Relaxed);
        let act = self.acts.lock().pop_front();
        match act {
            None => Ok(verified()),
            Some(Act::Answer(answer)) => Ok(answer),
            Some(Act::Fail(error)) => Err(error),
            Some(Act::Panic) => panic!("planned"),
        }
    }
}
