//! `[review]`: how humans decide.

use super::reader::Reader;

/// How humans decide.
#[derive(Debug, Clone, Copy)]
pub struct ReviewConfig {
    /// Whether a decision needs two reviewers who agree.
    pub four_eyes: bool,
}

impl ReviewConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self { four_eyes: reader.required("review.four_eyes") }
    }
}
