//! The messages of `google.protobuf` that have a JSON, or a Rust type, of their own.

use proc_macro2::TokenStream;
use quote::quote;

/// The messages of `google.protobuf` whose JSON is a text, or that represent a scalar.
pub(crate) const TEXTS: &[&str] = &[
    "google.protobuf.Timestamp",
    "google.protobuf.Duration",
    "google.protobuf.FieldMask",
    "google.protobuf.BoolValue",
    "google.protobuf.StringValue",
    "google.protobuf.BytesValue",
    "google.protobuf.DoubleValue",
    "google.protobuf.FloatValue",
    "google.protobuf.Int32Value",
    "google.protobuf.Int64Value",
    "google.protobuf.UInt32Value",
    "google.protobuf.UInt64Value",
];

/// The Rust types that prost has for google/protobuf/wrappers.proto and empty.proto.
pub(crate) fn wrapper(full_name: &str) -> Option<TokenStream> {
    Some(match full_name {
        "google.protobuf.BoolValue" => quote!(bool),
        "google.protobuf.StringValue" => quote!(::prost::alloc::string::String),
        "google.protobuf.BytesValue" => quote!(::prost::alloc::vec::Vec<u8>),
        "google.protobuf.DoubleValue" => quote!(f64),
        "google.protobuf.FloatValue" => quote!(f32),
        "google.protobuf.Int32Value" => quote!(i32),
        "google.protobuf.Int64Value" => quote!(i64),
        "google.protobuf.UInt32Value" => quote!(u32),
        "google.protobuf.UInt64Value" => quote!(u64),
        "google.protobuf.Empty" => quote!(()),
        _ => return None,
    })
}
