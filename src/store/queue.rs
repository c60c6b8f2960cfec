//! A queue whose single worker takes all that has piled up and does it in one go.

use std::panic::AssertUnwindSafe;
use std::sync::{Mutex, PoisonError};

use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How much may wait; a caller beyond it waits for room.
const CAPACITY: usize = 1024;

/// A handle to the worker. Dropping the last handle ends the worker once the queue is empty.
pub(super) struct Queue<W, R> {
    sender: mpsc::Sender<Item<W, R>>,
    stop: CancellationToken,
    worker: Mutex<Option<JoinHandle<()>>>,
}

struct Item<W, R> {
    work: W,
    reply: oneshot::Sender<R>,
}

impl<W: Send + 'static, R: Send + 'static> Queue<W, R> {
    /// Starts a worker that calls `run` with up to `together` pieces of work at a time; `run` returns one result for
    /// each, in order.
    pub(super) fn start<F, Fut>(together: usize, run: F) -> Self
    where
        F: Fn(Vec<W>) -> Fut + Send + 'static,
        Fut: Future<Output = Vec<R>> + Send + 'static,
    {
        let (sender, receiver) = mpsc::channel(CAPACITY);
        let stop = CancellationToken::new();
        let worker = tokio::spawn(work_off(receiver, stop.clone(), together, run));
        Self { sender, stop, worker: Mutex::new(Some(worker)) }
    }

    /// Queues a piece of work and waits for its result. None: the queue is closed, or `run` panicked, so that the
    /// outcome is not known. A caller that stops waiting before its turn comes takes its work out.
    pub(super) async fn submit(&self, work: W) -> Option<R> {
        let (reply, result) = oneshot::channel();
        self.sender.send(Item { work, reply }).await.ok()?;
        result.await.ok()
    }

    /// Takes no more work and waits until all that is queued is done.
    pub(super) async fn close(&self) {
        self.stop.cancel();
        let worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(worker) = worker {
            // The worker catches the panics of `run`, so it ends by itself.
            let _ = worker.await;
        }
    }
}

async fn work_off<W, R, F, Fut>(
    mut receiver: mpsc::Receiver<Item<W, R>>,
    stop: CancellationToken,
    together: usize,
    run: F,
) where
    F: Fn(Vec<W>) -> Fut,
    Fut: Future<Output = Vec<R>>,
{
    let mut items = Vec::with_capacity(together);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled(), if !receiver.is_closed() => receiver.close(),
            count = receiver.recv_many(&mut items, together) => if count == 0 { return },
        }
        let (work, replies): (Vec<_>, Vec<_>) =
            items.drain(..).filter(|item| !item.reply.is_closed()).map(|Item { work, reply }| (work, reply)).unzip();
        if work.is_empty() {
            continue;
        }
        // A panic drops the replies, which the callers notice, and the worker goes on.
        match AssertUnwindSafe(run(work)).catch_unwind().await {
            Ok(results) => {
                for (reply, result) in replies.into_iter().zip(results) {
                    // The caller may have left meanwhile; its work is done all the same.
                    let _ = reply.send(result);
                }
            }
            Err(_) => tracing::error!("the store's writer panicked; it carries on"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::future::join_all;
    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn what_piles_up_is_done_in_one_go() {
        let gate = Arc::new(Semaphore::new(0));
        let held = Arc::clone(&gate);
        let queue = Queue::start(8, move |work: Vec<u32>| {
            let held = Arc::clone(&held);
            async move {
                held.acquire().await.expect("the gate stays open").forget();
                vec![work.len(); work.len()]
            }
        });
        let submissions = join_all((0..9).map(|number| queue.submit(number)));
        let (results, ()) = tokio::join!(submissions, async { gate.add_permits(9) });
        let mut sizes: Vec<_> = results.into_iter().flatten().collect();
        sizes.sort_unstable();
        assert_eq!(sizes.len(), 9);
        assert_eq!(sizes.last(), Some(&8));
    }

    #[tokio::test]
    async fn a_panic_costs_its_own_batch_only() {
        let queue = Queue::start(1, |work: Vec<u32>| async move {
            assert_ne!(work, [13], "planned");
            work
        });
        assert_eq!(queue.submit(13).await, None);
        assert_eq!(queue.submit(14).await, Some(14));
    }

    #[tokio::test]
    async fn a_caller_that_leaves_does_not_hold_the_others_up() {
        let queue = Queue::start(1, |work: Vec<u32>| async move { work });
        assert!(Box::pin(queue.submit(1)).now_or_never().is_none());
        assert_eq!(queue.submit(2).await, Some(2));
    }

    #[tokio::test]
    async fn closing_finishes_what_is_queued_and_takes_no_more() {
        let queue = Queue::start(2, |work: Vec<u32>| async move { work });
        let (results, ()) = tokio::join!(join_all((0..5).map(|number| queue.submit(number))), queue.close());
        assert_eq!(results, (0..5).map(Some).collect::<Vec<_>>());
        assert_eq!(queue.submit(6).await, None);
    }
}
