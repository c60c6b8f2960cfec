//! What is logged of a panic. There is no request that makes the program panic, so this very test plays the program.

use std::process::Command;

use kira_gateway::off_thread;
use kira_users::config::Config;
use kira_users::telemetry;
use serde_json::Value;
use tracing::Instrument as _;

/// Set where the test is the program.
const PLAYS: &str = "KIRA_TEST_PLAYS_PROGRAM";
/// Represents personal data.
const SAID: &str = "zqjxkvwyq";
/// Bytes of a request that is processed on another thread.
const LARGE: usize = 1 << 20;

/// Panics within a request: on its thread, and where large requests are worked on.
fn play() {
    let config = Config::from_parts(None, [("KIRA_LOG_FORMAT".into(), "json".into())]).expect("a configuration");
    let _guard = telemetry::init(&config.telemetry).expect("telemetry starts");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    for (request_id, size) in [("small", 0), ("large", LARGE)] {
        let span = tracing::info_span!("request", request_id);
        let work = off_thread(size, || panic!("{SAID}")).instrument(span);
        let ended: Result<Result<(), _>, _> =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| runtime.block_on(work)));
        assert!(!matches!(ended, Ok(Ok(()))), "the work panics");
    }
}

#[test]
fn a_panic_is_logged_by_its_place_and_its_request_and_never_by_what_it_said() {
    if std::env::var_os(PLAYS).is_some() {
        return play();
    }
    let name = "program::panic::a_panic_is_logged_by_its_place_and_its_request_and_never_by_what_it_said";
    let itself = std::env::current_exe().expect("the test's own file");
    let output = Command::new(itself).args(["--exact", name, "--nocapture"]).env_clear().env(PLAYS, "1").output();
    let output = output.expect("the test runs");
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{log}");
    assert!(!log.contains(SAID) && !String::from_utf8_lossy(&output.stdout).contains(SAID), "{log}");
    let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let of = |request_id: &str, message: &str| {
        lines.iter().find(|line| line["message"] == message && line["span"]["request_id"] == request_id)
    };
    for request_id in ["small", "large"] {
        let line = of(request_id, "panicked").unwrap_or_else(|| panic!("a line of {request_id}:\n{log}"));
        assert!(line["location"].as_str().is_some_and(|place| place.starts_with(file!())), "{line}");
    }
    assert_eq!(of("large", "work on a large request did not end").expect("a line")["panicked"], true);
}
