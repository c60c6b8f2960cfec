//! One change of a user at a time within this process: concurrent changes would conflict, and the last of many might
//! never succeed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Mutex as Turnstile, OwnedMutexGuard};
use uuid::Uuid;

type Waiting = Mutex<HashMap<Uuid, Arc<Turnstile<()>>>>;

/// The lock of each user that is being changed. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Turns(Arc<Waiting>);

/// The right to change a user, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    waiting: Arc<Waiting>,
    id: Uuid,
    /// None only while it is dropped.
    held: Option<OwnedMutexGuard<()>>,
    /// Whether another change was waited for.
    pub(super) waited: bool,
}

impl Turns {
    /// Waits until all earlier changes of this user are done.
    pub(super) async fn of(&self, id: Uuid) -> Turn {
        let turnstile = Arc::clone(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(id).or_default());
        let free = Arc::clone(&turnstile).try_lock_owned().ok();
        let waited = free.is_none();
        let held = match free {
            Some(held) => held,
            None => turnstile.lock_owned().await,
        };
        Turn { waiting: Arc::clone(&self.0), id, held: Some(held), waited }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        self.held = None;
        // A waiting request holds the turnstile as well.
        if waiting.get(&self.id).is_some_and(|turnstile| Arc::strong_count(turnstile) == 1) {
            waiting.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn the_changes_of_a_user_pass_in_the_order_of_their_coming_and_leave_nothing_behind() {
        let (turns, id) = (Turns::default(), Uuid::from_u128(1));
        let first = turns.of(id).await;
        assert!(!first.waited);
        assert!(!turns.of(Uuid::from_u128(2)).await.waited, "another user is another matter");
        let (mut second, mut third) = (Box::pin(turns.of(id)), Box::pin(turns.of(id)));
        assert!(second.as_mut().now_or_never().is_none() && third.as_mut().now_or_never().is_none());
        drop(first);
        assert!(third.as_mut().now_or_never().is_none(), "the second comes first");
        let second = second.await;
        assert!(second.waited);
        drop(second);
        drop(third.await);
        assert!(turns.0.lock().expect("no panic").is_empty());
    }

    #[tokio::test]
    async fn who_stops_waiting_does_not_hold_the_others_up() {
        let (turns, id) = (Turns::default(), Uuid::from_u128(1));
        let first = turns.of(id).await;
        assert!(Box::pin(turns.of(id)).now_or_never().is_none());
        drop(first);
        drop(turns.of(id).await);
        assert!(turns.0.lock().expect("no panic").is_empty());
    }
}
