//! The files of the archive: lines, manifests and signatures. Without I/O.

use chrono::NaiveDate;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::store::EventRecord;

/// The ends of the names of a manifest and of its signature.
pub(super) const MANIFEST: &str = ".manifest.json";
pub(super) const SIGNATURE: &str = ".manifest.sig";
/// The end of the name of a file of events.
pub(super) const EVENTS: &str = ".jsonl";
/// The version of the format.
pub(super) const VERSION: u32 = 1;

/// What a file of events holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of the format.
    pub version: u32,
    /// The client that owns the users.
    pub client_id: Uuid,
    /// The day (UTC) that the events belong to.
    pub day: NaiveDate,
    /// The name of the file beside the manifest.
    pub file: String,
    /// The SHA-256 of the file, in hex.
    pub sha256: String,
    /// How many events it holds.
    pub events: u64,
    /// The first event.
    pub first: Place,
    /// The last event.
    pub last: Place,
    /// The SHA-256 of the client's manifest before, in hex; none: this is its first.
    pub previous: Option<String>,
    /// The public key that it is signed with: base64 of 32 bytes.
    pub public_key: String,
}

/// An event in the order of all events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The position.
    pub position: i64,
    /// The id.
    pub event_id: Uuid,
}

/// A line of a file of events.
#[derive(Serialize)]
struct Line<'a> {
    position: i64,
    event_id: Uuid,
    event: &'a str,
    user_id: Uuid,
    sequence: i64,
    created_at: String,
    data: &'a serde_json::Value,
}

/// The lines of events.
pub(super) fn lines(events: &[EventRecord]) -> Vec<u8> {
    let mut text = Vec::new();
    for event in events {
        let line = Line {
            position: event.position,
            event_id: event.id,
            event: &event.kind,
            user_id: event.user_id,
            sequence: event.sequence,
            created_at: event.created_at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
            data: &event.payload,
        };
        // Texts, numbers and JSON: a vector takes them all.
        serde_json::to_writer(&mut text, &line).expect("an event is JSON");
        text.push(b'\n');
    }
    text
}

/// The place of a line.
pub(super) fn place(line: &[u8]) -> Option<Place> {
    serde_json::from_slice(line).ok()
}

/// The SHA-256, in hex.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest(&SHA256, bytes))
}
