//! Archives: out of one cache and into another, and what a hostile one may not do.
//! Unaware of how a tar is written, but for the hostile ones.

use std::fs;

use store::{Store, StoreError};
use tar::{Builder, EntryType, Header};

use crate::room::{Room, count, is_fresh, key, ready};

fn exported(room: &Room, manifests: &[&str]) -> Vec<u8> {
    let keys: Vec<_> = manifests.iter().map(|manifest| key(manifest)).collect();
    let mut bytes = Vec::new();
    room.store.export(&keys, &mut bytes).unwrap();
    bytes
}

/// A cache with keys of many shapes.
fn source() -> Room {
    let room = Room::new();
    let long = format!("{}/{}/ä.txt", "folder".repeat(20), "b".repeat(200));
    room.commit("m", &[("a", "first"), ("b/c", "second"), (&long, "third")]);
    room.commit("none", &[]);
    room.commit("large", &[("l", &"x".repeat(3 << 20))]);
    room
}

#[test]
fn an_archive_fills_another_cache_and_is_taken_once() {
    let (from, to) = (source(), Room::new());
    let bytes = exported(&from, &["m", "none", "large"]);
    let report = to.store.import(&mut &*bytes).unwrap();
    assert_eq!(report.imported, [key("m"), key("none"), key("large")]);
    assert_eq!(report.amount.files, 4);
    for manifest in ["m", "none", "large"] {
        assert!(is_fresh(&to.store.verify(&key(manifest))), "{manifest}");
        let records = [&from, &to].map(|room| room.store.record(&key(manifest)).unwrap());
        assert_eq!(records[0], records[1]);
    }
    let report = to.store.import(&mut &*bytes).unwrap();
    assert_eq!((report.imported.len(), report.skipped.len()), (0, 3));
    assert_eq!(
        bytes,
        exported(&to, &["m", "none", "large"]),
        "the same bytes from there"
    );
}

#[test]
fn a_key_that_is_being_computed_is_passed_over() {
    let (from, to) = (source(), Room::new());
    let _ticket = ready(&to.store, &key("m"));
    let report = to
        .store
        .import(&mut &*exported(&from, &["m", "none"]))
        .unwrap();
    assert_eq!(
        (report.busy, report.imported),
        (vec![key("m")], vec![key("none")])
    );
}

#[test]
fn damage_is_not_exported() {
    let room = source();
    fs::write(room.output("m", "a"), "FIRST").unwrap();
    let error = room.store.export(&[key("m")], &mut Vec::new()).unwrap_err();
    assert!(matches!(error, StoreError::DamagedOutput { .. }), "{error}");
    fs::write(room.output("m", "a"), "short").unwrap();
    fs::remove_file(room.output("m", "b/c")).unwrap();
    assert!(room.store.export(&[key("m")], &mut Vec::new()).is_err());
    let error = room
        .store
        .export(&[key("never")], &mut Vec::new())
        .unwrap_err();
    assert!(matches!(error, StoreError::Absent { .. }), "{error}");
}

#[test]
fn an_archive_cut_anywhere_or_with_a_flipped_bit_leaves_only_whole_keys() {
    let (from, to) = (Room::new(), Room::new());
    from.commit("m", &[("a", "first"), ("b", "second")]);
    let bytes = exported(&from, &["m"]);
    let try_it = |bytes: &[u8], what: &str| {
        let done = to.store.import(&mut &*bytes);
        if is_fresh(&to.store.verify(&key("m"))) {
            to.store.quarantine(&key("m")).unwrap();
        } else {
            assert!(
                done.is_err() || done.is_ok_and(|done| done.imported.is_empty()),
                "{what}"
            );
        }
        assert_eq!(to.store.keys().unwrap(), [], "{what}");
    };
    for length in (0..bytes.len()).step_by(97) {
        try_it(&bytes[..length], &format!("{length} bytes"));
    }
    for bit in (0..bytes.len() * 8).step_by(331) {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        try_it(&flipped, &format!("bit {bit}"));
    }
}

/// An archive of raw entries, with names that a well-meaning writer would refuse.
fn hostile(entries: &[(EntryType, &str, &[u8])]) -> Vec<u8> {
    let mut archive = Builder::new(Vec::new());
    for (kind, name, bytes) in entries {
        let mut header = Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(bytes.len() as u64);
        if kind.is_symlink() || kind.is_hard_link() {
            header.set_link_name("/etc/passwd").unwrap();
        }
        header.set_cksum();
        archive.append(&header, *bytes).unwrap();
    }
    archive.into_inner().unwrap()
}

fn refusal(store: &Store, archive: &[u8]) -> String {
    match store.import(&mut &*archive).unwrap_err() {
        StoreError::Archive { what } => what,
        other => panic!("{other}"),
    }
}

/// Type, name and bytes of an entry of an archive.
type Entry<'a> = (EntryType, &'a str, &'a [u8]);

#[test]
fn hostile_archives_are_refused_with_a_reason() {
    let (from, to) = (Room::new(), Room::new());
    from.commit("m", &[("a", "first")]);
    let key = key("m");
    let record = fs::read(from.record_path("m")).unwrap();
    let (name, a) = (format!("{key}/record.json"), format!("{key}/outputs/a"));
    let up = format!("{key}/outputs/../../../up");
    let file = EntryType::Regular;
    let first = (file, name.as_str(), record.as_slice());
    let cases: [(&[Entry<'_>], &str); 14] = [
        (&[(file, "/etc/passwd", b"x")], "does not begin with a key"),
        (&[(file, "../../x", b"x")], "does not begin with a key"),
        (&[(file, "x", b"x")], "does not begin with a key"),
        (
            &[(file, &format!("{key}/../x"), b"x")],
            "neither a record nor an output",
        ),
        (&[(file, &name, b"{}\n{}\n")], "is damaged"),
        (&[(file, &a, b"first")], "does not follow its record"),
        (&[first, (file, &up, b"first")], "is not the next output"),
        (&[first, (file, &a, b"FIRST")], "bytes of"),
        (&[first, (file, &a, b"longer than it")], "has 14 bytes"),
        (
            &[first, (file, &a, b"first"), (file, &a, b"first")],
            "is not the next output",
        ),
        (&[first], "it ends before"),
        (
            &[first, (EntryType::Symlink, &a, b"")],
            "is no regular file",
        ),
        (&[first, (EntryType::Link, &a, b"")], "is no regular file"),
        (
            &[(EntryType::GNULongName, "././@LongLink", &[b'x'; 5000])],
            "name of 5000 bytes",
        ),
    ];
    for (entries, reason) in cases {
        let what = refusal(&to.store, &hostile(entries));
        assert!(what.contains(reason), "{what}\nexpected: {reason}");
    }
    for kind in [
        EntryType::Directory,
        EntryType::Fifo,
        EntryType::XHeader,
        EntryType::GNUSparse,
    ] {
        assert!(refusal(&to.store, &hostile(&[(kind, &a, b"")])).contains("is no regular file"));
    }
    assert_eq!(to.store.keys().unwrap(), []);
    assert_eq!(count(&to.folder.path().join("cache/outputs")), 0);
    assert_eq!(count(to.folder.path()), 1, "nothing outside the cache");
}

#[test]
fn bytes_that_are_no_archive_are_refused() {
    let room = Room::new();
    refusal(&room.store, &[7; 10_000]);
    for nothing in [&[][..], &[0; 1024]] {
        assert!(refusal(&room.store, nothing).contains("it holds nothing"));
    }
}
