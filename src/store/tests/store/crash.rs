//! What a crash leaves at each point, and real kills at random times.
//! Unaware of damage by other hands.

use std::fs;
use std::time::{Duration, Instant};

use store::{Claim, Facts, Status, Store};

use crate::locks::{HELPER, helper, kill_after};
use crate::room::{Room, count, fill, is_fresh, key, missing, ready};

#[test]
fn outputs_without_a_record_are_not_a_result_and_give_way() {
    let room = Room::new();
    room.commit("m", &[("a", "old"), ("left-over", "x")]);
    fs::remove_file(room.record_path("m")).unwrap();
    assert_eq!(room.reopened().presence(&key("m")), Status::Absent);
    let record = room.commit("m", &[("a", "new")]);
    assert_eq!(record.outputs.len(), 1);
    assert!(!room.output("m", "left-over").exists());
    assert!(is_fresh(&room.store.verify(&key("m"))));
}

#[test]
fn a_record_in_the_making_is_not_a_record() {
    let room = Room::new();
    drop(ready(&room.store, &key("m")));
    fs::write(room.partial("m").join("record.json"), "{\"format\":1,").unwrap();
    fs::create_dir_all(room.record_path("m").parent().unwrap()).unwrap();
    fs::write(
        room.record_path("m").with_file_name(".unfinished-1-1"),
        "{\"for",
    )
    .unwrap();
    let store = room.reopened();
    assert_eq!(store.presence(&key("m")), Status::Absent);
    room.commit("m", &[("a", "a")]);
    assert!(is_fresh(&store.verify(&key("m"))));
    assert!(!room.partial("m").exists());
}

#[test]
fn half_written_outputs_and_checkpoints_are_swept() {
    let room = Room::new();
    let ticket = ready(&room.store, &key("m"));
    fill(ticket.out(), &[("deep/half", "ha")]);
    fill(
        ticket.state(),
        &[
            ("10", "whole"),
            (".unfinished-9-0", "half"),
            ("deep/.unfinished-9-1", "half"),
        ],
    );
    drop(ticket);
    let ticket = ready(&room.store, &key("m"));
    assert_eq!(count(ticket.out()), 0);
    let names: Vec<_> = fs::read_dir(ticket.state())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(
        names.len() == 2 && !names.contains(&".unfinished-9-0".into()),
        "{names:?}"
    );
    assert_eq!(count(&ticket.state().join("deep")), 0);
}

#[test]
fn work_folders_of_finished_keys_go_when_the_cache_is_opened() {
    let room = Room::new();
    room.commit("done", &[("a", "a")]);
    fill(&room.partial("done"), &[("state/weights", "w")]);
    fill(&room.partial("not done"), &[("state/weights", "w")]);
    fill(&room.store.root().join("partial"), &[("a stranger", "s")]);
    Store::open_read_only(room.store.root()).unwrap();
    assert!(room.partial("done").exists(), "readers touch nothing");
    let _store = room.reopened();
    assert!(!room.partial("done").exists());
    assert!(room.partial("not done").join("state/weights").exists());
    assert!(room.store.root().join("partial/a stranger").exists());
}

#[test]
fn a_crash_while_moving_aside_ends_aside() {
    let room = Room::new();
    room.commit("m", &[("a", "a")]);
    let first = room.store.root().join(format!("damaged/{}-1", key("m")));
    fs::create_dir(&first).unwrap();
    fs::rename(room.output("m", ""), first.join("outputs")).unwrap();
    assert_eq!(room.store.presence(&key("m")), missing(&["a"]));
    let _ticket = ready(&room.store, &key("m"));
    let second = room.store.root().join(format!("damaged/{}-2", key("m")));
    assert!(first.join("outputs/a").exists() && second.join("record.json").exists());
}

/// Commits one key after the other until it is killed.
#[test]
fn commits_for_ever() {
    let Ok(root) = std::env::var(HELPER) else {
        return;
    };
    let store = Store::open(root.as_ref()).unwrap();
    for n in 0.. {
        let manifest = format!("stage {n}");
        let Claim::Ready(ticket) = store.ticket(&key(&manifest)).unwrap() else {
            continue;
        };
        for file in 0..n % 40 {
            fs::write(ticket.out().join(file.to_string()), &manifest).unwrap();
        }
        ticket.commit("test", &manifest, &[], Facts::new()).unwrap();
        store
            .note_keys("kill.yaml".as_ref(), &[(manifest.clone(), key(&manifest))])
            .unwrap();
        store.save_memo().unwrap();
    }
}

#[test]
fn killed_at_any_moment_what_is_committed_is_whole() {
    let room = Room::new();
    for round in 0..30 {
        let time = Duration::from_micros(15_000 + 3_337 * round);
        kill_after("crash::commits_for_ever", room.store.root(), time);
    }
    check_after_kills(&room);
}

/// Every stage is whole or absent, and what is absent can be had at once.
fn check_after_kills(room: &Room) {
    let store = room.reopened();
    let mut committed = 0;
    for n in 0..2_000_u64 {
        let manifest = format!("stage {n}");
        match store.verify(&key(&manifest)) {
            Status::Fresh(amount) => assert_eq!(amount.files, n % 40),
            Status::Absent if committed > 0 || n == 0 => {
                drop(ready(&store, &key(&manifest)));
                break;
            }
            other => panic!("{manifest}: {other:?}"),
        }
        committed = n + 1;
    }
    println!("{committed} stages committed over 30 kills");
    let noted = store.last_keys("kill.yaml".as_ref());
    assert!(noted.iter().all(|(name, noted)| *noted == key(name)));
    assert_eq!(
        count(&store.root().join("damaged")),
        0,
        "a crash damages nothing"
    );
}

#[test]
fn a_killed_run_needs_no_unlocking() {
    let room = Room::new();
    let mut child = helper("locks::holds_a_ticket", room.store.root());
    let start = Instant::now();
    while !matches!(room.store.ticket(&key("held")).unwrap(), Claim::Busy) {
        assert!(
            start.elapsed() < Duration::from_mins(3),
            "the helper never took its ticket"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    drop(ready(&room.store, &key("held")));
}

#[test]
fn a_cache_whose_empty_folders_were_removed_works_on() {
    let room = Room::new();
    room.commit("m", &[("a", "a")]);
    for folder in ["damaged", "partial", "last", "locks", "logs"] {
        fs::remove_dir_all(room.store.root().join(folder)).unwrap();
    }
    room.store.quarantine(&key("m")).unwrap();
    room.store
        .note_keys("p.yaml".as_ref(), &[("a".to_owned(), key("m"))])
        .unwrap();
    room.commit("m", &[("a", "a")]);
}
