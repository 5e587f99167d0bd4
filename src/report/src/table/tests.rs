//! Golden tables: small evaluations made by hand, and the text of each form.
//! Unaware of the cache and of workers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use artifacts::{PairEntry, PairList};
use spec::kinds::{Degrade, Interval, LabelText, Table, TableValue};
use spec::metrics::Metric;
use tempfile::TempDir;

use super::{Evaluation, compare, csv, curves, grid, published, sheet, write};

/// A folder of evaluations.
pub(super) struct Bench(TempDir);

impl Bench {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// An evaluation of images `a`, `b`, … with these PSNRs.
    pub fn score(&self, key: &str, labels: &[(&str, &str)], psnr: &[f64]) -> Evaluation {
        let names = ["a", "b", "c", "d", "e"];
        let mut metrics = String::from("image,psnr,ssim\n");
        for (name, psnr) in names.iter().zip(psnr) {
            let psnr = pixels::score::text(*psnr);
            metrics += &format!("{name},{psnr},0.9\n");
        }
        let metrics = self.file(&format!("{key}/metrics.csv"), &metrics);
        let summary = r#"{"images":5,"luma":"unrounded","shave":4,"tiling":"official","masks_found":null,
"model":{"architecture":{"imdn":{"scale":2}},"scheme":"spt","iterations":200,"trainable":1626176,"parameters":1}}"#;
        self.file(&format!("{key}/summary.json"), summary);
        let label = |(l, t): &(&str, &str)| ((*l).to_owned(), (*t).to_owned());
        let labels: BTreeMap<String, String> = labels.iter().map(label).collect();
        Evaluation {
            images: labels.get("set").cloned().unwrap_or_default(),
            labels,
            folder: metrics.parent().unwrap().to_owned(),
            key: key.into(),
            backbone: "art".into(),
            ..Evaluation::default()
        }
    }

    /// The output folder of a `prepare` stage with images of these digests.
    fn pairs(&self, name: &str, digests: &[&str]) -> PathBuf {
        let pair = |digest: &&str| PairEntry {
            name: (*digest).to_owned(),
            hr: String::new(),
            lq: None,
            width: 1,
            height: 1,
            digest: (*digest).to_owned(),
            notes: Vec::new(),
        };
        let list = PairList {
            degrade: Degrade::Sr(2),
            seed: 0,
            pairs: digests.iter().map(pair).collect(),
        };
        let path = self.file(&format!("{name}/pairs.json"), "");
        let folder = path.parent().unwrap().to_owned();
        list.write(&folder).unwrap();
        folder
    }
}

pub(super) fn table(rows: &[&str]) -> Table {
    Table {
        from: Vec::new(),
        rows: rows.iter().map(|r| (*r).to_owned()).collect(),
        columns: None,
        metric: Metric::Psnr,
        values: Vec::new(),
        baseline: vec!["base".into()],
        average: false,
        seeds: false,
        interval: Interval {
            resamples: 1000,
            seed: 0,
        },
        published: None,
        published_for: BTreeMap::new(),
        published_baseline: None,
        scores: BTreeMap::new(),
        curves: false,
        latex: spec::kinds::LatexWidth::default(),
        caption: String::new(),
        note: String::new(),
    }
}

fn text(table: &Table, from: &[Evaluation], baseline: &[Evaluation]) -> String {
    let mut grid = grid::build(table, from, baseline).unwrap();
    if let Some(published) = published::of(table).unwrap() {
        compare::attach(&mut grid, &published).unwrap();
    }
    write::text(&sheet::sheet(&grid))
}

/// Compares with a file of `golden/`; with the variable `RENEW_GOLDEN` it writes the file instead, to be looked at.
#[track_caller]
pub(super) fn golden(name: &str, found: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/table/golden");
    if std::env::var_os("RENEW_GOLDEN").is_some() {
        std::fs::write(folder.join(name), found).unwrap();
    }
    let expected = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
    assert!(
        found == expected,
        "{name}, found:\n{found}\nexpected:\n{expected}"
    );
}

const BASE: [(&str, &str); 3] = [("scheme", "baseline"), ("alpha", "–"), ("set", "Manga109")];

fn spt<'l>(alpha: &'l str, set: &'l str, seed: &'l str) -> [(&'l str, &'l str); 5] {
    [
        ("scheme", "SPT"),
        ("alpha", alpha),
        ("set", set),
        ("seed", seed),
        ("init", "default"),
    ]
}

/// The form of Table 4: one column, so that everything stands beside it.
fn table_4(bench: &Bench) -> (Table, Vec<Evaluation>) {
    let file =
        "alpha,psnr_db,delta_db\n0.5,32.4332,+0.1316\n1.0,32.5648,+0.2568\n2.0,32.4025,+0.1623\n";
    let base =
        "scheme,dataset,psnr_db,delta_db\nbaseline,Manga109,32.3081,\nbaseline,Set5,33.0448,\n";
    let set = ("set".to_owned(), LabelText("Manga109".into()));
    let table = Table {
        published: Some(bench.file("table4.csv", file)),
        published_baseline: Some(bench.file("table1.csv", base)),
        published_for: BTreeMap::from([set]),
        caption: "Impact of α".into(),
        ..table(&["scheme", "alpha"])
    };
    let from = vec![
        bench.score("k0", &BASE, &[32.0, 32.6]),
        bench.score("k1", &spt("0.5", "Manga109", "0"), &[32.1, 32.8]),
        bench.score("k2", &spt("1", "Manga109", "0"), &[32.3, 32.8]),
        bench.score("k3", &spt("1.5", "Manga109", "0"), &[32.2, 32.5]),
    ];
    (table, from)
}

#[test]
fn published_values_stand_beside_one_column() {
    let bench = Bench::new();
    let (table, from) = table_4(&bench);
    golden("published_beside.txt", &text(&table, &from, &from[..1]));
}

#[test]
fn published_values_are_lines_below_several_columns() {
    let bench = Bench::new();
    let file = "scheme,dataset,psnr_db,delta_db\nbaseline,Set5,33.0,\nbaseline,Set14,30.0,\nbaseline,Average,30.8,\nspt,Set5,33.2,+0.2\nspt,Set14,30.1,+0.1\nspt,Average,30.9,+0.1\n";
    let table = Table {
        columns: Some("set".into()),
        average: true,
        published: Some(bench.file("p.csv", file)),
        values: vec![TableValue::Trainable],
        ..table(&["scheme"])
    };
    let base = [("scheme", "baseline"), ("set", "Set5")];
    let from = [
        bench.score("k0", &base, &[33.0, 33.1]),
        bench.score("k1", &spt("1", "Set5", "0"), &[33.1, 33.4]),
    ];
    golden("published_below.txt", &text(&table, &from, &from[..1]));
}

#[test]
fn seeds_are_joined() {
    let bench = Bench::new();
    let table = Table {
        seeds: true,
        columns: Some("set".into()),
        average: true,
        ..table(&["scheme"])
    };
    let base = |set| [("scheme", "baseline"), ("set", set), ("seed", "–")];
    let mut from = vec![
        bench.score("b5", &base("Set5"), &[33.0, 33.1]),
        bench.score("b14", &base("Set14"), &[30.0, 30.4, 30.8]),
    ];
    for (seed, gain) in [("0", 0.1), ("1", 0.2), ("2", 0.3)] {
        let key = |set: &str| format!("{set}-{seed}");
        let set5 = [33.0 + gain, 33.1 + gain];
        from.push(bench.score(&key("s5"), &spt("1", "Set5", seed), &set5));
        let set14 = [30.0, 30.4 + gain, 30.8 + 2.0 * gain];
        from.push(bench.score(&key("s14"), &spt("1", "Set14", seed), &set14));
    }
    golden("seeds.txt", &text(&table, &from, &from[..2]));
    // A seed that lacks a set leaves no common mean.
    let grid = grid::build(&table, &from[..7], &from[..2]).unwrap();
    assert_eq!(grid.rows[1].cells[2].value, None);
    assert!(grid.rows[1].cells[0].value.is_some());
}

#[test]
fn the_average_and_its_interval_are_those_of_all_images() {
    let bench = Bench::new();
    let base = |set| [("scheme", "baseline"), ("set", set)];
    let from = [
        bench.score("b5", &base("Set5"), &[33.0, 33.1]),
        bench.score("b14", &base("Set14"), &[30.0, 30.4, 30.8]),
        bench.score("s5", &spt("1", "Set5", "0"), &[33.1, 33.3]),
        bench.score("s14", &spt("1", "Set14", "0"), &[30.4, 30.4, 30.9]),
    ];
    let table = Table {
        interval: Interval::default(),
        ..table(&["scheme"])
    };
    let grid = grid::build(&table, &from, &from[..2]).unwrap();
    let cell = &grid.rows[1].cells[0];
    let close = |a: Option<f64>, b: f64| assert!((a.unwrap() - b).abs() < 1e-9, "{a:?} {b}");
    close(cell.value, (33.1 + 33.3 + 30.4 + 30.4 + 30.9) / 5.0);
    close(cell.delta, (0.1 + 0.2 + 0.4 + 0.0 + 0.1) / 5.0);
    // Each set drawn within itself: the ends lie between the least and the most that either can give.
    let (low, high) = cell.interval.unwrap();
    assert!(low >= (0.2 + 0.0) / 5.0 && high <= (0.4 + 1.2) / 5.0);
    assert!(low < 0.16 && high > 0.16, "{low} {high}");
}

#[test]
fn what_is_not_paired_is_refused() {
    let bench = Bench::new();
    let base = bench.score("b", &BASE, &[32.0, 32.1, 32.2]);
    let own = bench.score("s", &spt("1", "Manga109", "0"), &[32.0, 32.1]);
    let from = [base, own];
    let error = grid::build(&table(&["alpha"]), &from, &from[..1]).unwrap_err();
    assert!(
        error.to_string().contains("do not have the same images"),
        "{error}"
    );
}

#[test]
fn images_that_a_model_has_seen_are_a_warning_in_the_table() {
    let bench = Bench::new();
    let seen = Evaluation {
        pairs: bench.pairs("test", &["x", "y", "z"]),
        trained_on: vec![bench.pairs("train", &["y", "q"])],
        stopped_by: vec![bench.pairs("val", &["z", "y"])],
        ..bench.score("s", &spt("1", "Manga109", "0"), &[32.0, 32.1])
    };
    let unseen = Evaluation {
        pairs: seen.pairs.clone(),
        trained_on: vec![bench.pairs("other", &["p"])],
        ..seen.clone()
    };
    let table = Table {
        baseline: Vec::new(),
        ..table(&["alpha"])
    };
    let warning = "Warning: of the 3 images of Manga109, a model was trained on 1, and 2 decided when its training \
                   stopped or which weights were kept. These are no test images.\n";
    let with = text(&table, &[seen], &[]);
    assert!(with.ends_with(warning), "{with}");
    assert!(
        !text(
            &table,
            &[Evaluation {
                stopped_by: Vec::new(),
                ..unseen
            }],
            &[]
        )
        .contains("Warning")
    );
}

#[test]
fn a_value_that_fits_several_rows_is_refused() {
    let bench = Bench::new();
    let (table, mut from) = table_4(&bench);
    let mut control = spt("1", "Manga109", "0").to_vec();
    control[0] = ("scheme", "control");
    from.push(bench.score("k4", &control, &[32.0, 32.1]));
    let published = published::of(&table).unwrap().unwrap();
    let mut grid = grid::build(&table, &from, &from[..1]).unwrap();
    let error = compare::attach(&mut grid, &published)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("table4.csv:3: this value fits 2 cells"),
        "{error}"
    );
    let narrowed = Table {
        published_for: BTreeMap::from([
            ("set".into(), LabelText("Manga109".into())),
            ("scheme".into(), LabelText("spt".into())),
        ]),
        ..table
    };
    assert!(text(&narrowed, &from, &from[..1]).contains("32.5648"));
}

#[test]
fn files_for_programs_hold_every_number() {
    let bench = Bench::new();
    let (table, from) = table_4(&bench);
    let published = published::of(&table).unwrap().unwrap();
    let mut grid = grid::build(&table, &from, &from[..1]).unwrap();
    compare::attach(&mut grid, &published).unwrap();
    golden("table.csv", &csv::table(&grid).unwrap());
    golden("cells.csv", &csv::cells(&grid).unwrap());
    let sheet = sheet::sheet(&grid);
    golden("table.md", &write::markdown(&sheet));
    golden("table.tex", &write::latex(&sheet));
}

#[test]
fn curves_of_trainings_are_named_by_their_rows() {
    let bench = Bench::new();
    let trained = |key: &str, labels: &[(&str, &str)], steps: &str| {
        let steps = bench.file(&format!("{key}-training/steps.csv"), steps);
        Evaluation {
            training: steps.parent().map(Path::to_owned),
            ..bench.score(key, labels, &[32.0, 32.1])
        }
    };
    let from = [
        bench.score("k0", &BASE, &[32.0, 32.1]),
        trained(
            "k1",
            &spt("1", "Manga109", "0"),
            "iteration,loss,lr,psnr\n0,,,31.5\n1,0.1,1e-4,\n200,0.1,1e-4,32.1\n",
        ),
        trained(
            "k2",
            &spt("2", "Manga109", "0"),
            "iteration,loss,lr,psnr\n1,0.1,1e-4,\n",
        ),
    ];
    let table = Table {
        caption: "Schemes".into(),
        ..table(&["scheme", "alpha"])
    };
    let svg = curves::svg(&table, &from).unwrap();
    assert!(svg.contains("Schemes: validation while training"), "{svg}");
    assert!(svg.contains("SPT, 1: best 32.1000 at 200"), "{svg}");
    // The weights of iteration 200 were handed on; a training without a validation has its loss alone.
    assert_eq!(
        (
            svg.matches("<circle").count(),
            svg.matches("<polyline").count()
        ),
        (1, 3)
    );
    assert!(svg.contains(">training loss<"), "{svg}");
}

/// Perfect images on both sides, on one, and images that a metric is undefined on.
#[test]
fn infinite_and_undefined_values_leave_no_number_undefined() {
    let bench = Bench::new();
    let scheme = |scheme| [("scheme", scheme), ("set", "Set5")];
    let inf = f64::INFINITY;
    let base = bench.score("k0", &scheme("baseline"), &[inf, 30.0, 40.0, f64::NAN]);
    let same = bench.score("k1", &scheme("same"), &[inf, 30.0, 40.0, f64::NAN]);
    let more = bench.score("k2", &scheme("more"), &[inf, 31.0, inf, f64::NAN]);
    let from = [base.clone(), same, more];
    let grid = grid::build(&table(&["scheme"]), &from, &[base]).unwrap();
    let cell = |row: usize| &grid.rows[row].cells[0];
    let mean = 170.0 / 3.0;
    assert_eq!((cell(0).value, cell(1).value), (Some(mean), Some(mean)));
    assert_eq!(cell(1).delta, Some(0.0));
    assert_eq!(
        (cell(2).value, cell(2).delta),
        (Some(77.0), Some(61.0 / 3.0))
    );
    assert_eq!([0, 1, 2].map(|row| cell(row).best), [false, false, true]);
    let (low, high) = cell(2).interval.unwrap();
    assert!(low >= 0.0 && high <= 60.0, "{low} {high}");
    let notes = grid.notes.join("\n");
    assert!(
        notes.contains(
            "A PSNR above 100 dB counts as 100 dB in means and differences: a (Set5), c (Set5)."
        ),
        "{notes}"
    );
    assert!(
        notes.contains(
            "Too small for PSNR after shaving, and left out of its means and differences: d (Set5)."
        ),
        "{notes}"
    );
    let cells = csv::cells(&grid).unwrap();
    assert!(!cells.contains("inf") && !cells.contains("NaN"), "{cells}");
}

#[test]
fn one_row_of_all_is_the_best_and_none_below_its_baseline() {
    let bench = Bench::new();
    let base = bench.score("base", &BASE, &[30.0, 30.0]);
    let stars = |psnr: &[f64]| {
        let scores = psnr.iter().enumerate().map(|(n, psnr)| {
            let alpha = n.to_string();
            bench.score(
                &format!("s{n}"),
                &spt(&alpha, "Manga109", "0"),
                &[*psnr, *psnr],
            )
        });
        let from: Vec<Evaluation> = std::iter::once(base.clone()).chain(scores).collect();
        let text = text(&table(&["scheme", "alpha"]), &from, &from[..1]);
        let lines = text.lines().filter(|l| l.starts_with("│ SPT"));
        let starred = lines.enumerate().filter(|(_, l)| l.contains('*'));
        starred.map(|(n, _)| n).collect::<Vec<_>>()
    };
    assert_eq!(stars(&[30.5, 31.0, 30.7]), [1]);
    // Of those that print alike the first, and none where all do.
    assert_eq!(stars(&[30.5, 31.0, 31.000_001]), [1]);
    assert_eq!(
        stars(&[31.0, 31.0, 31.0]),
        [0],
        "all of them are above the baseline"
    );
    assert_eq!(stars(&[30.0, 30.0]), [] as [usize; 0]);
    // The best of what loses is the best of nothing.
    assert_eq!(stars(&[29.0, 28.0]), [] as [usize; 0]);
}
