//! TLS of the doors: opened with the service, and kept as its files are.

use std::sync::Arc;
use std::time::Duration;

use super::open::{AppError, Opened};
use super::tasks::{Recurring, Tasks};
use crate::ambient::SharedAmbient;
use crate::config::{ConfigError, ServerConfig, TlsConfig};
use crate::server::tls::{DoorTls, Speaks};
use crate::server::{Door as _, GrpcDoor, RestDoor};

/// How often the files are looked at. By their content: what renews certificates swaps links, or writes in place, and
/// some file systems tell nobody.
const RELOAD: Recurring =
    Recurring { name: "reload of certificates", interval: Duration::from_secs(5), limit: Duration::from_secs(60) };

/// The TLS of both doors; `None` where a door has none.
#[derive(Clone)]
pub(super) struct Tls {
    pub(super) rest: Option<Arc<DoorTls>>,
    pub(super) grpc: Option<Arc<DoorTls>>,
}

impl Tls {
    /// Reads the files of both doors.
    ///
    /// # Errors
    /// Everything that is wrong with any of them.
    pub(super) fn open(config: &ServerConfig, ambient: &SharedAmbient) -> Result<Self, AppError> {
        let mut problems = Vec::new();
        let mut open = |files: &Option<TlsConfig>, speaks| {
            let opened = DoorTls::open(files.clone()?, speaks, ambient.now());
            opened.map(Arc::new).map_err(|found| problems.extend(found)).ok()
        };
        let tls = Self { rest: open(&config.http_tls, Speaks::Http), grpc: open(&config.grpc_tls, Speaks::Http2) };
        if problems.is_empty() { Ok(tls) } else { Err(AppError::Config(ConfigError { problems })) }
    }

    /// Looks at the files again and again, and shows until when they are good.
    pub(super) fn run(&self, tasks: &Tasks, opened: &Opened) {
        for (door, tls) in [(RestDoor::NAME, &self.rest), (GrpcDoor::NAME, &self.grpc)] {
            let Some(tls) = tls.clone() else { continue };
            let (watched, ambient) = (Arc::clone(&tls), Arc::clone(&opened.ambient));
            opened.metrics.watch_certificate(door, move || Some(watched.not_after().timestamp()));
            tasks.spawn(|stop| {
                RELOAD.run(stop, move || {
                    let (tls, now) = (Arc::clone(&tls), ambient.now());
                    // A file system that hangs holds nobody else up. What panics is told by the panic itself.
                    async move { drop(tokio::task::spawn_blocking(move || tls.reload(now)).await) }
                })
            });
        }
    }
}
