//! Files of documents.

use bytes::Bytes;

use crate::v1;

/// The content is of none of the media types that the service takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the file is no JPEG, PNG or PDF")]
pub struct UnknownContent;

/// The file with this content; its media type is told by its first bytes, as the service checks it.
///
/// # Errors
/// The content is no JPEG, PNG or PDF.
pub fn file(content: impl Into<Bytes>) -> Result<v1::File, UnknownContent> {
    let content = content.into();
    let media_type = match content.as_ref() {
        [0xFF, 0xD8, 0xFF, ..] => v1::MediaType::Jpeg,
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => v1::MediaType::Png,
        [b'%', b'P', b'D', b'F', b'-', ..] => v1::MediaType::Pdf,
        _ => return Err(UnknownContent),
    };
    Ok(v1::File { media_type: media_type.into(), content })
}

/// A document with this content.
///
/// # Errors
/// The content is no JPEG, PNG or PDF.
pub fn document(r#type: v1::DocumentType, content: impl Into<Bytes>) -> Result<v1::Document, UnknownContent> {
    Ok(v1::Document { r#type: Some(r#type.into()), file: Some(file(content)?), ..v1::Document::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_media_type_is_told_by_the_content() {
        let kind = |content: &'static [u8]| file(content).map(|file| file.media_type());
        assert_eq!(kind(b"\xff\xd8\xff\xe0"), Ok(v1::MediaType::Jpeg));
        assert_eq!(kind(b"\x89PNG\r\n\x1a\n"), Ok(v1::MediaType::Png));
        assert_eq!(kind(b"%PDF-1.4"), Ok(v1::MediaType::Pdf));
        assert_eq!(kind(b"GIF89a"), Err(UnknownContent));
        assert_eq!(kind(b""), Err(UnknownContent));
    }
}
