//! The program itself, as an operator meets it: a process with an environment, a command line and signals.

mod banner;
mod clients;
mod configuration;
mod crash;
mod drain;
#[path = "../harness/mod.rs"]
mod harness;
mod migrate;
mod program;
