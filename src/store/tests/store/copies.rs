//! Copies out of the cache: verified, whole or not at all, with bytes of their own.
//! Unaware of archives.

use std::fs;
use std::os::unix::fs::MetadataExt;

use store::StoreError;

use crate::room::{Room, count, is_fresh, key};

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
