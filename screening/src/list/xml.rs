//! XML, one record at a time as a small tree.

use std::io::Read;

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::encoding::Utf8;
use super::{Place, ReadError};

/// A record of more text and names than this is refused.
const LARGEST_RECORD: usize = 4 << 20;
const DEEPEST: usize = 64;

/// An element with all that is in it. Names are without their prefix.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) name: String,
    attributes: Vec<(String, String)>,
    text: String,
    children: Vec<Self>,
}

impl Node {
    /// The text without blanks around it, if there is any.
    pub(super) fn text(&self) -> Option<&str> {
        Some(self.text.trim()).filter(|text| !text.is_empty())
    }

    /// An attribute, unless it is empty.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }

    /// The children of this name.
    pub(super) fn all<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a Self> + use<'a, 'n> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// All elements of this name below, at any depth.
    pub(super) fn below(&self, name: &str) -> Vec<&Self> {
        let mut found = Vec::new();
        for child in &self.children {
            found.extend((child.name == name).then_some(child));
            found.extend(child.below(name));
        }
        found
    }

    /// The text of the first child of this name.
    pub(super) fn child(&self, name: &str) -> Option<&str> {
        self.all(name).find_map(Self::text)
    }
}

/// Reads a document; `record` says which elements are handed to `found`, with their places.
pub(super) fn records<R: Read>(
    input: &mut Utf8<R>,
    format: &'static str,
    record: impl Fn(&str) -> bool,
    mut found: impl FnMut(Node, Place),
) -> Result<(), ReadError> {
    let mut reader = Document::new(input, format);
    let mut any = false;
    while let Some((node, place)) = reader.next_record(&record)? {
        any = true;
        found(node, place);
    }
    if any { Ok(()) } else { Err(reader.wrong("it has no record of this format")) }
}

struct Document<'a, R> {
    reader: Reader<&'a mut Utf8<R>>,
    buffer: Vec<u8>,
    format: &'static str,
    depth: usize,
    rooted: bool,
    place: Place,
    size: usize,
}

impl<'a, R: Read> Document<'a, R> {
    fn new(input: &'a mut Utf8<R>, format: &'static str) -> Self {
        let mut reader = Reader::from_reader(input);
        reader.config_mut().expand_empty_elements = true;
        Self { reader, buffer: Vec::new(), format, depth: 0, rooted: false, place: Place::default(), size: 0 }
    }

    fn wrong(&self, why: impl Into<String>) -> ReadError {
        ReadError::NotThisFormat { place: self.place, expected: self.format, why: why.into() }
    }

    fn next_record(&mut self, record: &impl Fn(&str) -> bool) -> Result<Option<(Node, Place)>, ReadError> {
        let mut open: Vec<Node> = Vec::new();
        let mut start = Place::default();
        loop {
            let event = self.event()?;
            match event {
                Step::Start(node) if !open.is_empty() || record(&node.name) => {
                    if open.is_empty() {
                        (start, self.size) = (self.place, 0);
                    }
                    open.push(node);
                }
                Step::Text(text) => {
                    if let Some(node) = open.last_mut() {
                        node.text.push_str(&text);
                    }
                }
                Step::End => match (open.pop(), open.last_mut()) {
                    (Some(node), Some(parent)) => parent.children.push(node),
                    (Some(node), None) => return Ok(Some((node, start))),
                    _ => {}
                },
                Step::Document if self.depth == 0 && self.rooted => return Ok(None),
                Step::Document if !self.rooted => return Err(self.wrong("it has no element")),
                Step::Document => {
                    let place = if open.is_empty() { self.place } else { start };
                    return Err(ReadError::CutShort { place, why: "an element is not closed" });
                }
                Step::Start(_) | Step::Other => {}
            }
        }
    }

    fn event(&mut self) -> Result<Step, ReadError> {
        let line = self.reader.get_ref().lines() + 1;
        self.place = Place { line, byte: self.reader.buffer_position() };
        self.buffer.clear();
        let event = match self.reader.read_event_into(&mut self.buffer) {
            Ok(event) => event,
            Err(quick_xml::Error::Io(error)) => {
                let error = std::io::Error::new(error.kind(), error.to_string());
                return Err(ReadError::Input { place: self.place, error });
            }
            Err(quick_xml::Error::Syntax(_)) => {
                return Err(ReadError::CutShort { place: self.place, why: "a tag is not closed" });
            }
            Err(error) => {
                let why = error.to_string();
                return Err(ReadError::NotThisFormat { place: self.place, expected: self.format, why });
            }
        };
        let (step, change) = step(&event);
        self.size += event.len();
        self.depth = self.depth.saturating_add_signed(change);
        self.rooted |= change > 0;
        self.check(step)
    }

    fn check(&self, step: Step) -> Result<Step, ReadError> {
        if self.size > LARGEST_RECORD {
            return Err(ReadError::RecordTooLong { place: self.place });
        }
        if self.depth > DEEPEST {
            return Err(self.wrong("elements are nested too deeply"));
        }
        Ok(step)
    }
}

enum Step {
    Start(Node),
    End,
    Text(String),
    Document,
    Other,
}

/// What an event means, and how it changes the depth. An empty element is a start and an end by the reader's setting.
fn step(event: &Event<'_>) -> (Step, isize) {
    match event {
        Event::Start(start) => (Step::Start(node(start)), 1),
        Event::End(_) => (Step::End, -1),
        Event::Text(text) => (Step::Text(text.decode().map(|text| text.into_owned()).unwrap_or_default()), 0),
        Event::CData(text) => (Step::Text(text.decode().map(|text| text.into_owned()).unwrap_or_default()), 0),
        Event::GeneralRef(reference) => (Step::Text(resolve(&String::from_utf8_lossy(reference))), 0),
        Event::Eof => (Step::Document, 0),
        _ => (Step::Other, 0),
    }
}

fn node(start: &BytesStart<'_>) -> Node {
    let attributes = start.attributes().flatten().map(|attribute| {
        let value = attribute.normalized_value(XmlVersion::Implicit1_0);
        let value =
            value.map_or_else(|_| String::from_utf8_lossy(&attribute.value).into_owned(), std::borrow::Cow::into_owned);
        (local(attribute.key.local_name().as_ref()), value)
    });
    Node { name: local(start.local_name().as_ref()), attributes: attributes.collect(), ..Node::default() }
}

fn local(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

/// Characters and the five names of XML. No other entity is known, so none can grow.
fn resolve(reference: &str) -> String {
    let by_number = |digits: &str, radix| u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
    let number = reference.strip_prefix('#').and_then(|number| match number.strip_prefix(['x', 'X']) {
        Some(digits) => by_number(digits, 16),
        None => by_number(number, 10),
    });
    let named = [("amp", '&'), ("lt", '<'), ("gt", '>'), ("quot", '"'), ("apos", '\'')];
    let named = named.iter().find(|(name, _)| *name == reference).map(|(_, character)| *character);
    number.or(named).map_or_else(|| format!("&{reference};"), String::from)
}
