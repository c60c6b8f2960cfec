//! The tasks of a running service: those that end together, and those that recur.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Tasks that end together.
#[derive(Default)]
pub(super) struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    pub(super) fn spawn<F: Future<Output = ()> + Send + 'static>(&self, task: impl FnOnce(CancellationToken) -> F) {
        self.tracker.spawn(task(self.stop.clone()));
    }

    /// Cancelled when they are to stop.
    pub(super) fn token(&self) -> &CancellationToken {
        &self.stop
    }

    pub(super) fn stop(&self) {
        self.stop.cancel();
        self.tracker.close();
    }

    pub(super) async fn ended(&self) {
        self.tracker.wait().await;
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A task that recurs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recurring {
    /// Its name in the log.
    pub(super) name: &'static str,
    /// From the beginning of one round to that of the next.
    pub(super) interval: Duration,
    /// How long one round may take.
    pub(super) limit: Duration,
}

impl Recurring {
    /// Does `work` at once and then again and again, until told to stop. A round that panics or takes too long is the
    /// end of that round alone.
    ///
    /// Work may be dropped wherever it waits: by the stop, and by the limit.
    pub(super) async fn run<F: Future<Output = ()>>(self, stop: CancellationToken, mut work: impl FnMut() -> F) {
        let Self { name, interval, limit } = self;
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let round = async {
                ticks.tick().await;
                // What a round shares with the next one is behind locks of Tokio, which know no poisoning, or is replaced
                // as a whole.
                let working = AssertUnwindSafe(async { work().await }).catch_unwind();
                match tokio::time::timeout(limit, working).await {
                    Ok(Ok(())) => {}
                    // What it said may hold anything; where it was is in the log already.
                    Ok(Err(_)) => tracing::error!(task = name, "panicked, and goes on at its next round"),
                    Err(_) => tracing::error!(task = name, ?limit, "took too long, and goes on at its next round"),
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = round => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::sync::mpsc;

    use super::*;

    const OFTEN: Recurring =
        Recurring { name: "test", interval: Duration::from_millis(1), limit: Duration::from_secs(600) };

    /// Runs `first` as the first round; gives the end of the second.
    async fn second_round<F: Future<Output = ()> + Send + 'static>(recurring: Recurring, first: fn() -> F) {
        let (sender, mut done) = mpsc::unbounded_channel();
        let tasks = Tasks::default();
        tasks.spawn(|stop| {
            let mut rounds = 0;
            recurring.run(stop, move || {
                rounds += 1;
                let (is_first, sender) = (rounds == 1, sender.clone());
                async move {
                    if is_first {
                        first().await;
                    }
                    let _ = sender.send(is_first);
                }
            })
        });
        assert_eq!(done.recv().await, Some(false), "the first round does not end well, the second does");
        tasks.stop();
        tasks.ended().await;
    }

    #[tokio::test]
    async fn a_round_that_panics_is_not_the_last() {
        second_round(OFTEN, || async { panic!("a round of the test") }).await;
    }

    #[tokio::test]
    async fn a_round_that_never_ends_is_not_the_last() {
        second_round(Recurring { limit: Duration::from_millis(1), ..OFTEN }, pending).await;
    }

    #[tokio::test]
    async fn a_stop_does_not_wait_for_a_round() {
        let (sender, mut begun) = mpsc::unbounded_channel();
        let tasks = Tasks::default();
        tasks.spawn(|stop| {
            OFTEN.run(stop, move || {
                let _ = sender.send(());
                pending()
            })
        });
        begun.recv().await.expect("a round begins");
        tasks.stop();
        tokio::time::timeout(Duration::from_secs(60), tasks.ended()).await.expect("the task ends");
    }
}
