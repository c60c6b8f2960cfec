//! temp
use super::v1;
use chrono::{DateTime, Utc};
use prost_types::Struct;
pub fn calendar_date(_: &str) -> bool {
    true
}
pub fn e164(_: &str) -> bool {
    true
}
pub fn country(_: &str) -> bool {
    true
}
pub fn http_url(_: &str) -> bool {
    true
}
pub fn email_address(_: &str) -> bool {
    true
}
pub fn adult(_: &str, _: DateTime<Utc>) -> bool {
    true
}
pub fn metadata_keys(_: &Struct, _: DateTime<Utc>) -> bool {
    true
}
pub fn metadata_size(_: &Struct, _: DateTime<Utc>) -> bool {
    true
}
pub fn tax_id_number(_: &v1::Identification, _: DateTime<Utc>) -> bool {
    true
}
pub fn content_matches_media_type(_: &v1::File, _: DateTime<Utc>) -> bool {
    true
}
