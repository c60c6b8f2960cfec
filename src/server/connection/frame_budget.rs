//! Limits HTTP/2 frames without content. PING, SETTINGS, PRIORITY, WINDOW_UPDATE and the like cost the sender next to
//! nothing, and the server parsing, locks and responses. h2 limits some floods (resets of requests that were not accepted
//! yet, CONTINUATION, header lists that decompress without end) but not these, so they are counted before h2 reads them.
//!
//! Each connection has a token bucket, which its requests, its data and the bytes of its responses refill. A connection
//! that exceeds it is closed by GOAWAY with ENHANCE_YOUR_CALM (RFC 9113, section 10.5).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;

/// The preface of an HTTP/2 connection.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The size of the bucket: a client that cancels all of its requests sends 250 RST_STREAM, each of which costs four.
const BURST: f64 = 2_000.0;
/// The same, for a network with a recent flood.
const BURST_AFTER_FLOOD: f64 = 100.0;
/// Frames per second of an otherwise idle connection.
const PER_SECOND: f64 = 20.0;
/// Frames that a request refills: a PING to measure the bandwidth, a PRIORITY.
const PER_REQUEST: f64 = 2.0;
/// Bytes of a response that refill one frame: a WINDOW_UPDATE or two for each of its parts, a PING.
const BYTES_SENT: f64 = 64.0;
/// DATA frames smaller than this refill nothing.
const SMALL_DATA: u32 = 256;
/// A cancelled request costs more than any other frame without content.
const RESET_COST: f64 = 4.0;
/// Bytes of headers that cost one frame.
const HEADER_BYTES: f64 = 2_048.0;

/// Bytes that are read and discarded after GOAWAY, and for how long: closing a socket with unread bytes would make the
/// system discard the GOAWAY.
const LINGER_BYTES: usize = 256 << 10;
const LINGER: Duration = Duration::from_secs(1);

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const PADDED: u8 = 8;
/// The largest padding of a frame.
const MAX_PADDING: u32 = 256;

/// The header of a frame.
#[derive(Clone, Copy, Debug)]
struct FrameHeader {
    length: u32,
    kind: u8,
    flags: u8,
    stream: u32,
}

/// Parses the frame headers in the bytes of one direction.
#[derive(Debug, Default)]
struct FrameParser {
    head: [u8; 9],
    /// The number of header bytes so far.
    known: usize,
    /// The number of payload bytes to come.
    payload: usize,
}

impl FrameParser {
    fn parse(&mut self, mut bytes: &[u8], mut found: impl FnMut(FrameHeader)) {
        while !bytes.is_empty() {
            let skipped = Ord::min(self.payload, bytes.len());
            self.payload -= skipped;
            bytes = &bytes[skipped..];
            let taken = Ord::min(self.head.len() - self.known, bytes.len());
            self.head[self.known..self.known + taken].copy_from_slice(&bytes[..taken]);
            self.known += taken;
            bytes = &bytes[taken..];
            if self.known == self.head.len() {
                let [a, b, c, kind, flags, s0, s1, s2, s3] = self.head;
                let length = u32::from_be_bytes([0, a, b, c]);
                self.known = 0;
                self.payload = length as usize;
                found(FrameHeader { length, kind, flags, stream: u32::from_be_bytes([s0 & 0x7f, s1, s2, s3]) });
            }
        }
    }

    const fn is_between_frames(&self) -> bool {
        self.known == 0 && self.payload == 0
    }
}

/// A token bucket that is refilled by time and by progress.
#[derive(Debug)]
struct TokenBucket {
    tokens: f64,
    capacity: f64,
    refilled: Instant,
    /// The stream of the last request.
    last_stream: u32,
}

impl TokenBucket {
    fn new(capacity: f64) -> Self {
        Self { tokens: capacity, capacity, refilled: Instant::now(), last_stream: 0 }
    }

    fn take(&mut self, frame: FrameHeader) {
        let FrameHeader { length, kind, flags, stream } = frame;
        let data = length - if flags & PADDED != 0 { Ord::min(length, MAX_PADDING) } else { 0 };
        let change = match kind {
            DATA if data >= SMALL_DATA => 1.0,
            DATA if flags & END_STREAM != 0 => 0.0,
            DATA => -1.0,
            HEADERS => {
                self.last_stream = Ord::max(self.last_stream, stream);
                PER_REQUEST - f64::from(length) / HEADER_BYTES
            }
            CONTINUATION => -1.0 - f64::from(length) / HEADER_BYTES,
            RST_STREAM => -RESET_COST,
            _ => -1.0 - f64::from(length) / f64::from(SMALL_DATA),
        };
        self.add(change);
    }

    fn sent(&mut self, bytes: usize) {
        #[expect(clippy::cast_precision_loss, reason = "one write is far smaller")]
        self.add(bytes as f64 / BYTES_SENT);
    }

    fn refill(&mut self, now: Instant) {
        self.add(now.saturating_duration_since(self.refilled).as_secs_f64() * PER_SECOND);
        self.refilled = now;
    }

    fn add(&mut self, change: f64) {
        // An exceeded bucket is not refilled by what follows in the same bytes.
        if self.tokens >= 0.0 {
            self.tokens = f64::min(self.tokens + change, self.capacity);
        }
    }

    fn is_exceeded(&self) -> bool {
        self.tokens < 0.0
    }
}

/// A stream whose HTTP/2 frames are counted.
pub(in crate::server) struct FrameBudget<S> {
    stream: S,
    /// The number of preface bytes so far; `None` if the connection is not HTTP/2.
    preface: Option<usize>,
    read: FrameParser,
    written: FrameParser,
    budget: TokenBucket,
    /// `Some` once the budget is exceeded.
    closing: Option<Closing>,
    /// Cancelled when the budget is exceeded.
    exceeded: CancellationToken,
}

/// The close of a connection: GOAWAY, then reads that are discarded for a while.
struct Closing {
    goaway: Vec<u8>,
    written: usize,
    is_shut_down: bool,
    discarded: usize,
    until: Pin<Box<Sleep>>,
}

impl<S> FrameBudget<S> {
    /// Wraps a stream; the budget is smaller `after_flood`. `exceeded` is cancelled when it is exceeded.
    pub(in crate::server) fn new(stream: S, after_flood: bool, exceeded: CancellationToken) -> Self {
        Self {
            stream,
            preface: Some(0),
            read: FrameParser::default(),
            written: FrameParser::default(),
            budget: TokenBucket::new(if after_flood { BURST_AFTER_FLOOD } else { BURST }),
            closing: None,
            exceeded,
        }
    }

    const fn is_http2(&self) -> bool {
        matches!(self.preface, Some(known) if known == PREFACE.len())
    }

    fn count(&mut self, bytes: &[u8]) {
        let Some(known) = self.preface else { return };
        let (rest, mut bytes) = (&PREFACE[known..], bytes);
        if !rest.is_empty() {
            let compared = Ord::min(rest.len(), bytes.len());
            if bytes[..compared] != rest[..compared] {
                self.preface = None;
                return;
            }
            self.preface = Some(known + compared);
            bytes = &bytes[compared..];
        }
        if !bytes.is_empty() {
            self.budget.refill(Instant::now());
            self.read.parse(bytes, |frame| self.budget.take(frame));
        }
    }

    fn record_written(&mut self, bytes: &[u8]) {
        if self.is_http2() {
            self.written.parse(bytes, |_| {});
            self.budget.sent(bytes.len());
        }
    }

    fn close(&mut self) {
        self.exceeded.cancel();
        self.closing = Some(Closing {
            // Within a frame of the server it would be parsed as a part of that; then the connection just closes.
            goaway: if self.written.is_between_frames() { goaway(self.budget.last_stream) } else { Vec::new() },
            written: 0,
            is_shut_down: false,
            discarded: 0,
            until: Box::pin(tokio::time::sleep(LINGER)),
        });
    }
}

/// GOAWAY with ENHANCE_YOUR_CALM.
fn goaway(last_stream: u32) -> Vec<u8> {
    const REASON: &[u8] = b"too many frames without content";
    let length = u32::try_from(8 + REASON.len()).unwrap_or_default();
    let mut frame = length.to_be_bytes()[1..].to_vec();
    frame.extend([7, 0, 0, 0, 0, 0]);
    frame.extend(last_stream.to_be_bytes());
    frame.extend(11_u32.to_be_bytes());
    frame.extend(REASON);
    frame
}

impl Closing {
    /// Ready when the connection may be dropped.
    fn poll<S: AsyncRead + AsyncWrite + Unpin>(&mut self, mut stream: Pin<&mut S>, cx: &mut Context<'_>) -> Poll<()> {
        if self.until.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        while self.written < self.goaway.len() {
            match ready!(stream.as_mut().poll_write(cx, &self.goaway[self.written..])) {
                Ok(written) if written > 0 => self.written += written,
                _ => return Poll::Ready(()),
            }
        }
        if !self.is_shut_down {
            if ready!(stream.as_mut().poll_shutdown(cx)).is_err() {
                return Poll::Ready(());
            }
            self.is_shut_down = true;
        }
        let mut space = [0; 4096];
        while self.discarded < LINGER_BYTES {
            let mut buffer = ReadBuf::new(&mut space);
            match ready!(stream.as_mut().poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => self.discarded += buffer.filled().len(),
                _ => break,
            }
        }
        Poll::Ready(())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for FrameBudget<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.closing.is_none() {
            let before = buffer.filled().len();
            ready!(Pin::new(&mut this.stream).poll_read(cx, buffer))?;
            this.count(&buffer.filled()[before..]);
            if !this.budget.is_exceeded() {
                return Poll::Ready(Ok(()));
            }
            buffer.set_filled(before);
            this.close();
        }
        if let Some(closing) = &mut this.closing {
            ready!(closing.poll(Pin::new(&mut this.stream), cx));
        }
        Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for FrameBudget<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.closing.is_some() {
            // Nothing follows GOAWAY.
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        self.record_written(&bytes[..written]);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.closing.is_some() {
            return Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()));
        }
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, slices))?;
        let mut left = written;
        for slice in slices {
            let taken = Ord::min(left, slice.len());
            self.record_written(&slice[..taken]);
            left -= taken;
        }
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.closing.is_some() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.closing.is_some() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

    use super::*;

    const PING: u8 = 6;
    const WINDOW_UPDATE: u8 = 8;

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).expect("a small frame");
        let mut frame = length.to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        frame
    }

    fn counted() -> (DuplexStream, FrameBudget<DuplexStream>) {
        let (client, server) = tokio::io::duplex(1 << 20);
        (client, FrameBudget::new(server, false, CancellationToken::new()))
    }

    /// Sends frames; whether they were within the budget.
    async fn accepts(frames: &[Vec<u8>]) -> bool {
        let (mut client, mut server) = counted();
        client.write_all(PREFACE).await.expect("room");
        client.write_all(&frames.concat()).await.expect("room");
        client.shutdown().await.expect("the end");
        server.read_to_end(&mut Vec::new()).await.is_ok()
    }

    #[tokio::test]
    async fn frames_that_carry_nothing_exceed_the_budget() {
        let floods = [
            frame(PING, 0, 0, &[0; 8]),
            frame(4, 0, 0, &[]),
            frame(2, 0, 1, &[0; 5]),
            frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]),
            frame(DATA, 0, 1, &[]),
            frame(DATA, 0, 1, &[0]),
            frame(DATA, PADDED, 1, &[255; 256]),
            frame(0x20, 0, 0, &[]),
        ];
        for flood in floods {
            assert!(accepts(&vec![flood.clone(); 1_900]).await, "a burst of {flood:?}");
            assert!(!accepts(&vec![flood.clone(); 2_100]).await, "a flood of {flood:?}");
        }
        let reset = |number: u32| [frame(HEADERS, 5, number, &[0; 40]), frame(RST_STREAM, 0, number, &[0; 4])].concat();
        assert!(!accepts(&(0..1_100).map(|number| reset(2 * number + 1)).collect::<Vec<_>>()).await, "rapid resets");
        assert!(
            accepts(&(0..250).map(|number| reset(2 * number + 1)).collect::<Vec<_>>()).await,
            "a client cancels its requests"
        );
    }

    #[tokio::test]
    async fn requests_and_data_exceed_nothing() {
        let upload = frame(DATA, 0, 1, &[0; 16_384]);
        assert!(accepts(&vec![upload; 10]).await);
        let request = |number: u32| {
            let head = frame(HEADERS, 5, 2 * number + 1, &[0; 200]);
            [head, frame(PING, 0, 0, &[0; 8]), frame(WINDOW_UPDATE, 0, 0, &[0; 4])[..0].to_vec()].concat()
        };
        assert!(accepts(&(0..4_000).map(request).collect::<Vec<_>>()).await);
    }

    #[tokio::test]
    async fn a_reader_of_much_may_acknowledge_each_part() {
        let (mut client, mut server) = counted();
        let update = frame(WINDOW_UPDATE, 0, 0, &[0, 0, 1, 0]);
        client.write_all(PREFACE).await.expect("room");
        server.read_exact(&mut [0; 24]).await.expect("the preface");
        let part = frame(DATA, 0, 1, &[0; 247]);
        for _ in 0..10_000 {
            server.write_all(&part).await.expect("room");
            client.read_exact(&mut [0; 256]).await.expect("the part");
            client.write_all(&[&update[..], &update[..]].concat()).await.expect("room");
            server.read_exact(&mut [0; 26]).await.expect("within the budget");
        }
    }

    #[tokio::test]
    async fn a_client_that_exceeds_it_gets_enhance_your_calm_and_is_read_no_further() {
        let (mut client, mut server) = counted();
        client.write_all(PREFACE).await.expect("room");
        client.write_all(&frame(HEADERS, 5, 7, &[0; 9])).await.expect("room");
        client.write_all(&frame(PING, 0, 0, &[0; 8]).repeat(5_000)).await.expect("room");
        let mut answer = Vec::new();
        let (read, written) = tokio::join!(
            async {
                let error = server.read_to_end(&mut Vec::new()).await.expect_err("it is exceeded");
                let exceeded = server.exceeded.is_cancelled();
                drop(server);
                (error.kind(), exceeded)
            },
            async {
                client.shutdown().await.expect("the end");
                client.read_to_end(&mut answer).await
            }
        );
        written.expect("the answer");
        assert_eq!(read, (io::ErrorKind::ConnectionAborted, true));
        assert_eq!(answer[3..17], [7, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 11], "GOAWAY, stream 7, ENHANCE_YOUR_CALM");
    }

    #[tokio::test]
    async fn http_1_is_not_counted() {
        let (mut client, mut server) = counted();
        let bytes = [b"PRI * HTTP/1.1\r\n\r\n".to_vec(), frame(PING, 0, 0, &[0; 8]).repeat(5_000)].concat();
        client.write_all(&bytes).await.expect("room");
        client.shutdown().await.expect("the end");
        let mut read = Vec::new();
        server.read_to_end(&mut read).await.expect("all of it");
        assert_eq!(read, bytes);
    }
}
