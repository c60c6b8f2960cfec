//! Everything that runs in the background of a process: one file a job, and [`start`], which starts them.
//!
//! Each file has a [`Job`] that states the interval, the time limit, what keeps two processes from doing the same work,
//! and the metrics that show it. [`ALL`] lists them. The work itself is mostly a function of the module that owns the
//! data; a job calls it and logs the result.

mod job;
mod task_group;

mod erase_expired;
mod finish_erasures;
mod fold_user_counts;
pub mod heartbeat;
mod listen_for_events;
mod make_partitions;
mod measure_queues;
mod probe_disks;
mod prune_webhooks;
mod rebuild_index;
mod refresh_keys;
mod refresh_statistics;
mod register_master_key;
mod relay_to_sinks;
mod release_memory;
mod reload_certificates;
mod renew_connections;
mod report_readiness;
mod review_overdue;
mod send_webhooks;
mod sequence_events;
mod sweep_documents;
mod verify_users;

use std::sync::Arc;
use std::time::Duration;

use crate::auth::Authenticator;
use crate::env::SharedEnv;
use crate::health::{GrpcHealth, Readiness};
use crate::server::tls::ListenerTls;
use crate::service::erasures::Eraser;
use crate::service::events::Feed;
use crate::service::lookup::rebuild::Rebuild;
use crate::sink::Relay;
use crate::store::Store;
use crate::telemetry::Metrics;
use crate::vault::Vault;
use crate::vault::documents::DocumentStore;
use crate::verification::Worker;
use crate::webhook::Sender;

pub use self::job::{Job, Lock};
pub use self::task_group::TaskGroup;

/// All recurring jobs. [`verify_users`], [`send_webhooks`] and [`relay_to_sinks`] are loops of their own, woken by new work.
pub const ALL: &[&Job] = &[
    &heartbeat::JOB,
    &probe_disks::JOB,
    &renew_connections::JOB,
    &make_partitions::JOB,
    &measure_queues::JOB,
    &sequence_events::OWN,
    &sequence_events::ANY,
    &report_readiness::JOB,
    &listen_for_events::JOB,
    &refresh_keys::JOB,
    &refresh_statistics::JOB,
    &register_master_key::JOB,
    &release_memory::JOB,
    &reload_certificates::JOB,
    &review_overdue::JOB,
    &sweep_documents::JOB,
    &prune_webhooks::JOB,
    &fold_user_counts::JOB,
    &rebuild_index::JOB,
    &finish_erasures::JOB,
    &erase_expired::JOB,
];

/// What the jobs of every process need.
pub struct JobDeps {
    /// The database.
    pub store: Store,
    /// The key ring.
    pub vault: Vault,
    /// The object store of documents.
    pub documents: DocumentStore,
    /// Clock, identifiers, randomness.
    pub env: SharedEnv,
    /// The metrics of the process.
    pub metrics: Metrics,
    /// The readiness of the process.
    pub readiness: Readiness,
    /// The order of events.
    pub feed: Arc<Feed>,
}

/// What the jobs of a process that serves requests need besides.
pub struct ServerDeps {
    /// The keys of tokens.
    pub authenticator: Arc<Authenticator>,
    /// gRPC's health service.
    pub grpc_health: GrpcHealth,
    /// The TLS of the listeners that have it, by protocol.
    pub certificates: Vec<(&'static str, Arc<ListenerTls>)>,
    /// How long records of webhook deliveries are kept; `None` is without limit.
    pub webhook_retention: Option<Duration>,
    /// Indexes users.
    pub index: Rebuild,
    /// Erases users.
    pub eraser: Eraser,
}

/// What a process that processes the queues needs besides.
pub struct QueueDeps {
    /// Processes verifications.
    pub worker: Arc<Worker>,
    /// Sends webhooks.
    pub sender: Arc<Sender>,
    /// Publish events to brokers.
    pub sinks: Vec<Arc<Relay>>,
}

/// Starts the jobs of this process. `server` and `queues` are what the process does; readiness is set before.
pub fn start(deps: &JobDeps, server: Option<&ServerDeps>, queues: Option<&QueueDeps>, tasks: &TaskGroup) {
    // In every process. The heartbeat starts with the admin listener.
    probe_disks::start(deps, tasks);
    renew_connections::start(deps, tasks);
    measure_queues::start(deps, tasks);
    sequence_events::start(deps, tasks);
    register_master_key::start(deps, tasks);
    release_memory::start(tasks);
    fold_user_counts::start(deps, tasks);
    report_readiness::start(deps, server.map(|server| &server.grpc_health), tasks);
    make_partitions::start(deps, tasks);
    if let Some(server) = server {
        listen_for_events::start(deps, tasks);
        refresh_keys::start(server, tasks);
        refresh_statistics::start(deps, tasks);
        reload_certificates::start(deps, server, tasks);
        review_overdue::start(deps, tasks);
        sweep_documents::start(deps, tasks);
        prune_webhooks::start(deps, server, tasks);
        rebuild_index::start(deps, server, tasks);
        finish_erasures::start(server, tasks);
        erase_expired::start(deps, server, tasks);
    }
    if let Some(queues) = queues {
        verify_users::start(deps, queues, tasks);
        send_webhooks::start(queues, tasks);
        relay_to_sinks::start(queues, tasks);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const OPERATIONS: &str = include_str!("../../docs/operations.md");

    #[test]
    fn every_job_has_a_name_of_its_own_and_shows_in_metrics_that_are_documented() {
        let names: BTreeSet<_> = ALL.iter().map(|job| job.name).collect();
        assert_eq!(names.len(), ALL.len());
        let loops = [verify_users::METRICS, send_webhooks::METRICS, relay_to_sinks::METRICS];
        let metrics = ALL.iter().flat_map(|job| job.metrics).chain(loops.into_iter().flatten());
        for metric in metrics {
            assert!(OPERATIONS.contains(metric), "docs/operations.md lacks {metric}");
        }
    }

    #[test]
    fn every_file_of_a_job_is_started() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/jobs");
        let own = include_str!("mod.rs");
        for entry in std::fs::read_dir(folder).expect("the folder of jobs") {
            let name = entry.expect("a file").file_name().into_string().expect("a name in UTF-8");
            let module = name.trim_end_matches(".rs");
            if !["mod", "job", "task_group", "heartbeat"].contains(&module) {
                assert!(own.contains(&format!("{module}::start(")), "{module} is not started");
            }
        }
    }
}
