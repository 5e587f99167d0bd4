//! The folder of reports: whose it is, what stands in it, and what leaves it.
//! Unaware of what tables show: a stand-in takes the worker's place.

use serde_json::Value;

use crate::support::{Ran, TINY, Test, list};

/// Two files of one name, in and below `pipelines/`.
fn two() -> Test {
    let yaml = TINY.replace("images: photos", "images: ../photos");
    let below = TINY.replace("images: photos", "images: ../../photos");
    Test::new()
        .photos()
        .file("pipelines/q.yaml", yaml)
        .file("pipelines/small/q.yaml", below)
}

fn report(test: &Test, words: &str) -> String {
    let words = format!("path --report {words}");
    test.run(&words).exits(0).stdout.trim().to_owned()
}

#[test]
fn each_file_and_each_set_of_overrides_has_a_folder_of_its_own() {
    let test = two();
    test.run("path --report -f pipelines/q.yaml")
        .exits(1)
        .says("there is no report in ")
        .says(" run pipelines/q.yaml` writes it");
    for file in ["pipelines/q.yaml", "pipelines/small/q.yaml"] {
        test.run(&format!("run {file}")).exits(0);
        let folder = file.trim_start_matches("pipelines/").replace(".yaml", "");
        let expected = test.path("reports").join(folder);
        let found = report(&test, &format!("-f {file}"));
        assert_eq!(found, expected.display().to_string());
        assert!(expected.join("alpha.txt").is_file());
    }
    let before = test.read("reports/q/alpha.cells.csv");
    let set = "--set stages.tuned.tune.alpha=0.5";
    test.run(&format!("run pipelines/q.yaml {set}")).exits(0);
    assert_eq!(test.read("reports/q/alpha.cells.csv"), before);
    // The last run's, as it was given; and by the same words.
    let found = report(&test, "");
    assert_eq!(found, report(&test, &format!("-f pipelines/q.yaml {set}")));
    let (folder, digits) = found.rsplit_once('@').unwrap();
    assert_eq!(folder, test.path("reports/q").display().to_string());
    assert!(digits.len() == 8 && digits.chars().all(|c| c.is_ascii_hexdigit()));
    let read = |name: &str| std::fs::read_to_string(format!("{found}/{name}")).unwrap();
    assert_ne!(read("alpha.cells.csv"), before);
    let index: Value = serde_json::from_str(&read("run.json")).unwrap();
    assert_eq!(index["file"], "pipelines/q.yaml");
    assert_eq!(index["overrides"][0], "stages.tuned.tune.alpha=0.5");
    test.run("path").exits(2);
}

#[test]
fn tables_name_their_file_their_run_and_its_date() {
    let test = two();
    test.run("run pipelines/q.yaml").exits(0);
    let run = list(&test.path("cache/runs"));
    let run = run
        .iter()
        .find(|p| p.extension().is_some_and(|e| e == "jsonl"));
    let run = run
        .unwrap()
        .file_stem()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    let line = format!("pipelines/q.yaml, run {run}, ");
    let ends = |ending: &str| {
        let text = test.read(&format!("reports/q/alpha.{ending}"));
        text.lines().last().unwrap().to_owned()
    };
    let date = &ends("txt")[line.len()..];
    assert!(humantime::parse_rfc3339(date).is_ok(), "{date}");
    assert_eq!(ends("txt"), format!("{line}{date}"));
    assert_eq!(ends("md"), format!("{line}{date}"));
    assert_eq!(ends("tex"), format!("% {line}{date}"));
    // A later run that makes nothing changes nothing, also where the copies are gone.
    let all = || {
        let files = list(&test.path("reports/q")).into_iter();
        let files = files.filter(|p| p.is_file() && !p.ends_with("index.html"));
        files
            .map(|p| (std::fs::read(&p).unwrap(), p))
            .collect::<Vec<_>>()
    };
    let before = all();
    std::fs::remove_dir_all(test.path("reports")).unwrap();
    test.run("run pipelines/q.yaml").exits(0).says("0 ran");
    assert_eq!(all(), before);
}

#[test]
fn files_of_a_renamed_table_go_and_no_others() {
    let test = two();
    test.run("run pipelines/q.yaml").exits(0);
    test.write("reports/q/notes.txt", "mine");
    let yaml = test.read("pipelines/q.yaml");
    test.write("pipelines/q.yaml", yaml.replace("  alpha:\n", "  beta:\n"));
    test.run("run pipelines/q.yaml").exits(0);
    let names = list(&test.path("reports/q"));
    let name = |p: &std::path::PathBuf| p.file_name().unwrap().to_string_lossy().into_owned();
    let names: Vec<String> = names.iter().map(name).collect();
    assert!(names.contains(&"beta.txt".to_owned()), "{names:?}");
    assert!(names.contains(&"notes.txt".to_owned()), "{names:?}");
    assert!(!names.iter().any(|n| n.starts_with("alpha.")), "{names:?}");
    // A list that somebody changed leads nowhere else.
    let index = test.read("reports/q/run.json");
    test.write("precious.txt", "precious");
    test.write(
        "reports/q/run.json",
        index.replace("beta.txt", "../../precious.txt"),
    );
    test.write("pipelines/q.yaml", yaml);
    test.run("run pipelines/q.yaml").exits(0);
    assert_eq!(test.read("precious.txt"), "precious");
}

/// Two runs of a file that begin at once: each waits for what the other makes, both write the report, every file is whole.
#[test]
fn two_runs_may_write_one_report() {
    for _ in 0..3 {
        let test = Test::new().tiny();
        test.write("slow", "");
        let start = || test.command("run p.yaml").spawn().unwrap();
        for run in [start(), start()] {
            Ran::of(run.wait_with_output().unwrap())
                .exits(0)
                .says("page:    reports/p/index.html");
        }
        let html = test.read("reports/p/index.html");
        assert!(html.starts_with("<!DOCTYPE html>") && html.ends_with("</html>"));
        assert!(html.contains("\"name\":\"alpha\"") && !html.contains("(running)"));
        let index: Value = serde_json::from_str(&test.read("reports/p/run.json")).unwrap();
        let files = index["reports"]["alpha"]["files"].as_array().unwrap();
        for file in files.iter().map(|file| file.as_str().unwrap()) {
            assert!(
                !test.read(&format!("reports/p/{file}")).is_empty(),
                "{file}"
            );
        }
        let is_left = |path: &std::path::PathBuf| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            name.starts_with('.')
        };
        let left: Vec<_> = list(&test.path("reports/p"))
            .into_iter()
            .filter(is_left)
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }
}
