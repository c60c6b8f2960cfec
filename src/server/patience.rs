//! Connections that keep us waiting. hyper times the quiet before an HTTP/1 request and its headers as one, which must be
//! as long as balancers keep a connection; it times neither the wait for the very first bytes, by which it tells HTTP/1
//! from HTTP/2, nor a reader that takes nothing of an answer.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::activity::Activity;

/// How HTTP/2 begins.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What the first bytes have told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    /// So many bytes of HTTP/2's preface.
    Unknown(usize),
    Http1,
    Http2,
}

/// A stream that fails when its first bytes take too long, when the headers of an HTTP/1 request do, and when nothing of
/// what is written is taken for too long.
pub(super) struct Patience<S> {
    stream: S,
    protocol: Protocol,
    headers_timeout: Duration,
    /// Some while headers are waited for.
    headers: Option<Headers>,
    activity: Activity,
    write_timeout: Duration,
    /// Some while a write waits.
    write: Option<Pin<Box<Sleep>>>,
}

/// The wait for a request's headers.
struct Headers {
    until: Pin<Box<Sleep>>,
    /// Whether the first byte is there.
    arriving: bool,
    /// They are there when more requests than these have begun.
    begun: u64,
}

impl<S> Patience<S> {
    /// A stream whose requests are those of `activity`.
    pub(super) fn new(headers_timeout: Duration, write_timeout: Duration, activity: Activity, stream: S) -> Self {
        let mut patience = Self {
            stream,
            protocol: Protocol::Unknown(0),
            headers_timeout,
            headers: None,
            activity,
            write_timeout,
            write: None,
        };
        patience.wait(false);
        patience
    }

    fn wait(&mut self, arriving: bool) {
        let until = Box::pin(tokio::time::sleep(self.headers_timeout));
        self.headers = Some(Headers { until, arriving, begun: self.activity.begun() });
    }

    /// Notes what was read.
    fn read(&mut self, bytes: &[u8]) {
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
        // HTTP/2 mixes what is of all its requests, and of none.
        if self.protocol == Protocol::Http2 {
            self.headers = None;
            return;
        }
        // While a request is open this is its body, or comes before its turn.
        let arriving = self.headers.as_ref().is_some_and(|headers| headers.arriving);
        if !arriving && self.activity.is_quiet() {
            self.wait(true);
        }
    }

    fn timed<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
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

impl<S: AsyncRead + Unpin> AsyncRead for Patience<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let begun = self.activity.begun();
        self.headers.take_if(|headers| headers.begun < begun);
        // Also when there is something to read: a byte now and then is no progress.
        if let Some(headers) = &mut self.headers
            && headers.until.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        self.read(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patience<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.timed(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.timed(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.timed(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ended = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.timed(cx, ended)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const LONG: Duration = Duration::from_secs(600);
    const SHORT: Duration = Duration::from_millis(1);

    fn patience<S>(headers: Duration, write_timeout: Duration, stream: S) -> Patience<S> {
        Patience::new(headers, write_timeout, Activity::new(), stream)
    }

    #[tokio::test]
    async fn a_stream_that_says_nothing_or_too_little_fails_in_time() {
        for said in ["", "PRI * HTTP", "GET / HTTP/1.1\r\nhost:"] {
            let (mut client, server) = tokio::io::duplex(64);
            client.write_all(said.as_bytes()).await.expect("room");
            let mut server = patience(SHORT, LONG, server);
            let error = server.read_to_end(&mut Vec::new()).await.expect_err("the client stays silent");
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        }
    }

    #[tokio::test]
    async fn headers_that_come_byte_by_byte_fail_in_time() {
        let (mut client, server) = tokio::io::duplex(1);
        let mut server = patience(Duration::from_millis(20), LONG, server);
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
    async fn http_2_is_not_timed_once_it_is_known() {
        let (mut client, server) = tokio::io::duplex(64);
        let mut server = patience(LONG, LONG, server);
        for part in [&PREFACE[..5], &PREFACE[5..], b"settings"] {
            client.write_all(part).await.expect("room");
            server.read_exact(&mut vec![0; part.len()]).await.expect("the part");
        }
        assert_eq!(server.protocol, Protocol::Http2);
        assert!(server.headers.is_none(), "nothing is timed any more");
    }

    #[tokio::test]
    async fn only_headers_are_timed_and_neither_a_body_nor_the_quiet_after_it() {
        let (mut client, server) = tokio::io::duplex(64);
        let activity = Activity::new();
        let mut server = Patience::new(LONG, LONG, activity.clone(), server);
        let mut byte = [0];
        for _ in ["one request", "and another"] {
            client.write_all(b"head").await.expect("room");
            server.read_exact(&mut [0; 4]).await.expect("the head");
            assert!(server.headers.as_ref().is_some_and(|headers| headers.arriving));
            let open = activity.begin();
            client.write_all(b"body").await.expect("room");
            server.read_exact(&mut [0; 4]).await.expect("the body");
            assert!(server.headers.is_none(), "a body may take its time");
            drop(open);
            tokio::select! {
                biased;
                _ = server.read_exact(&mut byte) => panic!("nothing was sent"),
                () = std::future::ready(()) => {}
            }
            assert!(server.headers.is_none(), "a connection may be quiet");
        }
    }

    #[tokio::test]
    async fn a_reader_that_takes_nothing_is_given_up() {
        let (_client, server) = tokio::io::duplex(64);
        let mut server = patience(LONG, SHORT, server);
        let error = server.write_all(&[b'a'; 65]).await.expect_err("there is room for less");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_reader_that_goes_on_has_its_time_anew() {
        let (mut client, server) = tokio::io::duplex(64);
        let mut server = patience(LONG, LONG, server);
        let mut taken = [0; 128];
        let (written, read) = tokio::join!(server.write_all(&[b'a'; 128]), client.read_exact(&mut taken));
        written.expect("all is taken");
        assert_eq!(read.expect("all is there"), 128);
        assert!(server.write.is_none(), "nothing is timed any more");
    }
}
