//! JSON of the documented shapes, straight into and out of the generated messages.
//!
//! A body is read once. Wrong values do not stop the reading: each is recorded with its path, so that one answer lists
//! every problem; only a body that is no JSON at all stops it. Strings are borrowed from the body, so that a file is
//! decoded from where it arrived.

mod containers;
mod object;
mod read;
mod scalar;
mod well_known;
mod write;

// For generated code.
#[doc(hidden)]
pub use serde::de::{Deserializer, MapAccess};

pub use containers::{AloneList, List, Map};
pub use object::{Members, Object, Union, read_object, read_union};
pub use read::{Body, FromJson, MAX_DEPTH, MAX_VALUES, Reader, read, read_as};
pub(crate) use scalar::unlisted_value;
pub use scalar::{
    Base64, Discriminator, Enum, JsonEnum, Scalar, ScalarError, Token, data_uri, expected_values, write_data_uri,
};
pub use write::{ToJson, Writer, to_vec, to_vec_whole};
