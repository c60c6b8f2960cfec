//! The program as a child process, and a client of it.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64_simd::STANDARD;
use bytes::Bytes;
use kira_users::contract::v1;
use kira_users::contract::v1::users_service_client::UsersServiceClient;
use kira_users::env::{Env, SystemEnv};
use serde_json::{Value, json};
use tonic::transport::Channel;
use uuid::Uuid;

pub(crate) const REST: &str = "127.0.0.1:18080";
const GRPC: &str = "127.0.0.1:18051";
const ADMIN: &str = "127.0.0.1:18090";
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// The middle one.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A running server; it is stopped when dropped.
pub(crate) struct Program {
    child: Child,
    settings: Vec<(String, String)>,
}

impl Program {
    /// Starts the program with its data in `folder`, and waits until it is ready.
    pub(crate) async fn start(folder: &Path, settings: &[(&str, &str)]) -> Self {
        let log = std::fs::File::create(folder.join("log")).expect("a file for the log");
        let child = command(folder, settings).stdout(Stdio::null()).stderr(log).spawn();
        let child = child.expect("the program starts");
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let mut settings: Vec<_> = settings.iter().map(own).collect();
        settings.push(("KIRA_DATA_DIR".to_owned(), folder.display().to_string()));
        let begin = Instant::now();
        while !is_ready().await {
            assert!(begin.elapsed() < START_TIMEOUT, "the program does not get ready");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Self { child, settings }
    }

    /// Runs a command of the program to its end; its standard output.
    pub(crate) fn command(folder: &Path, settings: &[(&str, &str)], arguments: &[&str]) -> Vec<u8> {
        let output = command(folder, settings).args(arguments).output().expect("the command starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// Bytes of the program's file.
    pub(crate) fn size() -> f64 {
        std::fs::metadata(env!("CARGO_BIN_EXE_kira-users")).expect("the program's file").len() as f64
    }

    /// CPU time of the process so far, in seconds.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let (user, system) = self.cpu_times();
        user + system
    }

    /// CPU time of the process so far, in seconds: its own, and the kernel's for it.
    pub(crate) fn cpu_times(&self) -> (f64, f64) {
        crate::beside::cpu_times(self.child.id())
    }

    /// A line of the process's status, in bytes.
    pub(crate) fn memory(&self, line: &str) -> f64 {
        let text = self.proc("status");
        let kilobytes =
            text.lines().find_map(|found| found.strip_prefix(line)?.trim_start_matches(':').split_whitespace().next());
        kilobytes.and_then(|number| number.parse::<f64>().ok()).expect("a number") * 1024.0
    }

    /// Forgets the highest use of memory so far.
    pub(crate) fn reset_peak(&self) {
        std::fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5").expect("the peak can be reset");
    }

    fn proc(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).expect("the process runs")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(folder: &Path, settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kira-users"));
    command
        .env("KIRA_DATA_DIR", folder)
        .env("KIRA_HTTP_ADDR", REST)
        .env("KIRA_GRPC_ADDR", GRPC)
        .env("KIRA_ADMIN_ADDR", ADMIN)
        .env("KIRA_LOG", "warn")
        // Requests alone are measured here; what follows a create has a bench of its own, `worker`.
        .env("KIRA_WORKER", "false")
        .env_remove("KIRA_TEST_DATABASE_URL")
        .envs(settings.iter().copied());
    command
}

async fn is_ready() -> bool {
    let answer = reqwest_client().get(format!("http://{ADMIN}/readyz")).send().await;
    answer.is_ok_and(|answer| answer.status().is_success())
}

fn reqwest_client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().expect("an HTTP client")
}

/// A client with a token.
pub(crate) struct Session {
    client_id: Uuid,
    api_key: String,
    token: String,
    http: reqwest::Client,
    grpc: UsersServiceClient<Channel>,
    user: v1::create_user_request::User,
    body: String,
    system: SystemEnv,
}

impl Session {
    /// Makes a client by the command line and gets it a token.
    pub(crate) async fn open(program: &Program) -> Self {
        let settings: Vec<_> = program.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let folder = settings.iter().find(|(name, _)| *name == "KIRA_DATA_DIR").expect("a folder").1;
        let created =
            Program::command(Path::new(folder), &settings, &["client", "create", "--name", "bench", "--json"]);
        let credentials: Value = serde_json::from_slice(&created).expect("credentials");
        let text = |name: &str| credentials[name].as_str().expect("a text").to_owned();
        let (client_id, api_key) = (text("client_id"), text("api_key"));
        let http = reqwest_client();
        let answer = http
            .post(format!("http://{REST}/auth"))
            .header("x-api-key", &api_key)
            .json(&json!({"client_id": client_id, "password": text("password")}))
            .send();
        let answer: Value = answer.await.expect("an answer").json().await.expect("a token");
        let token = answer["data"]["access_token"].as_str().expect("a token").to_owned();
        let channel =
            Channel::from_shared(format!("http://{GRPC}")).expect("a URL").connect().await.expect("a listener");
        let body = two_kilobytes().to_string();
        let read = kira_gateway::json::read::<v1::CreateUserRequest>(body.as_bytes());
        Self {
            client_id: client_id.parse().expect("a UUID"),
            api_key,
            token,
            http,
            grpc: UsersServiceClient::new(channel),
            user: read.message.user.expect("a user"),
            body,
            system: SystemEnv::default(),
        }
    }

    pub(crate) fn client_id(&self) -> Uuid {
        self.client_id
    }

    /// A new user's id.
    pub(crate) async fn create(&self) -> String {
        let answer: Value = serde_json::from_slice(&self.rest_post(self.body.clone().into()).await).expect("a user");
        answer["id"].as_str().expect("an id").to_owned()
    }

    pub(crate) async fn rest_create(&self) {
        self.rest_post(self.body.clone().into()).await;
    }

    pub(crate) async fn rest_post(&self, body: Bytes) -> Bytes {
        let request = self.http.post(format!("http://{REST}/v1/users")).bearer_auth(&self.token);
        let request = request
            .header("x-api-key", &self.api_key)
            .header("content-type", "application/json")
            .header("idempotency-key", self.system.new_id().to_string())
            .body(body);
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), 201);
        answer.bytes().await.expect("a body")
    }

    pub(crate) async fn rest_get(&self, id: &str) {
        let request = self.http.get(format!("http://{REST}/v1/users/{id}")).bearer_auth(&self.token);
        let answer = request.header("x-api-key", &self.api_key).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        answer.bytes().await.expect("a body");
    }

    pub(crate) async fn grpc_create(&self) {
        let message = v1::CreateUserRequest {
            idempotency_key: Some(self.system.new_id().to_string()),
            user: Some(self.user.clone()),
        };
        self.grpc.clone().create_user(self.request(message)).await.expect("an answer");
    }

    pub(crate) async fn grpc_get(&self, id: &str) {
        let message = v1::GetUserRequest { user_id: Some(id.to_owned()) };
        self.grpc.clone().get_user(self.request(message)).await.expect("an answer");
    }

    fn request<T>(&self, message: T) -> tonic::Request<T> {
        let mut request = tonic::Request::new(message);
        let metadata = request.metadata_mut();
        metadata.insert("authorization", format!("Bearer {}", self.token).parse().expect("metadata"));
        metadata.insert("x-api-key", self.api_key.parse().expect("metadata"));
        request
    }

    /// A request with one file of 10 MiB.
    pub(crate) fn large_body(&self) -> Bytes {
        let mut file = vec![0; 10 * 1024 * 1024];
        self.system.fill_random(&mut file);
        file[..3].copy_from_slice(&[0xff, 0xd8, 0xff]);
        let mut body = two_kilobytes();
        body["identifying_information"] = json!([{
            "type": "passport",
            "issuing_country": "USA",
            "number": "987654321",
            "documents": [{"type": "front", "file": format!("data:image/jpeg;base64,{}", STANDARD.encode_to_string(&file))}],
        }]);
        body.to_string().into()
    }
}

/// An individual of about two kilobytes, without files.
pub(crate) fn two_kilobytes() -> Value {
    json!({
        "type": "individual",
        "first_name": "John", "last_name": "Doe", "middle_name": "William",
        "email": "john.doe@example.com", "phone": "+12025551234", "birth_date": "1990-01-15",
        "nationality": "USA", "gender": "male", "external_id": "your-internal-id-123",
        "address_street": "123 Main Street", "address_street_2": "Apt 4B", "address_city": "San Francisco",
        "address_state": "CA", "address_zip_code": "94105", "address_country": "USA",
        "identifying_information": [
            {"type": "ssn", "issuing_country": "USA", "number": "123-45-6789"},
            {"type": "drivers_license", "issuing_country": "USA", "number": "D1234567", "expiration": "2028-01-15"},
        ],
        "pep_status": false, "source_of_funds": "salary", "account_purpose": "manage_personal_funds",
        "employment_status": "employed", "current_employer": "Acme Corp", "occupation": "Software Engineer",
        "expected_monthly_payments": "5000_9999",
        "metadata": {"note": "x".repeat(900)},
    })
}
