mod documents;
mod pictures;

use proptest::prelude::*;

use super::*;

/// What is found in a file, alone.
fn defects(media_type: MediaType, bytes: &[u8]) -> Vec<Defect> {
    inspect(media_type, bytes).defects
}

/// An empty archive: the shortest that programs accept.
fn zip() -> Vec<u8> {
    [b"PK\x05\x06".as_slice(), &[0; 18]].concat()
}

const MEDIA_TYPES: [MediaType; 4] = [MediaType::Unspecified, MediaType::Jpeg, MediaType::Png, MediaType::Pdf];

/// A good file of each format, to be broken.
fn samples() -> [(MediaType, Vec<u8>); 4] {
    [
        (MediaType::Jpeg, pictures::jpeg(240, 200, true)),
        (MediaType::Png, pictures::png(240, 200)),
        (MediaType::Pdf, documents::classic(&documents::ONE_PAGE)),
        (MediaType::Pdf, documents::compressed()),
    ]
}

#[test]
fn what_no_reader_takes_is_undecodable() {
    assert_eq!(defects(MediaType::Unspecified, b"hello"), [Defect::Undecodable]);
    assert_eq!(defects(MediaType::Jpeg, b"\xFF\xD8\xFF"), [Defect::Undecodable]);
    assert_eq!(defects(MediaType::Png, b""), [Defect::Truncated]);
    assert_eq!(defects(MediaType::Pdf, b"%PDF-1.7\n%%EOF"), [Defect::Undecodable]);
}

#[test]
fn every_prefix_of_a_good_file_has_a_defect() {
    for (media_type, bytes) in samples() {
        for length in (0..bytes.len() - 6).step_by(7) {
            assert_ne!(defects(media_type, &bytes[..length]), [], "{} cut at {length}", media_type.as_str_name());
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_an_inspection_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        for media_type in MEDIA_TYPES {
            let _ = inspect(media_type, &bytes);
        }
    }

    #[test]
    fn no_change_of_a_good_file_makes_an_inspection_panic(
        sample in 0_usize..4,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        cut in any::<prop::sample::Index>(),
        whole in any::<bool>(),
    ) {
        let (media_type, mut bytes) = samples()[sample].clone();
        for (at, byte) in changes {
            let length = bytes.len();
            bytes[at.index(length)] = byte;
        }
        if !whole {
            bytes.truncate(cut.index(bytes.len()));
        }
        let _ = inspect(media_type, &bytes);
    }

    #[test]
    fn no_text_like_a_document_makes_an_inspection_panic(text in "(%PDF-|xref|trailer|<<|>>|\\[|\\]|\\(|/Kids|/Prev|/W| 1| 0| R| obj|stream|[0-9]{1,20}|#|\\\\|\n){0,80}") {
        let _ = inspect(MediaType::Pdf, format!("%PDF-1.7\n{text}\nstartxref\n9\n%%EOF").as_bytes());
    }
}
