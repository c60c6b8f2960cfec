//! What the service does, above the store and the vault.

pub mod orphans;
