//! A network that can fail: connections are forwarded until the proxy is cut or stalls.

use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use super::reserved_port::ReservedPort;

/// Passes TCP connections on.
pub(crate) struct Proxy {
    port: ReservedPort,
    target: SocketAddr,
    up: Option<(CancellationToken, TaskTracker)>,
    /// Whether the bytes of new connections are passed on.
    flows: Arc<Mutex<watch::Sender<bool>>>,
    /// Those of half-open connections: while they are kept, no side sees a close.
    lost: Vec<watch::Sender<bool>>,
}

impl Proxy {
    /// A proxy in front of `target`, on a port of its own.
    pub(crate) fn to(target: SocketAddr) -> Self {
        let (flows, _) = watch::channel(true);
        let flows = Arc::new(Mutex::new(flows));
        let mut proxy = Self { port: ReservedPort::new(), target, up: None, flows, lost: Vec::new() };
        proxy.mend();
        proxy
    }

    /// A proxy in front of the server of a PostgreSQL URL, and the URL by way of it.
    pub(crate) async fn to_server(url: &str) -> (Self, String) {
        let mut url = Url::parse(url).expect("a URL");
        let target = (url.host_str().expect("a host").to_owned(), url.port().unwrap_or(5432));
        let target = tokio::net::lookup_host(target).await.expect("an address").next().expect("an address");
        let proxy = Self::to(target);
        url.set_ip_host(proxy.port.addr().ip()).expect("a host");
        url.set_port(Some(proxy.port.addr().port())).expect("a port");
        (proxy, url.to_string())
    }

    /// Breaks all connections and refuses new ones.
    pub(crate) async fn cut(&mut self) {
        let Some((stop, tasks)) = self.up.take() else { return };
        stop.cancel();
        tasks.close();
        tasks.wait().await;
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.port.addr()
    }

    /// After a cut: takes connections again, to another server.
    pub(crate) fn lead_to(&mut self, target: SocketAddr) {
        self.target = target;
        self.mend();
    }

    /// Takes connections again.
    pub(crate) fn mend(&mut self) {
        self.pass(self.port.listen());
    }

    /// Loses all connections without a word: they stay open and carry nothing, ever. New ones are passed on, as after a
    /// failover.
    pub(crate) fn lose(&mut self) {
        let (flows, _) = watch::channel(true);
        let lost = std::mem::replace(&mut *self.flows.lock(), flows);
        lost.send_replace(false);
        self.lost.push(lost);
    }

    /// Passes nothing on from now on; connections stay open and can be made, as to a server that is paused.
    pub(crate) fn stand_still(&self) {
        self.flows.lock().send_replace(false);
    }

    /// Passes on again, beginning with what has waited.
    pub(crate) fn go_on(&self) {
        self.flows.lock().send_replace(true);
    }

    fn pass(&mut self, listener: TcpListener) {
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        self.up = Some((stop.clone(), tasks.clone()));
        let (target, flows) = (self.target, Arc::clone(&self.flows));
        tasks.clone().spawn(async move {
            while let Some(Ok((inner, _))) = stop.run_until_cancelled(listener.accept()).await {
                let (stop, flows) = (stop.clone(), flows.lock().subscribe());
                tasks.spawn(async move {
                    let _ = stop.run_until_cancelled(connect(inner, target, flows)).await;
                });
            }
        });
    }
}

async fn connect(mut inner: TcpStream, target: SocketAddr, flows: watch::Receiver<bool>) {
    if !flow(&mut flows.clone()).await {
        return;
    }
    let Ok(mut outer) = TcpStream::connect(target).await else { return };
    let ((inner_read, inner_write), (outer_read, outer_write)) = (inner.split(), outer.split());
    // The end of one direction is the end of both: that is how databases and their clients part.
    tokio::select! {
        () = copy(inner_read, outer_write, flows.clone()) => {}
        () = copy(outer_read, inner_write, flows) => {}
    }
}

async fn copy(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, mut flows: watch::Receiver<bool>) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if !flow(&mut flows).await || to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
    // An end is passed on like anything else.
    flow(&mut flows).await;
}

/// Waits until bytes flow; false when the proxy is gone.
async fn flow(flows: &mut watch::Receiver<bool>) -> bool {
    flows.wait_for(|flows| *flows).await.is_ok()
}
