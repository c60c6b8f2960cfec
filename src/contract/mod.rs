//! The contract, as generated from `proto/`.

/// Everything below the package `kira`.
#[allow(missing_docs, unreachable_pub, clippy::all, reason = "generated")]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/contract.rs"));
}

pub mod rules;

pub use generated::kira::users::v1;

/// The encoded descriptor set, options kept: what gRPC reflection answers from.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/contract.descriptors.bin"));
