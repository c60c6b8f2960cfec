//! The program on a disk or a network that fails at every step of what it writes. Whatever fails: an answer 2xx can be
//! read at once and after a restart, a key makes one user, and afterwards everything works again by itself.
//!
//! The runs here fail a few steps of each kind of write; `KIRA_FAULT_STEPS` sets how many, such as 200.

mod disk;
mod failover;
mod full;
mod history;
mod network;
mod replica;
mod steps;

/// Steps of each kind of write that fail in one run, unless the environment says otherwise.
const STEPS: i32 = 5;

fn steps() -> i32 {
    std::env::var("KIRA_FAULT_STEPS").ok().and_then(|text| text.parse().ok()).unwrap_or(STEPS)
}
