//! Runs a stage, or stages that share an expensive start, in a worker process of their own: a crash there fails these and
//! nothing else.
//! Unaware of what the stage computes; it passes a job file and reads events.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::path::{Component, Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::Pid;
use spec::{Device, Event, Job, Kind, Outside, Pipeline};
use store::Facts;

use super::child::{self, Passed, Watched};
use super::cuda_env::DEVICES;
use super::executor::{InPlace, OnEvent, OnEventOf, Task};
use super::failure::Failure;
use super::log;
use super::placing;
use super::said::read_events;
use super::stop::Stop;
use super::supervisor::{Supervisor, Tag};
use super::target::Target;
use super::walls::{self, Fence, Level, Made, Program, Shown, Talk, View, Walls};
use super::worker_env;

/// Starts `pipeline-worker` for each stage.
pub struct ProcessExecutor<'a> {
    /// The worker program.
    pub worker: PathBuf,
    /// Folders of libraries that it has loaded.
    pub libraries: &'a [PathBuf],
    /// The stages.
    pub pipeline: &'a Pipeline,
    /// What stands around the project meanwhile.
    pub walls: &'a Walls,
    /// Whom to tell of children.
    pub stop: &'a Stop,
    /// Who starts them, and ends what they leave.
    pub supervisor: &'a Supervisor,
}

impl InPlace for ProcessExecutor<'_> {
    fn execute(&self, task: &Task<'_>, on_event: &OnEvent<'_>) -> Result<Facts, Failure> {
        let results = self.execute_together(std::slice::from_ref(task), &|_, e| on_event(e));
        results
            .into_iter()
            .next()
            .unwrap_or_else(|| Ok(Facts::new()))
    }

    fn execute_together(
        &self,
        tasks: &[Task<'_>],
        on_event: &OnEventOf<'_>,
    ) -> Vec<Result<Facts, Failure>> {
        let results = match self.compute(tasks, on_event) {
            Ok(results) => results,
            Err(failure) => tasks.iter().map(|_| Err(failure.clone())).collect(),
        };
        let with_log = |(result, task): (Result<Facts, Failure>, &Task<'_>)| {
            result.map_err(|mut failure| {
                failure.log = Some(task.log.clone());
                failure
            })
        };
        results.into_iter().zip(tasks).map(with_log).collect()
    }
}

impl ProcessExecutor<'_> {
    /// What became of each task, or why the process could not be run. Its own output goes to the log of the first.
    fn compute(
        &self,
        tasks: &[Task<'_>],
        on_event: &OnEventOf<'_>,
    ) -> Result<Vec<Result<Facts, Failure>>, Failure> {
        let [first, others @ ..] = tasks else {
            return Ok(Vec::new());
        };
        for other in others {
            let mut log = open_log(other)?; // what the worker prints is not told apart
            let _ = writeln!(log, "computed together; see {}", first.log.display());
        }
        let (mut child, tag) = self.spawn(tasks)?;
        let watched = Watched {
            target: Target::Process(Pid::from_child(&child)),
            tag,
        };
        self.stop.add(watched.target);
        let stdout = child.stdout.take();
        let (last, ended, left) = std::thread::scope(|scope| {
            let reader = std::thread::Builder::new()
                .spawn_scoped(scope, || read_events(stdout, &first.log, on_event));
            let ended = child::wait(self.stop, &mut child, watched, first.limits);
            // First of all: what it left may hold its output open, and the reader waits for the end of that.
            let left = child::end_leftovers(self.supervisor, tag, &|event| on_event(0, event));
            let last = reader.map(|reader| reader.join().unwrap_or_default());
            (last, ended, left)
        });
        left?;
        let mut last =
            last.map_err(|e| Failure::new(format!("cannot listen to the worker: {e}"), ""))?;
        let (status, passed) =
            ended.map_err(|e| Failure::new(format!("cannot wait for the worker: {e}"), ""))?;
        let mut end = |(n, task): (usize, &Task<'_>)| {
            let last = last.remove(&n);
            if let Some(passed) = passed {
                return Err(over(passed, &task.job.stage, last));
            }
            let facts = conclude(last, status, &task.job.stage, self.stop.level() > 0)?;
            check_done(task)?;
            Ok(facts)
        };
        Ok(tasks.iter().enumerate().map(&mut end).collect())
    }

    fn spawn(&self, tasks: &[Task<'_>]) -> Result<(Child, Tag), Failure> {
        let first = &tasks[0];
        let log = open_log(first)?;
        let job_files = tasks.iter().map(write_job).collect::<Result<Vec<_>, _>>()?;
        let view = self.view(tasks);
        let (mut command, talk) = self.program(job_files, view.as_ref())?;
        let start = worker_env::Start {
            tf32: first.job.stage.is_tf32(),
            threads: first.job.threads,
            memory: first.limits.memory,
        };
        worker_env::set(&mut command, start);
        command
            .envs(first.visible.iter().map(|v| (DEVICES, v)))
            .stdout(Stdio::piped())
            .stderr(log);
        let fence = match (&view, self.walls.level()) {
            (Some(view), Level::Mounts) => Fence::Mounts(view),
            _ => Fence::None,
        };
        let spawned = self.supervisor.spawn(command, fence);
        let (mut child, tag) = spawned.map_err(|e| self.cannot_start(&e))?;
        if matches!(first.job.device, Device::Cuda(_)) {
            // Without it the worker does not find itself in what the driver lists, and asks the card as a whole.
            let _ = std::fs::write(
                first.ticket.state().join(Job::PROCESS),
                child.id().to_string(),
            );
        }
        if let Some(Err(error)) = talk.map(Talk::finish) {
            let _ = child.wait();
            child::end_leftovers(self.supervisor, tag, &|_| ())?;
            return Err(self.cannot_start(&error));
        }
        Ok((child, tag))
    }

    /// What is started, with nothing to read: the worker itself, or who builds walls around it first. It finds itself in this
    /// working folder, on which the paths of its job are based.
    fn program(
        &self,
        job_files: Vec<PathBuf>,
        view: Option<&View>,
    ) -> Result<(Command, Option<Talk>), Failure> {
        let program = Program {
            path: self.worker.clone().into_os_string(),
            name: self.worker.clone().into_os_string(),
            arguments: job_files.into_iter().map(PathBuf::into_os_string).collect(),
        };
        let made = match self.walls.level() {
            Level::Helper => Some(Made::OfMounts),
            Level::Rules => Some(Made::OfRules),
            Level::Mounts | Level::Unavailable(_) | Level::Off(_) => None,
        };
        let (mut command, talk) = if let Some((view, made)) = view.zip(made) {
            let helper = walls::helper_command(&program, view, made);
            let (helper, talk) = helper.map_err(|e| self.cannot_start(&e))?;
            (helper, Some(talk))
        } else {
            let mut program = program.command();
            program.stdin(Stdio::null());
            (program, None)
        };
        if view.is_some()
            && let Ok(here) = std::env::current_dir()
        {
            command.current_dir(here);
        }
        Ok((command, talk))
    }

    /// What the worker sees of the project, where there are walls around it: what its jobs name, to read, their tickets, to
    /// write, and the program with its libraries. A stage that reads the project folder itself has none: in there nothing
    /// could be hidden.
    fn view(&self, tasks: &[Task<'_>]) -> Option<View> {
        let opens = |task: &Task<'_>| {
            let stage = &self.pipeline.stages[task.stage];
            self.walls.opened_by(stage).is_some()
        };
        if !self.walls.level().is_enforced() || tasks.iter().any(opens) {
            return None;
        }
        let mut read: BTreeSet<PathBuf> = self
            .libraries
            .iter()
            .map(|at| self.library_home(at))
            .collect();
        read.extend([absolute(&self.worker), walls::real(&self.worker)]);
        let mut shown = Vec::new();
        for task in tasks {
            let job = task.job;
            read.extend(job.inputs.values().map(|path| absolute(path)));
            read.extend(job.start.as_deref().map(absolute));
            read.extend(self.outside(task));
            // The folder around both: a worker moves files from one into the other, which two mounts do not allow.
            let own = [task.ticket.out(), task.ticket.state()].map(|at| at.parent().unwrap_or(at));
            let decoded = job.decoded.as_ref().map(|decoded| decoded.folder.as_path());
            if let Some(decoded) = decoded {
                let _ = std::fs::create_dir_all(decoded); // without it nothing is kept, which the worker says
            }
            let written = own.into_iter().chain(decoded).map(absolute);
            shown.extend(written.map(Shown::writable));
        }
        shown.extend(placing::in_place(read));
        let variable = |name: &str| std::env::var_os(name);
        let mut view = self.walls.view(Path::new(""), &variable, shown);
        view.folders.extend(std::env::current_dir());
        let externals = tasks
            .iter()
            .flat_map(|task| &self.pipeline.stages[task.stage].external);
        let passed = externals.flat_map(|external| passed(&external.path));
        let is_hidden = |folder: &PathBuf| {
            let folder = walls::real(folder);
            folder.is_dir() && view.hidden.iter().any(|hidden| folder.starts_with(hidden))
        };
        let passed: BTreeSet<PathBuf> = passed.filter(is_hidden).collect();
        view.folders.extend(passed);
        Some(view)
    }

    /// What a stage reads outside: the files and folders that it names, and where links in these lead.
    fn outside(&self, task: &Task<'_>) -> BTreeSet<PathBuf> {
        let external = &self.pipeline.stages[task.stage].external;
        let mut paths: BTreeSet<PathBuf> = external.iter().map(|e| absolute(&e.path)).collect();
        let folders: Vec<PathBuf> = paths.iter().filter(|path| path.is_dir()).cloned().collect();
        for folder in &folders {
            paths.extend(placing::links_out_of(folder));
        }
        if let Outside::Planned(files) = &task.job.outside {
            let files = files.keys().map(|path| absolute(path));
            paths.extend(
                files.filter(|file| !folders.iter().any(|folder| file.starts_with(folder))),
            );
        }
        paths
    }

    /// What comes with a folder of libraries: with PyTorch's the packages beside it, in which CUDA's lie. A folder that cannot
    /// be shown does not: libtorch may lie in the project's own `lib`.
    fn library_home(&self, folder: &Path) -> PathBuf {
        let levels = if folder.ends_with("torch/lib") {
            2
        } else {
            usize::from(folder.ends_with("lib"))
        };
        let mut homes: Vec<&Path> = folder.ancestors().take(levels + 1).collect();
        homes.reverse();
        let home = homes.into_iter().find(|home| !self.walls.are_within(home));
        home.unwrap_or(folder).to_path_buf()
    }

    fn cannot_start(&self, error: &std::io::Error) -> Failure {
        Failure::new(
            format!("cannot start `{}`: {error}", self.worker.display()),
            "`pipeline doctor` says what is wrong with the worker",
        )
    }
}

fn absolute(path: &Path) -> PathBuf {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    spec::normal(&whole)
}

/// The folders that a path goes into and out of again, such as `small` of `small/../photos`: the system looks for them on the
/// way, so they have to be there, though nothing in them need be seen.
fn passed(path: &Path) -> Vec<PathBuf> {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let (mut at, mut passed) = (PathBuf::new(), Vec::new());
    for part in whole.components() {
        if part == Component::ParentDir {
            passed.push(at.clone());
            at.pop();
        } else {
            at.push(part);
        }
    }
    passed
}

/// What a stage's timeout or memory limit means. A training that had time to save says that it was interrupted; that
/// is not the whole truth here.
fn over(passed: Passed, kind: &Kind, last: Option<Event>) -> Failure {
    let mut failure = passed.failure(kind);
    if let Some(Event::Failed(report)) = last {
        failure.report.what.message =
            format!("{} ({})", failure.report.what.message, report.what.message);
    }
    failure
}

/// The log of a stage, to write on in.
pub(super) fn open_log(task: &Task<'_>) -> Result<File, Failure> {
    log::append(&task.log).map_err(|e| io_failure("create", &task.log, &e))
}

pub(super) fn io_failure(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    let hint = match error.kind() {
        std::io::ErrorKind::StorageFull => {
            "free some space and run the same command again; nothing that was finished is lost"
        }
        _ => "`pipeline doctor` says whether the cache folder can be written",
    };
    Failure::new(
        format!("cannot {what} `{}`: {error}", files::Name(path)),
        hint,
    )
}

/// Writes the job file of a task.
fn write_job(task: &Task<'_>) -> Result<PathBuf, Failure> {
    let path = task.ticket.state().join("job.json");
    let text = serde_json::to_vec_pretty(task.job)
        .map_err(|e| Failure::new(format!("the job cannot be written: {e}"), ""))?;
    std::fs::write(&path, text).map_err(|e| io_failure("write", &path, &e))?;
    Ok(path)
}

/// What the last event and the exit status mean together.
fn conclude(
    last: Option<Event>,
    status: ExitStatus,
    kind: &Kind,
    stopping: bool,
) -> Result<Facts, Failure> {
    match last {
        Some(Event::Failed(report)) => Err(Failure {
            report,
            ..Failure::default()
        }),
        Some(Event::Done { facts }) if status.success() => Ok(Facts(facts)),
        _ => {
            let mut failure = died(status, kind);
            failure.report.interrupted = stopping;
            Err(failure)
        }
    }
}

fn died(status: ExitStatus, kind: &Kind) -> Failure {
    use std::os::unix::process::ExitStatusExt;
    let next = child::next_time(kind);
    match status.signal() {
        Some(9) => {
            let less = kind
                .less_memory()
                .map_or_else(String::new, |l| format!("{l}, or "));
            let memory = "if nobody did that, memory ran out";
            Failure::new(
                "the worker was killed (SIGKILL)",
                format!("{memory}: {less}close other programs; {next}"),
            )
        }
        Some(signal) => Failure::new(format!("the worker died of signal {signal}"), next),
        None => Failure::new(
            format!("the worker ended without a result ({status})"),
            "see its log",
        ),
    }
}

/// Exit 0 is not success: the worker must have recorded that it ended as planned.
fn check_done(task: &Task<'_>) -> Result<(), Failure> {
    let path = task.ticket.state().join(Job::DONE);
    let text = files::read_to_string(&path, 1 << 16).unwrap_or_default();
    let done: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    if done.get("key").and_then(|k| k.as_str()) == Some(task.job.key.as_str()) {
        return Ok(());
    }
    Err(Failure::new(
        "the worker said it was done but left no completion record",
        "its log may say why; a full disk can do this",
    ))
}
