//! Screening of names against sanctions lists, in process: no database, no network, no task.
//!
//! * [`list`] reads lists of the publishers' formats and compares their versions.
//! * [`name`] takes names apart; [`score`] aligns them and gives a calibrated, monotone score.
//! * [`index`] finds the entries that one may be, exactly those that comparing every name would find, and says why.
//! * [`evaluate`] measures the score on labelled pairs.

pub mod evaluate;
pub mod index;
pub mod list;
pub mod name;
pub mod score;
