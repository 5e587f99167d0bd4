//! The handle of one cache: opens it, answers what is in it, and keeps the memo of digests.
//! Unaware of what stages do, and of the order in which they run.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use rayon::prelude::*;

use crate::by_content::ByContent;
use crate::claims::{self, Claims, Holder};
use crate::error::at;
use crate::flush::Disk;
use crate::folder_pool::FolderPool;
use crate::hash::Hashed;
use crate::index::Index;
use crate::last::Noted;
use crate::layout::{Found, Layout};
use crate::memo::Memo;
use crate::prefetch::Early;
use crate::stat::{Stat, now};
use crate::trash::Trash;
use crate::{
    Claim, Digest, Handover, Key, Made, Output, Result, Seal, StoreError, hash, last, layout,
    outputs, quarantine, record, scratch, seal, ticket,
};

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

/// Fewer files are looked at one by one: to wake the other cores takes longer.
const FEW: usize = 16;

/// A power cut may lose the records of the last two seconds, so that many small stages share one flush.
const FLUSH_EVERY: Duration = Duration::from_secs(2);

impl Store {
    /// Opens the cache in the folder `root` for writing, makes it where there is none.
    pub fn open(root: &Path) -> Result<Self> {
        Self::open_with(root, None)
    }

    /// Opens the cache in the folder `root` for reading. No folder is an empty cache.
    pub fn open_read_only(root: &Path) -> Result<Self> {
        Self::open_read_only_with(root, None)
    }

    pub(crate) fn open_with(root: &Path, early: Option<Early>) -> Result<Self> {
        let mut store = Self::new(root, true, early)?;
        let found = store.layout().create()?;
        store.format_lost = found == Found::Unnamed;
        store.spares().find(&store.layout().spares());
        ticket::sweep_finished(&store);
        quarantine::put_all_back(&store);
        scratch::sweep(&store);
        Ok(store)
    }

    pub(crate) fn open_read_only_with(root: &Path, early: Option<Early>) -> Result<Self> {
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

    /// Who has a key, where it is another program that can be told.
    pub fn holder(&self, key: &Key) -> Option<Holder> {
        claims::holder(self, key)
    }

    /// From now on each ticket has a folder for outputs that no try had before: what an earlier one started may live
    /// on and write into its own, which nobody reads.
    pub fn separate_tries(&self) {
        self.inner.survivable.store(true, Ordering::Relaxed);
    }

    /// The name of the folder for outputs in the making. It is the same each time where nothing outlives its program:
    /// some programs write the path of their folder into what they make.
    pub(crate) fn attempt(&self) -> String {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        if !self.inner.survivable.load(Ordering::Relaxed) {
            return ticket::OUT.to_owned();
        }
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let run = self.begun_claims().map_or("", Claims::name);
        format!("{}-{run}-{n}", ticket::OUT)
    }

    pub(crate) fn trash(&self) -> &Trash {
        &self.inner.trash
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
        let probe = || seal::probe_clock(self.root());
        *self.inner.has_fine_clock.get_or_init(probe)
    }

    pub(crate) fn keeps_permissions(&self) -> bool {
        let probe = || outputs::probe_permissions(self.root());
        *self.inner.keeps_permissions.get_or_init(probe)
    }

    /// Sees to it that the file `format` says this format or a later one, on the disk, before a record of it gets a name.
    pub(crate) fn say_format(&self, format: u32) -> Result<()> {
        if format == record::PLAIN {
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

    /// Moves outputs and record of a key to `damaged/<key>-<n>`, so that it is computed again. Deletes nothing.
    pub fn quarantine(&self, key: &Key) -> Result<PathBuf> {
        let moved = self.quarantine_if(key, || true)?;
        moved.ok_or(StoreError::Absent { key: *key })
    }

    /// As [`Store::quarantine`], if the result is `broken` when nobody else can change it any more: since somebody looked at
    /// it, another run may have made it anew. `None` where it stays.
    pub fn quarantine_if(
        &self,
        key: &Key,
        broken: impl FnOnce() -> bool,
    ) -> Result<Option<PathBuf>> {
        self.check_writable()?;
        let moved = quarantine::locked(self, key, broken)?;
        if moved.is_some() {
            self.forget_seal(key);
        }
        Ok(moved)
    }

    /// Whether a result of this key lies among those that were found damaged and moved aside.
    pub fn was_damaged(&self, key: &Key) -> bool {
        quarantine::holds_damaged(self.layout(), key)
    }

    /// The state that an interrupted training left, if it has one: it goes on from there.
    pub fn state_path(&self, key: &Key) -> PathBuf {
        self.layout()
            .partial(key)
            .join("state")
            .join("state.safetensors")
    }

    /// The right to compute a key anew, whether or not it is done, unless another process has it; never [`Claim::Done`]. A
    /// whole result comes back where the ticket ends without a commit.
    pub fn ticket_anew(&self, key: &Key) -> Result<Claim> {
        self.check_writable()?;
        ticket::claim_anew(self, key)
    }

    /// The right to compute a key, unless another process has it or it is done.
    pub fn ticket(&self, key: &Key) -> Result<Claim> {
        self.check_writable()?;
        ticket::claim(self, key)
    }

    /// The right to compute a key that another process had and handed over, with its folders as they are.
    /// [`StoreError::Absent`] where another try has begun meanwhile.
    pub fn take_over(&self, handover: &Handover) -> Result<Claim> {
        self.check_writable()?;
        ticket::take_over(self, handover)
    }

    /// The digest of a file, from the memo while the file does not change.
    pub fn digest(&self, path: &Path) -> Result<Digest> {
        self.digest_of(path, &hash::stat(path)?)
    }

    /// The digest of a file whose stat is known.
    pub(crate) fn digest_of(&self, path: &Path, stat: &Stat) -> Result<Digest> {
        let known = self.memo().get(stat, now());
        known.map_or_else(|| self.digest_anew(path), Ok)
    }

    /// The digest of a file, and the stat that it is the digest of.
    pub(crate) fn hashed(&self, path: &Path) -> Result<Hashed> {
        let stat = hash::stat(path)?;
        let began = now();
        if let Some(digest) = self.memo().get(&stat, began) {
            return Ok(Hashed {
                stat,
                digest,
                began,
            });
        }
        self.hash_and_note(path)
    }

    fn hash_and_note(&self, path: &Path) -> Result<Hashed> {
        let hashed = self.hash_anew(path)?;
        if hashed.stat.is_young(hashed.began) {
            self.hash_later([path.to_path_buf()]);
        }
        Ok(hashed)
    }

    /// The digest of a file by its bytes.
    pub(crate) fn digest_anew(&self, path: &Path) -> Result<Digest> {
        let hashed = self.hash_and_note(path)?;
        Ok(hashed.digest)
    }

    /// [`Store::digest_anew`] through a memory map: see [`hash::mapped`] for what that risks.
    pub(crate) fn digest_mapped(&self, path: &Path) -> Result<Digest> {
        let hashed = hash::mapped(path)?;
        self.memo().put(&hashed);
        Ok(hashed.digest)
    }

    /// Digest and size of a file by its bytes, memoised.
    pub(crate) fn hash_anew(&self, path: &Path) -> Result<Hashed> {
        let hashed = hash::file(path)?;
        self.memo().put(&hashed);
        Ok(hashed)
    }

    /// Notes young files, for [`Store::save_memo`] to hash again when they are old.
    pub(crate) fn hash_later(&self, paths: impl IntoIterator<Item = PathBuf>) {
        locked(&self.inner.young).extend(paths);
    }

    /// Hashes again what was young and is not any more: the next plan then reads no bytes.
    fn hash_grown(&self) {
        let noted = std::mem::take(&mut *locked(&self.inner.young));
        let is_young = |path: &PathBuf| hash::stat(path).is_ok_and(|stat| stat.is_young(now()));
        let (young, grown): (Vec<PathBuf>, Vec<PathBuf>) = noted.into_iter().partition(is_young);
        self.hash_later(young);
        self.digests(&grown); // a file that is gone by now is nobody's loss
    }

    /// The digests of many files, on all cores, in the order given.
    pub fn digests(&self, paths: &[PathBuf]) -> Vec<Result<Digest>> {
        if paths.len() < FEW {
            return paths.iter().map(|path| self.digest(path)).collect();
        }
        paths.par_iter().map(|path| self.digest(path)).collect()
    }

    fn memo(&self) -> MutexGuard<'_, Memo> {
        locked(&self.inner.memo)
    }

    /// Keeps what was learnt about files for the next run. A caller may ignore a failure: it costs only time.
    pub fn save_memo(&self) -> Result<()> {
        if !self.inner.writable {
            return Ok(());
        }
        self.hash_grown();
        let index = self.save_index();
        self.memo().save(&self.layout().memo(), now())?;
        index
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
        layout::free_bytes(self.root())
    }
}

/// The names in a folder; none where there is no folder.
pub(crate) fn names(folder: &Path) -> Result<Vec<String>> {
    match fs::read_dir(folder) {
        Ok(entries) => {
            let names =
                entries.map(|entry| entry.map(|entry| entry.file_name().into_string().ok()));
            names
                .filter_map(Result::transpose)
                .collect::<io::Result<_>>()
                .map_err(at("list", folder))
        }
        Err(e)
            if matches!(
                e.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(Vec::new())
        }
        Err(e) => Err(at("list", folder)(e)),
    }
}

/// The content of a mutex; a thread that panicked left it whole.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Facts, Status};

    /// A memo that lies shows who believes it.
    #[test]
    fn presence_believes_the_memo_and_verify_reads_the_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let key = Key::of_manifest("m");
        let Claim::Ready(ticket) = store.ticket(&key).unwrap() else {
            panic!("no ticket")
        };
        fs::write(ticket.out().join("a"), "a").unwrap();
        ticket.commit("test", "m", &[], Facts::new()).unwrap();
        let stat = hash::stat(&store.output_dir(&key).join("a")).unwrap();
        let lie = Hashed {
            stat,
            digest: Digest::of(b"lie"),
            began: stat.ctime + 3_000_000_000,
        };
        store.memo().put(&lie);
        assert_eq!(store.presence(&key), Status::Damaged(vec!["a".to_owned()]));
        assert!(matches!(store.verify(&key), Status::Fresh(_)));
        assert!(matches!(store.presence(&key), Status::Fresh(_)));
    }
}
