//! From the command line to a stage, or a batch of them: reads jobs, sets the process up, catches what goes wrong.
//! Unaware of what the stages compute.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rustix::process::{Signal, set_parent_process_death_signal};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use spec::{Device, Event, Job, Restoration};

use super::facts::FactMap;
use super::gpu_memory::GpuWatch;
use super::reporter::Reporter;
use super::{WorkError, files, mask, stage};
use crate::nn::{checkpoint, cuda, kernels};

/// The whole of the worker's `main`.
pub fn main() -> ExitCode {
    let words = std::env::args_os().skip(1);
    let arguments: Vec<String> = words.map(|w| w.to_string_lossy().into_owned()).collect();
    match arguments
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["--facts"] => facts(),
        ["--version"] => print(&format!("pipeline-worker {}", env!("CARGO_PKG_VERSION"))),
        ["--inspect", path] => inspect(Path::new(path)),
        ["--restore", path] => restore(Path::new(path)),
        [_, ..] if !arguments.iter().any(|a| a.starts_with('-')) => work(&arguments),
        _ => {
            let usage = "usage: pipeline-worker JOB.json… | --restore WORK.json | --inspect FILE | --facts | --version (it is started by `pipeline run`)";
            let _ = writeln!(std::io::stderr(), "{usage}");
            ExitCode::from(2)
        }
    }
}

fn print(text: &str) -> ExitCode {
    let written = writeln!(std::io::stdout(), "{text}");
    if written.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn facts() -> ExitCode {
    cuda::load();
    let facts = cuda::facts();
    let name = |i: usize| {
        facts
            .names
            .get(i)
            .cloned()
            .unwrap_or_else(|| "CUDA device".into())
    };
    let devices: Vec<String> = (0..usize::try_from(facts.devices).unwrap_or(0))
        .map(name)
        .collect();
    let (kernels, kernels_error) = match kernels::choose() {
        Ok(kernels) => (kernels.to_string(), None),
        Err(why) => (String::new(), Some(why)),
    };
    let value = serde_json::json!({
        "version": env!("CARGO_PKG_VERSION"), "libtorch": facts.libtorch, "cuda_devices": devices,
        "kernels": kernels, "kernels_error": kernels_error, "processor": kernels::Processor::here().to_string(),
        "libraries": libraries(),
    });
    print(&value.to_string())
}

/// Folders of libraries that walls leave open: where this program was told to look, and what the kernel has mapped.
fn libraries() -> BTreeSet<String> {
    let maps = ::files::read_to_string(Path::new("/proc/self/maps"), 1 << 24).unwrap_or_default();
    let mapped = maps
        .lines()
        .filter_map(|line| Some(&line[line.find('/')?..]));
    let mapped = mapped.filter(|path| path.contains(".so"));
    let folders = mapped.filter_map(|path| Path::new(path).parent()?.to_str().map(str::to_owned));
    folders
        .chain(option_env!("PIPELINE_LIBRARIES").map(str::to_owned))
        .collect()
}

/// What a file of weights holds, as JSON; an error is JSON too.
fn inspect(path: &Path) -> ExitCode {
    let surveyed = catch(|| checkpoint::survey(path).map_err(|e| WorkError::from_library(&e)));
    let failed = surveyed.is_err();
    let value = match surveyed {
        Ok(survey) => serde_json::to_value(survey).unwrap_or_default(),
        Err(error) => {
            let report = error.report();
            serde_json::json!({"error": report.what.message, "hint": report.what.hint})
        }
    };
    let printed = print(&value.to_string());
    if failed { ExitCode::FAILURE } else { printed }
}

/// Restores the photographs that this file names; what became of them, events say.
fn restore(path: &Path) -> ExitCode {
    die_with_parent();
    let stop = Arc::new(AtomicBool::new(false));
    let reporter = Reporter::new(Arc::clone(&stop), 0);
    let result = catch(|| {
        watch_signals(&stop)?;
        let work = decode(path, Restoration::decode)?;
        set_up(work.threads, work.device)?;
        let mut facts = super::restore::run(&work, &reporter)?;
        if let Some(mib) = peak_memory_mib() {
            facts.insert("peak_memory_mib".into(), mib.into());
        }
        Ok(facts)
    });
    let code = if result.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    };
    reporter.send(&match result {
        Ok(facts) => Event::Done { facts },
        Err(error) => Event::Failed(error.report()),
    });
    code
}

/// Does the jobs of these files. The process has failed where none of them succeeded; what became of each, events say.
fn work(paths: &[String]) -> ExitCode {
    die_with_parent();
    let stop = Arc::new(AtomicBool::new(false));
    let reporters: Vec<Reporter> = (0..paths.len())
        .map(|job| Reporter::new(Arc::clone(&stop), job))
        .collect();
    let results = catch(|| {
        watch_signals(&stop)?;
        let jobs = read_jobs(paths)?;
        set_up(jobs[0].threads, jobs[0].device)?;
        Ok(run(&jobs, &reporters))
    });
    let results =
        results.unwrap_or_else(|error| paths.iter().map(|_| Err(error.clone())).collect());
    let succeeded = results.iter().any(Result::is_ok);
    for (result, reporter) in results.into_iter().zip(&reporters) {
        reporter.send(&match result {
            Ok(facts) => Event::Done { facts },
            Err(error) => Event::Failed(error.report()),
        });
    }
    if succeeded {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// What became of each job. What was computed and cannot be recorded as ended has failed.
fn run(jobs: &[Job], reporters: &[Reporter]) -> Vec<Result<FactMap, WorkError>> {
    let gpu = jobs
        .first()
        .and_then(|job| GpuWatch::begin(job.device, &job.state));
    let results = match (jobs, reporters) {
        ([job], [reporter]) => vec![stage(job, reporter)],
        _ => batch(jobs, reporters),
    };
    let ended = |(result, job): (Result<FactMap, WorkError>, &Job)| {
        let mut facts = result?;
        if let Some(mib) = peak_memory_mib() {
            facts.insert("peak_memory_mib".into(), mib.into());
        }
        if let Some(kernels) = kernels::used().filter(|_| job.device == Device::Cpu) {
            facts.insert("kernels".into(), kernels.to_string().into());
        }
        if let Some(gpu) = &gpu {
            gpu.tell(&mut facts);
        }
        finish(job)?;
        Ok(facts)
    };
    results.into_iter().zip(jobs).map(ended).collect()
}

/// Stages that share an expensive start: masks by one SAM. Others share nothing and come one by one.
fn batch(jobs: &[Job], reporters: &[Reporter]) -> Vec<Result<FactMap, WorkError>> {
    mask::together(jobs, reporters).unwrap_or_else(|| {
        let each = jobs.iter().zip(reporters);
        each.map(|(job, reporter)| stage(job, reporter)).collect()
    })
}

/// The orchestrator's death is ours: a stage nobody waits for would only keep its key locked.
fn die_with_parent() {
    let parent = rustix::process::getppid();
    // Where the kernel cannot do it the worker goes on alone, and its lock keeps others waiting until it ends.
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    if rustix::process::getppid() != parent {
        std::process::exit(1);
    }
}

/// The signals of a terminal come to this process as they do to the orchestrator. One that was to be ignored (`nohup`)
/// stays ignored.
fn watch_signals(stop: &Arc<AtomicBool>) -> Result<(), WorkError> {
    let ignored = ignored_signals();
    for signal in [SIGINT, SIGTERM, SIGHUP, SIGQUIT] {
        if ignored & (1 << (signal - 1)) != 0 {
            continue;
        }
        signal_hook::flag::register(signal, Arc::clone(stop))
            .map_err(|e| WorkError::new(format!("cannot watch for signals: {e}"), ""))?;
    }
    Ok(())
}

/// A bit for each signal that whoever started this process had it ignore.
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|l| l.strip_prefix("SigIgn:"));
    mask.and_then(|m| u64::from_str_radix(m.trim(), 16).ok())
        .unwrap_or(0)
}

fn read_jobs(paths: &[String]) -> Result<Vec<Job>, WorkError> {
    let each = paths.iter();
    each.map(|path| decode(Path::new(path), Job::decode))
        .collect()
}

/// What a file asks for, by what understands its text.
fn decode<T>(path: &Path, of: impl Fn(&str) -> Result<T, String>) -> Result<T, WorkError> {
    let wrong = |why: String| {
        let message = format!("cannot read the job `{}`: {why}", ::files::Name(path));
        WorkError::new(
            message,
            "jobs are written by `pipeline` of the same version",
        )
    };
    let text = ::files::read_to_string(path, Job::LONGEST).map_err(|e| wrong(e.to_string()))?;
    of(&text).map_err(wrong)
}

fn set_up(threads: usize, device: Device) -> Result<(), WorkError> {
    tch::set_num_threads(i32::try_from(threads.max(1)).unwrap_or(1));
    tch::set_num_interop_threads(1);
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .map_err(|e| WorkError::new(format!("cannot start threads: {e}"), ""))?;
    kernels::choose().map_err(|why| {
        let hint = format!("unset {} to have the program choose", kernels::VARIABLE);
        WorkError::new(why, hint)
    })?;
    if let Device::Cuda(index) = device {
        let loaded = cuda::load();
        if !tch::Cuda::is_available() {
            let message = format!("cuda:{index} cannot be used ({loaded:?})");
            return Err(WorkError::new(
                message,
                "`pipeline doctor` says why; `--device cpu` works without",
            ));
        }
    }
    Ok(())
}

/// The record that the stage ended as planned, which `pipeline` asks for beside exit 0.
fn finish(job: &Job) -> Result<(), WorkError> {
    let value = serde_json::json!({"key": job.key});
    files::write(&job.state.join(Job::DONE), value.to_string().as_bytes())
}

/// Runs `body`; a panic (tch's shorthand operations panic on a wrong shape or when memory is short) becomes an error
/// with the part of its message that a person can read.
fn catch<T>(body: impl FnOnce() -> Result<T, WorkError>) -> Result<T, WorkError> {
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
    caught.unwrap_or_else(|panic| Err(WorkError::of_panic(&*panic)))
}

/// The most memory this process had, as the kernel counts.
fn peak_memory_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some((kib / 1024.0).round())
}
