use anyhow::Result;
use proc_macro2::TokenStream;
use prost_reflect::{EnumDescriptor, MessageDescriptor};
use crate::schema::Schema;
pub(crate) fn message(_: &Schema, _: &MessageDescriptor) -> Result<TokenStream> { Ok(TokenStream::new()) }
pub(crate) fn r#enum(_: &Schema, _: &EnumDescriptor) -> Result<TokenStream> { Ok(TokenStream::new()) }
