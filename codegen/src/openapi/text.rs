//! Texts from the comments of the contract.

use prost_reflect::{EnumDescriptor, FieldDescriptor, FileDescriptor, Kind};

/// The comment before an element: paragraphs without line breaks within them.
pub(super) fn comment(file: &FileDescriptor, path: &[i32]) -> String {
    let info = file.file_descriptor_proto().source_code_info.as_ref();
    let found = info.into_iter().flat_map(|info| &info.location).find(|location| location.path == path);
    let comment = found.and_then(|location| location.leading_comments.clone()).unwrap_or_default();
    let paragraphs = comment.trim().split("\n\n").map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
    paragraphs.filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n\n")
}

/// The comment of a field.
pub(super) fn of_field(field: &FieldDescriptor) -> String {
    comment(&field.parent_message().parent_file(), field.path())
}

/// The first sentence of a comment, without its full stop.
pub(super) fn summary(comment: &str) -> String {
    let paragraph = comment.split("\n\n").next().unwrap_or_default();
    let end = paragraph.find(". ").or_else(|| paragraph.find(": ")).unwrap_or(paragraph.len());
    paragraph[..end].trim_end_matches('.').to_owned()
}

/// A name as words: `crop_production` is "Crop production".
pub(super) fn title(name: &str) -> String {
    format!("{}.", capitalized(&name.replace(['_', '-', '.'], " ")))
}

/// The enum of a field, or of the values of a map.
pub(super) fn enum_of(field: &FieldDescriptor) -> Option<EnumDescriptor> {
    match field.kind() {
        Kind::Enum(found) => Some(found),
        Kind::Message(entry) if field.is_map() => enum_of(&entry.map_entry_value_field()),
        _ => None,
    }
}

/// A word with a capital letter.
pub(super) fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// A name in camel case as words: `CreateUser` is "Create user".
pub(super) fn words(name: &str) -> String {
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
            words.extend(letter.to_lowercase());
        } else {
            words.push(letter);
        }
    }
    words
}
