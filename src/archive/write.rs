//! Moving events to the archive.
//!
//! The files of a day are written for every client before the database is told, and rows are deleted after that. Killed
//! in between, the next run writes the same files again, or deletes what is left.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::ArchiveError;
use super::manifest::{EVENTS, MANIFEST, Manifest, Place, SIGNATURE, VERSION, lines, sha256};
use crate::env::SharedEnv;
use crate::store::{ArchiveHead, ArchiveSegment, EventFilter, EventRecord, Store};
use crate::vault::EvidenceKey;
use crate::vault::documents::DocumentStore;

/// Events of one file, at a few hundred bytes each in memory.
const FILE: usize = 50_000;
/// Events that one statement reads.
const PAGE: u64 = 1_000;

/// Moves events to the archive.
pub struct Archiver {
    /// The database.
    pub store: Store,
    /// The object store.
    pub objects: DocumentStore,
    /// Clock, identifiers, randomness.
    pub env: SharedEnv,
    /// Signs manifests.
    pub key: EvidenceKey,
}

/// What a run has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Archived {
    /// Events.
    pub events: u64,
    /// Files of events.
    pub files: u64,
    /// Until when events are archived: the end of the last day. None: this run has archived none.
    pub until: Option<DateTime<Utc>>,
}

impl Archiver {
    /// Archives the days that ended before `before`, oldest first, and deletes their events. What a reader of the history
    /// has not passed stays.
    ///
    /// # Errors
    /// The database or the object store; the next run continues.
    pub async fn run(&self, before: DateTime<Utc>) -> Result<Archived, ArchiveError> {
        let before = Ord::min(before, self.env.now());
        let mut archived = Archived::default();
        self.store.delete_archived_events().await?;
        while let Some(segment) = self.store.next_archive_segment(before).await? {
            let mut heads = Vec::new();
            for client in self.store.list_clients().await? {
                heads.extend(self.write_client(client.id, segment, &mut archived).await?);
            }
            if self.store.finish_archive_segment(segment, heads).await? {
                archived.until = Some(segment.end());
            }
            self.store.delete_archived_events().await?;
        }
        Ok(archived)
    }

    /// Writes the events of a client in a segment. None: it has none.
    async fn write_client(
        &self,
        client_id: Uuid,
        segment: ArchiveSegment,
        archived: &mut Archived,
    ) -> Result<Option<ArchiveHead>, ArchiveError> {
        let mut previous = self.store.archive_of(client_id).await?.map(|head| head.digest);
        let (mut after, mut head) = (segment.first - 1, None);
        loop {
            let events = self.read(client_id, after, segment.last).await?;
            let (Some(first), Some(last)) = (events.first(), events.last()) else { return Ok(head) };
            after = last.position;
            let digest = self.write_file(client_id, segment, &events, (first, last), previous).await?;
            archived.files += 1;
            archived.events += events.len() as u64;
            previous = Some(digest.clone());
            head = Some(ArchiveHead {
                client_id,
                last_position: last.position,
                last_event_id: last.id,
                stored_from: segment.end(),
                digest,
            });
        }
    }

    /// The events of one file.
    async fn read(&self, client_id: Uuid, mut after: i64, last: i64) -> Result<Vec<EventRecord>, ArchiveError> {
        let mut events = Vec::new();
        while events.len() < FILE {
            let mut page = self.store.list_events(client_id, &EventFilter::default(), after, PAGE).await?;
            let is_last = (page.len() as u64) < PAGE;
            page.retain(|event| event.position <= last);
            let Some(end) = page.last().map(|event| event.position) else { break };
            after = end;
            events.append(&mut page);
            if is_last {
                break;
            }
        }
        Ok(events)
    }

    /// Writes a file; the digest of its manifest. The manifest comes last, so that what it names is there.
    async fn write_file(
        &self,
        client_id: Uuid,
        segment: ArchiveSegment,
        events: &[EventRecord],
        (first, last): (&EventRecord, &EventRecord),
        previous: Option<String>,
    ) -> Result<String, ArchiveError> {
        let place = |event: &EventRecord| Place { position: event.position, event_id: event.id };
        let day = segment.day.date_naive();
        let name = format!("{day}-{}", first.position);
        let lines = lines(events);
        let manifest = Manifest {
            version: VERSION,
            client_id,
            day,
            file: format!("{name}{EVENTS}"),
            sha256: sha256(&lines),
            events: events.len() as u64,
            first: place(first),
            last: place(last),
            previous,
            public_key: self.key.public(),
        };
        // Texts and numbers: they are always JSON.
        let manifest = serde_json::to_vec_pretty(&manifest).expect("a manifest is JSON");
        let key = |end: &str| format!("{}/{client_id}/{name}{end}", self.objects.archive());
        let (digest, signature) = (sha256(&manifest), self.key.sign(&manifest));
        self.objects.put(&key(EVENTS), lines).await?;
        self.objects.put(&key(SIGNATURE), format!("{signature}\n").into_bytes()).await?;
        self.objects.put(&key(MANIFEST), manifest).await?;
        Ok(digest)
    }
}
