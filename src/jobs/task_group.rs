//! Tasks that stop together.

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Job;

/// Tasks that stop together; dropping the group cancels them.
#[derive(Default)]
pub struct TaskGroup {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl TaskGroup {
    /// Spawns a task, which gets the token of the group and is to end when that is cancelled.
    pub fn spawn<F: Future<Output = ()> + Send + 'static>(&self, task: impl FnOnce(CancellationToken) -> F) {
        self.tracker.spawn(task(self.stop.clone()));
    }

    /// Spawns `job`, whose rounds are `work`.
    pub(super) fn spawn_job<F: Future<Output = ()> + Send + 'static>(
        &self,
        job: &'static Job,
        work: impl FnMut() -> F + Send + 'static,
    ) {
        tracing::debug!(job = job.name, interval = ?job.interval, lock = job.lock.as_str(), "job started");
        self.spawn(|stop| job.run(stop, work));
    }

    /// Cancelled when the tasks are to stop.
    #[must_use]
    pub const fn token(&self) -> &CancellationToken {
        &self.stop
    }

    /// Asks all tasks to stop.
    pub fn stop(&self) {
        self.stop.cancel();
        self.tracker.close();
    }

    /// Waits until all tasks have ended.
    pub async fn ended(&self) {
        self.tracker.wait().await;
    }
}

impl Drop for TaskGroup {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
