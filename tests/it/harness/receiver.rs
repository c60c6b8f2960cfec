//! A webhook receiver with scripted behaviour, on a socket of its own.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What the receiver does with a request, once it has read it.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Answers with a status, further header lines, and a body.
    Answer(u16, &'static str, String),
    /// Never answers.
    StallHeaders,
    /// Answers 200 and a body that never comes.
    StallBody,
    /// Answers 500 and a body without end.
    Megabytes,
    /// Closes the connection without an answer.
    CloseEarly,
}

impl Act {
    pub(crate) fn status(status: u16) -> Self {
        Self::Answer(status, "", String::new())
    }
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Arrived {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    pub(crate) fn event_id(&self) -> String {
        self.json()["data"]["event_id"].as_str().expect("an event id").to_owned()
    }

    pub(crate) fn kind(&self) -> String {
        self.json()["event"].as_str().expect("a kind").to_owned()
    }
}

#[derive(Default)]
struct Shared {
    arrived: Mutex<Vec<Arrived>>,
    acts: Mutex<VecDeque<Act>>,
    otherwise: Mutex<Option<Act>>,
    /// Notified at each arrival.
    arrival: tokio::sync::Notify,
}

/// Listens on this machine until it is dropped.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Receiver {
    /// One that answers 200.
    pub(crate) async fn new() -> Self {
        Self::acting([]).await
    }

    /// One that does this with its first requests, and answers 200 to the others.
    pub(crate) async fn acting(acts: impl IntoIterator<Item = Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared { acts: Mutex::new(acts.into_iter().collect()), ..Shared::default() });
        let serving = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&serving)));
            }
        });
        Self { address, shared, task }
    }

    /// One that does this with all its requests.
    pub(crate) async fn always(act: Act) -> Self {
        let receiver = Self::new().await;
        receiver.act_from_now_on(act);
        receiver
    }

    /// What it does with every request that no other act is planned for.
    pub(crate) fn act_from_now_on(&self, act: Act) {
        *self.shared.otherwise.lock() = Some(act);
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub(crate) fn arrived(&self) -> Vec<Arrived> {
        self.shared.arrived.lock().clone()
    }

    /// Waits until this number of requests has arrived. For one waiter.
    pub(crate) async fn wait_for(&self, count: usize) {
        while self.count() < count {
            self.shared.arrival.notified().await;
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.shared.arrived.lock().len()
    }
}

async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    let mut buffer = Vec::new();
    while let Some(arrived) = read(&mut stream, &mut buffer).await {
        shared.arrived.lock().push(arrived);
        shared.arrival.notify_one();
        let next = shared.acts.lock().pop_front();
        let act = next.or_else(|| shared.otherwise.lock().clone());
        let head = |status: u16, headers: &str, length: usize| {
            format!("HTTP/1.1 {status} Status\r\n{headers}content-length: {length}\r\n\r\n")
        };
        let written = match act.unwrap_or_else(|| Act::status(200)) {
            Act::Answer(status, headers, body) => {
                stream.write_all(format!("{}{body}", head(status, headers, body.len())).as_bytes()).await
            }
            Act::StallHeaders => std::future::pending().await,
            Act::StallBody => {
                let _ = stream.write_all(head(200, "", 1_000).as_bytes()).await;
                std::future::pending().await
            }
            Act::Megabytes => {
                let _ = stream.write_all(head(500, "", 1 << 30).as_bytes()).await;
                let piece = [b'x'; 8_192];
                while stream.write_all(&piece).await.is_ok() {}
                return;
            }
            Act::CloseEarly => return,
        };
        if written.is_err() {
            return;
        }
    }
}

/// The next request of a connection.
async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Arrived> {
    loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(buffer[..end].to_vec()).ok()?;
            let headers: BTreeMap<String, String> = head
                .lines()
                .skip(1)
                .filter_map(|line| line.split_once(':'))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
                .collect();
            let length: usize = headers.get("content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
            if buffer.len() >= end + 4 + length {
                let body = buffer[end + 4..end + 4 + length].to_vec();
                buffer.drain(..end + 4 + length);
                return Some(Arrived { headers, body });
            }
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}
