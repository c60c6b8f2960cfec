//! Requests whose kind only the service knows: a change does not say what it is a change of.
//!
//! Their path and headers are read and checked like those of any other. The body waits until the service has looked the
//! kind up; what is wrong with it is for the service to tell, together with what it finds itself.

use bytes::Bytes;
use tonic::{Request, Status};

use crate::json::{self, FromJson, Union};
use crate::off_thread::off_thread;
use crate::problem::{Path, Problem, Problems};
use crate::rest::unrecognized;

/// The body of a REST request on its way to the service. A request extension.
#[derive(Clone, Debug)]
pub(crate) struct LateBody {
    pub(crate) bytes: Bytes,
    /// Whether keys that nobody knows are problems.
    pub(crate) strict: bool,
}

/// The keys of a request that nobody knows, on their way to the answer. A response extension.
#[derive(Clone, Debug, Default)]
pub struct Unrecognized(pub(crate) Vec<Problem>);

/// What a request brings that waits for its kind: a body over REST, nothing over gRPC.
#[derive(Debug)]
pub struct Late(Option<LateBody>);

/// A body that has been read.
#[derive(Debug)]
pub struct LateRead<T> {
    /// The message; defaults stand where a problem was found.
    pub message: T,
    /// Everything wrong with the body.
    pub problems: Problems,
    /// For the extensions of the answer, which warns of them.
    pub unrecognized: Unrecognized,
}

impl Late {
    /// Takes it out of a request.
    pub fn of<T>(request: &mut Request<T>) -> Self {
        Self(request.extensions_mut().remove::<LateBody>())
    }

    /// Reads the body as one of the kind `tag`; None over gRPC, where the message is whole.
    ///
    /// # Errors
    /// INTERNAL where the body cannot be read for a reason that is not the caller's.
    pub async fn read<T>(self, tag: &'static str) -> Result<Option<LateRead<T>>, Status>
    where
        T: Union + FromJson<Value = T> + Send + 'static,
    {
        let Some(LateBody { bytes, strict }) = self.0 else { return Ok(None) };
        let read = off_thread(bytes.len(), move || json::read_as::<T>(&bytes, tag)).await?;
        let mut problems = read.problems;
        let unknown = read.unknown.into_iter().map(unrecognized);
        let mut unrecognized = Unrecognized::default();
        if strict {
            unknown.for_each(|Problem { path, code, message }| problems.push(path, code, message));
        } else {
            unrecognized.0.extend(unknown);
        }
        Ok(Some(LateRead { message: read.message, problems, unrecognized }))
    }
}

/// The problem of a message that says it is of another kind than `tag`.
#[must_use]
pub fn other_kind(discriminator: &'static str, tag: &'static str) -> Problems {
    let expected = json::expected_values([tag]);
    let mut problems = Problems::default();
    let message = format!("Invalid discriminator value. Expected {expected}");
    problems.push(Path::key(0, discriminator), "invalid_union_discriminator", message);
    problems
}
