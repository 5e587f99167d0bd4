//! Who gets a ticket when several want it: threads, processes, and children that inherit the lock.
//! Unaware of what is committed.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Barrier;
use std::time::Duration;

use store::{Claim, Facts, StoreError, Ticket};

use crate::room::{Room, fill, key, ready};

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
        second.set_aside(&key("m")).unwrap_err(),
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

fn sleeper(stdin: Stdio) -> Child {
    Command::new("sleep")
        .arg("60")
        .stdin(stdin)
        .spawn()
        .unwrap()
}

#[test]
fn the_lock_is_free_only_when_the_child_is_dead_too() {
    let room = Room::new();
    let ticket = ready(&room.store, &key("m"));
    let mut child = sleeper(ticket.lock_stdin().unwrap());
    drop(ticket);
    std::thread::sleep(Duration::from_millis(50));
    assert!(matches!(room.store.ticket(&key("m")).unwrap(), Claim::Busy));
    child.kill().unwrap();
    child.wait().unwrap();
    drop(ready(&room.store, &key("m")));
}

#[test]
fn the_lock_stays_with_the_parent_when_the_child_dies() {
    let room = Room::new();
    let ticket = ready(&room.store, &key("m"));
    let mut child = sleeper(ticket.lock_stdin().unwrap());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(matches!(room.store.ticket(&key("m")).unwrap(), Claim::Busy));
    drop(ticket);
    drop(ready(&room.store, &key("m")));
}

#[test]
fn one_child_holds_the_locks_of_many() {
    let room = Room::new();
    let tickets = ["a", "b", "c"].map(|name| ready(&room.store, &key(name)));
    let [a, b, c] = &tickets;
    let mut child = sleeper(Ticket::locks_stdin(&[a, b, c]).unwrap());
    drop(tickets);
    std::thread::sleep(Duration::from_millis(50));
    for name in ["a", "b", "c"] {
        assert!(matches!(
            room.store.ticket(&key(name)).unwrap(),
            Claim::Busy
        ));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    for name in ["a", "b", "c"] {
        drop(ready(&room.store, &key(name)));
    }
}

#[test]
fn the_lock_reads_as_an_empty_input() {
    let room = Room::new();
    let ticket = ready(&room.store, &key("m"));
    let out = Command::new("cat")
        .stdin(ticket.lock_stdin().unwrap())
        .output()
        .unwrap();
    assert!(out.status.success() && out.stdout.is_empty());
}

/// Takes the ticket of `held`, gives its lock to a child, prints the child's number and stays.
#[test]
fn holds_a_ticket() {
    let Ok(root) = std::env::var(HELPER) else {
        return;
    };
    let store = store::Store::open(root.as_ref()).unwrap();
    let ticket = ready(&store, &key("held"));
    if std::env::var_os("STORE_TEST_CHILD").is_some() {
        println!("\nchild {}", sleeper(ticket.lock_stdin().unwrap()).id());
    }
    std::thread::sleep(Duration::from_mins(1));
}

#[test]
fn an_orphan_keeps_the_lock_of_its_killed_parent() {
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
    assert!(matches!(
        room.store.ticket(&key("held")).unwrap(),
        Claim::Busy
    ));
    let orphan = rustix::process::Pid::from_raw(orphan.parse().unwrap()).unwrap();
    rustix::process::kill_process(orphan, rustix::process::Signal::KILL).unwrap();
    drop(ready(&room.store, &key("held")));
}
