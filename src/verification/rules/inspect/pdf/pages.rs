//! What a PDF's objects say: its pages, and whether any of them acts.

use std::collections::{HashMap, HashSet};

use super::object::{Fault, Object, Reader, Work};
use super::stream;
use super::table::{Place, Table};

/// Names that stand for scripts, programs, embedded files and the forms that carry scripts (ISO 32000-2, 12.6.4, 7.11.4,
/// 13.6, 12.7.8). What merely opens a page in a certain way is not among them.
const ACTIVE: [&str; 7] = ["JS", "JavaScript", "Launch", "EmbeddedFile", "EmbeddedFiles", "RichMedia", "XFA"];

/// What the way to the pages needs of an object.
#[derive(Default)]
struct Node {
    /// The catalog's page tree.
    pages: Option<u32>,
    /// The children of a node of the tree, and the elements of an array.
    kids: Vec<u32>,
    /// Where the children are, if they stand in an object of their own.
    kids_elsewhere: Option<u32>,
    is_page: bool,
}

/// The objects of a file.
#[derive(Default)]
pub(super) struct Outline {
    nodes: HashMap<u32, Node>,
    /// Whether one of the objects acts.
    pub(super) active: bool,
}

impl Outline {
    /// Reads every object that the table leads to.
    pub(super) fn read(bytes: &[u8], table: &Table, work: &mut Work) -> Result<Self, Fault> {
        let mut outline = Self::default();
        // In order: which of several faults is found must not depend on chance.
        let mut offsets: Vec<(u32, usize)> = table
            .places
            .iter()
            .filter_map(
                |(number, place)| if let Place::Offset(offset) = place { Some((*number, *offset)) } else { None },
            )
            .collect();
        offsets.sort_unstable();
        for (number, offset) in offsets {
            let mut reader = Reader::new(bytes, offset);
            if reader.head()? != number {
                return Err(Fault::Damaged);
            }
            work.spend(reader.at() - offset)?;
            let object = reader.object(work)?;
            let holds_objects = object.get("Type").is_some_and(|kind| kind.is_name("ObjStm"));
            outline.add(number, &object);
            if holds_objects {
                let content = stream::content(bytes, &mut reader, &object, work)?;
                outline.add_all(number, &object, &content, table, work)?;
            }
        }
        Ok(outline)
    }

    /// The objects of a stream: pairs of number and place, then the objects from `First` on.
    fn add_all(
        &mut self,
        stream: u32,
        dictionary: &Object,
        content: &[u8],
        table: &Table,
        work: &mut Work,
    ) -> Result<(), Fault> {
        let size = |key| dictionary.get(key).and_then(Object::size).ok_or(Fault::Damaged);
        let (count, first) = (size("N")?, size("First")?);
        let mut head = Reader::new(content, 0);
        for _ in 0..count {
            work.spend(1)?;
            let number = u32::try_from(head.integer()?).map_err(|_| Fault::Damaged)?;
            let offset = usize::try_from(head.integer()?).map_err(|_| Fault::Damaged)?;
            let offset = first.checked_add(offset).ok_or(Fault::Damaged)?;
            // Only the place that the table gives counts: others are of older versions.
            if table.places.get(&number) == Some(&Place::Stream(stream)) {
                let object = Reader::new(content, offset).object(work)?;
                self.add(number, &object);
            }
        }
        Ok(())
    }

    fn add(&mut self, number: u32, object: &Object) {
        self.active |= object.mentions(&ACTIVE);
        let kids = if matches!(object, Object::Array(_)) { Some(object) } else { object.get("Kids") };
        let node = Node {
            pages: object.get("Pages").and_then(Object::reference),
            kids: match kids {
                Some(Object::Array(kids)) => kids.iter().filter_map(Object::reference).collect(),
                _ => Vec::new(),
            },
            kids_elsewhere: kids.and_then(Object::reference),
            is_page: object.get("Type").is_some_and(|kind| kind.is_name("Page")),
        };
        self.nodes.insert(number, node);
    }

    /// The number of pages beneath the catalog.
    ///
    /// # Errors
    /// [`Fault::Loop`] where a node of the tree is met twice, [`Fault::Damaged`] where one is missing.
    pub(super) fn count_pages(&self, catalog: u32) -> Result<usize, Fault> {
        let node = |number: u32| self.nodes.get(&number).ok_or(Fault::Damaged);
        let mut ahead = vec![node(catalog)?.pages.ok_or(Fault::Damaged)?];
        let mut seen = HashSet::new();
        let mut pages = 0;
        while let Some(number) = ahead.pop() {
            if !seen.insert(number) {
                return Err(Fault::Loop);
            }
            let current = node(number)?;
            pages += usize::from(current.is_page);
            ahead.extend(&current.kids);
            if let Some(elsewhere) = current.kids_elsewhere {
                ahead.push(elsewhere);
            }
        }
        Ok(pages)
    }
}
