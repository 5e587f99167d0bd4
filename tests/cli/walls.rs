//! Walls around the project and the cache: what a command sees of them, at each level that a system can have.
//! Unaware of how walls are built.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::support::{Ran, Test, photo};

/// How walls are had: with the rights of root, or of a user who has none.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Who {
    Root,
    Nobody,
}

const ALL: [Who; 2] = [Who::Root, Who::Nobody];

/// Every way to have walls.
const LEVELS: [(Who, &str); 4] = [
    (Who::Root, "namespace"),
    (Who::Nobody, "namespace"),
    (Who::Root, "landlock"),
    (Who::Nobody, "landlock"),
];

/// Runs within walls; none, and a line that says so, where this user cannot.
fn run(test: &Test, who: Who, words: &str) -> Option<Ran> {
    run_with(test, who, "namespace", words)
}

fn run_with(test: &Test, who: Who, level: &str, words: &str) -> Option<Ran> {
    run_command(test, who, level, test.command(words))
}

fn run_command(test: &Test, who: Who, level: &str, mut command: Command) -> Option<Ran> {
    let is_root = rustix::process::geteuid().is_root();
    command.env("PIPELINE_SANDBOX", level);
    match who {
        Who::Root if is_root => Some(Ran::of(command.output().unwrap())),
        Who::Root => None,
        Who::Nobody => test.run_as_bound("walls", command),
    }
}

fn project(yaml: &str, files: &[(&str, &str)]) -> Test {
    let test = Test::new().file("p.yaml", yaml);
    for (name, text) in files {
        test.write(name, text);
    }
    test
}

/// At each level a run of the project ends with this in `o`.
fn leaves(expected: &str, project: impl Fn() -> Test) {
    for (who, level) in LEVELS {
        let test = project();
        if let Some(ran) = run_with(&test, who, level, "run p.yaml") {
            ran.exits(0);
            assert_eq!(test.read("o"), expected, "{who:?} {level}");
        }
    }
}

/// At each level the failed stage said this of the system, or that it was denied, and nothing came of it; the failure says
/// what to do.
fn fails(yaml: &str, files: &[(&str, &str)], said: &str, hint: &str) {
    for (who, level) in LEVELS {
        let test = project(yaml, files);
        let Some(ran) = run_with(&test, who, level, "run p.yaml") else {
            continue;
        };
        let said = if level == "landlock" {
            "Permission denied"
        } else {
            said
        };
        ran.exits(1).says(said).says(hint);
        assert!(!test.path("o").exists(), "{who:?}");
    }
}

/// Landlock does not deny a look at whether a file is there: Python finds it, or not, by listing the folder.
fn fails_to_import(yaml: &str, files: &[(&str, &str)], hint: &str) {
    for (who, level) in LEVELS {
        let test = project(yaml, files);
        let Some(ran) = run_with(&test, who, level, "run p.yaml") else {
            continue;
        };
        ran.exits(1).says(hint);
    }
}

#[test]
fn a_module_beside_a_script_is_not_found_unless_it_is_declared() {
    let yaml = "stages:\n  w: {command: {run: [python3, src/main.py], files: [src/main.py], outputs: [o]}}\n";
    let main = "import helper\nopen('o', 'w').write(helper.value)\n";
    let files = [("src/main.py", main), ("src/helper.py", "value = 'x'\n")];
    let hint = "hint: `src/helper.py` is in the project, but the command does not see it: declare it under `files:`";
    fails_to_import(yaml, &files, hint);
    for inputs in ["copy", "link"] {
        let yaml = yaml.replace("files:", &format!("inputs: {inputs}, files:"));
        fails_to_import(&yaml, &files, hint);
        for who in ALL {
            let declared = yaml.replace("[src/main.py],", "[src/main.py, src/helper.py],");
            let test = project(&declared, &files);
            let Some(ran) = run(&test, who, "run p.yaml") else {
                continue;
            };
            ran.exits(0);
            assert_eq!(test.read("o"), "x", "{inputs} {who:?}");
        }
    }
}

#[test]
fn what_is_not_declared_is_not_there_by_any_path() {
    for reading in [
        "cat ${HERE}/data/in.csv > o",
        "cat ../../../../data/in.csv > o",
        "cat ${HERE}/cache/format > o",
        "cat ${HERE}/p.yaml > o",
    ] {
        let here = "export HERE=$(cd ../../../..; pwd)";
        let reading = reading.replace("${HERE}", "$HERE");
        let yaml = format!(
            "stages:\n  w:\n    command:\n      shell: |\n        {here}\n        {reading}\n      outputs: [o]\n"
        );
        let hint = if reading.contains("in.csv") {
            "hint: `data/in.csv` is in the project, but the command does not see it: declare it under `files:`"
        } else {
            ""
        };
        let files = [("data/in.csv", "1,2\n")];
        fails(&yaml, &files, "No such file or directory", hint);
    }
}

#[test]
fn what_lies_in_other_folders_cannot_be_written() {
    for writing in [
        "echo x > $HERE/new",
        "echo x > $HERE/p.yaml",
        "mkdir $HERE/cache/strange",
        "rm -r $HERE/cache/partial",
        "touch ../x",
    ] {
        let yaml = format!(
            "stages:\n  w:\n    command:\n      shell: |\n        HERE=$(cd ../../../..; pwd)\n        {writing}\n        echo x > o\n      outputs: [o]\n"
        );
        fails(&yaml, &[], "Read-only file system", "");
    }
}

#[test]
fn what_is_its_own_can_be_written_and_what_lies_outside_be_read() {
    let yaml = "\
stages:
  a: {command: {shell: 'mkdir -p r/d; echo one > r/d/x', outputs: [r/d]}}
  w:
    command:
      stages: {in: a}
      files: [f]
      shell: |
        echo more >> f; echo more >> in/d/x; echo t > $TMPDIR/t; mkdir new; echo n > new/n
        cat f in/d/x $TMPDIR/t new/n > o
        test -r /etc/passwd; echo x > $P/beside
      env: {P: '${OUTSIDE}'}
      outputs: [o]
";
    for who in ALL {
        let outside = tempfile::tempdir().unwrap();
        let open = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(outside.path(), open).unwrap();
        let yaml = yaml.replace("${OUTSIDE}", outside.path().to_str().unwrap());
        let test = Test::new().file("p.yaml", yaml).file("f", "mine\n");
        let Some(ran) = run(&test, who, "run p.yaml") else {
            continue;
        };
        ran.exits(0).says("2 ran");
        assert_eq!(test.read("o"), "mine\nmore\none\nmore\nt\nn\n", "{who:?}");
        assert_eq!(test.read("f"), "mine\n");
        assert!(outside.path().join("beside").exists());
        run(&test, who, "run p.yaml")
            .unwrap()
            .says("0 ran, 2 fresh");
    }
}

#[test]
fn what_is_declared_is_seen_in_its_own_place_too_and_cannot_be_written_there() {
    let yaml = "\
stages:
  w:
    command:
      run: ['${HERE}/tool', '${HERE}/lib']
      files: ['${HERE}/tool', lib]
      outputs: [o]
";
    leaves("x\ndenied\n", || {
        let test = Test::new();
        let here = test.path("").display().to_string();
        test.write(
            "p.yaml",
            yaml.replace("${HERE}", here.trim_end_matches('/')),
        );
        let tool = "#!/bin/sh\ncat $1/x > o; (echo x >> $1/x) 2> /dev/null || echo denied >> o\n";
        test.write("tool", tool);
        test.write("lib/x", "x\n");
        make_executable(&test.path("tool"));
        test
    });
}

#[test]
fn large_inputs_are_seen_where_they_would_be_copied_and_cannot_be_written() {
    let yaml = "\
stages:
  w:
    command:
      files: [big, folder, small]
      shell: |
        for f in big folder/big small; do test -L $f && echo link || echo file; done > o
        wc -c < big >> o
        (echo x >> big) 2>> o || true
        python3 -c 'import os; print(os.path.realpath(\"big\") == os.path.abspath(\"big\"))' >> o
      outputs: [o]
";
    for who in ALL {
        let test = Test::new().file("p.yaml", yaml).file("small", "x");
        std::fs::create_dir(test.path("folder")).unwrap();
        for name in ["big", "folder/big"] {
            let big = std::fs::File::create(test.path(name)).unwrap();
            big.set_len((64 << 20) + 1).unwrap();
        }
        let Some(ran) = run(&test, who, "plan -v p.yaml") else {
            continue;
        };
        ran.says("`big`, `folder` are mounted to be read, for their size; other inputs are copied");
        run(&test, who, "plan p.yaml")
            .unwrap()
            .never_says("mounted");
        run_with(&test, who, "landlock", "plan -v p.yaml")
            .unwrap()
            .says("are linked");
        run(&test, who, "run p.yaml").unwrap().exits(0);
        let told = test.read("o");
        assert!(told.starts_with("file\nfile\nfile\n67108865\n"), "{told}");
        assert!(told.contains("Read-only file system"), "{told}");
        assert!(told.ends_with("True\n"), "{told}");
        assert_eq!(test.path("big").metadata().unwrap().len(), (64 << 20) + 1);
    }
}

#[test]
fn links_in_large_folders_lead_where_they_led() {
    let yaml = "stages:\n  w: {command: {files: [data], inputs: link, shell: 'cat data/x data/deep/y data/z > o', outputs: [o]}}\n";
    for yaml in [yaml.to_owned(), yaml.replace(" inputs: link,", "")] {
        for who in ALL {
            let test = Test::new()
                .file("p.yaml", &yaml)
                .file("store/x", "x\n")
                .file("store/y", "y\n")
                .file("data/deep/z", "z\n");
            let big = std::fs::File::create(test.path("data/big")).unwrap();
            big.set_len((64 << 20) + 1).unwrap();
            let links = [
                ("../store/x", "x"),
                ("../../store/y", "deep/y"),
                ("deep/z", "z"),
            ];
            for (to, at) in links {
                std::os::unix::fs::symlink(to, test.path("data").join(at)).unwrap();
            }
            let Some(ran) = run(&test, who, "run p.yaml") else {
                continue;
            };
            ran.exits(0);
            assert_eq!(test.read("o"), "x\ny\nz\n", "{who:?}");
        }
    }
}

#[test]
fn of_many_links_all_lead_where_they_led_and_show_nothing_else() {
    let yaml = "\
stages:
  w:
    command:
      files: [links]
      inputs: link
      shell: |
        cat links/* > o
        cat $HERE/c7/beside $HERE/beside >> o || true
      env: {HERE: '${HERE}'}
      outputs: [o]
";
    let expected = "image\n".repeat(100) + &"whole\n".repeat(100);
    leaves(&expected, || {
        let test = Test::new().file("beside", "hidden\n");
        let here = test.path("").canonicalize().unwrap();
        let here = here.to_str().unwrap().trim_end_matches('/');
        test.write("p.yaml", yaml.replace("${HERE}", here));
        std::fs::create_dir(test.path("links")).unwrap();
        for n in 0..100 {
            test.write(&format!("c{n}/image"), "image\n");
            test.write(&format!("c{n}/beside"), "hidden\n");
            test.write(&format!("whole/{n}"), "whole\n");
            for (to, at) in [
                (format!("../c{n}/image"), format!("links/i{n}")),
                (format!("../whole/{n}"), format!("links/w{n}")),
            ] {
                std::os::unix::fs::symlink(to, test.path(&at)).unwrap();
            }
        }
        test
    });
}

#[test]
fn more_links_than_files_that_may_be_open_lead_where_they_led() {
    let yaml = "stages:\n  w: {command: {files: [links], inputs: link, shell: 'cat links/* > o; ulimit -S -n >> o', outputs: [o]}}\n";
    for (who, level) in LEVELS {
        let test = Test::new().file("p.yaml", yaml);
        std::fs::create_dir(test.path("links")).unwrap();
        for n in 0..300 {
            test.write(&format!("c{n}/image"), "image\n");
            test.write(&format!("c{n}/beside"), "");
            let at = test.path("links").join(n.to_string());
            std::os::unix::fs::symlink(format!("../c{n}/image"), at).unwrap();
        }
        let own = test.command("run p.yaml");
        let mut limited = Command::new("sh");
        limited.args(["-c", "ulimit -S -n 200 && exec \"$@\"", "sh"]);
        limited.arg(own.get_program()).args(own.get_args());
        for (name, value) in own.get_envs() {
            limited.envs(value.map(|value| (name, value)));
        }
        limited.current_dir(test.path(""));
        let Some(ran) = run_command(&test, who, level, limited) else {
            continue;
        };
        ran.exits(0);
        let expected = "image\n".repeat(300) + "200\n";
        assert_eq!(test.read("o"), expected, "{who:?} {level}");
    }
}

#[test]
fn links_lead_on_from_where_links_lead() {
    let yaml = "stages:\n  w: {command: {files: [data], inputs: link, shell: 'cat data/far/y data/far/deep/z > o', outputs: [o]}}\n";
    leaves("y\nz\n", || {
        let test = Test::new()
            .file("p.yaml", yaml)
            .file("c/y", "y\n")
            .file("d/deep/z", "z\n");
        for folder in ["data", "a/far", "b"] {
            std::fs::create_dir_all(test.path(folder)).unwrap();
        }
        for (to, at) in [
            ("../a/far", "data/far"),
            ("../../b/y", "a/far/y"),
            ("../c/other", "b/y"),
            ("y", "c/other"),
            ("../../d/deep", "a/far/deep"),
        ] {
            std::os::unix::fs::symlink(to, test.path(at)).unwrap();
        }
        test
    });
}

/// `.venv`, `node_modules` and what `PATH` and the variables of environments name.
#[test]
fn homes_of_programs_are_there_to_be_read() {
    let yaml = "\
stages:
  w:
    command:
      shell: |
        tool > o
        $HERE/.venv/bin/other >> o
        cat $HERE/node_modules/m/index.js $HERE/conda/share/x >> o
        (echo x > $HERE/.venv/new) 2>> o || true
        cat $HERE/tools/beside >> o 2>&1 || true
      env: {HERE: '${HERE}', CONDA_PREFIX: '${HERE}/conda', PATH: '${HERE}/tools/bin:${HERE}/env/bin:${PATH}'}
      outputs: [o]
";
    for who in ALL {
        let test = Test::new();
        let here = test.path("").canonicalize().unwrap();
        let here = here.to_str().unwrap().trim_end_matches('/');
        test.write("p.yaml", yaml.replace("${HERE}", here));
        for (name, text) in [
            (
                "tools/bin/tool",
                "#!/bin/sh\necho tool; more-of-it; env-tool\n",
            ),
            ("tools/bin/more-of-it", "#!/bin/sh\necho more\n"),
            ("tools/beside", "hidden\n"),
            (
                "env/bin/env-tool",
                "#!/bin/sh\ncat $(dirname $0)/../lib/x\n",
            ),
            ("env/lib/x", "env\n"),
            (".venv/bin/other", "#!/bin/sh\necho other\n"),
            ("node_modules/m/index.js", "module\n"),
            ("conda/share/x", "conda\n"),
        ] {
            test.write(name, text);
            if text.starts_with('#') {
                make_executable(&test.path(name));
            }
        }
        let Some(ran) = run(&test, who, "run p.yaml") else {
            continue;
        };
        ran.exits(0);
        let told = test.read("o");
        let begin = "tool\nmore\nenv\nother\nmodule\nconda\n";
        assert!(told.starts_with(begin), "{who:?}: {told}");
        assert!(told.contains("Read-only file system"), "{told}");
        assert!(
            told.contains("No such file or directory") && !told.contains("hidden"),
            "{told}"
        );
    }
}

fn make_executable(path: &Path) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_project_behind_links_has_walls_too() {
    let yaml = "stages:\n  w: {command: {files: [f], shell: 'cat f > o; ls -A $HERE >> o; ls -A $REAL >> o; ls -A $CACHE >> o', env: {HERE: '${HERE}', REAL: '${REAL}', CACHE: '${CACHE}'}, outputs: [o]}}\n";
    for who in ALL {
        let test = Test::new();
        let at = |name: &str| test.path(name).display().to_string();
        let yaml = yaml
            .replace("${HERE}", &at("link"))
            .replace("${REAL}", &at("real"))
            .replace("${CACHE}", &at("elsewhere"));
        test.write("real/p.yaml", yaml);
        test.write("real/f", "f\n");
        test.write("real/other", "");
        std::fs::create_dir(test.path("elsewhere")).unwrap();
        std::os::unix::fs::symlink(test.path("elsewhere"), test.path("real/cache")).unwrap();
        std::os::unix::fs::symlink("real", test.path("link")).unwrap();
        let Some(ran) = run(&test, who, "run link/p.yaml") else {
            continue;
        };
        ran.exits(0);
        assert_eq!(
            test.read("real/o"),
            "f\ncache\nf\ncache\nf\npartial\n",
            "{who:?}"
        );
    }
}

#[test]
fn a_program_that_cannot_be_started_says_so_within_walls() {
    for who in ALL {
        let yaml = "stages:\n  w: {command: {run: [./tool], files: [tool], outputs: [o]}}\n";
        let test = Test::new().file("p.yaml", yaml).file("tool", "#!/bin/sh\n");
        let Some(ran) = run(&test, who, "run p.yaml") else {
            continue;
        };
        ran.exits(1)
            .says("cannot start `./tool`: Permission denied")
            .says("`chmod +x` makes it so");
        let yaml = "stages:\n  w: {command: {run: [./no-such-tool], outputs: [o]}}\n";
        test.write("p.yaml", yaml);
        run(&test, who, "run p.yaml")
            .unwrap()
            .exits(1)
            .says("cannot start `./no-such-tool`: No such file");
    }
}

#[test]
fn a_stage_may_do_without_and_that_is_in_its_key() {
    let yaml = "stages:\n  w: {command: {shell: 'cat ../../../../in > o', outputs: [o]}}\n";
    for who in ALL {
        let test = Test::new().file("p.yaml", yaml).file("in", "x\n");
        let Some(ran) = run(&test, who, "run p.yaml") else {
            continue;
        };
        ran.exits(1);
        let open = yaml.replace("shell:", "sandbox: off, shell:");
        test.write("p.yaml", open);
        run(&test, who, "plan p.yaml").unwrap().says("w");
        run(&test, who, "run p.yaml").unwrap().exits(0);
        assert_eq!(test.read("o"), "x\n");
        test.write("p.yaml", yaml);
        run_with(&test, who, "off", "run p.yaml")
            .unwrap()
            .exits(0)
            .says("1 ran");
    }
    let test = Test::new().file("p.yaml", yaml);
    let wrong = test
        .command("run p.yaml")
        .env("PIPELINE_SANDBOX", "on")
        .output()
        .unwrap();
    Ran::of(wrong)
        .exits(2)
        .says("PIPELINE_SANDBOX: `on` is no such level");
}

/// A command that runs a pipeline has that in its own folder, with walls of its own.
#[test]
fn a_pipeline_may_run_in_a_command() {
    let inner = "stages:\n  i: {command: {files: [f], shell: 'cat f > x; cat ../../../../other >> x || true', outputs: [x]}}\n";
    let yaml = "stages:\n  w: {command: {files: [inner], shell: 'cd inner && $PIPELINE run p.yaml && cat x other > ../o', env: {PIPELINE: '${PIPELINE}', PIPELINE_SANDBOX: namespace}, outputs: [o]}}\n";
    for who in ALL {
        let test = Test::new()
            .file(
                "p.yaml",
                yaml.replace("${PIPELINE}", env!("CARGO_BIN_EXE_pipeline")),
            )
            .file("inner/p.yaml", inner)
            .file("inner/other", "other\n")
            .file("inner/f", "f\n");
        let Some(ran) = run(&test, who, "run p.yaml") else {
            continue;
        };
        ran.exits(0);
        assert_eq!(test.read("o"), "f\nother\n", "{who:?}");
    }
}

/// The limits of rules: they allow folders with all that is in them.
#[test]
fn with_landlock_what_lies_outside_can_be_used_but_for_the_folders_above() {
    let yaml = "\
stages:
  a: {command: {shell: 'mkdir d; echo one > d/x', outputs: [d]}}
  w:
    command:
      stages: {in: a}
      files: [f, big]
      shell: |
        echo more >> f; mv f g; echo t > $TMPDIR/t; cat g in/d/x $TMPDIR/t > o
        test -L big; wc -c < big >> o; ! (echo x >> big) 2> /dev/null
        test -r /etc/passwd; echo x > $P/beside; mkdir $P/new; echo said > /dev/stderr
        ! ls .. 2> /dev/null
        ! ls /tmp 2> /dev/null
        ! touch /tmp/new-$$ 2> /dev/null
      env: {P: '${OUTSIDE}'}
      outputs: [o]
";
    for who in ALL {
        let outside = tempfile::tempdir().unwrap();
        let open = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(outside.path(), open).unwrap();
        let yaml = yaml.replace("${OUTSIDE}", outside.path().to_str().unwrap());
        let test = Test::new().file("p.yaml", yaml).file("f", "mine\n");
        let big = std::fs::File::create(test.path("big")).unwrap();
        big.set_len((64 << 20) + 1).unwrap();
        let Some(ran) = run_with(&test, who, "landlock", "run p.yaml") else {
            continue;
        };
        ran.exits(0).says("2 ran");
        assert_eq!(test.read("o"), "mine\nmore\none\nt\n67108865\n", "{who:?}");
        assert!(outside.path().join("beside").exists());
        let yaml = "stages:\n  w: {command: {shell: 'touch $P', env: {P: '/tmp/new-of-a-test'}, outputs: [o]}}\n";
        test.write("p.yaml", yaml);
        run_with(&test, who, "landlock", "run p.yaml")
            .unwrap()
            .exits(1)
            .says("hint: the walls of this system (Landlock) also keep a command from");
        run_with(&test, who, "landlock", "doctor")
            .unwrap()
            .says("(Landlock)");
    }
}

/// A system that gives no namespaces: limits of a user namespace around the run say so.
fn without_namespaces(test: &Test, level: &str, words: &str) -> Option<Ran> {
    let limits = "cd /proc/sys/user && echo 0 > max_mnt_namespaces && echo 0 > max_user_namespaces && cd - > /dev/null";
    let inside = |script: &str, command: Command| {
        let mut outer = Command::new("unshare");
        outer.args(["--user", "--map-root-user", "sh", "-c"]);
        outer.arg(format!("{limits} && {script}")).arg("sh");
        outer.arg(command.get_program()).args(command.get_args());
        outer.envs(
            command
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        outer
            .current_dir(test.path(""))
            .env("PIPELINE_SANDBOX", level);
        outer.output()
    };
    let can = inside("true", Command::new("true"));
    if !can.is_ok_and(|output| output.status.success()) {
        println!("skipped: walls: no user namespace to be without namespaces in");
        return None;
    }
    Some(Ran::of(inside("exec \"$@\"", test.command(words)).unwrap()))
}

#[test]
fn where_there_are_no_namespaces_landlock_is_taken_and_else_it_is_said_once_that_there_is_nothing()
{
    let yaml = "stages:\n  w: {command: {shell: 'cat $P/in > o', env: {P: '${HERE}'}, outputs: [o]}}\n  v: {command: {shell: 'echo > p', outputs: [p]}}\n";
    let test = Test::new();
    test.write(
        "p.yaml",
        yaml.replace("${HERE}", test.path("").to_str().unwrap()),
    );
    test.write("in", "x\n");
    let Some(ran) = without_namespaces(&test, "auto", "run p.yaml w") else {
        return;
    };
    ran.exits(1)
        .says("Permission denied")
        .says("declare it under `files:`");
    let said = "note: no walls around the project while stages run: namespaces: ";
    for words in ["plan p.yaml", "run p.yaml"] {
        let ran = without_namespaces(&test, "namespace", words)
            .unwrap()
            .exits(0);
        let times = ran.stdout.matches(said).count() + ran.stderr.matches(said).count();
        assert_eq!(times, 1, "{ran}");
    }
    assert_eq!(test.read("o"), "x\n");
    without_namespaces(&test, "namespace", "plan p.yaml")
        .unwrap()
        .never_says("no walls");
    without_namespaces(&test, "namespace", "doctor")
        .unwrap()
        .says("walls     none, so commands can read and write what they do not declare");
}

#[test]
fn a_project_that_holds_the_home_folder_has_no_walls_which_is_said_once() {
    let yaml = "stages:\n  w: {command: {shell: 'cat $HOME/in > o', outputs: [o]}}\n";
    for home in ["", "me"] {
        let test = Test::new()
            .file("p.yaml", yaml)
            .file("in", "x")
            .file("me/in", "x");
        let run = |words: &str| {
            let mut command = test.command(words);
            Ran::of(command.env("HOME", test.path(home)).output().unwrap())
        };
        for words in ["plan p.yaml", "run p.yaml"] {
            let ran = run(words).exits(0);
            let said = "` is or holds the home folder";
            let times = ran.stdout.matches(said).count() + ran.stderr.matches(said).count();
            assert_eq!(times, 1, "{ran}");
        }
        run("doctor").says("walls     none: `");
        assert_eq!(test.read("o"), "x");
    }
}

#[test]
fn a_failure_names_what_was_not_declared_and_who_makes_it() {
    let yaml = "\
stages:
  a: {command: {shell: 'echo one > made.txt', outputs: [made.txt]}}
  w: {command: {shell: '@', outputs: [o]}}
";
    for (shell, hint) in [
        (
            "cat made.txt > o",
            "`made.txt` is made by `a`: name that under `stages:`",
        ),
        (
            "cat ../lib/x > o",
            "`../lib/x` is in the project, but the command does not see it: declare",
        ),
        (
            "echo x > ../new.txt",
            "`../new.txt` lies outside of the folder in which the command may write",
        ),
        ("cat nowhere > o", ""),
    ] {
        let test = Test::new()
            .file(
                "sub/p.yaml",
                yaml.replace('@', &shell.replace("../new.txt", "'$P'/new.txt")),
            )
            .file("lib/x", "");
        let yaml = test
            .read("sub/p.yaml")
            .replace("'$P'", &test.path("").display().to_string());
        test.write("sub/p.yaml", yaml);
        let ran = test.run("run sub/p.yaml --root . --jobs 1").exits(1);
        assert_eq!(ran.stderr.contains("hint: "), !hint.is_empty(), "{ran}");
        ran.says(hint);
    }
    // What a command without walls names is named only where it is not in its folder.
    let test = Test::new().file("lib/x", "").without_walls();
    test.write(
        "p.yaml",
        "stages:\n  w: {command: {shell: 'cat lib/x > o', outputs: [o]}}\n",
    );
    test.run("run p.yaml")
        .exits(1)
        .says("declare it under `files:`");
}

/// Workers: the stand-in reads and writes by full paths what its job does not name, as no worker of ours does.
#[test]
fn a_worker_sees_what_its_job_names_and_writes_its_ticket() {
    let hook = "\
for file in secret.txt p.yaml cache/format photos/a.png; do
    if cat \"$HERE/$file\" > \"$STUB_FOLDER/read\" 2> \"$STUB_FOLDER/said\"; then echo \"read $file\"; else echo \"not $file\"; fi
done >> \"$STUB_FOLDER/told\"
for file in new photos/new cache/new photos/a.png; do
    if (echo x >> \"$HERE/$file\") 2> \"$STUB_FOLDER/said\"; then echo \"wrote $file\"; else echo \"kept $file\"; fi
done >> \"$STUB_FOLDER/told\"
echo more > \"$out/more\"; echo more > \"$state/more\"; test -r /proc/self/status; test -d /sys; test -c /dev/null
";
    let yaml = "stages:\n  pairs: {prepare: {images: photos, degrade: {sr: 2}}}\n";
    for (who, level) in LEVELS {
        let test = Test::new()
            .photos()
            .file("p.yaml", yaml)
            .file("secret.txt", "secret")
            .file("hook", hook);
        let mut command = test.command("run p.yaml");
        command.env("HERE", test.path("").canonicalize().unwrap());
        let Some(ran) = run_command(&test, who, level, command) else {
            continue;
        };
        ran.exits(0).says("1 ran");
        let told = std::fs::read_to_string(test.outside("told")).unwrap();
        let expected = "not secret.txt\nnot p.yaml\nnot cache/format\nread photos/a.png\n\
                        kept new\nkept photos/new\nkept cache/new\nkept photos/a.png\n";
        assert_eq!(told, expected, "{who:?} {level}");
        assert!(!test.path("new").exists());
    }
}

/// `small` of `small/../photos` is looked for on the way, by the system.
#[test]
fn a_worker_finds_what_is_named_by_a_way_into_a_folder_and_out_again() {
    let hook = "\
cat \"$HERE/pipelines/small/../common/../../photos/a.png\" > \"$STUB_FOLDER/read\" || exit 3
ls \"$HERE/pipelines/small\" > \"$STUB_FOLDER/told\" 2> \"$STUB_FOLDER/said\" || echo none >> \"$STUB_FOLDER/told\"
";
    let yaml = "stages:\n  pairs: {prepare: {images: ../common/../../photos, degrade: {sr: 2}}}\n";
    for (who, level) in LEVELS {
        let test = Test::new()
            .photos()
            .file("pipelines/small/p.yaml", yaml)
            .file("pipelines/common/q.yaml", yaml)
            .file("hook", hook);
        let mut command = test.command("run pipelines/small/p.yaml");
        command.env("HERE", test.path("").canonicalize().unwrap());
        let Some(ran) = run_command(&test, who, level, command) else {
            continue;
        };
        ran.exits(0).says("1 ran");
        let read = std::fs::read(test.outside("read")).unwrap();
        assert!(read == photo(48, 40), "{who:?} {level}");
        let told = std::fs::read_to_string(test.outside("told")).unwrap();
        assert!(!told.contains("p.yaml"), "{who:?} {level}: {told}");
    }
}

/// Nothing could be hidden in a folder that is read itself.
#[test]
fn a_worker_that_reads_the_project_folder_has_no_walls_which_is_said_once() {
    let hook = "ls \"$IMAGES\" > \"$STUB_FOLDER/told\"\n";
    for (file, images) in [("p.yaml", "."), ("pipelines/p.yaml", "..")] {
        let yaml =
            format!("stages:\n  pairs: {{prepare: {{images: {images}, degrade: {{sr: 2}}}}}}\n");
        for (who, level) in LEVELS {
            let test = Test::new().photos().file(file, &yaml).file("hook", hook);
            for photo in ["a.png", "b.png"] {
                let from = test.path("photos").join(photo);
                std::fs::rename(from, test.path(photo)).unwrap();
            }
            let mut command = test.command(&format!("run {file}"));
            command.env("IMAGES", test.path("").canonicalize().unwrap());
            let Some(ran) = run_command(&test, who, level, command) else {
                continue;
            };
            let ran = ran.exits(0).says("1 ran");
            let said = "no walls around the project while `pairs` runs: it reads images in `";
            assert_eq!(ran.stderr.matches(said).count(), 1, "{ran}");
            let told = std::fs::read_to_string(test.outside("told")).unwrap();
            assert!(told.contains("a.png\nb.png\n"), "{who:?} {level}: {told}");
        }
    }
}

/// The real one, with libtorch, at each level, from a folder inside the project and behind a link.
#[test]
fn workers_do_within_walls_what_they_do_without() {
    let name = "workers_do_within_walls_what_they_do_without";
    let mut without = Vec::new();
    for (who, level) in [(Who::Root, "off")].into_iter().chain(LEVELS) {
        let Some(test) = Test::with_worker(name).map(Test::tiny) else {
            return;
        };
        std::fs::rename(test.path("photos"), test.path("real")).unwrap();
        std::fs::create_dir(test.path("photos")).unwrap();
        for photo in ["a.png", "b.png"] {
            let to = format!("../real/{photo}");
            std::os::unix::fs::symlink(to, test.path("photos").join(photo)).unwrap();
        }
        std::fs::create_dir(test.path("sub")).unwrap();
        let mut command = test.command("run ../p.yaml --device cpu");
        command.current_dir(test.path("sub"));
        let Some(ran) = run_command(&test, who, level, command) else {
            continue;
        };
        ran.exits(0).says("7 ran");
        let table = test.read("reports/p/alpha.csv");
        assert!(!table.is_empty());
        without.push(table);
        assert_eq!(without.first(), without.last(), "{who:?} {level}");
    }
}

#[test]
fn a_worker_without_walls_is_said_once() {
    let test = Test::new().photos().file(
        "p.yaml",
        "stages:\n  a: {prepare: {images: photos, degrade: {sr: 2}}}\n  b: {prepare: {images: photos, degrade: {sr: 3}}}\n",
    );
    let mut command = test.command("run p.yaml");
    command.env("PIPELINE_SANDBOX", "off");
    Ran::of(command.output().unwrap())
        .exits(0)
        .never_says("no walls");
    // Nobody gets walls around the home folder.
    let mut command = test.command("run p.yaml --force a");
    command.env("HOME", test.path(""));
    let ran = Ran::of(command.output().unwrap()).exits(0);
    assert_eq!(
        ran.stderr.matches("no walls around the project").count(),
        1,
        "{ran}"
    );
}
