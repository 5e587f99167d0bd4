//! Taking a key, for as long as what comes of it is held: its kernel lock, and a line among the claims of this program.
//! Unaware of what is done with the key, and of processes.

use std::fs::File;
use std::time::{Duration, Instant};

use crate::claims::{self, Holder};
use crate::{Key, Result, Store, lock};

/// How long [`take_soon`] asks.
const PATIENCE: Duration = Duration::from_millis(500);

/// A key that this process has: its lock, and a note that goes before the lock does.
#[derive(Debug)]
pub(crate) struct Held {
    store: Store,
    slot: u64,
    _lock: File,
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(claims) = self.store.begun_claims() {
            claims.take_back(self.slot);
        }
    }
}

/// The key, or `None` while another has it.
pub(crate) fn try_take(store: &Store, key: &Key) -> Result<Option<Held>> {
    let path = store.layout().lock(key);
    let Some(lock) = lock::try_take(&path)? else {
        return Ok(None);
    };
    if survives(store, key, true)? {
        return Ok(None);
    }
    let claims = store.claims()?;
    let slot = claims.note(key)?;
    Ok(Some(Held {
        store: store.clone(),
        slot,
        _lock: lock,
    }))
}

/// As [`try_take`], but asks again for a while: a process that is just being started has our locks from fork to exec.
pub(crate) fn take_soon(store: &Store, key: &Key) -> Result<Option<Held>> {
    let start = Instant::now();
    loop {
        let held = try_take(store, key)?;
        if held.is_some() || start.elapsed() > PATIENCE {
            return Ok(held);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether another run has the key: [`claims::survives`].
pub(crate) fn survives(store: &Store, key: &Key, removes: bool) -> Result<bool> {
    claims::survives(&store.layout().runs(), store.begun_claims(), key, removes)
}

impl Store {
    /// Who has a key, where it is another program that can be told.
    pub fn holder(&self, key: &Key) -> Option<Holder> {
        claims::holder(&self.layout().runs(), self.begun_claims(), key)
    }
}
