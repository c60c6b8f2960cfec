//! PNG (W3C Portable Network Graphics), decoded row by row.

use std::io::Cursor;

use png::{Decoder, DecodingError, Limits, Transformations};

use super::shade::Shades;
use super::{MAX_PIXELS, fits, polyglot};
use crate::domain::checks::{Defect, Inspection};

/// The most bytes that the decoder may allocate for one row and its tables.
const MAX_ALLOCATION: usize = 16 << 20;

/// The last chunk, whole.
const END: &[u8] = b"\0\0\0\0IEND\xAE\x42\x60\x82";

pub(super) fn inspect(bytes: &[u8]) -> Inspection {
    let mut inspection = Inspection::default();
    if let Some(trailing) = after_end(bytes) {
        if polyglot::hides_another(trailing) {
            inspection.add(Defect::Polyglot);
        }
        if !trailing.is_empty() {
            inspection.add(Defect::TrailingData);
        }
    }
    if polyglot::is_zip(bytes) {
        inspection.add(Defect::Polyglot);
    }
    if let Err(error) = decode(bytes, &mut inspection) {
        inspection.add(match error {
            DecodingError::IoError(_) => Defect::Truncated,
            DecodingError::LimitsExceeded => Defect::TooComplex,
            DecodingError::Format(_) | DecodingError::Parameter(_) => Defect::Undecodable,
        });
    }
    inspection
}

fn decode(bytes: &[u8], inspection: &mut Inspection) -> Result<(), DecodingError> {
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), Limits { bytes: MAX_ALLOCATION });
    // Compressed texts and colour profiles are nothing to look at, and may be bombs.
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder.set_transformations(Transformations::normalize_to_color8());
    let header = decoder.read_header_info()?;
    if !fits(header.width, header.height, MAX_PIXELS, inspection) {
        return Ok(());
    }
    let mut reader = decoder.read_info()?;
    let mut shades = Shades::new(reader.output_color_type().0.samples());
    while let Some(row) = reader.next_row()? {
        shades.add(row.data());
    }
    reader.finish()?;
    if shades.is_blank() {
        inspection.add(Defect::Blank);
    }
    Ok(())
}

/// What follows the last chunk, found by going from chunk to chunk; none where there is no last chunk.
fn after_end(bytes: &[u8]) -> Option<&[u8]> {
    let mut at = 8_usize;
    loop {
        let chunk = bytes.get(at..)?;
        if let Some(trailing) = chunk.strip_prefix(END) {
            return Some(trailing);
        }
        let length: [u8; 4] = chunk.get(..4)?.try_into().ok()?;
        // Length, type and checksum are four bytes each.
        at = at.checked_add(u32::from_be_bytes(length) as usize)?.checked_add(12)?;
    }
}
