//! A disk that is full, a cache that cannot be written: what is said, what is kept, and that more room is enough.
//! Unaware of the cache's own tests. Where nothing may be mounted here, tests say `skipped`.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::support::{Test, photo};

/// A small disk on a folder of a test; unmounted when dropped.
pub struct Disk(PathBuf);

impl Disk {
    pub fn mount(name: &str, test: &Test, folder: &str, options: &str) -> Option<Self> {
        let path = test.path(folder);
        std::fs::create_dir_all(&path).unwrap();
        let mut command = Command::new("mount");
        command
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(&path);
        let status = command.stderr(Stdio::null()).status();
        if status.is_ok_and(|s| s.success()) {
            return Some(Self(path));
        }
        println!("skipped: {name}: no disk can be mounted here");
        None
    }

    pub fn remount(&self, options: &str) {
        let mut command = Command::new("mount");
        command
            .args(["-o", &format!("remount,{options}")])
            .arg(&self.0);
        assert!(command.status().unwrap().success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // A disk that stays is seen by the next `mount`; a panic here would hide the test's own.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_fails_the_stage_and_more_room_is_enough() {
    let name = "a_full_disk_fails_the_stage_and_more_room_is_enough";
    let Some(test) = Test::with_worker(name).map(Test::tiny) else {
        return;
    };
    test.write("photos/c.png", photo(512, 512));
    let Some(disk) = Disk::mount(name, &test, "cache", "size=160k") else {
        return;
    };
    let filler = test.path("cache/filler");
    std::fs::write(&filler, vec![0; 72 << 10]).unwrap();
    let ran = test.run("run p.yaml base").exits(1).says("failed: pairs: ");
    ran.says("No space left on device")
        .says("hint: free some space and run the same command again; nothing that was finished is lost")
        .says("0 ran, 0 fresh, 1 failed, 1 not run");
    assert!(test.committed().is_empty());
    std::fs::remove_file(&filler).unwrap();
    disk.remount("size=64m");
    test.run("run p.yaml base")
        .exits(0)
        .says("2 ran, 0 fresh, 0 failed");
    assert_eq!(test.committed(), ["prepare", "train"]);
}

#[test]
fn a_disk_that_fills_up_at_any_moment_leaves_whole_results_only() {
    let name = "a_disk_that_fills_up_at_any_moment_leaves_whole_results_only";
    let test = Test::new().tiny();
    let Some(disk) = Disk::mount(name, &test, "cache", "size=1m") else {
        return;
    };
    // Each page that is free lets the run come a little further; `committed` checks that results are whole.
    let mut complete = false;
    for pages in (4..200).step_by(12) {
        disk.remount(&format!("size={}k", 4 * pages));
        let ran = test.run("run p.yaml --jobs 1 --quiet");
        complete = test.committed().len() == 7;
        if complete {
            break;
        }
        let ran = ran.exits(1);
        assert!(ran.tells_a_failure(), "{ran}");
    }
    assert!(complete, "seven small results fit in 800 KiB");
    disk.remount("size=16m");
    test.run("run p.yaml")
        .exits(0)
        .says("0 ran, 7 fresh, 0 failed");
}

#[test]
fn a_cache_that_cannot_be_written() {
    let name = "a_cache_that_cannot_be_written";
    let test = Test::new().tiny();
    test.run("run p.yaml").exits(0);
    let cache = test.path("cache");
    let set_mode =
        |mode| std::fs::set_permissions(&cache, std::fs::Permissions::from_mode(mode)).unwrap();
    set_mode(0o555);
    let Some(ran) = test.run_bound(name, "run p.yaml --force base") else {
        return;
    };
    ran.exits(1)
        .says("error: no permission: cannot write in ")
        .says("hint: check the owner and mode of the folder, and that its disk is mounted for writing");
    let plan = test.run_bound(name, "plan p.yaml").unwrap();
    plan.exits(0).says("0 to run, 7 fresh");
    set_mode(0o755);
    let again = test.run_bound(name, "run p.yaml --force base").unwrap();
    again.exits(0).says("5 ran, 2 fresh, 0 failed");
}

#[test]
fn a_read_only_disk() {
    let name = "a_read_only_disk";
    let test = Test::new().tiny();
    let Some(disk) = Disk::mount(name, &test, "cache", "size=4m") else {
        return;
    };
    disk.remount("ro");
    test.run("run p.yaml")
        .exits(1)
        .says("error: ")
        .says("Read-only file system")
        .says("hint: check the owner and mode of the folder, and that its disk is mounted for writing");
    assert!(test.noted().is_empty());
    disk.remount("rw");
    test.run("run p.yaml").exits(0).says("7 ran");
    disk.remount("ro");
    test.run("plan p.yaml").exits(0).says("0 to run, 7 fresh");
    let table = test.read("reports/p/alpha.txt");
    let title = table.lines().next().unwrap();
    for reports in [true, false] {
        if !reports {
            std::fs::remove_dir_all(test.path("reports")).unwrap();
        }
        test.run("run p.yaml")
            .exits(0)
            .says("warning: no permission: cannot write in ")
            .says("nothing has to run, and this run is not noted")
            .says(title)
            .says("0 ran, 7 fresh, 0 failed");
    }
    assert!(test.path("reports/p/alpha.txt").exists());
    test.run("run p.yaml --force base")
        .exits(1)
        .says("Read-only file system");
    test.run("cache pin base -f p.yaml")
        .exits(1)
        .says("Read-only file system");
}

/// What looks, or says what it would do.
const LOOKS: [&str; 17] = [
    "plan p.yaml",
    "explain base",
    "graph p.yaml",
    "data check p.yaml",
    "runs",
    "show",
    "diff last last",
    "exp p.yaml",
    "log base",
    "path base",
    "export score out --overwrite",
    "cache ls",
    "cache du",
    "cache verify",
    "cache gc --dry-run",
    "cache scrub TOKEN --dry-run",
    "cache archive base -o base.tar --overwrite",
];

/// What changes something.
const CHANGES: [&str; 5] = [
    "run p.yaml --force base",
    "cache gc",
    "cache scrub TOKEN",
    "cache pin base",
    "cache import base.tar",
];

#[test]
fn a_cache_on_a_read_only_disk_is_looked_at_and_not_changed() {
    let name = "a_cache_on_a_read_only_disk_is_looked_at_and_not_changed";
    let test = Test::new().tiny();
    let Some(disk) = Disk::mount(name, &test, "cache", "size=4m") else {
        return;
    };
    test.run("run p.yaml").exits(0);
    // What killed programs have left: a lease, and the lock and the claim of a key.
    test.write("cache/leases/lease-1-0", "");
    test.write("cache/locks/runs/run-1-1", "{}\n");
    test.write("cache/locks/runs/run-1-1.front", "");
    test.write("p2.yaml", test.read("p.yaml"));
    test.write(
        "p.yaml",
        test.read("p.yaml").replace("patch: 8", "patch: 16"),
    );
    let dry_run = "cache gc --dry-run --keep-newer 0s";
    let before = test.run(dry_run).exits(0).says("  train\n");
    test.write("p.yaml", test.read("p2.yaml"));
    disk.remount("ro");
    for words in LOOKS {
        test.run(words).exits(0).never_says("error: ");
    }
    test.run("cache verify")
        .says("Read-only file system")
        .says("what is damaged is not moved aside")
        .says("7 results")
        .says("all as they were written");
    for words in CHANGES {
        test.run(words)
            .exits(1)
            .says("error: no permission: cannot write in `")
            .says("Read-only file system")
            .says("hint: check the owner and mode of the folder");
    }
    test.run("doctor --json")
        .exits(1)
        .says("Read-only file system");
    test.write(
        "p.yaml",
        test.read("p.yaml").replace("patch: 8", "patch: 16"),
    );
    assert_eq!(test.run(dry_run).exits(0).stdout, before.stdout);
    disk.remount("rw");
    let score = test.path("cache/outputs");
    let metrics = crate::support::files_below(&score);
    let metrics = metrics.iter().find(|f| f.ends_with("metrics.csv"));
    std::fs::write(metrics.unwrap(), "damaged").unwrap();
    disk.remount("ro");
    test.run("cache verify")
        .exits(1)
        .says("metrics.csv; left in its place; the next run that needs it computes it again")
        .says("1 is not whole");
}

#[test]
fn a_cache_of_somebody_else_is_looked_at_and_not_changed() {
    let name = "a_cache_of_somebody_else_is_looked_at_and_not_changed";
    let test = Test::new().tiny();
    test.run("run p.yaml").exits(0);
    test.write("cache/leases/lease-1-0", "");
    test.write("cache/locks/runs/run-1-1", "{}\n");
    let modes = |folder: u32, file: u32| {
        let all = crate::support::all_below(&test.path("cache")).into_iter();
        for path in all.chain([test.path("cache")]) {
            let mode = if path.is_dir() { folder } else { file };
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    modes(0o555, 0o444);
    let ran: Vec<_> = LOOKS
        .iter()
        .map_while(|words| test.run_bound(name, words))
        .collect();
    let changes: Vec<_> = CHANGES
        .iter()
        .map_while(|words| test.run_bound(name, words))
        .collect();
    modes(0o755, 0o644);
    for ran in ran {
        ran.exits(0).never_says("error: ");
    }
    for ran in changes {
        ran.exits(1).says("error: no permission: cannot ");
    }
}

#[test]
fn a_project_that_may_only_be_read_shows_what_is_fresh() {
    use std::os::unix::fs::PermissionsExt as _;
    let name = "a_project_that_may_only_be_read_shows_what_is_fresh";
    let yaml = "stages:\n  s: {command: {shell: 'echo hello > s.txt', outputs: [s.txt]}}\n";
    let test = Test::new().tiny().file("c.yaml", yaml);
    test.run("run p.yaml").exits(0);
    test.run("run c.yaml").exits(0);
    std::fs::remove_dir_all(test.path("reports")).unwrap();
    test.remove("s.txt");
    let modes = |mode| {
        for path in ["cache", ""] {
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(test.path(path), mode).unwrap();
        }
    };
    modes(0o555);
    let ran = test.run_bound(name, "run p.yaml");
    let other = test.run_bound(name, "run c.yaml");
    modes(0o755);
    let (Some(ran), Some(other)) = (ran, other) else {
        return;
    };
    ran.exits(0)
        .says("warning: cannot write `")
        .says("Tiny")
        .says("0 ran, 7 fresh, 0 failed");
    other
        .exits(0)
        .says("one output is not put in place (`s.txt`)")
        .says("0 ran, 1 fresh");
}

#[test]
fn a_cache_that_lost_its_name_is_known_by_its_records() {
    let test = Test::new().tiny();
    test.run("run p.yaml").exits(0);
    for text in [
        "",
        "pipeline cache 1",
        "\u{0}\u{1}garbage",
        "pipeline cache 0\n",
        "pipeline cache 3\n", // 1 with a flipped bit, as is 5 and 9
    ] {
        test.write("cache/format", text);
        test.run("plan p.yaml").exits(0).says("0 to run, 7 fresh");
        test.run("run p.yaml")
            .exits(0)
            .says("note: cache/format was lost or damaged; it is written again")
            .says("0 ran, 7 fresh");
    }
    test.remove("cache/format");
    test.run("cache ls").exits(0);
    test.run("run p.yaml").exits(0).says("0 ran, 7 fresh");
    assert_eq!(test.read("cache/format"), "pipeline cache 1\n");
    std::fs::remove_dir_all(test.path("cache")).unwrap();
    std::fs::create_dir(test.path("cache")).unwrap();
    test.run("run p.yaml")
        .exits(0)
        .says("7 ran")
        .never_says("note: cache/format");
}

#[test]
fn a_cache_that_is_removed_during_a_run_is_one_for_the_next() {
    let yaml = "stages:\n  a: {command: {shell: 'echo > a.txt', outputs: [a.txt]}}\n  \
                b: {command: {shell: 'rm -r $P/cache; echo > b.txt', stages: {in: a}, outputs: [b.txt], pass: [P]}}\n  \
                c: {command: {shell: 'echo > c.txt', outputs: [c.txt], stages: {in: b}}}\n";
    let test = Test::new().file("p.yaml", yaml);
    let run = || {
        let mut command = test.command("run p.yaml --keep-going");
        crate::support::Ran::of(command.env("P", test.path("")).output().unwrap())
    };
    run().exits(1);
    test.write("p.yaml", yaml.replace("rm -r $P/cache; ", ""));
    run().exits(0);
    run().exits(0).says("0 ran, 3 fresh");
}

#[test]
fn a_file_in_place_of_the_cache_or_the_reports() {
    let test = Test::new().tiny().file("cache", "in the way");
    test.run("run p.yaml")
        .exits(1)
        .says("error: cannot create")
        .says("cache`")
        .says("hint: ");
    test.remove("cache");
    test.write("reports", "in the way");
    test.run("run p.yaml")
        .exits(1)
        .says("error: cannot write `")
        .says("reports/p/alpha.")
        .says("hint: the result is in the cache");
    test.remove("reports");
    test.run("run p.yaml").exits(0).says("0 ran, 7 fresh");
    assert!(test.path("reports/p/alpha.txt").exists());
}

#[test]
fn a_cache_of_another_layout_is_left_alone() {
    let test = Test::new()
        .tiny()
        .file("cache/format", "pipeline cache 7\n");
    test.run("run p.yaml")
        .exits(1)
        .says("has format `pipeline cache 7`, this program reads `pipeline cache 1 or 2`")
        .says("hint: ");
    assert_eq!(test.read("cache/format"), "pipeline cache 7\n");
}

#[test]
fn a_newer_cache_is_left_alone_whatever_its_number_is() {
    let test = Test::new().tiny();
    test.run("run p.yaml").exits(0);
    let refused = |format: &str| {
        test.write("cache/format", format);
        test.run("run p.yaml")
            .exits(1)
            .says(&format!("has format `{}`", format.trim()));
        assert_eq!(test.read("cache/format"), format);
    };
    refused("pipeline cache 4\n"); // more than one bit from 1 and from 2
    for record in crate::support::files_below(&test.path("cache/records")) {
        let text = std::fs::read_to_string(&record).unwrap();
        std::fs::write(&record, text.replace("\"format\":1", "\"format\":3")).unwrap();
    }
    refused("pipeline cache 3\n");
    std::fs::remove_dir_all(test.path("cache/records")).unwrap();
    refused("pipeline cache 3\n");
}
