//! That no files of a crate name each other in a circle. Unaware of what they do: it reads the paths in their texts.
//!
//! ```text
//!   text ─┬─ use …, crate::…, super::…, child::… ──> paths ──┐ resolved: a name that a file hands on by `pub use`
//!         └─ pub use … ──> what the file hands on ───────────┘ stands for the file that it comes from
//!                                                            v
//!                                       file ──> files that it needs ──> those that need themselves
//! ```
//!
//! Tests within a file are no part of it, and a file that hands a name on without using it does not need it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The way of a module from the root of its crate.
type Module = Vec<String>;

/// A file as its paths show it.
#[derive(Default)]
struct Text {
    name: String,
    /// The paths that it uses.
    used: Vec<Vec<String>>,
    /// What it calls by another or a shorter name, private or handed on.
    called: BTreeMap<String, Vec<String>>,
    /// The names that it hands on.
    handed_on: BTreeSet<String>,
}

/// The files of a crate.
#[derive(Default)]
struct Crate(BTreeMap<Module, Text>);

impl Text {
    fn of(name: &str, code: &str) -> Self {
        let mut text = Self {
            name: name.to_owned(),
            ..Self::default()
        };
        let mut body = String::new();
        // Who may see an item is no need of its file.
        let code = without_tests(code).replace("pub(in crate::", "pub(in ");
        let mut rest = code.as_str();
        while let Some(end) = rest.find(['\n', ';']) {
            let line = &rest[..end];
            let Some((is_handed_on, tree)) = imported(line) else {
                let is_child = line.trim_start().starts_with("mod ") || line.contains(" mod ");
                body.push_str(if is_child { "" } else { line });
                body.push('\n');
                rest = &rest[end + 1..];
                continue;
            };
            let begin = tree.as_ptr() as usize - rest.as_ptr() as usize;
            let end = rest.find(';').unwrap_or(rest.len());
            for (name, path) in leaves(&rest[begin..end]) {
                if is_handed_on {
                    text.handed_on.insert(name.clone());
                } else {
                    text.used.push(path.clone());
                }
                text.called.insert(name, path);
            }
            rest = rest.get(end + 1..).unwrap_or_default();
        }
        body.push_str(rest);
        let words: BTreeSet<&str> = body.split(|c| !in_name(c)).collect();
        for name in &text.handed_on {
            if words.contains(name.as_str()) {
                text.used.push(text.called[name].clone());
            }
        }
        let long = body.split(|c| !in_name(c) && c != ':');
        let long = long.filter(|word| word.contains("::") && !word.starts_with(':'));
        text.used.extend(long.map(segments));
        text
    }
}

fn in_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The code up to a module of tests.
fn without_tests(code: &str) -> &str {
    for (at, mark) in code.match_indices("#[cfg(test)]") {
        let mut rest = code[at + mark.len()..].trim_start();
        while let Some((_, behind)) = rest.strip_prefix("#[").and_then(|r| r.split_once(']')) {
            rest = behind.trim_start();
        }
        let inline = rest.find('{') < rest.find(';').or(Some(usize::MAX));
        if rest.starts_with("mod ") && rest.contains('{') && inline {
            return &code[..at];
        }
    }
    code
}

/// Whether a line begins an import that is handed on, and what follows its `use`.
fn imported(line: &str) -> Option<(bool, &str)> {
    let line = line.trim_start();
    let Some(rest) = line.strip_prefix("pub") else {
        return Some((false, line.strip_prefix("use ")?));
    };
    let rest = match rest.strip_prefix('(') {
        Some(within) => within.split_once(')')?.1,
        None => rest,
    };
    Some((true, rest.trim_start().strip_prefix("use ")?))
}

fn segments(path: &str) -> Vec<String> {
    let parts = path.split("::").map(str::trim);
    parts.filter(|p| !p.is_empty()).map(str::to_owned).collect()
}

/// The names that a tree of imports gives, each with its path.
fn leaves(tree: &str) -> Vec<(String, Vec<String>)> {
    let Some((head, list)) = tree.split_once('{') else {
        let (path, name) = tree.split_once(" as ").unwrap_or((tree, ""));
        let mut path = segments(path);
        path.pop_if(|last| last == "self");
        let name = match name.trim() {
            "" => path.last().cloned().unwrap_or_default(),
            name => name.to_owned(),
        };
        return vec![(name, path)];
    };
    let list = list.rsplit_once('}').map_or(list, |(list, _)| list);
    let (mut depth, mut begin, mut items) = (0, 0, Vec::new());
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                items.push(&list[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    items.push(&list[begin..]);
    let items = items.into_iter().filter(|item| !item.trim().is_empty());
    let head = segments(head);
    let below = |(name, path): (String, Vec<String>)| match (name.as_str(), path.len()) {
        ("", 0) => (head.last().cloned().unwrap_or_default(), head.clone()),
        _ => (name, [head.clone(), path].concat()),
    };
    items.flat_map(leaves).map(below).collect()
}

impl Crate {
    fn add(&mut self, name: &str, code: &str) {
        let stem = name.strip_suffix(".rs").unwrap();
        let mut module: Module = stem.split('/').map(str::to_owned).collect();
        module.pop_if(|last| ["lib", "main", "mod"].contains(&last.as_str()));
        self.0.entry(module).or_insert_with(|| Text::of(name, code));
    }

    /// The file that a path leads to, as the file of `from` says it; nothing where that is no file of this crate.
    fn find(&self, from: &Module, path: &[String], depth: usize) -> Option<Module> {
        let (first, behind) = path.split_first()?;
        let below = |at: &Module, name: &String| [at.clone(), vec![name.clone()]].concat();
        let (mut at, mut rest) = match first.as_str() {
            "crate" => (Module::new(), behind),
            "self" => (from.clone(), behind),
            "super" => {
                let ups = path.iter().take_while(|part| *part == "super").count();
                let height = from.len().checked_sub(ups)?;
                (from[..height].to_vec(), &path[ups..])
            }
            _ if self.0.contains_key(&below(from, first)) => (from.clone(), path),
            _ => {
                let way = self.0.get(from)?.called.get(first)?;
                if depth == 0 || way.first() == Some(first) {
                    return None;
                }
                let whole = [way, behind].concat();
                return self.find(from, &whole, depth - 1);
            }
        };
        while let Some((name, behind)) = rest.split_first() {
            if self.0.contains_key(&below(&at, name)) {
                at.push(name.clone());
                rest = behind;
                continue;
            }
            let text = self.0.get(&at)?;
            if depth > 0 && text.handed_on.contains(name) {
                let whole = [&text.called[name], behind].concat();
                return self.find(&at, &whole, depth - 1);
            }
            break;
        }
        self.0.contains_key(&at).then_some(at)
    }

    /// Those that need themselves, each with those that it needs and that need it.
    fn circles(&self) -> BTreeSet<String> {
        const RENAMINGS: usize = 8;
        let needs: BTreeMap<&Module, BTreeSet<Module>> = (self.0.iter())
            .map(|(from, text)| {
                let found = text.used.iter();
                let found = found.filter_map(|path| self.find(from, path, RENAMINGS));
                (from, found.filter(|to| to != from).collect())
            })
            .collect();
        let reached = |from: &Module| {
            let mut found = BTreeSet::new();
            let mut next: Vec<&Module> = needs[from].iter().collect();
            while let Some(module) = next.pop() {
                if found.insert(module) {
                    next.extend(&needs[module]);
                }
            }
            found
        };
        let mut circles = BTreeSet::new();
        for from in self.0.keys() {
            let mut all = reached(from);
            if all.contains(from) {
                all.retain(|to| reached(to).contains(from));
                let names = all.iter().map(|module| self.0[*module].name.as_str());
                circles.insert(names.collect::<Vec<_>>().join(" <-> "));
            }
        }
        circles
    }
}

#[test]
fn no_files_of_a_crate_name_each_other_in_a_circle() {
    let mut wrong = Vec::new();
    let mut files = 0;
    for folder in std::fs::read_dir(super::crates()).unwrap() {
        let folder = folder.unwrap().path();
        let mut all = Crate::default();
        let sources = folder.join("src");
        for path in super::sources(&sources) {
            let name = path.strip_prefix(&sources).unwrap().to_str().unwrap();
            let is_test = Path::new(name).file_stem().is_some_and(|s| s == "tests");
            let is_rust = path.extension().is_some_and(|e| e == "rs");
            if !is_test && !name.contains("tests/") && is_rust {
                all.add(name, &super::code(&path));
            }
        }
        files += all.0.len();
        let shown = folder.file_name().unwrap().display();
        wrong.extend(all.circles().iter().map(|c| format!("{shown}: {c}")));
    }
    assert!(files > 300, "only {files} files were looked at");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_circle_is_found_however_it_is_written() {
    let circles = |files: &[(&str, &str)]| {
        let mut all = Crate::default();
        for (name, code) in files {
            all.add(name, code);
        }
        all.circles().into_iter().collect::<Vec<_>>()
    };
    let door = "mod a;\nmod b;\npub use a::A;\npub(crate) use b::{self as other, B as C};\n";
    let both = ["a.rs <-> b.rs"];
    for (a, b) in [
        ("use crate::b::B;", "use super::a::A;"),
        (
            "use crate::{\n    C,\n    X,\n};",
            "fn f() { crate::A::new() }",
        ),
        ("fn f(x: super::C) {}", "use crate::a::{self};"),
        (
            "use super::other;\nfn f() { other::B::new() }",
            "use super::*;\nfn f() -> super::A {}",
        ),
        (
            "use crate as root;\nfn f() { root::b::f() }",
            "pub use super::a::A;\nstruct B(A);",
        ),
    ] {
        assert_eq!(
            circles(&[("lib.rs", door), ("a.rs", a), ("b.rs", b)]),
            both,
            "{a} {b}"
        );
    }
    let whole = [
        ("use super::b::B;", ""),
        ("pub use super::b::B;", "use super::a::A;"),
        (
            "use super::b::B;",
            "#[cfg(test)]\n#[allow(x)]\nmod tests {\n    use crate::a::A;\n}",
        ),
        ("use std::b::B;", "use other::a::A;"),
        ("use super::b::B;", "pub(in crate::a) struct B;"),
    ];
    for (a, b) in whole {
        let none: [&str; 0] = [];
        assert_eq!(
            circles(&[("lib.rs", door), ("a.rs", a), ("b.rs", b)]),
            none,
            "{a} {b}"
        );
    }
    let child = [
        ("mod.rs", "mod c;\nuse c::C;\nstruct D(C);"),
        ("c.rs", "use super::D;"),
    ];
    assert_eq!(circles(&child), ["mod.rs <-> c.rs"]);
}
