//! JSON of the documented shapes.

mod write;

pub use write::{ToJson, Writer};

use crate::problem::{Path, Problems};

/// What was read from a body.
#[derive(Debug, Default)]
pub struct Body<T> {
    /// The message; defaults stand where a problem was found.
    pub message: T,
    /// Everything wrong with the body.
    pub problems: Problems,
    /// The keys that the schema does not know.
    pub unknown: Vec<Path>,
}

/// A message that can be read from JSON.
pub trait FromJson: Sized {
    /// What is read.
    type Value: Default;
}

/// Reads a body whole; never fails, but lists what is wrong.
pub fn read<T: FromJson>(_body: &[u8]) -> Body<T::Value> {
    Body::default()
}
