//! The rules of the contract.

use chrono::{DateTime, Utc};

use crate::problem::Problems;

/// A request whose rules can be checked.
pub trait Check {
    /// Records every broken rule.
    fn check(&self, cx: &mut Checker);
    /// Forgets what only the service may set.
    fn clear_output_only(&mut self);
    /// Forgets texts that are empty: they count as not given.
    fn drop_empty(&mut self);
}

/// Collects the broken rules of one request.
#[derive(Debug)]
pub struct Checker {
    /// The time of the request.
    pub now: DateTime<Utc>,
    /// What is wrong so far.
    pub problems: Problems,
}

/// Makes a request ready for its service: what is not the caller's to set is cleared, every rule is checked, empty texts
/// are dropped.
///
/// # Errors
/// All problems: those already `found` and the broken rules.
pub fn accept<T: Check>(message: &mut T, now: DateTime<Utc>, mut found: Problems) -> Result<(), Problems> {
    message.clear_output_only();
    let mut checker = Checker { now, problems: Problems::default() };
    message.check(&mut checker);
    found.merge(checker.problems);
    if !found.is_empty() {
        return Err(found);
    }
    message.drop_empty();
    Ok(())
}
