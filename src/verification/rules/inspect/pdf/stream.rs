//! The content of streams that hold structure (ISO 32000-2, 7.4 and 7.5): inflated within a limit, predictors undone.

use memchr::memmem;
use miniz_oxide::inflate::decompress_to_vec_zlib_with_limit;

use super::crypt::Decryptor;
use super::object::{Fault, Id, Object, Reader, Work};

/// The most bytes that one stream may inflate to.
const MAX_INFLATED: usize = 8 << 20;

/// What follows a stream.
const END: &[u8] = b"endstream";

/// What a stream holds.
pub(super) struct Content {
    pub(super) bytes: Vec<u8>,
    /// Whether everything could be decoded: other programs take what there is.
    is_whole: bool,
}

impl Content {
    /// The content, if it is whole.
    pub(super) fn whole(self) -> Result<Vec<u8>, Fault> {
        if self.is_whole { Ok(self.bytes) } else { Err(Fault::Damaged) }
    }
}

/// Skips the stream that follows a dictionary, and returns its raw bytes; none where none
/// follows.
pub(super) fn raw<'a>(
    bytes: &'a [u8],
    reader: &mut Reader<'_>,
    dictionary: &Object,
    work: &mut Work,
) -> Result<Option<&'a [u8]>, Fault> {
    let follows = reader.accept("stream");
    work.spend(reader.take_passed())?;
    if !follows {
        return Ok(None);
    }
    let mut start = reader.at();
    start += usize::from(bytes.get(start) == Some(&b'\r'));
    start += usize::from(bytes.get(start) == Some(&b'\n'));
    let rest = bytes.get(start..).ok_or(Fault::Damaged)?;
    let ends_at = |length: usize| {
        let behind = rest.get(length..).unwrap_or_default();
        let behind = &behind[..behind.len().min(64)];
        behind.trim_ascii_start().starts_with(END) && length <= rest.len()
    };
    // The length may be wrong, or be an object of its own, which may be in a stream: then the end is looked for.
    let length = match dictionary.get("Length").and_then(Object::size).filter(|length| ends_at(*length)) {
        Some(length) => length,
        None => {
            let found = memmem::find(rest, END);
            work.spend(found.unwrap_or(rest.len()))?;
            found.unwrap_or(rest.len())
        }
    };
    reader.go_to(start + length);
    Ok(Some(&rest[..length]))
}

/// The decoded content of the stream whose dictionary has just been read, decrypted if it is encrypted.
pub(super) fn content(
    bytes: &[u8],
    reader: &mut Reader<'_>,
    dictionary: &Object,
    encryption: Option<(&Decryptor, Id)>,
    work: &mut Work,
) -> Result<Content, Fault> {
    let raw = raw(bytes, reader, dictionary, work)?.ok_or(Fault::Damaged)?;
    work.spend(raw.len())?;
    let plain = match encryption {
        Some((decryptor, id)) => &decryptor.decrypt(id, raw).ok_or(Fault::Damaged)?,
        None => raw,
    };
    let filter = match dictionary.get("Filter") {
        Some(Object::Array(filters)) if filters.len() == 1 => filters.first(),
        other => other,
    };
    let content = match filter {
        Some(filter) if filter.is_name("FlateDecode") || filter.is_name("Fl") => inflate(plain, work)?,
        None if plain.len() <= MAX_INFLATED => Content { bytes: plain.to_vec(), is_whole: true },
        _ => return Err(Fault::TooComplex),
    };
    work.spend(content.bytes.len())?;
    let parameters = match dictionary.get("DecodeParms") {
        Some(Object::Array(list)) => list.first(),
        other => other,
    };
    let number = |key| parameters.and_then(|parameters| parameters.get(key)).and_then(Object::size);
    match number("Predictor") {
        None | Some(1) => Ok(content),
        // With the predictors of PNG every row says itself which it uses.
        Some(10..=15) if number("Colors").unwrap_or(1) == 1 && number("BitsPerComponent").unwrap_or(8) == 8 => {
            let bytes = unpredict(&content.bytes, number("Columns").unwrap_or(1))?;
            Ok(Content { bytes, ..content })
        }
        Some(_) => Err(Fault::TooComplex),
    }
}

fn inflate(raw: &[u8], work: &mut Work) -> Result<Content, Fault> {
    use miniz_oxide::inflate::TINFLStatus;
    // Inflating to the limit is work, whether or not something comes of it.
    match decompress_to_vec_zlib_with_limit(raw, MAX_INFLATED) {
        Ok(bytes) => Ok(Content { bytes, is_whole: true }),
        Err(error) => {
            let over = error.status == TINFLStatus::HasMoreOutput;
            // A checksum that differs is what careless programs write: the content is there.
            let is_whole = error.status == TINFLStatus::Adler32Mismatch;
            let spent = work.spend(error.output.len());
            if over || spent.is_err() {
                return Err(Fault::TooComplex);
            }
            if error.output.is_empty() { Err(Fault::Damaged) } else { Ok(Content { bytes: error.output, is_whole }) }
        }
    }
}

/// Undoes the row filters of PNG for values of one byte: each row is a filter type and then its bytes.
fn unpredict(content: &[u8], columns: usize) -> Result<Vec<u8>, Fault> {
    if columns == 0 || columns > content.len() {
        return Err(Fault::Damaged);
    }
    let mut plain: Vec<u8> = Vec::with_capacity(content.len());
    let mut above = vec![0_u8; columns];
    for row in content.chunks_exact(columns + 1) {
        let start = plain.len();
        for (column, byte) in row[1..].iter().enumerate() {
            let left = if column > 0 { plain[start + column - 1] } else { 0 };
            let corner = if column > 0 { above[column - 1] } else { 0 };
            let predicted = match row[0] {
                0 => 0,
                1 => left,
                2 => above[column],
                3 => u8::midpoint(left, above[column]),
                4 => paeth(left, above[column], corner),
                _ => return Err(Fault::Damaged),
            };
            plain.push(byte.wrapping_add(predicted));
        }
        above.copy_from_slice(&plain[start..]);
    }
    Ok(plain)
}

/// The neighbour that is nearest to left + above - corner.
fn paeth(left: u8, above: u8, corner: u8) -> u8 {
    let estimate = i32::from(left) + i32::from(above) - i32::from(corner);
    let distance = |value: u8| (estimate - i32::from(value)).abs();
    if distance(left) <= distance(above) && distance(left) <= distance(corner) {
        left
    } else if distance(above) <= distance(corner) {
        above
    } else {
        corner
    }
}
