//! Files that are of two formats at once.
//!
//! A telephone's picture has megabytes of film behind it, in which any few bytes turn up by chance. What counts as
//! another format is therefore its start in its exact bytes together with what must follow it: that never happens by
//! chance, and no program opens the file as that format without it.

use memchr::{memchr_iter, memmem};

/// The bytes of a ZIP archive's last record without its comment (APPNOTE.TXT 4.3.16).
const ZIP_END: usize = 22;

/// The bytes of the record that, just before the last one, leads to the end of a large archive (4.3.15).
const ZIP64_LOCATOR: usize = 20;

/// The bytes of an entry's header without its name (4.3.7).
const ZIP_ENTRY: usize = 30;

/// How far PDF readers look for the header.
const PDF_HEADER: usize = 1024;

/// Starts that are long enough to be no chance: RAR, 7-Zip, OLE documents, programs of Apple's systems.
const LONG_SIGNATURES: [&[u8]; 6] = [
    b"Rar!\x1A\x07\x00",
    b"Rar!\x1A\x07\x01\x00",
    b"7z\xBC\xAF\x27\x1C\x00",
    b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1",
    b"\xCF\xFA\xED\xFE\x07\x00\x00\x01",
    b"\xCF\xFA\xED\xFE\x0C\x00\x00\x01",
];

/// Whether programs take the whole file for a ZIP archive: they look for its last record in the last 64 KiB, and from
/// there for the list of its entries.
pub(super) fn is_zip(bytes: &[u8]) -> bool {
    let from = bytes.len().saturating_sub(ZIP_END + usize::from(u16::MAX));
    memmem::find_iter(&bytes[from..], b"PK\x05\x06").any(|at| is_zip_end(bytes, from + at))
}

fn is_zip_end(bytes: &[u8], at: usize) -> bool {
    let Some(record) = bytes.get(at..at + ZIP_END) else { return false };
    let short = |at: usize| usize::from(u16::from_le_bytes([record[at], record[at + 1]]));
    let (entries, comment) = (short(10), short(20));
    let size = u32::from_le_bytes([record[12], record[13], record[14], record[15]]);
    let starts = |at: Option<usize>, sign: &[u8]| at.is_some_and(|at| bytes[at..].starts_with(sign));
    let is_empty = entries == 0 && size == 0 && at + ZIP_END + comment == bytes.len();
    is_empty
        || starts(at.checked_sub(size as usize).filter(|_| size > 0), b"PK\x01\x02")
        || starts(at.checked_sub(ZIP64_LOCATOR), b"PK\x06\x07")
}

/// Whether a picture is also a document: PDF readers look for the header in the first bytes of a file.
pub(super) fn is_pdf(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(PDF_HEADER)];
    memmem::find_iter(head, b"%PDF-").any(|at| is_pdf_start(&bytes[at..]))
}

/// Whether another format begins right behind a file's own end, where a server or browser may take it for text.
pub(super) fn follows(trailing: &[u8]) -> bool {
    let text = trailing.trim_ascii_start();
    ["<!doctype html", "<html", "<script", "<svg", "<?php"].iter().any(|tag| is_tag(text, tag))
}

/// Whether another format begins somewhere in the bytes and goes on as it must.
pub(super) fn is_within(bytes: &[u8]) -> bool {
    LONG_SIGNATURES.iter().any(|sign| memmem::find(bytes, sign).is_some())
        || memmem::find_iter(bytes, b"PK\x03\x04").any(|at| is_zip_entry(&bytes[at..]))
        || ends_as_pdf(bytes) && memmem::find_iter(bytes, b"%PDF-").any(|at| is_pdf_start(&bytes[at..]))
        || memmem::find_iter(bytes, b"MZ").any(|at| is_windows_program(&bytes[at..]))
        || memmem::find_iter(bytes, b"\x7FELF").any(|at| is_linux_program(&bytes[at..]))
        || has_script(bytes)
}

fn is_zip_entry(bytes: &[u8]) -> bool {
    let Some(header) = bytes.get(..ZIP_ENTRY) else { return false };
    let short = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
    let name = bytes.get(ZIP_ENTRY..ZIP_ENTRY + usize::from(short(26))).unwrap_or_default();
    // Versions are written without the dot; the methods are those in use (4.4.5).
    short(4) <= 63
        && matches!(short(8), 0 | 8 | 9 | 12 | 14 | 93 | 95 | 99)
        && (1..256).contains(&name.len())
        && std::str::from_utf8(name).is_ok_and(|name| !name.chars().any(char::is_control))
}

/// `%PDF-1.7` and the end of the line.
fn is_pdf_start(bytes: &[u8]) -> bool {
    let version = bytes.get(5..9).unwrap_or_default();
    // Objects follow at once; looking further from each of many headers would cost the square of the size.
    let near = &bytes[..bytes.len().min(PDF_HEADER)];
    matches!(version, [b'0'..=b'9', b'.', b'0'..=b'9', b'\r' | b'\n' | b' ']) && memmem::find(near, b" obj").is_some()
}

fn ends_as_pdf(bytes: &[u8]) -> bool {
    memmem::rfind(bytes, b"startxref").is_some() || memmem::rfind(bytes, b"trailer").is_some()
}

/// The header of DOS leads to that of Windows.
fn is_windows_program(bytes: &[u8]) -> bool {
    let Some(&[a, b, c, d]) = bytes.get(0x3C..0x40) else { return false };
    let at = u32::from_le_bytes([a, b, c, d]) as usize;
    at >= 0x40 && bytes.get(at..).is_some_and(|header| header.starts_with(b"PE\0\0"))
}

/// Class, byte order, version, and padding that must be zero.
fn is_linux_program(bytes: &[u8]) -> bool {
    matches!(bytes.get(4..16), Some([1 | 2, 1 | 2, 1, _, _, 0, 0, 0, 0, 0, 0, 0]))
}

/// A script or page with its beginning and its end, or code for a server.
fn has_script(bytes: &[u8]) -> bool {
    const PAIRS: [(&str, &str); 3] = [("<script", "</script"), ("<html", "</html"), ("<svg", "</svg")];
    let mut opened = [false; PAIRS.len()];
    memchr_iter(b'<', bytes).any(|at| {
        let rest = &bytes[at..];
        for (opened, (start, _)) in opened.iter_mut().zip(PAIRS) {
            *opened |= is_tag(rest, start);
        }
        let closes = opened.iter().zip(PAIRS).any(|(opened, (_, end))| *opened && is_tag(rest, end));
        closes || is_tag(rest, "<?php")
    })
}

/// Whether the bytes begin with a tag: its name, in any case, and what may follow a name.
fn is_tag(bytes: &[u8], tag: &str) -> bool {
    let (name, behind) = bytes.split_at_checked(tag.len()).unwrap_or_default();
    name.eq_ignore_ascii_case(tag.as_bytes())
        && matches!(behind.first(), Some(b' ' | b'\t' | b'\r' | b'\n' | b'>' | b'/'))
}
