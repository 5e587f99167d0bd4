//! The page of 60 stages, 12 tables and 100 images with 5 evaluations: from the results' files to `index.html` and `img/`.
//! Unaware of what a run costs beside it.

#![allow(
    clippy::unwrap_used,
    reason = "a benchmark may end where its files cannot be written"
)]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use page::{Masks, Method, Page, Set, Shelf, Stage, Table, Training};
use pixels::{MaskStack, Rgb8, Rle, write_png};

const IMAGES: usize = 100;
const SIDE: (usize, usize) = (480, 320);

fn main() {
    divan::main();
}

struct Folder(PathBuf);

impl Shelf for Folder {
    fn has(&self, name: &str) -> bool {
        self.0.join(name).is_file()
    }

    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap_or(&self.0))?;
        fs::write(path, bytes)
    }
}

/// Gradients with some texture, which a PNG does not make small.
fn picture(width: usize, height: usize, seed: usize) -> Rgb8 {
    let value = |i: usize| ((i * 7 + i / width + seed * 13) ^ ((i * i) >> 5)) as u8;
    Rgb8 {
        width,
        height,
        data: (0..width * height * 3).map(value).collect(),
    }
}

fn made(root: &Path, name: &str, files: &[(&str, String)]) -> PathBuf {
    let folder = root.join(name);
    fs::create_dir_all(folder.join("restored")).unwrap();
    for (file, text) in files {
        fs::write(folder.join(file), text).unwrap();
    }
    folder
}

#[expect(
    clippy::too_many_lines,
    reason = "one file of each kind after the other"
)]
fn results(root: &Path) -> Page {
    let name = |i: usize| format!("image{i:03}");
    let (w, h) = SIDE;
    let pair = |i: usize| {
        format!(
            r#"{{"name":"{0}","hr":"{0}.png","lq":"{0}x4.png","width":{1},"height":{2},"digest":"{0}","notes":[]}}"#,
            name(i),
            w / 4,
            h / 4
        )
    };
    let pairs: Vec<String> = (0..IMAGES).map(pair).collect();
    let list = format!(
        r#"{{"degrade":{{"sr":4}},"seed":0,"pairs":[{}]}}"#,
        pairs.join(",")
    );
    let pairs = made(root, "pairs", &[("pairs.json", list)]);
    let mask = |i: usize| {
        format!(
            r#"{{"name":"{0}","digest":"{0}","file":"{0}.masks","found":9,"padded":0,"truncated":0}}"#,
            name(i)
        )
    };
    let entries: Vec<String> = (0..IMAGES).map(mask).collect();
    let list = format!(r#"{{"count":64,"images":[{}]}}"#, entries.join(","));
    let masks = made(root, "masks", &[("masks.json", list)]);
    let column = |n: usize| {
        Rle::new(
            w / 4,
            h / 4,
            &[(n * 700) as u32, 600, (w * h / 16 - n * 700 - 600) as u32],
        )
        .unwrap()
    };
    for i in 0..IMAGES {
        write_png(&pairs.join(format!("{}.png", name(i))), &picture(w, h, i)).unwrap();
        write_png(
            &pairs.join(format!("{}x4.png", name(i))),
            &picture(w / 4, h / 4, i),
        )
        .unwrap();
        let stack = MaskStack::new(w / 4, h / 4, 64, (0..9).map(column).collect()).unwrap();
        stack
            .write(&masks.join(format!("{}.masks", name(i))))
            .unwrap();
    }
    let method = |m: usize| {
        let rows: Vec<String> = (0..IMAGES)
            .map(|i| format!("{},{},0.9\n", name(i), 30 + (i + m) % 7))
            .collect();
        let rows = rows.concat();
        let folder = made(
            root,
            &format!("score-{m}"),
            &[("metrics.csv", format!("image,psnr,ssim\n{rows}"))],
        );
        for i in 0..IMAGES {
            write_png(
                &folder.join(format!("restored/{}.png", name(i))),
                &picture(w, h, i + m),
            )
            .unwrap();
        }
        Method {
            name: format!("model-{m}"),
            stage: format!("score-{m}"),
            key: format!("{m:064}"),
            folder,
            baseline: m == 0,
            masks: None,
            other: false,
        }
    };
    let cells = "scheme,column,value,deviation,delta,delta_low,delta_high,published,published_delta,difference,images,seeds,\
                 metric,evaluation_keys,baseline_keys\n";
    let rows: Vec<String> = (0..20)
        .map(|r| format!("row {r},PSNR,{r},,0.1,0,0.2,,,,100,1,psnr,{r:064},{r:064}\n"))
        .collect();
    let rows = rows.concat();
    let table = |t: usize| {
        let text = || "text\n".to_owned();
        let files = [
            ("cells.csv", format!("{cells}{rows}")),
            ("table.txt", text()),
            ("table.md", text()),
            ("table.tex", text()),
            ("table.csv", text()),
        ];
        Table {
            name: format!("table-{t}"),
            folder: made(root, &format!("table-{t}"), &files),
        }
    };
    let training = |t: usize| {
        let rows: Vec<String> = (1..=10_000)
            .map(|i| format!("{i},0.0{i},0.0001,\n"))
            .collect();
        let rows = rows.concat();
        Training {
            name: format!("model-{t}"),
            folder: made(
                root,
                &format!("model-{t}"),
                &[("steps.csv", format!("iteration,loss,lr,psnr\n{rows}"))],
            ),
        }
    };
    Page {
        file: "pipelines/bench.yaml".into(),
        stages: (0..60)
            .map(|n| Stage {
                name: format!("stage-{n}"),
                ..Stage::default()
            })
            .collect(),
        tables: (0..12).map(table).collect(),
        sets: vec![Set {
            name: "photos".into(),
            key: "p".repeat(64),
            folder: pairs,
            methods: (0..5).map(method).collect(),
            masks: vec![Masks {
                stage: "masks".into(),
                key: "m".repeat(64),
                folder: masks,
            }],
            ..Set::default()
        }],
        trainings: (0..5).map(training).collect(),
        ..Page::default()
    }
}

/// Into an empty folder: all pictures are handed over.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn first_page(bencher: divan::Bencher<'_, '_>) {
    let folder = tempfile::tempdir().unwrap();
    let page = results(folder.path());
    bencher
        .with_inputs(|| tempfile::tempdir().unwrap())
        .bench_refs(|out| page::write(&page, &Folder(out.path().to_owned())).unwrap());
}

/// The pictures are there already.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn next_page(bencher: divan::Bencher<'_, '_>) {
    let folder = tempfile::tempdir().unwrap();
    let page = results(folder.path());
    let out = tempfile::tempdir().unwrap();
    page::write(&page, &Folder(out.path().to_owned())).unwrap();
    bencher.bench(|| page::write(&page, &Folder(out.path().to_owned())).unwrap());
}
