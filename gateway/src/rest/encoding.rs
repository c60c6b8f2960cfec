//! Request bodies that are compressed with gzip. They are inflated piece by piece as the reader asks for them, so that a
//! limit around the body counts what it inflates to, and a bomb is refused after no more than that.

use std::io::{self, BufRead, ErrorKind, Read};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use flate2::bufread::MultiGzDecoder;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderMap, HeaderValue};
use http::{Request, Response};
use http_body::{Body as _, Frame};
use tonic::Status;
use tonic::body::Body;

use crate::error::{ErrorReason, invalid, rest_response, status};

/// The most bytes of one inflated piece.
const PIECE: usize = 16 * 1024;
/// Inflated bytes after which other tasks get their turn.
const TURN: usize = 1024 * 1024;

/// The codings that `Content-Encoding` names, but for `identity`, which is none.
fn codings(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(CONTENT_ENCODING).iter().map(|value| value.to_str().unwrap_or("?"));
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|coding| !coding.eq_ignore_ascii_case("identity"))
}

/// Inflates the body of a request that says it is compressed with gzip; the layers around the gateway then see the body as
/// it was before. Any other request stays as it is: [`refusal`] is for what it cannot read.
///
/// `Content-Length` stays too. It is that of the compressed body, which is hardly ever longer.
#[must_use]
pub fn inflated(mut request: Request<Body>) -> Request<Body> {
    let mut found = codings(request.headers());
    let is_gzip = |coding: &str| coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip");
    if !found.next().is_some_and(is_gzip) || found.next().is_some() {
        drop(found);
        return request;
    }
    drop(found);
    request.headers_mut().remove(CONTENT_ENCODING);
    request.map(|body| if body.is_end_stream() { body } else { Body::new(Inflated::new(body)) })
}

/// The response to a request whose coding is not known.
pub(super) fn refusal(headers: &HeaderMap) -> Option<Response<Body>> {
    codings(headers).next()?;
    let message = "Content-Encoding must be gzip or absent";
    let mut response = rest_response(&status(ErrorReason::UnsupportedMediaType, message));
    // Only where the coding is the reason (RFC 9110, section 12.5.3).
    response.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    Some(response)
}

/// What has arrived of a compressed body and is not inflated yet.
#[derive(Debug, Default)]
struct Arrived {
    bytes: Bytes,
    is_whole: bool,
}

impl Read for Arrived {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut available = self.fill_buf()?;
        let read = available.read(into)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for Arrived {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.bytes.is_empty() && !self.is_whole {
            return Err(ErrorKind::WouldBlock.into());
        }
        Ok(&self.bytes)
    }

    fn consume(&mut self, amount: usize) {
        self.bytes.advance(amount);
    }
}

/// A body as it was before it was compressed.
struct Inflated {
    body: Body,
    decoder: MultiGzDecoder<Arrived>,
    /// Whether the body has ended, well or badly.
    is_over: bool,
    /// Bytes since other tasks had their turn.
    since_turn: usize,
}

impl Inflated {
    fn new(body: Body) -> Self {
        Self { body, decoder: MultiGzDecoder::new(Arrived::default()), is_over: false, since_turn: 0 }
    }

    /// Takes the next piece of the compressed body.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        let arrived = self.decoder.get_mut();
        match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            None => arrived.is_whole = true,
            Some(Err(error)) => return Poll::Ready(Err(error)),
            // Trailers say nothing here.
            Some(Ok(frame)) => arrived.bytes = frame.into_data().unwrap_or_default(),
        }
        Poll::Ready(Ok(()))
    }

    fn end(&mut self, error: Option<Status>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.is_over = true;
        Poll::Ready(error.map(Err))
    }
}

impl http_body::Body for Inflated {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        if self.since_turn >= TURN {
            self.since_turn = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let mut piece = vec![0; PIECE];
        loop {
            match self.decoder.read(&mut piece) {
                Ok(0) => return self.end(None),
                Ok(length) => {
                    piece.truncate(length);
                    self.since_turn += length;
                    return Poll::Ready(Some(Ok(Frame::data(piece.into()))));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if let Err(error) = ready!(self.poll_more(cx)) {
                        return self.end(Some(error));
                    }
                }
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                    return self.end(Some(invalid("custom", "The gzip body is incomplete")));
                }
                Err(_) => return self.end(Some(invalid("custom", "The body is not valid gzip"))),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_over
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use futures_util::stream;
    use http_body_util::{BodyExt as _, StreamBody};

    use super::*;
    use crate::error::details;

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(content).expect("memory");
        encoder.finish().expect("memory")
    }

    /// A request whose body arrives in pieces of `size` bytes.
    fn request(coding: &'static str, body: &[u8], size: usize) -> Request<Body> {
        let pieces: Vec<_> =
            body.chunks(size).map(|piece| Ok::<_, Status>(Frame::data(piece.to_vec().into()))).collect();
        let body = Body::new(StreamBody::new(stream::iter(pieces)));
        Request::builder().header(CONTENT_ENCODING, coding).body(body).expect("a request")
    }

    async fn inflate(body: &[u8], size: usize) -> Result<Bytes, String> {
        let body = inflated(request("gzip", body, size)).into_body();
        let collected = body.collect().await.map_err(|error| {
            let details = details(&error).expect("one of ours");
            details.violations.first().expect("a problem").description.clone()
        });
        collected.map(http_body_util::Collected::to_bytes)
    }

    #[tokio::test]
    async fn a_body_is_what_it_was_however_it_arrives() {
        let content: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        let compressed = gzip(&content);
        for size in [1, 7, 1_000, usize::MAX] {
            assert_eq!(inflate(&compressed, size).await.expect("good gzip"), content);
        }
        let members = [gzip(b"one, "), gzip(b""), gzip(b"two")].concat();
        assert_eq!(inflate(&members, 5).await.expect("several members"), "one, two");
    }

    #[tokio::test]
    async fn what_is_cut_off_or_no_gzip_says_so() {
        let compressed = gzip(&[b'x'; 10_000]);
        for end in [1, 9, 15, compressed.len() - 8, compressed.len() - 1] {
            assert_eq!(inflate(&compressed[..end], 4).await, Err("The gzip body is incomplete".to_owned()), "{end}");
        }
        let mut altered = compressed.clone();
        let crc = altered.len() - 6;
        altered[crc] ^= 1;
        let trailing = [compressed.as_slice(), b"{}{}{}{}{}{}{}{}"].concat();
        for wrong in [b"{\"type\":\"individual\"}".to_vec(), altered, trailing] {
            assert_eq!(inflate(&wrong, 64).await, Err("The body is not valid gzip".to_owned()));
        }
    }

    #[tokio::test]
    async fn a_bomb_is_inflated_only_as_far_as_it_is_read() {
        let bomb = gzip(&vec![0; 64 << 20]);
        assert!(bomb.len() < 128 << 10);
        let mut body = inflated(request("gzip", &bomb, usize::MAX)).into_body();
        let mut read = 0;
        while read < 1 << 20 {
            let frame = body.frame().await.expect("more").expect("good gzip");
            let piece = frame.into_data().expect("data");
            assert!(piece.len() <= PIECE);
            read += piece.len();
        }
    }

    #[test]
    fn only_gzip_alone_is_inflated_and_anything_else_is_refused() {
        for (coding, is_inflated, is_refused) in [
            ("gzip", true, false),
            ("X-GZIP", true, false),
            ("identity", false, false),
            ("identity, gzip", true, false),
            ("br", false, true),
            ("gzip, gzip", false, true),
            ("gzip, br", false, true),
        ] {
            let request = inflated(request(coding, b"x", 1));
            assert_eq!(!request.headers().contains_key(CONTENT_ENCODING), is_inflated, "{coding}");
            let response = refusal(request.headers());
            assert_eq!(response.is_some(), is_refused, "{coding}");
            if let Some(response) = response {
                assert_eq!(
                    (response.status().as_u16(), &response.headers()[ACCEPT_ENCODING]),
                    (415, &"gzip".parse().expect("a value"))
                );
            }
        }
    }
}
