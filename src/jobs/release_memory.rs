//! Makes the allocator return freed memory to the operating system.
//!
//! mimalloc returns a freed block after a delay, but looks for such blocks only when another large one is freed. A service
//! that becomes idle after a password was hashed or large files were received frees nothing more, and keeps their memory.

use std::hint::black_box;
use std::time::Duration;

use super::{Job, Lock, TaskGroup};

pub(super) const JOB: Job = Job {
    name: "release_memory",
    interval: Duration::from_secs(30),
    time_limit: Duration::from_secs(30),
    lock: Lock::None,
    metrics: &["process_resident_memory_bytes"],
};

/// Bytes of a block that mimalloc takes from its arenas directly, and that does not fit into the place of a single one of
/// their blocks, 32 MiB.
const LARGE: usize = 33 << 20;
/// Longer than the delay of mimalloc, 100 ms for arenas.
const DELAY: Duration = Duration::from_millis(500);

pub(super) fn start(tasks: &TaskGroup) {
    tasks.spawn_job(&JOB, || async {
        // Nothing is written to either, so that they cost no memory. Freeing the first schedules, freeing the second after
        // the delay returns what was scheduled.
        let (first, second) = (block(), block());
        drop(first);
        tokio::time::sleep(DELAY).await;
        drop(second);
    });
}

fn block() -> Vec<u8> {
    black_box(Vec::with_capacity(LARGE))
}
