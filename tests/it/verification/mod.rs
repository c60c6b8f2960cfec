//! Verification from the create to the outcome: through both protocols, with workers that the test drives.

mod calls;
mod corpus;
mod fake_vendor;
mod outcomes;
mod providers;
mod rules;
mod support;
mod vendors;
mod workers;
