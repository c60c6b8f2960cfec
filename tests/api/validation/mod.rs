//! Every field of the specification's tables, wrong in every way that its type allows.

mod age;
mod fields;
mod files;
mod lists;
mod messages;
mod metadata;
mod refusals;
mod table;
mod values;
