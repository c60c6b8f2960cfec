//! HTTP/2 frames without end.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::requests::minimal;
use crate::harness::service::Service;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const GOAWAY: u8 = 7;
const ENHANCE_YOUR_CALM: u32 = 11;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a small frame");
    let mut frame = length.to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// The reason of the GOAWAY by which a server ends a connection that sends `flood` again and again.
async fn reason_to_end(address: SocketAddr, begin: &[u8], flood: &[u8]) -> Option<u32> {
    let stream = TcpStream::connect(address).await.expect("a connection");
    let (mut read, mut write) = stream.into_split();
    let begin = [PREFACE, &frame(4, 0, 0, &[]), begin].concat();
    let flood = flood.repeat(100);
    let send = async {
        let _ = write.write_all(&begin).await;
        while !flood.is_empty() && write.write_all(&flood).await.is_ok() {}
        std::future::pending::<()>().await;
    };
    let mut answer = Vec::new();
    tokio::select! {
        // An error is an end too: what came before it is there.
        _ = read.read_to_end(&mut answer) => {}
        () = send => {}
    }
    let mut rest = &answer[..];
    while let Some((head, payload)) = rest.split_at_checked(9) {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        if head[3] == GOAWAY {
            return Some(u32::from_be_bytes(payload[4..8].try_into().expect("a code")));
        }
        rest = payload.get(length..)?;
    }
    None
}

/// A request that takes long enough for more frames of its stream.
fn headers() -> Vec<u8> {
    // `:method: POST`, `:scheme: http`, `:path: /`, without the end of the stream.
    frame(1, 4, 1, &[0x83, 0x86, 0x84])
}

#[tokio::test]
async fn who_sends_frames_that_carry_nothing_without_end_is_asked_to_calm_down() {
    let service = Service::start().await;
    let client = service.client().await;
    let nothing: &[u8] = &[];
    let floods = [
        ("PING", nothing.to_vec(), frame(6, 0, 0, &[0; 8])),
        ("SETTINGS", nothing.to_vec(), frame(4, 0, 0, &[])),
        ("PRIORITY", nothing.to_vec(), frame(2, 0, 3, &[0, 0, 0, 0, 16])),
        ("WINDOW_UPDATE", nothing.to_vec(), frame(8, 0, 0, &[0, 0, 0, 1])),
        ("an unknown kind", nothing.to_vec(), frame(0x42, 0, 0, &[])),
        ("empty DATA", headers(), frame(0, 0, 1, &[])),
        ("DATA of padding", headers(), frame(0, 8, 1, &[3, 0, 0, 0])),
    ];
    for address in [service.running.http_addr, service.running.grpc_addr] {
        for (name, begin, flood) in &floods {
            assert_eq!(reason_to_end(address, begin, flood).await, Some(ENHANCE_YOUR_CALM), "{name}");
        }
    }
    assert_eq!(client.create(&minimal()).await.status, 201, "a client on a connection of its own is served");
}

#[tokio::test]
async fn headers_that_unpack_without_end_end_the_connection_too() {
    let service = Service::start().await;
    // An entry of four kilobytes in the table, then references to it.
    let mut entry = vec![0x40, 1, b'a', 0x7f, 0x80 | (3_900 - 127) as u8 & 0x7f, ((3_900 - 127) >> 7) as u8];
    entry.extend([b'b'; 3_900]);
    let block = [&[0x82, 0x86, 0x84][..], &entry, &[0xbe; 12_000]].concat();
    let bomb = frame(1, 5, 1, &block);
    assert_eq!(reason_to_end(service.running.http_addr, &bomb, &[]).await, Some(ENHANCE_YOUR_CALM));
    // CONTINUATION without end.
    let begin = frame(1, 1, 1, &[0x82, 0x86, 0x84]);
    assert_eq!(reason_to_end(service.running.http_addr, &begin, &frame(9, 0, 1, &[])).await, Some(ENHANCE_YOUR_CALM));
}
