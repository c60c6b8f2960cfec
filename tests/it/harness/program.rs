//! Starting the program, and waiting for what it does.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::{Value, json};
use tempfile::TempDir;
use tonic::transport::Channel;

use crate::harness::database::TestDatabase;
use crate::harness::service::{Answer, http_client};

/// Far more than anything here takes, on a machine that is busy with other things.
const DEADLINE: Duration = Duration::from_secs(60);
/// Between two looks at a condition that another process fulfils.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// What a program needs to run: a folder, and the environment.
pub(crate) struct Setup {
    pub(crate) folder: TempDir,
    pub(crate) environment: BTreeMap<&'static str, String>,
    /// Dropped after the programs that use it.
    pub(crate) database: Option<TestDatabase>,
}

impl Setup {
    /// The embedded form: nothing but a folder and free ports.
    pub(crate) fn embedded() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let environment = BTreeMap::from([
            ("KIRA_DATA_DIR", folder.path().join("data").display().to_string()),
            ("KIRA_HTTP_ADDR", "127.0.0.1:0".to_owned()),
            ("KIRA_GRPC_ADDR", "127.0.0.1:0".to_owned()),
            ("KIRA_ADMIN_ADDR", "127.0.0.1:0".to_owned()),
            ("KIRA_LOG_FORMAT", "json".to_owned()),
            ("KIRA_SHUTDOWN_DELAY", "0s".to_owned()),
        ]);
        Self { folder, environment, database: None }
    }

    /// On a database of the engine under test.
    pub(crate) fn on(database: TestDatabase) -> Self {
        let mut setup = Self::embedded();
        setup.environment.extend(database.settings());
        setup.set("KIRA_VERIFICATION_PROVIDER", "sandbox");
        setup.set("KIRA_DOCUMENTS_URL", &setup.data().join("documents").display().to_string());
        setup.set("KIRA_MASTER_KEYS", "test:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
        setup.database = Some(database);
        setup
    }

    pub(crate) fn set(&mut self, name: &'static str, value: &str) {
        self.environment.insert(name, value.to_owned());
    }

    /// The folder of the embedded form's data.
    pub(crate) fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    /// A command with this environment, and nothing of the test's own.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(Path::new(env!("CARGO_BIN_EXE_kira-users")));
        command.args(arguments).env_clear().envs(&self.environment).current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the program runs")
    }

    /// Runs a command that must succeed, and gives what it printed.
    pub(crate) fn printed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// Makes a client, as an operator does.
    pub(crate) fn client(&self) -> Value {
        if self.database.is_none() {
            // A command needs an existing database.
            self.printed(&["migrate"]);
        }
        let printed = self.printed(&["client", "create", "--name", "test", "--json"]);
        serde_json::from_str(&printed).expect("JSON")
    }

    /// Starts the service, and waits until its admin port answers.
    pub(crate) fn start(&self) -> Program {
        Program::start(self.command(&[]))
    }

    /// Starts the worker without the service, and waits until it works.
    pub(crate) fn work(&self) -> Program {
        let program = Program::start(self.command(&["worker"]));
        program.log.wait_for("working");
        program
    }

    /// Starts the service, and waits until it is ready.
    pub(crate) fn serve(&self) -> Program {
        let program = self.start();
        program.log.wait_for("ready");
        program
    }
}

/// Text that a process writes, line by line.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<String>>);

impl Lines {
    fn read(stream: impl Read + Send + 'static) -> (Self, JoinHandle<()>) {
        let lines = Self::default();
        let kept = lines.clone();
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                let mut text = kept.0.lock();
                text.push_str(&line);
                text.push('\n');
            }
        });
        (lines, reader)
    }

    pub(crate) fn text(&self) -> String {
        self.0.lock().clone()
    }

    /// The line of a JSON log with this message.
    pub(crate) fn find(&self, message: &str) -> Option<Value> {
        let text = self.text();
        let mut entries = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        entries.find(|entry| entry["message"] == message)
    }

    fn wait_for(&self, message: &str) -> Value {
        wait_until(|| self.find(message), || format!("{message:?} in the log:\n{}", self.text()))
    }
}

/// A running service; it is killed when this is dropped.
pub(crate) struct Program {
    pub(crate) log: Lines,
    pub(crate) output: Lines,
    child: Child,
    readers: Vec<JoinHandle<()>>,
}

impl Program {
    fn start(mut command: Command) -> Self {
        let mut child = command.spawn().expect("the program starts");
        let (log, log_reader) = Lines::read(child.stderr.take().expect("a pipe"));
        let (output, output_reader) = Lines::read(child.stdout.take().expect("a pipe"));
        let program = Self { log, output, child, readers: vec![log_reader, output_reader] };
        program.log.wait_for("starting");
        program
    }

    fn address(&self, message: &str, listener: &str) -> String {
        self.log.wait_for(message)[listener].as_str().expect("an address").to_owned()
    }

    /// Where the REST API listens.
    pub(crate) fn rest(&self) -> String {
        self.address("ready", "rest")
    }

    /// Where the gRPC API listens.
    pub(crate) fn grpc(&self) -> String {
        self.address("ready", "grpc")
    }

    /// Where health is asked; known before the service is ready.
    pub(crate) fn admin(&self) -> String {
        self.address("starting", "admin")
    }

    pub(crate) async fn channel(&self) -> Channel {
        let url = format!("http://{}", self.grpc());
        Channel::from_shared(url).expect("a URL").connect().await.expect("the gRPC API answers")
    }

    /// A token for a client.
    pub(crate) async fn token(&self, client: &Value) -> String {
        let request = http_client().post(format!("http://{}/auth", self.rest()));
        let request = request.header("x-api-key", client["api_key"].as_str().expect("an API key"));
        let body = json!({"client_id": client["client_id"], "password": client["password"]});
        let answer = Answer::of(request.json(&body).send().await.expect("an answer")).await;
        answer.json()["data"]["access_token"].as_str().expect("a token").to_owned()
    }

    /// What `/readyz` says.
    pub(crate) async fn readiness(&self) -> Answer {
        let answer = http_client().get(format!("http://{}/readyz", self.admin())).send().await;
        Answer::of(answer.expect("an answer")).await
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(sent.expect("`kill` runs").success());
    }

    /// SIGKILL: the process ends at once.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.ended();
    }

    /// Waits for the end, and for the last of what was written.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let child = &mut self.child;
        let log = self.log.clone();
        let status = wait_until(|| child.try_wait().expect("a child"), || format!("the end:\n{}", log.text()));
        for reader in self.readers.drain(..) {
            reader.join().expect("a reader does not panic");
        }
        status
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Polls until `look` returns a value, up to a deadline.
pub(crate) fn wait_until<T>(mut look: impl FnMut() -> Option<T>, what: impl Fn() -> String) -> T {
    let begun = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(begun.elapsed() < DEADLINE, "timed out waiting for {}", what());
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// The same, with an async condition.
pub(crate) async fn wait_until_async<T, F: Future<Output = Option<T>>>(mut look: impl FnMut() -> F, what: &str) -> T {
    let begun = Instant::now();
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(begun.elapsed() < DEADLINE, "timed out waiting for {what}");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
