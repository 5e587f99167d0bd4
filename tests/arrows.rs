//! Which room of `pipeline` may know which: plan → spec; run → plan, store; report → spec; nobody → cli.
//! Unaware of what the code does: it reads the names that the sources mention.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A room, the other rooms it may name, and the crates of this workspace with the items it may name of them.
struct Rule {
    room: &'static str,
    rooms: &'static [&'static str],
    crates: &'static [(&'static str, &'static [&'static str])],
}

const ALL: &[&str] = &[];

const RULES: &[Rule] = &[
    Rule {
        room: "plan",
        rooms: &[],
        crates: &[("spec", ALL), ("store", &["Digest", "Key"])],
    },
    Rule {
        room: "run",
        rooms: &["plan"],
        crates: &[("spec", ALL), ("store", ALL)],
    },
    Rule {
        room: "report",
        rooms: &[],
        crates: &[("spec", ALL), ("pixels", ALL), ("artifacts", ALL)],
    },
    Rule {
        room: "cli",
        rooms: &["plan", "run", "report"],
        crates: &[
            ("spec", ALL),
            ("store", ALL),
            ("pixels", ALL),
            ("artifacts", ALL),
        ],
    },
];

/// What the pure rooms have no use for.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::time",
    "std::thread",
    "std::process",
    "std::env",
    "std::net",
];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path());
    let deeper = |path: PathBuf| {
        if path.is_dir() {
            sources(&path)
        } else {
            vec![path]
        }
    };
    entries.flat_map(deeper).collect()
}

/// The text of a file without comments, and without white space, so that a path is one word however it is laid out.
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

#[test]
fn each_room_names_only_what_it_may_know() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let rooms: BTreeSet<String> = RULES.iter().map(|r| r.room.to_owned()).collect();
    let mut wrong = Vec::new();
    for rule in RULES {
        for file in sources(&src.join(rule.room)) {
            let (code, shown) = (code(&file), file.strip_prefix(&src).unwrap().display());
            let own = [rule.room];
            let others = named(&code, "crate")
                .into_iter()
                .filter(|n| rooms.contains(n));
            for other in others.filter(|n| !own.iter().chain(rule.rooms).any(|r| r == n)) {
                wrong.push(format!("{shown} names crate::{other}"));
            }
            for other in ["spec", "store", "pixels", "artifacts"] {
                let items = named(&code, other);
                let allowed = rule
                    .crates
                    .iter()
                    .find(|(name, _)| *name == other)
                    .map(|(_, items)| *items);
                let forbidden = items.iter().filter(|item| match allowed {
                    None => true,
                    Some(allowed) => !allowed.is_empty() && !allowed.contains(&item.as_str()),
                });
                wrong.extend(forbidden.map(|item| format!("{shown} names {other}::{item}")));
            }
            if code.contains("super::super::") {
                wrong.push(format!("{shown} reaches past its room by super::super"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_plan_knows_no_files_no_clock_and_no_threads() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/plan");
    for file in sources(&src) {
        let code = code(&file);
        for module in IMPURE {
            assert!(!code.contains(module), "{} names {module}", file.display());
        }
    }
}

/// The worker knows neither the graph nor the orchestrator, and the torch-free crates know no torch.
#[test]
fn crates_depend_one_way() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let depends = |name: &str| {
        let text = std::fs::read_to_string(crates.join(name).join("Cargo.toml")).unwrap();
        let (_, rest) = text.split_once("\n[dependencies]\n").unwrap();
        let table = rest.split("\n[").next().unwrap();
        let names = table
            .lines()
            .filter_map(|line| line.split(['.', ' ']).next());
        names.map(str::to_owned).collect::<BTreeSet<String>>()
    };
    let never: [(&str, &[&str]); 6] = [
        ("spec", &["store", "pixels", "pipeline", "tch", "blake3"]),
        ("store", &["spec", "pixels", "pipeline", "tch"]),
        ("pixels", &["spec", "store", "pipeline", "tch"]),
        ("artifacts", &["store", "pipeline", "tch"]),
        ("pipeline", &["tch", "pipeline-worker"]),
        ("worker", &["pipeline", "petgraph"]),
    ];
    for (name, never) in never {
        let found = depends(name);
        assert!(!found.is_empty());
        assert!(
            !never.iter().any(|n| found.contains(*n)),
            "{name}: {found:?}"
        );
    }
}

/// Each file that a stage hands to another is named, written and read in the crate `artifacts` alone. What a kind leaves is
/// declared in the manifest, which is opaque text; help and messages may mention a name.
#[test]
fn no_private_copy_of_a_file_that_stages_hand_each_other() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let names = ["pairs", "masks", "model", "summary"].map(|n| format!("\"{n}.json\""));
    let tables = ["metrics", "steps"].map(|n| format!("\"{n}.csv\""));
    let mut wrong = Vec::new();
    for room in ["pipeline", "worker"] {
        for file in sources(&crates.join(room).join("src")) {
            let is_declared = file.ends_with("plan/manifest.rs");
            let text = code(&file);
            let text = text.split("#[cfg(test)]").next().unwrap();
            let is_test = file.file_stem().is_some_and(|stem| stem == "tests");
            let mut all = names.iter().chain(&tables);
            if !is_declared && !is_test && all.any(|name| text.contains(name.as_str())) {
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
