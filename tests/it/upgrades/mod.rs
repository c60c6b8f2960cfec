//! Upgrades: a migration runs while the version before it serves, on data that this version has written.

mod catalog;
mod locks;
mod migrations;
mod promise;
mod released;
