//! What the suites share: a service in this process or as a program, a database of the engine under test, requests.

pub(crate) mod certificates;
pub(crate) mod database;
pub(crate) mod program;
pub(crate) mod proxy;
pub(crate) mod raw;
pub(crate) mod receiver;
pub(crate) mod replication;
pub(crate) mod requests;
pub(crate) mod reserved_port;
pub(crate) mod service;
