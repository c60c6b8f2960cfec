//! The run-time half of the REST bridge: JSON codec, routing, validation and error shapes for the services that
//! `kira-codegen` generates.

// Generated code, ours too, names this crate by its name.
extern crate self as kira_gateway;

mod alone;
pub mod bounded;
pub mod change;
pub mod check;
mod checked;
pub mod error;
pub mod fields;
pub mod json;
mod late;
pub mod method;
pub mod numbers;
mod off_thread;
pub mod problem;
pub mod rest;
pub mod router;
pub mod text;
pub mod upload;

pub use kira_path_template as template;

pub use alone::Alone;
pub use checked::{Checked, Clock, Headers, Undecided};
pub use late::{Late, LateRead, Unrecognized, Warnings, other_kind};
pub use method::{Access, Method, Methods};
pub use off_thread::off_thread;
pub use rest::{Gateway, Matched};
