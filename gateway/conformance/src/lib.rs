//! A library of books: a contract with every feature of the REST bridge, and a service in memory behind it.

mod service;

/// The contract as generated.
#[allow(missing_docs, unreachable_pub, clippy::all, reason = "generated")]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/library.rs"));
}

pub use generated::library::v1;
pub use service::Library;
