//! From the parts of an HTTP request to a message.

use std::collections::HashSet;

use bytes::Bytes;
use http::request::Parts;
use tonic::Status;
use tonic::body::Body;

use super::headers;
use super::query::pairs;
use super::route::Binding;
use crate::checked::Decoded;
use crate::json::{self, FromJson};
use crate::late::LateBody;
use crate::off_thread::off_thread;
use crate::problem::{Path, Problem, Problems, Step};

/// A request whose body has arrived.
pub(super) struct Incoming {
    pub(super) head: Parts,
    /// The values of the path, from left to right.
    pub(super) values: Vec<String>,
    pub(super) body: Bytes,
    /// The body as it arrives, of a call that takes it so.
    pub(super) stream: Body,
}

impl Incoming {
    /// The request for the service, and the message about unknown keys.
    ///
    /// # Errors
    /// INTERNAL where the body cannot be read for a reason that is not the caller's.
    pub(super) async fn decode<Q, R>(
        mut self,
        binding: &Binding<Q, R>,
    ) -> Result<(tonic::Request<Q>, Vec<Problem>), Status>
    where
        Q: Default + Send + 'static,
    {
        let read = match binding.body {
            // Without a body nothing is given: what is required is missing.
            Some(_) if self.body.is_empty() => json::Body::default(),
            // The buffer is shared and not copied: the message takes what it keeps.
            Some(read) => off_thread(self.body.len(), move || read(&self.body)).await?,
            None if binding.late => {
                let strict = headers::prefers_strict(&self.head.headers);
                self.head.extensions.insert(LateBody { bytes: self.body, strict });
                json::Body::default()
            }
            None => json::Body::default(),
        };
        let (mut message, mut problems, mut alone) = (read.message, read.problems, read.alone);
        let mut unknown = read.unknown.into_iter().map(unrecognized).collect();
        if headers::prefers_strict(&self.head.headers) {
            for Problem { path, code, message } in std::mem::take(&mut unknown) {
                match alone.claim(path) {
                    Ok((index, path)) => alone.push(index, path, code, message),
                    Err(path) => problems.push(path, code, message),
                }
            }
        }
        for (variable, value) in binding.variables.iter().zip(&self.values) {
            if (variable.is_set)(&message) {
                let mut alone = Q::default();
                (binding.set)(&mut alone, variable.name, value, &mut problems);
                if !(variable.is_same)(&message, &alone) {
                    problems.push(path(variable.slot, variable.name), "custom", "Must be the same as in the path");
                }
            } else {
                (binding.set)(&mut message, variable.name, value, &mut problems);
            }
        }
        read_query(binding, self.head.uri.query().unwrap_or_default(), &mut message, &mut problems);
        let mut extensions = self.head.extensions;
        if !problems.is_empty() || !alone.is_empty() {
            extensions.insert(Decoded { problems, alone });
        }
        let metadata = headers::incoming(&self.head.headers, binding.headers);
        Ok((tonic::Request::from_parts(metadata, extensions, message), unknown))
    }
}

fn read_query<Q, R>(binding: &Binding<Q, R>, query: &str, message: &mut Q, problems: &mut Problems) {
    let mut seen: HashSet<String> = HashSet::new();
    for pair in pairs(query) {
        let Some((name, value)) = pair else {
            problems.push(Path::default(), "custom", "The query must be percent-encoded UTF-8");
            continue;
        };
        let is_closed =
            |closed: &&str| name.strip_prefix(closed).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        if let Some(variable) = binding.variables.iter().find(|variable| variable.name == name) {
            problems.push(path(variable.slot, variable.name), "custom", "Must be given once");
        } else if seen.contains(name.as_ref()) && !binding.lists.contains(&name.as_ref()) {
            problems.push(path(Step::UNKNOWN, &name), "custom", "Must be given once");
        } else if !binding.query
            || binding.closed.iter().any(is_closed)
            || !(binding.set)(message, &name, &value, problems)
        {
            problems.push(path(Step::UNKNOWN, &name), UNRECOGNIZED, format!("Unrecognized key(s): '{}'", short(&name)));
        }
        seen.insert(name.into_owned());
    }
}

pub(super) const UNRECOGNIZED: &str = "unrecognized_keys";

/// The message about an unknown key.
pub(crate) fn unrecognized(path: Path) -> Problem {
    let key = match path.0.last() {
        Some(Step::Key { name, .. }) => short(name).to_owned(),
        _ => path.to_string(),
    };
    Problem { path, code: UNRECOGNIZED.into(), message: format!("Unrecognized key(s) in object: '{key}'").into() }
}

/// A key of the caller's making, cut where it is longer than any key of ours.
pub(super) fn short(name: &str) -> &str {
    let end = name.char_indices().nth(64).map_or(name.len(), |(end, _)| end);
    &name[..end]
}

/// The path of a dot-joined name.
fn path(slot: u32, name: &str) -> Path {
    let steps = name
        .split('.')
        .enumerate()
        .map(|(position, name)| Step::named_by_request(if position == 0 { slot } else { 0 }, name));
    Path(steps.collect())
}

/// Reads a body that is one field of the request; its problems are reported at its place in the request.
pub fn read_field<T: FromJson, Q: Default>(
    body: &[u8],
    slot: u32,
    name: &'static str,
    set: fn(&mut Q, T::Value),
) -> json::Body<Q> {
    let read = json::read::<T>(body);
    let within = |path: Path| {
        let mut steps = Path::key(slot, name).0;
        steps.extend(path.0);
        Path(steps)
    };
    let mut outer = json::Body::<Q>::default();
    set(&mut outer.message, read.message);
    for Problem { path, code, message } in read.problems.into_sorted() {
        outer.problems.push(within(path), code, message);
    }
    outer.unknown = read.unknown.into_iter().map(within).collect();
    outer
}
