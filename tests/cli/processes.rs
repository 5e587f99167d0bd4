//! What commands leave running, and what a killed run has started: ended, and never in the way of the next run.
//! Unaware of results. Each case is tried in a PID namespace, where one is allowed, and without.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::killed::is_supervisor;
use crate::support::{Ran, SOON, Test, has_two_cores, list, wait_for};

/// Whether runs may use a namespace.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    Namespace,
    Open,
}

const MODES: [Mode; 2] = [Mode::Namespace, Mode::Open];

fn command(test: &Test, mode: Mode, words: &str) -> Command {
    let mut command = test.command(words);
    match mode {
        Mode::Namespace => command.env_remove("PIPELINE_NAMESPACE"),
        Mode::Open => command.env("PIPELINE_NAMESPACE", "off"),
    };
    command
}

fn run(test: &Test, mode: Mode, words: &str) -> Ran {
    Ran::of(command(test, mode, words).output().unwrap())
}

fn start(test: &Test, mode: Mode, words: &str) -> Child {
    command(test, mode, words).spawn().unwrap()
}

/// One stage `a` with this script, in a file of its own, and the output `o`. Its notes lie in `$STUB_FOLDER`, outside of the
/// walls.
fn script(text: &str) -> Test {
    let yaml = "stages:\n  a:\n    command: {run: [sh, ./a.sh], files: [a.sh], outputs: [o], pass_env: [STUB_FOLDER]}\n";
    Test::new().file("p.yaml", yaml).file("a.sh", text)
}

fn note(test: &Test, name: &str) {
    std::fs::write(test.outside(name), "").unwrap();
}

fn forget(test: &Test, name: &str) {
    std::fs::remove_file(test.outside(name)).unwrap();
}

/// The living processes with this word on their command line.
fn living(word: &str) -> Vec<i32> {
    let pids = list(std::path::Path::new("/proc"));
    let pids = pids
        .iter()
        .filter_map(|p| p.file_name()?.to_str()?.parse::<i32>().ok());
    let has_word = |pid: &i32| {
        let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        words.split(|b| *b == 0).any(|w| w == word.as_bytes())
    };
    pids.filter(has_word).collect()
}

fn is_ended(word: &str) {
    assert_eq!(living(word).len(), 0, "`sleep {word}` is ended");
}

/// Every way out of a process group that is known to a shell, and one that stays in it.
fn leaving(seconds: &str) -> String {
    [
        format!("sleep {seconds} &"),
        format!("setsid sleep {seconds} &"),
        format!("nohup sleep {seconds} >/dev/null 2>&1 &"),
        format!("(setsid sh -c 'sleep {seconds} & exit' &)"),
        format!("env -i setsid sleep {seconds} </dev/null >/dev/null 2>&1 &"),
        format!("(ulimit -S -x 7; setsid sleep {seconds} &) 2>/dev/null"),
        format!("setsid sh -c 'exec 0<&- 1>&- 2>&-; trap \"\" TERM HUP INT; sleep {seconds}; :' &"),
        "sleep 0.1\n".to_owned(),
    ]
    .join("\n")
}

#[test]
fn what_a_command_leaves_is_ended_and_force_runs_it_again() {
    for (mode, seconds) in MODES.into_iter().zip(["7101", "7102"]) {
        let test = script(&format!("{}echo good > o", leaving(seconds)));
        run(&test, mode, "run p.yaml")
            .exits(0)
            .says("a: ended what it left running: ")
            .says("sleep (pid ")
            .says("1 ran");
        is_ended(seconds);
        let begin = Instant::now();
        run(&test, mode, "run p.yaml --force a")
            .exits(0)
            .says("1 ran, 0 fresh")
            .never_says("another run");
        assert!(begin.elapsed() < SOON, "{mode:?}");
        is_ended(seconds);
    }
}

#[test]
fn what_a_failed_command_leaves_keeps_no_run_waiting() {
    for (mode, seconds) in MODES.into_iter().zip(["7111", "7112"]) {
        let test = script(&format!("{}exit 3", leaving(seconds)));
        run(&test, mode, "run p.yaml").exits(1).says("failed: a: ");
        is_ended(seconds);
        test.write("a.sh", "echo good > o");
        run(&test, mode, "run p.yaml")
            .exits(0)
            .says("1 ran")
            .never_says("waiting");
    }
}

#[test]
fn what_is_left_of_one_command_ends_with_it_and_not_with_another() {
    let yaml = "stages:
  long:
    command: {shell: 'setsid sleep 7121 & while [ ! -e $STUB_FOLDER/seen ]; do sleep 0.02; done; pgrep -f \"^sleep 7121\" > o1', outputs: [o1], pass_env: [STUB_FOLDER]}
  short:
    command: {shell: 'setsid sleep 7122 & while [ ! -e $STUB_FOLDER/go ]; do sleep 0.02; done; echo x > o2', outputs: [o2], pass_env: [STUB_FOLDER]}
";
    if !has_two_cores("what_is_left_of_one_command_ends_with_it_and_not_with_another") {
        return;
    }
    for mode in MODES {
        let test = Test::new().file("p.yaml", yaml);
        let child = start(&test, mode, "run p.yaml --jobs 2");
        wait_for("both children", || {
            let each = ["7121", "7122"].map(|word| living(word).len());
            (each == [1, 1]).then_some(())
        });
        note(&test, "go");
        wait_for("the end of `short`", || {
            test.path("cache/records")
                .join("x")
                .parent()
                .and_then(|r| (!crate::support::files_below(r).is_empty()).then_some(()))
        });
        is_ended("7122");
        assert_eq!(
            living("7121").len(),
            1,
            "{mode:?}: the other stage's child lives"
        );
        note(&test, "seen");
        Ran::of(child.wait_with_output().unwrap())
            .exits(0)
            .says("2 ran");
        is_ended("7121");
    }
}

#[test]
fn nothing_that_is_left_writes_into_what_is_kept() {
    let text = "echo good > o\n(setsid sh -c 'while :; do echo BAD >> '$PWD'/o; done' >/dev/null 2>&1 &)\nsleep 0.05\necho good > o";
    for mode in MODES {
        let test = script(text);
        run(&test, mode, "run p.yaml")
            .exits(0)
            .says("ended what it left running");
        let before = test.read("o");
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(test.read("o"), before, "{mode:?}");
        test.run("cache verify").exits(0);
    }
}

#[test]
fn a_worker_that_leaves_children_with_its_output_ends_its_stage() {
    for (mode, seconds) in MODES.into_iter().zip(["7131", "7132"]) {
        let test = Test::new().tiny();
        let worker = std::fs::read_to_string(test.worker()).unwrap();
        let leaving = worker.replace("set -e\n", &format!("set -e\nsetsid sleep {seconds} &\n"));
        test.write("leaving.sh", leaving);
        let path = test.path("leaving.sh");
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
        let mut words = command(&test, mode, "run p.yaml pairs");
        let ran = Ran::of(words.env("PIPELINE_WORKER", path).output().unwrap());
        ran.exits(0)
            .says("1 ran")
            .says("pairs: ended what it left running: sleep");
        is_ended(seconds);
    }
}

/// The script holds a kernel lock, through a child that has left its session, for as long as anything of it lives; it
/// fails where another holds it.
const EXCLUSIVE: &str = "\
exec 9>>$STUB_FOLDER/exclusive
flock -n 9 || { echo 'two at once'; exit 9; }
setsid sh -c 'sleep 7141; :' &
echo started > $STUB_FOLDER/begun
if [ -e $STUB_FOLDER/wait ]; then sleep 7142; fi
echo good > o
";

#[test]
fn after_a_kill_nobody_starts_a_key_while_something_of_it_lives() {
    for mode in MODES {
        let test = script(EXCLUSIVE);
        note(&test, "wait");
        for _ in 0..4 {
            let mut first = start(&test, mode, "run p.yaml");
            wait_for("the start", || test.outside("begun").exists().then_some(()));
            forget(&test, "begun");
            first.kill().unwrap();
            // No wait: the next one comes while the first is dying.
            let second = start(&test, mode, "run p.yaml");
            first.wait().unwrap();
            wait_for("the second start", || {
                test.outside("begun").exists().then_some(())
            });
            kill_process(Pid::from_child(&second), Signal::KILL).unwrap();
            let said = Ran::of(second.wait_with_output().unwrap());
            said.never_says("two at once");
            forget(&test, "begun");
        }
        forget(&test, "wait");
        run(&test, mode, "run p.yaml")
            .exits(0)
            .says("1 ran")
            .never_says("two at once");
        is_ended("7141");
        is_ended("7142");
    }
}

#[test]
fn a_killed_supervisor_ends_its_stages_and_the_run_goes_on() {
    let yaml = "stages:
  a:
    command: {shell: 'echo x >> $STUB_FOLDER/tries; sleep 7151; echo good > o', outputs: [o], pass_env: [STUB_FOLDER]}
  b:
    command: {shell: 'echo good > p', outputs: [p]}
";
    let test = Test::new().file("p.yaml", yaml);
    let child = start(&test, Mode::Namespace, "run p.yaml --keep-going --jobs 1");
    wait_for("the start", || test.outside("tries").exists().then_some(()));
    let supervisor = supervisor_of(&child);
    wait_for("the command", || (living("7151").len() == 1).then_some(()));
    kill_process(supervisor, Signal::TERM).unwrap(); // it does not listen to that
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(living("7151").len(), 1);
    kill_process(supervisor, Signal::KILL).unwrap();
    let in_namespace = wait_for("an end", || living("7151").is_empty().then_some(true));
    assert!(in_namespace);
    Ran::of(child.wait_with_output().unwrap())
        .exits(1)
        .says("failed: a: ")
        .says("1 ran, 0 fresh, 1 failed");
    test.run("run p.yaml b").exits(0).says("1 fresh");
}

fn supervisor_of(pipeline: &Child) -> Pid {
    let tasks = format!("/proc/{}/task", pipeline.id());
    let found = wait_for("a supervisor", || {
        let texts = list(std::path::Path::new(&tasks)).into_iter();
        let texts = texts.map(|t| std::fs::read_to_string(t.join("children")).unwrap_or_default());
        let all = texts.collect::<String>();
        all.split_whitespace()
            .find(|pid| is_supervisor(pid))
            .map(str::to_owned)
    });
    Pid::from_raw(found.parse().unwrap()).unwrap()
}

/// Walls do not end it: they only show it another folder than the one that the next try has.
#[test]
fn without_a_namespace_nothing_is_read_that_a_survivor_writes() {
    let text = "\
if [ -e $STUB_FOLDER/first ]; then
  echo $PWD > $STUB_FOLDER/where
  setsid sh -c 'cd /; echo x > '$STUB_FOLDER'/survivor; while [ -e '$STUB_FOLDER'/where ]; do mkdir -p '$PWD'; echo BAD > '$PWD'/o; echo BAD > '$PWD'/extra; done' >/dev/null 2>&1 7143 &
  sleep 7161
fi
sleep 0.2
[ ! -e extra ] && echo good > o
";
    for test in [script(text), script(text).without_walls()] {
        note(&test, "first");
        let mut first = start(&test, Mode::Open, "run p.yaml");
        // By then it has left the group of the stage: killed before, it would not live on.
        wait_for("a survivor", || {
            test.outside("survivor").exists().then_some(())
        });
        let supervisor = supervisor_of(&first);
        kill_process(supervisor, Signal::KILL).unwrap();
        first.kill().unwrap();
        first.wait().unwrap();
        forget(&test, "first");
        let survivors = living("7143");
        assert!(!survivors.is_empty(), "both were killed, so it lives on");
        run(&test, Mode::Open, "run p.yaml").exits(0).says("1 ran");
        assert_eq!(test.read("o"), "good\n");
        assert!(!living("7143").is_empty(), "it wrote all the time");
        forget(&test, "where"); // so it ends
        for pid in living("7161") {
            kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
        }
        wait_for("its end", || living("7143").is_empty().then_some(()));
        test.run("cache verify").exits(0);
    }
}

#[test]
fn a_wait_names_who_holds_the_stage() {
    let test = script(
        "echo x >> $STUB_FOLDER/tries\nuntil [ -e $STUB_FOLDER/seen ]; do sleep 0.02; done\necho good > o",
    );
    let first = start(&test, Mode::Namespace, "run p.yaml --jobs 1");
    wait_for("the start", || test.outside("tries").exists().then_some(()));
    let holder = format!("pid {} on ", first.id());
    let waits = ["run p.yaml", "run p.yaml --json", "run p.yaml --force a"];
    let waiting = waits.map(|words| {
        let said = test.outside(&format!("said by {words}"));
        let file = std::fs::File::create(&said).unwrap();
        let mut command = command(&test, Mode::Namespace, words);
        command.stdout(file.try_clone().unwrap()).stderr(file);
        (command.spawn().unwrap(), said)
    });
    for (_, said) in &waiting {
        let said = wait_for("the wait", || {
            let said = std::fs::read_to_string(said).unwrap();
            said.contains("waiting for its result: ").then_some(said)
        });
        assert!(said.contains(&holder), "{said}");
        let command = "runs it (pipeline run p.yaml --jobs 1 --device cpu, begun 20";
        assert!(said.contains(command), "{said}");
    }
    note(&test, "seen");
    for (mut child, said) in waiting {
        assert!(child.wait().unwrap().success(), "{said:?}");
    }
    Ran::of(first.wait_with_output().unwrap()).exits(0);
    assert_eq!(
        std::fs::read_to_string(test.outside("tries"))
            .unwrap()
            .lines()
            .count(),
        1
    );
}

#[test]
fn a_command_sees_its_own_processes_and_a_proc_that_fits() {
    let text = "\
[ \"$(readlink /proc/self)\" != '' ] || exit 4
[ -d /proc/$$ ] || exit 5
tr '\\0' ' ' < /proc/$$/cmdline > o
ps -o pid= -p $$ >/dev/null || exit 6
kill -0 $$
";
    for mode in MODES {
        let test = script(text);
        run(&test, mode, "run p.yaml").exits(0);
        assert_eq!(test.read("o"), "sh ./a.sh ", "{mode:?}");
    }
}

#[test]
fn memory_of_those_that_left_the_group_counts() {
    let text = "setsid -w sh -c 'x=$(head -c 60000000 /dev/zero | tr \"\\0\" x); sleep 7171; echo $x | wc -c'\necho good > o";
    for mode in MODES {
        let test = script(text);
        test.write(
            "p.yaml",
            format!("{}    resources: {{memory: 0.02}}\n", test.read("p.yaml")),
        );
        run(&test, mode, "run p.yaml")
            .exits(1)
            .says("GiB of memory, its limit is 0.02 GiB");
        is_ended("7171");
    }
}

#[test]
fn doctor_says_whether_there_is_a_namespace() {
    let test = Test::new();
    run(&test, Mode::Open, "doctor")
        .says("ok   processes no PID namespace (PIPELINE_NAMESPACE is `off`)");
}

#[test]
fn commands_behind_rules_are_waited_for_by_who_started_them() {
    let stage = |n: usize| {
        format!(
            "  s{n}: {{command: {{shell: 'echo > o{n}', outputs: [o{n}]}}, resources: {{threads: 1}}}}\n"
        )
    };
    let stages: String = (0..200).map(stage).collect();
    let test = Test::new().file("p.yaml", format!("stages:\n{stages}"));
    let mut command = command(&test, Mode::Open, "run p.yaml");
    command.env("PIPELINE_SANDBOX", "landlock");
    Ran::of(command.output().unwrap()).exits(0).says("200 ran");
}

/// A shell in a PID namespace of the test's own: what is killed there is killed nowhere else.
fn apart(test: &Test, script: &str) -> Option<Ran> {
    let inside = |script: &str| {
        let mut command = Command::new("unshare");
        command.args("--user --map-root-user --pid --fork --mount-proc".split(' '));
        command.args(["sh", "-c", script, env!("CARGO_BIN_EXE_pipeline")]);
        let own = test.command("");
        command.envs(
            own.get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        command.current_dir(test.path("")).output()
    };
    if !inside("prlimit --locks=9 true").is_ok_and(|output| output.status.success()) {
        println!("skipped: processes: no PID namespace to kill processes in");
        return None;
    }
    Some(Ran::of(inside(script).unwrap()))
}

#[test]
fn the_first_process_of_a_namespace_is_none_where_it_is_not_that() {
    let test = Test::new();
    // The shell is number 1 there: even unguarded, nothing outside of the namespace would be killed.
    let script = "\"$0\" __supervise namespace 7 < /dev/null; echo ended with $?";
    if let Some(ran) = apart(&test, script) {
        ran.exits(0).says("ended with 2").never_says("ready");
    }
}

#[test]
fn a_low_limit_of_locks_makes_nobody_elses_process_one_of_the_run() {
    let leaving = "setsid sleep 4061 &\n(setsid sleep 4061 &)\necho > o\n";
    let test = script(leaving);
    let script = "\
        export PIPELINE_NAMESPACE=off
        sleep 4062 & beside=$!
        prlimit --locks=1000 --pid $$
        sleep 4063 & limited=$!
        \"$0\" run p.yaml --device cpu || exit
        kill -0 $beside && kill -0 $limited && echo both live
        grep -l 40[6]1 /proc/[0-9]*/cmdline; true";
    let Some(ran) = apart(&test, script) else {
        return;
    };
    let ran = ran.exits(0).says("both live").says("ended what it left");
    ran.never_says("/cmdline");
}
