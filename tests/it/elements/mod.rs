//! Associated persons and identifications, one at a time.

mod identifications;
mod lists;
mod persons;
mod promises;
pub(crate) mod support;
