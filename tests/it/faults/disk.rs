//! A folder whose files fail on demand, for a program that is started with the shim.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::harness::program::Setup;

/// The numbers of `shim.c`: what they are called there, in order.
#[derive(Clone, Copy)]
enum Number {
    Armed,
    Skip,
    Error,
    Kinds,
    Times,
    Failed = 6,
}

/// What can fail, as `shim.c` numbers it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Calls(i32);

impl Calls {
    pub(crate) const READS: Self = Self(4);
    /// Writes, fsyncs, renames, changes of a file's size.
    pub(crate) const WRITES: Self = Self(1 | 2 | 8 | 16);
    /// What needs room: writes and changes of a file's size.
    pub(crate) const GROWTH: Self = Self(1 | 16);
}

/// The errors of a disk, as Linux numbers them.
pub(crate) const EIO: i32 = 5;
pub(crate) const ENOSPC: i32 = 28;
/// Until [`Disk::heal`].
pub(crate) const ALWAYS: i32 = i32::MAX;

/// The control of the shim.
pub(crate) struct Disk {
    plan: File,
    /// Of the shim and its plan.
    _folder: TempDir,
}

impl Disk {
    /// Builds the shim, and lets the programs of `setup` start with it, over all files of its folder.
    pub(crate) fn under(setup: &mut Setup) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (library, plan) = (folder.path().join("shim.so"), folder.path().join("plan"));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/faults/shim.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]).args([&library, &source]).arg("-ldl");
        assert!(compiler.status().expect("a C compiler").success());
        std::fs::write(&plan, [0; 32]).expect("a plan");
        setup.set("LD_PRELOAD", &library.display().to_string());
        setup.set("FAULT_PLAN", &plan.display().to_string());
        setup.set("FAULT_FOLDER", &setup.folder.path().display().to_string());
        let plan = File::options().read(true).write(true).open(&plan).expect("the plan");
        Self { plan, _folder: folder }
    }

    fn set(&self, number: Number, value: i32) {
        self.plan.write_all_at(&value.to_ne_bytes(), 4 * number as u64).expect("the plan");
    }

    fn get(&self, number: Number) -> i32 {
        let mut bytes = [0; 4];
        self.plan.read_exact_at(&mut bytes, 4 * number as u64).expect("the plan");
        i32::from_ne_bytes(bytes)
    }

    /// Lets `times` calls fail with `error`, after `skip` that succeed.
    pub(crate) fn fail(&self, calls: Calls, error: i32, skip: i32, times: i32) {
        self.heal();
        self.set(Number::Failed, 0);
        self.set(Number::Kinds, calls.0);
        self.set(Number::Error, error);
        self.set(Number::Skip, skip);
        self.set(Number::Times, times);
        self.set(Number::Armed, 1);
    }

    /// Nothing fails any more; how many calls did.
    pub(crate) fn heal(&self) -> i32 {
        self.set(Number::Armed, 0);
        self.get(Number::Failed)
    }
}
