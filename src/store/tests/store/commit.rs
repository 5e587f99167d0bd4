//! What a commit makes of a ticket's folder, and what it refuses.
//! Unaware of crashes and of other processes.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

use store::{Amount, Claim, Digest, Facts, Record, Status, StoreError};

use crate::room::{Room, count, fill, is_fresh, key, ready};

/// The error of a commit of these files after `spoil` did something to the folder.
fn refusal(manifest: &str, required: &[&str], spoil: impl FnOnce(&std::path::Path)) -> StoreError {
    let room = Room::new();
    let ticket = ready(&room.store, &key("m"));
    fill(ticket.out(), &[("a.txt", "a")]);
    fs::write(ticket.state().join("weights"), "w").unwrap();
    spoil(ticket.out());
    let error = ticket
        .commit("test", manifest, required, Facts::new())
        .unwrap_err();
    assert_eq!(room.store.presence(&key("m")), Status::Absent);
    assert!(
        room.partial("m").join("state/weights").exists(),
        "checkpoints stay"
    );
    error
}

#[test]
fn a_commit_is_found_by_everyone() {
    let room = Room::new();
    let ticket = ready(&room.store, &key("m"));
    fill(ticket.out(), &[("b.txt", "bb"), ("a/c.txt", "c")]);
    let facts = Facts::new().with("seconds", 1.25).with("host", "h");
    let record = ticket
        .commit("test", "m", &["b.txt", "a/c.txt"], facts.clone())
        .unwrap();
    assert_eq!(
        (
            record.kind.as_str(),
            record.manifest.as_str(),
            &record.facts
        ),
        ("test", "m", &facts)
    );
    let outputs: Vec<_> = record
        .outputs
        .iter()
        .map(|o| (o.path.as_str(), o.size, o.digest))
        .collect();
    assert_eq!(
        outputs,
        [
            ("a/c.txt", 1, Digest::of(b"c")),
            ("b.txt", 2, Digest::of(b"bb"))
        ]
    );
    for store in [room.store.clone(), room.reopened()] {
        assert_eq!(store.record(&key("m")).unwrap().as_ref(), Some(&record));
        let amount = Amount { files: 2, bytes: 3 };
        assert_eq!(store.presence(&key("m")), Status::Fresh(amount));
        assert_eq!(store.verify(&key("m")), Status::Fresh(amount));
        assert!(matches!(store.ticket(&key("m")).unwrap(), Claim::Done(r) if r == record));
    }
    assert_eq!(
        fs::read_to_string(room.output("m", "a/c.txt")).unwrap(),
        "c"
    );
    assert_eq!(
        count(&room.store.root().join("partial")),
        0,
        "nothing is left behind"
    );
}

#[test]
fn a_dropped_ticket_leaves_no_result_but_its_state() {
    let room = Room::new();
    let ticket = ready(&room.store, &key("m"));
    fill(ticket.out(), &[("a", "half")]);
    fill(ticket.state(), &[("step", "7")]);
    drop(ticket);
    assert_eq!(room.store.presence(&key("m")), Status::Absent);
    assert!(!room.output("m", "").exists());
    let ticket = ready(&room.store, &key("m"));
    assert_eq!(count(ticket.out()), 0);
    assert_eq!(
        fs::read_to_string(ticket.state().join("step")).unwrap(),
        "7"
    );
    assert!(room.store.log_path(&key("m")).parent().unwrap().is_dir());
}

#[test]
fn no_outputs_are_a_result_too() {
    let room = Room::new();
    assert_eq!(room.commit("m", &[]).outputs, []);
    assert!(is_fresh(&room.store.verify(&key("m"))));
}

#[test]
fn many_files_in_folders() {
    let room = Room::new();
    let ticket = ready(&room.store, &key("m"));
    let paths: Vec<String> = (0..300).map(|n| format!("{}/{n:04}.txt", n % 7)).collect();
    let files: Vec<(&str, &str)> = paths
        .iter()
        .map(|path| (path.as_str(), path.as_str()))
        .collect();
    fill(ticket.out(), &files);
    let record = ticket
        .commit("test", "m", &[&paths[250]], Facts::new())
        .unwrap();
    assert_eq!(record.outputs.len(), 300);
    assert!(
        record
            .outputs
            .is_sorted_by_key(|output| output.path.clone())
    );
    assert!(is_fresh(&room.store.presence(&key("m"))));
}

#[test]
fn another_manifest_is_refused() {
    let error = refusal("other", &[], |_| ());
    assert!(
        matches!(error, StoreError::ChangedManifest { .. }),
        "{error}"
    );
}

#[test]
fn missing_outputs_are_refused_all_at_once() {
    let error = refusal("m", &["a.txt", "b.txt", "folder", "c.txt"], |out| {
        fill(out, &[("folder/x", "x")]);
    });
    match error {
        StoreError::MissingOutput { outputs, .. } => {
            assert_eq!(outputs, ["b.txt", "folder", "c.txt"]);
        }
        other => panic!("{other}"),
    }
}

#[test]
fn links_pipes_and_strange_names_are_refused() {
    use std::os::unix::ffi::OsStrExt;
    let error = refusal("m", &[], |out| {
        symlink("/a.txt", out.join("b.txt")).unwrap();
    });
    assert!(
        error.to_string().contains("b.txt` is a symbolic link"),
        "{error}"
    );
    let error = refusal("m", &[], |out| symlink("..", out.join("up")).unwrap());
    assert!(
        error.to_string().contains("up` is a symbolic link"),
        "{error}"
    );
    let error = refusal("m", &[], |out| {
        drop(std::os::unix::net::UnixListener::bind(out.join("s")).unwrap());
    });
    assert!(
        error.to_string().contains("a device, pipe or socket"),
        "{error}"
    );
    let name = std::ffi::OsStr::from_bytes(b"\xff");
    let error = refusal("m", &[], |out| fs::write(out.join(name), "").unwrap());
    assert!(error.to_string().contains("not UTF-8"), "{error}");
    let replace = |out: &std::path::Path| {
        fs::rename(out, out.with_file_name("elsewhere")).unwrap();
        symlink("elsewhere", out).unwrap();
    };
    let error = refusal("m", &[], replace);
    assert!(
        error.to_string().contains("out` is a symbolic link"),
        "{error}"
    );
    let error = refusal("m", &[], |out| fs::remove_dir_all(out).unwrap());
    assert!(error.to_string().contains("cannot list"), "{error}");
}

#[test]
fn a_hard_link_gets_bytes_of_its_own() {
    let room = Room::new();
    fs::write(room.path("mine"), "first").unwrap();
    let ticket = ready(&room.store, &key("m"));
    fs::hard_link(room.path("mine"), ticket.out().join("theirs")).unwrap();
    ticket
        .commit("test", "m", &["theirs"], Facts::new())
        .unwrap();
    fs::write(room.path("mine"), "second").unwrap();
    assert!(is_fresh(&room.store.verify(&key("m"))));
    assert_eq!(fs::metadata(room.output("m", "theirs")).unwrap().nlink(), 1);
}

#[test]
fn set_aside_keeps_everything_and_makes_room() {
    let room = Room::new();
    for n in 1..=3 {
        let text = format!("run {n}");
        room.commit("m", &[("a", &text)]);
        let aside = room.store.quarantine(&key("m")).unwrap();
        assert!(
            aside.ends_with(format!("damaged/{}-{n}", key("m"))),
            "{}",
            aside.display()
        );
        assert_eq!(fs::read_to_string(aside.join("outputs/a")).unwrap(), text);
        let record = fs::read(aside.join("record.json")).unwrap();
        assert!(
            serde_json::Deserializer::from_slice(&record)
                .into_iter::<Record>()
                .next()
                .unwrap()
                .is_ok()
        );
        assert_eq!(room.store.presence(&key("m")), Status::Absent);
    }
    let error = room.store.quarantine(&key("m")).unwrap_err();
    assert!(matches!(error, StoreError::Absent { .. }), "{error}");
}

#[test]
fn keys_are_those_with_a_record() {
    let room = Room::new();
    assert_eq!(room.store.keys().unwrap(), []);
    let mut keys: Vec<_> = (0..20)
        .map(|n| room.commit(&n.to_string(), &[]).key)
        .collect();
    keys.sort_unstable();
    drop(ready(&room.store, &key("in the making")));
    fill(
        &room.store.root().join("records"),
        &[("stranger", ""), ("00/.unfinished-1-1", "")],
    );
    assert_eq!(room.store.keys().unwrap(), keys);
}
