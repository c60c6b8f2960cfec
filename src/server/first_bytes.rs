//! Connections that say nothing: hyper times the headers of a request, but not the wait for the very first bytes, by
//! which it tells HTTP/1 from HTTP/2.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// So many bytes tell the protocol: the length of HTTP/2's preface.
const ENOUGH: usize = 24;

/// A stream that fails when its first bytes take too long.
pub(super) struct FirstBytes<S> {
    stream: S,
    /// None once enough has been read.
    wait: Option<Pin<Box<Sleep>>>,
    read: usize,
}

impl<S> FirstBytes<S> {
    pub(super) fn within(timeout: Duration, stream: S) -> Self {
        Self { stream, wait: Some(Box::pin(tokio::time::sleep(timeout))), read: 0 }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for FirstBytes<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let Some(wait) = &mut self.wait else { return polled };
        match polled {
            Poll::Ready(result) => {
                self.read += buffer.filled().len() - before;
                if self.read >= ENOUGH {
                    self.wait = None;
                }
                Poll::Ready(result)
            }
            Poll::Pending => wait.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into())),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for FirstBytes<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn a_stream_that_says_nothing_or_too_little_fails_in_time() {
        for said in ["", "PRI * HTTP"] {
            let (mut client, server) = tokio::io::duplex(64);
            client.write_all(said.as_bytes()).await.expect("room");
            let mut server = FirstBytes::within(Duration::from_millis(1), server);
            let error = server.read_to_end(&mut Vec::new()).await.expect_err("the client stays silent");
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        }
    }

    #[tokio::test]
    async fn a_stream_that_has_begun_may_take_its_time() {
        let (mut client, server) = tokio::io::duplex(64);
        let mut server = FirstBytes::within(Duration::from_secs(10), server);
        client.write_all(&[b'a'; ENOUGH]).await.expect("room");
        server.read_exact(&mut [0; ENOUGH]).await.expect("the first bytes");
        assert!(server.wait.is_none(), "nothing is timed any more");
    }
}
