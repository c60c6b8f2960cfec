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

/// The offset of the type of the first chunk.
const FIRST_CHUNK: std::ops::Range<usize> = 12..16;

/// What decoding came to.
enum Decoded {
    /// Every row, and the end.
    Whole,
    /// Not every row, or no end.
    Failed { rows: usize, error: DecodingError },
}

pub(super) fn inspect(bytes: &[u8]) -> Inspection {
    let mut inspection = Inspection::default();
    let trailing = after_end(bytes).unwrap_or_default();
    // Mail and version control programs add the end of a line.
    if !trailing.iter().all(|byte| matches!(byte, 0 | b'\t' | b'\r' | b'\n' | b' ')) {
        inspection.add(Defect::TrailingData);
    }
    if polyglot::is_zip(bytes) || polyglot::is_pdf(bytes) || polyglot::follows(trailing) || polyglot::is_within(bytes) {
        inspection.add(Defect::Polyglot);
    }
    // Apple's own kind, in which applications for its telephones carry their pictures: only its programs show it.
    if bytes.get(FIRST_CHUNK) == Some(b"CgBI") {
        inspection.add(Defect::UnknownKind);
        return inspection;
    }
    if let Decoded::Failed { rows, error } = decode(bytes, true, &mut inspection) {
        let defect = defect_of(bytes, rows, &error, &mut inspection);
        inspection.add(defect);
    }
    inspection
}

/// What a picture that could not be decoded is: impossible only where not a row of it can be shown.
fn defect_of(bytes: &[u8], rows: usize, error: &DecodingError, inspection: &mut Inspection) -> Defect {
    match error {
        DecodingError::LimitsExceeded => Defect::TooComplex,
        DecodingError::IoError(_) if rows > 0 => Defect::CutOff,
        DecodingError::IoError(_) => Defect::Truncated,
        DecodingError::Format(_) | DecodingError::Parameter(_) => match decode(bytes, false, inspection) {
            // Wrong checksums alone: what is there may well be right.
            Decoded::Whole => Defect::Damaged,
            Decoded::Failed { rows: more, .. } if rows.max(more) > 0 => Defect::Damaged,
            Decoded::Failed { .. } => Defect::Undecodable,
        },
    }
}

fn decode(bytes: &[u8], check_sums: bool, inspection: &mut Inspection) -> Decoded {
    let mut rows = 0;
    match try_decode(bytes, check_sums, &mut rows, inspection) {
        Ok(()) => Decoded::Whole,
        Err(error) => Decoded::Failed { rows, error },
    }
}

fn try_decode(
    bytes: &[u8],
    check_sums: bool,
    rows: &mut usize,
    inspection: &mut Inspection,
) -> Result<(), DecodingError> {
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), Limits { bytes: MAX_ALLOCATION });
    // Compressed texts and colour profiles are nothing to look at, and may be bombs.
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder.ignore_checksums(!check_sums);
    decoder.set_transformations(Transformations::normalize_to_color8());
    let header = decoder.read_header_info()?;
    if !fits(header.width, header.height, MAX_PIXELS, inspection) {
        return Ok(());
    }
    let mut reader = decoder.read_info()?;
    let mut shades = Shades::new(reader.output_color_type().0.samples());
    while let Some(row) = reader.next_row()? {
        shades.add(row.data());
        *rows += 1;
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
