//! The clean-up: removes what nobody refers to, beside running pipelines.
//! Unaware of pipeline files: what they refer to is an argument, and so is the time now.
//!
//! What goes is first renamed into `trash/`, the record before its outputs, and only then deleted: killed at any point it
//! leaves entries whole or gone, and the rest to the next clean-up. The renames happen under a lock that leases and pins
//! share, and under the lock of each key, so nothing goes that is being computed or needed; deleting needs no lock.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::atomic::{create_unique, remove_all};
use crate::entries::times;
use crate::error::at;
use crate::inventory::{Room, Thing, inventory};
use crate::lease::leased;
use crate::tree::{inside, name};
use crate::{Amount, Key, Result, Store, decoded, held, lock, quarantine};

/// What a clean-up shall keep, beside pins, leases, and keys that are being computed.
#[derive(Debug, Clone)]
pub struct GcRequest {
    /// Keys that are referred to; of trajectories too.
    pub keep: BTreeSet<Key>,
    /// Keeps what was committed, written or leased within this time, whoever refers to it. Use is noted to the hour.
    pub keep_younger_than: Option<Duration>,
    /// The time now.
    pub now: SystemTime,
    /// Moves and deletes nothing, and says what it would free.
    pub dry_run: bool,
}

/// What a clean-up freed, or would free.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GcReport {
    /// Each thing that went, rooms in order, keys in order within. Locks are counted in `locks` instead.
    pub freed: Vec<Thing>,
    /// Files and bytes of `freed`.
    pub freed_amount: Amount,
    /// Things that stay.
    pub kept: u64,
    /// Their files and bytes.
    pub kept_amount: Amount,
    /// Locks that went.
    pub locks: u64,
}

impl GcReport {
    fn keep(&mut self, thing: &Thing) {
        if thing.room != Room::Lock {
            self.kept += 1;
            self.kept_amount += thing.amount;
        }
    }

    fn free(&mut self, thing: Thing) {
        if thing.room == Room::Lock {
            self.locks += 1;
            return;
        }
        if thing.room == Room::Trash && thing.amount.files == 0 {
            return; // an empty folder is not worth a word
        }
        self.freed_amount += thing.amount;
        self.freed.push(thing);
    }
}

impl Store {
    /// Removes all that the request, pins and leases do not keep: entries with their logs, work folders, states,
    /// entries that were moved aside, locks of nothing.
    pub fn gc(&self, request: &GcRequest) -> Result<GcReport> {
        if !request.dry_run {
            self.check_writable()?;
        }
        let things = inventory(self)?;
        let mut report = GcReport::default();
        let trash = self.move_all(things, request, &mut report)?;
        if !request.dry_run {
            let gone = report
                .freed
                .iter()
                .filter(|thing| thing.room == Room::Entry);
            let gone: BTreeSet<Key> = gone.filter_map(|thing| thing.key).collect();
            self.index().save(&self.layout().index(), &gone)?;
            empty(self, trash.as_deref())?;
        }
        Ok(report)
    }

    /// The part under the lock: decides, and renames into a folder of the trash.
    fn move_all(
        &self,
        things: Vec<Thing>,
        request: &GcRequest,
        report: &mut GcReport,
    ) -> Result<Option<PathBuf>> {
        let moves = !request.dry_run;
        // A dry run changes nothing, not even a file that is only locked: the cache may be one to be read alone.
        let lock = || lock::wait_alone(&self.layout().gc_lock());
        let _alone = moves.then(lock).transpose()?;
        let mut keep = leased(self, moves)?;
        keep.extend(&request.keep);
        keep.extend(self.all_pins()?.into_keys());
        let rule = Rule { keep, request };
        let trash = moves.then(|| new_trash(self)).transpose()?;
        for thing in things {
            if rule.keeps(&thing) || !free(self, &rule, &thing, trash.as_deref())? {
                report.keep(&thing);
            } else {
                report.free(thing);
            }
        }
        Ok(trash)
    }
}

impl Store {
    /// Removes the states that trainings ended with, the oldest first, until the others take no more than so many bytes.
    /// They only spare longer trainings their beginning, and a training that finds none starts there.
    pub fn trim_states(&self, most: u64) -> Result<Amount> {
        self.check_writable()?;
        let mut states = Vec::new();
        for shard in inside(&self.layout().room(STATES)) {
            for path in inside(&shard) {
                let used = fs::metadata(&path).and_then(|m| m.modified());
                let amount = crate::tree::measure(&path).amount;
                states.push((used.unwrap_or(SystemTime::UNIX_EPOCH), path, amount));
            }
        }
        let mut left: u64 = states.iter().map(|(_, _, amount)| amount.bytes).sum();
        let mut freed = Amount::default();
        if left <= most {
            return Ok(freed);
        }
        states.sort_unstable_by_key(|(used, ..)| *used);
        let _alone = lock::wait_alone(&self.layout().gc_lock())?;
        let trash = new_trash(self)?;
        for (_, path, amount) in states {
            if left <= most {
                break;
            }
            discard(&path, Some(&trash), name(&path))?;
            left = left.saturating_sub(amount.bytes);
            freed.files += 1;
            freed.bytes += amount.bytes;
        }
        empty(self, Some(&trash))?;
        Ok(freed)
    }
}

/// The room of the states that trainings ended with.
const STATES: &str = "trajectories";

struct Rule<'a> {
    keep: BTreeSet<Key>,
    request: &'a GcRequest,
}

impl Rule<'_> {
    fn keeps(&self, thing: &Thing) -> bool {
        match thing.room {
            // Unfinished is no result, and not in the making: then its key is locked.
            Room::Trash | Room::Unfinished => false,
            Room::Damaged => self.is_young(thing.used),
            // What a killed writer left is of no use, however young.
            Room::Decoded => thing.path.extension().is_none() && self.is_young(thing.used),
            _ => thing.key.is_some_and(|key| self.keep.contains(&key)) || self.is_young(thing.used),
        }
    }

    /// A time ahead of ours counts as young.
    fn is_young(&self, used: SystemTime) -> bool {
        let age = self.request.now.duration_since(used).unwrap_or_default();
        self.request
            .keep_younger_than
            .is_some_and(|limit| age < limit)
    }
}

fn new_trash(store: &Store) -> Result<PathBuf> {
    let all = store.layout().trash();
    fs::create_dir_all(&all).map_err(at("create", &all))?;
    let made = create_unique(&all, "gc-", |path| fs::create_dir(path));
    made.map(|(path, ())| path).map_err(at("create", &all))
}

/// Moves a thing into the trash. False where its key is being computed, or was used since it was listed.
fn free(store: &Store, rule: &Rule<'_>, thing: &Thing, trash: Option<&Path>) -> Result<bool> {
    if thing.room == Room::Decoded {
        let Some(_lock) = decoded::unused(&thing.path) else {
            return Ok(false);
        };
        return discard(&thing.path, trash, name(&thing.path)).map(|()| true);
    }
    if thing.room == Room::Damaged && quarantine::is_to_come_back(&thing.path) {
        return Ok(false); // a good one was moved there since it was listed
    }
    let Some(key) = thing.key.filter(|_| thing.room != Room::State) else {
        return discard(&thing.path, trash, name(&thing.path)).map(|()| true);
    };
    let path = store.layout().lock(&key);
    let held = match trash {
        Some(_) => lock::try_take(&path)?.map(Some),
        None => (!lock::is_held(&path)?).then_some(None),
    };
    let Some(held) = held else {
        return Ok(false);
    };
    if held::survives(store, &key, trash.is_some())? {
        return Ok(false);
    }
    match thing.room {
        Room::Entry => {
            let used = times(store, &key).map_or(thing.used, |(_, used)| used);
            if rule.is_young(used) {
                return Ok(false);
            }
            discard_entry(store, &key, trash)?;
        }
        Room::Lock => {}
        _ if store.layout().record(&key).exists()
            && !thing.path.join(quarantine::UNFINISHED).exists() =>
        {
            return Ok(false); // committed since it was listed
        }
        _ => discard(&thing.path, trash, &key.to_string())?,
    }
    if trash.is_some() && matches!(thing.room, Room::Entry | Room::Lock) {
        let _ = fs::remove_file(&path); // under its own lock: whoever opened it before takes the next one
    }
    drop(held);
    Ok(true)
}

/// The record first: without it the outputs are no result.
fn discard_entry(store: &Store, key: &Key, trash: Option<&Path>) -> Result<()> {
    let layout = store.layout();
    discard(&layout.record(key), trash, &format!("{key}.json"))?;
    discard(&layout.output_dir(key), trash, &format!("{key}.outputs"))?;
    discard(&layout.log(key), trash, &format!("{key}.log"))
}

/// Renames into the trash, under a name of its own. What is gone already is fine.
fn discard(path: &Path, trash: Option<&Path>, name: &str) -> Result<()> {
    let Some(trash) = trash else {
        return Ok(());
    };
    let to = |n: u32| trash.join(format!("{name}-{n}"));
    let free = (0..u32::MAX)
        .map(to)
        .find(|to| fs::symlink_metadata(to).is_err());
    let Some(to) = free else {
        return Ok(());
    };
    match fs::rename(path, &to) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(at("move to the trash", path)),
    }
}

/// Deletes what was moved, by this clean-up and by killed ones. Two may delete the same: what is gone is gone.
fn empty(store: &Store, ours: Option<&Path>) -> Result<()> {
    for path in inside(&store.layout().trash()) {
        match remove_all(&path) {
            Err(error) if Some(path.as_path()) == ours && !error.is_not_found() => {
                return Err(error);
            }
            _ => {}
        }
    }
    Ok(())
}
