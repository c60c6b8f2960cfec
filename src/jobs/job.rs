//! A recurring job: what it states about itself, and how it runs.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// A recurring job.
#[derive(Clone, Copy, Debug)]
pub struct Job {
    /// The name in the log: the name of the job's file.
    pub name: &'static str,
    /// The time from the start of one round to the start of the next.
    pub interval: Duration,
    /// How long one round may take; [`Duration::MAX`] for a round that ends only by an error or a stop.
    pub time_limit: Duration,
    /// What keeps two processes from doing the same work.
    pub lock: Lock,
    /// The metrics that show its work, by their Prometheus names.
    pub metrics: &'static [&'static str],
}

/// What keeps two processes from doing the same work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// The work belongs to one process, or may be done twice.
    None,
    /// A lock on the rows for the time of a transaction.
    Rows,
    /// A lease in the database, which one process holds until it ends.
    Lease,
}

impl Lock {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Rows => "rows",
            Self::Lease => "lease",
        }
    }
}

impl Job {
    /// Runs `work` at once and then at every interval, until `stop`. A round that panics or exceeds the time limit is
    /// logged, and the next one runs. `stop` and the time limit drop a round at its next await.
    pub(super) async fn run<F: Future<Output = ()>>(&self, stop: CancellationToken, mut work: impl FnMut() -> F) {
        let Self { name, interval, time_limit, .. } = *self;
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let round = async {
                ticks.tick().await;
                // What two rounds share is behind locks that know no poisoning, or is replaced as a whole.
                let working = AssertUnwindSafe(async { work().await }).catch_unwind();
                match tokio::time::timeout(time_limit, working).await {
                    Ok(Ok(())) => {}
                    // The panic hook has logged the location; the message may hold personal data.
                    Ok(Err(_)) => tracing::error!(job = name, "the job panicked; it runs again at its next interval"),
                    Err(_) => {
                        tracing::error!(
                            job = name,
                            ?time_limit,
                            "the job timed out; it runs again at its next interval"
                        );
                    }
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
    use crate::jobs::TaskGroup;

    const OFTEN: Job = Job {
        name: "test",
        interval: Duration::from_millis(1),
        time_limit: Duration::from_secs(600),
        lock: Lock::None,
        metrics: &[],
    };
    static FREQUENT: Job = OFTEN;
    static SHORT: Job = Job { time_limit: Duration::from_millis(1), ..OFTEN };

    /// Runs `first` as the first round; returns at the end of the second.
    async fn second_round<F: Future<Output = ()> + Send + 'static>(job: &'static Job, first: fn() -> F) {
        let (sender, mut done) = mpsc::unbounded_channel();
        let tasks = TaskGroup::default();
        let mut rounds = 0;
        tasks.spawn_job(job, move || {
            rounds += 1;
            let (is_first, sender) = (rounds == 1, sender.clone());
            async move {
                if is_first {
                    first().await;
                }
                let _ = sender.send(is_first);
            }
        });
        assert_eq!(done.recv().await, Some(false), "the first round does not end well, the second does");
        tasks.stop();
        tasks.ended().await;
    }

    #[tokio::test]
    async fn a_round_that_panics_is_not_the_last() {
        second_round(&FREQUENT, || async { panic!("a round of the test") }).await;
    }

    #[tokio::test]
    async fn a_round_that_never_ends_is_not_the_last() {
        second_round(&SHORT, pending).await;
    }

    #[tokio::test]
    async fn a_stop_does_not_wait_for_a_round() {
        let (sender, mut begun) = mpsc::unbounded_channel();
        let tasks = TaskGroup::default();
        tasks.spawn_job(&FREQUENT, move || {
            let _ = sender.send(());
            pending()
        });
        begun.recv().await.expect("a round begins");
        tasks.stop();
        tokio::time::timeout(Duration::from_secs(60), tasks.ended()).await.expect("the task ends");
    }
}
