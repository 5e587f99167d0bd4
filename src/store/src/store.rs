//! The handle of one cache: where its parts lie, and what this process knows of them.
//! Unaware of tickets, commits and clean-ups: what else can be done with a cache lies in files that know the handle, and
//! that it does not know.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use crate::claims::Claims;
use crate::clock::probe_clock;
use crate::early::Early;
use crate::error::at;
use crate::flush::Disk;
use crate::folder_pool::FolderPool;
use crate::index::Index;
use crate::last::{self, Noted};
use crate::layout::{Found, Layout};
use crate::memo::Memo;
use crate::mutex::locked;
use crate::outputs::probe_permissions;
use crate::record::PLAIN;
use crate::space::free_bytes;
use crate::stat::Stat;
use crate::trash::Trash;
use crate::tree::names;
use crate::{Digest, Key, Made, Output, Result, Seal, StoreError};

/// Keys by their content keys.
pub(crate) type ByContent = BTreeMap<Digest, Vec<Key>>;

/// A cache. Clones share the memo.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
    format_lost: bool,
}

#[derive(Debug)]
struct Inner {
    layout: Layout,
    writable: bool,
    memo: Mutex<Memo>,
    /// Files too young to be memoised when they were hashed.
    young: Mutex<BTreeSet<PathBuf>>,
    /// Records of which the outputs are known without opening them.
    index: OnceLock<Index>,
    /// The last keys of a pipeline file, as they were when the store was opened.
    noted: Option<Noted>,
    /// Keys whose records were too young for the index when they were seen.
    young_records: Mutex<BTreeSet<Key>>,
    /// Keys by their content keys, as they were when the first was looked for.
    by_content: OnceLock<ByContent>,
    /// What this process committed.
    committed: Mutex<BTreeMap<Key, Committed>>,
    /// What this process committed and a committer has still to publish.
    pending: Mutex<BTreeMap<Key, Made>>,
    /// The outputs that this process wrote or read, as they were then.
    seals: Mutex<BTreeMap<Key, Seal>>,
    /// Whether the disk tells any two changes of a file apart by their times.
    has_fine_clock: OnceLock<bool>,
    /// Whether the disk keeps who may run a file.
    keeps_permissions: OnceLock<bool>,
    /// The format that the file `format` is known to say, of those that were written since this was opened.
    said_format: Mutex<u32>,
    names: Mutex<Names>,
    disk: OnceLock<Disk>,
    spares: FolderPool,
    trash: Trash,
    claims: OnceLock<Claims>,
    /// Whether what a killed program has started may outlive it here.
    survivable: AtomicBool,
}

/// The stat of a record that this process wrote, and the outputs it names.
#[derive(Debug)]
struct Committed {
    stat: Stat,
    outputs: Arc<[Output]>,
    made: Made,
}

/// Names of records that may not be on the disk yet.
#[derive(Debug, Default)]
struct Names {
    folders: BTreeSet<PathBuf>,
    flushed: Option<Instant>,
}

/// A power cut may lose the records of the last two seconds, so that many small stages share one flush.
const FLUSH_EVERY: Duration = Duration::from_secs(2);

impl Store {
    /// A cache for writing, made where there is none. What killed programs left in it is still there.
    pub(crate) fn create(root: &Path, early: Option<Early>) -> Result<Self> {
        let mut store = Self::new(root, true, early)?;
        let found = store.layout().create()?;
        store.format_lost = found == Found::Unnamed;
        store.spares().find(&store.layout().spares());
        Ok(store)
    }

    /// A cache for reading; no folder is an empty one.
    pub(crate) fn find(root: &Path, early: Option<Early>) -> Result<Self> {
        let store = Self::new(root, false, early)?;
        store.layout().found()?;
        Ok(store)
    }

    /// The root becomes absolute: workers may run elsewhere.
    fn new(root: &Path, writable: bool, early: Option<Early>) -> Result<Self> {
        let layout = Layout::new(&std::path::absolute(root).map_err(at("find", root))?);
        let (memo, index, noted) = match early {
            Some(early) => (early.memo, early.index.into(), early.noted),
            None => (Memo::load(&layout.memo()), OnceLock::new(), None),
        };
        let inner = Inner {
            memo: Mutex::new(memo),
            layout,
            writable,
            young: Mutex::default(),
            index,
            noted,
            young_records: Mutex::default(),
            by_content: OnceLock::new(),
            committed: Mutex::default(),
            pending: Mutex::default(),
            seals: Mutex::default(),
            has_fine_clock: OnceLock::new(),
            keeps_permissions: OnceLock::new(),
            said_format: Mutex::default(),
            names: Mutex::default(),
            disk: OnceLock::new(),
            spares: FolderPool::default(),
            trash: Trash::default(),
            claims: OnceLock::new(),
            survivable: AtomicBool::new(false),
        };
        Ok(Self {
            inner: Arc::new(inner),
            format_lost: false,
        })
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.inner.layout
    }

    pub(crate) fn check_writable(&self) -> Result<()> {
        if self.inner.writable {
            Ok(())
        } else {
            Err(StoreError::ReadOnly {
                root: self.root().to_path_buf(),
            })
        }
    }

    /// The disk of the cache, for flushes.
    pub(crate) fn disk(&self) -> &Disk {
        self.inner.disk.get_or_init(|| Disk::new(self.root()))
    }

    pub(crate) fn spares(&self) -> &FolderPool {
        &self.inner.spares
    }

    /// The file that says what this process has claimed; begun with the first claim.
    pub(crate) fn claims(&self) -> Result<&Claims> {
        if let Some(claims) = self.begun_claims() {
            return Ok(claims);
        }
        let begun = Claims::begin(&self.layout().runs())?;
        Ok(self.inner.claims.get_or_init(|| begun))
    }

    pub(crate) fn begun_claims(&self) -> Option<&Claims> {
        self.inner.claims.get()
    }

    /// A copy of the lock of this run, for whoever ends what it starts: while a copy is open, no other process gets a
    /// key that this one had when it died.
    pub fn run_lock(&self) -> Result<File> {
        self.check_writable()?;
        self.claims()?.lock()
    }

    /// From now on each ticket has a folder for outputs that no try had before: what an earlier one started may live
    /// on and write into its own, which nobody reads.
    pub fn separate_tries(&self) {
        self.inner.survivable.store(true, Ordering::Relaxed);
    }

    /// Makes a file or folder disappear: see [`Trash::discard`].
    pub(crate) fn discard(&self, path: &Path) -> Result<()> {
        self.inner.trash.discard(&self.layout().trash(), path)
    }

    /// Whether each try has a folder for outputs of its own: [`Store::separate_tries`].
    pub(crate) fn has_separate_tries(&self) -> bool {
        self.inner.survivable.load(Ordering::Relaxed)
    }

    /// Notes folders that got names of records, and puts all of them on the disk when it is time, or `now`.
    pub(crate) fn flush_names(
        &self,
        folders: impl IntoIterator<Item = PathBuf>,
        now: bool,
    ) -> Result<()> {
        let mut names = locked(&self.inner.names);
        names.folders.extend(folders);
        let is_due = names
            .flushed
            .is_none_or(|last| last.elapsed() >= FLUSH_EVERY);
        if names.folders.is_empty() || !(is_due || now) {
            return Ok(());
        }
        names.flushed = Some(Instant::now());
        let folders = std::mem::take(&mut names.folders);
        drop(names);
        self.disk().flush_group(folders.into_iter().collect())
    }

    pub(crate) fn index(&self) -> &Index {
        let load = || Index::load(&self.layout().index());
        self.inner.index.get_or_init(load)
    }

    pub(crate) fn by_content(&self, load: impl FnOnce() -> ByContent) -> &ByContent {
        self.inner.by_content.get_or_init(load)
    }

    /// Notes a young record, for [`Store::save_memo`] to read when it is old.
    pub(crate) fn index_later(&self, key: Key) {
        locked(&self.inner.young_records).insert(key);
    }

    /// Notes what this process has just committed.
    pub(crate) fn remember(&self, key: Key, stat: Stat, outputs: Arc<[Output]>, made: Made) {
        let committed = Committed {
            stat,
            outputs,
            made,
        };
        locked(&self.inner.committed).insert(key, committed);
    }

    /// As [`Store::committed`], what it is and from what it was made.
    pub(crate) fn committed_made(&self, key: &Key, stat: &Stat) -> Option<Made> {
        let committed = locked(&self.inner.committed);
        let known = committed.get(key).filter(|known| known.stat == *stat)?;
        Some(known.made.clone())
    }

    pub(crate) fn put_pending(&self, key: Key, made: Made) {
        locked(&self.inner.pending).insert(key, made);
    }

    pub(crate) fn end_pending(&self, key: &Key) {
        locked(&self.inner.pending).remove(key);
    }

    /// Whether this process has committed the key and has still to publish it.
    pub fn is_pending(&self, key: &Key) -> bool {
        locked(&self.inner.pending).contains_key(key)
    }

    pub(crate) fn pending(&self, key: &Key) -> Option<Made> {
        locked(&self.inner.pending).get(key).cloned()
    }

    pub(crate) fn remember_seal(&self, key: Key, seal: Seal) {
        locked(&self.inner.seals).insert(key, seal);
    }

    pub(crate) fn known_seal(&self, key: &Key) -> Option<Seal> {
        locked(&self.inner.seals).get(key).cloned()
    }

    pub(crate) fn forget_seal(&self, key: &Key) {
        locked(&self.inner.seals).remove(key);
    }

    pub(crate) fn has_fine_clock(&self) -> bool {
        let probe = || probe_clock(self.root());
        *self.inner.has_fine_clock.get_or_init(probe)
    }

    pub(crate) fn keeps_permissions(&self) -> bool {
        let probe = || probe_permissions(self.root());
        *self.inner.keeps_permissions.get_or_init(probe)
    }

    /// Sees to it that the file `format` says this format or a later one, on the disk, before a record of it gets a name.
    pub(crate) fn say_format(&self, format: u32) -> Result<()> {
        if format == PLAIN {
            return Ok(());
        }
        let mut said = locked(&self.inner.said_format);
        if *said < format {
            self.layout().raise_format(format)?;
            *said = format;
        }
        Ok(())
    }

    /// The outputs of a key that this process committed, while its record is the file that it wrote.
    pub(crate) fn committed(&self, key: &Key, stat: &Stat) -> Option<Arc<[Output]>> {
        let committed = locked(&self.inner.committed);
        let known = committed.get(key).filter(|known| known.stat == *stat)?;
        Some(known.outputs.clone())
    }

    pub(crate) fn is_writable(&self) -> bool {
        self.inner.writable
    }

    pub(crate) fn memo(&self) -> MutexGuard<'_, Memo> {
        locked(&self.inner.memo)
    }

    /// Notes young files, for [`Store::save_memo`] to hash again when they are old.
    pub(crate) fn hash_later(&self, paths: impl IntoIterator<Item = PathBuf>) {
        locked(&self.inner.young).extend(paths);
    }

    pub(crate) fn take_young_files(&self) -> BTreeSet<PathBuf> {
        std::mem::take(&mut *locked(&self.inner.young))
    }

    pub(crate) fn take_young_records(&self) -> BTreeSet<Key> {
        std::mem::take(&mut *locked(&self.inner.young_records))
    }

    /// Whether the file that says what this folder is was lost or damaged, and was written again.
    pub fn format_was_lost(&self) -> bool {
        self.format_lost
    }

    /// The folder of the cache.
    pub fn root(&self) -> &Path {
        self.layout().root()
    }

    /// Where the outputs of a committed key lie.
    pub fn output_dir(&self, key: &Key) -> PathBuf {
        self.layout().output_dir(key)
    }

    /// The folder of what results hold, decoded: that of a [`crate::DecodedRoom`].
    pub fn decoded_path(&self) -> PathBuf {
        self.layout().decoded()
    }

    /// Where the log of a key's last run belongs. A ticket makes the folder.
    pub fn log_path(&self, key: &Key) -> PathBuf {
        self.layout().log(key)
    }

    /// All keys that have a record, fresh or not, sorted.
    pub fn keys(&self) -> Result<Vec<Key>> {
        let shards = names(&self.layout().record_shards())?;
        let mut keys = Vec::new();
        for shard in shards {
            let records = names(&self.layout().record_shards().join(shard))?;
            let stems = records.iter().filter_map(|name| name.strip_suffix(".json"));
            keys.extend(stems.filter_map(|stem| stem.parse::<Key>().ok()));
        }
        keys.sort_unstable();
        Ok(keys)
    }

    /// The state that an interrupted training left, if it has one: it goes on from there.
    pub fn state_path(&self, key: &Key) -> PathBuf {
        self.layout()
            .partial(key)
            .join("state")
            .join("state.safetensors")
    }

    /// The keys that the stages of this pipeline file last had, by stage name.
    pub fn last_keys(&self, pipeline: &Path) -> BTreeMap<String, Key> {
        let noted = self.inner.noted.as_ref();
        let known = noted.and_then(|noted| noted.still(self.layout(), pipeline));
        known.unwrap_or_else(|| last::read(self.layout(), pipeline))
    }

    /// The pipeline files whose keys are noted.
    pub fn pipelines(&self) -> Vec<PathBuf> {
        last::pipelines(self.layout())
    }

    /// Notes the keys that stages of this pipeline file have now.
    pub fn note_keys(&self, pipeline: &Path, keys: &[(String, Key)]) -> Result<()> {
        self.check_writable()?;
        last::append(self.layout(), pipeline, keys)
    }

    /// Bytes free for this user on the disk of the cache.
    pub fn free_bytes(&self) -> Option<u64> {
        free_bytes(self.root())
    }
}
