//! What tells people about the program itself: manual pages, completions, `--version`, `doctor --json`.
//! Unaware of pipelines' results.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::support::{Ran, Test, list};

const ONE: &str = "stages:\n  s: {each: {n: [1, 2]}, command: {run: [sh, -c, 'echo {n} > o{n}'], outputs: ['o{n}']}}\n";

#[test]
fn every_command_has_a_manual_page_with_what_a_page_has() {
    let test = Test::new();
    test.run("man --dir pages").exits(0);
    let pages = list(&test.path("pages"));
    for name in [
        "pipeline.1",
        "pipeline-run.1",
        "pipeline-cache.1",
        "pipeline-cache-gc.1",
        "pipeline-cache-import.1",
        "pipeline-data-check.1",
    ] {
        let text = test.read(&format!("pages/{name}"));
        for section in [
            "NAME",
            "SYNOPSIS",
            "ENVIRONMENT",
            "FILES",
            "\"EXIT STATUS\"",
        ] {
            assert!(
                text.contains(&format!(".SH {section}\n")),
                "{name}: {section}\n{text}"
            );
        }
        assert!(
            text.contains("PIPELINE\\_CACHE") || text.contains("PIPELINE_CACHE"),
            "{name}"
        );
    }
    // Every page that another one names is there.
    for page in &pages {
        let text = std::fs::read_to_string(page).unwrap();
        for named in text
            .split_whitespace()
            .filter(|w| w.starts_with("pipeline\\-") && w.ends_with("(1)"))
        {
            let file = named.replace('\\', "").replace("(1)", ".1");
            assert!(
                test.path("pages").join(&file).is_file(),
                "{}: {file}",
                page.display()
            );
        }
    }
    let all = test.run("man").exits(0).stdout;
    assert!(all.contains(".SH ENVIRONMENT\n") && all.contains(".SH \"EXIT STATUS\"\n"));
}

#[test]
fn help_of_help_is_help() {
    let test = Test::new();
    let help = test.run("cache help --help").exits(0).stdout;
    assert_eq!(help, test.run("cache help").exits(0).stdout);
    assert!(help.contains("Usage: pipeline cache"), "{help}");
}

#[test]
fn the_version_names_what_computes() {
    let said = Test::new().run("--version").exits(0).stdout;
    let version = concat!("pipeline ", env!("CARGO_PKG_VERSION"));
    assert!(said.starts_with(version), "{said}");
    assert!(said.ends_with(", libtorch 2.11.0\n"), "{said}");
}

#[test]
fn doctor_tells_programs_what_it_found() {
    let test = Test::new();
    let found: serde_json::Value =
        serde_json::from_str(&test.run("doctor --json").exits(0).stdout).unwrap();
    assert_eq!(found["ok"], true);
    assert!(found["gpus"].is_array());
    let checks = found["checks"].as_array().unwrap();
    assert!(
        checks
            .iter()
            .any(|c| c["check"] == "libtorch" && c["ok"] == true)
    );
    if !std::path::Path::new("/dev/nvidiactl").exists() {
        assert!(
            found["no_cuda"]
                .as_str()
                .unwrap()
                .contains("no NVIDIA driver"),
            "{found}"
        );
        test.run("doctor")
            .says("; no CUDA: there is no NVIDIA driver");
    }
    let mut command = test.command("doctor --json");
    let ran = Ran::of(
        command
            .env("PIPELINE_WORKER", "/nonexistent")
            .output()
            .unwrap(),
    )
    .exits(1);
    assert!(ran.stdout.contains("\"ok\":false"), "{ran}");
}

#[test]
fn shells_complete_names_of_stages_and_runs() {
    let test = Test::new().file("p.yaml", ONE);
    test.run("run p.yaml").exits(0);
    assert_eq!(
        test.run("__names stages").exits(0).stdout,
        "s[n=1]\ns[n=2]\n"
    );
    assert_eq!(test.run("__names stages p.yaml").stdout, "s[n=1]\ns[n=2]\n");
    assert_eq!(test.run("__names stages q.yaml").exits(0).stdout, "");
    let run = test.run("__names runs").exits(0).stdout;
    // Bash itself is asked.
    let script = test.run("completions bash").exits(0).stdout;
    test.write("complete.sh", script);
    let ask = |words: &str| {
        let count = words.split(' ').count() - 1;
        let line = format!(
            "PATH=$1:$PATH; . ./complete.sh; COMP_WORDS=({words}); COMP_CWORD={count}; _pipeline_with_names pipeline; \
             printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        let programs = std::path::Path::new(env!("CARGO_BIN_EXE_pipeline"))
            .parent()
            .unwrap();
        let mut bash = Command::new("bash");
        bash.args(["-c", &line, "bash"])
            .arg(programs)
            .current_dir(test.path(""));
        Ran::of(bash.output().unwrap()).stdout
    };
    assert_eq!(ask("pipeline log s"), "s\\[n=1\\]\ns\\[n=2\\]\n");
    assert_eq!(ask("pipeline run p.yaml s"), "s\\[n=1\\]\ns\\[n=2\\]\n");
    assert_eq!(ask("pipeline show ''"), run);
    assert_eq!(
        ask("pipeline run p.yaml --device cu"),
        "cuda\ncuda:0\ncuda:1\n"
    );
    assert!(ask("pipeline run p.yaml --forc").contains("--force"));
    // A name is text, whatever it looks like.
    let hostile = "stages: {t: {each: {n: ['$(touch evil)']}, command: {run: [touch, o, '{n}'], outputs: [o]}}}\n";
    test.write("h.yaml", hostile);
    test.run("run h.yaml").exits(0);
    assert!(ask("pipeline log t").contains("evil"));
    assert!(!test.path("evil").exists());
}

#[test]
fn notes_of_pins_are_listed() {
    let test = Test::new().file("p.yaml", ONE);
    test.run("run p.yaml").exits(0);
    let mut command = test.command("cache pin s[n=1] --note");
    Ran::of(command.arg("row 3 of the paper").output().unwrap()).exits(0);
    test.run("cache pin s[n=2]").exits(0);
    test.run("cache ls")
        .exits(0)
        .says("  s[n=1]  pinned: row 3 of the paper\n")
        .says("  s[n=2]  pinned\n");
    test.run("cache ls --json")
        .says("\"note\":\"row 3 of the paper\"");
}

#[test]
fn a_group_shares_a_cache_whose_folder_says_so() {
    let test = Test::new().file("p.yaml", ONE);
    std::fs::create_dir(test.path("cache")).unwrap();
    let mode = std::fs::Permissions::from_mode(0o2775);
    std::fs::set_permissions(test.path("cache"), mode).unwrap();
    test.run("run p.yaml").exits(0);
    let below = crate::support::files_below(&test.path("cache/runs"));
    let folders = [
        "cache/records",
        "cache/outputs",
        "cache/locks",
        "cache/runs",
    ];
    let paths = folders.iter().map(|f| test.path(f)).chain(below);
    for path in paths {
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o060, 0o060, "{}: {mode:o}", path.display());
    }
    // Nobody else's is changed.
    let test = Test::new().file("p.yaml", ONE);
    test.run("run p.yaml").exits(0);
    let mode = std::fs::metadata(test.path("cache/records"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o020, 0, "{mode:o}");
}

#[test]
fn last_states_of_trainings_are_kept_within_a_bound() {
    let name = "last_states_of_trainings_are_kept_within_a_bound";
    let Some(test) = Test::with_worker(name).map(Test::tiny) else {
        return;
    };
    let states = |test: &Test| crate::support::files_below(&test.path("cache/trajectories")).len();
    test.run("run p.yaml base")
        .exits(0)
        .never_says("last states");
    assert!(states(&test) > 0);
    let mut command = test.command("run p.yaml tuned");
    Ran::of(command.env("PIPELINE_KEEP_STATES", "0").output().unwrap())
        .exits(0)
        .says("note: removed the last states of 2 trainings, the oldest ones")
        .says("PIPELINE_KEEP_STATES=2G keeps more, now 0 MiB");
    assert_eq!(states(&test), 0);
    let mut command = test.command("run p.yaml tuned");
    Ran::of(
        command
            .env("PIPELINE_KEEP_STATES", "lots")
            .output()
            .unwrap(),
    )
    .says("PIPELINE_KEEP_STATES: expected a number of bytes, found `lots`");
}
