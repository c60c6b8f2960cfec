//! Files that a line names by their paths: `"file":"@front.jpg"` in a document stands for the data URI of that file.

use std::fs;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use super::line::Problem;

/// Of a file that is larger, nothing is read: the service takes a sixth of it.
const MAX_FILE: u64 = 64 * 1024 * 1024;
/// Nesting that is looked into; the service refuses what is deeper.
const MAX_DEPTH: usize = 128;
/// The lists whose elements have files.
const DOCUMENTS: &str = "documents";
const FILE: &str = "file";
/// The one member whose keys are the client's own.
const METADATA: &str = "metadata";

/// A file that a body names.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reference {
    /// The text that stands for it, quotes included.
    range: Range<usize>,
    /// Where it is in the body.
    place: String,
    file: PathBuf,
    size: u64,
}

/// The files that a body names, which lie in `folder` or below.
pub(super) fn find(body: &str, folder: &Path) -> Result<Vec<Reference>, Problem> {
    if !body.contains("\"@") {
        return Ok(Vec::new());
    }
    let mut scanner = Scanner { text: body, at: 0, place: Vec::new(), found: Vec::new() };
    scanner.value();
    scanner.found.into_iter().map(|(range, place, name)| reference(range, place, &name, folder)).collect()
}

/// How many bytes a body takes with its files.
pub(super) fn filled_size(body: &str, references: &[Reference]) -> u64 {
    body.len() as u64 + references.iter().map(|reference| reference.size.div_ceil(3) * 4 + 64).sum::<u64>()
}

/// The body with its files.
pub(super) fn fill(body: &str, references: &[Reference]) -> Result<Vec<u8>, Problem> {
    let mut filled = Vec::with_capacity(usize::try_from(filled_size(body, references)).unwrap_or_default());
    let mut written = 0;
    for Reference { range, place, file, .. } in references {
        let content = fs::read(file).map_err(|_| Problem::new(place.clone(), "file_unreadable"))?;
        filled.extend_from_slice(&body.as_bytes()[written..range.start]);
        filled.extend_from_slice(format!("\"data:{};base64,", media_type(&content)).as_bytes());
        base64_simd::STANDARD.encode_append(&content, &mut filled);
        filled.push(b'"');
        written = range.end;
    }
    filled.extend_from_slice(&body.as_bytes()[written..]);
    Ok(filled)
}

/// The media type that the first bytes say; the service refuses any other.
fn media_type(content: &[u8]) -> &'static str {
    match content {
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [b'%', b'P', b'D', b'F', b'-', ..] => "application/pdf",
        _ => "application/octet-stream",
    }
}

fn reference(range: Range<usize>, place: String, name: &str, folder: &Path) -> Result<Reference, Problem> {
    let problem = |code| Problem::new(place.clone(), code);
    let relative = Path::new(name);
    // A file of lines comes from elsewhere: it names no file outside of its folder, not by a link either.
    if name.is_empty() || !relative.components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(problem("file_outside"));
    }
    let file = folder.join(relative).canonicalize().map_err(|_| problem("file_unreadable"))?;
    let folder = folder.canonicalize().map_err(|_| problem("file_unreadable"))?;
    if !file.starts_with(folder) {
        return Err(problem("file_outside"));
    }
    let metadata = fs::metadata(&file).map_err(|_| problem("file_unreadable"))?;
    match metadata.len() {
        _ if !metadata.is_file() => Err(problem("file_unreadable")),
        size if size > MAX_FILE => Err(problem("too_big")),
        size => Ok(Reference { range, place, file, size }),
    }
}

/// A step on the way to a value.
enum Step {
    Key(String),
    Index(usize),
}

/// Finds the texts of documents that name files, in a text that is JSON.
struct Scanner<'a> {
    text: &'a str,
    at: usize,
    place: Vec<Step>,
    found: Vec<(Range<usize>, String, String)>,
}

impl Scanner<'_> {
    fn value(&mut self) {
        self.skip_space();
        match self.peek() {
            Some(b'{') if self.place.len() < MAX_DEPTH => self.object(),
            Some(b'[') if self.place.len() < MAX_DEPTH => self.array(),
            Some(b'"') => {
                let range = self.string();
                if self.is_file() {
                    self.note(range);
                }
            }
            // A number, a word, or what is too deep: up to the end of it.
            _ => self.at += self.text[self.at..].find([',', ']', '}']).unwrap_or(self.text.len() - self.at),
        }
    }

    fn object(&mut self) {
        self.at += 1;
        self.skip_space();
        while self.peek() == Some(b'"') {
            let range = self.string();
            let key: String = serde_json::from_str(&self.text[range]).unwrap_or_default();
            self.skip_past(b':');
            self.place.push(Step::Key(key));
            self.value();
            self.place.pop();
            self.skip_past(b',');
        }
        self.skip_past(b'}');
    }

    fn array(&mut self) {
        self.at += 1;
        self.skip_space();
        let mut index = 0;
        while self.peek().is_some_and(|byte| byte != b']') {
            self.place.push(Step::Index(index));
            self.value();
            self.place.pop();
            self.skip_past(b',');
            index += 1;
        }
        self.skip_past(b']');
    }

    /// Passes over a text; gives its place, quotes included.
    fn string(&mut self) -> Range<usize> {
        let start = self.at;
        self.at += 1;
        while let Some(byte) = self.peek() {
            self.at += if byte == b'\\' { 2 } else { 1 };
            if byte == b'"' {
                break;
            }
        }
        start..Ord::min(self.at, self.text.len())
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn skip_past(&mut self, byte: u8) {
        self.skip_space();
        if self.peek() == Some(byte) {
            self.at += 1;
        }
        self.skip_space();
    }

    /// Whether the value here is the file of a document.
    fn is_file(&self) -> bool {
        let of_client = matches!(self.place.first(), Some(Step::Key(key)) if key == METADATA);
        let is_document = |steps: &[Step]| match steps {
            [.., Step::Key(list), Step::Index(_), Step::Key(file)] => list == DOCUMENTS && file == FILE,
            _ => false,
        };
        !of_client && is_document(&self.place)
    }

    fn note(&mut self, range: Range<usize>) {
        let text: String = serde_json::from_str(&self.text[range.clone()]).unwrap_or_default();
        if let Some(name) = text.strip_prefix('@') {
            let steps = self.place.iter().map(|step| match step {
                Step::Key(key) => key.clone(),
                Step::Index(index) => index.to_string(),
            });
            let place = steps.collect::<Vec<_>>().join(".");
            self.found.push((range, place, name.to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("a.jpg"), b"\xff\xd8\xffa").expect("a file");
        fs::create_dir(folder.path().join("below")).expect("a folder");
        fs::write(folder.path().join("below/\u{e9}.pdf"), b"%PDF-1").expect("a file");
        folder
    }

    fn filled(body: &str) -> Result<String, Problem> {
        let folder = folder();
        let references = find(body, folder.path())?;
        fill(body, &references).map(|bytes| String::from_utf8(bytes).expect("UTF-8"))
    }

    #[test]
    fn files_of_documents_take_the_place_of_their_names_and_nothing_else_changes() {
        let body = r#"{"documents" : [ {"file":"@a.jpg", "type":"front"},{"file" : "@below/\u00e9.pdf"} ],"email":"@a.jpg",
            "metadata":{"documents":[{"file":"@a.jpg"}]},"n":[1,-2.5e3,true,null,{},[]],"x":[{"documents":[{"file":"data:x"}]}]}"#;
        let expected = body
            .replacen("\"@a.jpg\"", "\"data:image/jpeg;base64,/9j/YQ==\"", 1)
            .replace("\"@below/\\u00e9.pdf\"", "\"data:application/pdf;base64,JVBERi0x\"");
        assert_eq!(filled(body), Ok(expected));
    }

    #[test]
    fn a_file_that_is_not_there_or_not_of_the_folder_is_told_by_its_place() {
        let body = |name: &str| format!(r#"{{"a":[{{"documents":[{{}},{{"file":"@{name}"}}]}}]}}"#);
        let place = "a.0.documents.1.file";
        for (name, code) in [
            ("none.jpg", "file_unreadable"),
            ("below", "file_unreadable"),
            ("", "file_outside"),
            ("../a.jpg", "file_outside"),
            ("/etc/passwd", "file_outside"),
            ("below/../../x", "file_outside"),
        ] {
            assert_eq!(filled(&body(name)), Err(Problem::new(place, code)), "{name}");
        }
        let folder = folder();
        symlink("/etc/hostname", folder.path().join("link.jpg")).expect("a link");
        assert_eq!(find(&body("link.jpg"), folder.path()), Err(Problem::new(place, "file_outside")));
    }

    #[test]
    fn what_nests_without_end_is_left_to_the_service() {
        let deep = format!("{}\"@\"{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
        assert_eq!(find(&deep, Path::new("/")), Ok(Vec::new()));
    }
}
