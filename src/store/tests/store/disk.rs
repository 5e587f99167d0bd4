//! Disks that are full or read-only, as small memory disks. Skipped, and said so, where mounting is not permitted.
//! Unaware of other errors.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;

use store::{Facts, Status, Store, StoreError, write_atomic};
use tempfile::TempDir;

use crate::room::{fill, is_fresh, key, ready};

/// A disk of 1 MB.
pub struct Disk(TempDir);

impl Disk {
    pub fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mount = ["-t", "tmpfs", "-o", "size=1m", "tmpfs"];
        let done = Command::new("mount")
            .args(mount)
            .arg(folder.path())
            .output();
        if done.is_ok_and(|done| done.status.success()) {
            return Some(Self(folder));
        }
        println!("skipped: no permission to mount a memory disk");
        None
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    fn make_read_only(&self) {
        let done = Command::new("mount")
            .args(["-o", "remount,ro"])
            .arg(self.path())
            .status()
            .unwrap();
        assert!(done.success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

/// Takes all that is left of a disk.
fn fill_up(path: &Path) {
    let mut file = File::create(path).unwrap();
    for size in [4096, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
}

#[test]
fn a_full_disk_loses_nothing_and_the_same_command_ends_it() {
    let Some(disk) = Disk::new() else { return };
    let store = Store::open(&disk.path().join("cache")).unwrap();
    let commit = |manifest: &str| {
        let ticket = ready(&store, &key(manifest));
        fill(ticket.out(), &[("a", "a")]);
        fill(ticket.state(), &[("step", "7")]);
        if manifest == "late" {
            fill_up(&disk.path().join("filler"));
        }
        ticket.commit("test", manifest, &["a"], Facts::new())
    };
    commit("early").unwrap();
    let error = commit("late").unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Full {
                needed: Some(_),
                free: Some(0),
                ..
            }
        ),
        "{error:?}"
    );
    assert!(
        error
            .to_string()
            .starts_with("the disk is full: cannot write"),
        "{error}"
    );
    assert!(error.hint().contains("nothing was lost"));
    assert!(is_fresh(&store.verify(&key("early"))));
    assert_eq!(store.presence(&key("late")), Status::Absent);
    fs::remove_file(disk.path().join("filler")).unwrap();
    let ticket = ready(&store, &key("late"));
    assert_eq!(
        fs::read_to_string(ticket.state().join("step")).unwrap(),
        "7"
    );
    ticket.commit("test", "late", &[], Facts::new()).unwrap();
    assert!(is_fresh(&store.verify(&key("late"))));
}

#[test]
fn an_atomic_write_on_a_full_disk_keeps_the_old_content() {
    let Some(disk) = Disk::new() else { return };
    let path = disk.path().join("state");
    write_atomic(&path, b"old").unwrap();
    let error = write_atomic(&path, &vec![1; 2 << 20]).unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Full {
                needed: Some(2_097_152),
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(fs::read_dir(disk.path()).unwrap().count(), 1);
}

#[test]
fn a_read_only_disk_is_told_when_opening_and_can_be_read() {
    let Some(disk) = Disk::new() else { return };
    let root = disk.path().join("cache");
    let store = Store::open(&root).unwrap();
    let ticket = ready(&store, &key("m"));
    ticket.commit("test", "m", &[], Facts::new()).unwrap();
    drop(store); // it has a file open for writing
    disk.make_read_only();
    let error = Store::open(&root).unwrap_err();
    assert!(matches!(error, StoreError::Denied { .. }), "{error:?}");
    assert!(error.hint().contains("mounted for writing"));
    assert!(is_fresh(
        &Store::open_read_only(&root).unwrap().verify(&key("m"))
    ));
    let error = Store::open(&disk.path().join("other")).unwrap_err();
    assert!(matches!(error, StoreError::Denied { .. }), "{error:?}");
}
