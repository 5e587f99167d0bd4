//! The verification of everything: what it finds, moves and says.
//! Unaware of bit flips one by one: those are in `soak`.

use std::cell::Cell;
use std::fs;

use store::{DAMAGED_RECORD, Progress, Status};

use crate::room::{Room, is_fresh, key, missing};

#[test]
fn a_whole_cache_is_read_to_the_last_byte() {
    let room = Room::new();
    let large = "x".repeat(17 << 20);
    room.commit("m", &[("a", "a"), ("large", &large)]);
    room.commit("none", &[]);
    let last = Cell::new(Progress::default());
    let report = room
        .store
        .verify_all(&|progress| last.set(progress))
        .unwrap();
    assert_eq!((report.entries, report.broken.len()), (2, 0));
    let all = 1 + (17 << 20);
    let expected = Progress {
        files: 2,
        all_files: 2,
        bytes: all,
        all_bytes: all,
    };
    assert_eq!((report.read, last.get()), (expected, expected));
}

#[test]
fn damage_moves_aside_and_is_named() {
    let room = Room::new();
    let large = "x".repeat(17 << 20);
    room.commit("whole", &[("a", "a")]);
    room.commit("output", &[("a", "good"), ("b", "good")]);
    room.commit("large", &[("l", &large)]);
    room.commit("missing", &[("a", "a"), ("b", "b")]);
    room.commit("record", &[("a", "a")]);
    fs::write(room.output("output", "b"), "evil").unwrap();
    fs::write(room.output("large", "l"), large.replace("xx", "xy")).unwrap();
    fs::remove_file(room.output("missing", "a")).unwrap();
    fs::write(room.record_path("record"), "{}\n").unwrap();
    let report = room.store.verify_all(&|_| ()).unwrap();
    assert_eq!((report.entries, report.broken.len()), (5, 4));
    let broken = |manifest| {
        let found = report
            .broken
            .iter()
            .find(|broken| broken.key == key(manifest))
            .unwrap();
        let moved = found
            .moved
            .as_ref()
            .map(|moved| moved.as_ref().unwrap().is_dir());
        (
            found.kind.as_str(),
            found.damaged.clone(),
            found.missing.clone(),
            moved,
        )
    };
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        broken("output"),
        ("test", names(&["b"]), vec![], Some(true))
    );
    assert_eq!(broken("large"), ("test", names(&["l"]), vec![], Some(true)));
    assert_eq!(broken("missing"), ("test", vec![], names(&["a"]), None));
    assert_eq!(
        broken("record"),
        ("", names(&[DAMAGED_RECORD]), vec![], Some(true))
    );
    assert!(is_fresh(&room.store.presence(&key("whole"))));
    assert_eq!(room.store.presence(&key("output")), Status::Absent);
    assert_eq!(room.store.presence(&key("missing")), missing(&["a"]));
}
