//! Commits that share a flush: a thread takes all that are pending, flushes once, and names their records.
//! Unaware of stages, and of who waits for a result.
//!
//! The outputs of a key are in their place, and may be read, when [`GroupCommit::commit`] returns. Its record gets its name
//! when the batch that it is in has been flushed, and the key's lock stays held until then: others see a key that is
//! being computed. Batches keep the order of the commits, so a record never comes before those of its inputs. SIGKILL
//! loses the commits of the batch that is being flushed and those behind it, whole; a power cut, in addition, the names
//! of the last two seconds.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crate::commit::Staged;
use crate::error::at;
use crate::mutex::locked;
use crate::{Facts, Key, Record, Result, Store, StoreError, Ticket};

/// Commits that may wait for a flush; each holds a lock, which is an open file. Further ones wait for room.
const PENDING: usize = 256;

/// For how long a batch gathers. Shorter than a flush of most disks takes, so nobody waits much longer for it.
const GATHER: Duration = Duration::from_millis(5);

/// For how long where the batch before was of several: short stages end one after the other, and a flush costs them
/// more than a wait does.
const GATHER_MANY: Duration = Duration::from_millis(200);

/// Names are put on the disk this long after a commit at the latest.
const NAMES: Duration = Duration::from_secs(2);

type Failures = Arc<Mutex<Vec<(Key, StoreError)>>>;

/// Publishes commits in batches, from a thread of its own. Dropping it waits for all of them.
#[derive(Debug)]
pub struct GroupCommit {
    queue: Option<SyncSender<Staged>>,
    thread: Option<JoinHandle<()>>,
    failures: Failures,
}

impl Store {
    /// Commits that share their flushes. One committer is enough for all threads of a program.
    pub fn committer(&self) -> GroupCommit {
        let failures = Failures::default();
        let (queue, pending) = sync_channel(PENDING);
        let (store, told) = (self.clone(), failures.clone());
        self.disk(); // opened before any write whose fate it is to tell
        let publish = move || publish_all(&store, &pending, &told);
        let thread = Builder::new().name("commit".to_owned()).spawn(publish).ok();
        GroupCommit {
            queue: thread.is_some().then_some(queue), // without a thread each commit flushes for itself
            thread,
            failures,
        }
    }
}

impl GroupCommit {
    /// As [`Ticket::commit`], but returns when the outputs lie in [`Store::output_dir`], where other stages may read
    /// them. The record is published later; [`GroupCommit::finish`] tells of failures from then on.
    pub fn commit(
        &self,
        ticket: Ticket,
        kind: &str,
        manifest: &str,
        required: &[&str],
        facts: Facts,
    ) -> Result<Record> {
        let (record, staged) = Staged::new(ticket, kind, manifest, required, facts)?;
        self.take(staged).map(|()| record)
    }

    /// As [`GroupCommit::commit`], where a record from elsewhere says what lies in the ticket's folder. The record stays
    /// as it is, whatever this program would write itself; an error where something else lies there.
    pub(crate) fn commit_copy(&self, ticket: Ticket, record: &Record) -> Result<()> {
        self.take(Staged::copy(ticket, record)?)
    }

    fn take(&self, staged: Staged) -> Result<()> {
        match &self.queue {
            Some(queue) => match queue.send(staged) {
                Ok(()) => Ok(()),
                Err(back) => back.0.commit(), // the thread is gone
            },
            None => staged.commit(),
        }
    }

    /// The failures so far, each told once: such a key has no result.
    pub fn take_failures(&self) -> Vec<(Key, StoreError)> {
        std::mem::take(&mut *locked(&self.failures))
    }

    /// Waits until every commit is published and on the disk. Returns the keys that could not be published.
    pub fn finish(mut self) -> Vec<(Key, StoreError)> {
        self.close();
        self.take_failures()
    }

    fn close(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // a panic there was printed; what it held is not committed
        }
    }
}

impl Drop for GroupCommit {
    fn drop(&mut self) {
        self.close();
    }
}

/// One batch after the other until the queue is closed and empty.
fn publish_all(store: &Store, pending: &Receiver<Staged>, failures: &Failures) {
    let mut publisher = Publisher {
        store,
        failures,
        broken: None,
    };
    let (mut is_open, mut time) = (true, GATHER);
    while is_open {
        let (batch, more) = gather(pending, time);
        is_open = more;
        time = if batch.len() > 1 { GATHER_MANY } else { GATHER };
        let folders = publisher.publish(batch);
        let _ = store.flush_names(folders, !is_open); // the results are whole; a power cut may lose their names
    }
}

/// All that is pending, and what comes while the first one waits a little. Empty after a while without any.
fn gather(pending: &Receiver<Staged>, time: Duration) -> (Vec<Staged>, bool) {
    let mut batch = Vec::new();
    match pending.recv_timeout(NAMES) {
        Ok(first) => batch.push(first),
        Err(RecvTimeoutError::Timeout) => return (batch, true),
        Err(RecvTimeoutError::Disconnected) => return (batch, false),
    }
    let end = Instant::now() + time;
    while batch.len() < PENDING {
        match pending.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(next) => batch.push(next),
            Err(RecvTimeoutError::Timeout) => break,
            Err(RecvTimeoutError::Disconnected) => return (batch, false),
        }
    }
    (batch, true)
}

struct Publisher<'a> {
    store: &'a Store,
    failures: &'a Failures,
    /// How a flush failed. What comes later may have read the bytes that were lost, so nothing is published any more.
    broken: Option<io::ErrorKind>,
}

impl Publisher<'_> {
    /// One flush for all, then the names. The folders that got names.
    fn publish(&mut self, batch: Vec<Staged>) -> BTreeSet<PathBuf> {
        let groups: Vec<_> = batch.iter().map(Staged::paths).collect();
        let flushed = self.store.disk().flush(&groups);
        let mut folders = BTreeSet::new();
        for (staged, flushed) in batch.into_iter().zip(flushed) {
            let (key, folder) = (staged.key(), staged.record_folder());
            match self.publish_one(staged, flushed) {
                Ok(()) => drop(folders.insert(folder)),
                Err(error) => locked(self.failures).push((key, error)),
            }
        }
        folders
    }

    fn publish_one(&mut self, staged: Staged, flushed: Result<()>) -> Result<()> {
        match &flushed {
            // Somebody took a file away since it was hashed; the disk is not at fault. Who read it finds that out.
            Err(error) if error.is_not_found() && self.broken.is_none() => {
                staged.withdraw();
                return flushed;
            }
            Err(error) => self.broken = Some(error.io_kind()),
            Ok(()) => {}
        }
        match self.broken {
            None => return staged.publish(),
            Some(_) => staged.withdraw(),
        }
        flushed.and_then(|()| Err(self.earlier_failure()))
    }

    fn earlier_failure(&self) -> StoreError {
        let kind = self.broken.unwrap_or(io::ErrorKind::Other);
        at("flush", self.store.root())(kind.into())
    }
}
