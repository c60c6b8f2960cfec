//! The documents of the REST API: how they are served, and that their examples are what the service answers.

mod elements;
mod examples;
mod recorder;
mod serving;
