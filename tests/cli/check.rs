//! `pipeline run --check`: which tables, which files, which exit code, and what is said.
//! Unaware of networks: every score of the stand-in is 30 dB.

use crate::support::{TINY, Test};

const PUBLISHED: &str = "\
scheme,dataset,psnr_db,delta_db,iterations
baseline,tiny,30.01,,
spt,tiny,30.5,+0.4900,8000
full,tiny,30.6,+0.5900,15000
";

#[test]
fn what_a_run_wrote_checks_and_exits_0() {
    let test = Test::new().tiny();
    test.run("run p.yaml").exits(0).never_says("check alpha");
    for file in ["reports/p/alpha.cells.csv", "reports/p/alpha.csv"] {
        test.run(&format!("run p.yaml --check {file} --tolerance 0"))
            .exits(0)
            .says(&format!("check alpha: 2 cells within 0 of {file}"));
    }
}

#[test]
fn what_leaves_its_tolerance_or_is_missing_is_listed_and_exits_3() {
    let test = Test::new().tiny().file("e.csv", PUBLISHED);
    let ran = test
        .run("run p.yaml --check alpha=e.csv")
        .exits(3)
        .says("check alpha: 2 of 3 cells not within 0.02 of e.csv")
        .says("  SPT, tiny: expected 30.5000, found 30.0000 (-0.5000)")
        .says("  full fine-tuning, tiny: expected 30.6000, missing");
    assert!(!ran.stdout.contains("baseline, tiny: expected"), "{ran}");
    // The table itself was made, and says nothing of the check.
    assert!(test.read("reports/p/alpha.txt").contains("Tiny"));
    test.run("run p.yaml --check e.csv --tolerance 1")
        .exits(3)
        .says("1 of 3 cells")
        .says("missing");
    let two: Vec<&str> = PUBLISHED.lines().take(3).collect();
    test.write("two.csv", two.join("\n"));
    test.run("run p.yaml --check two.csv --tolerance 0.5")
        .exits(0)
        .says("2 cells within 0.5 of two.csv");
    let events = test
        .run("run p.yaml --check two.csv --json")
        .exits(3)
        .events();
    let check = events.iter().find(|e| e["event"] == "check").unwrap();
    assert_eq!(
        (&check["table"], &check["compared"]),
        (&"alpha".into(), &2.into())
    );
    assert_eq!(check["wrong"].as_array().unwrap().len(), 1);
}

#[test]
fn a_check_that_cannot_be_made_is_refused_before_anything_runs() {
    let test = Test::new()
        .photos()
        .file("p.yaml", TINY)
        .file("e.csv", PUBLISHED);
    let refused = |words: &str, said: &str| {
        test.run(&format!("run p.yaml {words}")).exits(2).says(said);
    };
    refused("--check nowhere.csv", "nowhere.csv");
    refused("--check beta=e.csv", "there is no table `beta`");
    test.write("other.csv", "a,b\n1,2\n");
    refused("--check other.csv", "other.csv:1: this is no cells.csv");
    refused("score --check e.csv", "no table is planned");
    refused("--check e.csv --tolerance=-1", "expected a number from 0");
    refused("--tolerance 1", "--check");
    test.write("bad.csv", "scheme,dataset,psnr_db\nspt,tiny,much\n");
    refused("--check bad.csv", "bad.csv:2: `much` is not a number");
    assert!(test.noted().is_empty(), "{:?}", test.noted());
    let two = format!("{TINY}  other:\n    table: {{from: [score], rows: [scheme]}}\n");
    test.write("two.yaml", two);
    test.run("run two.yaml --check e.csv")
        .exits(2)
        .says("may belong to any of 2 tables")
        .says("tables: alpha, other");
}

#[test]
fn a_failed_stage_is_a_failure_and_no_check() {
    let test = Test::new()
        .tiny()
        .file("e.csv", PUBLISHED)
        .file("fail-tune", "");
    test.run("run p.yaml --check e.csv --keep-going")
        .exits(1)
        .never_says("check alpha");
}

#[test]
fn a_checked_training_begins_at_its_beginning() {
    let name = "a_checked_training_begins_at_its_beginning";
    let Some(test) = Test::with_worker(name).map(Test::tiny) else {
        return;
    };
    test.run("run p.yaml").exits(0);
    test.write("e.csv", "scheme,dataset,psnr_db\nbaseline,tiny,20\n");
    let longer = |n: u32| format!("run p.yaml -v --set stages.base.train.iterations={n}");
    test.run(&format!("{} --check e.csv --tolerance 60", longer(6)))
        .exits(0)
        .never_says("starting from iteration");
    test.run(&format!("{} base", longer(5)))
        .exits(0)
        .says("starting from iteration 3");
}
