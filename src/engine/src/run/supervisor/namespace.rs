//! A PID namespace for what threads start, and a view of files that fits it: `/proc`, and walls around the project.
//! Unaware of who is started.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use rustix::fs::{Mode, OFlags};
use rustix::mount::{MountFlags, mount};
use rustix::process::{Pid, PidfdFlags, chdir, fchdir, getpid, pidfd_open};
use rustix::thread::{ThreadNameSpaceType, move_into_thread_name_spaces};

use crate::run::unshare::{copied_mounts, own_children, own_folder, own_mounts};
use crate::run::walls::{View, build};

/// Set to `off`, it has runs do without a namespace.
const VARIABLE: &str = "PIPELINE_NAMESPACE";

/// Whether the user wants none.
pub(super) fn is_unwanted() -> bool {
    std::env::var_os(VARIABLE).is_some_and(|value| value == "off")
}

/// A new namespace, as seen from outside.
#[derive(Debug)]
pub(super) struct Namespace {
    /// Its PID 1; none where only mounts are changed.
    init: Option<OwnedFd>,
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
    /// The one whose PID 1 is `init`; without one, mounts alone are apart.
    pub fn of(init: Option<Pid>) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open = |pid| pidfd_open(pid, PidfdFlags::empty());
        Ok(Self {
            init: init.map(open).transpose()?,
            own: open(getpid())?,
            folder: std::env::current_dir()?,
            own_folder: rustix::fs::open(".", flags, Mode::empty())?,
        })
    }

    /// Whether nothing can be started in it any more: its PID 1 gives up its namespaces before it ends the others.
    pub fn is_closed(&self) -> bool {
        self.inside(|| Ok(())).is_err()
    }

    /// What `start` starts is born inside and sees a `/proc` that fits. This thread is back outside when it returns.
    pub fn inside<T>(&self, start: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let started = self.enter(None).and_then(|()| start());
        self.leave()?;
        started
    }

    /// What this thread starts from now on is born inside, sees a `/proc` that fits, and of the project what `view` shows.
    /// [`Namespace::leave`] ends that, and has to after an error, too.
    pub fn enter(&self, view: Option<&View>) -> io::Result<()> {
        if !IS_APART.get() {
            own_folder()?;
            IS_APART.set(true);
        }
        match &self.init {
            Some(init) => move_into_thread_name_spaces(init.as_fd(), BOTH)?,
            None => own_mounts()?,
        }
        self.set_up(view)
    }

    /// This thread is back outside. Where it was the last one inside of walls, they are taken off meanwhile.
    pub fn leave(&self) -> io::Result<()> {
        move_into_thread_name_spaces(self.own.as_fd(), BOTH)?;
        Ok(fchdir(&self.own_folder)?)
    }

    /// This thread stays inside until it ends.
    pub fn enter_for_good(&self) -> io::Result<()> {
        if let Some(init) = &self.init {
            own_folder()?;
            move_into_thread_name_spaces(init.as_fd(), BOTH)?;
            chdir(&self.folder)?;
        }
        Ok(())
    }

    /// The working folder, and the walls.
    fn set_up(&self, view: Option<&View>) -> io::Result<()> {
        chdir(&self.folder)?;
        let Some(view) = view else { return Ok(()) };
        if self.init.is_some() {
            copied_mounts().map_err(|e| walls(&e))?;
        }
        build(view).map_err(|e| walls(&e))
    }
}

fn walls(error: &io::Error) -> io::Error {
    io::Error::other(format!("the walls around the project: {error}"))
}

const BOTH: ThreadNameSpaceType = ThreadNameSpaceType::PROCESS_ID.union(ThreadNameSpaceType::MOUNT);

/// What this thread starts next is PID 1 of a new namespace, with mounts of its own. This thread may start no threads.
pub(super) fn enter() -> io::Result<()> {
    own_children()?;
    own_mounts()
}

/// Mounts the `/proc` of this process's PID namespace, for all that share its mounts.
pub(super) fn mount_proc() -> io::Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", "/proc", "proc", flags, None)?;
    Ok(())
}
