//! Finding objects without a table, as every reader does where the table is missing or wrong: by going through the file.

use std::collections::HashMap;

use memchr::memmem;

use super::crypt::Decryptor;
use super::object::{Fault, Id, Object, Reader, Work};
use super::pages::{Outline, holds_objects};
use super::stream;
use super::table::{MAX_OBJECTS, Trailer};

/// What is found in a file without its table.
#[derive(Default)]
pub(super) struct Recovered {
    pub(super) outline: Outline,
    pub(super) trailer: Trailer,
    /// How many objects there are.
    pub(super) objects: usize,
    /// Whether something that may hold objects could not be read.
    pub(super) has_unread: bool,
    /// Whether the content needs a password.
    pub(super) is_locked: bool,
}

/// What is put by while going through a file.
#[derive(Default)]
struct Later {
    /// Streams of objects, and their positions: behind their dictionary.
    packed: Vec<(Id, Object, usize)>,
    /// Dictionaries that may be of a security handler.
    handlers: HashMap<u32, Object>,
    /// In the order of the file.
    trailers: Vec<Object>,
}

/// Goes through a file from its beginning. Where an object is there more than once, the last one counts.
pub(super) fn recover(bytes: &[u8], work: &mut Work) -> Result<Recovered, Fault> {
    let mut found = Recovered::default();
    let mut later = Later::default();
    found.read_objects(bytes, &mut later, work)?;
    read_trailers(bytes, &mut later.trailers, work)?;
    for trailer in later.trailers.iter_mut().rev() {
        found.trailer.add(trailer);
    }
    let handler = match found.trailer.encrypt.take() {
        Some(Object::Reference(number)) => Some(later.handlers.remove(&number).unwrap_or(Object::Other)),
        other => other,
    };
    let decryptor = handler.as_ref().and_then(|handler| Decryptor::open(handler, &found.trailer.id));
    found.is_locked = handler.is_some() && decryptor.is_none();
    if !found.is_locked {
        found.read_packed(bytes, later.packed, decryptor.as_ref(), work)?;
    }
    Ok(found)
}

impl Recovered {
    /// Reads the objects in the file itself.
    fn read_objects(&mut self, bytes: &[u8], later: &mut Later, work: &mut Work) -> Result<(), Fault> {
        let mut at = 0;
        while let Some(distance) = memmem::find(&bytes[at..], b"obj") {
            let keyword = at + distance;
            work.spend(distance + 3)?;
            at = keyword + 3;
            let Some(id) = id_before(&bytes[..keyword]) else { continue };
            let mut reader = Reader::new(bytes, at);
            let Some(object) = self.readable(reader.object(work))? else { continue };
            self.objects += 1;
            if self.objects > MAX_OBJECTS {
                return Err(Fault::TooComplex);
            }
            let behind = reader.at();
            at = behind;
            if stream::raw(bytes, &mut reader, &object, work)?.is_some() {
                at = reader.at();
            }
            self.outline.add(id.number, &object);
            if object.get("Type").is_some_and(|kind| kind.is_name("XRef")) {
                later.trailers.push(object);
            } else if holds_objects(&object) {
                later.packed.push((id, object, behind));
            } else if object.get("V").is_some() && object.get("R").is_some() {
                later.handlers.insert(id.number, object);
            }
        }
        Ok(())
    }

    /// Reads the objects in streams.
    fn read_packed(
        &mut self,
        bytes: &[u8],
        packed: Vec<(Id, Object, usize)>,
        decryptor: Option<&Decryptor>,
        work: &mut Work,
    ) -> Result<(), Fault> {
        for (id, dictionary, at) in packed {
            let encryption = decryptor.map(|decryptor| (decryptor, id));
            let content = stream::content(bytes, &mut Reader::new(bytes, at), &dictionary, encryption, work);
            let Some(content) = self.readable(content)? else { continue };
            let added = self.outline.add_all(&dictionary, &content.bytes, |_| true, work);
            self.readable(added)?;
        }
        Ok(())
    }

    /// The value, if it could be read: what cannot is passed over here.
    fn readable<T>(&mut self, read: Result<T, Fault>) -> Result<Option<T>, Fault> {
        match read {
            Ok(value) => Ok(Some(value)),
            Err(Fault::TooComplex) => Err(Fault::TooComplex),
            Err(Fault::Damaged | Fault::Loop) => {
                self.has_unread = true;
                Ok(None)
            }
        }
    }
}

fn read_trailers(bytes: &[u8], trailers: &mut Vec<Object>, work: &mut Work) -> Result<(), Fault> {
    work.spend(bytes.len())?;
    for start in memmem::find_iter(bytes, b"trailer") {
        match Reader::new(bytes, start + 7).object(work) {
            Ok(trailer) => trailers.push(trailer),
            Err(Fault::TooComplex) => return Err(Fault::TooComplex),
            Err(Fault::Damaged | Fault::Loop) => {}
        }
    }
    Ok(())
}

/// The number and generation before the word `obj`.
fn id_before(bytes: &[u8]) -> Option<Id> {
    let (rest, generation) = number_before(bytes)?;
    let (_, number) = number_before(rest)?;
    Some(Id { number: number.try_into().ok()?, generation: generation.try_into().ok()? })
}

/// The number at the end of the bytes, blanks aside, and what precedes it.
fn number_before(bytes: &[u8]) -> Option<(&[u8], u64)> {
    // No program writes more blanks or digits than these.
    let bytes = &bytes[bytes.len().saturating_sub(32)..];
    let bytes = bytes.trim_ascii_end();
    let digits = bytes.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let (rest, number) = bytes.split_at(bytes.len() - digits);
    Some((rest, std::str::from_utf8(number).ok()?.parse().ok()?))
}
