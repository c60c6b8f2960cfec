//! A look into a file from outside: does it decode, is it what it says, is it fit to be a document's picture.
//!
//! The file is hostile until shown otherwise. What it may cost is bounded before anything is allocated for it: pixels,
//! decoded bytes, objects, nesting, and steps of work in place of a clock, so that the same file always has the same
//! result. What goes over a limit is a finding.
//!
//! Pictures are decoded by `png` (row by row) and `zune-jpeg`, the decoders beneath the crate `image`, without the
//! rest of it: decoding straight through them, neither holds more than it must. PDFs are walked by our own parser: the
//! common libraries build the whole document in memory and inflate streams without a limit.

mod jpeg;
mod pdf;
mod png;
mod polyglot;
mod shade;
#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::contract::v1::MediaType;
use crate::domain::checks::{Defect, Inspection};

/// The most pixels of a picture that is decoded row by row: above every telephone's usual picture.
const MAX_PIXELS: u64 = 64_000_000;

/// The shorter side under which no document can be read, in pixels.
const MIN_SIDE: u32 = 200;

/// Inspects a file. It takes up to seconds for the worst of files and about 100 MiB: run it away from async threads.
///
/// Never panics: a decoder that does has met a file of a kind that it does not know.
#[must_use]
pub fn inspect(media_type: MediaType, bytes: &[u8]) -> Inspection {
    let look = match media_type {
        MediaType::Jpeg => jpeg::inspect,
        MediaType::Png => png::inspect,
        MediaType::Pdf => pdf::inspect,
        MediaType::Unspecified => undecodable,
    };
    let unknown = || Inspection { defects: vec![Defect::UnknownKind] };
    catch_unwind(AssertUnwindSafe(|| look(bytes))).unwrap_or_else(|_| unknown())
}

fn undecodable(_: &[u8]) -> Inspection {
    Inspection { defects: vec![Defect::Undecodable] }
}

/// Records the size of a picture, and returns whether it is worth decoding.
fn fits(width: u32, height: u32, most: u64, inspection: &mut Inspection) -> bool {
    if width.min(height) < MIN_SIDE {
        inspection.add(Defect::TooSmall);
    }
    let too_many = u64::from(width) * u64::from(height) > most;
    if too_many {
        inspection.add(Defect::TooManyPixels);
    }
    !too_many
}
