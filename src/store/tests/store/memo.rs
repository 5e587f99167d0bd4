//! The memo of digests over real files: what it trusts, and that it is never stale.
//! Unaware of how it is stored.

use std::fs::{self, File, FileTimes};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use store::{Digest, Store, StoreError};

use crate::room::{Room, is_fresh, key};

/// Just above the age at which a file is trusted.
const OLD: Duration = Duration::from_millis(2_050);

fn touch(path: &Path, time: SystemTime) {
    File::options()
        .write(true)
        .open(path)
        .unwrap()
        .set_times(FileTimes::new().set_modified(time))
        .unwrap();
}

#[test]
fn same_size_and_restored_times_are_not_stale() {
    let room = Room::new();
    let path = room.path("image");
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    for n in 0..200 {
        let text = format!("{n:04}");
        fs::write(&path, &text).unwrap();
        touch(&path, time);
        assert_eq!(
            room.store.digest(&path).unwrap(),
            Digest::of(text.as_bytes())
        );
    }
}

#[test]
fn an_old_file_edited_in_place_or_replaced_is_not_stale() {
    let room = Room::new();
    let (edited, replaced) = (room.path("edited"), room.path("replaced"));
    for path in [&edited, &replaced] {
        fs::write(path, "before").unwrap();
    }
    let time = fs::metadata(&edited).unwrap().modified().unwrap();
    sleep(OLD);
    let both = [edited.clone(), replaced.clone()];
    let before: Vec<Digest> = room
        .store
        .digests(&both)
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert_eq!(before, [Digest::of(b"before"); 2]);
    room.store.save_memo().unwrap();
    fs::write(&edited, "after!").unwrap();
    touch(&edited, time);
    fs::write(room.path("new"), "after!").unwrap();
    touch(&room.path("new"), time);
    fs::rename(room.path("new"), &replaced).unwrap();
    for store in [room.store.clone(), room.reopened()] {
        assert_eq!(store.digest(&edited).unwrap(), Digest::of(b"after!"));
        assert_eq!(store.digest(&replaced).unwrap(), Digest::of(b"after!"));
    }
}

/// Whether the memo on the disk holds anything.
fn has_memo(store: &Store) -> bool {
    store.save_memo().unwrap();
    store.root().join("memo").exists()
}

/// A room after something that wants files to be young. Where it took so long that they grew old, another one.
fn young(then: impl Fn(&Room) + std::panic::RefUnwindSafe) -> Room {
    loop {
        let room = std::panic::AssertUnwindSafe(Room::new());
        let begin = Instant::now();
        let done = std::panic::catch_unwind(|| then(&room));
        match done {
            Ok(()) => return room.0,
            Err(why) if begin.elapsed() < OLD => std::panic::resume_unwind(why),
            Err(_) => println!("again: it took {:?}", begin.elapsed()),
        }
    }
}

#[test]
fn young_files_are_not_remembered_and_old_ones_are() {
    let room = young(|room| {
        fs::write(room.path("file"), "x").unwrap();
        room.store.digest(&room.path("file")).unwrap();
        assert!(!has_memo(&room.store), "young");
    });
    touch(&room.path("file"), SystemTime::UNIX_EPOCH);
    room.store.digest(&room.path("file")).unwrap();
    assert!(!has_memo(&room.store), "an old mtime does not make it old");
    sleep(OLD);
    room.store.digest(&room.path("file")).unwrap();
    assert!(has_memo(&room.store), "old");
}

#[test]
fn young_files_are_hashed_again_when_they_are_old() {
    let room = young(|room| {
        room.commit("m", &[("a", "a")]);
        fs::write(room.path("file"), "x").unwrap();
        room.store.digest(&room.path("file")).unwrap();
        fs::write(room.path("gone"), "x").unwrap();
        room.store.digest(&room.path("gone")).unwrap();
        fs::remove_file(room.path("gone")).unwrap();
        assert!(!has_memo(&room.store), "young");
    });
    sleep(OLD);
    assert!(has_memo(&room.store), "nobody had to ask again");
    let size = fs::metadata(room.store.root().join("memo")).unwrap().len();
    assert_eq!(size, 16 + 2 * 80 + 32, "two entries");
}

#[test]
fn a_damaged_memo_is_an_empty_memo() {
    let room = Room::new();
    room.commit("m", &[("a", "a")]);
    sleep(OLD);
    assert!(is_fresh(&room.store.presence(&key("m"))));
    assert!(has_memo(&room.store));
    let path = room.store.root().join("memo");
    let bytes = fs::read(&path).unwrap();
    for wrong in [
        &bytes[..bytes.len() - 1],
        &bytes[..10],
        b"",
        b"pipeline memo 2\n",
    ] {
        fs::write(&path, wrong).unwrap();
        assert!(is_fresh(&room.reopened().presence(&key("m"))));
    }
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let store = room.reopened();
    assert!(is_fresh(&store.presence(&key("m"))));
    assert!(store.save_memo().is_err(), "told, but nobody has to care");
}

#[test]
fn digests_come_in_order_with_their_errors() {
    let room = Room::new();
    let paths: Vec<PathBuf> = (0..100).map(|n| room.path(&n.to_string())).collect();
    for (n, path) in paths.iter().enumerate().filter(|(n, _)| n % 10 != 3) {
        fs::write(path, n.to_string()).unwrap();
    }
    for (n, digest) in room.store.digests(&paths).into_iter().enumerate() {
        match digest {
            Ok(digest) => assert_eq!(digest, Digest::of(n.to_string().as_bytes())),
            Err(error) => {
                assert_eq!(n % 10, 3, "{error}");
                assert_eq!(error.hint(), "check the path");
            }
        }
    }
    let error = room.store.digest(room.folder.path()).unwrap_err();
    assert!(matches!(error, StoreError::NotRegular { .. }), "{error}");
}

#[test]
fn a_link_has_the_digest_of_its_file() {
    let room = Room::new();
    fs::write(room.path("file"), "x").unwrap();
    std::os::unix::fs::symlink("file", room.path("link")).unwrap();
    assert_eq!(
        room.store.digest(&room.path("link")).unwrap(),
        Digest::of(b"x")
    );
}
