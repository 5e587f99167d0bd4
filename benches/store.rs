//! The cache under many stages, many files and one large file: commits, presences, digests, copies out.
//! Unaware of stages; everything lies in temporary folders, of the disk that TMPDIR names.

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot run has nothing to say"
)]

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use divan::Bencher;
use store::{Claim, Facts, Key, Status, Store};
use tempfile::TempDir;

fn main() {
    divan::main();
}

/// Just above the age at which a file's stat is trusted.
const OLD: Duration = Duration::from_millis(2_100);

fn room() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("cache")).unwrap();
    (folder, store)
}

fn manifest(n: usize) -> String {
    format!("stage test 1\nn\t{n}\n")
}

fn ready(store: &Store, manifest: &str) -> store::Ticket {
    match store.ticket(&Key::of_manifest(manifest)).unwrap() {
        Claim::Ready(ticket) => ticket,
        other => panic!("no ticket: {other:?}"),
    }
}

/// Commits `stages` keys of one small file from two threads, all in shared flushes.
fn commit_all(store: &Store, stages: usize) {
    let committer = store.committer();
    std::thread::scope(|scope| {
        for half in 0..2 {
            let committer = &committer;
            scope.spawn(move || {
                for n in (half..stages).step_by(2) {
                    let manifest = manifest(n);
                    let ticket = ready(store, &manifest);
                    fs::write(ticket.out().join("a.txt"), &manifest).unwrap();
                    let facts = Facts::new().with("seconds", 0.25).with("host", "bench");
                    let done = committer.commit(ticket, "test", &manifest, &["a.txt"], facts);
                    done.unwrap();
                }
            });
        }
    });
    assert!(committer.finish().is_empty());
}

/// Ticket, write and commit of 1,000 keys with one small file each, from two threads.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn commits_1000_shared_flush(bencher: Bencher) {
    bencher
        .with_inputs(room)
        .bench_refs(|(_folder, store)| commit_all(store, 1_000));
}

/// The same, each flushed for itself: 100 keys from one thread.
#[divan::bench(sample_count = 3, sample_size = 1)]
fn commits_100_one_by_one(bencher: Bencher) {
    bencher.with_inputs(room).bench_refs(|(_folder, store)| {
        for n in 0..100 {
            let ticket = ready(store, &manifest(n));
            fs::write(ticket.out().join("a.txt"), "a").unwrap();
            ticket
                .commit("test", &manifest(n), &[], Facts::new())
                .unwrap();
        }
    });
}

/// A cache of so many keys, with memo and index, opened anew: as the second run of a finished pipeline finds it.
fn finished(stages: usize) -> (TempDir, Vec<Key>, PathBuf) {
    let (folder, store) = room();
    commit_all(&store, stages);
    std::thread::sleep(OLD);
    let keys: Vec<Key> = (0..stages)
        .map(|n| Key::of_manifest(&manifest(n)))
        .collect();
    assert!(
        store
            .presences(&keys)
            .iter()
            .all(|p| matches!(p, Status::Fresh(_)))
    );
    store.save_memo().unwrap();
    (folder, keys, store.root().to_path_buf())
}

/// Opening the cache and the presence of all keys, nothing changed since the last run.
#[divan::bench(args = [1_000, 10_000], sample_count = 20, sample_size = 1)]
fn open_and_presences(bencher: Bencher, stages: usize) {
    let (_folder, keys, root) = finished(stages);
    bencher.bench(|| Store::open_read_only(&root).unwrap().presences(&keys));
}

/// The same, without the index: each record is opened, checked and parsed.
#[divan::bench(args = [1_000, 10_000], sample_count = 5, sample_size = 1)]
fn open_and_presences_without_index(bencher: Bencher, stages: usize) {
    let (_folder, keys, root) = finished(stages);
    fs::remove_file(root.join("records.index")).unwrap();
    bencher.bench(|| Store::open_read_only(&root).unwrap().presences(&keys));
}

/// 1,000 small outputs of as many keys copied out to where they were deleted, each verified.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn restore_1000(bencher: Bencher) {
    let (folder, keys, root) = finished(1_000);
    let fresh = || tempfile::tempdir_in(folder.path()).unwrap();
    bencher.with_inputs(fresh).bench_refs(|dest| {
        let store = Store::open_read_only(&root).unwrap();
        for (n, key) in keys.iter().enumerate() {
            let dest = dest.path().join(format!("{n}.txt"));
            store.restore_file(key, "a.txt", &dest).unwrap();
        }
    });
}

/// Noting and reading the last keys of a file of 1,000 stages.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn last_keys_1000(bencher: Bencher) {
    let (_folder, store) = room();
    let keys: Vec<_> = (0..1_000)
        .map(|n| (format!("stage {n}"), Key::of_manifest(&manifest(n))))
        .collect();
    bencher.bench(|| {
        store.note_keys("p.yaml".as_ref(), &keys).unwrap();
        assert_eq!(store.last_keys("p.yaml".as_ref()).len(), 1_000);
    });
}

/// 20,000 files of 10 kB each.
fn many_files() -> (TempDir, Store, Vec<PathBuf>) {
    let (folder, store) = room();
    let paths: Vec<PathBuf> = (0..20_000)
        .map(|n| folder.path().join(format!("{n}.bin")))
        .collect();
    for (n, path) in paths.iter().enumerate() {
        fs::write(path, vec![n as u8; 10_000]).unwrap();
    }
    std::thread::sleep(OLD);
    (folder, store, paths)
}

/// 20,000 small files that the memo does not know. `b3sum *.bin` in such a folder is the measure.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn digests_20000_cold(bencher: Bencher) {
    let (_folder, store, paths) = many_files();
    let forgetful = || Store::open(store.root()).unwrap();
    bencher
        .with_inputs(forgetful)
        .bench_refs(|store| assert!(store.digests(&paths).iter().all(Result::is_ok)));
}

/// The same after the memo was kept: opening the cache and all digests.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn digests_20000_unchanged(bencher: Bencher) {
    let (_folder, store, paths) = many_files();
    store.digests(&paths);
    store.save_memo().unwrap();
    bencher.bench(|| {
        let store = Store::open_read_only(store.root()).unwrap();
        assert!(store.digests(&paths).iter().all(Result::is_ok));
    });
}

/// A file of 4 GiB in the page cache. `b3sum` on it is the measure; `mapped` is what b3sum does.
fn large_file() -> (TempDir, Store, PathBuf) {
    let (folder, store) = room();
    let path = folder.path().join("large");
    let chunk: Vec<u8> = (0..16_u32 << 20).map(|n| (n * 7 % 251) as u8).collect();
    let mut file = fs::File::create(&path).unwrap();
    for _ in 0..256 {
        std::io::Write::write_all(&mut file, &chunk).unwrap();
    }
    (folder, store, path)
}

#[divan::bench(sample_count = 3, sample_size = 1)]
fn large_4gib_cold(bencher: Bencher) {
    let (_folder, store, path) = large_file();
    bencher
        .counter(divan::counter::BytesCount::new(4_u64 << 30))
        .with_inputs(|| Store::open(store.root()).unwrap())
        .bench_refs(|forgetful| forgetful.digests(std::slice::from_ref(&path)));
}

#[divan::bench(sample_count = 3, sample_size = 1)]
fn large_4gib_mapped(bencher: Bencher) {
    let (_folder, _store, path) = large_file();
    bencher
        .counter(divan::counter::BytesCount::new(4_u64 << 30))
        .bench(|| {
            let mut hasher = blake3::Hasher::new();
            hasher.update_mmap_rayon(&path).unwrap();
            hasher.finalize()
        });
}
