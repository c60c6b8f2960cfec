//! Fields from texts: path variables, query parameters, headers.

use crate::problem::Problems;

/// A message whose fields can be set from texts.
pub trait SetField {
    /// Sets the field at `path` (dot-joined JSON names), or adds to it where it is repeated. A value of the wrong form
    /// is a problem. False where there is no such field.
    fn set_field(&mut self, path: &str, value: &str, problems: &mut Problems) -> bool;
}
