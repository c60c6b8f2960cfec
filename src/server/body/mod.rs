//! Wrappers of response bodies.

pub(in crate::server) mod end_on_shutdown;
pub(in crate::server) mod log_on_end;
pub(in crate::server) mod map_frames;
