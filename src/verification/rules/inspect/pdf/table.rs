//! The positions of a PDF's objects: its cross-reference tables and streams (ISO 32000-2, 7.5.4 to 7.5.8).

use std::collections::{HashMap, HashSet};

use super::object::{Fault, Object, Reader, Work};
use super::stream;

/// The most objects of a file. A scan has a few, a long report some ten thousand.
pub(super) const MAX_OBJECTS: usize = 200_000;

/// The most sections: one for every time that the file was saved.
const MAX_SECTIONS: usize = 512;

/// The position of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// At this byte of the file.
    Offset(usize),
    /// In this object stream.
    Stream(u32),
    /// Nowhere: it was deleted.
    Free,
}

/// Every object's place, and what the trailer says.
#[derive(Default)]
pub(super) struct Table {
    pub(super) places: HashMap<u32, Place>,
    /// What the trailers say, the newest first.
    pub(super) trailer: Trailer,
}

/// What a trailer says.
#[derive(Default)]
pub(super) struct Trailer {
    /// The number of the catalog.
    pub(super) root: Option<u32>,
    /// The encryption dictionary, or a reference to it.
    pub(super) encrypt: Option<Object>,
    /// The first half of the file's identifier.
    pub(super) id: Vec<u8>,
}

impl Trailer {
    /// Takes over what is not known yet.
    pub(super) fn add(&mut self, dictionary: &mut Object) {
        self.root = self.root.or_else(|| dictionary.get("Root").and_then(Object::reference));
        if let Some(Object::Array(halves)) = dictionary.get("ID")
            && let Some(id) = halves.first().and_then(Object::text).filter(|_| self.id.is_empty())
        {
            self.id = id.to_vec();
        }
        if self.encrypt.is_none() {
            self.encrypt = dictionary.take("Encrypt");
        }
    }
}

impl Table {
    /// Follows the sections from the newest to the oldest.
    pub(super) fn read(bytes: &[u8], newest: usize, work: &mut Work) -> Result<Self, Fault> {
        let mut table = Self::default();
        let mut seen = HashSet::new();
        let mut ahead = vec![newest];
        while let Some(offset) = ahead.pop() {
            if !seen.insert(offset) {
                return Err(Fault::Loop);
            }
            if seen.len() > MAX_SECTIONS {
                return Err(Fault::TooComplex);
            }
            let mut trailer = table.section(bytes, offset, work)?;
            table.trailer.add(&mut trailer);
            // A hybrid file's stream comes before the older sections. Some programs write 0 where there are none.
            ahead.extend(trailer.get("Prev").and_then(Object::size).filter(|previous| *previous > 0));
            ahead.extend(trailer.get("XRefStm").and_then(Object::size));
        }
        Ok(table)
    }

    fn section(&mut self, bytes: &[u8], offset: usize, work: &mut Work) -> Result<Object, Fault> {
        let mut reader = Reader::new(bytes, offset);
        if reader.accept("xref") {
            self.classic(&mut reader)?;
            work.spend(reader.at() - offset)?;
            return reader.object(work);
        }
        reader.head()?;
        work.spend(reader.at() - offset)?;
        let dictionary = reader.object(work)?;
        if !dictionary.get("Type").is_some_and(|kind| kind.is_name("XRef")) {
            return Err(Fault::Damaged);
        }
        let content = stream::content(bytes, &mut reader, &dictionary, None, work)?.whole()?;
        self.compressed(&dictionary, &content)?;
        Ok(dictionary)
    }

    /// `first count`, then a line for each, again and again until the trailer.
    fn classic(&mut self, reader: &mut Reader<'_>) -> Result<(), Fault> {
        while !reader.accept("trailer") {
            let first = u32::try_from(reader.integer()?).map_err(|_| Fault::Damaged)?;
            let count = u32::try_from(reader.integer()?).map_err(|_| Fault::Damaged)?;
            for index in 0..count {
                let offset = usize::try_from(reader.integer()?).map_err(|_| Fault::Damaged)?;
                reader.integer()?;
                let place = match (reader.accept("n"), offset) {
                    // The header is there: programs that list an object they did not write say so.
                    (true, 0) => Place::Free,
                    (true, offset) => Place::Offset(offset),
                    (false, _) if reader.accept("f") => Place::Free,
                    (false, _) => return Err(Fault::Damaged),
                };
                self.add(first.checked_add(index).ok_or(Fault::Damaged)?, place)?;
            }
        }
        Ok(())
    }

    /// Entries of three big-endian numbers of the widths in `W`.
    fn compressed(&mut self, dictionary: &Object, content: &[u8]) -> Result<(), Fault> {
        let sizes = |key| match dictionary.get(key) {
            Some(Object::Array(values)) => values.iter().map(Object::size).collect::<Option<Vec<usize>>>(),
            _ => None,
        };
        let widths: [usize; 3] = sizes("W").and_then(|widths| widths.try_into().ok()).ok_or(Fault::Damaged)?;
        let width = widths.iter().try_fold(0_usize, |sum, width| sum.checked_add(*width)).ok_or(Fault::Damaged)?;
        if width == 0 || widths.iter().any(|width| *width > 8) {
            return Err(Fault::Damaged);
        }
        let size = dictionary.get("Size").and_then(Object::size).ok_or(Fault::Damaged)?;
        let index = sizes("Index").unwrap_or_else(|| vec![0, size]);
        let numbers = index.chunks_exact(2).flat_map(|pair| (0..pair[1]).map(move |at| pair[0].saturating_add(at)));
        for (number, entry) in numbers.zip(content.chunks_exact(width)) {
            let (kind, rest) = entry.split_at(widths[0]);
            let (second, _) = rest.split_at(widths[1]);
            let place = match if kind.is_empty() { 1 } else { big_endian(kind) } {
                0 => Place::Free,
                1 => Place::Offset(usize::try_from(big_endian(second)).map_err(|_| Fault::Damaged)?),
                2 => Place::Stream(u32::try_from(big_endian(second)).map_err(|_| Fault::Damaged)?),
                _ => continue,
            };
            self.add(u32::try_from(number).map_err(|_| Fault::Damaged)?, place)?;
        }
        Ok(())
    }

    /// The newest section that names an object wins.
    fn add(&mut self, number: u32, place: Place) -> Result<(), Fault> {
        self.places.entry(number).or_insert(place);
        if self.places.len() > MAX_OBJECTS { Err(Fault::TooComplex) } else { Ok(()) }
    }
}

fn big_endian(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte))
}
