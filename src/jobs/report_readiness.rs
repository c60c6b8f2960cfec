//! Reports the readiness to metrics, and to gRPC's health service where there is one. Each round pings the database.

use std::time::Duration;

use super::{Job, JobDeps, Lock, TaskGroup};
use crate::health::GrpcHealth;

pub(super) const JOB: Job = Job {
    name: "report_readiness",
    interval: Duration::from_secs(5),
    time_limit: Duration::from_secs(5),
    lock: Lock::None,
    metrics: &["kira_ready"],
};

pub(super) fn start(deps: &JobDeps, grpc_health: Option<&GrpcHealth>, tasks: &TaskGroup) {
    let (readiness, grpc_health, metrics) = (deps.readiness.clone(), grpc_health.cloned(), deps.metrics.clone());
    tasks.spawn_job(&JOB, move || {
        let (readiness, grpc_health, metrics) = (readiness.clone(), grpc_health.clone(), metrics.clone());
        async move {
            let is_ready = readiness.not_ready_reason().await.is_none();
            metrics.ready(is_ready);
            if let Some(grpc_health) = grpc_health {
                grpc_health.report(is_ready).await;
            }
        }
    });
}
