//! TLS of a door: who we are, whose clients may come, and how both change while the service runs.

mod load;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use rustls::ServerConfig;
use tokio_rustls::TlsAcceptor;

use self::load::Contents;
use crate::config::{Problem, TlsConfig};

/// What a door speaks within TLS, the preferred first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// HTTP/2 and HTTP/1.1.
    Http,
    /// HTTP/2, as gRPC needs.
    Http2,
}

/// The TLS of one door, as its files have it.
pub struct DoorTls {
    files: TlsConfig,
    speaks: Speaks,
    state: Mutex<State>,
    failed_reloads: AtomicU64,
}

struct State {
    served: Served,
    /// What the files held when they were last looked at, whether it could be served or not.
    seen: load::Digest,
}

/// What new connections get.
#[derive(Clone)]
struct Served {
    config: Arc<ServerConfig>,
    not_before: DateTime<Utc>,
    not_after: DateTime<Utc>,
}

impl DoorTls {
    /// Reads the files of a door.
    ///
    /// # Errors
    /// Everything that is wrong with them, each at the setting that names the file.
    pub fn open(files: TlsConfig, speaks: Speaks, now: DateTime<Utc>) -> Result<Self, Vec<Problem>> {
        let contents = Contents::read(&files);
        let served = contents.load(&files, speaks)?;
        served.warn_unless_valid(&files, now);
        let state = Mutex::new(State { served, seen: contents.digest() });
        Ok(Self { files, speaks, state, failed_reloads: AtomicU64::new(0) })
    }

    /// Looks at the files again; what has changed is served to new connections from now on. Files that cannot be served
    /// are told in the log, once, and the old ones stay. It reads files, so that it may block for a moment.
    pub fn reload(&self, now: DateTime<Utc>) {
        let contents = Contents::read(&self.files);
        let digest = contents.digest();
        if self.lock().seen == digest {
            return;
        }
        let loaded = contents.load(&self.files, self.speaks);
        let mut state = self.lock();
        state.seen = digest;
        let cert = &self.files.cert.setting;
        match loaded {
            Ok(served) => {
                served.warn_unless_valid(&self.files, now);
                tracing::info!(cert, not_after = %served.not_after, "new connections get the changed certificate");
                state.served = served;
            }
            Err(problems) => {
                self.failed_reloads.fetch_add(1, Ordering::Relaxed);
                for problem in problems {
                    tracing::error!(%problem, "changed TLS files cannot be used; the old ones stay");
                }
            }
        }
    }

    /// Shakes hands with a new connection.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.lock().served.config))
    }

    /// Until when the served certificate is good.
    #[must_use]
    pub fn not_after(&self) -> DateTime<Utc> {
        self.lock().served.not_after
    }

    /// How often changed files could not be served.
    #[must_use]
    pub fn failed_reloads(&self) -> u64 {
        self.failed_reloads.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Served {
    /// A certificate out of its time is served all the same: clients say so more clearly than a closed door does.
    fn warn_unless_valid(&self, files: &TlsConfig, now: DateTime<Utc>) {
        let cert = &files.cert.setting;
        if now > self.not_after {
            tracing::warn!(cert, not_after = %self.not_after, "the certificate has expired");
        } else if now < self.not_before {
            tracing::warn!(cert, not_before = %self.not_before, "the certificate is not valid yet");
        }
    }
}
