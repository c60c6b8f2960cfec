//! Every field of the specification's tables, wrong in every way that its type allows.

mod age;
mod blank;
mod fields;
mod files;
mod kinds;
mod lists;
mod long;
mod messages;
mod metadata;
mod refusals;
mod table;
mod values;
