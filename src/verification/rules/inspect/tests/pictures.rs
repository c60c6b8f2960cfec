use ::png::{BitDepth, ColorType, Encoder};
use jpeg_encoder::ColorType as JpegColor;
use miniz_oxide::deflate::compress_to_vec_zlib;

use super::*;

/// Grey from black to white.
fn gradient(width: u16, height: u16) -> Vec<u8> {
    let row = (0..u32::from(width)).map(|column| (column * 255 / u32::from(width)) as u8);
    row.cycle().take(usize::from(width) * usize::from(height)).collect()
}

pub(super) fn jpeg(width: u16, height: u16, progressive: bool) -> Vec<u8> {
    jpeg_of(&gradient(width, height), width, height, progressive)
}

fn jpeg_of(pixels: &[u8], width: u16, height: u16, progressive: bool) -> Vec<u8> {
    encode(pixels, (width, height), JpegColor::Luma, progressive)
}

fn encode(pixels: &[u8], (width, height): (u16, u16), colors: JpegColor, progressive: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 60);
    encoder.set_progressive(progressive);
    encoder.encode(pixels, width, height, colors).expect("a picture");
    bytes
}

pub(super) fn png(width: u16, height: u16) -> Vec<u8> {
    png_of(&gradient(width, height), width, height)
}

fn png_of(pixels: &[u8], width: u16, height: u16) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, width.into(), height.into());
    encoder.set_color(ColorType::Grayscale);
    encoder.set_depth(BitDepth::Eight);
    encoder.write_header().and_then(|mut writer| writer.write_image_data(pixels)).expect("a picture");
    bytes
}

/// A chunk of a PNG, with its checksum.
fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut crc = u32::MAX;
    for byte in kind.iter().chain(data) {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ (0xEDB8_8320 * (crc & 1));
        }
    }
    let length = u32::try_from(data.len()).expect("short").to_be_bytes();
    [length.as_slice(), kind, data, &(!crc).to_be_bytes()].concat()
}

/// A PNG of its header, one piece of data, whatever it is, and another chunk before it.
fn raw_png(width: u32, height: u32, before: &[u8], data: &[u8]) -> Vec<u8> {
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 0, 0, 0, 0]].concat();
    let signature = b"\x89PNG\r\n\x1a\n".to_vec();
    [signature, chunk(b"IHDR", &header), before.to_vec(), chunk(b"IDAT", data), chunk(b"IEND", b"")].concat()
}

#[test]
fn good_pictures_have_no_defects() {
    assert_eq!(defects(MediaType::Jpeg, &jpeg(240, 200, false)), []);
    assert_eq!(defects(MediaType::Jpeg, &jpeg(240, 200, true)), []);
    assert_eq!(defects(MediaType::Png, &png(240, 200)), []);
}

/// A good picture in a colour space of some number of channels.
fn colored(colors: JpegColor, channels: usize, progressive: bool) -> Vec<u8> {
    let pixels: Vec<u8> = gradient(240, 200).into_iter().flat_map(|grey| vec![grey; channels]).collect();
    encode(&pixels, (240, 200), colors, progressive)
}

#[test]
fn pictures_in_color_are_decoded() {
    for progressive in [false, true] {
        assert_eq!(defects(MediaType::Jpeg, &colored(JpegColor::Rgb, 3, progressive)), []);
        assert_eq!(defects(MediaType::Jpeg, &colored(JpegColor::CmykAsYcck, 4, progressive)), []);
    }
    assert_eq!(defects(MediaType::Jpeg, &colored(JpegColor::Cmyk, 4, false)), []);
}

#[test]
fn a_picture_that_the_decoder_is_known_to_fail_on_is_not_held_against_it() {
    assert_eq!(defects(MediaType::Jpeg, &colored(JpegColor::Cmyk, 4, true)), [Defect::UnknownKind]);
}

#[test]
fn a_picture_of_one_colour_shows_nothing() {
    let white = vec![250; 240 * 200];
    assert_eq!(defects(MediaType::Jpeg, &jpeg_of(&white, 240, 200, false)), [Defect::Blank]);
    assert_eq!(defects(MediaType::Png, &png_of(&white, 240, 200)), [Defect::Blank]);
}

#[test]
fn a_stamp_is_too_small() {
    assert_eq!(defects(MediaType::Jpeg, &jpeg(240, 199, false)), [Defect::TooSmall]);
    assert_eq!(defects(MediaType::Png, &png(100, 240)), [Defect::TooSmall]);
}

#[test]
fn a_picture_without_its_end_is_cut_off_and_one_without_anything_to_show_truncated() {
    let whole = jpeg(240, 200, false);
    assert_eq!(defects(MediaType::Jpeg, &whole[..whole.len() - 40]), [Defect::CutOff]);
    let scan = whole.windows(2).position(|pair| pair == [0xFF, 0xDA]).expect("a scan");
    assert_eq!(defects(MediaType::Jpeg, &whole[..scan]), [Defect::Truncated]);
    let whole = png(240, 200);
    assert_eq!(defects(MediaType::Png, &whole[..whole.len() - 12]), [Defect::CutOff]);
    assert_eq!(defects(MediaType::Png, &whole[..40]), [Defect::Truncated]);
}

#[test]
fn a_png_whose_data_were_changed_is_damaged() {
    let mut bytes = png(240, 200);
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xFF;
    assert_eq!(defects(MediaType::Png, &bytes), [Defect::Damaged]);
}

#[test]
fn a_header_that_promises_too_many_pixels_is_not_believed() {
    let bomb = raw_png(100_000, 100_000, b"", &compress_to_vec_zlib(&vec![0; 1 << 20], 9));
    assert_eq!(defects(MediaType::Png, &bomb), [Defect::TooManyPixels]);
    let mut bytes = jpeg(240, 200, false);
    let frame = bytes.windows(2).position(|pair| pair == [0xFF, 0xC0]).expect("a frame");
    bytes[frame + 5..frame + 9].copy_from_slice(&[0xFF; 4]);
    assert_eq!(defects(MediaType::Jpeg, &bytes), [Defect::TooManyPixels]);
}

#[test]
fn data_that_inflate_to_more_than_the_picture_are_cut_off() {
    let bomb = raw_png(240, 200, b"", &compress_to_vec_zlib(&vec![7; 64 << 20], 9));
    let found = defects(MediaType::Png, &bomb);
    assert!(found.iter().all(|defect| matches!(defect, Defect::Undecodable | Defect::Blank)), "{found:?}");
}

#[test]
fn a_text_that_inflates_without_end_is_passed_over() {
    let text = [b"note\0\0".to_vec(), compress_to_vec_zlib(&vec![b'a'; 64 << 20], 9)].concat();
    let rows: Vec<u8> = gradient(240, 200).chunks(240).flat_map(|row| [&[0], row].concat()).collect();
    let picture = raw_png(240, 200, &chunk(b"zTXt", &text), &compress_to_vec_zlib(&rows, 6));
    assert_eq!(defects(MediaType::Png, &picture), []);
}

#[test]
fn more_scans_than_any_encoder_writes_are_too_complex() {
    let bytes = jpeg(240, 200, true);
    let start = bytes.windows(2).position(|pair| pair == [0xFF, 0xDA]).expect("a scan");
    let end = start + 2 + bytes[start + 2..].windows(2).position(|pair| pair == [0xFF, 0xDA]).expect("another");
    let scans = bytes[start..end].repeat(100);
    let bomb = [&bytes[..start], &scans, b"\xFF\xD9"].concat();
    assert_eq!(defects(MediaType::Jpeg, &bomb), [Defect::TooComplex]);
}

#[test]
fn a_picture_with_an_archive_behind_it_is_a_polyglot() {
    let bytes = [jpeg(240, 200, false), zip()].concat();
    assert_eq!(defects(MediaType::Jpeg, &bytes), [Defect::Polyglot]);
    let bytes = [png(240, 200), zip()].concat();
    assert_eq!(defects(MediaType::Png, &bytes), [Defect::Polyglot, Defect::TrailingData]);
    let bytes = [jpeg(240, 200, false), b"<SCRIPT>".to_vec()].concat();
    assert_eq!(defects(MediaType::Jpeg, &bytes), [Defect::Polyglot]);
}

#[test]
fn what_a_telephone_puts_behind_a_picture_is_no_defect() {
    let bytes = [jpeg(240, 200, false), jpeg(120, 100, false), b"SEFT".to_vec()].concat();
    assert_eq!(defects(MediaType::Jpeg, &bytes), []);
}
