//! TLS of a listener: its certificate, the client certificates that it accepts, and the reload of both.

mod load;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use rustls::ServerConfig;
use tokio_rustls::TlsAcceptor;

use self::load::FileContents;
use crate::config::{Problem, TlsConfig};

/// The protocols that a listener offers by ALPN, in order of preference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alpn {
    /// HTTP/2 and HTTP/1.1.
    Http,
    /// HTTP/2 only, for gRPC.
    Http2,
}

/// The TLS of one listener, read from files.
pub struct ListenerTls {
    files: TlsConfig,
    alpn: Alpn,
    state: Mutex<State>,
    failed_reloads: AtomicU64,
}

struct State {
    served: ServedCertificate,
    /// The digest of the files at the last read, also of files that could not be used.
    last_read: load::Digest,
}

/// The certificate and configuration of new connections.
#[derive(Clone)]
struct ServedCertificate {
    config: Arc<ServerConfig>,
    not_before: DateTime<Utc>,
    not_after: DateTime<Utc>,
}

impl ListenerTls {
    /// Reads the files of a listener.
    ///
    /// # Errors
    /// Every problem, with the setting that names the file.
    pub fn open(files: TlsConfig, alpn: Alpn, now: DateTime<Utc>) -> Result<Self, Vec<Problem>> {
        let contents = FileContents::read(&files);
        let served = contents.load(&files, alpn)?;
        served.warn_unless_valid(&files, now);
        let state = Mutex::new(State { served, last_read: contents.digest() });
        Ok(Self { files, alpn, state, failed_reloads: AtomicU64::new(0) })
    }

    /// Reads the files again; new connections get what has changed. Files that cannot be used are logged once, and the
    /// old certificate stays. Blocks on file I/O.
    pub fn reload(&self, now: DateTime<Utc>) {
        let contents = FileContents::read(&self.files);
        let digest = contents.digest();
        if self.lock().last_read == digest {
            return;
        }
        let loaded = contents.load(&self.files, self.alpn);
        let mut state = self.lock();
        state.last_read = digest;
        let cert = &self.files.cert.setting;
        match loaded {
            Ok(served) => {
                served.warn_unless_valid(&self.files, now);
                tracing::info!(cert, not_after = %served.not_after, "certificate reloaded");
                state.served = served;
            }
            Err(problems) => {
                self.failed_reloads.fetch_add(1, Ordering::Relaxed);
                for problem in problems {
                    tracing::error!(%problem, "changed TLS files cannot be used; the old certificate stays");
                }
            }
        }
    }

    /// Does the handshake of a new connection.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.lock().served.config))
    }

    /// When the served certificate expires.
    #[must_use]
    pub fn not_after(&self) -> DateTime<Utc> {
        self.lock().served.not_after
    }

    /// How often changed files could not be used.
    #[must_use]
    pub fn failed_reloads(&self) -> u64 {
        self.failed_reloads.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ServedCertificate {
    /// An expired certificate is served all the same: clients report it more clearly than a refused connection.
    fn warn_unless_valid(&self, files: &TlsConfig, now: DateTime<Utc>) {
        let cert = &files.cert.setting;
        if now > self.not_after {
            tracing::warn!(cert, not_after = %self.not_after, "the certificate has expired");
        } else if now < self.not_before {
            tracing::warn!(cert, not_before = %self.not_before, "the certificate is not valid yet");
        }
    }
}
