//! Mutated files in place of those of a cache: whatever they hold, readers end, and take nothing damaged for whole.
//! Unaware of how the mutations are chosen (`tests/fuzz.rs`).

#[path = "../../../tests/fuzz.rs"]
mod fuzzer;

use std::fs;
use std::path::Path;

use fuzzer::fuzz;

use crate::index::Index;
use crate::memo::Memo;
use crate::stat::{Stat, now};
use crate::{Claim, Facts, Key, Record, Status, Store, summed};

const MANIFEST: &str = "stage test 1\nconfig.a\tb\\n\n";

/// A cache with one result, whose files are old enough to be remembered.
fn room() -> (tempfile::TempDir, Store, Key) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("cache");
    let store = Store::open(&root).unwrap();
    let key = Key::of_manifest(MANIFEST);
    let Claim::Ready(ticket) = store.ticket(&key).unwrap() else {
        panic!("no ticket")
    };
    fs::write(ticket.out().join("a"), "abc").unwrap();
    fs::create_dir(ticket.out().join("b")).unwrap();
    fs::write(ticket.out().join("b/c"), [7; 5000]).unwrap();
    let facts = Facts::new().with("seconds", 1.5);
    ticket.commit("test", MANIFEST, &[], facts).unwrap();
    (folder, store, key)
}

#[test]
fn records() {
    let (_folder, store, key) = room();
    let whole = fs::read(store.layout().record(&key)).unwrap();
    let record = Record::decode(&whole, &key).unwrap();
    fuzz("records", 1.0, std::slice::from_ref(&whole), |bytes| {
        if let Ok(found) = Record::decode(bytes, &key) {
            assert!(found == record, "a damaged record was taken");
        }
        let _ = summed::decode::<serde_json::Value>(bytes);
    });
}

#[test]
fn memos_and_indexes() {
    let (folder, store, key) = room();
    let path = folder.path().join("file");
    let stat = Stat::of(&fs::metadata(store.layout().record(&key)).unwrap());
    let index = Index::default();
    let record = store.record(&key).unwrap().unwrap();
    index.put(key, &stat, &record.outputs, &crate::Made::of(&record));
    index
        .save(&path, &std::collections::BTreeSet::new())
        .unwrap();
    let indexes = [fs::read(&path).unwrap(), Vec::new()];
    fuzz("indexes", 1.0, &indexes, |bytes| {
        fs::write(&path, bytes).unwrap();
        let found = Index::load(&path);
        if let Some(known) = found.get(&key, &stat) {
            assert_eq!(known.known().count(), 2, "a damaged index was believed");
        }
        found
            .save(&folder.path().join("again"), &[key].into())
            .unwrap();
    });
    let old = Stat {
        mtime: 0,
        ctime: 0,
        ..stat
    };
    let mut memo = Memo::default();
    memo.put(&crate::hash::Hashed {
        stat: old,
        digest: record.content(),
        began: now(),
    });
    memo.save(&path, now()).unwrap();
    let memos = [fs::read(&path).unwrap(), Vec::new()];
    fuzz("memos", 1.0, &memos, |bytes| {
        fs::write(&path, bytes).unwrap();
        let found = Memo::load(&path).get(&old, now());
        assert!(found.is_none_or(|digest| digest == record.content()));
    });
}

#[test]
fn archives() {
    let (folder, store, key) = room();
    let mut archive = Vec::new();
    store.export(&[key], &mut archive).unwrap();
    let root = folder.path().join("other");
    let other = Store::open(&root).unwrap();
    fuzz("archives", 2.0, &[archive, vec![0; 1024]], |bytes| {
        let _ = other.import(&mut &*bytes);
        for key in other.keys().unwrap() {
            assert!(
                matches!(other.verify(&key), Status::Fresh(_)),
                "a damaged archive was taken in"
            );
            let _ = fs::remove_dir_all(other.output_dir(&key));
            let _ = fs::remove_file(other.layout().record(&key));
        }
        assert!(outside(folder.path()), "it wrote outside the cache");
    });
}

/// Whether nothing lies beside the caches.
fn outside(folder: &Path) -> bool {
    let names = crate::tree::names(folder).unwrap();
    names.iter().all(|name| name == "cache" || name == "other")
}

#[test]
fn logs_of_last_keys() {
    let (_folder, store, key) = room();
    let pipeline = Path::new("p.yaml");
    store
        .note_keys(pipeline, &[("a".into(), key), ("b \" c".into(), key)])
        .unwrap();
    let log = store.layout().last("");
    let log = fs::read_dir(log)
        .unwrap()
        .flatten()
        .map(|entry| entry.path());
    let log = log
        .into_iter()
        .find(|path| path.extension().is_some())
        .unwrap();
    let whole = fs::read(&log).unwrap();
    fuzz("last_keys", 1.0, std::slice::from_ref(&whole), |bytes| {
        fs::write(&log, bytes).unwrap();
        let reader = Store::open_read_only(store.root()).unwrap();
        let _ = (reader.last_keys(pipeline), reader.pipelines());
    });
}
