//! Seals of a stage's inputs, taken and looked at again without a stage between.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use spec::{Listing, Pipeline, Request};
use store::{Claim, Digest, Facts, Key, Status, Store, Ticket};
use tempfile::TempDir;

use super::Inputs;
use crate::run::Failure;
use plan::{Outside, Past, Plan, Stored, World};

/// Stage 0 is `a`, 1 is `b`, 2 reads both; 6 is a table over a model that was trained on 3.
const YAML: &str = "\
stages:
  a: {command: {shell: 'a', outputs: [x]}}
  b: {command: {shell: 'b', outputs: [y]}}
  s: {command: {stages: {one: a, two: b}, shell: 's', outputs: [o]}}
  seen: {prepare: {images: photos, degrade: {sr: 2}}}
  base: {train: {backbone: {imdn: {scale: 2}}, images: seen, iterations: 9}}
  score: {evaluate: {model: base, images: seen}}
  t: {table: {from: [score], rows: [backbone], columns: set}}
";

const A: usize = 0;
const B: usize = 1;
const S: usize = 2;
const SEEN: usize = 3;
const TABLE: usize = 6;

struct Room {
    _folder: TempDir,
    store: Store,
    pipeline: Pipeline,
    plan: Plan,
}

struct Nothing;

impl Past for Nothing {
    fn stored(&self, _: &Key) -> Stored {
        Stored::Nothing
    }

    fn last_manifest(&self, _: &str) -> Option<String> {
        None
    }
}

impl Room {
    /// All stages but `s` and the table have a result: `x` of the name and `deep/y`, and what their kind promises.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let request = Request {
            file: Path::new("p.yaml"),
            env: &std::collections::BTreeMap::new(),
            overrides: &[],
            read: &|_| Ok(YAML.to_owned()),
        };
        let pipeline = Pipeline::load(&request).unwrap();
        let photos = (Listing::IMAGES, PathBuf::from("photos"));
        let world = World {
            outside: &Outside::from([(photos, Ok(vec![("a".into(), Digest::of(b"a"))]))]),
            numerics: "none",
            cpu_bf16: false,
            past: &Nothing,
            force: &BTreeSet::new(),
            keep_consumers: false,
        };
        let room = Self {
            plan: Plan::new(&pipeline, &BTreeSet::new(), &world),
            store: Store::open(&folder.path().join("cache")).unwrap(),
            _folder: folder,
            pipeline,
        };
        (0..TABLE)
            .filter(|at| *at != S)
            .for_each(|at| room.make(at));
        room
    }

    fn key(&self, at: usize) -> Key {
        self.plan.get(at).unwrap().key.unwrap()
    }

    fn out(&self, at: usize) -> PathBuf {
        self.store.output_dir(&self.key(at))
    }

    fn ticket(&self, at: usize) -> Ticket {
        match self.store.ticket(&self.key(at)).unwrap() {
            Claim::Ready(ticket) => ticket,
            Claim::Done(_) | Claim::Busy => panic!("no ticket for {at}"),
        }
    }

    fn make(&self, at: usize) {
        let ticket = self.ticket(at);
        let kind = &self.pipeline.stages[at].kind;
        fs::create_dir(ticket.out().join("deep")).unwrap();
        for name in ["x", "deep/y"].iter().chain(kind.outputs()) {
            fs::write(ticket.out().join(name), format!("{at} {name}")).unwrap();
        }
        let manifest = &self.plan.get(at).unwrap().manifest;
        ticket
            .commit(kind.name(), manifest, &[], Facts::new())
            .unwrap();
    }

    fn seal(&self, at: usize, ticket: &Ticket, own_copies: bool) -> Result<Inputs, Failure> {
        let of = (&self.pipeline, &self.plan);
        Inputs::seal(of, &self.store, at, ticket, own_copies)
    }

    /// Seals the inputs of a stage, does something, and looks at them again.
    fn between(&self, at: usize, own_copies: bool, change: impl FnOnce(&Inputs)) -> Failure {
        let ticket = self.ticket(at);
        let inputs = self.seal(at, &ticket, own_copies).unwrap();
        assert_eq!(inputs.unchanged(&self.pipeline), Ok(()));
        change(&inputs);
        inputs.unchanged(&self.pipeline).err().unwrap_or_default()
    }
}

/// Made again first, and on copies of its own?
fn again(failure: &Failure) -> Option<(Vec<usize>, bool)> {
    let again = failure.again.clone();
    again.map(|again| (again.inputs, again.own_copies))
}

#[test]
fn inputs_are_known_by_role_and_content() {
    let room = Room::new();
    let ticket = room.ticket(S);
    let inputs = room.seal(S, &ticket, false).unwrap();
    let folders = inputs.folders();
    assert_eq!(
        folders.keys().collect::<Vec<_>>(),
        ["stages.one", "stages.two"]
    );
    assert_eq!(folders["stages.two"], room.out(B));
    let content = room.store.record(&room.key(A)).unwrap().unwrap().content();
    assert_eq!(inputs.consumed()["stages.one"], content);
    let again = room.seal(S, &ticket, false).unwrap();
    assert_eq!(again.fingerprint(), inputs.fingerprint());
    // The same bytes in another file are another input, and the same content.
    let x = room.out(A).join("x");
    fs::copy(&x, room.out(A).join("z")).unwrap();
    fs::rename(room.out(A).join("z"), &x).unwrap();
    let moved = room.seal(S, &ticket, false).unwrap();
    assert_ne!(moved.fingerprint(), inputs.fingerprint());
    assert_eq!(moved.consumed(), inputs.consumed());
}

#[test]
fn whatever_happens_to_an_input_is_noticed_and_only_other_bytes_are_made_again() {
    type Change = fn(&Path);
    let cases: [(&str, bool, Change); 9] = [
        ("x", true, |out| fs::write(out.join("x"), "evil").unwrap()),
        ("deep/y", true, |out| {
            fs::write(out.join("deep/y"), "").unwrap();
        }),
        ("x", true, |out| fs::remove_file(out.join("x")).unwrap()),
        ("new", true, |out| fs::write(out.join("new"), "").unwrap()),
        ("deep/new", true, |out| {
            fs::write(out.join("deep/new"), "").unwrap();
        }),
        ("empty/", true, |out| {
            fs::create_dir(out.join("empty")).unwrap();
        }),
        ("x", true, |out| {
            fs::rename(out.join("x"), out.join("../elsewhere")).unwrap();
            symlink("../elsewhere", out.join("x")).unwrap();
        }),
        ("x", false, |out| {
            let text = fs::read(out.join("x")).unwrap();
            fs::write(out.join("x"), "evil").unwrap();
            fs::write(out.join("x"), text).unwrap();
        }),
        ("x", false, |out| {
            fs::copy(out.join("x"), out.join("z")).unwrap();
            fs::rename(out.join("z"), out.join("x")).unwrap();
        }),
    ];
    for (n, (file, is_other, change)) in cases.into_iter().enumerate() {
        let room = Room::new();
        let failure = room.between(S, false, |_| change(&room.out(A)));
        let message = &failure.report.what.message;
        let start = "its input was changed while it ran: `a`: ";
        assert!(
            message.starts_with(start) && message.contains(file),
            "{n}: {message}"
        );
        let first = if is_other { vec![A] } else { Vec::new() };
        assert_eq!(again(&failure), Some((first, true)), "{n}");
        let is_there = room.store.presence(&room.key(A)) != Status::Absent;
        assert_eq!(is_there, !is_other, "{n}: what is made again lies aside");
    }
}

#[test]
fn what_is_not_whole_is_never_sealed() {
    type Change = fn(&Room);
    let cases: [(&str, Change); 5] = [
        ("`a` (damaged: x)", |room| {
            fs::write(room.out(A).join("x"), "evil").unwrap();
        }),
        ("`a` (gone: deep/y)", |room| {
            fs::remove_file(room.out(A).join("deep/y")).unwrap();
        }),
        ("`a` (damaged: new)", |room| {
            fs::write(room.out(A).join("new"), "").unwrap();
        }),
        ("`a` (its result is gone)", |room| {
            room.store.quarantine(&room.key(A)).unwrap();
        }),
        ("`a` (damaged: x); `b` (damaged: x)", |room| {
            for at in [A, B] {
                fs::write(room.out(at).join("x"), "evil").unwrap();
            }
        }),
    ];
    for (says, change) in cases {
        let room = Room::new();
        change(&room);
        let ticket = room.ticket(S);
        let failure = room.seal(S, &ticket, false).err().unwrap();
        let message = &failure.report.what.message;
        assert!(message.ends_with(says), "{message}");
        let broken = if says.contains("`b`") {
            vec![A, B]
        } else {
            vec![A]
        };
        assert_eq!(again(&failure), Some((broken, false)));
        assert_eq!(room.store.presence(&room.key(A)), Status::Absent);
    }
}

#[test]
fn on_copies_the_stage_itself_is_to_blame_and_the_input_is_whole() {
    let room = Room::new();
    let failure = room.between(S, true, |inputs| {
        let copy = inputs.folders()["stages.one"].join("x");
        assert_ne!(copy, room.out(A).join("x"));
        fs::write(copy, "evil").unwrap();
    });
    assert!(
        failure
            .report
            .what
            .message
            .starts_with("it changed its input `a`: x")
    );
    assert_eq!(again(&failure), None);
    let failure = room.between(S, true, |_| {
        fs::write(room.out(A).join("x"), "evil").unwrap();
    });
    assert_eq!(failure, Failure::default(), "nobody read that one");
}

#[test]
fn of_what_is_behind_an_input_only_what_is_read_counts() {
    let room = Room::new();
    let ticket = room.ticket(TABLE);
    let inputs = room.seal(TABLE, &ticket, false).unwrap();
    let roles: Vec<String> = inputs.consumed().into_keys().collect();
    assert_eq!(roles, ["from.0.0", "from.0.0/images"]);
    assert_eq!(inputs.folders().len(), 1);
    drop(ticket);
    let failure = room.between(TABLE, false, |_| {
        fs::write(room.out(SEEN).join("x"), "evil").unwrap();
    });
    assert!(
        failure.report.what.message.contains("`seen`: x"),
        "all of it is known from the commit"
    );
    // A process that has not made it knows no more than it reads.
    let room = Room::new();
    fs::write(room.out(SEEN).join("x"), "evil").unwrap();
    let failure = room.between(TABLE, false, |_| ());
    assert_eq!(failure, Failure::default());
    let failure = room.between(TABLE, false, |_| {
        fs::write(room.out(SEEN).join("pairs.json"), "evil").unwrap();
    });
    assert_eq!(again(&failure), Some((vec![SEEN], true)));
}
