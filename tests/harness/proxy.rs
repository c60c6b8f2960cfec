//! A network that can fail: what connects here is passed on until the proxy is cut, stands still, or forgets.

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

/// Passes TCP connections on.
pub(crate) struct Proxy {
    address: SocketAddr,
    target: SocketAddr,
    up: Option<(CancellationToken, TaskTracker)>,
    flow: watch::Sender<Flow>,
}

/// What is done with bytes that arrive.
#[derive(Clone, Copy)]
struct Flow {
    stands_still: bool,
    /// Connections of an earlier one stand still for good.
    generation: u64,
}

impl Proxy {
    /// A proxy in front of `target`, on a port of its own.
    pub(crate) async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (flow, _) = watch::channel(Flow { stands_still: false, generation: 0 });
        let mut proxy = Self { address, target, up: None, flow };
        proxy.pass(listener);
        proxy
    }

    /// A proxy in front of the server of a PostgreSQL URL, and the URL by way of it.
    pub(crate) async fn to_server(url: &str) -> (Self, String) {
        let mut url = Url::parse(url).expect("a URL");
        let target = (url.host_str().expect("a host").to_owned(), url.port().unwrap_or(5432));
        let target = tokio::net::lookup_host(target).await.expect("an address").next().expect("an address");
        let proxy = Self::to(target).await;
        url.set_ip_host(proxy.address.ip()).expect("a host");
        url.set_port(Some(proxy.address.port())).expect("a port");
        (proxy, url.to_string())
    }

    /// Breaks all connections and refuses new ones.
    pub(crate) async fn cut(&mut self) {
        let Some((stop, tasks)) = self.up.take() else { return };
        stop.cancel();
        tasks.close();
        tasks.wait().await;
    }

    /// Takes connections again.
    pub(crate) async fn mend(&mut self) {
        let listener = TcpListener::bind(self.address).await.expect("the same port");
        self.pass(listener);
    }

    /// Passes nothing on from now on; connections stay open and can be made, as to a server that is paused.
    pub(crate) fn stand_still(&self) {
        self.flow.send_modify(|flow| flow.stands_still = true);
    }

    /// Passes on again, beginning with what has waited.
    pub(crate) fn go_on(&self) {
        self.flow.send_modify(|flow| flow.stands_still = false);
    }

    /// Passes nothing on for connections that are there, and never tells them; new ones work, as after a server was lost
    /// and another took its address.
    pub(crate) fn forget(&self) {
        self.flow.send_modify(|flow| flow.generation += 1);
    }

    fn pass(&mut self, listener: TcpListener) {
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        self.up = Some((stop.clone(), tasks.clone()));
        let (target, flow) = (self.target, self.flow.subscribe());
        tasks.clone().spawn(async move {
            while let Some(Ok((inner, _))) = stop.run_until_cancelled(listener.accept()).await {
                let (stop, flow) = (stop.clone(), flow.clone());
                tasks.spawn(async move {
                    let _ = stop.run_until_cancelled(connect(inner, target, flow)).await;
                });
            }
        });
    }
}

async fn connect(inner: TcpStream, target: SocketAddr, mut flow: watch::Receiver<Flow>) {
    let generation = flow.borrow().generation;
    if !flows(&mut flow, generation).await {
        return;
    }
    let Ok(outer) = TcpStream::connect(target).await else { return };
    let ((inner_read, inner_write), (outer_read, outer_write)) = (inner.into_split(), outer.into_split());
    // The end of one direction is the end of both: that is how databases and their clients part.
    tokio::select! {
        () = copy(inner_read, outer_write, flow.clone(), generation) => {}
        () = copy(outer_read, inner_write, flow.clone(), generation) => {}
    }
}

async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut flow: watch::Receiver<Flow>,
    generation: u64,
) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if !flows(&mut flow, generation).await || to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
    // An end is passed on like anything else.
    flows(&mut flow, generation).await;
}

/// Waits until bytes flow; false when the proxy is gone. A forgotten connection waits until then.
async fn flows(flow: &mut watch::Receiver<Flow>, generation: u64) -> bool {
    flow.wait_for(|flow| !flow.stands_still && flow.generation == generation).await.is_ok()
}
