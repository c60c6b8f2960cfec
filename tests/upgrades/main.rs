//! Upgrades: a migration runs while the version before it serves, on data that this version has written.

mod catalog;
#[path = "../harness/mod.rs"]
mod harness;
mod locks;
mod migrations;
mod promise;
mod released;
