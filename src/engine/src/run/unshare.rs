//! What a thread or process stops sharing with all others: mounts, its working folder, the numbers of its children.
//! Unaware of who is started within, and of what is mounted. Walls and supervisor both stand on it.

use std::io;

use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::thread::{UnshareFlags, unshare_unsafe};

/// Mounts of this thread's own: what is mounted outside later is seen here; what is mounted here stays here.
pub(super) fn own_mounts() -> io::Result<()> {
    unshare(UnshareFlags::NEWNS)?;
    let flags = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    mount_change("/", flags)?;
    Ok(())
}

/// A copy of the mounts that this thread sees; what passes on from one to the other stays as it was set.
pub(super) fn copied_mounts() -> io::Result<()> {
    unshare(UnshareFlags::NEWNS)
}

/// The next process that this thread starts is PID 1 of a new namespace. This thread may start no threads from then on.
pub(super) fn own_children() -> io::Result<()> {
    unshare(UnshareFlags::NEWPID)
}

/// Mounts of this process's own, with the right to change them that a user namespace gives; `map` says who is who in
/// there. The process has one thread.
pub(super) fn own_users_and_mounts(map: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    unshare(UnshareFlags::NEWUSER)?;
    map()?;
    own_mounts()
}

/// A working folder of this thread's own: without it no thread may change its mounts.
pub(super) fn own_folder() -> io::Result<()> {
    unshare(UnshareFlags::FS)
}

#[expect(unsafe_code, reason = "see SAFETY")]
fn unshare(flags: UnshareFlags) -> io::Result<()> {
    // SAFETY: `unshare` is unsafe for one of its flags, CLONE_FILES, which would leave this thread with a table of file
    // descriptors of its own while other threads close and reuse the numbers that it knows. That flag is given by no
    // caller in this file. Those that are change only which namespaces this thread's children get (NEWPID), which mounts
    // this thread sees (NEWNS), whose rights it has (NEWUSER, which the kernel refuses where there are other threads), and
    // that it has a working folder and umask of its own (FS); no memory, descriptor or other thread is touched.
    unsafe { unshare_unsafe(flags) }?;
    Ok(())
}
