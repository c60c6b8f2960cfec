//! PDF (ISO 32000-2): the way from the end of the file over its objects to its pages. No page is drawn.
//!
//! Where that way does not lead to a page, the objects are looked for in the whole file, as every reader does. What is
//! found so is damaged, not impossible: a person can open it.

mod crypt;
mod object;
mod pages;
mod recover;
mod stream;
mod table;

use memchr::memmem;

use super::polyglot;
use crate::domain::checks::{Defect, Inspection};
use crypt::Decryptor;
use object::{Fault, Object, Reader, Work};
use pages::Outline;
use recover::recover;
use table::{Place, Table};

/// The work budget of one file, in bytes read: six times the largest file.
const WORK: usize = 64 << 20;

/// What editors leave behind the end of the file: blanks, and padding to a block.
const PADDING: usize = 1024;

/// What mail programs and printers may put before the header: readers look for it that far.
const BEFORE_HEADER: usize = 1024;

/// What ends a file.
const END: &[u8] = b"%%EOF";

/// What the way over the table leads to.
#[derive(Default)]
struct Found {
    pages: usize,
    has_gaps: bool,
    is_active: bool,
    is_locked: bool,
}

pub(super) fn inspect(bytes: &[u8]) -> Inspection {
    let mut inspection = Inspection::default();
    if polyglot::is_zip(bytes) {
        inspection.add(Defect::Polyglot);
    }
    // The table counts from the header on.
    let header = memmem::find(&bytes[..bytes.len().min(BEFORE_HEADER)], b"%PDF-").unwrap_or(0);
    let bytes = &bytes[header..];
    let end = end_of(bytes);
    let trailing = end.map_or(&[][..], |end| &bytes[end..]);
    if polyglot::follows(trailing) || polyglot::is_within(trailing) {
        inspection.add(Defect::Polyglot);
    }
    if trailing.iter().filter(|byte| !matches!(byte, 0 | b' ' | b'\t' | b'\r' | b'\n')).count() > PADDING {
        inspection.add(Defect::TrailingData);
    }
    let mut work = Work::new(WORK);
    // Objects behind the end are of a later version that is not whole: some readers find them.
    let is_cut = end.is_none() || memmem::find(trailing, b" obj").is_some();
    let by_table = if is_cut && end.is_some() { Err(Fault::Damaged) } else { walk(bytes, &mut work) };
    match by_table {
        Ok(found) if found.is_locked => inspection.add(Defect::Encrypted),
        Ok(found) if found.pages > 0 => {
            if found.is_active {
                inspection.add(Defect::ActiveContent);
            }
            if found.has_gaps {
                inspection.add(Defect::Damaged);
            }
        }
        Err(Fault::TooComplex) => inspection.add(Defect::TooComplex),
        Err(Fault::Loop) => inspection.add(Defect::Loop),
        Ok(_) => rebuild(bytes, &mut inspection, &mut work, Defect::NoPages),
        Err(Fault::Damaged) if is_cut => rebuild(bytes, &mut inspection, &mut work, Defect::Truncated),
        Err(Fault::Damaged) => rebuild(bytes, &mut inspection, &mut work, Defect::NoPages),
    }
    inspection
}

/// Where the file ends by its own word: behind the last mark of its end, or, if that is missing, behind the line of the
/// number that leads to the table. None where the number may be cut.
fn end_of(bytes: &[u8]) -> Option<usize> {
    if let Some(end) = memmem::rfind(bytes, END) {
        return Some(end + END.len());
    }
    let start = memmem::rfind(bytes, b"startxref")? + 9;
    let line = bytes[start..].trim_ascii_start();
    let digits = line.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let behind = &line[digits..];
    let is_whole = digits > 0 && matches!(behind.first(), Some(b'\r' | b'\n'));
    // Of the mark, only a part is left.
    (is_whole && END.starts_with(behind.trim_ascii())).then_some(bytes.len())
}

/// Goes the way from the end.
fn walk(bytes: &[u8], work: &mut Work) -> Result<Found, Fault> {
    let start = memmem::rfind(bytes, b"startxref").ok_or(Fault::Damaged)? + 9;
    let newest = usize::try_from(Reader::new(bytes, start).integer()?).map_err(|_| Fault::Damaged)?;
    let table = Table::read(bytes, newest, work)?;
    let handler = match &table.trailer.encrypt {
        Some(Object::Reference(number)) => Some(&object_at(bytes, &table, *number, work)?),
        other => other.as_ref(),
    };
    let decryptor = handler.and_then(|handler| Decryptor::open(handler, &table.trailer.id));
    if handler.is_some() && decryptor.is_none() {
        // Object streams are unreadable now, and the page tree may be in one.
        return Ok(Found { is_locked: true, ..Found::default() });
    }
    let outline = Outline::read(bytes, &table, decryptor.as_ref(), work)?;
    let pages = outline.count_pages(table.trailer.root.ok_or(Fault::Damaged)?)?;
    Ok(Found { pages: pages.count, has_gaps: pages.has_gaps, is_active: outline.active, is_locked: false })
}

/// An object in the file itself.
fn object_at(bytes: &[u8], table: &Table, number: u32, work: &mut Work) -> Result<Object, Fault> {
    let Some(Place::Offset(offset)) = table.places.get(&number) else { return Err(Fault::Damaged) };
    let mut reader = Reader::new(bytes, *offset);
    if reader.head()?.number != number {
        return Err(Fault::Damaged);
    }
    reader.object(work)
}

/// Looks for pages in the whole file. `impossible` is what it is where there can be none.
fn rebuild(bytes: &[u8], inspection: &mut Inspection, work: &mut Work, impossible: Defect) {
    let found = match recover(bytes, work) {
        Ok(found) => found,
        Err(Fault::TooComplex) => return inspection.add(Defect::TooComplex),
        Err(Fault::Damaged | Fault::Loop) => return inspection.add(Defect::Damaged),
    };
    if found.outline.active {
        inspection.add(Defect::ActiveContent);
    }
    if found.is_locked {
        return inspection.add(Defect::Encrypted);
    }
    let catalog = found.trailer.root.or(found.outline.catalog);
    let shows_pages = match catalog.map(|catalog| found.outline.count_pages(catalog)) {
        Some(Ok(pages)) => pages.count > 0,
        Some(Err(Fault::Loop)) => return inspection.add(Defect::Loop),
        Some(Err(_)) | None => false,
    };
    let may_show_pages = shows_pages || found.outline.names_a_page || found.has_unread;
    inspection.add(match impossible {
        _ if found.objects == 0 && !found.has_unread => Defect::Undecodable,
        Defect::Truncated if may_show_pages => Defect::CutOff,
        _ if may_show_pages => Defect::Damaged,
        impossible => impossible,
    });
}
