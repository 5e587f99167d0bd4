//! The cache of the previous program, kept under tests/cache-format-1, meets this one.
//! Unaware of how it was made: see its README.md.

use std::fs;
use std::path::Path;

use store::{Amount, Claim, Facts, Status, Store};

use crate::room::{fill, is_fresh, key, ready};

const PREPARE: &str = "stage prepare 1\nscale\t4\n";
const TABLE: &str = "stage table 1\ncaption\tÄ \\t\n";

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

fn old_cache() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cache-format-1");
    copy(&kept, folder.path());
    let store = Store::open(folder.path()).unwrap();
    (folder, store)
}

#[test]
fn what_it_holds_is_fresh_and_reads_as_it_was() {
    let (_folder, store) = old_cache();
    assert_eq!(store.keys().unwrap().len(), 3);
    let amount = Amount {
        files: 2,
        bytes: 11,
    };
    assert_eq!(store.presence(&key(PREPARE)), Status::Fresh(amount));
    assert_eq!(store.verify(&key(PREPARE)), Status::Fresh(amount));
    let record = store.record(&key(TABLE)).unwrap().unwrap();
    assert_eq!((record.kind.as_str(), &*record.manifest), ("table", TABLE));
    assert_eq!(
        record.facts,
        Facts::new().with("seconds", 1.5).with("host", "elsewhere")
    );
    let text = fs::read_to_string(store.output_dir(&key(TABLE)).join("table.csv")).unwrap();
    assert_eq!(text, "psnr\n30.1\n");
    assert!(
        is_fresh(&store.presence(&key("stage test 1\n"))),
        "no outputs"
    );
    assert!(store.verify_all(&|_| ()).unwrap().broken.is_empty());
}

#[test]
fn it_is_worked_on() {
    let (_folder, store) = old_cache();
    assert!(matches!(
        store.ticket(&key(PREPARE)).unwrap(),
        Claim::Done(_)
    ));
    let ticket = ready(&store, &key("stage train 1\n"));
    let step = fs::read_to_string(ticket.state().join("step")).unwrap();
    assert_eq!(step, "7", "the checkpoint of the interrupted run");
    fill(ticket.out(), &[("weights", "w")]);
    ticket
        .commit("train", "stage train 1\n", &["weights"], Facts::new())
        .unwrap();
    assert_eq!(store.entries().unwrap().len(), 4);
    assert_eq!(
        fs::read_to_string(store.root().join("format")).unwrap(),
        "pipeline cache 1\n"
    );
}
