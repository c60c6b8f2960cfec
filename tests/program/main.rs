//! The program itself, as an operator meets it: a process with an environment, a command line and signals.

#![allow(clippy::disallowed_methods, reason = "the rule is for the service: a test draws keys as callers do")]

mod balancer;
mod banner;
#[path = "../protection/certificates.rs"]
#[allow(dead_code, reason = "this binary needs certificates, but few clients")]
mod certificates;
mod clients;
mod collector;
mod configuration;
mod crash;
mod drain;
#[path = "../harness/mod.rs"]
mod harness;
mod load;
mod log;
mod migrate;
mod panic;
mod program;
#[path = "../webhooks/receiver.rs"]
#[allow(dead_code, reason = "the receiver can do more than this binary asks of it")]
mod receiver;
mod rolling;
mod telemetry;
mod tls;
mod webhook_commands;
mod webhook_crash;
mod webhooks;
mod worker;
