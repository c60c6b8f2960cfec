//! Verification from the create to the outcome: through the doors, with workers that the test drives.

mod calls;
mod fake_vendor;
#[path = "../harness/mod.rs"]
mod harness;
mod outcomes;
mod providers;
mod rules;
mod support;
mod vendors;
mod workers;
