//! kira-users: the user-onboarding service of a fintech, self-hosted.
//!
//! [`app`] puts the parts together. The two doors are in [`server`], what they lead to in [`service`], the rules in
//! [`domain`], what is known of a user in [`profile`], and what is kept in [`store`] and [`vault`]; [`verification`]
//! and [`webhook`] work in the background. The contract, from which messages, routes, JSON and validators are generated, is
//! in [`contract`].

pub mod ambient;
pub mod app;
pub mod auth;
pub mod cli;
pub mod config;
pub mod contract;
#[cfg(test)]
mod dependency_rules;
pub mod domain;
pub mod profile;
pub mod server;
pub mod service;
pub mod shares;
pub mod signing;
pub mod store;
pub mod telemetry;
pub mod vault;
pub mod verification;
pub mod webhook;
