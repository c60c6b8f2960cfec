//! The run-time half of the REST bridge: JSON codec, routing, validation and error shapes for the services that
//! `kira-codegen` generates.

pub mod check;
pub mod json;
pub mod problem;
pub mod text;
