//! What may be wrong with files, and the checks of it. Who looks into the bytes is not known here.

use super::applicant::{Applicant, File, Side};
use super::{CheckContext, Days, Severity};

/// Something wrong with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Defect {
    /// The file ends before anything in it can be shown.
    Truncated,
    /// No program can decode or parse the file.
    Undecodable,
    /// The file ends before its format says that it does; programs show what is there.
    CutOff,
    /// Parts of the file do not fit together; programs that repair such files show this one.
    Damaged,
    /// The file is of a kind of its format that is not examined here; other programs may show it.
    UnknownKind,
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
    /// How much it weighs.
    #[must_use]
    pub const fn severity(self) -> Severity {
        self.describe().1
    }

    const fn describe(self) -> (&'static str, Severity, &'static str) {
        use Severity::{Hard, Soft};
        match self {
            Self::Truncated => ("truncated", Hard, "The file ends too early to show anything: send the whole file"),
            Self::Undecodable => ("undecodable", Hard, "The file cannot be decoded: save it again and resend it"),
            Self::CutOff => ("cut_off", Soft, "The file ends too early: check what it shows, or send the whole file"),
            Self::Damaged => ("damaged", Soft, "The file is damaged: check what it shows, or send another copy"),
            Self::UnknownKind => (
                "unknown_kind",
                Soft,
                "The file is of a kind that is not examined: check it, or send a usual JPEG or PDF",
            ),
            Self::TooManyPixels => (
                "too_many_pixels",
                Soft,
                "The picture has more pixels than are examined: check it, or send a smaller one",
            ),
            Self::TooComplex => {
                ("too_complex", Soft, "The file is more complex than is examined: check it, or send a simpler copy")
            }
            Self::TooSmall => ("too_small", Soft, "The picture is too small to be read: send a larger one"),
            Self::Blank => ("blank", Soft, "The picture shows nothing: send another"),
            Self::Polyglot => ("polyglot", Soft, "The file is also of another format: send a copy that is not"),
            Self::TrailingData => {
                ("trailing_data", Soft, "The file goes on after its end: check it, or send a clean copy")
            }
            Self::Loop => ("loop", Soft, "Parts of the file refer to each other in a circle: send another copy"),
            Self::ActiveContent => {
                ("active_content", Soft, "The file carries scripts, programs or other files: send a copy without them")
            }
            Self::Encrypted => ("encrypted", Soft, "The file is protected by a password: send a copy without one"),
            Self::NoPages => ("no_pages", Hard, "The document has no pages: send one that has"),
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
pub(super) fn content(applicant: &Applicant, _: Days, context: &mut CheckContext) {
    for file in applicant.parties().flat_map(|party| party.all_files()) {
        context.applies();
        let Some(inspection) = &file.inspection else {
            context.soft(
                "not_inspected",
                file.path.clone(),
                "The file could not be examined: check it, or request the verification again",
            );
            continue;
        };
        for defect in &inspection.defects {
            let (code, severity, message) = defect.describe();
            context.find(severity, code, file.path.clone(), message);
        }
    }
}

/// A front that is the very file of its back.
pub(super) fn front_and_back(applicant: &Applicant, _: Days, context: &mut CheckContext) {
    for entry in applicant.parties().flat_map(|party| &party.identifications) {
        let of_side = |side: Side| entry.files.iter().filter(move |file: &&File| file.side == side);
        for back in of_side(Side::Back) {
            for front in of_side(Side::Front) {
                context.applies();
                if front.sha256 == back.sha256 {
                    context.soft(
                        "front_equals_back",
                        back.path.clone(),
                        "The back is the same file as the front: send the other side",
                    );
                }
            }
        }
    }
}
