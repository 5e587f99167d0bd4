//! Commits that share a flush: what is seen when, by whom, and what fails alone.
//! Unaware of kills: those are in `soak`.

use std::fs;

use store::{Claim, Facts, Status, StoreError};

use crate::room::{Room, count, fill, is_fresh, key, ready};

#[test]
fn many_commits_from_two_threads_are_all_found() {
    let room = Room::new();
    let committer = room.store.committer();
    std::thread::scope(|scope| {
        for half in 0..2 {
            let (store, committer) = (&room.store, &committer);
            scope.spawn(move || {
                for n in (half..150).step_by(2) {
                    let manifest = format!("m{n}");
                    let ticket = ready(store, &key(&manifest));
                    fill(ticket.out(), &[("a", &manifest), ("b/c", "c")]);
                    let record = committer.commit(ticket, "test", &manifest, &["a"], Facts::new());
                    assert_eq!(record.unwrap().outputs.len(), 2);
                    let output = store.output_dir(&key(&manifest)).join("a");
                    assert_eq!(fs::read_to_string(output).unwrap(), manifest, "at once");
                }
            });
        }
    });
    assert!(committer.finish().is_empty());
    let other = room.reopened();
    assert!((0..150).all(|n| is_fresh(&other.verify(&key(&format!("m{n}"))))));
    assert_eq!(count(&room.store.root().join("partial")), 0);
    assert!(
        count(&room.store.root().join("spare")) < 10,
        "work folders go round"
    );
}

#[test]
fn a_pending_key_is_busy_or_done_and_never_swept() {
    let room = Room::new();
    for n in 0..50 {
        let manifest = format!("m{n}");
        let committer = room.store.committer();
        let ticket = ready(&room.store, &key(&manifest));
        fill(ticket.out(), &[("a", "a")]);
        committer
            .commit(ticket, "test", &manifest, &[], Facts::new())
            .unwrap();
        match room.reopened().ticket(&key(&manifest)).unwrap() {
            Claim::Busy | Claim::Done(_) => {}
            Claim::Ready(_) => panic!("a second ticket for a pending key"),
        }
        assert!(room.output(&manifest, "a").exists());
        drop(committer);
        assert!(
            is_fresh(&room.store.verify(&key(&manifest))),
            "dropping waits"
        );
    }
}

#[test]
fn a_refused_commit_fails_alone_and_at_once() {
    let room = Room::new();
    let committer = room.store.committer();
    let (good, bad) = (
        ready(&room.store, &key("good")),
        ready(&room.store, &key("bad")),
    );
    let error = committer
        .commit(bad, "test", "bad", &["a"], Facts::new())
        .unwrap_err();
    assert!(matches!(error, StoreError::MissingOutput { .. }), "{error}");
    committer
        .commit(good, "test", "good", &[], Facts::new())
        .unwrap();
    assert!(committer.finish().is_empty());
    assert!(is_fresh(&room.store.presence(&key("good"))));
    assert_eq!(room.store.presence(&key("bad")), Status::Absent);
}

#[test]
fn a_record_that_cannot_be_named_is_told_at_the_end() {
    let room = Room::new();
    let committer = room.store.committer();
    let ticket = ready(&room.store, &key("m"));
    fs::create_dir_all(room.record_path("m").join("in the way")).unwrap();
    committer
        .commit(ticket, "test", "m", &[], Facts::new())
        .unwrap();
    let failures = committer.finish();
    assert_eq!(failures.len(), 1);
    assert_eq!(failures[0].0, key("m"));
}

#[test]
fn checkpoints_stay_until_the_record_is_there_and_then_go() {
    let room = Room::new();
    let committer = room.store.committer();
    let ticket = ready(&room.store, &key("m"));
    fill(ticket.state(), &[("step", "7")]);
    committer
        .commit(ticket, "test", "m", &[], Facts::new())
        .unwrap();
    committer.finish();
    assert!(!room.partial("m").exists());
    let next = ready(&room.store, &key("n"));
    assert_eq!((count(next.out()), count(next.state())), (0, 0));
}

#[test]
fn a_spare_folder_brings_nothing_of_its_last_key() {
    let room = Room::new();
    for n in 0..20 {
        let manifest = format!("m{n}");
        let ticket = ready(&room.store, &key(&manifest));
        assert_eq!((count(ticket.out()), count(ticket.state())), (0, 0));
        fill(ticket.out(), &[("a", "a")]);
        if n % 3 == 0 {
            fill(ticket.state(), &[("step", "7")]);
        }
        ticket.commit("test", &manifest, &[], Facts::new()).unwrap();
    }
}
