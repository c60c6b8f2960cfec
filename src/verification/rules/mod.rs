//! The provider that asks nobody: offline checks of a stored user and its files.

mod inspect;

pub use inspect::inspect;
