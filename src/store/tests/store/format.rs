//! Caches of other versions, caches that are not there, caches opened for reading.
//! Unaware of disks that are full.

use std::fs;
use std::path::Path;

use store::{Status, Store, StoreError};

use crate::room::{Room, count, fill, is_fresh, key};

fn format_error(result: Result<Store, StoreError>) -> (String, String) {
    match result.unwrap_err() {
        StoreError::Format {
            found, expected, ..
        } => (found, expected),
        other => panic!("{other}"),
    }
}

#[test]
fn another_format_is_refused_by_both_doors_and_left_alone() {
    let room = Room::new();
    room.commit("m", &[("a", "a")]);
    let path = room.store.root().join("format");
    for found in ["pipeline cache 4", "pipeline cache 10"] {
        fs::write(&path, found).unwrap();
        let expected = (found.to_owned(), "pipeline cache 1 or 2".to_owned());
        assert_eq!(format_error(Store::open(room.store.root())), expected);
        assert_eq!(
            format_error(Store::open_read_only(room.store.root())),
            expected
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), found);
    }
}

#[test]
fn a_lost_or_garbled_format_is_written_again_where_a_record_is_whole() {
    let room = Room::new();
    room.commit("m", &[("a", "a")]);
    let path = room.store.root().join("format");
    let garbled: [Option<&[u8]>; 9] = [
        None,
        Some(b""),
        Some(b"pipeline cache 1 and more"),
        Some(b"pipeline c"),
        Some(b"pipeline cache 0\n"),
        Some(b"pipeline cache 5\n"),
        Some(b"pipeline cache 3\n"),
        Some(b"pipeline\0cache 1\n"),
        Some(&[0xff; 17]),
    ];
    for bytes in garbled {
        match bytes {
            Some(bytes) => fs::write(&path, bytes).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let reader = Store::open_read_only(room.store.root()).unwrap();
        assert!(is_fresh(&reader.presence(&key("m"))));
        assert_eq!(
            fs::read(&path).ok().as_deref(),
            bytes,
            "a reader writes nothing"
        );
        let store = Store::open(room.store.root()).unwrap();
        assert!(store.format_was_lost() && is_fresh(&store.presence(&key("m"))));
        assert_eq!(fs::read(&path).unwrap(), b"pipeline cache 1\n");
        assert!(!Store::open(room.store.root()).unwrap().format_was_lost());
    }
    // Nothing here can be read: it may be of any program.
    fs::write(room.record_path("m"), "{}").unwrap();
    fs::remove_file(&path).unwrap();
    assert_eq!(format_error(Store::open(room.store.root())).0, "none");
    assert!(!path.exists());
    // What `rm -r` left, or what a run went on to make behind it.
    fs::remove_file(room.record_path("m")).unwrap();
    assert!(!Store::open(room.store.root()).unwrap().format_was_lost());
    assert!(path.exists());
}

#[test]
fn a_record_of_another_format_is_set_aside_not_misread() {
    let room = Room::new();
    let record = room.commit("m", &[("a", "a")]);
    let newer = serde_json::to_string(&store::Record {
        format: 3,
        ..record
    })
    .unwrap()
        + "\n";
    let sum = store::Digest::of(newer.as_bytes());
    fs::write(
        room.record_path("m"),
        format!("{newer}{{\"blake3\":\"{sum}\"}}\n"),
    )
    .unwrap();
    let error = room.store.record(&key("m")).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("it has format 3, this program reads 1 and 2"),
        "{error}"
    );
}

#[test]
fn a_folder_with_a_readme_becomes_a_cache() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), &[("README.md", "kept")]);
    Store::open(folder.path()).unwrap();
    assert!(folder.path().join("README.md").exists());
    Store::open(folder.path()).unwrap();
}

#[test]
fn no_cache_reads_as_an_empty_one_and_stays_away() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("not/there");
    let store = Store::open_read_only(&root).unwrap();
    assert_eq!(store.presence(&key("m")), Status::Absent);
    assert_eq!(store.verify(&key("m")), Status::Absent);
    assert!(store.last_keys(Path::new("a.yaml")).is_empty());
    assert!(store.free_bytes().unwrap() > 0);
    store.save_memo().unwrap();
    assert_eq!(count(folder.path()), 0);
}

#[test]
fn a_reader_reads_and_never_writes() {
    let room = Room::new();
    room.commit("m", &[("a", "a")]);
    room.store
        .note_keys(Path::new("p.yaml"), &[("a".into(), key("m"))])
        .unwrap();
    let reader = Store::open_read_only(room.store.root()).unwrap();
    assert!(is_fresh(&reader.presence(&key("m"))) && is_fresh(&reader.verify(&key("m"))));
    assert_eq!(reader.last_keys(Path::new("p.yaml"))["a"], key("m"));
    reader.save_memo().unwrap();
    assert!(!room.store.root().join("memo").exists());
    let refused = [
        reader.ticket(&key("n")).map(drop),
        reader.quarantine(&key("m")).map(drop),
        reader.note_keys(Path::new("p.yaml"), &[]),
    ];
    assert!(
        refused
            .iter()
            .all(|result| matches!(result, Err(StoreError::ReadOnly { .. })))
    );
}
