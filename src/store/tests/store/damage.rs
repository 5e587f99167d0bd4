//! What other hands and failing disks do to the cache, and that it is noticed and kept.
//! Unaware of crashes: those leave no damage.

use std::fs::{self, File, FileTimes};
use std::os::unix::fs::{FileExt, symlink};
use std::path::Path;

use store::{Claim, DAMAGED_RECORD, Status, StoreError};

use crate::room::{Room, damaged, is_fresh, key, missing, ready};

/// Flips one bit in place, and gives the file its old times back.
fn flip(path: &Path, bit: usize) {
    let file = File::options().read(true).write(true).open(path).unwrap();
    let meta = file.metadata().unwrap();
    let times = FileTimes::new()
        .set_accessed(meta.accessed().unwrap())
        .set_modified(meta.modified().unwrap());
    let (mut byte, at) = ([0], bit as u64 / 8);
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ (1 << (bit % 8))], at)
        .unwrap();
    file.set_times(times).unwrap();
}

#[test]
fn every_flipped_bit_of_a_record_is_damage() {
    let room = Room::new();
    room.commit("m", &[("a", "a")]);
    let path = room.record_path("m");
    for bit in 0..fs::read(&path).unwrap().len() * 8 {
        flip(&path, bit);
        assert_eq!(
            room.store.presence(&key("m")),
            damaged(&[DAMAGED_RECORD]),
            "bit {bit}"
        );
        flip(&path, bit);
    }
    assert!(is_fresh(&room.store.presence(&key("m"))));
}

#[test]
fn a_record_cut_short_is_damage_and_says_so() {
    let room = Room::new();
    room.commit("m", &[("a", "a")]);
    let path = room.record_path("m");
    let bytes = fs::read(&path).unwrap();
    for length in [0, 1, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&path, &bytes[..length]).unwrap();
        let error = room.store.record(&key("m")).unwrap_err();
        assert!(matches!(error, StoreError::DamagedRecord { .. }), "{error}");
        assert!(error.hint().contains("damaged/"));
    }
}

#[test]
fn the_record_of_another_key_is_damage() {
    let room = Room::new();
    room.commit("m", &[("a", "a")]);
    room.commit("n", &[("a", "a")]);
    fs::copy(room.record_path("n"), room.record_path("m")).unwrap();
    assert_eq!(room.store.presence(&key("m")), damaged(&[DAMAGED_RECORD]));
}

#[test]
fn flipped_bits_of_outputs_are_found_by_verify_and_by_presence() {
    let room = Room::new();
    let text = "some text, ".repeat(50);
    room.commit("m", &[("a", &text), ("b", "b"), ("c", &text)]);
    let path = room.output("m", "c");
    for bit in (0..text.len() * 8).step_by(101) {
        flip(&path, bit);
        assert_eq!(room.store.verify(&key("m")), damaged(&["c"]), "bit {bit}");
        assert_eq!(room.store.presence(&key("m")), damaged(&["c"]), "bit {bit}");
        flip(&path, bit);
    }
    assert!(is_fresh(&room.store.verify(&key("m"))));
}

#[test]
fn missing_and_resized_outputs_are_named() {
    let room = Room::new();
    room.commit("m", &[("a", "a"), ("b/c", "c"), ("d", "d")]);
    fs::write(room.output("m", "extra"), "x").unwrap();
    assert!(
        is_fresh(&room.store.presence(&key("m"))),
        "extra files don't matter"
    );
    fs::remove_dir_all(room.output("m", "b")).unwrap();
    assert_eq!(room.store.presence(&key("m")), missing(&["b/c"]));
    fs::write(room.output("m", "b"), "a file where a folder was").unwrap();
    assert_eq!(room.store.presence(&key("m")), missing(&["b/c"]));
    fs::write(room.output("m", "d"), "").unwrap();
    assert_eq!(room.store.presence(&key("m")), damaged(&["d"]));
    fs::remove_dir_all(room.output("m", "")).unwrap();
    assert_eq!(room.store.verify(&key("m")), missing(&["a", "b/c", "d"]));
}

#[test]
fn an_output_that_became_a_link_or_a_folder_is_damage() {
    let room = Room::new();
    room.commit("m", &[("a", "a"), ("b", "b")]);
    fs::rename(room.output("m", "a"), room.path("a")).unwrap();
    symlink(room.path("a"), room.output("m", "a")).unwrap();
    fs::remove_file(room.output("m", "b")).unwrap();
    fs::create_dir(room.output("m", "b")).unwrap();
    assert_eq!(room.store.presence(&key("m")), damaged(&["a", "b"]));
}

#[test]
fn a_ticket_moves_damage_aside_and_the_rerun_is_fresh() {
    let room = Room::new();
    room.commit("m", &[("a", "good")]);
    flip(&room.output("m", "a"), 3);
    assert!(matches!(room.store.verify(&key("m")), Status::Damaged(_)));
    drop(ready(&room.store, &key("m")));
    let aside = room.store.root().join(format!("damaged/{}-1", key("m")));
    assert_ne!(fs::read_to_string(aside.join("outputs/a")).unwrap(), "good");
    assert!(aside.join("record.json").exists());
    room.commit("m", &[("a", "good")]);
    assert!(matches!(
        room.store.ticket(&key("m")).unwrap(),
        Claim::Done(_)
    ));
}

#[test]
fn a_ticket_moves_a_damaged_record_aside_with_its_outputs() {
    let room = Room::new();
    room.commit("m", &[("a", "good")]);
    flip(&room.record_path("m"), 1_000);
    drop(ready(&room.store, &key("m")));
    let aside = room.store.root().join(format!("damaged/{}-1", key("m")));
    assert_eq!(fs::read_to_string(aside.join("outputs/a")).unwrap(), "good");
    assert_eq!(room.store.presence(&key("m")), Status::Absent);
}

#[test]
fn a_record_that_cannot_be_read_is_an_error_not_a_rerun() {
    let room = Room::new();
    room.commit("m", &[("a", "a")]);
    fs::remove_file(room.record_path("m")).unwrap();
    fs::create_dir(room.record_path("m")).unwrap();
    let error = room.store.ticket(&key("m")).unwrap_err();
    assert!(error.to_string().starts_with("cannot read"), "{error}");
    assert!(room.output("m", "a").exists());
}
