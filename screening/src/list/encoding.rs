//! Lists in UTF-8, UTF-16, Latin-1 and Windows-1252 as UTF-8.

use std::io::{self, BufRead, Read};

/// What a list is written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// UTF-8. Bytes that are not are taken for Windows-1252 and counted.
    #[default]
    Utf8,
    /// UTF-16, little end first.
    Utf16Le,
    /// UTF-16, big end first.
    Utf16Be,
    /// Windows-1252, of which Latin-1 is a part; declared by an XML file.
    Windows1252,
}

/// How much is read at once.
const CHUNK: usize = 64 << 10;
/// Where an XML declaration says the encoding.
const DECLARATION: usize = 200;

/// Reads any of the encodings as UTF-8.
pub(crate) struct Utf8<R> {
    input: R,
    encoding: Option<Encoding>,
    /// Bytes of an incomplete character.
    carry: Vec<u8>,
    out: Vec<u8>,
    at: usize,
    lines: u64,
    repaired: u64,
}

impl<R: Read> Utf8<R> {
    pub(crate) const fn new(input: R) -> Self {
        Self { input, encoding: None, carry: Vec::new(), out: Vec::new(), at: 0, lines: 0, repaired: 0 }
    }

    pub(crate) fn encoding(&self) -> Encoding {
        self.encoding.unwrap_or_default()
    }

    /// Bytes that were not UTF-8 where it was expected.
    pub(crate) const fn repaired(&self) -> u64 {
        self.repaired
    }

    /// Line ends that were consumed.
    pub(crate) const fn lines(&self) -> u64 {
        self.lines
    }

    fn refill(&mut self) -> io::Result<()> {
        while self.at == self.out.len() {
            self.out.clear();
            self.at = 0;
            let mut bytes = std::mem::take(&mut self.carry);
            let before = bytes.len();
            let read = (&mut self.input).take(CHUNK as u64).read_to_end(&mut bytes)?;
            let end = read == 0;
            if bytes.is_empty() || (end && before == 0) {
                return Ok(());
            }
            if self.encoding.is_none() {
                let (encoding, mark) = detect(&bytes);
                self.encoding = Some(encoding);
                bytes.drain(..mark);
            }
            self.convert(bytes, end);
        }
        Ok(())
    }

    fn convert(&mut self, bytes: Vec<u8>, end: bool) {
        match self.encoding() {
            Encoding::Utf8 => self.convert_utf8(&bytes, end),
            Encoding::Windows1252 => bytes.iter().for_each(|byte| push(&mut self.out, windows_1252(*byte))),
            Encoding::Utf16Le => self.convert_utf16(&bytes, end, u16::from_le_bytes),
            Encoding::Utf16Be => self.convert_utf16(&bytes, end, u16::from_be_bytes),
        }
    }

    fn convert_utf8(&mut self, mut bytes: &[u8], end: bool) {
        while let Err(error) = std::str::from_utf8(bytes) {
            let (valid, rest) = bytes.split_at(error.valid_up_to());
            self.out.extend_from_slice(valid);
            let Some(length) = error.error_len().or_else(|| end.then_some(rest.len())) else {
                self.carry = rest.to_vec();
                return;
            };
            self.repaired += length as u64;
            rest[..length].iter().for_each(|byte| push(&mut self.out, windows_1252(*byte)));
            bytes = &rest[length..];
        }
        self.out.extend_from_slice(bytes);
    }

    fn convert_utf16(&mut self, bytes: &[u8], end: bool, unit: fn([u8; 2]) -> u16) {
        let mut units: Vec<u16> = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
        let mut rest = bytes.chunks_exact(2).remainder().to_vec();
        if !end && units.last().is_some_and(|last| (0xd800..0xdc00).contains(last)) {
            units.pop();
            rest = bytes[units.len() * 2..].to_vec();
        }
        for character in char::decode_utf16(units) {
            self.repaired += u64::from(character.is_err());
            push(&mut self.out, character.unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        if end {
            self.repaired += rest.len() as u64;
        } else {
            self.carry = rest;
        }
    }
}

fn push(out: &mut Vec<u8>, character: char) {
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

/// The encoding, and how many bytes its mark takes.
fn detect(bytes: &[u8]) -> (Encoding, usize) {
    match bytes {
        [0xef, 0xbb, 0xbf, ..] => (Encoding::Utf8, 3),
        [0xff, 0xfe, ..] => (Encoding::Utf16Le, 2),
        [0xfe, 0xff, ..] => (Encoding::Utf16Be, 2),
        [first, 0, ..] if *first != 0 => (Encoding::Utf16Le, 0),
        [0, second, ..] if *second != 0 => (Encoding::Utf16Be, 0),
        _ => (declared(&bytes[..bytes.len().min(DECLARATION)]), 0),
    }
}

fn declared(start: &[u8]) -> Encoding {
    let start = String::from_utf8_lossy(start).to_ascii_lowercase();
    let declaration = start.trim_start().strip_prefix("<?xml").and_then(|rest| rest.split("?>").next());
    let latin = ["iso-8859-1", "windows-1252", "latin1", "cp1252"];
    match declaration {
        Some(declaration) if latin.iter().any(|name| declaration.contains(name)) => Encoding::Windows1252,
        _ => Encoding::Utf8,
    }
}

const fn windows_1252(byte: u8) -> char {
    const UPPER: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘',
        '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    if byte >= 0x80 && byte < 0xa0 { UPPER[byte as usize - 0x80] } else { byte as char }
}

impl<R: Read> Read for Utf8<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl<R: Read> BufRead for Utf8<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.refill()?;
        Ok(&self.out[self.at..])
    }

    fn consume(&mut self, count: usize) {
        let end = (self.at + count).min(self.out.len());
        self.lines += self.out[self.at..end].iter().filter(|byte| **byte == b'\n').count() as u64;
        self.at = end;
    }
}
