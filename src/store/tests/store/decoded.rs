//! What results hold, decoded: made once by whoever comes first, shared, and cleaned up when nobody reads it.
//! Unaware of what is in the files.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use store::{Decoded, DecodedRoom, Digest, GcRequest, Making, Room as Part, StoreError};

use crate::room::Room;

fn whole(mut file: File) -> Option<File> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    (text == "whole").then_some(file)
}

#[expect(clippy::unnecessary_wraps, reason = "as it is called")]
fn go_on() -> Result<(), StoreError> {
    Ok(())
}

fn to_make(decoded: &DecodedRoom, content: &Digest) -> Making {
    match decoded
        .open(content, whole, || panic!("nobody makes it"), go_on)
        .unwrap()
    {
        Decoded::ToMake(making) => making,
        Decoded::There(_) => panic!("it is there"),
    }
}

fn make(decoded: &DecodedRoom, content: &Digest) -> File {
    let making = to_make(decoded, content);
    let mut file = making.file().unwrap();
    file.write_all(b"whole").unwrap();
    making.done().unwrap();
    file
}

fn is_there(decoded: &DecodedRoom, content: &Digest) -> bool {
    decoded.path(content).exists()
}

#[test]
fn one_makes_it_and_the_others_wait_and_read_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    let (decoded, content) = (DecodedRoom::new(folder.path()), Digest::of(b"a"));
    let making = to_make(&decoded, &content);
    let (waits, waiting) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            let found = decoded.open(&content, whole, move || waits.send(()).unwrap(), go_on);
            matches!(found.unwrap(), Decoded::There(_))
        });
        waiting.recv().unwrap();
        // Time to begin to wait: one that waited for this very file would wait for its reader too.
        std::thread::sleep(Duration::from_millis(300));
        let mut reads = making.file().unwrap(); // as long as its training lasts
        reads.write_all(b"whole").unwrap();
        making.done().unwrap();
        assert!(other.join().unwrap());
        drop(reads);
    });
    assert_eq!(
        fs::read_dir(decoded.path(&content).parent().unwrap())
            .unwrap()
            .count(),
        1
    );
}

#[test]
fn who_waits_stops_when_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let (decoded, content) = (DecodedRoom::new(folder.path()), Digest::of(b"a"));
    let making = to_make(&decoded, &content);
    let mut looks = 0;
    let stop = || {
        looks += 1;
        let what = "stopped".to_owned();
        if looks < 3 {
            Ok(())
        } else {
            Err(StoreError::Archive { what })
        }
    };
    let found = decoded.open(&content, whole, || (), stop);
    assert!(matches!(found, Err(StoreError::Archive { .. })));
    drop(making);
}

#[test]
fn a_damaged_file_and_one_that_was_never_finished_are_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (decoded, content) = (DecodedRoom::new(folder.path()), Digest::of(b"a"));
    let making = to_make(&decoded, &content);
    making.file().unwrap().write_all(b"wh").unwrap();
    drop(making);
    assert!(!is_there(&decoded, &content));
    drop(make(&decoded, &content));
    fs::write(decoded.path(&content), "who?").unwrap();
    drop(make(&decoded, &content));
    assert_eq!(fs::read(decoded.path(&content)).unwrap(), b"whole");
}

#[test]
fn what_a_killed_one_has_written_takes_no_room_once_another_may_make_it() {
    let folder = tempfile::tempdir().unwrap();
    let (decoded, content) = (DecodedRoom::new(folder.path()), Digest::of(b"a"));
    let left = decoded.path(&content).with_extension("making");
    fs::create_dir_all(left.parent().unwrap()).unwrap();
    fs::write(&left, "half of what it will be").unwrap();
    let _making = to_make(&decoded, &content);
    assert_eq!(fs::metadata(&left).unwrap().len(), 0);
}

/// Waits until nobody has it locked: a child that another test starts has our descriptors from its fork to its exec.
fn is_given_back(path: &Path) {
    let begin = Instant::now();
    while File::open(path).unwrap().try_lock().is_err() {
        assert!(begin.elapsed() < Duration::from_mins(3), "{path:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_clean_up_leaves_what_was_used_lately_and_what_is_read() {
    let room = Room::new();
    let decoded = DecodedRoom::new(&room.store.decoded_path());
    let [young, read, old, left] = [b"1", b"2", b"3", b"4"].map(|b| Digest::of(b));
    let day = Duration::from_hours(24);
    let aged = |content: &Digest| {
        let file = make(&decoded, content);
        file.set_modified(SystemTime::now() - 8 * day).unwrap();
        file
    };
    drop(make(&decoded, &young));
    let reader = aged(&read);
    drop(aged(&old));
    drop(make(&decoded, &left));
    for content in [&young, &old, &left] {
        is_given_back(&decoded.path(content));
    }
    let leftover = decoded.path(&left).with_extension("making");
    fs::rename(decoded.path(&left), &leftover).unwrap();
    assert_eq!(room.store.usage().decoded.files, 4);
    let request = |keep_younger_than| GcRequest {
        keep: std::collections::BTreeSet::new(),
        keep_younger_than,
        now: SystemTime::now(),
        dry_run: false,
    };
    let of_week = request(Some(7 * day));
    let looked = GcRequest {
        dry_run: true,
        ..of_week.clone()
    };
    let looked = room.store.gc(&looked).unwrap();
    let report = room.store.gc(&of_week).unwrap();
    assert_eq!(looked.freed, report.freed, "a dry run sees readers too");
    let freed = report
        .freed
        .iter()
        .filter(|thing| thing.room == Part::Decoded);
    assert_eq!(freed.count(), 2);
    assert!(is_there(&decoded, &young) && is_there(&decoded, &read));
    assert!(!is_there(&decoded, &old) && !leftover.exists());
    room.store.gc(&request(None)).unwrap();
    assert!(!is_there(&decoded, &young) && is_there(&decoded, &read));
    drop(reader);
    is_given_back(&decoded.path(&read));
    room.store.gc(&request(None)).unwrap();
    assert!(!is_there(&decoded, &read));
}
