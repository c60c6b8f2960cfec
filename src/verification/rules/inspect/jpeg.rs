//! JPEG (ITU-T T.81): a walk over the markers, then the decoder.

use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::shade::Shades;
use super::{MAX_PIXELS, fits, polyglot, undecodable};
use crate::domain::checks::{Defect, Inspection};

/// The most pixels of a picture that arrives in several scans: all its coefficients, six bytes a pixel, are held until
/// the last.
const MAX_PIXELS_IN_SCANS: u64 = 16_000_000;

/// The most scans. Encoders write about ten; each costs a pass over all pixels, however few bytes it has.
const MAX_SCANS: usize = 64;

/// The most bytes of a decoded picture.
const MAX_OUTPUT: usize = MAX_PIXELS as usize;

/// What the markers say.
struct Markers {
    size: Option<(u32, u32)>,
    scans: usize,
    /// Where the picture ends; none where it does not.
    end: Option<usize>,
}

pub(super) fn inspect(bytes: &[u8]) -> Inspection {
    let mut inspection = Inspection::default();
    let markers = walk(bytes);
    // What telephones put behind the picture (a second picture, a film) is theirs to put there.
    let trailing = markers.end.map_or(&[][..], |end| &bytes[end..]);
    if polyglot::is_zip(bytes) || polyglot::hides_another(trailing) {
        inspection.add(Defect::Polyglot);
    }
    let Some((width, height)) = markers.size else { return undecodable(bytes) };
    if markers.end.is_none() {
        inspection.add(Defect::Truncated);
        return inspection;
    }
    if markers.scans > MAX_SCANS {
        inspection.add(Defect::TooComplex);
        return inspection;
    }
    let most = if markers.scans > 1 { MAX_PIXELS_IN_SCANS } else { MAX_PIXELS };
    if !fits(width, height, most, &mut inspection) {
        return inspection;
    }
    match decode(bytes) {
        Ok(true) => inspection.add(Defect::Blank),
        Ok(false) => {}
        Err(defect) => inspection.add(defect),
    }
    inspection
}

/// Decodes the picture, and tells whether it is blank.
fn decode(bytes: &[u8]) -> Result<bool, Defect> {
    let options = DecoderOptions::default()
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .jpeg_set_max_scans(MAX_SCANS);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(|error| match error {
        // Kinds of JPEG that few programs write and this decoder does not know are for a human to open.
        DecodeErrors::Unsupported(_) => Defect::TooComplex,
        _ => Defect::Undecodable,
    })?;
    // Brightness alone takes a third of the memory of colours; the decoder has it of the usual colour space only.
    // It fails on some good pictures in others, so that its failure there says nothing.
    let (colors, failure) = match decoder.input_colorspace() {
        Some(ColorSpace::YCbCr | ColorSpace::Luma) => (ColorSpace::Luma, Defect::Undecodable),
        _ => (ColorSpace::RGB, Defect::TooComplex),
    };
    decoder.set_options(options.jpeg_set_out_colorspace(colors));
    let room = decoder.output_buffer_size().ok_or(Defect::Undecodable)?;
    if room > MAX_OUTPUT {
        return Err(Defect::TooManyPixels);
    }
    let samples = decoder.decode().map_err(|_| failure)?;
    let mut shades = Shades::new(colors.num_components());
    shades.add(&samples);
    Ok(shades.is_blank())
}

/// Goes from marker to marker until the end of the picture or of the bytes.
fn walk(bytes: &[u8]) -> Markers {
    let mut markers = Markers { size: None, scans: 0, end: None };
    let mut at = 2;
    while let Some(code) = next_marker(bytes, &mut at) {
        match code {
            0xD9 => {
                markers.end = Some(at);
                return markers;
            }
            // Stuffing, restarts, temporary and start markers have no length.
            0x00 | 0x01 | 0xD0..=0xD8 => continue,
            0xDA => markers.scans += 1,
            _ => {}
        }
        let Some(length) = big_endian(bytes, at).filter(|length| *length >= 2) else { return markers };
        // Frame headers, less the tables and the extension that have codes among them.
        if matches!(code, 0xC0..=0xCF) && !matches!(code, 0xC4 | 0xC8 | 0xCC) && markers.size.is_none() {
            markers.size = big_endian(bytes, at + 5).zip(big_endian(bytes, at + 3));
        }
        at += length as usize;
    }
    markers
}

/// The code of the next marker, and in `at` the place behind it.
fn next_marker(bytes: &[u8], at: &mut usize) -> Option<u8> {
    let rest = bytes.get(*at..)?;
    let start = rest.windows(2).position(|pair| pair[0] == 0xFF && pair[1] != 0xFF)?;
    *at += start + 2;
    Some(rest[start + 1])
}

fn big_endian(bytes: &[u8], at: usize) -> Option<u32> {
    let pair = bytes.get(at..at + 2)?;
    Some(u32::from(pair[0]) << 8 | u32::from(pair[1]))
}
