//! Copies out of the cache: verified, whole or not at all, with bytes of their own.
//! Unaware of archives.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use store::{Facts, StoreError};

use crate::room::{Room, count, fill, is_fresh, key, ready};

#[test]
fn copies_have_the_bytes_and_are_nobodys_link() {
    let room = Room::new();
    let large = "x".repeat(3 << 20);
    room.commit("m", &[("a", "a"), ("b/c", &large), ("empty", "")]);
    let dest = room.path("copies");
    fs::create_dir(&dest).unwrap();
    fs::write(dest.join("a"), "the user's older one").unwrap();
    let paths = room.store.copy_out(&key("m"), &dest).unwrap();
    assert_eq!(
        paths,
        [dest.join("a"), dest.join("b/c"), dest.join("empty")]
    );
    assert_eq!(fs::read_to_string(&paths[0]).unwrap(), "a");
    assert_eq!(fs::read_to_string(&paths[1]).unwrap(), large);
    for path in &paths {
        assert_eq!(fs::metadata(path).unwrap().nlink(), 1);
        fs::write(path, "edited").unwrap();
    }
    assert!(
        is_fresh(&room.store.verify(&key("m"))),
        "an edit stays outside"
    );
    let restored = room.path("deep/er/one");
    room.store
        .restore_file(&key("m"), "b/c", &restored)
        .unwrap();
    assert_eq!(fs::read_to_string(restored).unwrap(), large);
}

#[test]
fn what_is_not_there_or_not_right_is_not_copied() {
    let room = Room::new();
    room.commit("m", &[("a", "good"), ("b", "good")]);
    fs::write(room.output("m", "a"), "evil").unwrap();
    let dest = room.path("copies");
    let error = room
        .store
        .restore_file(&key("m"), "a", &dest.join("a"))
        .unwrap_err();
    assert!(
        matches!(&error, StoreError::DamagedOutput { path } if path.ends_with("a")),
        "{error}"
    );
    assert!(error.is_damage() && error.hint().contains("verify"));
    assert_eq!(count(&dest), 0, "nothing is left beside");
    fs::write(room.output("m", "a"), "longer than it was").unwrap();
    assert!(room.store.copy_out(&key("m"), &dest).is_err());
    assert!(!dest.join("a").exists());
    let error = room
        .store
        .restore_file(&key("m"), "../b", &dest)
        .unwrap_err();
    assert!(matches!(error, StoreError::MissingOutput { .. }), "{error}");
    let error = room.store.copy_out(&key("never"), &dest).unwrap_err();
    assert!(matches!(error, StoreError::Absent { .. }), "{error}");
}

#[test]
fn nothing_is_written_through_a_link_that_was_there() {
    let room = Room::new();
    let ticket = ready(&room.store, &key("m"));
    fill(ticket.out(), &[("deep/a", "new"), ("deep/er/b", "new")]);
    fs::create_dir(ticket.out().join("none")).unwrap();
    ticket.commit("test", "m", &[], Facts::new()).unwrap();
    let (dest, elsewhere) = (room.path("copies"), room.path("elsewhere"));
    fs::create_dir_all(elsewhere.join("er")).unwrap();
    fs::write(elsewhere.join("a"), "of another").unwrap();
    fs::create_dir_all(dest.join("real")).unwrap();
    symlink(elsewhere.join("a"), dest.join("real/a")).unwrap();
    // One that leads out, one that stays inside, and one that leads nowhere.
    for to in [&*elsewhere, Path::new("real"), Path::new("gone")] {
        let _ = fs::remove_dir_all(dest.join("deep"));
        let _ = fs::remove_dir(dest.join("none"));
        symlink(to, dest.join("deep")).unwrap();
        symlink(to, dest.join("none")).unwrap();
        room.store.copy_out(&key("m"), &dest).unwrap();
        assert!(dest.join("deep/a").is_file() && !dest.join("deep").is_symlink());
        assert_eq!(fs::read(dest.join("deep/er/b")).unwrap(), b"new");
        assert_eq!(count(&dest.join("none")), 0);
        assert!(!dest.join("none").is_symlink());
        assert_eq!(fs::read(elsewhere.join("a")).unwrap(), b"of another");
        assert_eq!(count(&elsewhere.join("er")), 0);
        assert!(dest.join("real/a").is_symlink());
    }
    // A link in the place of a file is replaced, too.
    fs::remove_file(dest.join("deep/a")).unwrap();
    symlink(elsewhere.join("a"), dest.join("deep/a")).unwrap();
    room.store.copy_out(&key("m"), &dest).unwrap();
    assert_eq!(fs::read(dest.join("deep/a")).unwrap(), b"new");
    assert_eq!(fs::read(elsewhere.join("a")).unwrap(), b"of another");
}

#[test]
fn two_outputs_never_meet_behind_a_link_of_an_earlier_result() {
    let room = Room::new();
    let ticket = ready(&room.store, &key("1"));
    fill(ticket.out(), &[("d/v1/x", "first")]);
    symlink("v1", ticket.out().join("d/latest")).unwrap();
    ticket.commit("test", "1", &[], Facts::new()).unwrap();
    room.commit("2", &[("d/latest/x", "latest"), ("d/v1/x", "second")]);
    let dest = room.path("copies");
    room.store.copy_out(&key("1"), &dest).unwrap();
    assert_eq!(fs::read(dest.join("d/latest/x")).unwrap(), b"first");
    room.store.copy_out(&key("2"), &dest).unwrap();
    assert_eq!(fs::read(dest.join("d/latest/x")).unwrap(), b"latest");
    assert_eq!(fs::read(dest.join("d/v1/x")).unwrap(), b"second");
}
