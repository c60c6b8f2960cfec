//! What every call of either protocol passes before it reaches its service.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};
use tonic::{Request, Status};

use crate::alone::Alone;
use crate::check::{Check, accept_each, broken_rules};
use crate::error::invalid_request;
use crate::problem::{Path, Problems};
use crate::text::is_same;

/// Reads the time.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// A service whose requests are checked first. The generator implements the service's trait for it.
pub struct Checked<S> {
    inner: S,
    clock: Clock,
}

impl<S: fmt::Debug> fmt::Debug for Checked<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checked").field("inner", &self.inner).finish_non_exhaustive()
    }
}

/// What decoding a REST request found, on its way to the check. A request extension.
#[derive(Clone, Debug, Default)]
pub(crate) struct Decoded {
    pub(crate) problems: Problems,
    pub(crate) alone: Alone,
}

/// What decoding found in the body of a call that the service judges. A request extension.
#[derive(Clone, Debug, Default)]
pub struct Undecided(Problems);

impl Undecided {
    /// Takes it out of a request.
    pub fn of<T>(request: &mut Request<T>) -> Problems {
        request.extensions_mut().remove::<Self>().unwrap_or_default().0
    }
}

impl<S> Checked<S> {
    /// Puts checks before a service; rules about time are judged by `clock`.
    #[must_use]
    pub fn new(inner: S, clock: Clock) -> Self {
        Self { inner, clock }
    }

    /// The service behind the checks.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// Fills the fields that are headers, and checks every rule. The problems of elements that are judged alone go to the
    /// service: see [`Alone`].
    ///
    /// # Errors
    /// INVALID_ARGUMENT with all problems, those of decoding too.
    pub fn accept<T: Check>(
        &self,
        request: &mut Request<T>,
        bind: impl FnOnce(&mut T, &mut Headers<'_>),
    ) -> Result<(), Status> {
        let Decoded { mut problems, alone } = decoded(request);
        let metadata = std::mem::take(request.metadata_mut());
        bind(request.get_mut(), &mut Headers { metadata: &metadata, problems: &mut problems });
        *request.metadata_mut() = metadata;
        let alone = accept_each(request.get_mut(), (self.clock)(), problems, alone).map_err(invalid_request)?;
        if !alone.is_empty() {
            request.extensions_mut().insert(alone);
        }
        Ok(())
    }

    /// The same for a call whose body only the service can judge: the problems of decoding reach it with the request, see
    /// [`Undecided`], and empty texts are kept.
    ///
    /// # Errors
    /// INVALID_ARGUMENT with all problems, if the path or a header breaks a rule.
    pub fn accept_late<T: Check>(
        &self,
        request: &mut Request<T>,
        bind: impl FnOnce(&mut T, &mut Headers<'_>),
    ) -> Result<(), Status> {
        let Decoded { problems: mut read, .. } = decoded(request);
        let mut problems = Problems::default();
        let metadata = std::mem::take(request.metadata_mut());
        bind(request.get_mut(), &mut Headers { metadata: &metadata, problems: &mut problems });
        *request.metadata_mut() = metadata;
        request.get_mut().clear_output_only();
        problems.merge(broken_rules(request.get_ref(), (self.clock)()));
        if problems.is_empty() {
            request.extensions_mut().insert(Undecided(read));
            return Ok(());
        }
        read.merge(problems);
        Err(invalid_request(read))
    }

    /// The same for a message that has no rules.
    ///
    /// # Errors
    /// INVALID_ARGUMENT with the problems of decoding.
    pub fn accept_any<T>(&self, request: &mut Request<T>) -> Result<(), Status> {
        let Decoded { problems, .. } = decoded(request);
        if problems.is_empty() { Ok(()) } else { Err(invalid_request(problems)) }
    }
}

fn decoded<T>(request: &mut Request<T>) -> Decoded {
    request.extensions_mut().remove::<Decoded>().unwrap_or_default()
}

/// The headers of a request: metadata over gRPC.
#[derive(Debug)]
pub struct Headers<'a> {
    metadata: &'a MetadataMap,
    problems: &'a mut Problems,
}

impl Headers<'_> {
    /// Fills a field from a header. Given several times, in the field too, it must say the same each time.
    pub fn bind(&mut self, name: &'static str, field: &mut Option<String>) {
        let mut values = self.metadata.get_all(name).iter();
        let Some(first) = values.next() else { return };
        let Some(value) = text(first) else {
            return self.problem(name, "Must be visible ASCII characters");
        };
        let repeats = values.all(|other| text(other).is_some_and(|other| is_same(value, other)));
        match field {
            _ if !repeats => self.problem(name, "Must be given once"),
            Some(given) if !is_same(given, value) => self.problem(name, "Must be given once"),
            Some(_) => {}
            None => *field = Some(value.to_owned()),
        }
    }

    /// Fills a field in which an empty text and none are the same.
    pub fn bind_implicit(&mut self, name: &'static str, field: &mut String) {
        let mut bound = Some(std::mem::take(field)).filter(|given| !given.is_empty());
        self.bind(name, &mut bound);
        *field = bound.unwrap_or_default();
    }

    fn problem(&mut self, name: &'static str, message: &'static str) {
        self.problems.push(Path::header(name), "custom", message);
    }
}

fn text(value: &MetadataValue<Ascii>) -> Option<&str> {
    value.to_str().ok()
}
