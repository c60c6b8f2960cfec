//! From two names and what is known of two parties to a calibrated score with its reasons.

mod align;
mod facts;
mod model;

pub use self::align::{Aligned, Alignment, align};
pub(crate) use self::align::{align_with, can_be_joined, is_slight, joins};
pub(crate) use self::facts::SHORTEST_NUMBER;
pub use self::facts::{Agreement, Fact, Facts, compare};
pub use self::model::{FEATURES, Features, Model};

use crate::name::Name;

/// The log odds that a reviewer calls the two names the same, by their alignment.
pub(crate) fn logit(model: &Model, alignment: &Alignment, query: &Name, listed: &Name) -> f32 {
    if alignment.is_telling(query, listed) { model.logit(&alignment.features(query, listed)) } else { NOT_ALIKE }
}

/// Names that share nothing that tells.
const NOT_ALIKE: f32 = -15.0;

/// The probability that a reviewer calls the two names the same, from 0 to 1.
#[must_use]
pub fn score_names(model: &Model, query: &Name, listed: &Name) -> f32 {
    model.probability(logit(model, &align(query, listed), query, listed))
}
