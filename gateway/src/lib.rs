//! The run-time half of the REST bridge: JSON codec, routing, validation and error shapes for the services that
//! `kira-codegen` generates.

// Generated code, ours too, names this crate by its name.
extern crate self as kira_gateway;

pub mod bounded;
pub mod check;
mod checked;
pub mod error;
pub mod json;
mod late;
pub mod method;
mod off_thread;
pub mod problem;
pub mod rest;
pub mod router;
pub mod template;
pub mod text;

pub use checked::{Checked, Clock, Headers};
pub use late::{Late, LateRead, Unrecognized, other_kind};
pub use method::{Access, Method, Methods};
pub use off_thread::off_thread;
pub use rest::{Gateway, Matched};
