//! Lists and events as streams.

use std::future::Future;
use std::time::Duration;

use futures_util::stream::{self, Stream, StreamExt as _, TryStreamExt as _};
use tokio::time::Instant;
use tonic::{Status, Streaming};

use crate::{Client, Error, v1};

/// A stream of events that lived so long had no trouble.
const STEADY: Duration = Duration::from_secs(10);

/// A request for a page of a list.
pub trait List: Clone + Send + 'static {
    /// What the list is of.
    type Item: Send;

    /// One page, and where the list goes on behind it.
    fn page(self, client: &Client) -> impl Future<Output = Result<(Vec<Self::Item>, Option<String>), Status>> + Send;

    /// The request for the page behind a cursor.
    #[must_use]
    fn behind(self, cursor: String) -> Self;
}

impl List for v1::ListEventsRequest {
    type Item = v1::Event;

    async fn page(self, client: &Client) -> Result<(Vec<v1::Event>, Option<String>), Status> {
        let page = client.events().list_events(self).await?.into_inner();
        Ok((page.data, page.has_more.then_some(page.next_cursor)))
    }

    fn behind(self, cursor: String) -> Self {
        Self { cursor: Some(cursor), ..self }
    }
}

impl List for v1::ListReviewsRequest {
    type Item = v1::Review;

    async fn page(self, client: &Client) -> Result<(Vec<v1::Review>, Option<String>), Status> {
        let page = client.reviews().list_reviews(self).await?.into_inner();
        Ok((page.data, page.pagination.and_then(|page| page.next_cursor)))
    }

    fn behind(self, cursor: String) -> Self {
        Self { cursor: Some(cursor), offset: None, ..self }
    }
}

impl List for v1::ListWebhookDeliveriesRequest {
    type Item = v1::WebhookDelivery;

    async fn page(self, client: &Client) -> Result<(Vec<v1::WebhookDelivery>, Option<String>), Status> {
        let page = client.webhooks().list_webhook_deliveries(self).await?.into_inner();
        Ok((page.data, page.pagination.and_then(|page| page.next_cursor)))
    }

    fn behind(self, cursor: String) -> Self {
        Self { cursor: Some(cursor), offset: None, ..self }
    }
}

impl Client {
    /// A whole list, read page by page as the stream is read.
    pub fn list<L: List>(&self, request: L) -> impl Stream<Item = Result<L::Item, Error>> + Send + use<L> {
        let client = self.clone();
        stream::try_unfold(Some(request), move |request| {
            let client = client.clone();
            async move {
                let Some(request) = request else { return Ok(None) };
                let (items, next) = request.clone().page(&client).await?;
                let next = next.map(|cursor| request.behind(cursor));
                Ok::<_, Error>(Some((stream::iter(items).map(Ok), next)))
            }
        })
        .try_flatten()
    }

    /// The events behind a cursor, and then each new one as it happens. After a break the stream goes on from the last event
    /// that came; without one, and without a cursor in the request, it ends with the error, because nothing says where to go
    /// on. Keep the id of the last event that is dealt with: it is the next cursor.
    pub fn watch(
        &self,
        request: v1::WatchEventsRequest,
    ) -> impl Stream<Item = Result<v1::Event, Error>> + Send + use<> {
        let watch = Watch { client: self.clone(), request, events: None, opened: Instant::now(), tries: 0 };
        stream::try_unfold(watch, |mut watch| async move { Ok(watch.next().await?.map(|event| (event, watch))) })
    }
}

/// The status of a stream that broke: what the service says, or that the connection is lost.
fn broken(status: Status) -> Status {
    match Error::from(status.clone()).reason {
        Some(_) => status,
        None => Status::unavailable(status.message()),
    }
}

struct Watch {
    client: Client,
    request: v1::WatchEventsRequest,
    events: Option<Streaming<v1::WatchEventsResponse>>,
    opened: Instant,
    tries: u32,
}

impl Watch {
    async fn next(&mut self) -> Result<Option<v1::Event>, Error> {
        loop {
            match self.message().await {
                Ok(Some(v1::WatchEventsResponse { event: Some(event), .. })) => {
                    let id = event.data.as_ref().map(|data| data.event_id.clone());
                    (self.request.cursor, self.request.last_event_id, self.tries) = (id, None, 0);
                    return Ok(Some(event));
                }
                Ok(Some(_)) => {}
                Ok(None) => self.pause(Status::unavailable("the service has ended the stream")).await?,
                Err(status) => self.pause(status).await?,
            }
        }
    }

    async fn message(&mut self) -> Result<Option<v1::WatchEventsResponse>, Status> {
        if self.events.is_none() {
            self.events = Some(self.client.events().watch_events(self.request.clone()).await?.into_inner());
            self.opened = Instant::now();
        }
        match &mut self.events {
            Some(events) => events.message().await.map_err(broken),
            None => Ok(None),
        }
    }

    /// Waits before the stream is opened again.
    async fn pause(&mut self, status: Status) -> Result<(), Error> {
        let error = Error::from(status);
        let was_open = self.events.take().is_some();
        if was_open && self.opened.elapsed() > STEADY {
            self.tries = 0;
        }
        let knows_place = self.request.cursor.is_some() || self.request.last_event_id.is_some();
        let delay = self.client.channel().retries().delay(&error, self.tries, knows_place).filter(|_| was_open);
        tokio::time::sleep(delay.ok_or(error)?).await;
        self.tries += 1;
        Ok(())
    }
}
