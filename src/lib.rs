//! kira-users: the user-onboarding service of a fintech, self-hosted.

pub mod ambient;
pub mod service;
pub mod store;
pub mod vault;
