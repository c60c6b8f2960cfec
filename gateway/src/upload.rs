//! Calls that take a stream of messages: the first says what the request is about, and is checked like any other request
//! before the service gets the rest.

use tonic::{Request, Status, Streaming};

/// The first message of a stream, once it is checked. A request extension.
#[derive(Clone, Debug)]
pub struct First<T>(T);

impl<T: Clone + Default + Send + Sync + 'static> First<T> {
    /// Takes it out of a request that has passed the checks.
    pub fn of(request: &mut Request<Streaming<T>>) -> T {
        request.extensions_mut().remove::<Self>().map(|first| first.0).unwrap_or_default()
    }
}

/// Takes the first message off a stream; the empty message where there is none.
///
/// # Errors
/// What reading it found.
pub async fn open<T: Default>(request: Request<Streaming<T>>) -> Result<(Request<T>, Streaming<T>), Status> {
    let (metadata, extensions, mut messages) = request.into_parts();
    let first = messages.message().await?.unwrap_or_default();
    Ok((Request::from_parts(metadata, extensions, first), messages))
}

/// The request for the service: its first message is an extension.
pub fn join<T>(first: Request<T>, messages: Streaming<T>) -> Request<Streaming<T>>
where
    T: Clone + Send + Sync + 'static,
{
    let (metadata, mut extensions, first) = first.into_parts();
    extensions.insert(First(first));
    Request::from_parts(metadata, extensions, messages)
}
