//! An outside verification provider on this machine, which does what the test says.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use kira_users::signing::{self, SignedHeaders, SigningSecret};
use parking_lot::Mutex;
use reqwest::header::HeaderMap;
use serde_json::Value;
use tokio::net::TcpListener;

/// What both sides share.
pub(crate) const SECRET: &str = "a secret of twenty-four bytes";

/// A request that has arrived.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Arrived {
    /// Whether it is signed with the shared secret, as one that was sent at `now`.
    pub(crate) fn is_signed(&self, now: DateTime<Utc>) -> bool {
        let header = |name| self.headers.get(name).and_then(|value| value.to_str().ok());
        let headers = SignedHeaders {
            id: header(signing::ID),
            timestamp: header(signing::TIMESTAMP),
            signature: header(signing::SIGNATURE),
        };
        secret().verify(headers, &self.body, now).is_ok()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

pub(crate) struct FakeVendor {
    pub(crate) address: SocketAddr,
    answers: Mutex<VecDeque<(u16, String)>>,
    arrived: Mutex<Vec<Arrived>>,
}

impl FakeVendor {
    pub(crate) async fn start() -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let vendor = Arc::new(Self { address, answers: Mutex::default(), arrived: Mutex::default() });
        let serving = Arc::clone(&vendor);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let vendor = Arc::clone(&serving);
                let service = hyper::service::service_fn(move |request| {
                    let vendor = Arc::clone(&vendor);
                    async move { Ok::<_, hyper::Error>(vendor.answer(request).await) }
                });
                tokio::spawn(async move {
                    let builder = Builder::new(TokioExecutor::new());
                    // A connection that ends early is the test's to notice.
                    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        vendor
    }

    /// The settings of a service that asks this vendor.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("KIRA_VERIFICATION_PROVIDER", "http".to_owned()),
            ("KIRA_VENDOR_URL", format!("http://{}/verify", self.address)),
            ("KIRA_VENDOR_SECRET", SECRET.to_owned()),
        ]
    }

    /// What it answers next.
    pub(crate) fn will_answer(&self, status: u16, body: &Value) {
        self.answers.lock().push_back((status, body.to_string()));
    }

    pub(crate) fn arrived(&self) -> Vec<Arrived> {
        self.arrived.lock().clone()
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let arrived =
            Arrived { method: head.method.to_string(), path: head.uri.path().to_owned(), headers: head.headers, body };
        self.arrived.lock().push(arrived);
        let next = self.answers.lock().pop_front();
        let (status, body) = next.unwrap_or_else(|| (500, String::new()));
        Response::builder().status(status).body(Full::from(body)).expect("a response")
    }
}

/// The shared secret.
pub(crate) fn secret() -> SigningSecret {
    SigningSecret::parse(SECRET).expect("a secret")
}
