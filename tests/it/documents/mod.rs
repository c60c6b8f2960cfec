//! The files of users as bytes: listed, sent, received, replaced and removed, over both protocols.

mod bad_input;
mod changes;
mod damage;
mod download;
mod list;
mod support;
mod upload;
