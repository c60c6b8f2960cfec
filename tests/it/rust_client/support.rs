//! A client of a service, and what may stand between them.

use std::net::SocketAddr;
use std::time::Duration;

use kira_users_client::{Client as Kira, v1};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::harness::service::{Client, Service};

/// The client of Rust, by way of an address, that waits little between its tries.
pub(crate) fn kira_at(address: SocketAddr, client: &Client) -> Kira {
    Kira::builder(format!("http://{address}"))
        .credentials(client.id.to_string(), client.password.clone(), client.api_key.clone())
        .retries(4, Duration::from_millis(1))
        .connect()
        .expect("a client")
}

pub(crate) fn kira(service: &Service, client: &Client) -> Kira {
    kira_at(service.running.grpc_addr, client)
}

/// A request for an individual that lacks something for its verification.
pub(crate) fn individual() -> v1::CreateUserRequest {
    let text = |text: &str| Some(text.to_owned());
    let individual = v1::Individual {
        email: text("ada@example.com"),
        first_name: text("Ada"),
        last_name: text("Lovelace"),
        ..Default::default()
    };
    v1::CreateUserRequest { user: Some(v1::create_user_request::User::Individual(individual)), ..Default::default() }
}

/// What a relay does with the connections that it has.
#[derive(Clone, Copy, Default)]
struct State {
    /// Whether answers are read and thrown away.
    loses_answers: bool,
    /// How often all connections were ended.
    cuts: u64,
}

/// Passes connections on to the service.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    state: watch::Sender<State>,
}

impl Relay {
    pub(crate) async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (state, seen) = watch::channel(State::default());
        tokio::spawn(async move {
            while let Ok((inner, _)) = listener.accept().await {
                let outer = TcpStream::connect(target).await.expect("the service");
                tokio::spawn(relay(inner, outer, seen.clone()));
            }
        });
        Self { address, state }
    }

    pub(crate) fn lose_answers(&self) {
        self.state.send_modify(|state| state.loses_answers = true);
    }

    /// Ends all connections. New ones are passed on.
    pub(crate) fn cut(&self) {
        self.state.send_modify(|state| *state = State { loses_answers: false, cuts: state.cuts + 1 });
    }
}

async fn relay(mut inner: TcpStream, mut outer: TcpStream, mut state: watch::Receiver<State>) {
    let ((mut inner_read, mut inner_write), (mut outer_read, mut outer_write)) = (inner.split(), outer.split());
    let cuts = state.borrow().cuts;
    let seen = state.clone();
    let requests = tokio::io::copy(&mut inner_read, &mut outer_write);
    let responses = async move {
        let mut buffer = vec![0; 16 << 10];
        while let Ok(count @ 1..) = outer_read.read(&mut buffer).await {
            let is_lost = seen.borrow().loses_answers;
            if !is_lost && inner_write.write_all(&buffer[..count]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        _ = requests => {}
        () = responses => {}
        _ = state.wait_for(|state| state.cuts != cuts) => {}
    }
}
