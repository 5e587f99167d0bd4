//! Kills at random moments, flipped bits, full disks, clocks that jump: never a wrong or partial result.
//! Unaware of speed. A tenth of the rounds, or fewer; all of them with `PIPELINE_SOAK=1`.

use std::collections::BTreeSet;
use std::fs::{self, File, FileTimes};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use store::{Claim, Digest, Facts, GcRequest, Key, Status, Store};

use crate::dice::Dice;
use crate::disk::Disk;
use crate::locks::{HELPER, kill_after};
use crate::room::{Room, count, fill, is_fresh, key, ready};
use crate::rounds::rounds;

fn manifest(n: u64) -> String {
    format!("stage {n}")
}

/// The files that the stage `n` leaves.
fn files(n: u64) -> Vec<(String, String)> {
    let file = |m| (format!("{}/{m}", m % 2), format!("{n} {m}").repeat(50));
    (0..n % 7).map(file).collect()
}

/// Commits all stages that are not done.
fn commit_all(store: &Store, stages: u64) {
    let committer = store.committer();
    for n in 0..stages {
        let manifest = manifest(n);
        if let Claim::Done(_) = store.ticket(&key(&manifest)).unwrap() {
            continue;
        }
        let ticket = ready(store, &key(&manifest));
        for (path, text) in files(n) {
            fill(ticket.out(), &[(&path, &text)]);
        }
        committer
            .commit(ticket, "test", &manifest, &[], Facts::new())
            .unwrap();
    }
    assert!(committer.finish().is_empty());
}

/// Whether a stage is there with the right bytes. One that is there with others, or in part, fails the test.
fn is_done(store: &Store, n: u64) -> bool {
    match store.verify(&key(&manifest(n))) {
        Status::Absent => return false,
        Status::Fresh(_) => {}
        other => panic!("stage {n}: {other:?}"),
    }
    let record = store.record(&key(&manifest(n))).unwrap().unwrap();
    let found: Vec<_> = record
        .outputs
        .iter()
        .map(|o| (o.path.clone(), o.digest))
        .collect();
    let mut expected: Vec<_> = files(n)
        .into_iter()
        .map(|(path, text)| (path, Digest::of(text.as_bytes())))
        .collect();
    expected.sort_unstable();
    assert_eq!(found, expected, "stage {n}");
    true
}

const STAGES: u64 = 60;

/// The next run after a kill ends with everything, and nothing is counted as damage.
fn check_and_finish(store: &Store) {
    let report = store.verify_all(&|_| ()).unwrap();
    assert!(report.broken.is_empty(), "{:?}", report.broken);
    commit_all(store, STAGES);
    assert!((0..STAGES).all(|n| is_done(store, n)));
    assert_eq!(
        count(&store.root().join("damaged")),
        0,
        "a kill damages nothing"
    );
}

fn collect(store: &Store, keep: BTreeSet<Key>) {
    let request = GcRequest {
        keep,
        keep_younger_than: None,
        now: SystemTime::now(),
        dry_run: false,
    };
    store.gc(&request).unwrap();
}

fn even() -> BTreeSet<Key> {
    (0..STAGES).step_by(2).map(|n| key(&manifest(n))).collect()
}

#[test]
fn commits_in_batches() {
    let Ok(root) = std::env::var(HELPER) else {
        return;
    };
    let store = Store::open(root.as_ref()).unwrap();
    loop {
        commit_all(&store, STAGES);
        store.save_memo().unwrap();
        collect(&store, BTreeSet::new());
    }
}

#[test]
fn cleans_up() {
    let Ok(root) = std::env::var(HELPER) else {
        return;
    };
    let store = Store::open(root.as_ref()).unwrap();
    loop {
        collect(&store, even());
        commit_all(&store, STAGES);
    }
}

#[test]
fn imports() {
    let Ok(root) = std::env::var(HELPER) else {
        return;
    };
    let store = Store::open(root.as_ref()).unwrap();
    let archive = store.root().with_file_name("archive.tar");
    loop {
        store.import(&mut File::open(&archive).unwrap()).unwrap();
        collect(&store, BTreeSet::new());
    }
}

#[test]
fn killed_while_committing_or_collecting_the_next_run_finishes() {
    let room = Room::new();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for round in 0..rounds(100, 8) {
        let time = Duration::from_micros(5_000 + dice.roll(120_000));
        kill_after("soak::commits_in_batches", room.store.root(), time);
        let store = room.reopened();
        let done = (0..STAGES).filter(|n| is_done(&store, *n)).count();
        println!("round {round}: killed after {time:?}, {done} of {STAGES} there");
    }
    check_and_finish(&room.reopened());
}

#[test]
fn killed_while_cleaning_up_what_is_kept_is_whole() {
    let room = Room::new();
    commit_all(&room.store, STAGES);
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    for _ in 0..rounds(100, 8) {
        let time = Duration::from_micros(5_000 + dice.roll(120_000));
        kill_after("soak::cleans_up", room.store.root(), time);
        let store = room.reopened();
        assert!((0..STAGES).step_by(2).all(|n| is_done(&store, n)));
        (1..STAGES).step_by(2).for_each(|n| {
            let _ = is_done(&store, n);
        });
    }
    check_and_finish(&room.reopened());
    collect(&room.store, BTreeSet::new());
    let usage = room.reopened().usage();
    assert_eq!(
        (usage.outputs.files, usage.trash.files, usage.partial.files),
        (0, 0, 0)
    );
}

#[test]
fn killed_while_importing_what_is_there_is_whole() {
    let (from, to) = (Room::new(), Room::new());
    commit_all(&from.store, STAGES);
    let keys = from.store.keys().unwrap();
    let mut archive = File::create(to.path("archive.tar")).unwrap();
    from.store.export(&keys, &mut archive).unwrap();
    let mut dice = Dice(0xda94_2042_e4dd_58b5);
    for _ in 0..rounds(100, 6) {
        let time = Duration::from_micros(5_000 + dice.roll(120_000));
        kill_after("soak::imports", to.store.root(), time);
        let store = to.reopened();
        (0..STAGES).for_each(|n| {
            let _ = is_done(&store, n);
        });
    }
    let store = to.reopened();
    store
        .import(&mut File::open(to.path("archive.tar")).unwrap())
        .unwrap();
    assert!((0..STAGES).all(|n| is_done(&store, n)));
}

/// All files of a folder.
fn walk(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            walk(&entry.path(), into);
        } else {
            into.push(entry.path());
        }
    }
}

/// Flips a bit as a failing disk would: the times stay, but the one that only the kernel sets.
fn flip(path: &Path, bit: u64) {
    let file = File::options().read(true).write(true).open(path).unwrap();
    let time = file.metadata().unwrap().modified().unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, bit / 8).unwrap();
    file.write_all_at(&[byte[0] ^ (1 << (bit % 8))], bit / 8)
        .unwrap();
    file.set_times(FileTimes::new().set_modified(time)).unwrap();
}

#[test]
fn every_flipped_bit_is_noticed() {
    let room = Room::new();
    commit_all(&room.store, 20);
    let mut dice = Dice(0x853c_49e6_748f_ea9b);
    for round in 0..rounds(1_000, 100) {
        let mut files = Vec::new();
        walk(&room.store.root().join("outputs"), &mut files);
        walk(&room.store.root().join("records"), &mut files);
        let path = &files[dice.roll(files.len() as u64) as usize];
        let bits = fs::metadata(path).unwrap().len() * 8;
        let bit = dice.roll(bits);
        flip(path, bit);
        let report = room.store.verify_all(&|_| ()).unwrap();
        assert_eq!(
            report.broken.len(),
            1,
            "round {round}: bit {bit} of {}",
            path.display()
        );
        let moved = report.broken[0].moved.as_ref().unwrap();
        fs::remove_dir_all(moved.as_ref().unwrap()).unwrap();
        commit_all(&room.store, 20);
        assert!((0..20).all(|n| is_done(&room.store, n)));
    }
}

/// Takes all room of a disk but so many bytes.
fn leave(path: &Path, bytes: u64) {
    let free = |path: &Path| {
        let disk = rustix::fs::statvfs(path).unwrap();
        disk.f_bavail * disk.f_frsize
    };
    let size = free(path.parent().unwrap()).saturating_sub(bytes);
    fs::write(path, vec![7; size as usize]).unwrap();
}

#[test]
fn a_disk_that_fills_up_anywhere_is_told_and_the_next_run_finishes() {
    let Some(disk) = Disk::new() else { return };
    for round in 0..rounds(50, 10) {
        let root = disk.path().join(format!("cache-{round}"));
        let store = Store::open(&root).unwrap();
        leave(
            &disk.path().join("filler"),
            4_096 * (round * 50 / rounds(50, 10)),
        );
        let committer = store.committer();
        let mut errors = Vec::new();
        for n in 0..10 {
            errors.extend(try_stage(&store, &committer, n).err());
        }
        errors.extend(committer.finish().into_iter().map(|(_, e)| e.to_string()));
        let is_told = |error: &String| error.contains("full") || error.contains("no room");
        assert!(errors.iter().all(is_told), "{errors:?}");
        fs::remove_file(disk.path().join("filler")).unwrap();
        let store = Store::open(&root).unwrap();
        (0..10).for_each(|n| {
            let _ = is_done(&store, n);
        });
        commit_all(&store, 10);
        assert!((0..10).all(|n| is_done(&store, n)));
        assert_eq!(count(&root.join("damaged")), 0);
        fs::remove_dir_all(&root).unwrap();
    }
}

/// One stage whose own writes may fail too.
fn try_stage(store: &Store, committer: &store::GroupCommit, n: u64) -> Result<(), String> {
    let manifest = manifest(n);
    let ticket = match store.ticket(&key(&manifest)).map_err(|e| e.to_string())? {
        Claim::Ready(ticket) => ticket,
        other => panic!("{other:?}"),
    };
    for (path, text) in files(n) {
        let path = ticket.out().join(path);
        let made = fs::create_dir_all(path.parent().unwrap());
        let written = made.and_then(|()| fs::write(&path, text));
        written.map_err(|_| "no room for the stage".to_owned())?;
    }
    let done = committer.commit(ticket, "test", &manifest, &[], Facts::new());
    done.map(drop).map_err(|e| e.to_string())
}

#[test]
fn clocks_that_jump_and_times_that_go_back_leave_nothing_stale() {
    let room = Room::new();
    let path = room.path("input");
    let mut dice = Dice(0xc0ff_ee11_5ea5_0001);
    let epoch = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    for n in 0..rounds(2_000, 200) {
        let text = format!("{n:08}");
        if dice.roll(2) == 0 {
            fs::write(&path, &text).unwrap();
        } else {
            fs::write(room.path("new"), &text).unwrap();
            fs::rename(room.path("new"), &path).unwrap();
        }
        let day = Duration::from_hours(24);
        let time = match dice.roll(4) {
            0 => epoch,
            1 => epoch - day * dice.roll(9_000) as u32,
            2 => SystemTime::now() + day * dice.roll(9_000) as u32,
            _ => SystemTime::now(),
        };
        let file = File::options().write(true).open(&path).unwrap();
        file.set_times(FileTimes::new().set_modified(time)).unwrap();
        assert_eq!(
            room.store.digest(&path).unwrap(),
            Digest::of(text.as_bytes()),
            "round {n}"
        );
    }
}

/// A record, and an output, of the same size and times as before: the index and the memo must not believe them.
#[test]
fn what_is_replaced_with_its_times_is_judged_anew() {
    let room = Room::new();
    room.commit("m", &[("a", "good")]);
    room.commit("n", &[("a", "good")]);
    std::thread::sleep(Duration::from_millis(2_050));
    assert!(is_fresh(&room.store.presence(&key("m"))) && is_fresh(&room.store.presence(&key("n"))));
    room.store.save_memo().unwrap();
    assert!(room.store.root().join("records.index").exists());
    flip(&room.record_path("m"), 1_000);
    flip(&room.output("n", "a"), 5);
    for store in [room.store.clone(), room.reopened()] {
        assert!(matches!(store.presence(&key("m")), Status::Damaged(_)));
        assert!(matches!(store.presence(&key("n")), Status::Damaged(_)));
    }
    flip(&room.record_path("m"), 1_000);
    flip(&room.output("n", "a"), 5);
    let all = room
        .reopened()
        .presences(&[key("m"), key("n"), key("never")]);
    assert!(is_fresh(&all[0]) && is_fresh(&all[1]) && all[2] == Status::Absent);
    drop(ready(&room.store, &key("never")));
}

#[test]
fn a_damaged_or_foreign_index_changes_no_answer() {
    let room = Room::new();
    room.commit("m", &[("a", "a"), ("b/c", "c")]);
    std::thread::sleep(Duration::from_millis(2_050));
    room.store.save_memo().unwrap();
    let path = room.store.root().join("records.index");
    let bytes = fs::read(&path).unwrap();
    let mut flipped = bytes.clone();
    flipped[100] ^= 1;
    for wrong in [&flipped, &bytes[..50], b"", b"pipeline index2\n"] {
        fs::write(&path, wrong).unwrap();
        assert!(is_fresh(&room.reopened().presence(&key("m"))));
        fs::remove_file(room.output("m", "a")).unwrap();
        assert!(!is_fresh(&room.reopened().presence(&key("m"))));
        fs::write(room.output("m", "a"), "a").unwrap();
    }
}
