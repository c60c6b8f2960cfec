//! Files of users in the document store: sealed as they arrive, and opened as they are read.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::chunks::{CHUNK, ChunkOpener, ChunkRange, ChunkSealer, HEADER_LEN, SEALED_CHUNK, chunks_of};
use super::documents::{DocumentError, DocumentStore, Source, Upload};
use super::{AeadContext, DataKey, VaultError};

/// Chunks that are read and opened at a time.
const AT_ONCE: usize = 4;

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The document store does not have it, or is unavailable.
    #[error(transparent)]
    Store(#[from] DocumentError),
    /// It was altered or cut, or is sealed under another key.
    #[error(transparent)]
    Sealed(#[from] VaultError),
}

/// A file on its way into the document store. What is dropped before it is finished is not stored.
pub struct FileWriter {
    sealer: ChunkSealer,
    /// What is not sealed yet: less than a chunk, or a full one of which nothing says yet whether it is the last.
    chunk: Vec<u8>,
    upload: Upload,
}

impl FileWriter {
    /// Begins a file with this key in the document store.
    #[must_use]
    pub fn begin(documents: &DocumentStore, key: &str, data_key: &DataKey, place: &AeadContext) -> Self {
        let (sealer, header) = data_key.seal_chunks(place);
        let mut upload = documents.upload(key);
        upload.begin(&header);
        Self { sealer, chunk: Vec::new(), upload }
    }

    /// Adds bytes to the file.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn write(&mut self, mut data: &[u8]) -> Result<(), DocumentError> {
        while !data.is_empty() {
            if self.chunk.len() == CHUNK {
                self.seal(false).await?;
            }
            if self.chunk.capacity() == 0 {
                self.chunk.reserve_exact(SEALED_CHUNK);
            }
            let (now, later) = data.split_at(data.len().min(CHUNK - self.chunk.len()));
            self.chunk.extend_from_slice(now);
            data = later;
        }
        Ok(())
    }

    async fn seal(&mut self, is_last: bool) -> Result<(), DocumentError> {
        self.sealer.seal(&mut self.chunk, is_last);
        self.upload.write(&self.chunk).await?;
        self.chunk.clear();
        Ok(())
    }

    /// Ends the file; it is durable when this returns.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn finish(mut self) -> Result<(), DocumentError> {
        self.seal(true).await?;
        self.upload.finish().await
    }

    /// Gives the file up.
    pub async fn abort(self) {
        self.upload.abort().await;
    }
}

/// A part of a stored file.
pub struct FileReader {
    source: Source,
    opener: Arc<ChunkOpener>,
    /// The number of the next chunk.
    next: u64,
    last_of_file: u64,
    /// Sealed bytes that are still to be read.
    sealed_left: u64,
    /// Bytes of the next chunk before the part.
    skip: usize,
    /// Bytes of the part that are still to come.
    left: u64,
}

impl std::fmt::Debug for FileReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileReader").field("left", &self.left).finish_non_exhaustive()
    }
}

impl FileReader {
    /// The bytes `range` of the file with this key, which has `size` bytes.
    ///
    /// # Errors
    /// Without the file, the document store or the right key.
    pub async fn open(
        documents: &DocumentStore,
        key: &str,
        (data_key, place): (&DataKey, &AeadContext),
        size: u64,
        range: Range<u64>,
    ) -> Result<Self, FileError> {
        let ChunkRange { first, last_of_file, sealed, skip } = chunks_of(size, &range);
        let (header, source) = documents.read(key, HEADER_LEN, sealed.clone()).await?;
        Ok(Self {
            source,
            opener: Arc::new(data_key.open_chunks(place, &header)?),
            next: first,
            last_of_file,
            sealed_left: sealed.end - sealed.start,
            skip,
            left: range.end - range.start,
        })
    }

    /// The next bytes; none at the end.
    ///
    /// # Errors
    /// The document store is unavailable, or these bytes are not those that were stored.
    pub async fn next(&mut self) -> Result<Option<Bytes>, FileError> {
        if self.left == 0 {
            return Ok(None);
        }
        let wanted = usize::try_from(self.sealed_left).unwrap_or(usize::MAX).min(AT_ONCE * SEALED_CHUNK);
        let mut data = self.source.read(wanted).await?;
        if data.len() < wanted {
            // It was cut.
            return Err(VaultError::DoesNotOpen.into());
        }
        self.sealed_left -= wanted as u64;
        let (mut from, mut to) = (0, 0);
        while from < data.len() {
            let end = data.len().min(from + SEALED_CHUNK);
            let opened = self.opener.open(self.next, self.next == self.last_of_file, &mut data[from..end])?;
            data.copy_within(from..from + opened, to);
            (from, to) = (end, to + opened);
            self.next += 1;
        }
        let start = std::mem::take(&mut self.skip).min(to);
        let end = to.min(start + usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= (end - start) as u64;
        data.truncate(to);
        if start == end {
            return Err(VaultError::DoesNotOpen.into());
        }
        Ok(Some(Bytes::from(data).slice(start..end)))
    }

    /// All bytes that are still to come.
    ///
    /// # Errors
    /// As [`FileReader::next`].
    pub async fn read_all(mut self) -> Result<Vec<u8>, FileError> {
        let mut content = Vec::with_capacity(usize::try_from(self.left).unwrap_or_default());
        while let Some(bytes) = self.next().await? {
            content.extend_from_slice(&bytes);
        }
        Ok(content)
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;
    use uuid::Uuid;

    use super::*;
    use crate::env::{Env, SystemEnv};
    use crate::vault::{KeyRing, Owner, Vault};

    const KEY: &str = "2026-11-23T08/file";

    fn scene() -> (TempDir, DocumentStore, DataKey, AeadContext) {
        let folder = tempfile::tempdir().expect("a folder");
        let documents =
            DocumentStore::open(&folder.path().display().to_string(), Uuid::from_u128(6)).expect("a folder");
        let ring = KeyRing::parse("test:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=").expect("a ring");
        let env = SystemEnv::default();
        let owner = Owner { client_id: env.new_id(), user_id: env.new_id() };
        let place = AeadContext::DocumentContent { id: env.new_id(), uploaded_at: env.now() };
        let (key, _) = Vault::new(ring, Arc::new(env)).new_data_key(owner);
        (folder, documents, key, place)
    }

    fn content(length: usize) -> Vec<u8> {
        (0..length).map(|index| (index % 251) as u8).collect()
    }

    async fn store(documents: &DocumentStore, data_key: &DataKey, place: &AeadContext, content: &[u8]) {
        let mut writer = FileWriter::begin(documents, KEY, data_key, place);
        for piece in content.chunks(100_001) {
            writer.write(piece).await.expect("room");
        }
        writer.finish().await.expect("room");
    }

    #[tokio::test]
    async fn any_part_of_a_file_of_any_length_is_read_as_it_was_written() {
        let (_folder, documents, key, place) = scene();
        for length in [1, CHUNK, CHUNK + 1, 3_000_000] {
            let content = content(length);
            store(&documents, &key, &place, &content).await;
            let end = length as u64;
            for range in [0..end, 0..1, end - 1..end, end / 2..end, end / 3..end / 3 + 1] {
                let reader = FileReader::open(&documents, KEY, (&key, &place), end, range.clone()).await;
                let found = reader.expect("the file").read_all().await.expect("the part");
                let expected = &content[range.start as usize..range.end as usize];
                assert!(found == expected, "{length}: {range:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_file_that_is_dropped_before_its_end_leaves_nothing() {
        let (folder, documents, key, place) = scene();
        let mut writer = FileWriter::begin(&documents, KEY, &key, &place);
        writer.write(&content(2_000_000)).await.expect("room");
        writer.abort().await;
        let read = FileReader::open(&documents, KEY, (&key, &place), 1, 0..1).await;
        assert!(matches!(read, Err(FileError::Store(DocumentError::Missing))), "{read:?}");
        let left = std::fs::read_dir(folder.path().join("2026-11-23T08")).map(Iterator::count).unwrap_or_default();
        assert_eq!(left, 0, "neither the file nor what was written of it");
    }

    #[tokio::test]
    async fn a_flipped_bit_fails_where_it_is_and_a_cut_file_at_its_end() {
        let (folder, documents, key, place) = scene();
        let content = content(1_000_000);
        store(&documents, &key, &place, &content).await;
        let path = folder.path().join(KEY);
        let whole = std::fs::read(&path).expect("the file");
        let mut flipped = whole.clone();
        flipped[900_000] ^= 1;
        for changed in [flipped, whole[..900_000].to_vec(), whole[..SEALED_CHUNK * 15 + HEADER_LEN].to_vec()] {
            std::fs::write(&path, changed).expect("room");
            let reader = FileReader::open(&documents, KEY, (&key, &place), 1_000_000, 0..1_000_000).await;
            let mut reader = reader.expect("the header");
            let first = reader.next().await.expect("these are as they were").expect("some");
            assert!(first == content[..first.len()]);
            assert!(matches!(reader.read_all().await, Err(FileError::Sealed(VaultError::DoesNotOpen))));
        }
    }
}
