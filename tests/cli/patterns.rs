//! Patterns in `files:` and `outputs:`, and what `ignore:` leaves out of folders.
//! Unaware of how a pattern is read.

use crate::support::{Ran, Test, files_below};

/// A stage that lists the files that it sees, with what each holds.
const LISTS: &str = "\
stages:
  w:
    command:
      files: [FILES]
      MORE
      shell: find . -type f -o -type l | sort | while read f; do echo $f $(cat $f); done > $TMPDIR/list; cp $TMPDIR/list o
      outputs: [o]
";

fn lists(files: &str, more: &str) -> String {
    LISTS.replace("FILES", files).replace("MORE", more)
}

/// What the stage has seen, by name.
#[track_caller]
fn seen(test: &Test) -> Vec<String> {
    let text = test.read("o");
    let names = text.lines().filter_map(|line| line.split(' ').next());
    names
        .map(|name| name.trim_start_matches("./").to_owned())
        .collect()
}

fn key(test: &Test) -> String {
    let path = test.run("path w -f p.yaml").exits(0).stdout;
    path.trim().rsplit('/').next().unwrap().to_owned()
}

fn project() -> Test {
    Test::new()
        .file("main.py", "m\n")
        .file("data/a.csv", "a\n")
        .file("data/b.csv", "b\n")
        .file("data/c.txt", "c\n")
        .file("data/sub/d.csv", "d\n")
        .file("data/sub/.git/config", "git\n")
        .file("data/__pycache__/a.csv", "pyc\n")
}

#[test]
fn a_pattern_stands_for_the_files_that_it_fits() {
    for (files, expected) in [
        ("data/*.csv", "data/a.csv data/b.csv"),
        ("'data/[!a]*.csv', main.py", "data/b.csv main.py"),
        ("'data/**/*.csv'", "data/a.csv data/b.csv data/sub/d.csv"),
        (
            "'data/*'",
            "data/a.csv data/b.csv data/c.txt data/sub/d.csv",
        ),
        ("'d*/sub'", "data/sub/d.csv"),
        ("'?ain.py', ./main.py", "main.py"),
        (
            "data/__pycache__, 'data/*b.csv'",
            "data/__pycache__/a.csv data/b.csv",
        ),
    ] {
        let test = project().file("p.yaml", lists(files, ""));
        test.run("run p.yaml").exits(0).says("1 ran");
        let expected: Vec<&str> = expected.split(' ').collect();
        assert_eq!(seen(&test), expected, "{files}");
        test.run("run p.yaml").exits(0).says("0 ran, 1 fresh");
        // What a pattern does not fit is not read, and what comes to fit is.
        test.write("data/zzz", "z");
        test.write("data/aa.csv", "aa");
        let fits = expected.contains(&"data/a.csv");
        let runs = if fits { "1 ran" } else { "0 ran" };
        test.run("run p.yaml").exits(0).says(runs);
    }
}

#[test]
fn a_pattern_has_the_key_of_the_files_that_it_fits() {
    let keys = ["data/*.csv", "data/a.csv, data/b.csv"].map(|files| {
        let test = project().file("p.yaml", lists(files, ""));
        test.run("run p.yaml").exits(0);
        key(&test)
    });
    assert_eq!(keys[0], keys[1]);
}

#[test]
fn a_pattern_that_fits_nothing_and_one_that_cannot_be_followed_are_errors() {
    for (files, said) in [
        ("'data/*.tsv'", "`data/*.tsv` fits no file (files)"),
        ("'none/*'", "`none/*` fits no file (files)"),
        (
            "'data/*/../a.csv'",
            "p.yaml:4:15: stages.w.command.files.0: `data/*/../a.csv`: `..` stands behind a pattern",
        ),
    ] {
        let test = project().file("p.yaml", lists(files, ""));
        for words in ["plan p.yaml", "run p.yaml"] {
            test.run(words).says(said);
        }
        assert!(!test.path("o").exists());
    }
}

#[test]
fn a_name_that_holds_the_characters_of_a_pattern_can_be_named() {
    let names = ["x*", "xy", "a[1].csv", "a1.csv", "tuned[alpha=0.5].pth"];
    for (files, expected) in [
        ("'x*'", vec!["x*"]),
        ("'x[*]'", vec!["x*"]),
        ("'x?'", vec!["x*", "xy"]),
        ("'a[1].csv'", vec!["a[1].csv"]),
        ("'a[[]1].csv'", vec!["a[1].csv"]),
        ("'tuned[alpha=0.5].*'", vec!["tuned[alpha=0.5].pth"]),
    ] {
        let test = Test::new().file("p.yaml", lists(files, ""));
        for name in names {
            test.write(name, "");
        }
        test.run("run p.yaml").exits(0);
        assert_eq!(seen(&test), expected, "{files}");
    }
    // The same of outputs: what is there as it is written is that.
    let yaml = "stages:\n  w: {command: {shell: 'echo 1 > a1.csv; echo 2 > \"a[1].csv\"', outputs: ['a[1].csv']}}\n";
    let test = Test::new().file("p.yaml", yaml);
    test.run("run p.yaml").exits(0);
    assert_eq!(test.read("a[1].csv"), "2\n");
    assert!(!test.path("a1.csv").exists());
}

#[test]
fn what_is_ignored_is_neither_hashed_nor_placed() {
    for inputs in ["copy", "link"] {
        for walls in ["auto", "off"] {
            for (ignore, expected) in [
                ("['*.txt']", "data/a.csv data/b.csv data/sub/d.csv main.py"),
                ("[data/sub/]", "data/a.csv data/b.csv data/c.txt main.py"),
                ("['*', '!*.csv']", "data/a.csv data/b.csv main.py"),
                (
                    "[/a.csv, /data/b.csv]",
                    "data/a.csv data/c.txt data/sub/d.csv main.py",
                ),
                (
                    "['!.git']",
                    "data/a.csv data/b.csv data/c.txt data/sub/.git/config data/sub/d.csv main.py",
                ),
            ] {
                let more = format!("ignore: {ignore}\n      inputs: {inputs}");
                let test = project().file(
                    "p.yaml",
                    lists("data, main.py", &more).replace("find .", "find -L ."),
                );
                let run = |words: &str| {
                    let mut command = test.command(words);
                    Ran::of(command.env("PIPELINE_SANDBOX", walls).output().unwrap())
                };
                run("run p.yaml").exits(0);
                let expected: Vec<&str> = expected.split(' ').collect();
                assert_eq!(seen(&test), expected, "{ignore} {inputs} {walls}");
                let left_out = files_below(&test.path("data")).into_iter().filter(|file| {
                    let name = file.strip_prefix(test.path("")).unwrap();
                    !expected.contains(&name.to_str().unwrap())
                });
                for file in left_out {
                    std::fs::write(file, "other").unwrap();
                }
                run("run p.yaml").exits(0).says("0 ran, 1 fresh");
                test.write("data/a.csv", "other");
                run("run p.yaml").exits(0).says("1 ran");
            }
        }
    }
}

#[test]
fn a_folder_with_the_caches_of_an_interpreter_is_an_input_for_ever() {
    let yaml = "\
stages:
  w:
    command:
      run: [python3, main.py]
      files: [main.py, lib]
      outputs: [o]
";
    for more in [
        "",
        "      inputs: link\n",
        "      inputs: link\n      sandbox: off\n",
        "      sandbox: off\n",
    ] {
        let test = Test::new()
            .file(
                "main.py",
                "import lib.part\nopen('o', 'w').write(lib.part.VALUE)\n",
            )
            .file("lib/part.py", "VALUE = 'x'\n")
            .file("p.yaml", format!("{yaml}{more}"));
        test.run("run p.yaml").exits(0).says("1 ran");
        for _ in 0..2 {
            test.write("lib/__pycache__/other.pyc", "other");
            test.run("run p.yaml --force w").exits(0).says("1 ran");
            test.run("plan p.yaml").exits(0).says("1 fresh");
        }
        assert_eq!(test.read("o"), "x", "{more}");
    }
}

/// What each run writes would make each key a new one.
#[test]
fn patterns_and_folders_do_without_the_cache_and_the_reports() {
    let yaml = lists("'[clr]*/**/*.json', 'reports/*.txt'", "");
    let test = Test::new()
        .file("p.yaml", yaml)
        .file("lib/a.json", "")
        .file("lib/cache/b.json", "")
        .file("lib/reports/c.json", "")
        .file("reports/p/x.json", "")
        .file("reports/named.txt", "");
    test.run("run p.yaml").exits(0);
    test.write("reports/p/y.json", "");
    test.run("run p.yaml").exits(0);
    let expected = [
        "lib/a.json",
        "lib/cache/b.json",
        "lib/reports/c.json",
        "reports/named.txt",
    ];
    assert_eq!(seen(&test), expected);
    test.run("run p.yaml").exits(0).says("0 ran, 1 fresh");
    // A folder that is a project too.
    test.write("lib/cache/format", "pipeline cache 1\n");
    test.write("p.yaml", lists("lib", ""));
    test.run("run p.yaml").exits(0);
    assert_eq!(seen(&test), ["lib/a.json"]);
}

#[test]
fn what_was_left_out_unasked_is_said_and_wrong_lines_are_errors() {
    let test = project().file("p.yaml", lists("data", ""));
    test.run("plan p.yaml")
        .exits(0)
        .says("note: left out of `data`: .git, __pycache__");
    test.write("p.yaml", lists("data", "ignore: ['!.git', '!__pycache__']"));
    test.run("plan p.yaml").exits(0).never_says("left out");
    test.write("p.yaml", lists("data", "ignore: ['*']"));
    test.run("run p.yaml")
        .says("of the folder `data` nothing is left to be read (files)");
    for wrong in ["''", "'# x'", "'[z-a]'"] {
        test.write("p.yaml", lists("data", &format!("ignore: [x, {wrong}]")));
        test.run("plan p.yaml")
            .exits(2)
            .says("stages.w.command.ignore.1: `");
    }
}

#[test]
fn a_failure_names_what_is_left_out() {
    let yaml = lists("data", "ignore: [c.txt]").replace("find .", "cat data/c.txt; find .");
    let test = project().file("p.yaml", yaml);
    test.run("run p.yaml").exits(1).says(
        "hint: `data/c.txt` is left out of the folder around it: `ignore: ['!c.txt']` takes it in",
    );
}

/// Writes what `n.txt` says into `r`; a reader prints what it sees.
const MAKES: &str = "\
stages:
  a:
    command:
      files: [n.txt]
      shell: for f in $(cat n.txt); do mkdir -p $(dirname $f); echo $f > $f; done
      outputs: [OUTPUTS]
  b:
    command: {stages: {in: a}, shell: 'cd in; find . -type f | sort > ../o', outputs: [o]}
";

#[test]
fn outputs_are_what_patterns_fit_when_the_command_has_ended() {
    for (outputs, made, read) in [
        ("'r/*.csv'", "r/a.csv r/b.csv", "./a.csv ./b.csv"),
        (
            "'r/**/*.csv'",
            "r/a.csv r/b.csv r/d/c.csv",
            "./a.csv ./b.csv ./d/c.csv",
        ),
        (
            "'r/*', s/x",
            "r/a.csv r/b.csv r/d/c.csv r/t.txt s/x",
            "./a.csv ./b.csv ./d/c.csv ./t.txt ./x",
        ),
        ("'r/d'", "r/d/c.csv", "./d/c.csv"),
        (
            "'[rs]/[ab].csv', r/t.txt",
            "r/a.csv r/b.csv r/t.txt",
            "./r/a.csv ./r/b.csv ./t.txt",
        ),
    ] {
        let test = Test::new()
            .file("p.yaml", MAKES.replace("OUTPUTS", outputs))
            .file(
                "n.txt",
                "r/b.csv r/a.csv r/t.txt r/d/c.csv s/x r/__pycache__/x.csv",
            );
        test.run("run p.yaml").exits(0).says("2 ran");
        let placed = |folder: &str| {
            let below = files_below(&test.path(folder)).into_iter();
            let root = test.path("");
            below
                .map(move |path| path.strip_prefix(&root).unwrap().display().to_string())
                .collect::<Vec<_>>()
        };
        let all = [placed("r"), placed("s")].concat();
        assert_eq!(all, made.split(' ').collect::<Vec<_>>(), "{outputs}");
        assert_eq!(
            test.read("o")
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" "),
            read,
            "{outputs}"
        );
        test.run("run p.yaml").exits(0).says("0 ran, 2 fresh");
        test.run("cache verify").exits(0);
    }
}

#[test]
fn what_a_pattern_does_not_fit_any_more_goes_from_the_project() {
    let test = Test::new()
        .file("p.yaml", MAKES.replace("OUTPUTS", "'r/*.csv'"))
        .file("n.txt", "r/a.csv r/b.csv");
    test.run("run p.yaml").exits(0);
    test.write("n.txt", "r/b.csv r/c.csv");
    test.run("run p.yaml").exits(0);
    assert_eq!(
        [test.path("r/a.csv").exists(), test.path("r/c.csv").exists()],
        [false, true]
    );
    assert_eq!(test.read("o"), "./b.csv\n./c.csv\n");
}

#[test]
fn a_pattern_of_an_output_fits_at_least_one_and_no_link() {
    for (outputs, made, said) in [
        (
            "'r/*.csv'",
            "r/a.txt",
            "the output `r/*.csv` fits nothing although the command ended well",
        ),
        ("'s/*', r/a", "r/a", "the output `s/*` fits nothing"),
        (
            "'r/*', 's/*'",
            "r/a s/a",
            "the outputs `r/a` and `s/a` would both be `a` to who reads the stage",
        ),
    ] {
        let test = Test::new()
            .file("p.yaml", MAKES.replace("OUTPUTS", outputs))
            .file("n.txt", made);
        test.run("run p.yaml").exits(1).says(said).says("hint: ");
        assert!(!test.path("r").exists());
    }
    let yaml = "stages: {a: {command: {shell: 'ln -s /etc/passwd r/a', outputs: ['r/*']}}}\n";
    let test = Test::new().file("p.yaml", yaml);
    test.run("run p.yaml")
        .exits(1)
        .says("the output `r/a` is a link");
}

#[test]
fn a_pattern_of_an_output_fits_nothing_in_the_cache_or_the_reports() {
    let makes = |outputs: &str, made: &str| {
        format!(
            "stages: {{a: {{command: {{shell: 'mkdir -p $(dirname {made}); echo x > {made}', outputs: ['{outputs}']}}}}}}\n"
        )
    };
    for (outputs, made) in [
        ("c*", "cache/format"),
        ("**/*.csv", "reports/p/alpha.csv"),
        ("[a-z]*/format", "cache/format"),
    ] {
        let test = Test::new().file("p.yaml", makes(outputs, made));
        let folder = made.split('/').next().unwrap();
        test.run("run p.yaml")
            .exits(1)
            .says(&format!("the output `{folder}"))
            .says("would lie in a folder of pipeline's own")
            .says("hint: write it elsewhere");
        assert!(test.read("cache/format").starts_with("pipeline cache "));
        assert!(!test.path("reports/p").exists());
    }
    // A cache that has another name.
    let test = Test::new().file("p.yaml", makes("*/format", "mine/format"));
    let mut command = test.command("run p.yaml");
    command.env("PIPELINE_CACHE", test.path("mine"));
    let said =
        "the output `mine/format` is not put in place: a folder of pipeline's own lies there";
    Ran::of(command.output().unwrap()).exits(1).says(said);
    assert!(test.read("mine/format").starts_with("pipeline cache "));
}

#[test]
fn inputs_in_its_folder_are_no_outputs() {
    let yaml = "\
stages:
  a: {command: {shell: 'echo a > x/a.csv', outputs: [x/a.csv]}}
  b: {command: {stages: {in: a}, shell: 'mkdir r; echo b > r/b.csv', outputs: ['[ir]*/*.csv']}}
";
    let test = Test::new().file("p.yaml", yaml);
    test.run("run p.yaml").exits(0);
    assert_eq!(test.read("r/b.csv"), "b\n");
    assert!(!test.path("in").exists());
}

#[test]
fn patterns_that_may_fit_the_same_are_refused() {
    let yaml = |a: &str, b: &str, files: &str| {
        format!(
            "stages:\n  a: {{command: {{shell: 'true', outputs: ['{a}']}}}}\n  b: {{command: {{shell: 'true', files: [{files}], outputs: ['{b}']}}}}\n"
        )
    };
    let test = Test::new().file("data/x.csv", "x").file("p.yaml", "");
    for (a, b, files, said) in [
        (
            "r/*.csv",
            "r/x*",
            "data/x.csv",
            "the output `r/x*` of `b` may fit the output `r/*.csv` of `a`",
        ),
        ("r/*.csv", "r/*.csv", "data/x.csv", "may fit the output"),
        (
            "r/*.csv",
            "r/x.csv",
            "data/x.csv",
            "the output `r/*.csv` of `a` may fit the output `r/x.csv` of `b`",
        ),
        ("r", "r/*/x", "data/x.csv", "may fit the output"),
        ("r/*", "r/d/x", "data/x.csv", "may fit the output"),
        ("**/x", "s/x", "data/x.csv", "may fit the output"),
        (
            "r/*.csv",
            "o",
            "r/x.csv",
            "the input `r/x.csv` may be or hold the output `r/*.csv` of `a`, or lie in it",
        ),
        (
            "r/*.csv",
            "o",
            "r",
            "the input `r` may be or hold the output",
        ),
        (
            "data/y.csv",
            "o",
            "data/*.csv",
            "the input `data/*.csv` may be or hold the output `data/y.csv` of `a`",
        ),
        (
            "d*/y.csv",
            "o",
            "data",
            "an output of `a` may lie in its input `data`, which is a folder",
        ),
        ("r/[ab]", "o", "'r/[bc]'", "the input `r/[bc]` may be"),
        (
            "*.yaml",
            "o",
            "data/x.csv",
            "`*.yaml` is not written: the pipeline file `p.yaml` lies there",
        ),
    ] {
        test.write("p.yaml", yaml(a, b, files));
        test.run("plan p.yaml").exits(2).says(said);
    }
    for (a, b) in [
        ("r/*.csv", "r/*.txt"),
        ("d*/y.txt", "s"),
        ("r/*.csv", "r/d/x"),
        ("r/a*", "s/a*"),
        ("r/[ab]", "r/[cd]"),
    ] {
        test.write("p.yaml", yaml(a, b, "data/*.csv"));
        test.run("plan p.yaml").exits(0);
    }
}

#[test]
fn a_file_that_comes_beside_those_of_a_pattern_disturbs_nothing() {
    let yaml = "\
stages:
  w:
    command:
      files: ['data/*.csv']
      inputs: link
      shell: cat data/*.csv > o; touch $P/data/beside
      env: {P: '${HERE}'}
      outputs: [o]
";
    let test = Test::new()
        .without_walls()
        .file("data/a.csv", "a\n")
        .file("p.yaml", yaml);
    let run = |words: &str| {
        let mut command = test.command(words);
        Ran::of(command.env("HERE", test.path("")).output().unwrap())
    };
    run("run p.yaml").exits(0).says("1 ran");
    // One that the pattern fits does.
    test.write("p.yaml", yaml.replace("beside", "b.csv"));
    run("run p.yaml")
        .exits(1)
        .says("changed while the stage ran");
}
