//! Lists whose elements are judged alone (`each_alone`): what is wrong with one element refuses that element, not the
//! request. The problems travel with the request to the service, which answers for each element.

use std::borrow::Cow;
use std::collections::BTreeMap;

use tonic::{Request, Status};

use crate::error::invalid_request;
use crate::problem::{Path, Problems, Step};

/// How many problems of one element are listed, and how many bytes their sentences have at most: together the elements of
/// a list say no more than one request with a few.
const MAX_LISTED: usize = 100;
const MAX_TEXT: usize = 16 * 1024;

/// The problems of the elements of a request's list, by index, with paths within the element. A request extension.
#[derive(Clone, Debug, Default)]
pub struct Alone {
    /// The key of the list, once a reader has met it.
    list: Option<Cow<'static, str>>,
    elements: BTreeMap<usize, Problems>,
}

impl Alone {
    /// Takes the problems out of a request.
    pub fn of<T>(request: &mut Request<T>) -> Self {
        request.extensions_mut().remove::<Self>().unwrap_or_default()
    }

    /// The error of the element at `index`, as if it had been a request of its own; none where nothing is wrong with it.
    #[must_use]
    pub fn refusal(&mut self, index: usize) -> Option<Status> {
        self.elements.remove(&index).map(invalid_request)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    /// Notes the key of the list.
    pub(crate) fn name(&mut self, list: Cow<'static, str>) {
        self.list = Some(list);
    }

    /// Adds what was found of one element, but for what is known already.
    pub(crate) fn merge(&mut self, index: usize, found: Problems) {
        if !found.is_empty() {
            self.elements.entry(index).or_default().merge(found);
        }
    }

    /// Adds what was found of all elements.
    pub(crate) fn merge_all(&mut self, later: Self) {
        later.elements.into_iter().for_each(|(index, found)| self.merge(index, found));
    }

    /// Adds a problem of one element.
    pub(crate) fn push(&mut self, index: usize, path: Path, code: Cow<'static, str>, message: Cow<'static, str>) {
        self.elements.entry(index).or_default().push(path, code, message);
    }

    /// The element of the list in which a path lies, and the path within it; else the path.
    pub(crate) fn claim(&self, path: Path) -> Result<(usize, Path), Path> {
        match (path.0.as_slice(), &self.list) {
            ([Step::Key { name, .. }, Step::Index(index), within @ ..], Some(list)) if name == list => {
                Ok((*index, Path(within.to_vec())))
            }
            _ => Err(path),
        }
    }

    /// The problems as they are listed.
    pub(crate) fn finished(mut self) -> Self {
        for problems in self.elements.values_mut() {
            *problems = std::mem::take(problems).without_unknown_kinds().cut(MAX_LISTED, MAX_TEXT);
        }
        self
    }
}
