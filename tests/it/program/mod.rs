//! The program itself, as an operator meets it: a process with an environment, a command line and signals.

mod balancer;
mod banner;
mod clients;
mod collector;
mod configuration;
mod crash;
mod database;
mod documents;
mod drain;
mod import_export;
mod load;
mod log;
mod migrate;
mod panic;
mod rolling;
mod telemetry;
mod tls;
mod webhook_commands;
mod webhook_crash;
mod webhooks;
mod worker;
