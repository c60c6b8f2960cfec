//! A network that can fail: what connects here is passed on until the proxy is cut.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Passes TCP connections on.
pub(crate) struct Proxy {
    address: SocketAddr,
    target: SocketAddr,
    up: Option<(CancellationToken, TaskTracker)>,
}

impl Proxy {
    /// A proxy in front of `target`, on a port of its own.
    pub(crate) async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut proxy = Self { address, target, up: None };
        proxy.pass(listener);
        proxy
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
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

    fn pass(&mut self, listener: TcpListener) {
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        self.up = Some((stop.clone(), tasks.clone()));
        let target = self.target;
        tasks.clone().spawn(async move {
            while let Some(Ok((mut inner, _))) = stop.run_until_cancelled(listener.accept()).await {
                let stop = stop.clone();
                tasks.spawn(async move {
                    let Ok(mut outer) = TcpStream::connect(target).await else { return };
                    let _ = stop.run_until_cancelled(tokio::io::copy_bidirectional(&mut inner, &mut outer)).await;
                });
            }
        });
    }
}
