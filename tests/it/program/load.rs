//! Constant load: callers who create users and read them, one request after the other, until stopped.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use kira_users::contract::v1;
use kira_users::contract::v1::users_service_client::UsersServiceClient;
use parking_lot::Mutex;
use serde_json::Value;
use tonic::Code;
use tonic::transport::Channel;
use uuid::Uuid;

use crate::harness::program::wait_until_async;
use crate::harness::requests::{message, minimal};
use crate::harness::service::http_client;

/// Before a caller repeats a request.
const PAUSE: Duration = Duration::from_millis(20);
/// What takes this long hangs: several times what any service here may take to answer.
const HANGS: Duration = Duration::from_secs(45);

/// Where a caller's requests go.
#[derive(Clone, Copy)]
pub(crate) enum Protocol {
    Rest(SocketAddr),
    Grpc(SocketAddr),
}

/// What callers repeat, with the same key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeats {
    /// What was certainly not done: refused connections, and answers that say "unavailable".
    Refusals,
    /// Everything that has not been answered, or ran out of time.
    Breaks,
}

/// Why a request has no answer of substance.
enum Trouble {
    /// It was still here when its connection ended.
    Unsent,
    Refusal(String),
    Break(String),
    Hang,
    Fault(String),
}

/// What callers share with the test.
pub(crate) struct Load {
    token: String,
    api_key: String,
    repeats: Repeats,
    stop: AtomicBool,
    requests: AtomicUsize,
    created: AtomicUsize,
    troubles: Mutex<Vec<String>>,
    /// The callers that had any.
    troubled: Mutex<HashSet<usize>>,
    failures: Mutex<Vec<String>>,
}

/// What was done.
#[derive(Debug)]
pub(crate) struct Done {
    /// Answered requests.
    pub(crate) requests: usize,
    /// The user of each key.
    pub(crate) users: Vec<(Uuid, String)>,
    /// What had to be repeated.
    pub(crate) troubles: Vec<String>,
}

/// Running callers.
pub(crate) struct Callers {
    load: Arc<Load>,
    tasks: Vec<tokio::task::JoinHandle<Vec<(Uuid, String)>>>,
}

impl Callers {
    /// Begins with `each` callers on each listener.
    pub(crate) fn begin(client: &Value, token: String, repeats: Repeats, listeners: &[Protocol], each: usize) -> Self {
        let load = Arc::new(Load {
            token,
            api_key: client["api_key"].as_str().expect("an API key").to_owned(),
            repeats,
            stop: AtomicBool::new(false),
            requests: AtomicUsize::new(0),
            created: AtomicUsize::new(0),
            troubles: Mutex::default(),
            troubled: Mutex::default(),
            failures: Mutex::default(),
        });
        let callers = listeners.iter().flat_map(|listener| std::iter::repeat_n(*listener, each));
        let callers = callers.enumerate().map(|(number, listener)| Caller::new(number, listener));
        let tasks = callers.map(|caller| tokio::spawn(Arc::clone(&load).call(caller))).collect();
        Self { load, tasks }
    }

    /// Waits until this number of further users is created.
    pub(crate) async fn more(&self, users: usize) {
        let target = self.load.created.load(Ordering::Relaxed) + users;
        let reached = || async {
            let failures = self.load.failures.lock();
            assert!(failures.is_empty(), "{failures:?}");
            (self.load.created.load(Ordering::Relaxed) >= target).then_some(())
        };
        wait_until_async(reached, "more users").await;
    }

    /// Waits until every caller has had to repeat a request, from now on.
    pub(crate) async fn all_troubled(&self) {
        let troubled = || self.load.troubled.lock();
        troubled().clear();
        let all = || async { (troubled().len() == self.tasks.len()).then_some(()) };
        wait_until_async(all, "the end of the requests in flight").await;
    }

    /// Lets every caller finish what it is at.
    pub(crate) async fn end(self) -> Done {
        self.load.stop.store(true, Ordering::Relaxed);
        let mut users = Vec::new();
        for task in self.tasks {
            users.extend(task.await.expect("a caller does not panic"));
        }
        let take = |list: &Mutex<Vec<String>>| std::mem::take(&mut *list.lock());
        let failures = take(&self.load.failures);
        assert!(failures.is_empty(), "{failures:?}");
        let ids: HashSet<_> = users.iter().map(|(_, id)| id).collect();
        assert_eq!(ids.len(), users.len(), "each key has a user of its own");
        Done { requests: self.load.requests.load(Ordering::Relaxed), users, troubles: take(&self.load.troubles) }
    }
}

impl Load {
    async fn call(self: Arc<Self>, caller: Caller) -> Vec<(Uuid, String)> {
        let mut users = Vec::new();
        while !self.stop.load(Ordering::Relaxed) {
            let key = Uuid::new_v4();
            let Some(id) = self.until_answered(&caller, || caller.create(&self, key)).await else { break };
            self.created.fetch_add(1, Ordering::Relaxed);
            users.push((key, id.clone()));
            // By whichever replica: what was acknowledged by one is there for all.
            if self.until_answered(&caller, || caller.read(&self, &id)).await.is_none() {
                break;
            }
        }
        users
    }

    /// Repeats what may be repeated; None after a failure.
    async fn until_answered<F>(&self, caller: &Caller, ask: impl Fn() -> F) -> Option<String>
    where
        F: Future<Output = Result<String, Trouble>>,
    {
        loop {
            let trouble = match tokio::time::timeout(HANGS, ask()).await.unwrap_or(Err(Trouble::Hang)) {
                Ok(answer) => {
                    self.requests.fetch_add(1, Ordering::Relaxed);
                    return Some(answer);
                }
                Err(trouble) => trouble,
            };
            let failure = match trouble {
                // gRPC calls this a transparent retry, and an HTTP client does the same unasked; that of tonic does not.
                Trouble::Unsent => continue,
                Trouble::Break(text) if self.repeats == Repeats::Refusals => text,
                Trouble::Refusal(text) | Trouble::Break(text) => {
                    self.troubles.lock().push(text);
                    self.troubled.lock().insert(caller.number);
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
                Trouble::Fault(text) => text,
                Trouble::Hang => "a request hangs".to_owned(),
            };
            self.failures.lock().push(failure);
            return None;
        }
    }
}

/// One caller, with connections of its own.
struct Caller {
    number: usize,
    way: Way,
}

enum Way {
    Rest { http: reqwest::Client, base: String },
    Grpc(UsersServiceClient<Channel>),
}

impl Caller {
    fn new(number: usize, listener: Protocol) -> Self {
        let way = match listener {
            Protocol::Rest(address) => Way::Rest { http: http_client(), base: format!("http://{address}/v1/users") },
            Protocol::Grpc(address) => {
                let channel = Channel::from_shared(format!("http://{address}")).expect("a URL").connect_lazy();
                Way::Grpc(UsersServiceClient::new(channel))
            }
        };
        Self { number, way }
    }

    async fn create(&self, load: &Load, key: Uuid) -> Result<String, Trouble> {
        match &self.way {
            Way::Rest { http, base } => {
                let request = http.post(base).header("idempotency-key", key.to_string()).json(&minimal());
                over_rest(load, request, &[201, 200]).await
            }
            Way::Grpc(client) => {
                let user = Some(message(&minimal()));
                let message = v1::CreateUserRequest { idempotency_key: Some(key.to_string()), user };
                let answer = client.clone().create_user(load.request(message)).await.map_err(over_grpc)?;
                Ok(answer.into_inner().user.map(|user| user.id).unwrap_or_default())
            }
        }
    }

    async fn read(&self, load: &Load, id: &str) -> Result<String, Trouble> {
        match &self.way {
            Way::Rest { http, base } => over_rest(load, http.get(format!("{base}/{id}")), &[200]).await,
            Way::Grpc(client) => {
                let message = v1::GetUserRequest { user_id: Some(id.to_owned()) };
                let answer = client.clone().get_user(load.request(message)).await.map_err(over_grpc)?;
                Ok(answer.into_inner().user.map(|user| user.id).unwrap_or_default())
            }
        }
    }
}

impl Load {
    fn request<T>(&self, message: T) -> tonic::Request<T> {
        let mut request = tonic::Request::new(message);
        let metadata = request.metadata_mut();
        metadata.insert("authorization", format!("Bearer {}", self.token).parse().expect("metadata"));
        metadata.insert("x-api-key", self.api_key.parse().expect("metadata"));
        request
    }
}

async fn over_rest(load: &Load, request: reqwest::RequestBuilder, good: &[u16]) -> Result<String, Trouble> {
    let text = |error: reqwest::Error| format!("REST: {error:?}");
    let request = request.bearer_auth(&load.token).header("x-api-key", &load.api_key);
    let response = match request.send().await {
        Ok(response) => response,
        Err(error) if error.is_connect() => return Err(Trouble::Refusal(text(error))),
        Err(error) => return Err(Trouble::Break(text(error))),
    };
    let status = response.status().as_u16();
    let body = response.text().await.map_err(|error| Trouble::Break(text(error)))?;
    match status {
        status if good.contains(&status) => {}
        503 => return Err(Trouble::Refusal(format!("REST: 503 {body}"))),
        502 | 504 => return Err(Trouble::Break(format!("REST: {status} {body}"))),
        _ => return Err(Trouble::Fault(format!("REST: {status} {body}"))),
    }
    let user: Value = serde_json::from_str(&body).map_err(|_| Trouble::Fault(format!("REST: {body}")))?;
    user["id"].as_str().map(str::to_owned).ok_or_else(|| Trouble::Fault(format!("REST: {body}")))
}

/// What a status says of a call. One without details was made by the client, of what the connection did.
fn over_grpc(status: tonic::Status) -> Trouble {
    let causes = std::iter::successors(std::error::Error::source(&status), |&cause| cause.source());
    if causes.filter_map(|cause| cause.downcast_ref::<hyper::Error>()).any(hyper::Error::is_canceled) {
        return Trouble::Unsent;
    }
    let text = format!("gRPC: {status:?}");
    match (status.code(), status.details().is_empty()) {
        (Code::Unavailable, false) => Trouble::Refusal(text),
        (Code::Unavailable, true) if text.contains("tcp connect error") => Trouble::Refusal(text),
        (_, true) | (Code::DeadlineExceeded, _) => Trouble::Break(text),
        _ => Trouble::Fault(text),
    }
}
