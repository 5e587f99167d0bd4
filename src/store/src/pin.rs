//! Pins: keys that every clean-up keeps until they are unpinned, each with a note for people.
//! Unaware of whether a pinned key is committed.

use std::collections::BTreeMap;
use std::fs;
use std::io;

use crate::error::at;
use crate::tree::names;
use crate::{Key, Result, Store, lock, write_atomic};

/// More than a note takes.
const MAX_NOTE: u64 = 1 << 20;

impl Store {
    /// Keeps a key from every clean-up from now on. Replaces the note of one that is pinned.
    pub fn pin(&self, key: &Key, note: &str) -> Result<()> {
        self.check_writable()?;
        let _shared = lock::wait_shared(&self.layout().gc_lock())?;
        let folder = self.layout().pins();
        fs::create_dir_all(&folder).map_err(at("create", &folder))?;
        write_atomic(&folder.join(key.to_string()), note.as_bytes())
    }

    /// Takes the pin away. False where there was none.
    pub fn unpin(&self, key: &Key) -> Result<bool> {
        self.check_writable()?;
        let path = self.layout().pins().join(key.to_string());
        match fs::remove_file(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            other => other.map(|()| true).map_err(at("remove", &path)),
        }
    }

    /// The pinned keys and their notes, in order of the keys. A folder that cannot be read shows none; a clean-up then
    /// refuses to work.
    pub fn pins(&self) -> Vec<(Key, String)> {
        self.all_pins().unwrap_or_default().into_iter().collect()
    }

    pub(crate) fn all_pins(&self) -> Result<BTreeMap<Key, String>> {
        let folder = self.layout().pins();
        let mut pins = BTreeMap::new();
        for name in names(&folder)? {
            let Ok(key) = name.parse::<Key>() else {
                continue;
            };
            let note = files::read(&folder.join(name), MAX_NOTE).unwrap_or_default(); // the name is the pin
            pins.insert(key, String::from_utf8_lossy(&note).into_owned());
        }
        Ok(pins)
    }
}
