//! Commands around a pipeline file: graph, schema, init, completions, man page, help.
//! Unaware of results; nothing is run here.

use crate::support::{Ran, TINY, Test};

const SWEPT: &str = "\
stages:
  pairs:
    prepare: {images: photos, degrade: {sr: 2}}
  masks:
    each: {grid: [4, 8]}
    mask: {images: pairs}
  lost:
    prepare: {images: nowhere, degrade: {sr: 2}}
";

#[test]
fn the_form_of_a_graph_follows_the_file_s_ending() {
    let test = Test::new().photos().file("p.yaml", SWEPT);
    let begins = |file: &str, start: &str| {
        test.run(&format!("graph p.yaml -o {file}"))
            .exits(0)
            .says(&format!("wrote {file}"));
        assert!(test.read(file).starts_with(start), "{}", test.read(file));
    };
    begins("g.svg", "<svg ");
    begins("g.dot", "digraph ");
    begins("g.mmd", "flowchart LR\n");
    begins("g.md", "```mermaid\nflowchart LR\n");
    let dot = test.run("graph p.yaml").exits(0);
    assert!(dot.stdout.starts_with("digraph \"p.yaml\""), "{dot}");
    test.run("graph p.yaml --format svg").exits(0).says("<svg ");
    test.run("graph p.yaml -o no/where/g.svg").exits(1);
}

#[test]
fn a_sweep_is_one_node_and_states_are_the_plan_s() {
    let test = Test::new().photos().file("p.yaml", SWEPT);
    test.run("graph p.yaml")
        .exits(0)
        .says("masks × 2\\nmask: 2 to run")
        .says("lost\\nprepare: blocked")
        .says("n0 -> n1")
        .never_says("n0 -> n2");
    test.run("graph p.yaml --full")
        .exits(0)
        .says("masks[grid=4]\\nmask: to run")
        .says("n0 -> n2");
    test.run("run p.yaml masks[grid=4]").exits(0);
    test.run("graph p.yaml masks")
        .exits(0)
        .says("masks × 2\\nmask: 1 fresh, 1 to run")
        .never_says("lost");
}

#[test]
fn the_schema_is_json_and_names_every_kind() {
    let test = Test::new();
    let shown = test.run("schema").exits(0);
    let schema: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    let kinds = &schema["$defs"]["Stage"]["properties"];
    assert!(kinds["tune"].is_object() && kinds["each"].is_object());
    test.run("schema -o s.json").exits(0).says("wrote s.json");
    assert_eq!(test.read("s.json"), shown.stdout);
}

#[test]
fn every_shell_gets_completions() {
    let test = Test::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        test.run(&format!("completions {shell}"))
            .exits(0)
            .says("keep-going");
    }
    test.run("completions csh").exits(2).says("invalid value");
}

#[test]
fn the_man_page_is_about_all_commands() {
    let test = Test::new();
    let page = test.run("man").exits(0);
    for command in ["RUN", "PLAN", "GRAPH", "DOCTOR", "INIT", "SCHEMA"] {
        assert!(
            page.stdout.contains(&format!(".SH \"PIPELINE {command}\"")),
            "{page}"
        );
    }
    test.run("man --dir pages").exits(0).says("pages");
    for file in ["pipeline.1", "pipeline-run.1", "pipeline-init.1"] {
        assert!(
            test.read(&format!("pages/{file}")).contains(".TH "),
            "{file}"
        );
    }
    test.write("taken", "");
    test.run("man --dir taken").exits(1).says("cannot write");
}

#[test]
fn every_command_has_help_with_an_example() {
    let test = Test::new();
    let all = test.run("help").exits(0);
    let commands = all.stdout.split("Commands:\n").nth(1).unwrap();
    let names = commands.lines().take_while(|l| !l.is_empty());
    let names: Vec<&str> = names.filter_map(|l| l.split_whitespace().next()).collect();
    assert!(names.contains(&"graph") && names.contains(&"run"), "{all}");
    for name in names.into_iter().filter(|n| *n != "help") {
        let help = test.run(&format!("help {name}")).exits(0);
        let example = format!("Example: pipeline {name}");
        assert!(help.stdout.contains(&example), "{help}");
    }
}

#[test]
fn init_writes_a_file_that_plans_and_never_overwrites() {
    let mut test = Test::new();
    for name in ["a", "b", "c", "d", "e", "f"] {
        test = test.photo(&format!("images/{name}.png"), 160, 130);
    }
    test.run("init")
        .exits(0)
        .says("wrote pipelines/my-images.yaml")
        .says("pipeline plan pipelines/my-images.yaml");
    let text = test.read("pipelines/my-images.yaml");
    assert!(!text.contains('<'), "{text}");
    test.run("plan pipelines/my-images.yaml")
        .exits(0)
        .says("11 to run, 0 fresh, 0 blocked");
    test.run("init --scale 2")
        .exits(2)
        .says("is there already and is left as it is");
    assert_eq!(test.read("pipelines/my-images.yaml"), text);
    test.run("run pipelines/my-images.yaml")
        .exits(0)
        .says("11 ran, 0 fresh, 0 failed");
}

#[test]
fn init_takes_folders_of_any_name_and_subfolders() {
    let mut test = Test::new();
    for name in [
        "train/a",
        "val/b",
        "test/c",
        "x{y}${HOME}$${a}'\"/d",
        "x{y}${HOME}$${a}'\"/e",
        "x{y}${HOME}$${a}'\"/#f: g",
    ] {
        test = test.photo(&format!("{name}.png"), 160, 130);
    }
    test.run("init one --images . --scale 3").exits(0);
    test.run("plan one/pipelines/my-images.yaml")
        .exits(0)
        .says("11 to run, 0 fresh, 0 blocked");
    test.run("init two --images x{y}${HOME}$${a}'\"").exits(0);
    test.run("plan two/pipelines/my-images.yaml")
        .exits(0)
        .says("11 to run, 0 fresh, 0 blocked");
}

/// The name stands in the first lines of the file and in what to type next.
#[test]
fn init_keeps_the_name_of_a_folder_in_its_line() {
    let folder = "a\nstages: {x: 1}\n#\u{202e}'b";
    let mut test = Test::new();
    for name in ["a", "b", "c"] {
        test = test.photo(&format!("{folder}/images/{name}.png"), 160, 130);
    }
    let ran = Ran::of(test.command("init").arg(folder).output().unwrap()).exits(0);
    let word = r"$'a\nstages: {x: 1}\n#\U0000202e\'b/pipelines/my-images.yaml'";
    assert!(ran.stdout.starts_with(&format!("wrote {word}\n")), "{ran}");
    assert!(!ran.stdout.contains("\nstages"), "{ran}");
    // What it says to type plans the file.
    let typed = ran.stdout.lines().find(|line| line.contains(" plan "));
    let typed = typed.unwrap().split("     ").next().unwrap();
    let mut bash = std::process::Command::new("bash");
    bash.args([
        "-c",
        &typed.replacen(
            "pipeline ",
            &format!("{} ", env!("CARGO_BIN_EXE_pipeline")),
            1,
        ),
    ]);
    bash.current_dir(test.path(""))
        .env("PIPELINE_WORKER", test.worker());
    bash.env("STUB_FOLDER", test.outside(""));
    bash.env("STUB_VERSION", env!("CARGO_PKG_VERSION"))
        .env("LC_ALL", "C.UTF-8");
    let planned = Ran::of(bash.output().unwrap()).exits(0);
    assert!(
        planned.stdout.contains("11 to run, 0 fresh, 0 blocked"),
        "{planned}"
    );
}

#[test]
fn init_says_what_images_it_needs() {
    let test = Test::new().photos().file("p.yaml", TINY);
    test.run("init").exits(2).says("--images FOLDER");
    test.run("init --images photos")
        .exits(2)
        .says("`photos` holds 2 images")
        .says("hint: put PNG, JPEG, BMP, TIFF or WebP images there");
    test.run("init --images photos --scale 5").exits(2);
    assert!(!test.path("pipelines").exists());
}

/// What `pipelines/` holds needs nothing beside it: a copy of the folder plans, reduced twins and all.
#[test]
fn a_copied_folder_of_pipelines_is_whole() {
    let test = Test::new();
    let from = concat!(env!("CARGO_MANIFEST_DIR"), "/../../pipelines");
    let copied = std::process::Command::new("cp")
        .args(["-r", from])
        .arg(test.path("pipelines"))
        .status();
    assert!(copied.unwrap().success());
    for file in [
        "quickstart",
        "small/quickstart-sam",
        "small/tables",
        "small/controls",
        "small/figures",
    ] {
        test.run(&format!("plan pipelines/{file}.yaml"))
            .exits(0)
            .says(" fresh, 0 blocked");
    }
}
