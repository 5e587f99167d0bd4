//! Who gets a ticket when several want it: threads, processes, and those that come after a killed one.
//! Unaware of what is committed.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Barrier;
use std::time::Duration;

use store::{Claim, Facts, Handover, Store, StoreError};

use crate::room::{Room, claimed, fill, key, ready};

/// The variable that turns a helper test of this binary into a process of its own; its value is the cache.
pub const HELPER: &str = "STORE_TEST_HELPER";

/// Runs one of the helper tests as a process.
pub fn helper(test: &str, root: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(HELPER, root)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Runs a helper test as a process, and kills it after some time.
pub fn kill_after(test: &str, root: &Path, time: Duration) {
    let mut child = helper(test, root);
    std::thread::sleep(time);
    child.kill().unwrap();
    let mut said = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    child.wait().unwrap();
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn one_of_many_threads_gets_the_ticket() {
    let room = Room::new();
    for round in 0..20 {
        let key = key(&round.to_string());
        let barrier = Barrier::new(8);
        let claims: Vec<Claim> = std::thread::scope(|scope| {
            let claim = || {
                let store = room.reopened();
                barrier.wait();
                store.ticket(&key).unwrap()
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(claim)).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        assert_eq!(
            claims
                .iter()
                .filter(|claim| matches!(claim, Claim::Ready(_)))
                .count(),
            1
        );
        assert_eq!(
            claims
                .iter()
                .filter(|claim| matches!(claim, Claim::Busy))
                .count(),
            7
        );
    }
}

#[test]
fn the_second_waits_and_then_finds_it_done() {
    let room = Room::new();
    let ticket = ready(&room.store, &key("m"));
    let second = room.reopened();
    assert!(matches!(second.ticket(&key("m")).unwrap(), Claim::Busy));
    assert!(matches!(
        second.quarantine(&key("m")).unwrap_err(),
        StoreError::Busy { .. }
    ));
    assert!(matches!(
        second.ticket(&key("other")).unwrap(),
        Claim::Ready(_)
    ));
    fill(ticket.out(), &[("a", "a")]);
    let record = ticket.commit("test", "m", &["a"], Facts::new()).unwrap();
    assert!(matches!(second.ticket(&key("m")).unwrap(), Claim::Done(done) if done == record));
}

fn sleeper(stdout: Stdio) -> Child {
    Command::new("sleep")
        .arg("60")
        .stdin(Stdio::null())
        .stdout(stdout)
        .spawn()
        .unwrap()
}

fn is_busy(store: &Store, name: &str) -> bool {
    matches!(store.ticket(&key(name)).unwrap(), Claim::Busy)
}

#[test]
fn a_child_does_not_hold_the_lock_of_a_ticket() {
    let room = Room::new();
    let ticket = ready(&room.store, &key("m"));
    let mut child = sleeper(Stdio::null());
    drop(ticket);
    drop(ready(&room.reopened(), &key("m")));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn the_run_lock_keeps_nothing_while_its_program_lives() {
    let room = Room::new();
    let kept = ready(&room.store, &key("kept"));
    drop(ready(&room.store, &key("given back")));
    let _lock = room.store.run_lock().unwrap();
    let other = room.reopened();
    assert!(is_busy(&other, "kept"));
    drop(ready(&other, &key("given back")));
    assert_eq!(other.holder(&key("given back")), None);
    let holder = other.holder(&key("kept")).unwrap();
    assert_eq!(holder.pid, std::process::id());
    assert!(!holder.is_gone && !holder.command.is_empty() && !holder.host.is_empty());
    drop(kept);
    drop(ready(&other, &key("kept")));
}

/// Takes the ticket of `held`, gives the lock of the run to a child, prints the child's number and stays.
#[test]
fn holds_a_ticket() {
    let Ok(root) = std::env::var(HELPER) else {
        return;
    };
    let store = Store::open(root.as_ref()).unwrap();
    let _ticket = ready(&store, &key("held"));
    drop(ready(&store, &key("given back")));
    if std::env::var_os("STORE_TEST_CHILD").is_some() {
        let lock = Stdio::from(store.run_lock().unwrap());
        println!("\nchild {}", sleeper(lock).id());
    }
    std::thread::sleep(Duration::from_mins(5));
}

#[test]
fn what_a_killed_program_has_started_keeps_its_keys_until_it_ends() {
    let room = Room::new();
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "locks::holds_a_ticket", "--nocapture"])
        .env(HELPER, room.store.root())
        .env("STORE_TEST_CHILD", "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(parent.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let orphan = lines
        .find_map(|line| line.strip_prefix("child ").map(str::to_owned))
        .unwrap();
    parent.kill().unwrap();
    parent.wait().unwrap();
    assert!(is_busy(&room.store, "held"));
    assert!(matches!(
        room.store.quarantine(&key("held")).unwrap_err(),
        StoreError::Busy { .. }
    ));
    drop(ready(&room.store, &key("given back")));
    let holder = room.store.holder(&key("held")).unwrap();
    assert!(holder.is_gone && holder.pid == parent.id(), "{holder:?}");
    let orphan = rustix::process::Pid::from_raw(orphan.parse().unwrap()).unwrap();
    rustix::process::kill_process(orphan, rustix::process::Signal::KILL).unwrap();
    drop(ready(&room.store, &key("held")));
    let left = std::fs::read_dir(room.store.root().join("locks/runs")).unwrap();
    assert_eq!(left.count(), 2, "those of this process alone");
}

#[test]
fn separate_tries_never_share_a_folder() {
    let room = Room::new();
    room.store.separate_tries();
    let first = ready(&room.store, &key("m"));
    let (old, state) = (first.out().to_owned(), first.state().to_owned());
    drop(first);
    let second = ready(&room.store, &key("m"));
    assert!(second.out() != old && second.state() == state);
    assert!(!old.exists());
    std::fs::create_dir(&old).unwrap();
    fill(&old, &[("a", "a survivor's")]);
    fill(second.out(), &[("a", "a")]);
    second.commit("test", "m", &["a"], Facts::new()).unwrap();
    let kept = room.store.output_dir(&key("m")).join("a");
    assert_eq!(std::fs::read_to_string(kept).unwrap(), "a");
}

#[test]
fn a_ticket_that_is_handed_over_is_committed_by_who_takes_it_over() {
    let room = Room::new();
    let key = key("handed");
    let ticket = ready(&room.store, &key);
    let text = serde_json::to_string(&ticket.hand_over()).unwrap();
    let handover = serde_json::from_str(&text).unwrap();
    std::fs::write(ticket.out().join("begun"), "by the first").unwrap();
    let other = room.reopened();
    let taken = claimed(|| other.take_over(&handover));
    assert!(
        taken.out().join("begun").exists(),
        "it goes on where it was"
    );
    assert!(matches!(room.store.ticket(&key), Ok(Claim::Busy)));
    assert!(matches!(room.store.take_over(&handover), Ok(Claim::Busy)));
    let late = ticket.commit("kind", "handed", &[], Facts::new());
    assert!(matches!(late, Err(StoreError::Busy { .. })), "{late:?}");
    taken
        .commit("kind", "handed", &["begun"], Facts::new())
        .unwrap();
    assert!(matches!(room.reopened().ticket(&key), Ok(Claim::Done(_))));
    assert!(matches!(other.take_over(&handover), Ok(Claim::Done(_))));
}

#[test]
fn nothing_is_taken_over_that_another_try_has_cleared_or_that_is_no_try() {
    let room = Room::new();
    let key = key("handed");
    let ticket = ready(&room.store, &key);
    room.store.separate_tries();
    let mut handover = ticket.hand_over();
    drop(ready(&room.store, &key));
    let absent = |handover: &Handover| {
        let taken = room.store.take_over(handover);
        matches!(taken, Err(StoreError::Absent { .. }))
    };
    assert!(absent(&handover), "another try has begun meanwhile");
    for name in ["state", "out/../state", "out/..", "", "/tmp"] {
        name.clone_into(&mut handover.out);
        assert!(absent(&handover), "{name}");
    }
}
