//! The two types of user.

#![allow(missing_docs, reason = "strum derives `into_str` without documentation")]

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

/// The type of a user. The texts are those of the specification and of the database.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr, VariantArray, Serialize, Deserialize,
)]
#[strum(serialize_all = "snake_case", const_into_str)]
#[serde(rename_all = "snake_case")]
pub enum UserType {
    /// A natural person.
    Individual,
    /// A legal person.
    Business,
}
