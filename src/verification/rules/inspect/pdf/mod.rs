//! PDF (ISO 32000-2): the way from the end of the file over its objects to its pages. No page is drawn.

mod object;
mod pages;
mod stream;
mod table;

use super::polyglot;
use crate::domain::checks::{Defect, Inspection};
use object::{Fault, Reader, Work};
use pages::Outline;
use table::Table;

/// What may be spent on one file, in bytes looked at: six times the largest file.
const WORK: usize = 64 << 20;

/// What editors leave behind the end of the file: blanks, and padding to a block.
const PADDING: usize = 1024;

pub(super) fn inspect(bytes: &[u8]) -> Inspection {
    let mut inspection = Inspection::default();
    if polyglot::is_zip(bytes) {
        inspection.add(Defect::Polyglot);
    }
    let Some(end) = rfind(bytes, b"%%EOF") else {
        inspection.add(Defect::Truncated);
        return inspection;
    };
    let trailing = &bytes[end + 5..];
    if polyglot::hides_another(trailing) {
        inspection.add(Defect::Polyglot);
    }
    if trailing.iter().filter(|byte| !matches!(byte, 0 | b' ' | b'\t' | b'\r' | b'\n')).count() > PADDING {
        inspection.add(Defect::TrailingData);
    }
    if let Err(fault) = walk(&bytes[..end], &mut inspection) {
        inspection.add(match fault {
            Fault::Damaged if rfind(bytes, b" obj").is_none() => Defect::Undecodable,
            Fault::Damaged => Defect::Damaged,
            Fault::TooComplex => Defect::TooComplex,
            Fault::Loop => Defect::Loop,
        });
    }
    inspection
}

fn walk(bytes: &[u8], inspection: &mut Inspection) -> Result<(), Fault> {
    let mut work = Work::new(WORK);
    let start = rfind(bytes, b"startxref").ok_or(Fault::Damaged)? + 9;
    let newest = usize::try_from(Reader::new(bytes, start).integer()?).map_err(|_| Fault::Damaged)?;
    let table = Table::read(bytes, newest, &mut work)?;
    if table.encrypted {
        // Object streams are unreadable now, and the page tree may be in one.
        inspection.add(Defect::Encrypted);
        return Ok(());
    }
    let outline = Outline::read(bytes, &table, &mut work)?;
    if outline.active {
        inspection.add(Defect::ActiveContent);
    }
    let root = table.root.ok_or(Fault::Damaged)?;
    if outline.count_pages(root)? == 0 {
        inspection.add(Defect::NoPages);
    }
    Ok(())
}

fn rfind(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).rposition(|window| window == wanted)
}
