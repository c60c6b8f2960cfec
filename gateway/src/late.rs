//! Requests whose kind only the service knows: a change does not say what it is a change of.
//!
//! Their path and headers are read and checked like those of any other. The body waits until the service has looked the
//! kind up; the service reports its problems together with those that it finds itself.

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
    /// Whether unknown keys are problems.
    pub(crate) strict: bool,
}

/// The unknown keys of a request, for the response. A response extension.
#[derive(Clone, Debug, Default)]
pub struct Unrecognized(pub(crate) Vec<Problem>);

/// What the caller should know although the call succeeded. A response extension: over REST they follow the unknown keys
/// in the `warnings` of the answer.
#[derive(Clone, Debug, Default)]
pub struct Warnings(pub Vec<Problem>);

/// What a request brings that waits for its kind: a body over REST, nothing over gRPC.
#[derive(Debug)]
pub struct Late(Option<LateBody>);

/// A body that has been read.
#[derive(Debug)]
pub struct LateRead<T> {
    /// The message; a field with a problem has its default.
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

    /// Reads the body as one of the kind `tag`; None without a body, and over gRPC, where the message is whole.
    ///
    /// # Errors
    /// INTERNAL where the body cannot be read for a reason that is not the caller's.
    pub async fn read<T>(self, tag: &'static str) -> Result<Option<LateRead<T>>, Status>
    where
        T: Union + FromJson<Value = T> + Send + 'static,
    {
        // Without a body nothing is given.
        let Some(LateBody { bytes, strict }) = self.0.filter(|body| !body.bytes.is_empty()) else { return Ok(None) };
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
