//! What is remembered of runs: `runs`, `show`, `diff`, `log`, and `explain` of what failed.
//! Unaware of results.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{Test, wait_for};

/// Two commands, one of which reads the other's output, and one that fails.
const COMMANDS: &str = "\
stages:
  one: {command: {shell: 'echo said by one; echo 1 > one.txt', outputs: [one.txt]}}
  two: {command: {shell: 'cat in/one.txt > two.txt', stages: {in: one}, outputs: [two.txt]}}
  three: {command: {shell: 'echo oh no >&2; exit 1', outputs: [three.txt]}}
";

fn one(text: &str) -> Value {
    serde_json::from_str(text.trim()).unwrap_or_else(|e| panic!("{e}: {text}"))
}

fn git(test: &Test, words: &str) -> String {
    let mut command = Command::new("git");
    let own = [
        "user.name=a",
        "user.email=a@b",
        "commit.gpgsign=false",
        "core.hooksPath=/dev/null",
    ];
    command
        .args(own.iter().flat_map(|setting| ["-c", setting]))
        .arg("-C");
    let output = command
        .arg(test.path(""))
        .args(words.split(' '))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_run_is_recorded_with_all_that_it_began_from_and_how_it_ended() {
    if Command::new("git").arg("--version").output().is_err() {
        println!("skipped: a_run_is_recorded_with_all_that_it_began_from_and_how_it_ended: no git");
        return;
    }
    let test = Test::new().file("p.yaml", COMMANDS);
    git(&test, "init -q .");
    git(&test, "add p.yaml");
    git(&test, "commit -qm first");
    test.run("run p.yaml --keep-going --set stages.two.command.env.A=1")
        .exits(1);
    let commit = git(&test, "rev-parse HEAD");
    test.run("show")
        .exits(0)
        .says("status      exit 1")
        .says(&format!("git         {commit}, clean"))
        .says("run p.yaml --keep-going --set stages.two.command.env.A=1")
        .says("--set       stages.two.command.env.A=1")
        .says("planned     3 to run, 0 fresh, 0 blocked");
    let shown = one(&test.run("show last --json").exits(0).stdout);
    let machine = &shown["run"]["machine"];
    assert!(machine["host"].is_string() && machine["pipeline"].is_string());
    assert_eq!(shown["run"]["device"], "cpu");
    let stage = |name: &str| {
        let stages = shown["stages"].as_array().unwrap();
        stages.iter().find(|s| s["name"] == name).unwrap().clone()
    };
    assert_eq!(
        (&stage("one")["end"], &stage("two")["end"]),
        (&"done".into(), &"done".into())
    );
    assert_eq!(stage("three")["end"], "failed");
    assert!(
        stage("three")["message"]
            .as_str()
            .unwrap()
            .contains("exit status: 1")
    );
    assert!(stage("one")["seconds"].as_f64().unwrap() > 0.0);

    test.write("p.yaml", COMMANDS.replace("said by one", "heard of one"));
    test.run("run p.yaml one").exits(0);
    test.run("show").exits(0).says(", with changes");
    let runs = test.run("runs --json").exits(0).stdout;
    let exits: Vec<Value> = runs
        .lines()
        .map(|l| one(l)["end"]["exit"].clone())
        .collect();
    assert_eq!(exits, [0, 1], "newest first");
    assert_eq!(test.run("runs -n 1").exits(0).stdout.lines().count(), 1);
    test.run("show last~2").exits(2).says("last~2");
}

#[test]
fn two_runs_are_compared_in_words_and_as_json() {
    let test = Test::new().file("p.yaml", COMMANDS);
    test.run("run p.yaml two").exits(0);
    test.run("run p.yaml one --set stages.one.command.env.A=1")
        .exits(0);
    test.run("diff last~1 last")
        .exits(0)
        .says("\nparameters\n  one: config.env.A: new, 1\n  two: only in a\n")
        .says("\nmetrics (mean over images)\n  no evaluation is in both\n");
    let found = one(&test.run("diff last~1 last --json").exits(0).stdout);
    let parameters = &found["parameters"];
    assert_eq!(
        parameters[0],
        serde_json::json!({"difference": "changed", "stage": "one", "path": "config.env.A", "old": null, "new": "1"})
    );
    assert_eq!(parameters[1]["difference"], "only_in_a");
    assert!(found["metrics"].as_array().unwrap().is_empty());
    test.run("diff last last")
        .exits(0)
        .says("\nparameters\n  the same\n");
    test.run("diff last nothing").exits(2).says("nothing");
}

#[test]
fn schedules_and_metrics_of_two_trainings_stand_side_by_side() {
    let name = "schedules_and_metrics_of_two_trainings_stand_side_by_side";
    let Some(test) = Test::with_worker(name).map(Test::tiny) else {
        return;
    };
    test.run("run p.yaml").exits(0);
    test.run("run p.yaml --set stages.tuned.tune.iterations=5")
        .exits(0);
    test.run("diff last~1 last")
        .exits(0)
        .says("tuned: config.iterations: 3 → 5")
        .says("  score: psnr ")
        .says("\nschedules\n")
        .says("iterations run                                   3                     5\n");
    let found = one(&test
        .run("diff last last --stages base,tuned --json")
        .exits(0)
        .stdout);
    let [a, b] = ["a", "b"].map(|side| &found["schedules"][0][side]);
    assert_eq!(
        (&a["stage"], &b["stage"]),
        (&"base".into(), &"tuned".into())
    );
    assert_eq!(b["iterations_run"], 5);
    for side in [a, b] {
        assert!(side["trainable_parameters"].as_u64().unwrap() > 1000);
        assert!(side["training_seconds"].as_f64().unwrap() > 0.0);
        assert!(side["peak_memory_mib"].as_f64().unwrap() > 1.0);
    }
    test.run("diff last last --stages base,pairs-of-none")
        .exits(2)
        .says("pairs-of-none");
}

#[test]
fn a_log_is_printed_and_followed_to_the_end_of_its_stage() {
    let slow = "stages:\n  slow: {command: {shell: 'echo begin; sleep 1; echo end; echo > s.txt', outputs: [s.txt]}}\n";
    let test = Test::new().file("p.yaml", COMMANDS).file("slow.yaml", slow);
    test.run("run p.yaml one").exits(0);
    let ran = test.run("log one").exits(0);
    assert_eq!(ran.stdout, "said by one\n");
    test.run("log none").exits(2).says("none");
    let mut run = test
        .command("run slow.yaml")
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for("the stage's start", || {
        let shown = test.run("log slow");
        shown.stdout.contains("begin").then_some(())
    });
    let followed = test.run("log slow --follow").exits(0);
    assert_eq!(followed.stdout, "begin\nend\n");
    assert!(run.wait().unwrap().success());
}

#[test]
fn every_stage_has_a_log_of_what_happened_and_when() {
    let test = Test::new().tiny().file(
        "hook",
        "echo '{\"event\":\"progress\",\"step\":7,\"total\":9,\"unit\":\"image\"}'\n\
         echo '{\"event\":\"note\",\"message\":\"by the way\"}'\necho to the error stream >&2\n",
    );
    test.run("run p.yaml").exits(0);
    for stage in ["pairs", "masks", "base", "tuned", "score", "alpha"] {
        let log = test.run(&format!("log {stage}")).exits(0).stdout;
        let lines: Vec<&str> = log.lines().collect();
        let is_stamped = |line: &&&str| line.starts_with("20") && line[..21].ends_with("Z ");
        assert!(lines.first().iter().all(is_stamped), "{stage}: {log}");
        assert!(lines.last().unwrap().ends_with("Z  done"), "{stage}: {log}");
        if stage != "alpha" {
            assert!(log.contains("Z  image 7/9\n"), "{stage}: {log}");
            assert!(log.contains("Z  note: by the way\n"), "{stage}: {log}");
            assert!(log.contains("to the error stream\n"), "{stage}: {log}");
        }
    }
    test.write("fail-tune", "");
    test.run("run p.yaml --force tuned")
        .exits(1)
        .says("\nlog: /");
    test.run("log tuned")
        .exits(0)
        .says("Z  failed: asked to fail")
        .says("Z  hint: remove the file");
}

#[test]
fn a_training_is_followed_while_it_runs() {
    let test = Test::new().tiny().file(
        "hook",
        "for step in 1 2 3; do\n  echo '{\"event\":\"progress\",\"step\":'$step',\"total\":3,\"unit\":\"iteration\",\"psnr\":'$step'}'\n  \
         if [ $kind = train ]; then sleep 0.5; fi\ndone\n",
    );
    let mut run = test
        .command("run p.yaml")
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for("the training's start", || {
        let shown = test.run("log base");
        shown.stdout.contains("iteration 1/3").then_some(())
    });
    let followed = test.run("log base --follow").exits(0);
    assert!(
        followed.stdout.contains("iteration 3/3  PSNR 3.000 dB\n"),
        "{followed}"
    );
    assert!(followed.stdout.ends_with("Z  done\n"), "{followed}");
    assert!(run.wait().unwrap().success());
}

#[test]
fn explain_says_how_the_last_try_failed() {
    let test = Test::new().file("p.yaml", COMMANDS);
    test.run("explain three -f p.yaml")
        .exits(0)
        .says("- has no result yet");
    test.run("run p.yaml three").exits(1);
    test.run("explain three -f p.yaml")
        .exits(0)
        .says("  last try: failed in run ")
        .says("the command ended with exit status: 1:\n    oh no\n");
    // Another configuration was never tried.
    let ran = test
        .run("explain three -f p.yaml --set stages.three.command.env.A=1")
        .exits(0);
    assert!(!ran.stdout.contains("last try"), "{ran}");
}

#[test]
fn a_run_that_did_not_come_so_far_has_no_scores_of_a_later_one() {
    let test = Test::new().tiny().file("fail-evaluate", "");
    test.run("run p.yaml").exits(1);
    test.remove("fail-evaluate");
    test.run("run p.yaml").exits(0);
    let metrics = |run: &str| {
        let shown = test.run(&format!("show {run} --json")).exits(0);
        one(&shown.stdout)["metrics"].clone()
    };
    assert_eq!(metrics("last")["score"]["psnr"], 30.0);
    assert_eq!(metrics("last~1"), serde_json::json!({}));
    let runs = test.run("runs").exits(0);
    let lines: Vec<&str> = runs.stdout.lines().collect();
    assert!(
        lines[0].contains("PSNR") && !lines[1].contains("PSNR"),
        "{runs}"
    );
    assert!(
        lines[0].contains("  done    p.yaml  ") && lines[0].contains("  3 ran, 4 fresh "),
        "{runs}"
    );
    assert!(
        lines[1].contains("  exit 1  p.yaml  ") && lines[1].contains("  4 ran, "),
        "{runs}"
    );
}

#[test]
fn a_run_has_no_scores_of_a_later_one_that_made_them_again() {
    let test = Test::new().tiny();
    test.run("run p.yaml").exits(0);
    test.run("run p.yaml --force score").exits(0);
    let shown = |run: &str| test.run(&format!("show {run}")).exits(0).stdout;
    let json = |run: &str| one(&test.run(&format!("show {run} --json")).exits(0).stdout);
    assert_eq!(json("last")["metrics"]["score"]["psnr"], 30.0);
    assert_eq!(json("last~1")["metrics"]["score-base"]["psnr"], 30.0);
    assert!(json("last~1")["metrics"]["score"].is_null());
    let id = json("last")["run"]["id"].as_str().unwrap().to_owned();
    let said = format!("\n  score       made again since, by run {id}\n");
    assert!(shown("last~1").contains(&said), "{}", shown("last~1"));
    assert!(!shown("last").contains("made again"));
    // One in which it is fresh has it, though it begins in the second in which that ended.
    test.write("fail-tune", "");
    test.run("run p.yaml --force tuned").exits(1);
    assert_eq!(json("last")["metrics"]["score"]["psnr"], 30.0);
}

#[test]
fn metrics_of_runs_are_listed_and_compared_where_they_differ() {
    let name = "metrics_of_runs_are_listed_and_compared_where_they_differ";
    let Some(test) = Test::with_worker(name).map(Test::tiny) else {
        return;
    };
    // Names of images that look like numbers are names.
    std::fs::rename(test.path("photos/a.png"), test.path("photos/100075.png")).unwrap();
    test.run("run p.yaml").exits(0);
    test.run("run p.yaml --set stages.tuned.tune.iterations=30 --set stages.tuned.tune.lr=0.1")
        .exits(0);
    let shown = test.run("show last~1").exits(0);
    let said = shown.stdout.clone();
    let metrics = said.split("metrics (mean over images)\n").nth(1).unwrap();
    let lines: Vec<&str> = metrics.lines().collect();
    assert_eq!(lines.len(), 2, "{shown}");
    assert!(
        lines[0].starts_with("  score       psnr ") && lines[0].contains("  ssim 0."),
        "{shown}"
    );
    test.run("runs").exits(0).says("  PSNR up to ");
    let found = one(&test.run("show last --json").exits(0).stdout);
    assert!(found["metrics"]["score-base"]["psnr"].as_f64().unwrap() > 5.0);
    let diff = test.run("diff last~1 last").exits(0);
    let lines: Vec<&str> = diff.stdout.lines().filter(|l| l.contains(" → ")).collect();
    assert!(
        lines.iter().any(|l| l.starts_with("  score: psnr ")),
        "{diff}"
    );
    assert!(
        !lines
            .iter()
            .any(|l| l.contains("score-base") || l.contains("image")),
        "{diff}"
    );
    // A fixed number of iterations converges to nothing.
    assert!(!diff.stdout.contains("iterations to converge"), "{diff}");
    assert!(diff.stdout.contains("iterations run"), "{diff}");
}
