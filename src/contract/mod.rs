//! The contract, as generated from `proto/`, and the rules that its annotations name.

pub mod rules;

/// Everything below the package `kira`.
#[allow(missing_docs, unreachable_pub, clippy::all, reason = "generated")]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/contract.rs"));
}

/// What is stored of a user: no part of the contract, but written and generated like it.
pub use generated::kira::users::storage::v1 as storage;
pub use generated::kira::users::v1;

/// The encoded descriptor set, options kept: what gRPC reflection answers from.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/contract.descriptors.bin"));

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use prost::Message as _;

    #[test]
    fn what_is_stored_is_not_published() {
        let published = prost_types::FileDescriptorSet::decode(super::DESCRIPTORS).expect("a descriptor set");
        let packages: BTreeSet<_> = published.file.iter().map(|file| file.package()).collect();
        assert!(packages.contains("kira.users.v1") && packages.contains("buf.validate"), "{packages:?}");
        assert!(!packages.contains("kira.users.storage.v1"), "{packages:?}");
    }
}
