//! What each error reason is over both protocols.

use anyhow::{Context, Result};
use heck::{ToShoutySnakeCase, ToUpperCamelCase};
use proc_macro2::TokenStream;
use prost_reflect::EnumDescriptor;
use quote::quote;

use crate::names;
use crate::schema::Schema;

/// The methods of an enum whose values have the option `reason`; nothing for any other.
pub(crate) fn reasons(schema: &Schema, descriptor: &EnumDescriptor) -> Result<TokenStream> {
    let values = schema.enum_values(descriptor)?;
    if values.iter().all(|value| value.reason.is_none()) {
        return Ok(TokenStream::new());
    }
    let path = names::within_package(descriptor.full_name(), descriptor.package_name());
    let prefix = format!("{}_", descriptor.name().to_shouty_snake_case());
    let (mut variants, mut codes, mut statuses) = (Vec::new(), Vec::new(), Vec::new());
    let (mut names, mut machine, mut messages) = (Vec::new(), Vec::new(), Vec::new());
    for value in &values {
        let full = descriptor.get_value(value.number).context("the value is of this enum")?;
        let place = || full.full_name().to_owned();
        let reason = value.reason.as_ref().with_context(|| format!("{}: the option `reason` is missing", place()))?;
        let name = full.name().strip_prefix(&prefix).unwrap_or(full.name());
        variants.push(names::camel(&name.to_upper_camel_case()));
        codes.push(i32::try_from(reason.number("code").with_context(|| format!("{}: no code", place()))?)?);
        statuses.push(u16::try_from(reason.number("http_status").with_context(|| format!("{}: no status", place()))?)?);
        messages.push(reason.string("message").with_context(|| format!("{}: no message", place()))?);
        machine.push(name.to_lowercase());
        names.push(name.to_owned());
    }
    Ok(quote! {
        impl ::core::fmt::Debug for #path {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl #path {
            /// The gRPC code.
            #[must_use]
            pub fn code(self) -> ::tonic::Code {
                match self {
                    #(Self::#variants => ::tonic::Code::from_i32(#codes),)*
                    Self::Unspecified => ::tonic::Code::Unknown,
                }
            }

            /// The HTTP status.
            #[must_use]
            pub fn http_status(self) -> u16 {
                match self {
                    #(Self::#variants => #statuses,)*
                    Self::Unspecified => 500,
                }
            }

            /// The reason of `google.rpc.ErrorInfo`.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    #(Self::#variants => #names,)*
                    Self::Unspecified => "UNSPECIFIED",
                }
            }

            /// The `code` of a REST error.
            #[must_use]
            pub fn machine_code(self) -> &'static str {
                match self {
                    #(Self::#variants => #machine,)*
                    Self::Unspecified => "unspecified",
                }
            }

            /// The text where an error brings none of its own.
            #[must_use]
            pub fn message(self) -> &'static str {
                match self {
                    #(Self::#variants => #messages,)*
                    Self::Unspecified => "",
                }
            }

            /// The reason that `as_str` writes like this.
            #[must_use]
            pub fn from_reason(reason: &str) -> Option<Self> {
                match reason {
                    #(#names => Some(Self::#variants),)*
                    _ => None,
                }
            }
        }
    })
}
