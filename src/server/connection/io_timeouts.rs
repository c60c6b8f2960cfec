//! Timeouts that hyper lacks. hyper has one timeout for the idle time before an HTTP/1 request and for its headers, which
//! must be as long as load balancers keep an idle connection. It has none for the first bytes, which decide between
//! HTTP/1 and HTTP/2, nor for a client that does not read.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use crate::server::connection::requests_in_flight::RequestsInFlight;

/// The preface of an HTTP/2 connection.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The protocol, by the first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    /// The number of bytes so far, all of which are HTTP/2's preface.
    Unknown(usize),
    Http1,
    Http2,
}

/// A stream that fails when its first bytes or the headers of an HTTP/1 request take too long, and when a write makes no
/// progress for too long.
pub(in crate::server) struct IoTimeouts<S> {
    stream: S,
    protocol: Protocol,
    headers_timeout: Duration,
    /// `Some` while the connection waits for headers.
    headers: Option<HeadersTimer>,
    requests: RequestsInFlight,
    write_timeout: Duration,
    /// `Some` while a write waits.
    write: Option<Pin<Box<Sleep>>>,
}

/// The timer of a request's headers.
struct HeadersTimer {
    until: Pin<Box<Sleep>>,
    /// Whether the first byte has arrived.
    arriving: bool,
    /// The headers are complete when more requests than these have started.
    started: u64,
}

impl<S> IoTimeouts<S> {
    /// Wraps the stream of a connection whose requests are counted in `requests`.
    pub(in crate::server) fn new(
        headers_timeout: Duration,
        write_timeout: Duration,
        requests: RequestsInFlight,
        stream: S,
    ) -> Self {
        let mut this = Self {
            stream,
            protocol: Protocol::Unknown(0),
            headers_timeout,
            headers: None,
            requests,
            write_timeout,
            write: None,
        };
        this.start_headers_timer(false);
        this
    }

    fn start_headers_timer(&mut self, arriving: bool) {
        let until = Box::pin(tokio::time::sleep(self.headers_timeout));
        self.headers = Some(HeadersTimer { until, arriving, started: self.requests.started() });
    }

    fn record_read(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if let Protocol::Unknown(known) = self.protocol {
            let rest = &PREFACE[known..];
            self.protocol = if bytes.starts_with(rest) {
                Protocol::Http2
            } else if rest.starts_with(bytes) {
                Protocol::Unknown(known + bytes.len())
            } else {
                Protocol::Http1
            };
        }
        // HTTP/2 interleaves the frames of all requests.
        if self.protocol == Protocol::Http2 {
            self.headers = None;
            return;
        }
        // While a request is in flight these bytes are its body, or pipelined.
        let arriving = self.headers.as_ref().is_some_and(|headers| headers.arriving);
        if !arriving && self.requests.is_idle() {
            self.start_headers_timer(true);
        }
    }

    fn with_write_timeout<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.write = None;
            return written;
        }
        let timeout = self.write_timeout;
        let wait = self.write.get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
        ready!(wait.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for IoTimeouts<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let started = self.requests.started();
        self.headers.take_if(|headers| headers.started < started);
        // Also when bytes are available: headers that arrive byte by byte time out, too.
        if let Some(headers) = &mut self.headers
            && headers.until.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        self.record_read(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for IoTimeouts<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.with_write_timeout(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.with_write_timeout(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.with_write_timeout(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ended = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.with_write_timeout(cx, ended)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const LONG: Duration = Duration::from_secs(600);
    const SHORT: Duration = Duration::from_millis(1);

    fn with_timeouts<S>(headers: Duration, write_timeout: Duration, stream: S) -> IoTimeouts<S> {
        IoTimeouts::new(headers, write_timeout, RequestsInFlight::new(), stream)
    }

    #[tokio::test]
    async fn a_stream_with_incomplete_headers_times_out() {
        for sent in ["", "PRI * HTTP", "GET / HTTP/1.1\r\nhost:"] {
            let (mut client, server) = tokio::io::duplex(64);
            client.write_all(sent.as_bytes()).await.expect("room");
            let mut server = with_timeouts(SHORT, LONG, server);
            let error = server.read_to_end(&mut Vec::new()).await.expect_err("the client stays silent");
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        }
    }

    #[tokio::test]
    async fn headers_that_arrive_byte_by_byte_time_out() {
        let (mut client, server) = tokio::io::duplex(1);
        let mut server = with_timeouts(Duration::from_millis(20), LONG, server);
        let dribble = async {
            loop {
                client.write_all(b"a").await.expect("it is read");
                tokio::time::sleep(SHORT).await;
            }
        };
        let mut taken = Vec::new();
        tokio::select! {
            read = server.read_to_end(&mut taken) => {
                assert_eq!(read.expect_err("no end").kind(), io::ErrorKind::TimedOut);
            }
            () = dribble => {}
        }
    }

    #[tokio::test]
    async fn http_2_has_no_headers_timeout() {
        let (mut client, server) = tokio::io::duplex(64);
        let mut server = with_timeouts(LONG, LONG, server);
        for part in [&PREFACE[..5], &PREFACE[5..], b"settings"] {
            client.write_all(part).await.expect("room");
            server.read_exact(&mut vec![0; part.len()]).await.expect("the part");
        }
        assert_eq!(server.protocol, Protocol::Http2);
        assert!(server.headers.is_none(), "no timer runs any more");
    }

    #[tokio::test]
    async fn only_headers_time_out_and_neither_a_body_nor_the_idle_time_after_it() {
        let (mut client, server) = tokio::io::duplex(64);
        let requests = RequestsInFlight::new();
        let mut server = IoTimeouts::new(LONG, LONG, requests.clone(), server);
        let mut byte = [0];
        for _ in ["one request", "and another"] {
            client.write_all(b"head").await.expect("room");
            server.read_exact(&mut [0; 4]).await.expect("the head");
            assert!(server.headers.as_ref().is_some_and(|headers| headers.arriving));
            let in_flight = requests.start();
            client.write_all(b"body").await.expect("room");
            server.read_exact(&mut [0; 4]).await.expect("the body");
            assert!(server.headers.is_none(), "a body may take its time");
            drop(in_flight);
            tokio::select! {
                biased;
                _ = server.read_exact(&mut byte) => panic!("nothing was sent"),
                () = std::future::ready(()) => {}
            }
            assert!(server.headers.is_none(), "a connection may be idle");
        }
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_times_out() {
        let (_client, server) = tokio::io::duplex(64);
        let mut server = with_timeouts(LONG, SHORT, server);
        let error = server.write_all(&[b'a'; 65]).await.expect_err("there is room for less");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_client_that_reads_restarts_the_timeout() {
        let (mut client, server) = tokio::io::duplex(64);
        let mut server = with_timeouts(LONG, LONG, server);
        let mut taken = [0; 128];
        let (written, read) = tokio::join!(server.write_all(&[b'a'; 128]), client.read_exact(&mut taken));
        written.expect("all is taken");
        assert_eq!(read.expect("all is there"), 128);
        assert!(server.write.is_none(), "no timer runs any more");
    }
}
