//! What a PDF's objects say: its pages, and whether any of them acts.

use std::collections::{HashMap, HashSet};

use super::crypt::Decryptor;
use super::object::{Fault, Object, Reader, Work};
use super::stream;
use super::table::{Place, Table};

/// Names of scripts, programs, embedded files and the forms that carry scripts (ISO 32000-2, 12.6.4, 7.11.4,
/// 13.6, 12.7.8). What merely opens a page in a certain way is not among them.
const ACTIVE: [&str; 9] =
    ["JS", "JavaScript", "Launch", "EmbeddedFile", "EmbeddedFiles", "EF", "FileAttachment", "RichMedia", "XFA"];

/// What the way to the pages needs of an object.
#[derive(Default)]
struct Node {
    /// The catalog's page tree.
    tree: Branches,
    /// The children of a node of the tree, and the elements of an array.
    kids: Branches,
    /// A page: what has no children, unless it says that it is a node of the tree.
    is_page: bool,
    /// Whether it says how many pages are below it.
    has_count: bool,
}

/// The children of a node.
#[derive(Default)]
struct Branches {
    /// Numbers of objects.
    objects: Vec<u32>,
    /// Pages that are no objects of their own.
    inline_pages: usize,
}

impl Branches {
    /// Takes a child in: a reference, a list of children, or a node that is no object of its own.
    fn add(&mut self, child: &Object) {
        match child {
            Object::Reference(number) => self.objects.push(*number),
            Object::Array(children) => children.iter().for_each(|child| self.add(child)),
            Object::Dictionary(_) => match child.get("Kids") {
                Some(kids) => self.add(kids),
                None => self.inline_pages += 1,
            },
            _ => {}
        }
    }
}

/// The pages beneath a catalog.
pub(super) struct Pages {
    pub(super) count: usize,
    /// Whether the tree names objects that are not there, or does not say how many pages it has.
    pub(super) has_gaps: bool,
}

/// The objects of a file.
#[derive(Default)]
pub(super) struct Outline {
    nodes: HashMap<u32, Node>,
    /// Whether one of the objects acts.
    pub(super) active: bool,
    /// The last catalog.
    pub(super) catalog: Option<u32>,
    /// Whether an object says that it is a page, in the tree or not.
    pub(super) names_a_page: bool,
}

impl Outline {
    /// Reads every object that the table leads to.
    pub(super) fn read(
        bytes: &[u8],
        table: &Table,
        decryptor: Option<&Decryptor>,
        work: &mut Work,
    ) -> Result<Self, Fault> {
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
            let id = reader.head()?;
            if id.number != number {
                return Err(Fault::Damaged);
            }
            work.spend(reader.at() - offset)?;
            let object = reader.object(work)?;
            outline.add(number, &object);
            if holds_objects(&object) {
                let encryption = decryptor.map(|decryptor| (decryptor, id));
                let content = stream::content(bytes, &mut reader, &object, encryption, work)?.whole()?;
                // Only the place that the table gives counts: others are of older versions.
                let counts = |inner| table.places.get(&inner) == Some(&Place::Stream(number));
                outline.add_all(&object, &content, counts, work)?;
            }
        }
        Ok(outline)
    }

    /// The objects of a stream: pairs of number and place, then the objects from `First` on.
    pub(super) fn add_all(
        &mut self,
        dictionary: &Object,
        content: &[u8],
        counts: impl Fn(u32) -> bool,
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
            if counts(number) {
                let object = Reader::new(content, offset).object(work)?;
                self.add(number, &object);
            }
        }
        Ok(())
    }

    pub(super) fn add(&mut self, number: u32, object: &Object) {
        self.active |= object.mentions(&ACTIVE);
        let is = |name| object.get("Type").is_some_and(|kind| kind.is_name(name));
        let mut node = Node { has_count: object.get("Count").is_some(), ..Node::default() };
        if let Some(tree) = object.get("Pages") {
            node.tree.add(tree);
        }
        match object {
            Object::Dictionary(_) => {
                node.is_page = is("Page") || (object.get("Kids").is_none() && !is("Pages"));
                // A page's children, should it have any, are not asked for.
                if let Some(kids) = object.get("Kids").filter(|_| !node.is_page) {
                    node.kids.add(kids);
                }
            }
            Object::Array(_) => node.kids.add(object),
            _ => {}
        }
        if is("Catalog") {
            self.catalog = Some(number);
        }
        self.names_a_page |= is("Page");
        self.nodes.insert(number, node);
    }

    /// The pages beneath the catalog.
    ///
    /// # Errors
    /// [`Fault::Loop`] where a node of the tree is met twice, [`Fault::Damaged`] where there is no tree.
    pub(super) fn count_pages(&self, catalog: u32) -> Result<Pages, Fault> {
        let tree = &self.nodes.get(&catalog).ok_or(Fault::Damaged)?.tree;
        let mut pages = Pages { count: tree.inline_pages, has_gaps: false };
        let mut ahead = tree.objects.clone();
        if ahead.is_empty() && pages.count == 0 {
            return Err(Fault::Damaged);
        }
        let has_count = |number| self.nodes.get(number).is_some_and(|node| node.has_count || node.is_page);
        pages.has_gaps |= !ahead.iter().all(has_count);
        let mut seen = HashSet::new();
        while let Some(number) = ahead.pop() {
            if !seen.insert(number) {
                return Err(Fault::Loop);
            }
            let Some(node) = self.nodes.get(&number) else {
                pages.has_gaps = true;
                continue;
            };
            pages.count += usize::from(node.is_page) + node.kids.inline_pages;
            ahead.extend(&node.kids.objects);
        }
        Ok(pages)
    }
}

/// Whether an object is the dictionary of a stream of objects.
pub(super) fn holds_objects(object: &Object) -> bool {
    object.get("Type").is_some_and(|kind| kind.is_name("ObjStm"))
}
