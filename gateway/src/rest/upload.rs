//! Request bodies that are streams of bytes: as they come, or as the files of a form (RFC 7578). Each piece is a message of
//! the call, so that the service reads at its own pace and no body is in memory.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::{BufMut, Bytes, BytesMut};
use futures_core::Stream;
use futures_util::StreamExt;
use http::header::{CONTENT_TYPE, HeaderMap};
use http_body::{Body as _, Frame};
use http_body_util::StreamBody;
use multer::{Field, Multipart};
use prost::Message;
use tonic::body::Body;
use tonic::codec::Codec;
use tonic::{Status, Streaming};

use super::body::broken;
use super::request::{UNRECOGNIZED, short};
use crate::error::{ErrorReason, invalid, invalid_request, status};
use crate::problem::{Path, Problems, Step};

/// The most bytes of one message.
const PIECE: usize = 256 * 1024;
/// The most bytes of a message with what is around them.
const MESSAGE: usize = PIECE + 64 * 1024;
/// The most parts of a form.
const PARTS: usize = 256;
/// The most bytes of a text of a form.
const TEXT: usize = 16 * 1024;
/// The most bytes of a form that are read without a part, or more of one: its headers are shorter.
const SILENCE: usize = 256 * 1024;

/// How the bytes of a body become messages, as the generator writes it.
pub struct Upload<Q> {
    /// The message that some bytes are.
    pub content: fn(Bytes) -> Q,
    /// The path of the field that the media type of the bytes fills, by JSON names.
    pub media_type: Option<&'static str>,
    /// Of a form; none: the body is the bytes.
    pub form: Option<Form<Q>>,
}

/// How the parts of a form become messages.
pub struct Form<Q> {
    /// The name of the parts that are files.
    pub file: &'static str,
    /// The JSON name of the field that begins a file: the texts before a file are its fields.
    pub head: &'static str,
    /// The message that begins a file.
    pub begin: fn() -> Q,
}

/// Sets a field from a text; false where there is none.
type Set<Q> = fn(&mut Q, &str, &str, &mut Problems) -> bool;
type Messages<Q> = Pin<Box<dyn Stream<Item = Result<Q, Status>> + Send>>;

impl<Q: Message + Default + Clone + 'static> Upload<Q> {
    /// Checks the media type of a request, and says it in the first message where the body is the bytes.
    ///
    /// # Errors
    /// UNSUPPORTED_MEDIA_TYPE for a body that is no form where the call takes one.
    pub(super) fn check(
        &self,
        headers: &HeaderMap,
        set: Set<Q>,
        first: &mut Q,
        problems: &mut Problems,
    ) -> Result<(), Status> {
        if self.form.is_some() {
            return boundary(headers).map(drop);
        }
        let media_type = text(headers).split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if let Some(path) = self.media_type.filter(|_| !media_type.is_empty()) {
            set(first, path, &media_type, problems);
        }
        Ok(())
    }

    /// The messages of a body, after `first`, as the service gets them.
    ///
    /// # Errors
    /// UNSUPPORTED_MEDIA_TYPE, as above.
    pub(super) fn messages(
        self: &Arc<Self>,
        headers: &HeaderMap,
        set: Set<Q>,
        first: Q,
        body: Body,
    ) -> Result<Streaming<Q>, Status> {
        let upload = Arc::clone(self);
        let rest: Messages<Q> = match upload.form {
            None => {
                let pieces = body_pieces(body);
                Box::pin(pieces.map(move |piece| piece.map(|bytes| (upload.content)(bytes)).map_err(broken)))
            }
            Some(_) => Box::pin(Parts::new(upload, set, boundary(headers)?, body).into_stream()),
        };
        let messages = futures_util::stream::iter([Ok(first)]).chain(rest);
        let frames = messages.map(|message| message.map(|message| Frame::data(framed(&message))));
        let decoder = tonic_prost::ProstCodec::<Q, Q>::default().decoder();
        Ok(Streaming::new_request(decoder, StreamBody::new(frames), None, Some(MESSAGE)))
    }
}

/// A message as gRPC sends it: that is how the service gets it over either protocol.
fn framed<Q: Message>(message: &Q) -> Bytes {
    let length = message.encoded_len();
    let mut out = BytesMut::with_capacity(length + 5);
    out.put_u8(0);
    out.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    // The only cause of a failure is a buffer that cannot grow.
    message.encode(&mut out).unwrap_or_default();
    out.freeze()
}

fn text(headers: &HeaderMap) -> &str {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn boundary(headers: &HeaderMap) -> Result<String, Status> {
    multer::parse_boundary(text(headers)).map_err(|_| {
        status(ErrorReason::UnsupportedMediaType, "Content-Type must be multipart/form-data with a boundary")
    })
}

/// The bytes of a body, in pieces of no more than [`PIECE`].
fn body_pieces(body: Body) -> impl Stream<Item = Result<Bytes, super::BoxError>> + Send {
    Pieces { body, rest: Bytes::new() }
}

struct Pieces {
    body: Body,
    rest: Bytes,
}

impl Stream for Pieces {
    type Item = Result<Bytes, super::BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        while self.rest.is_empty() {
            match std::task::ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                Some(Ok(frame)) => self.rest = frame.into_data().unwrap_or_default(),
            }
        }
        let length = self.rest.len().min(PIECE);
        Poll::Ready(Some(Ok(self.rest.split_to(length))))
    }
}

/// One piece for each time that the form is polled: its reader would else take in all that has arrived. Fails if too much
/// comes without a part.
struct Measured<S> {
    pieces: S,
    /// Bytes since the form has given something.
    silence: Arc<AtomicUsize>,
    /// Whether the last poll gave a piece.
    gave: bool,
}

impl<S: Stream<Item = Result<Bytes, super::BoxError>> + Unpin> Stream for Measured<S> {
    type Item = Result<Bytes, super::BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if std::mem::take(&mut self.gave) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let piece = std::task::ready!(Pin::new(&mut self.pieces).poll_next(cx));
        if let Some(Ok(bytes)) = &piece {
            self.gave = true;
            if self.silence.fetch_add(bytes.len(), Ordering::Relaxed) > SILENCE {
                return Poll::Ready(Some(Err(malformed().into())));
            }
        }
        Poll::Ready(piece)
    }
}

/// A form that is read.
struct Parts<Q> {
    upload: Arc<Upload<Q>>,
    set: Set<Q>,
    form: Multipart<'static>,
    silence: Arc<AtomicUsize>,
    /// The file that is read.
    file: Option<Field<'static>>,
    /// What the form has given of it beyond a message: the form's reader may have taken in several pieces by then.
    rest: Bytes,
    /// How many parts and how many files there were.
    counts: (usize, usize),
}

impl<Q: Message + Default + Clone + 'static> Parts<Q> {
    fn new(upload: Arc<Upload<Q>>, set: Set<Q>, boundary: String, body: Body) -> Self {
        let silence = Arc::<AtomicUsize>::default();
        let pieces = Pieces { body, rest: Bytes::new() };
        let measured = Measured { pieces, silence: Arc::clone(&silence), gave: false };
        Self {
            upload,
            set,
            form: Multipart::new(measured, boundary),
            silence,
            file: None,
            rest: Bytes::new(),
            counts: (0, 0),
        }
    }

    fn into_stream(self) -> impl Stream<Item = Result<Q, Status>> + Send {
        futures_util::stream::try_unfold(self, |mut parts| async move {
            Ok(parts.next().await?.map(|message| (message, parts)))
        })
    }

    /// The next message; none at the end of the form.
    async fn next(&mut self) -> Result<Option<Q>, Status> {
        if let Some(file) = &mut self.file {
            if self.rest.is_empty() {
                self.rest = file.chunk().await.map_err(refused)?.unwrap_or_default();
                self.silence.store(0, Ordering::Relaxed);
            }
            if !self.rest.is_empty() {
                let length = self.rest.len().min(PIECE);
                return Ok(Some((self.upload.content)(self.rest.split_to(length))));
            }
            self.file = None;
            self.counts.1 += 1;
        }
        self.head().await
    }

    /// Reads the texts before a file: the message that begins it.
    async fn head(&mut self) -> Result<Option<Q>, Status> {
        let Some(Form { file, head, begin }) = self.upload.form.as_ref() else { return Ok(None) };
        let (mut message, mut problems, mut seen) = (begin(), Problems::default(), Vec::<String>::new());
        loop {
            let part = self.form.next_field().await.map_err(refused)?;
            self.silence.store(0, Ordering::Relaxed);
            let Some(part) = part else { break };
            self.counts.0 += 1;
            if self.counts.0 > PARTS {
                return Err(invalid("too_big", format!("A form must contain at most {PARTS} parts")));
            }
            let name = part.name().unwrap_or_default().to_owned();
            if name == *file {
                if let (Some(path), Some(media_type)) = (self.upload.media_type, part.content_type()) {
                    (self.set)(&mut message, path, media_type.essence_str(), &mut problems);
                }
                self.file = Some(part);
                return if problems.is_empty() { Ok(Some(message)) } else { Err(self.refusal(problems)) };
            }
            let place = || Path::key(Step::UNKNOWN, (*head).to_owned());
            if seen.contains(&name) {
                problems.push(below(place(), &name), "custom", "Must be given once");
                continue;
            }
            let value = small_text(part, &name).await?;
            self.silence.store(0, Ordering::Relaxed);
            if !(self.set)(&mut message, &format!("{head}.{name}"), &value, &mut problems) {
                let sentence = format!("Unrecognized key(s): '{}'", short(&name));
                problems.push(below(place(), short(&name)), UNRECOGNIZED, sentence);
            }
            seen.push(name);
        }
        if !seen.is_empty() {
            problems.push(below(Path::key(Step::UNKNOWN, (*head).to_owned()), file), "invalid_type", "Required");
        }
        if problems.is_empty() { Ok(None) } else { Err(self.refusal(problems)) }
    }

    /// The error of the head of a file, which is named by its number.
    fn refusal(&self, problems: Problems) -> Status {
        invalid_request(numbered(problems, self.counts.1))
    }
}

/// Names the file by its number, behind the first step of each path.
#[must_use]
pub fn numbered(problems: Problems, number: usize) -> Problems {
    problems.relocated(|problem| {
        let mut path = problem.path.clone();
        path.0.insert(path.0.len().min(1), Step::Index(number));
        Some(path)
    })
}

fn below(mut path: Path, name: &str) -> Path {
    path.0.push(Step::named_by_request(Step::UNKNOWN, name));
    path
}

/// A text of a form.
async fn small_text(mut part: Field<'static>, name: &str) -> Result<String, Status> {
    let mut bytes = Vec::new();
    while let Some(chunk) = part.chunk().await.map_err(refused)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > TEXT {
            let message = format!("The part '{}' must contain at most {TEXT} bytes", short(name));
            return Err(invalid("too_big", message));
        }
    }
    let message = || format!("The part '{}' must be UTF-8", short(name));
    String::from_utf8(bytes).map_err(|_| invalid("custom", message()))
}

/// Why a form cannot be read.
fn refused(error: multer::Error) -> Status {
    match error {
        multer::Error::StreamReadFailed(error) => broken(error),
        multer::Error::IncompleteFieldData { .. }
        | multer::Error::IncompleteHeaders
        | multer::Error::IncompleteStream => invalid("custom", "The body is incomplete"),
        _ => malformed(),
    }
}

fn malformed() -> Status {
    invalid("custom", "The form is malformed")
}
