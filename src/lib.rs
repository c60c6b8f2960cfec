//! kira-users: the user-onboarding service of a fintech, self-hosted.

pub mod ambient;
pub mod auth;
pub mod cli;
pub mod config;
pub mod telemetry;
