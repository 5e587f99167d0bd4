//! Programs, links and empty folders among outputs: kept, judged, copied and carried as they are.
//! Unaware of commands.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use store::{Amount, Claim, Facts, OutputKind, Record, Status, Store, link_out_of};

use crate::room::{Room, damaged, fill, is_fresh, key, missing, ready};

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn can_run(path: &Path) -> bool {
    fs::metadata(path).unwrap().permissions().mode() & 0o100 != 0
}

/// One of each kind.
fn fill_all(out: &Path) {
    fill(out, &[("d/run.sh", "#!/bin/sh\n"), ("d/text", "t")]);
    set_mode(&out.join("d/run.sh"), 0o755);
    fs::create_dir_all(out.join("d/none/deep")).unwrap();
    symlink("text", out.join("d/link")).unwrap();
    symlink("../d/none/nowhere", out.join("d/to")).unwrap();
}

fn commit_all(room: &Room, manifest: &str) -> Record {
    let ticket = ready(&room.store, &key(manifest));
    fill_all(ticket.out());
    ticket
        .commit("test", manifest, &["d/text"], Facts::new())
        .unwrap()
}

fn format(store: &Store) -> String {
    fs::read_to_string(store.root().join("format")).unwrap()
}

/// What lies at a folder that was filled by [`fill_all`].
fn check_all(folder: &Path) {
    assert!(can_run(&folder.join("d/run.sh")) && !can_run(&folder.join("d/text")));
    let to = |name: &str| fs::read_link(folder.join(name)).unwrap();
    assert_eq!(to("d/link"), Path::new("text"));
    assert_eq!(to("d/to"), Path::new("../d/none/nowhere"));
    let inner = fs::read_dir(folder.join("d/none/deep")).unwrap();
    assert_eq!(inner.count(), 0);
    assert_eq!(fs::read_dir(folder.join("d")).unwrap().count(), 5);
}

#[test]
fn each_kind_is_in_the_record_and_the_cache_says_so() {
    let room = Room::new();
    let plain = room.commit("plain", &[("a", "a")]);
    assert_eq!(plain.format, 1);
    assert_eq!(format(&room.store), "pipeline cache 1\n");
    let record = commit_all(&room, "m");
    let kinds: Vec<_> = (record.outputs.iter())
        .map(|output| (output.path.as_str(), output.kind.clone()))
        .collect();
    let expected = [
        ("d/link", OutputKind::Link("text".to_owned())),
        ("d/none/deep", OutputKind::Folder),
        ("d/run.sh", OutputKind::Executable),
        ("d/text", OutputKind::File),
        ("d/to", OutputKind::Link("../d/none/nowhere".to_owned())),
    ];
    assert_eq!((record.format, kinds.as_slice()), (2, expected.as_slice()));
    assert_eq!(format(&room.store), "pipeline cache 2\n");
    let amount = Amount {
        files: 4,
        bytes: 10 + 1 + 4 + 17,
    };
    for store in [room.store.clone(), room.reopened()] {
        assert_eq!(store.presence(&key("m")), Status::Fresh(amount));
        assert_eq!(store.verify(&key("m")), Status::Fresh(amount));
        assert_eq!(store.record(&key("m")).unwrap().unwrap(), record);
        assert_eq!(store.outputs(&key("m")), record.outputs);
        assert!(is_fresh(&store.presence(&key("plain"))));
        assert!(store.verify_all(&|_| ()).unwrap().broken.is_empty());
        assert!(matches!(store.ticket(&key("m")).unwrap(), Claim::Done(_)));
    }
}

/// The index has to have them too, or a second plan would judge by less than the first.
#[test]
fn the_index_knows_the_kinds() {
    let room = Room::new();
    let record = commit_all(&room, "m");
    std::thread::sleep(std::time::Duration::from_millis(2100));
    let store = room.reopened();
    assert!(is_fresh(&store.presence(&key("m"))));
    store.save_memo().unwrap();
    let store = room.reopened();
    assert!(store.root().join("records.index").exists());
    assert_eq!(store.outputs(&key("m")), record.outputs);
    assert_eq!(store.made(&key("m")).unwrap().content, record.content());
    set_mode(&room.output("m", "d/run.sh"), 0o644);
    assert_eq!(store.presence(&key("m")), damaged(&["d/run.sh"]));
}

#[test]
fn what_is_not_of_its_kind_any_more_is_noticed() {
    type Change = fn(&Path);
    let cases: [(Change, Status); 7] = [
        (
            |d| set_mode(&d.join("run.sh"), 0o644),
            damaged(&["d/run.sh"]),
        ),
        (
            |d| {
                fs::remove_file(d.join("link")).unwrap();
                symlink("run.sh", d.join("link")).unwrap();
            },
            damaged(&["d/link"]),
        ),
        (
            |d| {
                fs::remove_file(d.join("link")).unwrap();
                fs::write(d.join("link"), "t").unwrap();
            },
            damaged(&["d/link"]),
        ),
        (
            |d| fs::remove_file(d.join("to")).unwrap(),
            missing(&["d/to"]),
        ),
        (
            |d| fs::remove_dir(d.join("none/deep")).unwrap(),
            missing(&["d/none/deep"]),
        ),
        (
            |d| {
                fs::remove_dir(d.join("none/deep")).unwrap();
                fs::write(d.join("none/deep"), "").unwrap();
            },
            damaged(&["d/none/deep"]),
        ),
        (
            |d| {
                fs::rename(d.join("text"), d.join("other")).unwrap();
                symlink("other", d.join("text")).unwrap();
            },
            damaged(&["d/text"]),
        ),
    ];
    for (change, expected) in cases {
        let room = Room::new();
        commit_all(&room, "m");
        let seal = room.store.seal(&key("m")).unwrap();
        assert!(room.store.changes(&seal).is_empty());
        change(&room.output("m", "d"));
        assert_eq!(room.store.presence(&key("m")), expected);
        assert_eq!(room.store.verify(&key("m")), expected);
        assert!(!room.store.changes(&seal).is_empty(), "{expected:?}");
        assert!(room.store.seal_anew(&key("m")).is_err(), "{expected:?}");
        let moved = room.store.verify_all(&|_| ()).unwrap();
        assert_eq!(moved.broken.len(), 1);
    }
}

#[test]
fn copies_are_of_their_kind() {
    let room = Room::new();
    let record = commit_all(&room, "m");
    let dest = room.path("copies");
    for _ in 0..2 {
        room.store.copy_out(&key("m"), &dest).unwrap();
        check_all(&dest);
    }
    for output in &record.outputs {
        assert!(room.store.is_whole_copy(&dest.join(&output.path), output));
    }
    set_mode(&dest.join("d/run.sh"), 0o644);
    let program = record.output("d/run.sh").unwrap();
    assert!(room.store.is_copy(&dest.join("d/run.sh"), program));
    assert!(!room.store.is_whole_copy(&dest.join("d/run.sh"), program));
    let seal = room.store.seal(&key("m")).unwrap();
    let own = room.path("own");
    let copied = room.store.seal_copy(&seal, &own).unwrap();
    check_all(&own);
    assert_eq!(copied.content(), seal.content());
    assert_eq!(copied.content(), record.content());
}

#[test]
fn content_tells_kinds_apart() {
    let contents: Vec<_> = [0o644, 0o755]
        .into_iter()
        .map(|mode| {
            let room = Room::new();
            let ticket = ready(&room.store, &key("m"));
            fill(ticket.out(), &[("a", "a")]);
            set_mode(&ticket.out().join("a"), mode);
            let record = ticket.commit("test", "m", &[], Facts::new()).unwrap();
            record.content()
        })
        .collect();
    assert_ne!(contents[0], contents[1]);
}

#[test]
fn an_archive_carries_them() {
    let (from, to) = (Room::new(), Room::new());
    let record = commit_all(&from, "m");
    let mut bytes = Vec::new();
    from.store.export(&[key("m")], &mut bytes).unwrap();
    assert_eq!(to.store.import(&mut &*bytes).unwrap().imported, [key("m")]);
    assert_eq!(to.store.record(&key("m")).unwrap().unwrap(), record);
    assert!(is_fresh(&to.store.verify(&key("m"))));
    check_all(&to.store.output_dir(&key("m")));
    assert_eq!(format(&to.store), "pipeline cache 2\n");
    let mut again = Vec::new();
    to.store.export(&[key("m")], &mut again).unwrap();
    assert_eq!(bytes, again);
}

/// A record of format 1 calls a program a file, and stays what it is.
#[test]
fn a_program_of_the_first_format_goes_on_as_it_was() {
    let (from, to) = (Room::new(), Room::new());
    let record = from.commit("m", &[("run.sh", "#!/bin/sh\n")]);
    set_mode(&from.output("m", "run.sh"), 0o755);
    let mut bytes = Vec::new();
    from.store.export(&[key("m")], &mut bytes).unwrap();
    to.store.import(&mut &*bytes).unwrap();
    assert_eq!(to.store.record(&key("m")).unwrap().unwrap(), record);
    assert_eq!(format(&to.store), "pipeline cache 1\n");
    assert!(can_run(&to.output("m", "run.sh")));
    let seal = to.store.seal(&key("m")).unwrap();
    assert_eq!(seal.content(), record.content());
    let dest = to.path("copies");
    to.store.copy_out(&key("m"), &dest).unwrap();
    assert!(can_run(&dest.join("run.sh")));
}

#[test]
fn a_lost_format_is_the_newest_of_the_records() {
    let room = Room::new();
    room.commit("plain", &[("a", "a")]);
    commit_all(&room, "m");
    for bytes in [b"".as_slice(), b"pipeline cache 0\n", b"pipeline cache 6\n"] {
        fs::write(room.store.root().join("format"), bytes).unwrap();
        let store = room.reopened();
        assert!(store.format_was_lost());
        assert_eq!(format(&store), "pipeline cache 2\n");
    }
}

#[test]
fn links_that_lead_out_are_refused_wherever_they_lie() {
    for (at, to) in [
        ("l", "/etc/passwd"),
        ("d/l", "../../x"),
        ("d/l", "/"),
        ("l", "l"),
    ] {
        let room = Room::new();
        let ticket = ready(&room.store, &key("m"));
        fill(ticket.out(), &[("d/a", "a")]);
        symlink(to, ticket.out().join(at)).unwrap();
        assert_eq!(
            link_out_of(ticket.out()).unwrap(),
            Some(ticket.out().join(at))
        );
        let error = ticket.commit("test", "m", &[], Facts::new()).unwrap_err();
        let message = error.to_string();
        assert!(
            message.contains(&format!("{at}` is a symbolic link that leads out")),
            "{message}"
        );
        assert!(error.hint().contains("cp -L"));
        assert_eq!(room.store.presence(&key("m")), Status::Absent);
        assert_eq!(format(&room.store), "pipeline cache 1\n");
    }
}

/// The cache of the last program that knew format 1 alone, kept under tests/cache-format-1-commands.
#[test]
fn the_content_of_earlier_results_is_what_their_readers_noted() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cache-format-1-commands");
    let store = Store::open_read_only(&kept.join("cache")).unwrap();
    let records: Vec<Record> = (store.keys().unwrap().iter())
        .map(|key| store.record(key).unwrap().unwrap())
        .collect();
    assert_eq!(records.len(), 3);
    let reader = records.iter().find(|r| r.output("said.txt").is_some());
    let mut noted: Vec<_> = reader
        .unwrap()
        .facts
        .consumed()
        .unwrap()
        .into_values()
        .collect();
    let read = records.iter().filter(|r| r.output("said.txt").is_none());
    let mut contents: Vec<_> = read.map(Record::content).collect();
    noted.sort_unstable();
    contents.sort_unstable();
    assert_eq!(noted, contents);
    for record in records {
        assert!(is_fresh(&store.verify(&record.key)));
    }
}
