//! A PID namespace for what threads start, and a view of `/proc` that fits it.
//! Unaware of who is started.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use rustix::fs::{Mode, OFlags};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use rustix::process::{Pid, PidfdFlags, chdir, fchdir, getpid, pidfd_open};
use rustix::thread::{
    ThreadNameSpaceType, UnshareFlags, move_into_thread_name_spaces, unshare_unsafe,
};

/// Set to `off`, it has runs do without a namespace.
const VARIABLE: &str = "PIPELINE_NAMESPACE";

/// Whether the user wants none.
pub(super) fn is_unwanted() -> bool {
    std::env::var_os(VARIABLE).is_some_and(|value| value == "off")
}

/// A new namespace, as seen from outside.
#[derive(Debug)]
pub(super) struct Namespace {
    /// Its PID 1.
    init: OwnedFd,
    /// This process, in the namespaces that were there before.
    own: OwnedFd,
    /// The working folder: whoever enters other mounts finds itself at their root.
    folder: PathBuf,
    own_folder: OwnedFd,
}

thread_local! {
    /// Whether this thread has a working folder of its own: only such a thread may change its mounts.
    static IS_APART: Cell<bool> = const { Cell::new(false) };
}

impl Namespace {
    /// The one whose PID 1 is `init`.
    pub fn of(init: Pid) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self {
            init: pidfd_open(init, PidfdFlags::empty())?,
            own: pidfd_open(getpid(), PidfdFlags::empty())?,
            folder: std::env::current_dir()?,
            own_folder: rustix::fs::open(".", flags, Mode::empty())?,
        })
    }

    /// Whether nothing can be started in it any more: its PID 1 gives up its namespaces before it ends the others.
    pub fn is_closed(&self) -> bool {
        self.inside(|| Ok(())).is_err()
    }

    /// What `start` starts is born inside, and sees a `/proc` that fits. This thread is back outside when it returns.
    pub fn inside<T>(&self, start: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        if !IS_APART.get() {
            unshare(UnshareFlags::FS)?;
            IS_APART.set(true);
        }
        move_into_thread_name_spaces(self.init.as_fd(), BOTH)?;
        let started = chdir(&self.folder)
            .map_err(io::Error::from)
            .and_then(|()| start());
        move_into_thread_name_spaces(self.own.as_fd(), BOTH)?;
        fchdir(&self.own_folder)?;
        started
    }
}

const BOTH: ThreadNameSpaceType = ThreadNameSpaceType::PROCESS_ID.union(ThreadNameSpaceType::MOUNT);

/// What this thread starts next is PID 1 of a new namespace, with mounts of its own. This thread may start no threads.
pub(super) fn enter() -> io::Result<()> {
    unshare(UnshareFlags::NEWPID | UnshareFlags::NEWNS)?;
    // What is mounted outside later is seen inside; what is mounted inside stays there.
    let flags = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    mount_change("/", flags)?;
    Ok(())
}

#[expect(unsafe_code, reason = "see SAFETY")]
fn unshare(flags: UnshareFlags) -> io::Result<()> {
    // SAFETY: `unshare` is unsafe for one of its flags, CLONE_FILES, which would leave this thread with a table of file
    // descriptors of its own while other threads close and reuse the numbers that it knows. That flag is given by no
    // caller in this file. Those that are change only which namespaces this thread's children get (NEWPID), which mounts
    // this thread sees (NEWNS), and that it has a working folder and umask of its own (FS); no memory, descriptor or
    // other thread is touched.
    unsafe { unshare_unsafe(flags) }?;
    Ok(())
}

/// Mounts the `/proc` of this process's PID namespace, for all that share its mounts.
pub(super) fn mount_proc() -> io::Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", "/proc", "proc", flags, None)?;
    Ok(())
}
