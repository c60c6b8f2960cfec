//! Health while every thread is busy.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Barrier};

use crate::harness::service::Service;

const WORKERS: usize = 2;

/// The first line of the answer to a GET. Without the runtime of the test, whose threads are busy.
fn status_line(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("a connection");
    write!(stream, "GET {path} HTTP/1.1\r\nhost: kira\r\nconnection: close\r\n\r\n").expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_readiness_and_metrics_are_answered_while_every_worker_thread_is_busy() {
    let service = Service::start().await;
    let address = service.running.admin_addr;
    // The readiness was known before.
    let ready = service.http.get(format!("{}/readyz", service.admin_url())).send().await.expect("an answer");
    assert_eq!(ready.status(), 200);
    let (begun, done) = (Arc::new(Barrier::new(WORKERS + 1)), Arc::new(Barrier::new(WORKERS + 1)));
    for _ in 0..WORKERS {
        let (begun, done) = (Arc::clone(&begun), Arc::clone(&done));
        tokio::spawn(async move {
            begun.wait();
            done.wait();
        });
    }
    // This waits outside of the runtime's threads, all of which wait as well.
    begun.wait();
    let answers = ["/healthz", "/startupz", "/readyz", "/metrics"].map(|path| status_line(address, path));
    done.wait();
    assert_eq!(answers, ["HTTP/1.1 200 OK"; 4]);
}
