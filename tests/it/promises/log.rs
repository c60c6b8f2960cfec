//! The log of a process that runs one test alone, at the finest level.

use std::io::Write;
use std::process::Command;

use parking_lot::Mutex;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

/// Set in the process that runs one test alone.
const ALONE: &str = "KIRA_TEST_ALONE";

static TEXT: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Buffer;

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        TEXT.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Keeps the log of this process if it runs the test `name` alone. If not, runs the test in such a process, which must
/// succeed, and returns false: the log of a process is of all its tests.
pub(crate) fn capture_alone(name: &str) -> bool {
    if std::env::var_os(ALONE).is_none() {
        let itself = std::env::current_exe().expect("the test's own file");
        let output = Command::new(itself).args(["--exact", name, "--nocapture"]).env(ALONE, "1").output();
        let output = output.expect("the test runs");
        let printed = String::from_utf8_lossy(&output.stdout);
        let failed = !output.status.success() || !printed.contains("1 passed");
        assert!(!failed, "{printed}\n{}", String::from_utf8_lossy(&output.stderr));
        return false;
    }
    let log = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("debug,kira_users=trace,kira_gateway=trace"))
        .with_span_events(FmtSpan::FULL)
        .with_ansi(false)
        .with_writer(|| Buffer);
    log.try_init().expect("nothing else logs in this process");
    true
}

/// What was logged.
pub(crate) fn text() -> Vec<u8> {
    TEXT.lock().clone()
}
