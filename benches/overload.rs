//! What is left of the service for an honest client beside callers that misuse it: its reads a second beside each, as a
//! part of its reads a second alone. The senders share the cores with the service: a part of each loss is theirs.
//!
//! `cargo bench --bench overload`

#![expect(clippy::print_stdout, reason = "the figures are the purpose")]

#[path = "beside/mod.rs"]
mod beside;
#[allow(dead_code, reason = "each bench uses a part of it")]
mod server;

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use server::{Program, REST, Session};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const ROUND: Duration = Duration::from_secs(4);
/// Connections of the honest client.
const CLIENT: usize = 8;
const REFUSED: &[u8] = b"GET /v1/events HTTP/1.1\r\nhost: kira\r\nauthorization: Bearer wrong\r\n\r\n";
const SLOW: &[u8] =
    b"POST /auth HTTP/1.1\r\nhost: kira\r\nx-api-key: k\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n";

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder on disk");
    let program = Program::start(folder.path(), &[]).await;
    let session = Session::open(&program).await;
    let user = session.create().await;
    let alone = reads(&session, &user).await;
    println!("alone:                          {alone:>8.0} reads a second");
    for count in [16, 64, 256] {
        let unauthenticated = spawn(count, || repeat(REFUSED));
        report(&format!("{count} connections of 401s"), reads(&session, &user).await / alone);
        drop(unauthenticated);
    }
    let slow = spawn(130, drip);
    report("130 slow bodies", reads(&session, &user).await / alone);
    drop(slow);
    let http2 = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &[0, 0, 0, 4, 0, 0, 0, 0, 0]].concat();
    for (name, frame) in [
        ("PING", &[0, 0, 8, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0][..]),
        ("SETTINGS", &[0, 0, 0, 4, 0, 0, 0, 0, 0]),
        ("PRIORITY", &[0, 0, 5, 2, 0, 0, 0, 0, 3, 0, 0, 0, 0, 16]),
        ("WINDOW_UPDATE", &[0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
    ] {
        let (begin, frames) = (http2.clone(), frame.repeat(1_000));
        let flood = spawn(4, move || flood(begin.clone(), frames.clone()));
        report(&format!("4 connections of {name}"), reads(&session, &user).await / alone);
        drop(flood);
    }
}

fn report(name: &str, ratio: f64) {
    println!("beside {name:<25} {:>7.0} % left", ratio * 100.0);
}

/// Reads a second of the honest client.
async fn reads(session: &Session, user: &str) -> f64 {
    let begin = Instant::now();
    let counts = join_all((0..CLIENT).map(async |_| {
        let mut count = 0_u32;
        while begin.elapsed() < ROUND {
            session.rest_get(user).await;
            count += 1;
        }
        count
    }));
    f64::from(counts.await.iter().sum::<u32>()) / begin.elapsed().as_secs_f64()
}

/// Senders that end when this is dropped.
fn spawn<F: Future<Output = ()> + Send + 'static>(count: usize, sender: impl Fn() -> F) -> JoinSet<()> {
    (0..count).map(|_| sender()).collect()
}

async fn connect() -> TcpStream {
    TcpStream::connect(REST).await.expect("a connection")
}

/// One request after the other.
async fn repeat(request: &'static [u8]) {
    let mut stream = connect().await;
    let mut buffer = [0; 4096];
    while stream.write_all(request).await.is_ok() && stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
}

/// A body at a byte in a while, again and again.
async fn drip() {
    loop {
        let mut stream = connect().await;
        while stream.write_all(SLOW).await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if stream.write_all(b" ").await.is_err() {
                break;
            }
        }
    }
}

/// Frames as fast as they are taken, on one connection after the other.
async fn flood(begin: Vec<u8>, frames: Vec<u8>) {
    loop {
        let (mut read, mut write) = connect().await.into_split();
        let send = async {
            let _ = write.write_all(&begin).await;
            while write.write_all(&frames).await.is_ok() {}
        };
        let mut answers = Vec::new();
        tokio::select! {
            () = send => {}
            _ = read.read_to_end(&mut answers) => {}
        }
    }
}
