//! One call of the disk fails, at each step of each kind of write.

use serde_json::Value;

use crate::faults::disk::{Calls, Disk, EIO, ENOSPC};
use crate::faults::history::History;
use crate::faults::steps;
use crate::harness::database::engine;
use crate::harness::program::{Program, Setup, wait_until_async};
use crate::harness::receiver::Receiver;
use crate::harness::requests::{minimal, with_files};
use kira_users::store::Engine;

/// An embedded service on a disk that can fail, and a client of it.
pub(crate) struct Embedded {
    pub(crate) setup: Setup,
    pub(crate) disk: Disk,
    pub(crate) program: Program,
    pub(crate) history: History,
    pub(crate) receiver: Receiver,
}

impl Embedded {
    pub(crate) async fn start() -> Self {
        let mut setup = Setup::embedded();
        setup.set("KIRA_DEMO_CLIENT", "false");
        setup.set("KIRA_VERIFICATION_PROVIDER", "sandbox");
        setup.set("KIRA_SANDBOX_DELAY", "0s");
        setup.set("KIRA_WEBHOOK_ALLOW", "127.0.0.0/8");
        let disk = Disk::under(&mut setup);
        let program = setup.serve();
        let client = setup.client();
        let mut history = History::new(&program, &client).await;
        let receiver = Receiver::new().await;
        assert!(history.register(&receiver.url()).await);
        Self { setup, disk, program, history, receiver }
    }

    /// Ends the program, by SIGKILL or as it should end, and starts it again.
    pub(crate) fn restart(self, is_kill: bool) -> Self {
        let Self { setup, disk, mut program, mut history, receiver } = self;
        if is_kill {
            program.kill();
        } else {
            program.terminate();
            assert!(program.ended().success());
        }
        leases_end(&setup);
        let program = setup.serve();
        history.moved_to(&program);
        Self { setup, disk, program, history, receiver }
    }

    /// A healthy disk: what failed succeeds, and all that was acknowledged is there, now and after the next start.
    async fn check(mut self, is_kill: bool) -> Self {
        self.history.settle().await;
        let mut again = self.restart(is_kill);
        again.history.check().await;
        again
    }

    /// At last: every key has one user, and everything that a user sets off has been done.
    async fn check_all(self) {
        let again = self.restart(true);
        again.history.check_verified().await;
        again.history.check_events(&again.receiver).await;
        let Self { setup, mut program, history, .. } = again;
        program.terminate();
        assert!(program.ended().success());
        let file = rusqlite::Connection::open(setup.data().join("kira-users.db")).expect("the database");
        let count = |sql: &str| file.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("a count");
        assert_eq!(count("SELECT count(*) FROM users"), history.count(), "a key makes one user");
        assert_eq!(count("SELECT count(*) FROM idempotency_keys"), history.count());
        assert_eq!(count("SELECT count(*) FROM jobs"), 0, "nothing is left to do");
        let healthy: String = file.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("an answer");
        assert_eq!(healthy, "ok");
    }
}

/// Moves the clock past the leases of unsettled work.
fn leases_end(setup: &Setup) {
    let file = rusqlite::Connection::open(setup.data().join("kira-users.db")).expect("the database");
    for due in crate::faults::network::LEASES_END {
        file.execute(due, []).expect("a statement");
    }
}

/// What is written while the disk fails.
#[derive(Clone, Copy, Debug)]
enum Write {
    User,
    UserWithFiles,
    Change,
    Endpoint,
    Client,
    SigningKey,
}

const KINDS: [Write; 6] =
    [Write::User, Write::UserWithFiles, Write::Change, Write::Endpoint, Write::Client, Write::SigningKey];

impl Embedded {
    async fn write(&mut self, kind: Write, number: i32) {
        match kind {
            Write::User => drop(self.history.create(&minimal()).await),
            Write::UserWithFiles => drop(self.history.create(&with_files()).await),
            Write::Change => drop(self.history.update().await),
            Write::Endpoint => {
                let url = format!("{}/{number}-{}", self.receiver.url(), uuid::Uuid::new_v4());
                self.history.register(&url).await;
            }
            Write::Client => self.command(&["client", "create", "--name", "another", "--json"]).await,
            Write::SigningKey => drop(self.setup.run(&["keys", "rotate"])),
        }
    }

    /// A client that a command has shown can be used.
    async fn command(&self, arguments: &[&str]) {
        let output = self.setup.run(arguments);
        if !output.status.success() {
            return;
        }
        let client: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let authenticate = || async {
            let body = serde_json::json!({"client_id": client["client_id"], "password": client["password"]});
            let request = crate::harness::service::http_client().post(format!("http://{}/auth", self.program.rest()));
            let request = request.header("x-api-key", client["api_key"].as_str().expect("an API key"));
            let status = request.json(&body).send().await.expect("an answer").status().as_u16();
            assert!(matches!(status, 200 | 503 | 504), "the client was shown: {status}");
            (status == 200).then_some(())
        };
        wait_until_async(authenticate, "a token").await;
    }
}

async fn at_every_step(error: i32) {
    if engine() != Engine::Sqlite {
        return;
    }
    let mut embedded = Embedded::start().await;
    for kind in KINDS {
        for step in 0..steps() {
            embedded.disk.fail(Calls::WRITES, error, step, 1);
            embedded.write(kind, step).await;
            embedded.disk.heal();
            if matches!(kind, Write::Endpoint) {
                embedded.history.remove_endpoints_but(&embedded.receiver.url()).await;
            }
            // Whatever comes next must not end up in a transaction that is never committed.
            embedded.history.create(&minimal()).await;
        }
    }
    let mut embedded = embedded.check(true).await;
    for kind in KINDS {
        // The work behind the answers fails as well, for a while.
        embedded.disk.fail(Calls::WRITES, error, 1, 7);
        embedded.write(kind, -1).await;
        embedded.disk.heal();
        embedded.history.create(&with_files()).await;
    }
    embedded.check(false).await.check_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_input_output_error_at_any_step_of_any_write_loses_and_doubles_nothing() {
    at_every_step(EIO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_at_any_step_of_any_write_loses_and_doubles_nothing() {
    at_every_step(ENOSPC).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_fails_asks_for_a_retry_and_the_next_one_succeeds() {
    if engine() != Engine::Sqlite {
        return;
    }
    let mut embedded = Embedded::start().await;
    for _ in 0..20 {
        assert!(embedded.history.create(&with_files()).await);
    }
    // What the process has read once stays in its memory.
    let mut embedded = embedded.restart(true);
    let mut failed = 0;
    for step in 0..4 * steps() {
        embedded.disk.fail(Calls::READS, EIO, step % 3, 2);
        embedded.history.look_at_any().await;
        failed += embedded.disk.heal();
        if step % 4 == 3 {
            embedded = embedded.restart(true);
        }
    }
    assert!(failed > 0, "some reads have failed");
    embedded.check(true).await.check_all().await;
}
