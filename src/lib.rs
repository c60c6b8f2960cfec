//! kira-users: the user-onboarding service of a fintech, self-hosted.

pub mod ambient;
pub mod contract;
pub mod domain;
pub mod service;
