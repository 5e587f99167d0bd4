//! What a clean-up removes and what it keeps: keys, pins, leases, ages, work, and what lies about.
//! Unaware of kills: those are in `soak`.

use std::collections::BTreeSet;
use std::fs::{self, File, FileTimes};
use std::path::Path;
use std::time::{Duration, SystemTime};

use store::{EntryState, GcReport, GcRequest, Key, Room as Part, Status};

use crate::room::{Room, count, fill, is_fresh, key, ready};

const DAY: Duration = Duration::from_hours(24);

fn keeping(manifests: &[&str]) -> GcRequest {
    GcRequest {
        keep: manifests.iter().map(|manifest| key(manifest)).collect(),
        keep_younger_than: None,
        now: SystemTime::now(),
        dry_run: false,
    }
}

fn freed(report: &GcReport, part: Part) -> BTreeSet<Key> {
    let those = report.freed.iter().filter(|thing| thing.room == part);
    those.filter_map(|thing| thing.key).collect()
}

fn age(path: &Path, by: Duration) {
    let times = FileTimes::new().set_modified(SystemTime::now() - by);
    File::open(path).unwrap().set_times(times).unwrap();
}

fn make_old(room: &Room, manifest: &str, by: Duration) {
    age(&room.record_path(manifest), by);
    age(&room.output(manifest, ""), by);
}

#[test]
fn what_is_not_kept_goes_with_all_that_belongs_to_it() {
    let room = Room::new();
    room.commit("kept", &[("a", "a")]);
    room.commit("gone", &[("a", "aaaa"), ("b/c", "c")]);
    for manifest in ["kept", "gone", "failed"] {
        let log = room.store.log_path(&key(manifest));
        fill(
            log.parent().unwrap(),
            &[(log.file_name().unwrap().to_str().unwrap(), "said")],
        );
    }
    let mut request = keeping(&["kept"]);
    request.dry_run = true;
    let before = room.store.usage();
    let plan = room.store.gc(&request).unwrap();
    assert_eq!(room.store.usage().outputs, before.outputs, "a dry run");
    request.dry_run = false;
    let report = room.store.gc(&request).unwrap();
    assert_eq!(report, plan, "a dry run says what happens");
    assert_eq!(freed(&report, Part::Entry), [key("gone")].into());
    assert_eq!(freed(&report, Part::Log), [key("failed")].into());
    let thing = &report.freed[0];
    assert_eq!(
        (thing.kind.as_str(), thing.amount.files),
        ("test", 4),
        "2 outputs, record, log"
    );
    assert!(is_fresh(&room.store.verify(&key("kept"))));
    assert_eq!(room.store.presence(&key("gone")), Status::Absent);
    assert!(!room.output("gone", "").exists() && !room.store.log_path(&key("gone")).exists());
    assert!(room.store.log_path(&key("kept")).exists());
    assert_eq!(count(&room.store.root().join("trash")), 0);
    room.commit("gone", &[("a", "aaaa"), ("b/c", "c")]);
}

#[test]
fn pins_and_leases_keep_and_end() {
    let room = Room::new();
    for manifest in ["pinned", "leased", "neither"] {
        room.commit(manifest, &[("a", manifest)]);
    }
    room.store
        .pin(&key("pinned"), "for the paper\nwith a second line")
        .unwrap();
    let lease = room
        .reopened()
        .lease([key("leased"), key("not yet there")])
        .unwrap();
    let report = room.store.gc(&keeping(&[])).unwrap();
    assert_eq!(freed(&report, Part::Entry), [key("neither")].into());
    assert_eq!(report.kept, 2);
    let note = "for the paper\nwith a second line".to_owned();
    assert_eq!(room.store.pins(), [(key("pinned"), note)]);
    assert!(
        room.store
            .entries()
            .unwrap()
            .iter()
            .any(|entry| entry.pinned)
    );
    drop(lease);
    assert!(room.store.unpin(&key("pinned")).unwrap());
    assert!(!room.store.unpin(&key("pinned")).unwrap());
    let report = room.store.gc(&keeping(&[])).unwrap();
    assert_eq!(freed(&report, Part::Entry).len(), 2);
    assert_eq!(room.store.keys().unwrap(), []);
}

#[test]
fn a_lease_of_a_dead_process_keeps_nothing_and_a_torn_living_one_stops_everything() {
    let room = Room::new();
    room.commit("m", &[]);
    let folder = room.store.root().join("leases");
    fill(
        &folder,
        &[("lease-1-1", "left by a killed process......32")],
    );
    let torn = folder.join("lease-2-2");
    fs::write(&torn, "torn").unwrap();
    let file = File::open(&torn).unwrap();
    file.lock().unwrap();
    let error = room.store.gc(&keeping(&[])).unwrap_err();
    assert!(error.to_string().contains("lease-2-2"), "{error}");
    assert!(is_fresh(&room.store.presence(&key("m"))));
    drop(file);
    room.store.gc(&keeping(&[])).unwrap();
    assert_eq!((count(&folder), room.store.keys().unwrap().len()), (0, 0));
}

/// A clean-up that only looks, of another process, asks at the same moment.
#[test]
fn a_dead_lease_is_dead_while_somebody_else_asks_about_it() {
    let room = Room::new();
    room.commit("m", &[]);
    let folder = room.store.root().join("leases");
    fill(
        &folder,
        &[("lease-1-1", "left by a killed process......32")],
    );
    let asks = File::open(folder.join("lease-1-1")).unwrap();
    asks.lock_shared().unwrap();
    room.store.gc(&keeping(&[])).unwrap();
    assert_eq!((count(&folder), room.store.keys().unwrap().len()), (0, 0));
}

#[test]
fn a_dry_run_leaves_what_dead_runs_have_left() {
    let room = Room::new();
    room.commit("m", &[]);
    let runs = room.store.root().join("locks/runs");
    fill(&runs, &[("run-1-1", "{}\n"), ("run-1-1.front", "")]);
    let left = ["run-1-1", "run-1-1.front"].map(|name| runs.join(name));
    let mut request = keeping(&[]);
    request.dry_run = true;
    room.store.gc(&request).unwrap();
    assert!(left.iter().all(|path| path.exists()));
    request.dry_run = false;
    room.store.gc(&request).unwrap();
    assert!(!left.iter().any(|path| path.exists()));
}

#[test]
fn age_counts_from_the_last_use() {
    let room = Room::new();
    for manifest in ["new", "old", "used"] {
        room.commit(manifest, &[("a", "a")]);
    }
    make_old(&room, "old", DAY * 3);
    make_old(&room, "used", DAY * 3);
    drop(room.store.lease([&key("used")]).unwrap());
    let mut request = keeping(&[]);
    request.keep_younger_than = Some(DAY * 2);
    let report = room.store.gc(&request).unwrap();
    assert_eq!(freed(&report, Part::Entry), [key("old")].into());
    request.now = SystemTime::now() - DAY * 400;
    assert_eq!(
        room.store.gc(&request).unwrap().freed,
        [],
        "a clock set back frees nothing"
    );
    request.now = SystemTime::now() + DAY * 4;
    assert_eq!(
        freed(&room.store.gc(&request).unwrap(), Part::Entry).len(),
        2
    );
}

#[test]
fn a_use_disturbs_neither_presence_nor_bytes() {
    let room = Room::new();
    room.commit("m", &[("a", "a")]);
    make_old(&room, "m", DAY);
    let before = fs::metadata(room.record_path("m"))
        .unwrap()
        .modified()
        .unwrap();
    let _lease = room.store.lease([key("m")]).unwrap();
    assert_eq!(
        fs::metadata(room.record_path("m"))
            .unwrap()
            .modified()
            .unwrap(),
        before
    );
    let entry = &room.store.entries().unwrap()[0];
    assert!(entry.used > entry.committed + DAY / 2);
    assert_eq!(entry.state, EntryState::Whole);
    assert!(is_fresh(&room.store.verify(&key("m"))));
}

#[test]
fn work_and_checkpoints_stay_when_they_are_wanted() {
    let room = Room::new();
    for manifest in ["wanted", "unwanted", "running"] {
        let ticket = ready(&room.store, &key(manifest));
        fill(ticket.state(), &[("step", "7")]);
    }
    let running = ready(&room.store, &key("running"));
    let report = room.store.gc(&keeping(&["wanted"])).unwrap();
    assert_eq!(freed(&report, Part::Partial), [key("unwanted")].into());
    assert!(room.partial("wanted").join("state/step").exists());
    assert!(running.state().join("step").exists());
    assert!(!room.partial("unwanted").exists());
}

#[test]
fn what_is_being_computed_or_published_is_kept() {
    let room = Room::new();
    let ticket = ready(&room.store, &key("m"));
    fill(ticket.out(), &[("a", "a")]);
    room.store.gc(&keeping(&[])).unwrap();
    let committer = room.store.committer();
    committer
        .commit(ticket, "test", "m", &["a"], store::Facts::new())
        .unwrap();
    let _lease = room.store.lease([key("m")]).unwrap();
    room.store.gc(&keeping(&[])).unwrap();
    assert!(committer.finish().is_empty());
    assert!(is_fresh(&room.store.verify(&key("m"))));
}

#[test]
fn what_lies_about_goes() {
    let room = Room::new();
    room.commit("aside", &[("a", "a")]);
    room.store.quarantine(&key("aside")).unwrap();
    room.commit("crashed", &[("a", "a")]);
    fs::remove_file(room.record_path("crashed")).unwrap();
    fill(&room.store.root().join("trash"), &[("gc-1-1/left", "over")]);
    let new = room.record_path("half").with_extension("new");
    fill(
        new.parent().unwrap(),
        &[(new.file_name().unwrap().to_str().unwrap(), "{")],
    );
    let report = room.store.gc(&keeping(&["crashed", "aside"])).unwrap();
    assert_eq!(
        freed(&report, Part::Unfinished),
        [key("crashed"), key("half")].into()
    );
    for folder in ["damaged", "trash"] {
        assert_eq!(count(&room.store.root().join(folder)), 0, "{folder}");
    }
    assert!(!room.output("crashed", "").exists() && !new.exists());
}

#[test]
fn locks_of_nothing_go_and_locks_of_something_stay() {
    let room = Room::new();
    room.commit("kept", &[]);
    for n in 0..20 {
        room.commit(&format!("m{n}"), &[]);
    }
    let report = room.store.gc(&keeping(&["kept"])).unwrap();
    assert_eq!(freed(&report, Part::Entry).len(), 20);
    assert_eq!(
        room.store.usage().locks.files,
        4,
        "that of `kept`, that of clean-ups, and the two of this run"
    );
    let ticket = ready(&room.store, &key("m3"));
    assert!(matches!(
        room.reopened().ticket(&key("m3")).unwrap(),
        store::Claim::Busy
    ));
    drop(ticket);
}

#[test]
fn the_index_forgets_what_went() {
    let room = Room::new();
    room.commit("kept", &[("a", "a")]);
    room.commit("gone", &[("a", "a")]);
    std::thread::sleep(Duration::from_millis(2_050));
    room.store.save_memo().unwrap();
    let index = room.store.root().join("records.index");
    let before = fs::metadata(&index).unwrap().len();
    room.store.gc(&keeping(&["kept"])).unwrap();
    assert!(fs::metadata(&index).unwrap().len() < before);
    assert!(is_fresh(&room.reopened().presence(&key("kept"))));
}
