//! kira-users: the user-onboarding service of a fintech, self-hosted.
//!
//! [`app`] assembles the parts. The two protocols are in [`server`], the calls in [`service`], the rules in [`domain`],
//! the profile of a user in [`profile`], and storage in [`store`] and [`vault`]. [`jobs`] starts everything that runs in
//! the background, such as [`verification`] and [`webhook`]. Messages, routes, JSON and validators are generated from
//! the protos into [`contract`].

pub mod app;
pub mod archive;
pub mod auth;
pub mod cli;
pub mod config;
pub mod contract;
pub mod current_client;
#[cfg(test)]
mod dependency_rules;
pub mod domain;
pub mod env;
pub mod extra_cost;
pub mod health;
pub mod jobs;
pub mod per_client_permits;
pub mod profile;
pub mod server;
pub mod service;
pub mod signing;
pub mod sink;
pub mod store;
pub mod telemetry;
pub mod vault;
pub mod verification;
pub mod webhook;
