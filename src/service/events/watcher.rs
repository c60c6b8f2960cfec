//! One stream of events: a page is read when the previous one was consumed, so that a slow reader delays only itself and
//! needs no buffer.

use std::collections::VecDeque;
use std::pin::Pin;

use futures_util::Stream;
use futures_util::stream::unfold;
use kira_gateway::error::{self, ErrorReason};
use tokio::sync::watch;
use tonic::Status;
use tracing::{Instrument as _, Span};
use uuid::Uuid;

use super::convert;
use crate::contract::v1;
use crate::per_client_permits::Permit;
use crate::service::failure::of_store;
use crate::store::{EventFilter, EventRecord, Store};

/// How many events are read at once.
const PAGE: u64 = 100;

/// The response of a watch.
pub type EventStream = Pin<Box<dyn Stream<Item = Result<v1::WatchEventsResponse, Status>> + Send>>;

/// The position of a stream.
pub(super) struct Watcher {
    store: Store,
    client_id: Uuid,
    filter: EventFilter,
    /// Everything up to here has been sent, or is not asked for.
    position: i64,
    head: watch::Receiver<i64>,
    page: VecDeque<EventRecord>,
    _share: Permit,
}

impl Watcher {
    pub(super) fn new(
        store: Store,
        client_id: Uuid,
        filter: EventFilter,
        position: i64,
        head: watch::Receiver<i64>,
        share: Permit,
    ) -> Self {
        Self { store, client_id, filter, position, head, page: VecDeque::new(), _share: share }
    }

    /// The events from here on; the first comes with `begins_at`. An error is the last item.
    pub(super) fn into_stream(self, begins_at: Option<prost_types::Timestamp>) -> EventStream {
        let span = Span::current();
        Box::pin(unfold(Some((self, begins_at)), move |watcher| {
            let next = async move {
                let (mut watcher, begins_at) = watcher?;
                match watcher.next().await {
                    Ok(event) => {
                        let response = v1::WatchEventsResponse { event: Some(event?), begins_at };
                        Some((Ok(response), Some((watcher, None))))
                    }
                    Err(status) => Some((Err(status), None)),
                }
            };
            next.instrument(span.clone())
        }))
    }

    /// Waits for the next event; none when there will be no more.
    async fn next(&mut self) -> Result<Option<v1::Event>, Status> {
        loop {
            if let Some(record) = self.page.pop_front() {
                self.position = record.position;
                return convert::event(record).map(Some);
            }
            let head = *self.head.borrow_and_update();
            let page = self.store.list_events(self.client_id, &self.filter, self.position, PAGE);
            self.page = page.await.map_err(of_store)?.into();
            if !self.page.is_empty() {
                self.check_client().await?;
            } else {
                // Up to the head there was nothing; it need not be looked through again.
                self.position = Ord::max(self.position, head);
                if self.head.changed().await.is_err() {
                    return Ok(None);
                }
            }
        }
    }

    /// A stream outlives the moment at which its caller was authenticated: a client that is disabled since gets nothing
    /// more.
    async fn check_client(&self) -> Result<(), Status> {
        let client = self.store.find_client(self.client_id).await.map_err(of_store)?;
        match client {
            Some(client) if client.disabled_at.is_none() => Ok(()),
            _ => Err(error::status(ErrorReason::Unauthorized, "Invalid API key")),
        }
    }
}
