//! Bounds what a gRPC message can cost to decode.
//!
//! An element of three bytes on the wire may become hundreds in memory, so that the size of a message says little about
//! the memory it takes. The wire is walked once before it is decoded, and a message of too many parts is refused. The
//! JSON reader has the same bound ([`crate::json::MAX_VALUES`]).

use std::marker::PhantomData;

use bytes::{Buf, Bytes};
use prost::Message;
use prost::encoding::{WireType, decode_key, decode_varint};
use prost_types::{ListValue, Struct, Value};
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder};
use tonic_prost::ProstEncoder;

use crate::error::{ErrorReason, status};
use crate::json::MAX_VALUES;

/// Nesting that is looked into; prost itself refuses what is deeper.
const MAX_DEPTH: u32 = 100;

/// A message whose parts can be counted on the wire. The generator implements it.
pub trait Parts {
    /// How the parts within a field are counted; `None` for a field whose memory is about its size on the wire.
    fn within(field: u32) -> Option<CountParts>;
}

/// Counts the parts of a value into the budget; false when it is used up.
pub type CountParts = fn(wire: &mut Bytes, budget: &mut Budget) -> bool;

/// How many parts, and how deep, a message may still be.
#[derive(Debug)]
pub struct Budget {
    parts: u32,
    depth: u32,
}

impl Budget {
    fn new() -> Self {
        Self { parts: MAX_VALUES, depth: MAX_DEPTH }
    }
}

/// A part without parts of its own: an element of a list of texts.
pub fn leaf(_: &mut Bytes, _: &mut Budget) -> bool {
    true
}

/// Counts the parts of a message. A wire that is malformed is left to the decoder, which says so.
pub fn message<T: Parts>(wire: &mut Bytes, budget: &mut Budget) -> bool {
    let Some(depth) = budget.depth.checked_sub(1) else { return true };
    budget.depth = depth;
    while wire.has_remaining() {
        let Ok((field, wire_type)) = decode_key(wire) else { break };
        let length = match wire_type {
            WireType::Varint => match decode_varint(wire) {
                Ok(_) => continue,
                Err(_) => break,
            },
            WireType::SixtyFourBit => 8,
            WireType::ThirtyTwoBit => 4,
            WireType::LengthDelimited => match decode_varint(wire) {
                Ok(length) => usize::try_from(length).unwrap_or(usize::MAX),
                Err(_) => break,
            },
            WireType::StartGroup | WireType::EndGroup => break,
        };
        if length > wire.remaining() {
            break;
        }
        let mut value = wire.split_to(length);
        if wire_type == WireType::LengthDelimited
            && let Some(count) = T::within(field)
        {
            let Some(parts) = budget.parts.checked_sub(1) else { return false };
            budget.parts = parts;
            if !count(&mut value, budget) {
                return false;
            }
        }
    }
    budget.depth += 1;
    true
}

/// The entry of a map with texts as keys.
#[derive(Debug)]
pub struct Entry<V>(PhantomData<V>);

impl<V: Parts> Parts for Entry<V> {
    fn within(field: u32) -> Option<CountParts> {
        (field == 2).then_some(message::<V>)
    }
}

impl Parts for () {
    fn within(_: u32) -> Option<CountParts> {
        None
    }
}

impl Parts for Struct {
    fn within(field: u32) -> Option<CountParts> {
        (field == 1).then_some(message::<Entry<Value>>)
    }
}

impl Parts for ListValue {
    fn within(field: u32) -> Option<CountParts> {
        (field == 1).then_some(message::<Value>)
    }
}

impl Parts for Value {
    fn within(field: u32) -> Option<CountParts> {
        match field {
            5 => Some(message::<Struct>),
            6 => Some(message::<ListValue>),
            _ => None,
        }
    }
}

/// The codec of our servers: prost's, behind the bound.
#[derive(Clone, Debug)]
pub struct BoundedCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for BoundedCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for BoundedCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Parts + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = BoundedDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::default()
    }

    fn decoder(&mut self) -> Self::Decoder {
        BoundedDecoder(PhantomData)
    }
}

/// Decodes messages that are not out of proportion.
#[derive(Clone, Debug)]
pub struct BoundedDecoder<U>(PhantomData<U>);

impl<U: Message + Default + Parts> Decoder for BoundedDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, source: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        decode(source.copy_to_bytes(source.remaining())).map(Some)
    }
}

fn decode<U: Message + Default + Parts>(wire: Bytes) -> Result<U, Status> {
    // A handle to the same bytes, not a copy.
    if !message::<U>(&mut wire.clone(), &mut Budget::new()) {
        return Err(status(ErrorReason::PayloadTooLarge, format!("The message has more than {MAX_VALUES} parts")));
    }
    U::decode(wire).map_err(|error| Status::internal(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, PartialEq, Message)]
    struct Tree {
        #[prost(message, repeated, tag = "1")]
        branches: Vec<Tree>,
        #[prost(string, tag = "2")]
        name: String,
    }

    impl Parts for Tree {
        fn within(field: u32) -> Option<CountParts> {
            (field == 1).then_some(message::<Tree>)
        }
    }

    #[test]
    fn a_message_of_ordinary_size_is_decoded_as_prost_does() {
        let tree =
            Tree { branches: vec![Tree { name: "leaf".to_owned(), ..Tree::default() }; 1_000], ..Tree::default() };
        assert_eq!(decode::<Tree>(tree.encode_to_vec().into()).ok(), Some(tree));
    }

    #[test]
    fn a_message_of_very_many_empty_elements_is_refused_before_it_is_decoded() {
        let wire: Vec<u8> = [0x0a, 0].repeat(MAX_VALUES as usize + 1);
        let status = decode::<Tree>(wire.into()).expect_err("too many parts");
        assert_eq!(status.code(), tonic::Code::ResourceExhausted);
    }

    #[test]
    fn a_message_that_nests_without_end_is_left_to_prost_which_refuses_it() {
        let mut wire = Vec::new();
        for _ in 0..10_000 {
            let mut outer = vec![0x0a];
            prost::encoding::encode_varint(wire.len() as u64, &mut outer);
            outer.extend(&wire);
            wire = outer;
        }
        assert_eq!(decode::<Tree>(wire.into()).expect_err("too deep").code(), tonic::Code::Internal);
    }

    #[test]
    fn a_malformed_message_is_left_to_prost_which_refuses_it() {
        for wire in [&[0x0a, 0xff][..], &[0xff; 20], &[0x0b], &[0x0a, 5, 1]] {
            let wire = Bytes::copy_from_slice(wire);
            assert_eq!(decode::<Tree>(wire).expect_err("malformed").code(), tonic::Code::Internal);
        }
    }
}
