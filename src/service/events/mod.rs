//! The events service: what happened to a client's users, listed from a cursor on or watched (decisions, section 8).

mod convert;
mod feed;
mod watcher;

use std::sync::Arc;

use chrono::SecondsFormat;
use kira_gateway::error::{self, ErrorReason};
use tonic::{Request, Response, Status};
use uuid::Uuid;

pub use self::feed::Feed;
pub use self::watcher::EventStream;
use self::watcher::Watcher;
use super::failure::of_store;
use super::request::{caller, checked_id, unknown_cursor};
use crate::contract::v1;
use crate::contract::v1::events_service_server::EventsService;
use crate::per_client_permits::PerClientPermits;
use crate::service::convert::whole_seconds;
use crate::store::{ArchiveHead, EventFilter, Store};

/// How many events a list shows where the caller does not say.
const DEFAULT_LIMIT: u32 = 100;
/// Seconds after which an event that has no position yet should have one.
const RETRY_AFTER: u32 = 1;

/// Shows events.
pub struct Events {
    /// The database.
    pub store: Store,
    /// Notifies of new events.
    pub feed: Arc<Feed>,
    /// How many streams each client may have: each costs a query for every new event.
    pub streams: PerClientPermits,
}

#[tonic::async_trait]
impl EventsService for Events {
    async fn list_events(
        &self,
        request: Request<v1::ListEventsRequest>,
    ) -> Result<Response<v1::ListEventsResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let request = request.into_inner();
        let filter = filter(request.user_id.as_deref(), &request.types)?;
        let limit = u64::from(request.limit.unwrap_or(DEFAULT_LIMIT));
        // So that a caller finds the events of whatever it was answered before.
        self.store.assign_positions().await.map_err(of_store)?;
        let cursor = request.cursor.map(|cursor| checked_id(Some(cursor))).transpose()?.unwrap_or_default();
        let after = self.position(client_id, cursor, "cursor").await?;
        let begins_at = if cursor.is_nil() { self.begins_at(client_id).await? } else { None };
        let mut records = self.store.list_events(client_id, &filter, after, limit + 1).await.map_err(of_store)?;
        let has_more = records.len() as u64 > limit;
        if has_more {
            records.pop();
        }
        let next_cursor = records.last().map_or(cursor, |record| record.id).to_string();
        let data = records.into_iter().map(convert::event).collect::<Result<_, _>>()?;
        Ok(Response::new(v1::ListEventsResponse { data, next_cursor, has_more, begins_at }))
    }

    type WatchEventsStream = EventStream;

    async fn watch_events(
        &self,
        request: Request<v1::WatchEventsRequest>,
    ) -> Result<Response<Self::WatchEventsStream>, Status> {
        let client_id = caller(&request)?.client_id;
        let v1::WatchEventsRequest { cursor, last_event_id, user_id, types } = request.into_inner();
        let filter = filter(user_id.as_deref(), &types)?;
        let share = self.streams.take(client_id).ok_or_else(|| {
            let message = format!("At most {} event streams at a time", self.streams.each());
            error::status(ErrorReason::RateLimitExceeded, message)
        })?;
        // Before anything is read, so that nothing new is missed.
        let head = self.feed.subscribe();
        self.store.assign_positions().await.map_err(of_store)?;
        let position = match (last_event_id, cursor) {
            (Some(cursor), _) => self.position(client_id, checked_id(Some(cursor))?, "last-event-id").await?,
            (None, Some(cursor)) => self.position(client_id, checked_id(Some(cursor))?, "cursor").await?,
            (None, None) => self.store.last_position().await.map_err(of_store)?,
        };
        let begins_at = if position == 0 { self.begins_at(client_id).await? } else { None };
        let watcher = Watcher::new(self.store.clone(), client_id, filter, position, head, share);
        Ok(Response::new(watcher.into_stream(begins_at)))
    }
}

impl Events {
    /// The position of a cursor: behind the event that it names, which is one of this client's; nil is before the first.
    async fn position(&self, client_id: Uuid, cursor: Uuid, field: &'static str) -> Result<i64, Status> {
        if cursor.is_nil() {
            return Ok(0);
        }
        match self.store.find_position(client_id, cursor).await.map_err(of_store)? {
            Some(Some(position)) => Ok(position),
            Some(None) => Err(error::status_with_retry(ErrorReason::Unavailable, RETRY_AFTER)),
            None => match self.store.archive_of(client_id).await.map_err(of_store)? {
                // Behind its last archived event, nothing is missing.
                Some(archive) if archive.last_event_id == cursor => Ok(archive.last_position),
                Some(archive) => Err(archived(&archive)),
                None => Err(unknown_cursor(field)),
            },
        }
    }

    /// From when on the events of a client are stored; none: all of them are.
    async fn begins_at(&self, client_id: Uuid) -> Result<Option<prost_types::Timestamp>, Status> {
        let archive = self.store.archive_of(client_id).await.map_err(of_store)?;
        Ok(archive.map(|archive| whole_seconds(archive.stored_from)))
    }
}

/// The cursor names no event that is stored, and the client has events that are not any more.
fn archived(archive: &ArchiveHead) -> Status {
    let from = archive.stored_from.to_rfc3339_opts(SecondsFormat::Secs, true);
    let message =
        format!("No event with this cursor is stored. Older ones are archived; events are stored from {from} on");
    error::status(ErrorReason::EventsArchived, message)
}

/// Which events a request asks for.
fn filter(user_id: Option<&str>, types: &[i32]) -> Result<EventFilter, Status> {
    let user_id = user_id.map(|id| checked_id(Some(id))).transpose()?;
    let kinds = types.iter().filter_map(|number| v1::EventType::try_from(*number).ok()).map(|kind| kind.json_name());
    Ok(EventFilter { user_id, kinds: kinds.collect() })
}
