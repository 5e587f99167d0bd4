//! What a command finds in its folder: files of its own, not links into the project or the cache, and a short TMPDIR.
//! Unaware of walls.

use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::{Test, wait_for};

#[test]
fn a_script_is_in_its_own_folder_and_finds_nothing_undeclared_beside_it() {
    let yaml = "stages:\n  w: {command: {run: [python3, src/main.py], files: [src/main.py], outputs: [out.txt]}}\n";
    let test = Test::new()
        .file("p.yaml", yaml)
        .file(
            "src/main.py",
            "import helper\nopen('out.txt', 'w').write(helper.value)\n",
        )
        .file("src/helper.py", "value = 'one'\n");
    test.run("run p.yaml")
        .exits(1)
        .says("No module named 'helper'");
    test.write(
        "p.yaml",
        yaml.replace("files: [", "files: [src/helper.py, "),
    );
    test.run("run p.yaml").exits(0);
    test.write("src/helper.py", "value = 'two'\n");
    test.run("run p.yaml").exits(0).says("1 ran");
    assert_eq!(test.read("out.txt"), "two");
}

#[test]
fn declared_folders_are_folders_of_files() {
    let shell = "find data -name '*.csv' | wc -l > n; tar cf t.tar data; tar tvf t.tar | cut -c1 | sort -u | tr -d '\\n' > k; cp -r data out; date -r data/a.csv +%s > m";
    let yaml = format!(
        "stages:\n  w:\n    command:\n      files: [data]\n      shell: |\n        {shell}\n      outputs: [n, k, out, m, t.tar]\n"
    );
    let test = Test::new()
        .file("p.yaml", yaml)
        .file("data/a.csv", "1\n")
        .file("data/deep/b.csv", "2\n");
    let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    let file = std::fs::File::options()
        .write(true)
        .open(test.path("data/a.csv"));
    file.unwrap().set_modified(old).unwrap();
    std::os::unix::fs::symlink("a.csv", test.path("data/link.csv")).unwrap();
    test.run("run p.yaml").exits(0);
    assert_eq!(test.read("n").trim(), "3");
    assert_eq!(test.read("k"), "-d");
    assert_eq!(test.read("out/deep/b.csv"), "2\n");
    assert_eq!(test.read("m"), "1000000000\n");
}

/// A service that the first command asked, and that has its folder, as a container has what is mounted, outlives that command.
#[test]
fn who_has_the_inputs_of_a_command_open_reaches_no_later_one() {
    let wait = |n| {
        format!("pwd > $STUB_FOLDER/at{n}; until test -e $STUB_FOLDER/go{n}; do sleep 0.01; done")
    };
    let command = "pass_env: [STUB_FOLDER], shell: ";
    let yaml = format!(
        "stages:\n\
         \x20 a: {{command: {{shell: 'echo one > x', outputs: [x]}}}}\n\
         \x20 b: {{command: {{stages: {{in: a}}, {command}'{}; cat in/* > y', outputs: [y]}}}}\n\
         \x20 c: {{command: {{stages: {{in: b}}, {command}'{}; cat in/* > z', outputs: [z]}}}}\n",
        wait(1),
        wait(2)
    );
    let test = Test::new().file("p.yaml", yaml);
    let mut run = test.command("run p.yaml").spawn().unwrap();
    let begun = |n: u32| {
        let at = test.outside(&format!("at{n}"));
        wait_for("a command", || {
            let said = std::fs::read_to_string(&at).ok()?;
            said.strip_suffix('\n').map(std::path::PathBuf::from)
        })
    };
    let go = |n: u32| std::fs::write(test.outside(&format!("go{n}")), "").unwrap();
    let inputs = begun(1).join("in");
    let folder = std::fs::File::open(&inputs).unwrap();
    let mut options = std::fs::File::options();
    let mut copy = options.append(true).open(inputs.join("x")).unwrap();
    go(1);
    begun(2);
    copy.write_all(b"changed\n").unwrap();
    let inside = format!("/proc/self/fd/{}", folder.as_raw_fd());
    std::fs::write(Path::new(&inside).join("new"), "new\n").unwrap();
    go(2);
    assert!(run.wait().unwrap().success());
    assert_eq!(test.read("z"), "one\n");
}

#[test]
fn what_a_command_writes_into_its_inputs_stays_with_it() {
    let yaml = "\
stages:
  a: {command: {shell: 'mkdir -p d; echo one > d/x', outputs: [d]}}
  add:
    command: {stages: {s: a}, files: [in.txt], shell: 'echo new > s/d/new; echo more >> s/d/x; echo x >> in.txt; cat in.txt s/d/x > o', outputs: [o]}
  after: {command: {stages: {s: a, t: add}, shell: 'ls s/d > l; cat s/d/x >> l', outputs: [l]}}
";
    let test = Test::new().file("p.yaml", yaml).file("in.txt", "mine\n");
    test.run("run p.yaml").exits(0).says("3 ran");
    assert_eq!(test.read("in.txt"), "mine\n");
    assert_eq!(test.read("o"), "mine\nx\none\nmore\n");
    assert_eq!(test.read("l"), "x\none\n");
    test.run("cache verify").exits(0);
    test.run("run p.yaml").exits(0).says("0 ran, 3 fresh");
}

#[test]
fn permissions_go_with_a_file() {
    let yaml = "stages:\n  w: {command: {run: [./tool], files: [tool, ro], outputs: [o]}}\n";
    let test = Test::new()
        .file("p.yaml", yaml)
        .file("tool", "#!/bin/sh\nstat -c %a tool ro > o\n")
        .file("ro", "x");
    for (name, mode) in [("tool", 0o755), ("ro", 0o444)] {
        std::fs::set_permissions(test.path(name), PermissionsExt::from_mode(mode)).unwrap();
    }
    test.run("run p.yaml").exits(0);
    assert_eq!(test.read("o"), "755\n444\n");
}

#[test]
fn links_stay_to_be_had_and_change_the_key() {
    let yaml = "stages:\n  w: {command: {files: [in.txt], shell: 'test -L in.txt && echo link > o || echo file > o', outputs: [o]}}\n";
    let test = Test::new().file("p.yaml", yaml).file("in.txt", "x");
    test.run("run p.yaml").exits(0);
    assert_eq!(test.read("o"), "file\n");
    test.write("p.yaml", yaml.replace("files:", "inputs: link, files:"));
    test.run("plan p.yaml").says("config.inputs: new, link");
    test.run("run p.yaml").exits(0);
    assert_eq!(test.read("o"), "link\n");
    test.write("p.yaml", yaml.replace("files:", "inputs: move, files:"));
    test.run("plan p.yaml")
        .exits(2)
        .says("known names: copy, link");
}

#[test]
fn without_walls_inputs_of_more_than_64_mib_are_links_and_small_ones_beside_them_files() {
    let yaml = "stages:\n  w: {command: {files: [big, small], shell: 'for f in big small; do test -L $f && echo link || echo file; done > o', outputs: [o]}}\n";
    let test = Test::new()
        .without_walls()
        .file("p.yaml", yaml)
        .file("small", "x");
    let big = std::fs::File::create(test.path("big")).unwrap();
    big.set_len((64 << 20) + 1).unwrap();
    test.run("run p.yaml").exits(0);
    assert_eq!(test.read("o"), "link\nfile\n");
}

#[test]
fn a_socket_fits_into_tmpdir_and_its_files_lie_in_the_cache() {
    let shell = "echo $TMPDIR > o; readlink -f $TMPDIR > real; python3 -c 'import multiprocessing as m; m.Manager().list()'";
    let yaml = format!(
        "stages:\n  w:\n    command:\n      shell: |\n        {shell}\n      outputs: [o, real]\n"
    );
    let deep = format!("{}/p.yaml", "deep/".repeat(30));
    let test = Test::new().file(&deep, yaml);
    test.run(&format!("run {deep}")).exits(0);
    let folder = deep.trim_end_matches("p.yaml");
    let name = test.read(&format!("{folder}o"));
    assert!(name.len() < 40, "{name}");
    assert!(
        test.read(&format!("{folder}real"))
            .contains("/cache/partial/")
    );
    let parent = std::path::Path::new(name.trim())
        .parent()
        .unwrap()
        .to_owned();
    assert!(
        !parent.exists(),
        "{}: its name is gone with it",
        parent.display()
    );
}

#[test]
fn what_interpreters_and_version_control_leave_in_a_folder_is_no_input() {
    let yaml = "\
stages:
  w: {command: {run: [python3, main.py], files: [main.py, lib], outputs: [o]}}
  l: {command: {shell: 'find lib -type f > l', files: [lib], outputs: [l]}}
";
    let main = "import lib.a\nopen('o', 'w').write(lib.a.value)\n";
    let test = Test::new()
        .file("p.yaml", yaml)
        .file("main.py", main)
        .file("lib/a.py", "value = 'one'\n")
        .file("lib/__pycache__/a.cpython-311.pyc", "old")
        .file("lib/deep/.DS_Store", "x")
        .file("lib/deep/b", "x")
        .file("lib/.git/HEAD", "x");
    test.run("plan p.yaml")
        .exits(0)
        .says("note: left out of `lib`: .DS_Store, .git, __pycache__");
    test.run("run p.yaml").exits(0);
    assert_eq!(test.read("o"), "one");
    let mut listed: Vec<String> = test.read("l").lines().map(str::to_owned).collect();
    listed.sort();
    assert_eq!(listed, ["lib/a.py", "lib/deep/b"]);
    test.write("lib/__pycache__/a.cpython-311.pyc", "new");
    test.write("lib/.git/HEAD", "y");
    test.run("run p.yaml").exits(0).says("0 ran, 2 fresh");
    // One that is named itself is read.
    test.write(
        "p.yaml",
        yaml.replace("main.py, lib]", "main.py, lib, lib/.git/HEAD]"),
    );
    test.run("plan p.yaml")
        .says("outside.files/lib/.git/HEAD/: new");
}

/// What a stage leaves is its result, whatever it is called.
#[test]
fn the_outputs_of_a_stage_are_read_whole() {
    let yaml = "\
stages:
  a: {command: {shell: 'mkdir -p d/.git d/__pycache__; echo x | tee d/.git/HEAD > d/__pycache__/x', outputs: [d]}}
  b: {command: {shell: 'cd in; find d -type f | sort > ../l', stages: {in: a}, outputs: [l]}}
";
    let test = Test::new().file("p.yaml", yaml);
    test.run("run p.yaml").exits(0);
    assert_eq!(test.read("l"), "d/.git/HEAD\nd/__pycache__/x\n");
}

#[test]
fn a_file_may_be_named_beside_the_folder_that_it_lies_in() {
    let yaml = "stages:\n  w: {command: {files: [data/a, data], shell: 'cat data/a data/b > o', outputs: [o]}}\n";
    let test = Test::new()
        .file("p.yaml", yaml)
        .file("data/a", "a")
        .file("data/b", "b");
    test.run("run p.yaml").exits(0);
    assert_eq!(test.read("o"), "ab");
    test.write("p.yaml", yaml.replace("files:", "inputs: link, files:"));
    test.run("run p.yaml").exits(0).says("1 ran");
    assert_eq!(test.read("o"), "ab");
}

#[test]
fn names_that_a_killed_run_left_go_with_the_next_run() {
    let yaml = "stages:\n  w: {command: {shell: 'dirname $TMPDIR > o', outputs: [o]}}\n";
    let test = Test::new().file("p.yaml", yaml);
    test.run("run p.yaml").exits(0);
    let folder = std::path::PathBuf::from(test.read("o").trim());
    std::fs::create_dir(&folder).unwrap();
    std::os::unix::fs::symlink(test.path("gone"), folder.join("0123456789abcdef")).unwrap();
    test.run("run p.yaml --force w").exits(0);
    assert!(!folder.exists(), "{}", folder.display());
}
