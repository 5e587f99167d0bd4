//! The loop that runs a plan, over executors that only note what they are given, here and elsewhere: order, failures,
//! bounds, counts.
//! Unaware of processes, terminals and results.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use engine::run::{
    Answer, Computed, Display, Execution, Executor, Failure, InPlace, OnEvent, OnEventOf, Outcome,
    Run, RunEvent, Stop, Task, Urgency,
};
use plan::{Outside, Past, Plan, Stored, World};
use spec::{Device, Event, Kind, Listing, Pipeline, Request};
use store::{Claim, Digest, Facts, Key, Status, Store};
use tempfile::TempDir;

/// Two branches from one start, and a stage that needs both.
const YAML: &str = "\
stages:
  pairs:
    prepare: {images: photos, degrade: {sr: 4}}
    resources: {threads: 1}
  masks:
    mask: {images: pairs}
    resources: {threads: 1}
  base:
    train: {backbone: {imdn: {scale: 4}}, images: pairs, iterations: 9}
    resources: {threads: 1}
  score:
    evaluate: {model: base, images: pairs}
    resources: {threads: 1}
  tuned:
    tune: {backbone: base, images: pairs, masks: masks, iterations: 9}
    resources: {threads: 1}
";

/// How the stages of a test are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// Where they are asked for.
    InPlace,
    /// Elsewhere: nothing is heard of them for a while, and then of one after the other.
    Late,
    /// Elsewhere, by somebody who says everything twice, the second time otherwise, and speaks of tasks that are none.
    Twice,
    /// Elsewhere, by somebody who commits the results alone, from a store of his own.
    Alone,
    /// Elsewhere: nothing is heard of mask stages any more, whatever they are asked.
    Never,
}

/// A queue that computes by `noting`, and answers as `how` says.
struct Remote<'a> {
    noting: &'a Noting,
    root: &'a Path,
    how: How,
}

impl Executor for Remote<'_> {
    fn submit<'t>(&'t self, tasks: &'t [Task<'t>]) -> Result<Box<dyn Execution + 't>, Failure> {
        Ok(Box::new(Submitted {
            remote: self,
            tasks,
            polls: 0,
            answers: Vec::new(),
        }))
    }
}

struct Submitted<'t> {
    remote: &'t Remote<'t>,
    tasks: &'t [Task<'t>],
    polls: usize,
    answers: Vec<Answer>,
}

impl Execution for Submitted<'_> {
    fn poll(&mut self, wait: Duration, on_event: &OnEventOf<'_>) -> Vec<Answer> {
        self.polls += 1;
        let is_silent = |task: &Task<'_>| task.job.stage.name() == "mask";
        if self.remote.how == How::Never && self.tasks.iter().all(is_silent) {
            std::thread::sleep(wait.min(Duration::from_millis(5)));
            return Vec::new();
        }
        if self.remote.how == How::Late && self.polls < 4 {
            std::thread::sleep(Duration::from_millis(1));
            return Vec::new();
        }
        if !self.tasks.is_empty() {
            let results = match self.tasks {
                [task] => vec![self.remote.noting.execute(task, &|e| on_event(0, e))],
                tasks => self.remote.noting.execute_together(tasks, on_event),
            };
            let end =
                |(task, result): (&Task<'_>, Result<Facts, Failure>)| self.remote.end(task, result);
            self.answers = self
                .tasks
                .iter()
                .zip(results)
                .map(end)
                .enumerate()
                .collect();
            self.tasks = &[];
        }
        match self.remote.how {
            How::Late => self.answers.pop().into_iter().collect(),
            How::Twice => self.twice(on_event),
            _ => std::mem::take(&mut self.answers),
        }
    }

    fn cancel(&mut self, _urgency: Urgency) {}
}

impl Submitted<'_> {
    fn twice(&mut self, on_event: &OnEventOf<'_>) -> Vec<Answer> {
        let message = "nobody's".into();
        on_event(77, Event::Note { message });
        let first = std::mem::take(&mut self.answers);
        let second = first.iter().map(|(n, result)| {
            let other = match result {
                Ok(_) => Err(Failure::new("said twice", "")),
                Err(_) => Ok(Computed::Here(Facts::new())),
            };
            (*n, other)
        });
        let nobodys = (77, Ok(Computed::Committed));
        let second: Vec<Answer> = second.chain([nobodys]).collect();
        first.into_iter().chain(second).collect()
    }
}

impl Remote<'_> {
    /// The answer; one who commits alone has done so before he gives it.
    fn end(&self, task: &Task<'_>, result: Result<Facts, Failure>) -> Result<Computed, Failure> {
        let facts = result?;
        if self.how != How::Alone {
            return Ok(Computed::Here(facts));
        }
        if !task.has_read_what_was_planned() {
            return Err(Failure::new("it read something else", ""));
        }
        let handover = serde_json::to_string(&task.ticket.hand_over()).unwrap();
        let own = Store::open(self.root).unwrap();
        let handover = serde_json::from_str(&handover).unwrap();
        let Some(ticket) = taken_over(&own, &handover) else {
            return Ok(Computed::Committed); // by another run
        };
        let order = task.order;
        let facts = Facts(facts.0.into_iter().chain(order.facts.0.clone()).collect());
        ticket
            .commit(order.kind, &order.manifest, order.required, facts)
            .unwrap();
        Ok(Computed::Committed)
    }
}

struct Room {
    how: How,
    patience: Duration,
    _folder: TempDir,
    store: Store,
    pipeline: Pipeline,
    cores: usize,
    gpus: Vec<usize>,
    jobs: usize,
    keep_going: bool,
    stop: Stop,
}

/// What lies in the cache.
struct Cached<'a>(&'a Store);

impl Past for Cached<'_> {
    fn stored(&self, key: &Key) -> Stored {
        match self.0.presence(key) {
            Status::Absent => Stored::Nothing,
            Status::Fresh(_) => Stored::Whole,
            Status::Missing(files) => Stored::Missing(files),
            Status::Damaged(files) => Stored::Damaged(files),
        }
    }

    fn last_manifest(&self, _stage: &str) -> Option<String> {
        None
    }
}

/// Notes the stages it is given, and fails those of this name.
#[derive(Default)]
struct Noting {
    fails: &'static str,
    /// Mask stages of this grid fail too.
    fails_grid: Option<usize>,
    /// So many of its tries fail; all when `None`.
    failures: Option<u32>,
    /// Whether it fails because GPU memory ran out.
    out_of_memory: bool,
    /// Stages of this kind write into their input, so many tries long.
    touches: (&'static str, u32),
    /// What is behind each result.
    result: &'static str,
    /// Origin long a stage waits for a second one, until two have met.
    patience: Duration,
    state: Mutex<Notes>,
    changed: Condvar,
}

#[derive(Default)]
struct Notes {
    stages: Vec<usize>,
    /// The sizes of what was executed together.
    together: Vec<usize>,
    /// Name of the kind, `CUDA_VISIBLE_DEVICES`.
    visible: Vec<(String, Option<String>)>,
    now: usize,
    most: usize,
}

impl Noting {
    fn failing(fails: &'static str) -> Self {
        Self {
            fails,
            ..Self::default()
        }
    }

    fn names(&self, room: &Room) -> Vec<String> {
        let stages = &self.state.lock().unwrap().stages;
        stages
            .iter()
            .map(|&at| room.pipeline.stages[at].name.clone())
            .collect()
    }

    /// Stays until two stages were here at once, as long as the patience lasts; the first stage of all is alone.
    fn meet(&self, first: bool) {
        let mut state = self.state.lock().unwrap();
        state.now += 1;
        state.most = state.most.max(state.now);
        self.changed.notify_all();
        if !first {
            let alone = |state: &mut Notes| state.most < 2;
            let waited = self.changed.wait_timeout_while(state, self.patience, alone);
            drop(waited.unwrap());
        }
    }
}

impl InPlace for Noting {
    fn execute_together(
        &self,
        tasks: &[Task<'_>],
        on_event: &OnEventOf<'_>,
    ) -> Vec<Result<Facts, Failure>> {
        self.state.lock().unwrap().together.push(tasks.len());
        let one = |(n, task)| self.execute(task, &|event| on_event(n, event));
        tasks.iter().enumerate().map(one).collect()
    }

    fn execute(&self, task: &Task<'_>, on_event: &OnEvent<'_>) -> Result<Facts, Failure> {
        let kind = task.job.stage.name().to_owned();
        let named_kind = kind.clone();
        {
            let mut state = self.state.lock().unwrap();
            state.stages.push(task.stage);
            state.visible.push((kind, task.visible.clone()));
        }
        self.meet(task.stage == 0);
        let message = "at work".into();
        on_event(Event::Note { message });
        for output in task.job.stage.outputs() {
            let result = format!("result{}", self.result);
            std::fs::write(task.job.out.join(output), result).unwrap();
        }
        if named_kind == self.touches.0 && task.attempt <= self.touches.1 {
            let input = task.job.inputs["images"].join("pairs.json");
            std::fs::write(input, "touched").unwrap();
        }
        self.state.lock().unwrap().now -= 1;
        let fails = self.failures.is_none_or(|n| task.attempt <= n);
        let grid = match &task.job.stage {
            Kind::Mask(mask) => mask.grid(),
            _ => 0,
        };
        let named = task.job.stage.name() == self.fails || Some(grid) == self.fails_grid;
        if named && fails {
            let mut failure = Failure::new("asked to fail", "do not ask");
            failure.report.out_of_gpu_memory = self.out_of_memory;
            return Err(failure);
        }
        Ok(Facts::new())
    }
}

/// One word an event.
#[derive(Default)]
struct Words(Vec<String>);

impl Display for Words {
    fn show(&mut self, pipeline: &Pipeline, event: &RunEvent<'_>) {
        let (word, stage) = match event {
            RunEvent::Fresh { stage } => ("fresh", stage),
            RunEvent::Blocked { stage, .. } => ("blocked", stage),
            RunEvent::Started { stage } => ("started", stage),
            RunEvent::Stage { stage, .. } => ("says", stage),
            RunEvent::Finished {
                stage,
                origin: engine::run::Origin::ByOtherRun,
                ..
            } => ("other", stage),
            RunEvent::Finished { stage, .. } => ("done", stage),
            RunEvent::Again { stage, .. } => ("anew", stage),
            RunEvent::Retry { stage, alone, .. } => (if *alone { "alone" } else { "again" }, stage),
            RunEvent::Failed { stage, .. } => ("failed", stage),
            RunEvent::Skipped { stage } => ("skipped", stage),
            RunEvent::End { .. } => return self.0.push("end".to_owned()),
        };
        self.0
            .push(format!("{word} {}", pipeline.stages[*stage].name));
    }
}

impl Words {
    fn of(&self, word: &str) -> BTreeSet<&str> {
        let names = self.0.iter().filter_map(|w| w.strip_prefix(word));
        names.map(str::trim_start).collect()
    }
}

impl Room {
    fn new(how: How) -> Self {
        Self::of(how, YAML)
    }

    fn of(how: How, yaml: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let request = Request {
            file: Path::new("p.yaml"),
            env: &std::collections::BTreeMap::new(),
            overrides: &[],
            read: &|_| Ok(yaml.to_owned()),
        };
        Self {
            how,
            patience: Duration::from_mins(1),
            store: Store::open(&folder.path().join("cache")).unwrap(),
            _folder: folder,
            pipeline: Pipeline::load(&request).unwrap(),
            cores: 4,
            gpus: Vec::new(),
            jobs: 1,
            keep_going: false,
            stop: Stop::default(),
        }
    }

    fn plan(&self, photos: Result<Vec<(String, Digest)>, String>, force: &[&str]) -> Plan {
        let force = force
            .iter()
            .flat_map(|name| self.pipeline.find(name).unwrap())
            .collect();
        let weights = Ok(vec![(String::new(), Digest::of(b"weights"))]);
        let world = World {
            outside: &Outside::from([
                ((Listing::IMAGES, "photos".into()), photos),
                ((Listing::File, "sam.pth".into()), weights),
            ]),
            numerics: "none",
            cpu_bf16: false,
            past: &Cached(&self.store),
            force: &force,
            keep_consumers: false,
        };
        Plan::new(&self.pipeline, &BTreeSet::new(), &world)
    }

    fn now(&self, force: &[&str]) -> Plan {
        self.plan(Ok(vec![("a.png".to_owned(), Digest::of(b"a"))]), force)
    }

    fn run(&self, plan: &Plan, executor: &Noting) -> (Outcome, Words) {
        let mut words = Words::default();
        let outcome = self.run_on(plan, executor, &mut words);
        assert_eq!(words.0.last().map(String::as_str), Some("end"));
        (outcome, words)
    }

    fn run_on(&self, plan: &Plan, executor: &Noting, display: &mut dyn Display) -> Outcome {
        let remote = Remote {
            noting: executor,
            root: self.store.root(),
            how: self.how,
        };
        let run = Run {
            pipeline: &self.pipeline,
            plan,
            store: &self.store,
            committer: &self.store.committer(),
            executor: match self.how {
                How::InPlace => executor,
                _ => &remote,
            },
            patience: self.patience,
            cores: self.cores,
            gpus: &self.gpus,
            visible: &["a".to_owned(), "b".to_owned(), "c".to_owned()],
            jobs: self.jobs,
            keep_going: self.keep_going,
            keep_consumers: false,
            reuses: true,
            keep_decoded: None,
            machine: Facts::new(),
            device: if self.gpus.is_empty() {
                Device::Cpu
            } else {
                Device::Cuda(0)
            },
            clock: &|| "now".to_owned(),
            watch: &|_| Ok(Box::new(Still)),
            stop: &self.stop,
        };
        run.run(display)
    }
}

/// Nothing outside, or nothing that changes.
struct Still;

impl engine::run::Watching for Still {
    fn fingerprint(&self) -> Option<store::Digest> {
        None
    }

    fn unchanged(&self) -> Result<(), String> {
        Ok(())
    }
}

fn counts(outcome: Outcome) -> (usize, usize, usize) {
    (outcome.ran, outcome.fresh, outcome.failed + outcome.not_run)
}

fn inputs_come_first_and_the_second_run_runs_nothing(how: How) {
    let room = Room::new(how);
    let executor = Noting::default();
    let (outcome, words) = room.run(&room.now(&[]), &executor);
    assert_eq!(counts(outcome), (5, 0, 0));
    let names = executor.names(&room);
    let at = |name: &str| names.iter().position(|n| n == name).unwrap();
    assert_eq!(names.len(), 5);
    assert!(at("pairs") < at("masks").min(at("base")) && at("base") < at("score"));
    assert!(at("tuned") > at("masks").max(at("base")));
    assert_eq!(words.of("says").len(), 5);
    let again = Noting::default();
    let (outcome, words) = room.run(&room.now(&[]), &again);
    assert_eq!((counts(outcome), words.of("fresh").len()), ((0, 5, 0), 5));
    assert!(again.names(&room).is_empty());
}

fn a_failure_stops_new_starts(how: How) {
    let room = Room::new(how);
    let executor = Noting::failing("mask");
    let (outcome, words) = room.run(&room.now(&[]), &executor);
    assert_eq!(words.of("failed"), BTreeSet::from(["masks"]));
    let ran = executor.names(&room).len();
    assert_eq!(
        counts(outcome),
        (ran - 1, 0, 6 - ran),
        "what was not tried counts as not run"
    );
    assert_eq!(
        executor.names(&room).last().map(String::as_str),
        Some("masks"),
        "with one job nothing starts behind it"
    );
}

fn keep_going_stops_only_what_depends_on_a_failure(how: How) {
    let mut room = Room::new(how);
    room.keep_going = true;
    let (outcome, words) = room.run(&room.now(&[]), &Noting::failing("mask"));
    assert_eq!(counts(outcome), (3, 0, 2));
    assert_eq!(words.of("done"), BTreeSet::from(["pairs", "base", "score"]));
    assert_eq!(words.of("skipped"), BTreeSet::from(["tuned"]));
    let (outcome, _) = room.run(&room.now(&[]), &Noting::default());
    assert_eq!(
        counts(outcome),
        (2, 3, 0),
        "what failed and what waited for it"
    );
}

fn jobs_and_cores_bound_what_runs_at_once(how: How) {
    let most = |cores, jobs, patience| {
        let mut room = Room::new(how);
        (room.cores, room.jobs) = (cores, jobs);
        let executor = Noting {
            patience: Duration::from_millis(patience),
            ..Noting::default()
        };
        let (outcome, _) = room.run(&room.now(&[]), &executor);
        assert_eq!(counts(outcome), (5, 0, 0));
        executor.state.into_inner().unwrap().most
    };
    assert_eq!(most(4, 1, 20), 1);
    assert_eq!(most(4, 2, 60_000), 2);
    assert_eq!(most(1, 4, 20), 1);
}

fn forced_stages_run_and_what_is_made_from_them(how: How) {
    let room = Room::new(how);
    room.run(&room.now(&[]), &Noting::default());
    let executor = Noting::default();
    let (outcome, words) = room.run(&room.now(&["base"]), &executor);
    assert_eq!(counts(outcome), (3, 2, 0));
    assert_eq!(words.of("done"), BTreeSet::from(["base", "score", "tuned"]));
    assert!(
        room.now(&[]).counts() == (5, 0, 0),
        "forced once is not forced for ever"
    );
}

fn blocked_stages_count_as_failed(how: How) {
    let room = Room::new(how);
    let executor = Noting::default();
    let (outcome, words) = room.run(&room.plan(Err("it is not there".into()), &[]), &executor);
    assert_eq!(counts(outcome), (0, 0, 5));
    assert_eq!(words.of("blocked").len(), 5);
    assert!(words.of("skipped").is_empty() && executor.names(&room).is_empty());
}

fn what_another_run_has_made_meanwhile_counts_as_fresh(how: How) {
    let room = Room::new(how);
    let plan = room.now(&[]);
    room.run(&plan, &Noting::default());
    let executor = Noting::default();
    let (outcome, words) = room.run(&plan, &executor);
    assert_eq!((counts(outcome), words.of("other").len()), ((0, 5, 0), 5));
    assert!(executor.names(&room).is_empty());
}

fn a_stop_starts_nothing_more_and_what_waits_has_not_failed(how: How) {
    let room = Room::new(how);
    room.stop.raise();
    let (outcome, words) = room.run(&room.now(&[]), &Noting::default());
    assert_eq!(
        (outcome.failed, outcome.not_run, outcome.interrupted),
        (0, 5, true)
    );
    assert_eq!(words.0, ["end"]);
}

fn retries_are_tries_after_the_first(how: How) {
    let yaml = YAML.replace(
        "    mask: {images: pairs}\n    resources: {threads: 1}",
        "    mask: {images: pairs}\n    resources: {threads: 1, retries: 2}",
    );
    let room = Room::of(how, &yaml);
    let twice = Noting {
        failures: Some(2),
        ..Noting::failing("mask")
    };
    let (outcome, words) = room.run(&room.now(&[]), &twice);
    assert_eq!(counts(outcome), (5, 0, 0));
    assert_eq!(words.0.iter().filter(|w| *w == "again masks").count(), 2);
    let room = Room::of(how, &yaml);
    let (outcome, words) = room.run(&room.now(&[]), &Noting::failing("mask"));
    assert_eq!(words.0.iter().filter(|w| *w == "again masks").count(), 2);
    assert_eq!(
        (outcome.failed > 0, words.of("failed")),
        (true, BTreeSet::from(["masks"]))
    );
}

fn out_of_gpu_memory_is_tried_once_more_alone(how: How) {
    let yaml = YAML.replace(
        "resources: {threads: 1}",
        "resources: {threads: 1, gpu_share: 4}",
    );
    let mut room = Room::of(how, &yaml);
    room.gpus = vec![0];
    let once = Noting {
        failures: Some(1),
        out_of_memory: true,
        ..Noting::failing("tune")
    };
    let (outcome, words) = room.run(&room.now(&[]), &once);
    assert_eq!(
        (counts(outcome), words.of("alone")),
        ((5, 0, 0), BTreeSet::from(["tuned"]))
    );
    let mut room = Room::of(how, &yaml);
    room.gpus = vec![0];
    let always = Noting {
        out_of_memory: true,
        ..Noting::failing("tune")
    };
    let (outcome, words) = room.run(&room.now(&[]), &always);
    assert_eq!(
        (outcome.failed, words.of("failed")),
        (1, BTreeSet::from(["tuned"]))
    );
    assert_eq!(words.0.iter().filter(|w| *w == "alone tuned").count(), 1);
}

fn each_torch_stage_sees_one_gpu_and_others_none(how: How) {
    let mut room = Room::new(how);
    (room.gpus, room.jobs) = (vec![0, 2], 4);
    let executor = Noting {
        patience: Duration::from_mins(1),
        ..Noting::default()
    };
    let (outcome, _) = room.run(&room.now(&[]), &executor);
    assert_eq!(counts(outcome), (5, 0, 0));
    let visible = executor.state.into_inner().unwrap().visible;
    for (kind, devices) in visible {
        let devices = devices.unwrap();
        if matches!(kind.as_str(), "train" | "tune" | "evaluate") {
            assert!(devices == "a" || devices == "c", "{kind}: `{devices}`");
        } else {
            assert_eq!(devices, "", "{kind}");
        }
    }
}

/// SAM's masks of three grids, over the same images but for one.
const GRIDS: &str = "\
stages:
  pairs:
    prepare: {images: photos, degrade: {sr: 4}}
    resources: {threads: 1}
  others:
    prepare: {images: photos, degrade: {sr: 2}}
    resources: {threads: 1}
  masks:
    each: {grid: [8, 16, 24]}
    mask: {images: pairs, segmenter: {sam: {weights: sam.pth}}}
    resources: {threads: 1}
  other-masks:
    mask: {images: others, segmenter: {sam: {weights: sam.pth}}}
    resources: {threads: 1}
";

fn together(executor: Noting) -> Vec<usize> {
    executor.state.into_inner().unwrap().together
}

fn masks_of_one_sam_and_the_same_images_are_computed_together(how: How) {
    let room = Room::of(how, GRIDS);
    let executor = Noting::default();
    let (outcome, words) = room.run(&room.now(&[]), &executor);
    assert_eq!(counts(outcome), (6, 0, 0));
    assert_eq!(words.of("started").len(), 6);
    assert_eq!(words.of("says").len(), 6, "each says what it does");
    assert_eq!(together(executor), [3]);
    let facts = |name: &str| {
        let at = room.pipeline.find(name).unwrap()[0];
        let key = room.now(&[]).get(at).unwrap().key.unwrap();
        room.store.record(&key).unwrap().unwrap().facts.0
    };
    assert_eq!(facts("masks[grid=16]")["computed_together"], 3);
    assert!(!facts("other-masks").contains_key("computed_together"));
}

fn only_what_is_stale_goes_together(how: How) {
    let room = Room::of(how, GRIDS);
    room.run(&room.now(&[]), &Noting::default());
    let executor = Noting::default();
    let (outcome, _) = room.run(&room.now(&["masks[grid=8]", "masks[grid=24]"]), &executor);
    assert_eq!(counts(outcome), (2, 4, 0));
    assert_eq!(together(executor), [2]);
}

fn each_of_a_batch_fails_by_itself_and_is_tried_again_alone(how: How) {
    let failing = |retries: &str| {
        let room = Room::of(
            how,
            &GRIDS.replace("{threads: 1}", &format!("{{threads: 1{retries}}}")),
        );
        let executor = Noting {
            fails_grid: Some(16),
            failures: Some(1),
            ..Noting::default()
        };
        let mut room = room;
        room.keep_going = true;
        let (outcome, words) = room.run(&room.now(&[]), &executor);
        let failed: Vec<String> = words.of("failed").iter().map(|s| (*s).to_owned()).collect();
        let again: Vec<String> = words.of("again").iter().map(|s| (*s).to_owned()).collect();
        (counts(outcome), failed, again, together(executor))
    };
    let it = || vec!["masks[grid=16]".to_owned()];
    assert_eq!(failing(""), ((5, 0, 1), it(), vec![], vec![3]));
    assert_eq!(failing(", retries: 1"), ((6, 0, 0), vec![], it(), vec![3]));
}

fn stages_with_limits_of_their_own_or_other_wishes_stay_alone(how: How) {
    let limited = GRIDS.replace("{threads: 1}", "{threads: 1, timeout: 60}");
    let uneven = GRIDS.replace("each: {grid: [8, 16, 24]}", "each: {grid: [8]}")
        + "  fine:\n    mask: {images: pairs, grid: 24, segmenter: {sam: {weights: sam.pth}}}\n    \
           resources: {threads: 2}\n";
    for (yaml, stages) in [(limited, 6), (uneven, 5)] {
        let room = Room::of(how, &yaml);
        let executor = Noting::default();
        let (outcome, _) = room.run(&room.now(&[]), &executor);
        assert_eq!(counts(outcome), (stages, 0, 0));
        assert_eq!(together(executor), [0; 0]);
    }
}

/// Two runs of the same plan: whoever comes second waits for none while it holds something, so both end.
/// The ticket that was handed over, or nothing where another run has committed the key meanwhile. Between the two the key is
/// free, and another run may be quicker.
fn taken_over(store: &Store, handover: &store::Handover) -> Option<store::Ticket> {
    for _ in 0..30_000 {
        match store.take_over(handover) {
            Ok(Claim::Ready(ticket)) => return Some(ticket),
            Ok(Claim::Done(_)) => return None,
            Ok(Claim::Busy) | Err(_) => std::thread::sleep(Duration::from_millis(1)),
        }
    }
    panic!("the other run has not ended");
}

fn two_runs_of_one_batch_both_end(how: How) {
    for _ in 0..8 {
        let room = Room::of(how, GRIDS);
        let plan = room.now(&[]);
        let executors = [Noting::default(), Noting::default()];
        std::thread::scope(|scope| {
            for executor in &executors {
                scope.spawn(|| {
                    let (outcome, _) = room.run(&plan, executor);
                    assert_eq!((outcome.ran + outcome.fresh, outcome.failed), (6, 0));
                });
            }
        });
        let ran: usize = executors.iter().map(|e| e.names(&room).len()).sum();
        // A key that is handed over is free for a moment: another run may take it, and do the work again.
        let is_once = ran == 6 || (how == How::Alone && ran > 6);
        assert!(is_once, "each stage is computed once: {ran}");
    }
}

/// The result of `pairs` is lost, and those that were made from it are there.
fn without_pairs(how: How) -> Room {
    let mut room = Room::new(how);
    room.keep_going = true;
    room.run(&room.now(&[]), &Noting::default());
    let key = room.now(&[]).get(0).unwrap().key.unwrap();
    std::fs::remove_dir_all(room.store.output_dir(&key)).unwrap();
    room
}

fn a_result_stays_while_its_input_is_made_again_with_the_same_bytes(how: How) {
    let room = without_pairs(how);
    let executor = Noting::default();
    let (outcome, words) = room.run(&room.now(&[]), &executor);
    assert_eq!(counts(outcome), (1, 4, 0));
    assert_eq!(executor.names(&room), ["pairs"]);
    assert!(words.of("anew").is_empty());
}

fn what_was_made_from_other_bytes_runs_and_so_does_what_is_made_from_that(how: How) {
    let room = without_pairs(how);
    let executor = Noting {
        result: " anew",
        ..Noting::default()
    };
    let (outcome, words) = room.run(&room.now(&[]), &executor);
    assert_eq!(counts(outcome), (5, 0, 0));
    assert!(words.of("anew").is_superset(&["masks", "base"].into()));
}

fn results_whose_input_does_not_come_are_taken_as_they_are(how: How) {
    let room = without_pairs(how);
    let (outcome, words) = room.run(&room.now(&[]), &Noting::failing("prepare"));
    assert_eq!(counts(outcome), (0, 4, 1));
    assert_eq!(words.of("failed"), BTreeSet::from(["pairs"]));
}

fn a_stage_whose_input_was_touched_reads_again_and_then_copies_of_its_own(how: How) {
    let mut room = Room::new(how);
    room.keep_going = true;
    let executor = Noting {
        touches: ("mask", 1),
        ..Noting::default()
    };
    let (outcome, words) = room.run(&room.now(&[]), &executor);
    assert_eq!(counts(outcome), (5, 0, 0));
    assert!(words.of("anew").is_superset(&["masks", "pairs"].into()));
    let names = executor.names(&room);
    let times = |name: &str| names.iter().filter(|n| *n == name).count();
    assert_eq!((times("pairs"), times("masks")), (2, 2));
}

fn a_stage_that_touches_its_own_copies_is_the_one_that_fails(how: How) {
    let mut room = Room::new(how);
    room.keep_going = true;
    let executor = Noting {
        touches: ("mask", 9),
        ..Noting::default()
    };
    let (outcome, words) = room.run(&room.now(&[]), &executor);
    assert_eq!(words.of("failed"), BTreeSet::from(["masks"]));
    assert_eq!(words.of("skipped"), BTreeSet::from(["tuned"]));
    assert_eq!(
        counts(outcome),
        (3, 0, 2),
        "pairs, base and score are whole"
    );
}

/// The same tests over each way of computing.
macro_rules! over {
    ($($how:ident $module:ident)*) => {
        $(over!(@ $how $module);)*
    };
    (@ $how:ident $module:ident) => {
        mod $module {
            use super::How::$how;

            #[test]
            fn inputs_come_first_and_the_second_run_runs_nothing() {
                super::inputs_come_first_and_the_second_run_runs_nothing($how);
            }

            #[test]
            fn a_failure_stops_new_starts() {
                super::a_failure_stops_new_starts($how);
            }

            #[test]
            fn keep_going_stops_only_what_depends_on_a_failure() {
                super::keep_going_stops_only_what_depends_on_a_failure($how);
            }

            #[test]
            fn jobs_and_cores_bound_what_runs_at_once() {
                super::jobs_and_cores_bound_what_runs_at_once($how);
            }

            #[test]
            fn forced_stages_run_and_what_is_made_from_them() {
                super::forced_stages_run_and_what_is_made_from_them($how);
            }

            #[test]
            fn blocked_stages_count_as_failed() {
                super::blocked_stages_count_as_failed($how);
            }

            #[test]
            fn what_another_run_has_made_meanwhile_counts_as_fresh() {
                super::what_another_run_has_made_meanwhile_counts_as_fresh($how);
            }

            #[test]
            fn a_stop_starts_nothing_more_and_what_waits_has_not_failed() {
                super::a_stop_starts_nothing_more_and_what_waits_has_not_failed($how);
            }

            #[test]
            fn retries_are_tries_after_the_first() {
                super::retries_are_tries_after_the_first($how);
            }

            #[test]
            fn out_of_gpu_memory_is_tried_once_more_alone() {
                super::out_of_gpu_memory_is_tried_once_more_alone($how);
            }

            #[test]
            fn each_torch_stage_sees_one_gpu_and_others_none() {
                super::each_torch_stage_sees_one_gpu_and_others_none($how);
            }

            #[test]
            fn masks_of_one_sam_and_the_same_images_are_computed_together() {
                super::masks_of_one_sam_and_the_same_images_are_computed_together($how);
            }

            #[test]
            fn only_what_is_stale_goes_together() {
                super::only_what_is_stale_goes_together($how);
            }

            #[test]
            fn each_of_a_batch_fails_by_itself_and_is_tried_again_alone() {
                super::each_of_a_batch_fails_by_itself_and_is_tried_again_alone($how);
            }

            #[test]
            fn stages_with_limits_of_their_own_or_other_wishes_stay_alone() {
                super::stages_with_limits_of_their_own_or_other_wishes_stay_alone($how);
            }

            #[test]
            fn two_runs_of_one_batch_both_end() {
                super::two_runs_of_one_batch_both_end($how);
            }

            #[test]
            fn a_result_stays_while_its_input_is_made_again_with_the_same_bytes() {
                super::a_result_stays_while_its_input_is_made_again_with_the_same_bytes($how);
            }

            #[test]
            fn what_was_made_from_other_bytes_runs_and_so_does_what_is_made_from_that() {
                super::what_was_made_from_other_bytes_runs_and_so_does_what_is_made_from_that($how);
            }

            #[test]
            fn results_whose_input_does_not_come_are_taken_as_they_are() {
                super::results_whose_input_does_not_come_are_taken_as_they_are($how);
            }

            #[test]
            fn a_stage_whose_input_was_touched_reads_again_and_then_copies_of_its_own() {
                super::a_stage_whose_input_was_touched_reads_again_and_then_copies_of_its_own($how);
            }

            #[test]
            fn a_stage_that_touches_its_own_copies_is_the_one_that_fails() {
                super::a_stage_that_touches_its_own_copies_is_the_one_that_fails($how);
            }
        }
    };
}

over! { InPlace in_place Late late Twice twice Alone alone }

/// Masks of a stage with a timeout, and nobody who answers.
const SILENT: &str = "    mask: {images: pairs}\n    resources: {threads: 1, timeout: 0.05}";

fn silent() -> Room {
    let yaml = YAML.replace(
        "    mask: {images: pairs}\n    resources: {threads: 1}",
        SILENT,
    );
    let mut room = Room::of(How::Never, &yaml);
    room.patience = Duration::from_millis(50);
    room.keep_going = true;
    room
}

#[test]
fn who_never_answers_is_given_up_and_the_rest_goes_on() {
    let room = silent();
    let (outcome, words) = room.run(&room.now(&[]), &Noting::default());
    assert_eq!(counts(outcome), (3, 0, 2));
    assert_eq!(words.of("failed"), BTreeSet::from(["masks"]));
    assert_eq!(words.of("skipped"), BTreeSet::from(["tuned"]));
}

#[test]
fn what_is_given_up_is_tried_again_in_a_folder_of_its_own() {
    let mut room = silent();
    let plan = room.now(&[]);
    room.run(&plan, &Noting::default());
    let key = plan.get(1).unwrap().key.unwrap();
    let tries = || {
        let Claim::Ready(ticket) = room.store.ticket(&key).unwrap() else {
            panic!("nobody has it");
        };
        ticket.out().to_owned()
    };
    assert_ne!(tries(), tries(), "what comes late is written elsewhere");
    room.how = How::InPlace;
    let (outcome, _) = room.run(&room.now(&[]), &Noting::default());
    assert_eq!(counts(outcome), (2, 3, 0));
}

#[test]
fn a_stop_does_not_wait_for_ever_for_who_never_answers() {
    let mut room = silent();
    room.pipeline.stages[1].resources.timeout = None;
    room.jobs = 4;
    let (room, plan) = (&room, room.now(&[]));
    let words = std::thread::scope(|scope| {
        let running = scope.spawn(move || room.run(&plan, &Noting::default()));
        std::thread::sleep(Duration::from_millis(200));
        room.stop.raise();
        room.stop.raise();
        running.join().unwrap()
    });
    assert!(words.0.interrupted);
    assert_eq!(words.0.failed, 0, "what was stopped has not failed");
}

/// Panics where a stage has ended.
struct Breaks;

impl Display for Breaks {
    fn show(&mut self, _: &Pipeline, event: &RunEvent<'_>) {
        assert!(!matches!(event, RunEvent::Finished { .. }), "asked to");
    }
}

#[test]
fn a_panic_of_the_display_ends_the_run() {
    let (sender, ended) = std::sync::mpsc::channel();
    // It waits for ever where a thread still waits for orders; the test does not.
    std::thread::spawn(move || {
        let room = Room::new(How::InPlace);
        let run = || room.run_on(&room.now(&[]), &Noting::default(), &mut Breaks);
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
        sender.send(ended.is_err())
    });
    assert_eq!(ended.recv_timeout(Duration::from_mins(1)), Ok(true));
}
