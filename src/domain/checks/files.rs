//! What may be wrong with files, and the checks of it. Who looks into the bytes is not known here.

use chrono::NaiveDate;

use super::dossier::{Dossier, File, Side};
use super::{Examination, Severity};

/// Something wrong with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Defect {
    /// The file ends before its format says that it does.
    Truncated,
    /// The file cannot be decoded or parsed.
    Undecodable,
    /// The table of objects does not lead to them; programs that repair such files may still show this one.
    Damaged,
    /// More pixels than are decoded.
    TooManyPixels,
    /// More objects, more nesting or more work than a parser is given.
    TooComplex,
    /// A picture too small to read a document on.
    TooSmall,
    /// A picture of one colour.
    Blank,
    /// The file is of a second format too.
    Polyglot,
    /// Bytes after the end of the file's own format.
    TrailingData,
    /// Parts that refer to each other in a circle.
    Loop,
    /// Scripts, launched programs or embedded files.
    ActiveContent,
    /// The content needs a password.
    Encrypted,
    /// A document without pages.
    NoPages,
}

impl Defect {
    const fn describe(self) -> (&'static str, Severity, &'static str) {
        use Severity::{Hard, Soft};
        match self {
            Self::Truncated => ("truncated", Hard, "The file ends too early"),
            Self::Undecodable => ("undecodable", Hard, "The file cannot be decoded"),
            Self::Damaged => ("damaged", Soft, "The file is damaged"),
            Self::TooManyPixels => ("too_many_pixels", Soft, "The picture has more pixels than are examined"),
            Self::TooComplex => ("too_complex", Soft, "The file is more complex than is examined"),
            Self::TooSmall => ("too_small", Soft, "The picture is too small to be read"),
            Self::Blank => ("blank", Soft, "The picture shows nothing"),
            Self::Polyglot => ("polyglot", Soft, "The file is also of another format"),
            Self::TrailingData => ("trailing_data", Soft, "The file goes on after its end"),
            Self::Loop => ("loop", Soft, "Parts of the file refer to each other in a circle"),
            Self::ActiveContent => ("active_content", Soft, "The file carries scripts, programs or other files"),
            Self::Encrypted => ("encrypted", Soft, "The file is protected by a password"),
            Self::NoPages => ("no_pages", Hard, "The document has no pages"),
        }
    }
}

/// What was found in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    /// Everything wrong, each once, in order.
    pub defects: Vec<Defect>,
}

impl Inspection {
    /// Adds a defect that is not there yet.
    pub fn add(&mut self, defect: Defect) {
        if let Err(at) = self.defects.binary_search(&defect) {
            self.defects.insert(at, defect);
        }
    }
}

/// Files that do not decode or parse, or are more than what they say.
pub(super) fn content(dossier: &Dossier, _: NaiveDate, examination: &mut Examination) {
    for file in dossier.parties().flat_map(|party| party.all_files()) {
        examination.applies();
        let Some(inspection) = &file.inspection else {
            examination.soft("not_inspected", file.path.clone(), "The file could not be examined");
            continue;
        };
        for defect in &inspection.defects {
            let (code, severity, message) = defect.describe();
            examination.find(severity, code, file.path.clone(), message);
        }
    }
}

/// A front that is the very file of its back.
pub(super) fn front_and_back(dossier: &Dossier, _: NaiveDate, examination: &mut Examination) {
    for entry in dossier.parties().flat_map(|party| &party.identifications) {
        let of_side = |side: Side| entry.files.iter().filter(move |file: &&File| file.side == side);
        for back in of_side(Side::Back) {
            for front in of_side(Side::Front) {
                examination.applies();
                if front.sha256 == back.sha256 {
                    examination.soft("front_equals_back", back.path.clone(), "The back is the same file as the front");
                }
            }
        }
    }
}
