//! Reading and planning files of many stages, in memory: text to typed stages, and stages to keys and verdicts.
//! Unaware of disks: outside files and the past are scripted.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use divan::{Bencher, black_box};
use plan::{Outside, Past, Plan, Stored, World};
use spec::{Listing, Pipeline, Request};
use store::{Digest, Key};

fn main() {
    divan::main();
}

const SIZES: [usize; 2] = [1_000, 10_000];

/// One set of images, a chain of training runs on it and their evaluations: every stage has keys of others in its own.
fn text(stages: usize) -> String {
    let mut text =
        String::from("stages:\n  pairs:\n    prepare: {images: photos, degrade: {sr: 4}}\n");
    for i in 0..(stages - 1) / 2 {
        let from = if i == 0 {
            String::new()
        } else {
            format!("from: net-{}, ", i - 1)
        };
        let size = "backbone: {imdn: {scale: 4}}";
        let _ = writeln!(
            text,
            "  net-{i}:\n    train: {{{size}, {from}images: pairs, iterations: {}}}",
            i + 1
        );
        let _ = writeln!(
            text,
            "  score-{i}:\n    evaluate: {{model: net-{i}, images: pairs}}"
        );
    }
    text
}

fn load(text: &str) -> Pipeline {
    let request = Request {
        file: Path::new("many.yaml"),
        env: &BTreeMap::new(),
        overrides: &[],
        read: &|_| Ok(text.to_owned()),
    };
    Pipeline::load(&request).unwrap_or_else(|e| panic!("{e}"))
}

/// Everything is stored.
struct AllFresh;

impl Past for AllFresh {
    fn stored(&self, _: &Key) -> Stored {
        Stored::Whole
    }

    fn last_manifest(&self, _: &str) -> Option<String> {
        None
    }
}

#[divan::bench(args = SIZES, sample_count = 15)]
fn read(bencher: Bencher<'_, '_>, stages: usize) {
    let text = text(stages);
    bencher.bench(|| load(black_box(&text)));
}

#[divan::bench(args = SIZES, sample_count = 15)]
fn plan(bencher: Bencher<'_, '_>, stages: usize) {
    let pipeline = load(&text(stages));
    let files = vec![("a.png".to_owned(), Digest::of(b"a"))];
    let outside = Outside::from([((Listing::IMAGES, "photos".into()), Ok(files))]);
    let world = World {
        outside: &outside,
        numerics: "cpu float32 libtorch 2.11.0",
        cpu_bf16: false,
        past: &AllFresh,
        force: &BTreeSet::new(),
        keep_consumers: false,
    };
    bencher.bench_local(|| Plan::new(black_box(&pipeline), &BTreeSet::new(), &world));
}
