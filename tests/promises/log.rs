//! What the service logs while all tests of this binary run, at the finest level.

use std::io::Write;
use std::sync::{Mutex, OnceLock, PoisonError};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

static LOG: OnceLock<()> = OnceLock::new();
static TEXT: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Buffer;

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        TEXT.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Begins to keep the log of this process.
pub(crate) fn capture() {
    LOG.get_or_init(|| {
        let log = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new("debug,kira_users=trace,kira_gateway=trace"))
            .with_span_events(FmtSpan::FULL)
            .with_ansi(false)
            .with_writer(|| Buffer);
        log.try_init().expect("nothing else logs in this process");
    });
}

/// What was logged.
pub(crate) fn text() -> Vec<u8> {
    TEXT.lock().unwrap_or_else(PoisonError::into_inner).clone()
}
