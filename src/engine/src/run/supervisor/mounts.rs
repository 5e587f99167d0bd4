//! The mounts of commands, and their end.
//! Unaware of what is mounted.
//!
//! The kernel takes the mounts of a namespace off when its last user goes, and waits for all processors meanwhile. That
//! would be the command as it ends, and so who waits for it; a thread of ours holds them longer and waits instead.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};

use super::tag::Tag;

/// So many wait to be taken off at most: each takes a file descriptor.
const MOST: usize = 32;

/// The mounts of all commands that have not been looked after.
#[derive(Debug, Default)]
pub(super) struct Mounts {
    held: Mutex<BTreeMap<Tag, OwnedFd>>,
    to_end: Mutex<Option<SyncSender<OwnedFd>>>,
}

impl Mounts {
    pub fn hold(&self, tag: Tag, mounts: OwnedFd) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.insert(tag, mounts);
    }

    /// The command with this tag has ended.
    pub fn release(&self, tag: Tag) {
        let held = self.held.lock();
        let mounts = held.unwrap_or_else(PoisonError::into_inner).remove(&tag);
        if let Some(mounts) = mounts {
            // With too many before it, it is taken off here.
            let _ = self.sender().map(|to_end| to_end.try_send(mounts));
        }
    }

    fn sender(&self) -> Option<SyncSender<OwnedFd>> {
        let mut to_end = self.to_end.lock().unwrap_or_else(PoisonError::into_inner);
        if to_end.is_none() {
            let (sender, all) = sync_channel(MOST);
            let builder = std::thread::Builder::new().name("mounts".into());
            builder.spawn(move || all.iter().for_each(drop)).ok()?;
            *to_end = Some(sender);
        }
        to_end.clone()
    }
}
