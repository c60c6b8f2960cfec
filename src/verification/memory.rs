//! How much of the memory the files of cases may take at once.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What all cases of a worker hold at once, in bytes.
const ALL: u64 = 256 * MIB;
/// The unit of the count.
const UNIT: u64 = 1024;

/// A mebibyte.
pub(super) const MIB: u64 = 1024 * 1024;

/// The memory for files. It is granted in the order of requests, so that small cases do not starve a large one.
#[derive(Clone, Debug)]
pub(super) struct Memory(Arc<Semaphore>);

impl Default for Memory {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(usize::try_from(ALL / UNIT).unwrap_or(Semaphore::MAX_PERMITS))))
    }
}

impl Memory {
    /// Waits for room for this many bytes, and holds it until the permit is dropped. A request beyond the
    /// limit gets all of it. None: no permit is needed for zero bytes.
    pub(super) async fn hold(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(bytes.min(ALL).div_ceil(UNIT)).unwrap_or(u32::MAX);
        if units == 0 {
            return None;
        }
        Arc::clone(&self.0).acquire_many_owned(units).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn what_does_not_fit_waits_until_there_is_room() {
        let memory = Memory::default();
        let first = memory.hold(200 * MIB).now_or_never().expect("there is room");
        assert!(memory.hold(100 * MIB).now_or_never().is_none());
        assert!(memory.hold(50 * MIB).now_or_never().is_some());
        drop(first);
        assert!(memory.hold(100 * MIB).now_or_never().is_some());
    }

    #[tokio::test]
    async fn a_case_that_is_larger_than_all_gets_all_and_is_alone() {
        let memory = Memory::default();
        let all = memory.hold(u64::MAX).now_or_never().expect("all memory is free");
        assert!(memory.hold(1).now_or_never().is_none());
        assert!(memory.hold(0).now_or_never().is_some(), "a case without files needs no room");
        drop(all);
        assert!(memory.hold(1).now_or_never().is_some());
    }
}
