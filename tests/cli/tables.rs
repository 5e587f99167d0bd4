//! The shipped files of the paper's tables: their plans, the trainings they have in common, and their reduced twins run
//! and beside the published tables' shape. Unaware of how anything is computed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use spec::datasets::FACTS;

use crate::support::{Ran, Test, list};

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../pipelines")
        .join(name)
}

/// `pipeline` on a shipped file, with cache, reports, data and weights in the test's folder.
fn run(test: &Test, command: &str, file: &str, more: &str) -> Ran {
    let file = shipped(file);
    let words = format!("{command} {} --root . {more}", file.display());
    let mut command = test.command(&words);
    command
        .env("PIPELINE_DATA", test.path("data"))
        .env("PIPELINE_WEIGHTS", test.path("weights"));
    Ran::of(command.output().unwrap())
}

/// Every data set and every file of weights, each file with bytes of its own that nobody reads.
fn with_stand_ins(test: Test) -> Test {
    let mut test = test;
    for facts in FACTS {
        let names = if facts.only.is_empty() {
            &["one", "two"]
        } else {
            facts.only
        };
        for folder in facts.hr {
            for name in names {
                let path = format!("data/{folder}/{}-{name}.png", facts.title);
                let plain = format!("data/{folder}/{name}.png");
                let path = if facts.only.is_empty() { path } else { plain };
                test = test.file(&path, format!("{folder} {name}"));
            }
        }
    }
    let sr = ["art/SR_ART_x", "cat/SR_CAT_A_x", "imdn/IMDN_x"].map(|w| [2, 3, 4].map(|s| (w, s)));
    let dn = [15, 25, 50].map(|sigma| ("art/ColorDN_ART_level", sigma));
    let weights = sr.into_iter().flatten().chain(dn);
    let named = weights.map(|(name, n)| format!("{name}{n}.pth"));
    named
        .chain(["sam/sam_vit_h_4b8939.pth".to_owned()])
        .fold(test, |test, name| {
            test.file(&format!("weights/{name}"), &name)
        })
}

/// The keys of the trainings that a file plans.
fn trainings(test: &Test, file: &str) -> BTreeSet<String> {
    let plan = run(test, "plan", file, "--json").exits(0);
    let tuned = plan.events().into_iter().filter(|e| e["kind"] == "tune");
    tuned
        .map(|e| e["key"].as_str().expect("not blocked").to_owned())
        .collect()
}

#[test]
fn the_tables_are_twenty_six_trainings_and_ours_is_in_five_tables() {
    let test = with_stand_ins(Test::new());
    let of = |file: &str| trainings(&test, file);
    let tables = [1, 2, 3, 4, 5, 6].map(|n| of(&format!("table{n}.yaml")));
    assert_eq!(tables.each_ref().map(BTreeSet::len), [9, 3, 9, 4, 2, 3]);
    assert_eq!(of("tables.yaml").len(), 26);
    let union: BTreeSet<String> = tables.iter().flatten().cloned().collect();
    assert_eq!(of("tables.yaml"), union);
    let ours = [2, 3, 4, 5].map(|t: usize| &tables[0] & &tables[t]);
    assert!(
        ours.iter().all(|o| o.len() == 1 && *o == ours[0]),
        "{ours:?}"
    );
    assert_eq!(of("ablations.yaml").len(), 15);
    let controls = of("controls.yaml");
    assert_eq!((controls.len(), (&controls & &ours[0]).len()), (4, 1));
    assert!(of("figures.yaml").is_subset(&union));
}

#[test]
fn without_data_every_table_plans_and_says_what_is_missing_once() {
    let test = Test::new();
    let plan = run(&test, "plan", "tables.yaml", "").exits(1);
    let check = run(&test, "data check", "tables.yaml", "").exits(1);
    assert!(plan.stdout.contains(": 0 to run, 0 fresh, "), "{plan}");
    for facts in FACTS.iter().filter(|f| !f.title.starts_with("sample")) {
        let missing = format!(
            "the data set {} is missing: put its {} images",
            facts.title, facts.images
        );
        assert_eq!(check.stdout.matches(&missing).count(), 1, "{}", facts.title);
        let grouped = format!("- the data set {} is missing (", facts.title);
        let lines = plan.stdout.matches(&grouped).count();
        assert_eq!(lines, facts.hr.len(), "{}", facts.title);
    }
    for file in [
        "table1",
        "table2",
        "table3",
        "table4",
        "table5",
        "table6",
        "ablations",
        "controls",
    ] {
        run(&test, "plan", &format!("{file}.yaml"), "")
            .exits(1)
            .says("is missing");
    }
    run(&test, "data check", "tables.yaml", "")
        .exits(1)
        .says("missing  Manga109")
        .says("sam_vit_h_4b8939.pth");
}

#[test]
fn every_shipped_file_opens_with_what_to_expect_and_the_command() {
    let folders = ["", "small"].map(shipped);
    let files = folders
        .iter()
        .flat_map(|f| list(f))
        .filter(|p| p.extension().is_some_and(|e| e == "yaml"));
    let mut seen = 0;
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().take_while(|l| l.starts_with('#')).collect();
        let has = |start: &str| lines.iter().any(|l| l.starts_with(start));
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(has("# Expect") && has("# Costs"), "{name}");
        let command = lines
            .iter()
            .any(|l| l.contains("pipeline run pipelines/") && l.contains(name));
        assert!(command, "{name} says no command");
        seen += 1;
    }
    assert!(seen >= 20, "{seen}");
}

/// A CSV file as a list of rows, each by heading.
fn rows(text: &str) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let headings = reader.headers().unwrap().clone();
    let row = |record: csv::StringRecord| {
        let cells = headings.iter().zip(record.iter());
        cells.map(|(h, c)| (h.to_owned(), c.to_owned())).collect()
    };
    reader.records().map(|r| row(r.unwrap())).collect()
}

/// A label as the published files spell it.
fn published(label: &str, text: &str) -> String {
    match (label, text) {
        ("scheme", "full fine-tuning") => "full_finetuning".into(),
        ("locations", text) => text.trim_start_matches("B1–B").to_owned(),
        _ => text.trim_start_matches('×').to_lowercase(),
    }
}

/// The rows of the twin's table are those of the published one, and each has a number in each of its columns.
fn has_the_shape(test: &Test, table: &str, file: &str, labels: &[(&str, &str)], sets: &[&str]) {
    let measured = test.read(&format!("reports/small/tables/{table}.csv"));
    let measured = rows(&measured);
    let expected = rows(&std::fs::read_to_string(shipped("published").join(file)).unwrap());
    let number = |text: &str| text.parse::<f64>().is_ok();
    let own = |row: &BTreeMap<String, String>| -> Vec<String> {
        let label = |(label, _): &(&str, &str)| published(label, &row[*label]);
        labels.iter().map(label).collect()
    };
    let theirs = |row: &BTreeMap<String, String>| -> Vec<String> {
        let label = |(_, column): &(&str, &str)| {
            let text = &row[*column];
            text.parse::<f64>().map_or(text.clone(), |n| n.to_string())
        };
        labels.iter().map(label).collect()
    };
    let mut wanted: Vec<Vec<String>> = Vec::new();
    for row in expected.iter().map(theirs) {
        if !wanted.contains(&row) {
            wanted.push(row);
        }
    }
    let mut found: Vec<Vec<String>> = measured.iter().map(own).collect();
    found.sort();
    wanted.sort();
    assert_eq!(found, wanted, "{table}");
    for row in &measured {
        for column in sets {
            let cell = row
                .get(*column)
                .unwrap_or_else(|| panic!("{table}: {column} of {row:?}"));
            assert!(number(cell), "{table}: {column} of {row:?}");
        }
    }
    let datasets: BTreeSet<&String> = expected
        .iter()
        .filter_map(|row| row.get("dataset"))
        .collect();
    assert_eq!(sets.len(), datasets.len().max(1), "{table}");
}

#[test]
fn the_reduced_twins_have_the_rows_and_columns_of_the_papers_tables() {
    let name = "the_reduced_twins_have_the_rows_and_columns_of_the_papers_tables";
    let Some(test) = Test::with_worker(name) else {
        return;
    };
    run(&test, "run", "small/tables.yaml", "-q").exits(0);
    let sr = [
        "sample-a", "sample-b", "sample-c", "sample-d", "sample-e", "Average",
    ];
    let dn = ["sample-a", "sample-b", "sample-c", "sample-d", "Average"];
    let scheme = ("scheme", "scheme");
    let backbone = ("backbone", "backbone");
    has_the_shape(
        &test,
        "table-1",
        "table1.csv",
        &[backbone, ("scale", "scale"), scheme],
        &sr,
    );
    has_the_shape(
        &test,
        "table-2",
        "table2.csv",
        &[backbone, ("sigma", "sigma"), scheme],
        &dn,
    );
    let psnr = ["PSNR"];
    let one =
        |table, file, label, column| has_the_shape(&test, table, file, &[(label, column)], &psnr);
    one(
        "table-3-variants",
        "table3_variants.csv",
        "variant",
        "variant",
    );
    one(
        "table-3-locations",
        "table3_locations.csv",
        "locations",
        "last_block",
    );
    one("table-4", "table4.csv", "alpha", "alpha");
    one("table-5", "table5.csv", "scheme", "scheme");
    let grid = [
        ("granularity", "granularity"),
        ("grid", "grid"),
        ("masks", "masks"),
    ];
    has_the_shape(&test, "table-6", "table6.csv", &grid, &psnr);
    for table in list(&test.path("reports/small/tables")) {
        let text = std::fs::read_to_string(&table).unwrap_or_default();
        if table.extension().is_some_and(|e| e == "txt") {
            assert!(text.contains("SMALL DEMONSTRATION"), "{}", table.display());
        }
    }
    run(&test, "plan", "small/tables.yaml", "")
        .exits(0)
        .says(": 0 to run");
    run(&test, "run", "small/controls.yaml", "-q").exits(0);
    let controls = rows(&test.read("reports/small/controls/controls.csv"));
    assert_eq!(controls.len(), 5, "{controls:?}");
    run(
        &test,
        "run",
        "small/figures.yaml",
        "figure-4 figure-5 figure-6 -q",
    )
    .exits(0);
    let names = [
        "figure-4[net=art]",
        "figure-4[net=cat]",
        "figure-4[net=imdn]",
        "figure-5",
        "figure-6",
    ];
    for name in names {
        let text = test.read(&format!("reports/small/figures/{name}.txt"));
        assert!(
            text.starts_with("SMALL DEMONSTRATION, in the form of Figure "),
            "{name}: {text}"
        );
        assert!(
            test.path(&format!("reports/small/figures/{name}.png"))
                .is_file(),
            "{name}"
        );
    }
}
