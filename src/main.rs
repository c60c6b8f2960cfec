//! kira-users
fn main() {}
