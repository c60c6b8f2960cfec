//! HTTP/1.1 by hand: requests that no client library would send.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What a server sent back: status, headers by lower-case name, body.
#[derive(Debug)]
pub(crate) struct RawAnswer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl RawAnswer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON in {self:?}"))
    }
}

/// Writes `request` and reads the answer, while the connection stays open for writing.
pub(crate) async fn send(address: SocketAddr, request: &[u8]) -> RawAnswer {
    let mut stream = TcpStream::connect(address).await.expect("the listener is open");
    // The server may answer, and close, before all is written.
    let _ = stream.write_all(request).await;
    read(&mut stream).await
}

/// Reads one response with a content length.
pub(crate) async fn read(stream: &mut TcpStream) -> RawAnswer {
    let mut bytes = Vec::new();
    let read = async {
        loop {
            let mut chunk = [0; 4096];
            let count = stream.read(&mut chunk).await.unwrap_or_default();
            bytes.extend_from_slice(&chunk[..count]);
            if let Some(answer) = parse(&bytes) {
                return answer;
            }
            assert!(count > 0, "the connection ended within an answer: {}", String::from_utf8_lossy(&bytes));
        }
    };
    tokio::time::timeout(Duration::from_secs(20), read).await.expect("an answer in time")
}

fn parse(bytes: &[u8]) -> Option<RawAnswer> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length")?.1.parse::<usize>().ok()?;
    (body.len() >= length).then(|| RawAnswer { status, headers, body: body.to_owned() })
}
