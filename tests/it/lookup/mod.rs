//! Finding users: lists, filters, cursors, totals, and external ids that are unique.

mod external_ids;
mod filters;
mod pages;
mod rebuild;
mod support;
mod totals;
