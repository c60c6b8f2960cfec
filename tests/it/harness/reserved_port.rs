//! A local port that is kept for a listener that comes later, or never.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::{TcpListener, TcpSocket};

/// Refuses connections until something listens there, and cannot become the local port of a connection meanwhile, as a port
/// that was free a moment ago can. The kernel allows it because this socket never listens and all share the address.
pub(crate) struct ReservedPort(TcpSocket);

impl ReservedPort {
    /// A free port of 127.0.0.1.
    pub(crate) fn new() -> Self {
        Self(bound(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))))
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.0.local_addr().expect("a bound socket has an address")
    }

    /// Takes connections; only one listener at a time.
    pub(crate) fn listen(&self) -> TcpListener {
        bound(self.addr()).listen(1024).expect("nothing else listens at a reserved port")
    }
}

fn bound(addr: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_reuseaddr(true).expect("an option");
    socket.bind(addr).expect("an address");
    socket
}
