//! Two balancers in front of replicas: one of connections, as a Service of Kubernetes is, and one of HTTP requests, as an
//! Ingress is. Both ask the admin port who is ready, give new work to those alone, and leave the rest of what they have
//! as it is.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use http_body_util::BodyExt as _;
use kira_users::server::listener::{serve, service_fn};
use kira_users::server::{HttpRequest, HttpResponse};
use parking_lot::RwLock;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::harness::program::Program;
use crate::harness::service::http_client;

/// Between two questions whether a replica is ready. Kubernetes asks every few seconds, but takes a pod that is asked to
/// end out of its Services at once.
const PROBE_INTERVAL: Duration = Duration::from_millis(50);
/// How long an answer may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// A replica, as a balancer knows it.
struct Replica {
    rest: String,
    grpc: String,
    admin: String,
    ready: AtomicBool,
}

impl Replica {
    async fn probed(self: Arc<Self>) {
        let (http, url) = (http_client(), format!("http://{}/readyz", self.admin));
        loop {
            let answer = http.get(&url).timeout(PROBE_TIMEOUT).send().await;
            self.ready.store(answer.is_ok_and(|answer| answer.status() == 200), Ordering::Relaxed);
            tokio::time::sleep(PROBE_INTERVAL).await;
        }
    }
}

/// Shares the work out among replicas.
pub(crate) struct Balancer {
    replicas: Arc<RwLock<Vec<Arc<Replica>>>>,
    turn: Arc<AtomicUsize>,
    /// Where connections to the REST API are shared out.
    pub(crate) rest_connections: SocketAddr,
    /// Where connections to the gRPC API are shared out.
    pub(crate) grpc_connections: SocketAddr,
    /// Where requests to the REST API are shared out.
    pub(crate) rest_requests: SocketAddr,
    stop: CancellationToken,
    _stops: DropGuard,
}

impl Balancer {
    pub(crate) async fn new() -> Self {
        let stop = CancellationToken::new();
        let (rest, rest_connections) = listen().await;
        let (grpc, grpc_connections) = listen().await;
        let (requests, rest_requests) = listen().await;
        let balancer = Self {
            replicas: Arc::default(),
            turn: Arc::default(),
            rest_connections,
            grpc_connections,
            rest_requests,
            stop: stop.clone(),
            _stops: stop.clone().drop_guard(),
        };
        let share =
            |balancer: &Self| Share { replicas: Arc::clone(&balancer.replicas), turn: Arc::clone(&balancer.turn) };
        tokio::spawn(
            stop.clone().run_until_cancelled_owned(share(&balancer).connections(rest, |replica| &replica.rest)),
        );
        tokio::spawn(
            stop.clone().run_until_cancelled_owned(share(&balancer).connections(grpc, |replica| &replica.grpc)),
        );
        let (shared, http) = (share(&balancer), http_client());
        let pass = service_fn(move |request| shared.clone().pass(http.clone(), request));
        tokio::spawn(serve(requests, pass, stop));
        balancer
    }

    /// Takes a replica up; it gets work once it is ready.
    pub(crate) fn add(&self, program: &Program) {
        let replica = Replica {
            rest: program.rest(),
            grpc: program.grpc(),
            admin: program.admin(),
            ready: AtomicBool::new(false),
        };
        let replica = Arc::new(replica);
        tokio::spawn(self.stop.clone().run_until_cancelled_owned(Arc::clone(&replica).probed()));
        self.replicas.write().push(replica);
    }

    /// How many replicas get work.
    pub(crate) fn in_rotation(&self) -> usize {
        let replicas = self.replicas.read();
        replicas.iter().filter(|replica| replica.ready.load(Ordering::Relaxed)).count()
    }
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

#[derive(Clone)]
struct Share {
    replicas: Arc<RwLock<Vec<Arc<Replica>>>>,
    turn: Arc<AtomicUsize>,
}

impl Share {
    fn all(&self) -> Vec<Arc<Replica>> {
        self.replicas.read().clone()
    }

    /// The ready replica whose turn it is.
    fn next(&self) -> Option<Arc<Replica>> {
        let ready: Vec<_> = self.all().into_iter().filter(|replica| replica.ready.load(Ordering::Relaxed)).collect();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        ready.get(turn.checked_rem(ready.len())?).cloned()
    }

    /// Gives each connection to a replica, for as long as it lasts.
    async fn connections(self, listener: TcpListener, address: fn(&Replica) -> &str) {
        while let Ok((mut inner, _)) = listener.accept().await {
            let Some(replica) = self.next() else { continue };
            tokio::spawn(async move {
                let Ok(mut outer) = TcpStream::connect(address(&replica)).await else { return };
                let _ = (inner.set_nodelay(true), outer.set_nodelay(true));
                let _ = tokio::io::copy_bidirectional(&mut inner, &mut outer).await;
            });
        }
    }

    /// Gives one request to a replica, over connections that are kept.
    async fn pass(self, http: reqwest::Client, request: HttpRequest) -> HttpResponse {
        let Some(replica) = self.next() else { return answer(503, Default::default()) };
        let (head, body) = request.into_parts();
        let Ok(body) = body.collect().await else { return answer(400, Default::default()) };
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut passed = http.request(head.method.clone(), format!("http://{}{path}", replica.rest));
        for name in ["authorization", "x-api-key", "idempotency-key", "content-type"] {
            if let Some(value) = head.headers.get(name) {
                passed = passed.header(name, value);
            }
        }
        let Ok(response) = passed.body(body.to_bytes()).send().await else { return answer(502, Default::default()) };
        let status = response.status().as_u16();
        response.bytes().await.map_or_else(|_| answer(502, Default::default()), |body| answer(status, body))
    }
}

fn answer(status: u16, body: bytes::Bytes) -> HttpResponse {
    let mut response = http::Response::new(tonic::body::Body::new(http_body_util::Full::from(body)));
    *response.status_mut() = status.try_into().expect("a status");
    response
}
