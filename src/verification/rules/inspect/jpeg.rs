//! JPEG (ITU-T T.81): a walk over the markers, then the decoder.
//!
//! What shows whether a picture can be opened is the walk: every decoder in use shows what follows a frame header and a
//! scan header, however damaged it is. Our own decoder says whether it is blank; its failures are for a person.

use std::borrow::Cow;

use zune_jpeg::JpegDecoder;
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

/// The segment by which webcams say that their pictures have the usual Huffman tables, and leave them out.
const USUAL_TABLES: &[u8] = b"\xFF\xE0\x00\x07AVI1\0";

/// What the frame header says.
#[derive(Clone, Copy)]
struct Frame {
    code: u8,
    precision: u8,
    width: u32,
    height: u32,
}

impl Frame {
    /// Whether our decoder knows the kind: baseline, extended and progressive, with Huffman coding and eight bits. The
    /// height of a picture may stand behind it.
    const fn is_known(self) -> bool {
        matches!(self.code, 0xC0..=0xC2) && self.precision == 8 && self.height > 0
    }
}

/// What the markers say.
#[derive(Default)]
struct Markers {
    frame: Option<Frame>,
    scans: usize,
    has_huffman_tables: bool,
    /// Whether there are segments that no standard for such pictures has, at which decoders stop.
    has_unknown: bool,
    /// Where the picture ends; none where it does not.
    end: Option<usize>,
}

pub(super) fn inspect(bytes: &[u8]) -> Inspection {
    let mut inspection = Inspection::default();
    let markers = walk(bytes);
    let Some(frame) = markers.frame else { return undecodable(bytes) };
    // What telephones put behind the picture (a second picture, a film) is theirs to put there.
    let trailing = markers.end.map_or(&[][..], |end| &bytes[end..]);
    if polyglot::is_zip(bytes) || polyglot::is_pdf(bytes) || polyglot::follows(trailing) || polyglot::is_within(bytes) {
        inspection.add(Defect::Polyglot);
    }
    if markers.scans == 0 {
        inspection.add(Defect::Truncated);
        return inspection;
    }
    if markers.end.is_none() {
        inspection.add(Defect::CutOff);
    }
    if markers.scans > MAX_SCANS {
        inspection.add(Defect::TooComplex);
        return inspection;
    }
    let most = if markers.scans > 1 { MAX_PIXELS_IN_SCANS } else { MAX_PIXELS };
    if !frame.is_known() || markers.has_unknown {
        inspection.add(Defect::UnknownKind);
        return inspection;
    }
    if !fits(frame.width, frame.height, most, &mut inspection) {
        return inspection;
    }
    let bytes = if markers.has_huffman_tables { Cow::Borrowed(bytes) } else { with_usual_tables(bytes) };
    match decode(&bytes) {
        Ok(true) => inspection.add(Defect::Blank),
        Ok(false) => {}
        Err(defect) => inspection.add(defect),
    }
    inspection
}

fn with_usual_tables(bytes: &[u8]) -> Cow<'_, [u8]> {
    let (start, rest) = bytes.split_at(2);
    Cow::Owned([start, USUAL_TABLES, rest].concat())
}

/// Decodes the picture, and returns whether it is blank.
fn decode(bytes: &[u8]) -> Result<bool, Defect> {
    let options = DecoderOptions::default()
        .set_strict_mode(false)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .jpeg_set_max_scans(MAX_SCANS);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    // Ways of sampling and tables that few programs write, and this decoder does not know.
    decoder.decode_headers().map_err(|_| Defect::UnknownKind)?;
    // Brightness alone takes a third of the memory of colours; the decoder has it of the usual colour space only.
    // It fails on some good pictures in others, so that its failure there says nothing.
    let (colors, failure) = match decoder.input_colorspace() {
        Some(ColorSpace::YCbCr | ColorSpace::Luma) => (ColorSpace::Luma, Defect::Damaged),
        _ => (ColorSpace::RGB, Defect::UnknownKind),
    };
    decoder.set_options(options.jpeg_set_out_colorspace(colors));
    let room = decoder.output_buffer_size().ok_or(Defect::UnknownKind)?;
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
    let mut markers = Markers::default();
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
            0xC4 => markers.has_huffman_tables |= markers.scans == 0,
            // Tables, comments, a height that comes late and data of applications may stand between scans; anything
            // else there is no longer the picture.
            0xCC | 0xDB..=0xDD | 0xE0..=0xEF | 0xFE => {}
            _ if markers.scans > 0 => return markers,
            0x02..=0xBF | 0xF0..=0xFD => markers.has_unknown = true,
            _ => {}
        }
        let Some(length) = big_endian(bytes, at).filter(|length| *length >= 2) else { return markers };
        // Frame headers, less the tables and the extension that have codes among them.
        if matches!(code, 0xC0..=0xCF) && !matches!(code, 0xC4 | 0xC8 | 0xCC) && markers.frame.is_none() {
            markers.frame = frame(code, bytes.get(at + 2..).unwrap_or_default());
        }
        at += length as usize;
    }
    markers
}

fn frame(code: u8, header: &[u8]) -> Option<Frame> {
    Some(Frame {
        code,
        precision: *header.first()?,
        height: big_endian(header, 1)?,
        width: big_endian(header, 3).filter(|width| *width > 0)?,
    })
}

/// The code of the next marker, and in `at` the place behind it.
fn next_marker(bytes: &[u8], at: &mut usize) -> Option<u8> {
    loop {
        *at += memchr::memchr(0xFF, bytes.get(*at..)?)? + 1;
        // Any number of these bytes may stand before the code.
        let code = *bytes.get(*at)?;
        if code != 0xFF {
            *at += 1;
            return Some(code);
        }
    }
}

fn big_endian(bytes: &[u8], at: usize) -> Option<u32> {
    let pair = bytes.get(at..at + 2)?;
    Some(u32::from(pair[0]) << 8 | u32::from(pair[1]))
}
