//! Files sealed in chunks, so that neither sealing nor opening needs a file in memory, and any part of one can be read.
//!
//! Layout: format (1) ‖ salt (32) ‖ chunks. Each chunk is up to 64 KiB of the file, sealed with AES-256-GCM, ‖ tag (16).
//! All but the last are full. This is STREAM (Hoang, Reyhanitabar, Rogaway and Vizár, 2015) as the format age has it: the key
//! is the file's own, HKDF-SHA256 of the user's key with the salt and the file's place; the nonce is the number of the chunk
//! and whether it is the last. A chunk that is altered, moved, repeated or left out does not open, nor does a file that is cut.

use std::ops::Range;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf;

use super::VaultError;
use super::seal::KEY_LEN;
use crate::env::Env;

/// The bytes of a file in one chunk.
pub(super) const CHUNK: usize = 64 * 1024;
/// The bytes of a full chunk once it is sealed.
pub(super) const SEALED_CHUNK: usize = CHUNK + TAG_LEN;
/// The bytes before the first chunk.
pub(super) const HEADER_LEN: usize = 1 + SALT_LEN;

const TAG_LEN: usize = 16;
const SALT_LEN: usize = 32;
/// Of files. What is sealed in one piece ends in another.
const FORMAT: u8 = 2;
/// Separates the keys of files from any others that may be derived from a user's key.
const LABEL: &[u8] = b"kira-users/file/";

/// The key of one file at its place.
struct FileKey(LessSafeKey);

impl FileKey {
    fn new(key: &[u8; KEY_LEN], salt: &[u8], place: &[u8]) -> Self {
        let secret = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(key);
        let info = [LABEL, &[FORMAT], place];
        // The only cause of a failure is a key of more than 255 digests.
        let derived = secret.expand(&info, &AES_256_GCM).expect("the key has the length of one digest");
        Self(LessSafeKey::new(UnboundKey::from(derived)))
    }

    fn nonce(number: u64, is_last: bool) -> Nonce {
        let mut nonce = [0; NONCE_LEN];
        nonce[3..NONCE_LEN - 1].copy_from_slice(&number.to_be_bytes());
        nonce[NONCE_LEN - 1] = u8::from(is_last);
        Nonce::assume_unique_for_key(nonce)
    }
}

/// Seals one file, chunk by chunk.
pub(super) struct ChunkSealer {
    key: FileKey,
    next: u64,
}

impl ChunkSealer {
    /// A new file's sealer, and the header that the file begins with.
    pub(super) fn new(key: &[u8; KEY_LEN], place: &[u8], env: &dyn Env) -> (Self, [u8; HEADER_LEN]) {
        let mut header = [FORMAT; HEADER_LEN];
        env.fill_random(&mut header[1..]);
        (Self { key: FileKey::new(key, &header[1..], place), next: 0 }, header)
    }

    /// Seals the next chunk where it lies: [`CHUNK`] bytes, or fewer of the last.
    pub(super) fn seal(&mut self, chunk: &mut Vec<u8>, is_last: bool) {
        debug_assert!(chunk.len() == CHUNK || is_last && chunk.len() < CHUNK, "only the last is shorter");
        let nonce = FileKey::nonce(self.next, is_last);
        self.next += 1;
        // The only cause of a failure is a plaintext of more than 64 GiB.
        self.key.0.seal_in_place_append_tag(nonce, Aad::empty(), chunk).expect("a chunk is short");
    }
}

/// Opens the chunks of one file.
pub(super) struct ChunkOpener(FileKey);

impl ChunkOpener {
    /// The opener of the file that begins with `header`.
    pub(super) fn new(key: &[u8; KEY_LEN], place: &[u8], header: &[u8]) -> Result<Self, VaultError> {
        match header.split_first() {
            Some((&FORMAT, salt)) if salt.len() == SALT_LEN => Ok(Self(FileKey::new(key, salt, place))),
            _ => Err(VaultError::UnknownFormat),
        }
    }

    /// Opens the chunk of this number where it lies. Returns how many bytes it has.
    pub(super) fn open(&self, number: u64, is_last: bool, chunk: &mut [u8]) -> Result<usize, VaultError> {
        let opened = self.0.0.open_in_place(FileKey::nonce(number, is_last), Aad::empty(), chunk);
        opened.map(|opened| opened.len()).map_err(|_| VaultError::DoesNotOpen)
    }
}

/// Where the chunks that have a part of a file lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ChunkRange {
    /// The number of the first chunk.
    pub(super) first: u64,
    /// The number of the file's last chunk, in this part or not.
    pub(super) last_of_file: u64,
    /// Their bytes in the sealed file.
    pub(super) sealed: Range<u64>,
    /// The bytes of the first chunk before the part.
    pub(super) skip: usize,
}

/// The chunks that have the bytes `range` of a file of `size` bytes.
pub(super) fn chunks_of(size: u64, range: &Range<u64>) -> ChunkRange {
    let last_of_file = size.saturating_sub(1) / CHUNK as u64;
    let first = range.start / CHUNK as u64;
    let last = range.end.saturating_sub(1).max(range.start) / CHUNK as u64;
    let whole = HEADER_LEN as u64 + size + (last_of_file + 1) * TAG_LEN as u64;
    let start = |number: u64| HEADER_LEN as u64 + number * SEALED_CHUNK as u64;
    #[expect(clippy::cast_possible_truncation, reason = "less than a chunk")]
    let skip = (range.start % CHUNK as u64) as usize;
    ChunkRange { first, last_of_file, sealed: start(first)..start(last + 1).min(whole), skip }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::SystemEnv;

    const KEY: [u8; KEY_LEN] = [3; KEY_LEN];

    fn content(length: usize) -> Vec<u8> {
        (0..length).map(|index| (index % 251) as u8).collect()
    }

    /// The header, and the sealed chunks.
    fn sealed(content: &[u8], place: &[u8]) -> (Vec<u8>, Vec<Vec<u8>>) {
        let (mut sealer, header) = ChunkSealer::new(&KEY, place, &SystemEnv::default());
        let count = content.len().div_ceil(CHUNK).max(1);
        let chunks = (0..count).map(|index| {
            let mut chunk = content[index * CHUNK..content.len().min((index + 1) * CHUNK)].to_vec();
            sealer.seal(&mut chunk, index + 1 == count);
            chunk
        });
        let chunks = chunks.collect();
        (header.to_vec(), chunks)
    }

    fn opened(header: &[u8], chunks: &[Vec<u8>], place: &[u8]) -> Result<Vec<u8>, VaultError> {
        let opener = ChunkOpener::new(&KEY, place, header)?;
        let mut content = Vec::new();
        for (index, chunk) in chunks.iter().enumerate() {
            let mut chunk = chunk.clone();
            let length = opener.open(index as u64, index + 1 == chunks.len(), &mut chunk)?;
            content.extend_from_slice(&chunk[..length]);
        }
        Ok(content)
    }

    #[test]
    fn a_file_of_any_length_opens_as_it_was() {
        for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK] {
            let content = content(length);
            let (header, chunks) = sealed(&content, b"here");
            assert_eq!(opened(&header, &chunks, b"here"), Ok(content), "{length}");
        }
    }

    #[test]
    fn a_chunk_that_is_altered_moved_repeated_or_missing_does_not_open() {
        let (header, chunks) = sealed(&content(3 * CHUNK + 7), b"here");
        let fails = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
            let mut changed = chunks.clone();
            change(&mut changed);
            assert_eq!(opened(&header, &changed, b"here"), Err(VaultError::DoesNotOpen));
        };
        fails(&|chunks| chunks[0][0] ^= 1);
        fails(&|chunks| chunks[2][CHUNK - 1] ^= 0x80);
        fails(&|chunks| chunks[3][0] ^= 1);
        fails(&|chunks| chunks.swap(0, 1));
        fails(&|chunks| drop(chunks.pop()));
        fails(&|chunks| drop(chunks.remove(1)));
        fails(&|chunks| chunks.insert(1, chunks[1].clone()));
        fails(&|chunks| chunks[3].truncate(10));
    }

    #[test]
    fn a_file_opens_with_its_header_and_in_its_place_alone() {
        let (header, chunks) = sealed(b"scan", b"here");
        assert_eq!(opened(&header, &chunks, b"there"), Err(VaultError::DoesNotOpen));
        let (other, _) = sealed(b"scan", b"here");
        assert_eq!(opened(&other, &chunks, b"here"), Err(VaultError::DoesNotOpen));
        assert_eq!(opened(&header[..9], &chunks, b"here"), Err(VaultError::UnknownFormat));
        assert_eq!(opened(&[&[9], &header[1..]].concat(), &chunks, b"here"), Err(VaultError::UnknownFormat));
    }

    #[test]
    fn the_chunks_of_a_part_are_those_that_have_its_bytes() {
        let chunk = CHUNK as u64;
        let range = |size, range| chunks_of(size, &range);
        let start = |number: u64| 33 + number * (chunk + 16);
        let part = |first, last_of_file, sealed, skip| ChunkRange { first, last_of_file, sealed, skip };
        assert_eq!(range(10, 0..10), part(0, 0, 33..59, 0));
        assert_eq!(range(0, 0..0), part(0, 0, 33..49, 0));
        assert_eq!(range(chunk, 0..chunk), part(0, 0, 33..start(1), 0));
        assert_eq!(range(3 * chunk + 5, chunk - 1..chunk + 1), part(0, 3, 33..start(2), CHUNK - 1));
        assert_eq!(range(3 * chunk + 5, 3 * chunk + 2..3 * chunk + 5), part(3, 3, start(3)..start(3) + 21, 2));
    }
}
