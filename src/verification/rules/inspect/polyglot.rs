//! Files that are of two formats at once.

/// The bytes of a ZIP archive's last record without its comment (APPNOTE.TXT 4.3.16).
const ZIP_END: usize = 22;

/// What stands at the beginning of other formats that programs look for behind a picture or document.
const SIGNATURES: [&[u8]; 6] = [b"PK\x03\x04", b"%PDF-", b"<html", b"<script", b"<?php", b"MZ\x90\x00"];

/// Whether the bytes end as a ZIP archive does, which makes the whole file one wherever it begins.
pub(super) fn is_zip(bytes: &[u8]) -> bool {
    let from = bytes.len().saturating_sub(ZIP_END + usize::from(u16::MAX));
    bytes[from..].windows(ZIP_END).enumerate().any(|(at, record)| {
        let comment = usize::from(u16::from_le_bytes([record[20], record[21]]));
        record.starts_with(b"PK\x05\x06") && from + at + ZIP_END + comment == bytes.len()
    })
}

/// Whether another format begins in what follows a file's own end.
pub(super) fn hides_another(trailing: &[u8]) -> bool {
    (0..trailing.len()).any(|at| {
        let rest = &trailing[at..];
        SIGNATURES.iter().any(|sign| rest.get(..sign.len()).is_some_and(|start| start.eq_ignore_ascii_case(sign)))
    })
}
