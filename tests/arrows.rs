//! What cargo cannot enforce of the crates' borders: which dependencies may be added, what a pure crate leaves alone, and
//! that no file format has a private copy. Unaware of what the code does: it reads the names that the sources mention.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod circles;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

/// What a pure crate has no use for.
const IMPURE: [&str; 6] = ["fs", "time", "thread", "process", "env", "net"];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = WalkDir::new(folder).into_iter().map(Result::unwrap);
    let files = entries.filter(|entry| entry.file_type().is_file());
    files.map(walkdir::DirEntry::into_path).collect()
}

/// The text of a file without comments.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

/// The names that directly follow `prefix::`, those in braces included.
fn named(code: &str, prefix: &str) -> BTreeSet<String> {
    let start = format!("{prefix}::");
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices(&start) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        let rest = code[at + start.len()..].trim_start();
        match rest.strip_prefix('{') {
            Some(list) => found.extend(heads(list)),
            None => found.extend(name(rest)),
        }
    }
    found
}

fn name(text: &str) -> Option<String> {
    let name: String = text
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect();
    (!name.is_empty()).then_some(name)
}

/// The first names of the items of a list in braces, up to its end.
fn heads(list: &str) -> Vec<String> {
    let (mut depth, mut at_head, mut names) = (0, true, Vec::new());
    for (i, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => at_head = true,
            c if at_head && !c.is_whitespace() => {
                names.extend(name(&list[i..]));
                at_head = false;
            }
            _ => {}
        }
    }
    names
}

/// The folder that holds the crates.
fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn the_plan_knows_no_files_no_clock_and_no_threads() {
    for file in sources(&crates().join("plan/src")) {
        let code = code(&file);
        let of_std = named(&code, "std");
        let impure = IMPURE.iter().find(|module| of_std.contains(**module));
        assert_eq!(impure, None, "{} names it of std", file.display());
        let of_store = named(&code, "store");
        let only = of_store.iter().all(|n| n == "Digest" || n == "Key");
        assert!(only, "{} names {of_store:?} of store", file.display());
    }
}

/// The loop takes what it runs and who computes from outside: it may serve another front end, and another executor.
#[test]
fn the_loop_and_the_journals_know_nothing_of_sessions_and_reports() {
    let engine = crates().join("engine/src");
    for room in ["run", "history"] {
        for file in sources(&engine.join(room)) {
            let others = named(&code(&file), "crate");
            let strange = others.iter().find(|n| *n != "run" && *n != "history");
            assert_eq!(strange, None, "{}", file.display());
            assert!(named(&code(&file), "report").is_empty());
        }
    }
}

/// The worker knows neither the graph nor the orchestrator, nothing below the door knows the command line or the terminal,
/// and the torch-free crates know no torch.
#[test]
fn crates_depend_one_way() {
    let depends = |name: &str| {
        let text = std::fs::read_to_string(crates().join(name).join("Cargo.toml")).unwrap();
        let (_, rest) = text.split_once("\n[dependencies]\n").unwrap();
        let table = rest.split("\n[").next().unwrap();
        let names = table
            .lines()
            .filter_map(|line| line.split(['.', ' ']).next());
        names.map(str::to_owned).collect::<BTreeSet<String>>()
    };
    let never: &[(&str, &[&str])] = &[
        ("files", &["diagnostics", "spec", "store", "tch"]),
        ("gpus", &["diagnostics", "spec", "store", "plan", "tch"]),
        ("pth", &["spec", "store", "plan", "tch"]),
        ("page", &["store", "plan", "engine", "clap", "tch"]),
        ("diagnostics", &["spec", "store", "files", "plan", "tch"]),
        ("spec", &["store", "pixels", "plan", "tch", "blake3"]),
        ("store", &["spec", "pixels", "plan", "tch"]),
        ("pixels", &["spec", "store", "plan", "tch"]),
        ("artifacts", &["store", "plan", "tch"]),
        ("plan", &["pixels", "artifacts", "engine", "report", "tch"]),
        ("report", &["store", "plan", "engine", "clap", "tch"]),
        ("engine", &["clap", "indicatif", "pipeline", "tch"]),
        ("pipeline", &["tch", "pipeline-worker"]),
        (
            "worker",
            &["plan", "engine", "report", "pipeline", "petgraph"],
        ),
    ];
    let named: BTreeSet<String> = never.iter().map(|(name, _)| (*name).to_owned()).collect();
    let folders = std::fs::read_dir(crates()).unwrap();
    let folders = folders.map(|e| e.unwrap().file_name().into_string().unwrap());
    assert_eq!(
        named,
        folders.collect(),
        "every crate says what it is unaware of"
    );
    for (name, never) in never {
        let found = depends(name);
        assert!(!found.is_empty());
        assert!(
            !never.iter().any(|n| found.contains(*n)),
            "{name}: {found:?}"
        );
    }
}

/// Each file that a stage hands to another is written and read in the crate `artifacts` alone. A kind of `spec` declares
/// which of them it leaves; help and messages may mention a name.
#[test]
fn no_private_copy_of_a_file_that_stages_hand_each_other() {
    let names = ["pairs", "masks", "model", "summary"].map(|n| format!("\"{n}.json\""));
    let tables = ["metrics", "steps"].map(|n| format!("\"{n}.csv\""));
    let mut wrong = Vec::new();
    for name in [
        "store", "plan", "engine", "report", "page", "pipeline", "worker",
    ] {
        for file in sources(&crates().join(name).join("src")) {
            let text = code(&file);
            let text = text.split("#[cfg(test)]").next().unwrap();
            let is_test = file.file_stem().is_some_and(|stem| stem == "tests");
            let mut all = names.iter().chain(&tables);
            if !is_test && all.any(|name| text.contains(name.as_str())) {
                wrong.push(file);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:?} name a file of `artifacts`");
}

#[test]
fn names_are_found_however_they_are_written() {
    let code = "use spec::{Kind, kinds::{A, B},\n  labels};\nlet x = store::Key::of(1); my_store::No; use store::{\n Digest };";
    let set = |names: &[&str]| {
        names
            .iter()
            .map(|n| (*n).to_owned())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(named(code, "spec"), set(&["Kind", "kinds", "labels"]));
    assert_eq!(named(code, "store"), set(&["Digest", "Key"]));
}

/// The documents at the top and in docs/.
fn documents() -> Vec<PathBuf> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folders = [top.clone(), top.join("docs"), top.join("benches")];
    let entries = folders.iter().flat_map(|f| std::fs::read_dir(f).unwrap());
    let files = entries.map(|e| e.unwrap().path());
    files
        .filter(|p| p.extension().is_some_and(|e| e == "md"))
        .collect()
}

#[test]
fn documents_name_files_that_are_there() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for document in documents() {
        let text = std::fs::read_to_string(&document).unwrap();
        let shown = document.display();
        // Changes tell of what was there once.
        if document.ends_with("CHANGELOG.md") {
            continue;
        }
        let links = text.split("](").skip(1).filter_map(|t| t.split_once(')'));
        for (link, _) in links {
            let path = link.split('#').next().unwrap_or_default();
            if !link.contains("://") && !path.is_empty() {
                let full = document.parent().unwrap().join(path);
                assert!(full.exists(), "{shown}: the link `{link}` leads nowhere");
            }
        }
        if document.ends_with("architecture.md") {
            let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "/_.".contains(c)));
            let paths = words.filter(|w| w.starts_with("src/") || w.starts_with("tests/"));
            for path in paths.map(|p| p.trim_end_matches(['.', '/'])) {
                assert!(top.join(path).exists(), "{shown}: there is no `{path}`");
            }
        }
    }
}

#[test]
fn every_page_is_linked() {
    let documents = documents();
    let texts: Vec<String> = documents
        .iter()
        .map(|d| std::fs::read_to_string(d).unwrap())
        .collect();
    for document in &documents {
        let name = document.file_name().unwrap().to_string_lossy();
        let linked = texts.iter().any(|text| text.contains(&format!("{name})")));
        assert!(
            linked || name == "README.md" || name == "CHANGELOG.md",
            "{name} is linked from nowhere"
        );
    }
}
