//! A worker that is asked for something outside of any run: a folder for it, its start, its words, its end.
//! Unaware of what it is asked for.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use serde_json::Value;
use signal_hook::iterator::Signals;
use spec::{Device, Event, Said};

use super::{Exit, Fatal, signals};
use engine::run::{next_line, worker_env};
use engine::worker::{self, DeviceChoice};

/// What a worker says beside what it computed.
pub type Facts = BTreeMap<String, Value>;

/// A folder that is there while this lives.
pub struct Folder(PathBuf);

impl Folder {
    /// A new folder in `at`, called after `what` and this process.
    pub fn new(at: &Path, what: &str) -> Result<Self, Fatal> {
        let path = at.join(format!(".{what}-{}", std::process::id()));
        let watched = watched()?;
        std::fs::create_dir_all(&path).map_err(|e| cannot("create", &path, &e))?;
        *held(&watched.folder) = Some(path.clone());
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A folder in it, made where it is not there.
    pub fn below(&self, name: &str) -> Result<PathBuf, Fatal> {
        let path = self.0.join(name);
        std::fs::create_dir_all(&path).map_err(|e| cannot("create", &path, &e))?;
        Ok(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0); // it only costs room
    }
}

/// An error of the file system.
pub fn cannot(what: &str, path: &Path, error: &std::io::Error) -> Fatal {
    let path = files::Name(path);
    Fatal::failed(format!("cannot {what} `{path}`: {error}"), "")
}

/// The worker's program, and the device that is meant.
pub struct Worker {
    program: PathBuf,
    /// Where it is to compute.
    pub device: Device,
    /// How many threads it is to have.
    pub threads: usize,
}

impl Worker {
    /// The worker of this machine.
    pub fn find(choice: DeviceChoice) -> Result<Self, Fatal> {
        let program = worker::find()?;
        let facts = worker::facts(&program)?;
        Ok(Self {
            device: worker::device(choice, &facts)?,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            program,
        })
    }

    /// Starts it with these arguments, hands what it says to `tell`, and waits for its end. A signal that ends this
    /// process ends it first, so that what is in the way is removed. With `tf32`, products on CUDA are in TF32.
    pub fn ask(
        &self,
        arguments: &[&OsStr],
        tf32: bool,
        tell: &mut dyn FnMut(&Event),
    ) -> Result<Facts, Fatal> {
        let mut command = Command::new(&self.program);
        let start = worker_env::Start {
            tf32,
            threads: self.threads,
            memory: None,
        };
        worker_env::set(&mut command, start);
        let child = command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn();
        let mut child = child.map_err(|e| cannot("start", &self.program, &e))?;
        let out = child.stdout.take();
        let child = Arc::new(Mutex::new(child));
        let watched = watched()?;
        *held(&watched.child) = Some(Arc::clone(&child));
        let last = out.and_then(|out| follow(out, tell));
        let status = held(&child).wait();
        *held(&watched.child) = None;
        let status = status.map_err(|e| cannot("wait for", &self.program, &e))?;
        if watched.signalled.load(Ordering::Relaxed) {
            let mut interrupted = Fatal::failed("interrupted", "nothing was written");
            interrupted.exit = Exit::Interrupted;
            return Err(interrupted);
        }
        match last {
            Some(Event::Done { facts }) if status.success() => Ok(facts),
            Some(Event::Failed(report)) => {
                Err(Fatal::failed(report.what.message, report.what.hint))
            }
            _ => Err(Fatal::failed(
                format!("the worker ended without a result ({status})"),
                "memory may have run out",
            )),
        }
    }
}

/// Hands on what the worker says; its last word.
fn follow(out: ChildStdout, tell: &mut dyn FnMut(&Event)) -> Option<Event> {
    let mut last = None;
    let mut out = BufReader::new(out);
    while let Some(line) = next_line(&mut out) {
        match serde_json::from_str::<Said>(&line).map(|said| said.event) {
            Ok(event @ (Event::Done { .. } | Event::Failed(_))) => last = Some(event),
            Ok(event) => tell(&event),
            Err(_) => {}
        }
    }
    last
}

/// What a signal ends: the worker that computes, or, where none does, this process and the folder that it works in.
#[derive(Default)]
struct Watched {
    child: Mutex<Option<Arc<Mutex<Child>>>>,
    folder: Mutex<Option<PathBuf>>,
    signalled: AtomicBool,
}

/// Watches from the first question on. What `nohup` has ignored stays ignored.
fn watched() -> Result<&'static Watched, Fatal> {
    static WATCHED: OnceLock<Watched> = OnceLock::new();
    static BEGIN: Mutex<bool> = Mutex::new(false);
    let watched = WATCHED.get_or_init(Watched::default);
    let mut has_begun = held(&BEGIN);
    if !*has_begun {
        let mut signals = Signals::new(signals::ending())
            .map_err(|e| Fatal::failed(format!("cannot watch for signals: {e}"), ""))?;
        std::thread::spawn(move || {
            for signal in signals.forever() {
                watched.end(signal);
            }
        });
        *has_begun = true;
    }
    Ok(watched)
}

impl Watched {
    fn end(&self, signal: i32) {
        let child = held(&self.child).clone();
        if let Some(child) = child {
            self.signalled.store(true, Ordering::Relaxed);
            let _ = held(&child).kill(); // one that has ended needs none
            return;
        }
        if let Some(folder) = held(&self.folder).as_ref() {
            let _ = std::fs::remove_dir_all(folder); // it only costs room
        }
        let _ = signal_hook::low_level::emulate_default_handler(signal); // and with it this process
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
