//! Connections that keep us waiting: hyper times the headers of a request, but neither the wait for the very first bytes,
//! by which it tells HTTP/1 from HTTP/2, nor a reader that takes nothing of an answer. And those that we keep waiting.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// So many bytes tell the protocol: the length of HTTP/2's preface.
const ENOUGH: usize = 24;

/// Makes a connection wait before more is read of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Pause(Arc<Mutex<Option<Duration>>>);

impl Pause {
    /// From now on nothing is read for so long.
    pub(super) fn take(&self, pause: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(pause);
    }

    fn taken(&self) -> Option<Duration> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A stream that fails when its first bytes take too long, and when nothing of what is written is taken for too long.
pub(super) struct Patience<S> {
    stream: S,
    /// None once enough has been read.
    first: Option<Pin<Box<Sleep>>>,
    read: usize,
    write_timeout: Duration,
    /// Some while a write waits.
    write: Option<Pin<Box<Sleep>>>,
    pause: Pause,
    /// Some while nothing is read.
    paused: Option<Pin<Box<Sleep>>>,
}

impl<S> Patience<S> {
    pub(super) fn new(first_bytes: Duration, write_timeout: Duration, pause: Pause, stream: S) -> Self {
        let first = Some(Box::pin(tokio::time::sleep(first_bytes)));
        Self { stream, first, read: 0, write_timeout, write: None, pause, paused: None }
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
        if let Some(pause) = self.pause.taken() {
            self.paused = Some(Box::pin(tokio::time::sleep(pause)));
        }
        if let Some(paused) = &mut self.paused {
            ready!(paused.as_mut().poll(cx));
            self.paused = None;
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let Some(wait) = &mut self.first else { return polled };
        match polled {
            Poll::Ready(result) => {
                self.read += buffer.filled().len() - before;
                if self.read >= ENOUGH {
                    self.first = None;
                }
                Poll::Ready(result)
            }
            Poll::Pending => wait.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into())),
        }
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
    use futures_util::FutureExt as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const LONG: Duration = Duration::from_secs(600);
    const SHORT: Duration = Duration::from_millis(1);

    fn patience<S>(first_bytes: Duration, write_timeout: Duration, stream: S) -> Patience<S> {
        Patience::new(first_bytes, write_timeout, Pause::default(), stream)
    }

    #[tokio::test]
    async fn nothing_is_read_within_a_pause() {
        let (mut client, server) = tokio::io::duplex(64);
        client.write_all(b"ab").await.expect("room");
        let pause = Pause::default();
        let mut server = Patience::new(LONG, LONG, pause.clone(), server);
        pause.take(LONG);
        assert!(server.read_u8().now_or_never().is_none());
        assert!(server.read_u8().now_or_never().is_none(), "the pause is not over yet");
        // A new pause takes the place of the old one.
        pause.take(SHORT);
        assert_eq!(server.read_u8().await.expect("it is there"), b'a');
        assert_eq!(server.read_u8().now_or_never().expect("no pause").expect("it is there"), b'b');
    }

    #[tokio::test]
    async fn a_stream_that_says_nothing_or_too_little_fails_in_time() {
        for said in ["", "PRI * HTTP"] {
            let (mut client, server) = tokio::io::duplex(64);
            client.write_all(said.as_bytes()).await.expect("room");
            let mut server = patience(SHORT, LONG, server);
            let error = server.read_to_end(&mut Vec::new()).await.expect_err("the client stays silent");
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        }
    }

    #[tokio::test]
    async fn a_stream_that_has_begun_may_take_its_time() {
        let (mut client, server) = tokio::io::duplex(64);
        let mut server = patience(LONG, LONG, server);
        client.write_all(&[b'a'; ENOUGH]).await.expect("room");
        server.read_exact(&mut [0; ENOUGH]).await.expect("the first bytes");
        assert!(server.first.is_none(), "nothing is timed any more");
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
