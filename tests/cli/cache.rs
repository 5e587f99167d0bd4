//! The commands about results: `cache ls|du|verify|gc|pin|export|import`, `path` and `export`.
//! Unaware of what results hold.

use std::os::unix::fs::MetadataExt;

use serde_json::Value;

use crate::support::{Test, files_below};

const COMMANDS: &str = "\
stages:
  one: {command: {shell: 'echo 1 > one.txt', outputs: [one.txt]}}
  two: {command: {shell: 'cat in/one.txt > two.txt', stages: {in: one}, outputs: [two.txt]}}
";

fn done() -> Test {
    let test = Test::new().file("p.yaml", COMMANDS);
    test.run("run p.yaml").exits(0).says("2 ran");
    test
}

fn entries(test: &Test) -> Vec<Value> {
    let ran = test.run("cache ls --json").exits(0);
    ran.stdout
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect()
}

/// Runs with a value of its own, which leaves results that the file does not want.
fn stale(test: &Test) {
    test.run("run p.yaml --set stages.one.command.env.A=1")
        .exits(0)
        .says("1 ran");
}

#[test]
fn results_are_listed_and_what_takes_space_is_said() {
    let test = done();
    let found = entries(&test);
    let stages: Vec<&str> = found.iter().map(|e| e["stage"].as_str().unwrap()).collect();
    assert!(stages.contains(&"one") && stages.contains(&"two") && stages.len() == 2);
    assert!(
        found
            .iter()
            .all(|e| e["whole"] == true && e["bytes"] == 2 && e["pinned"] == false)
    );
    test.run("cache du")
        .exits(0)
        .says("4 B         2 files  results");
}

#[test]
fn a_copy_taken_out_may_be_changed_and_the_result_stays() {
    let test = done();
    let path = test.run("path two").exits(0).stdout;
    let stored = std::path::Path::new(path.trim()).join("two.txt");
    assert_eq!(std::fs::read_to_string(&stored).unwrap(), "1\n");
    test.run("export two out").exits(0).says("two: 1 file");
    let copy = test.path("out/two.txt");
    assert_eq!(
        std::fs::metadata(&stored).unwrap().nlink(),
        1,
        "never a hard link"
    );
    assert!(!std::fs::symlink_metadata(&copy).unwrap().is_symlink());
    std::fs::write(&copy, "changed").unwrap();
    test.write("two.txt", "changed too");
    test.run("cache verify")
        .exits(0)
        .says("2 results, 2 files, 4 B read: all as they were written");
    assert_eq!(std::fs::read_to_string(&stored).unwrap(), "1\n");
    test.run("export none out").exits(2).says("none");
    // What was changed is not replaced without being asked; a copy that is whole is no trouble.
    test.run("export two out")
        .exits(2)
        .says("`out/two.txt` is there and holds something else")
        .says("--overwrite");
    assert_eq!(test.read("out/two.txt"), "changed");
    test.run("export two out --overwrite").exits(0);
    assert_eq!(test.read("out/two.txt"), "1\n");
    test.run("export two out").exits(0).says("two: 1 file");
}

#[test]
fn an_archive_that_is_there_is_not_replaced_without_being_asked() {
    let test = done();
    test.write("x.tar", "mine");
    test.run("cache export one -o x.tar")
        .exits(2)
        .says("`x.tar` is there already")
        .says("--overwrite");
    assert_eq!(test.read("x.tar"), "mine");
    test.run("cache export one -o x.tar --overwrite")
        .exits(0)
        .says("1 result");
    test.run("cache import x.tar")
        .exits(0)
        .says("1 present already");
}

/// Only the folder that was named may be a link of the user's.
#[test]
fn stages_are_not_copied_through_links_in_the_place_of_their_own_folders() {
    let stage = |n| format!("  s{n}: {{command: {{shell: 'echo {n} > x{n}', outputs: [x{n}]}}}}\n");
    let test = Test::new().file("s.yaml", format!("stages:\n{}{}", stage(1), stage(2)));
    test.run("run s.yaml").exits(0);
    for folder in ["out", "mine"] {
        std::fs::create_dir(test.path(folder)).unwrap();
    }
    let link = test.path("out/s2");
    std::os::unix::fs::symlink("../mine", &link).unwrap();
    test.run("export s.yaml s* out")
        .exits(2)
        .says("`out/s2` is there and holds something else")
        .says("--overwrite");
    assert!(link.is_symlink());
    test.run("export s.yaml s* out --overwrite").exits(0);
    assert!(!link.is_symlink());
    assert_eq!(test.read("out/s2/x2"), "2\n");
    assert_eq!(std::fs::read_dir(test.path("mine")).unwrap().count(), 0);
    std::os::unix::fs::symlink("mine", test.path("named")).unwrap();
    test.run("export s.yaml s2 named").exits(0);
    assert_eq!(test.read("mine/x2"), "2\n");
}

/// Links lie there that an earlier copy or somebody else has left: what they lead to is none of the folder's.
#[test]
fn copies_and_archives_are_not_written_through_links() {
    let test = Test::new().file(
        "d.yaml",
        "stages:\n  deep: {command: {shell: 'mkdir -p d && echo 1 > d/x', outputs: [d]}}\n",
    );
    test.run("run d.yaml").exits(0);
    for folder in ["out", "mine"] {
        std::fs::create_dir(test.path(folder)).unwrap();
    }
    test.write("mine/x", "mine");
    std::os::unix::fs::symlink("../mine", test.path("out/d")).unwrap();
    test.run("export d.yaml deep out")
        .exits(2)
        .says("`out/d` is there and holds something else")
        .says("--overwrite");
    assert!(test.path("out/d").is_symlink());
    test.run("export d.yaml deep out --overwrite").exits(0);
    assert!(!test.path("out/d").is_symlink());
    assert_eq!(test.read("out/d/x"), "1\n");
    assert_eq!(test.read("mine/x"), "mine");
    std::os::unix::fs::symlink("mine/x", test.path("x.unfinished")).unwrap();
    test.run("cache archive d.yaml deep -o x.tar").exits(0);
    assert_eq!(test.read("mine/x"), "mine");
}

#[test]
fn gc_shows_first_keeps_what_files_and_pins_want_and_frees_the_rest() {
    let test = done();
    stale(&test);
    assert_eq!(entries(&test).len(), 4);
    test.run("cache gc --dry-run")
        .exits(0)
        .says("would free 0 B");
    let dry = test
        .run("cache gc --dry-run --keep-newer 0s")
        .exits(0)
        .says("would free ");
    assert_eq!(dry.stdout.matches("  entry  ").count(), 2, "{dry}");
    assert_eq!(entries(&test).len(), 4, "it only said so");
    test.run("cache pin one --note mine --set stages.one.command.env.A=1")
        .exits(2)
        .says("--set");
    test.write("p.yaml", COMMANDS.replace("echo 1 >", "A=1 echo 1 >"));
    test.run("run p.yaml one").exits(0).says("1 ran");
    test.run("cache pin one --note mine")
        .exits(0)
        .says("one: pinned");
    test.write("p.yaml", COMMANDS);
    test.run("cache gc --keep-newer 0s").exits(0).says("freed ");
    let left = entries(&test);
    assert_eq!(left.len(), 3, "{left:?}");
    assert_eq!(left.iter().filter(|e| e["pinned"] == true).count(), 1);
    test.run("run p.yaml")
        .exits(0)
        .says("0 ran, 2 fresh, 0 failed");
    test.run("cache verify").exits(0).says("3 results");
}

#[test]
fn verify_finds_a_flipped_bit_moves_it_aside_and_says_what_comes_again() {
    let test = done();
    let file = files_below(&test.path("cache/outputs"))
        .into_iter()
        .find(|f| f.ends_with("one.txt"))
        .unwrap();
    let stat = std::fs::metadata(&file).unwrap();
    std::fs::write(&file, "0\n").unwrap();
    let times = std::fs::FileTimes::new().set_modified(stat.modified().unwrap());
    std::fs::File::options()
        .write(true)
        .open(&file)
        .unwrap()
        .set_times(times)
        .unwrap();
    test.run("cache verify")
        .exits(1)
        .says("one")
        .says("damaged");
    assert_eq!(entries(&test).len(), 1);
    test.run("cache verify").exits(0);
    test.run("run p.yaml")
        .exits(0)
        .says("1 ran, 1 fresh, 0 failed");
}

#[test]
fn results_travel_in_one_file_and_are_verified_when_they_arrive() {
    let test = done();
    test.run("cache export one two -o x.tar")
        .exits(0)
        .says("2 results, 2 files, 4 B");
    let bytes = std::fs::read(test.path("x.tar")).unwrap();
    let other = Test::new().file("p.yaml", COMMANDS).file("x.tar", &bytes);
    other
        .run("cache import x.tar")
        .exits(0)
        .says("2 results imported");
    other
        .run("run p.yaml")
        .exits(0)
        .says("0 ran, 2 fresh, 0 failed");
    assert_eq!(other.read("two.txt"), "1\n");
    other
        .run("cache import x.tar")
        .exits(0)
        .says("2 present already");

    let mut broken = bytes;
    let at = broken.windows(2).rposition(|w| w == b"1\n").unwrap();
    broken[at] = b'2';
    let third = Test::new().file("p.yaml", COMMANDS).file("x.tar", &broken);
    third
        .run("cache import x.tar")
        .exits(1)
        .says("the archive is refused: the bytes of `")
        .says("hint: export it again");
    third.run("run p.yaml two").exits(0);
    assert_eq!(third.read("two.txt"), "1\n");
    third.run("cache verify").exits(0);
}
