//! A worker that is asked for something outside of any run: a folder for it, its start, its words, its end.
//! Unaware of what it is asked for.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};
use spec::{Device, Event, Said};

use super::{Exit, Fatal};
use engine::run::next_line;
use engine::worker::{self, DeviceChoice};

/// What a worker says beside what it computed.
pub type Facts = BTreeMap<String, Value>;

/// A folder that is there while this lives.
pub struct Folder(PathBuf);

impl Folder {
    /// A new folder in `at`, called after `what` and this process.
    pub fn new(at: &Path, what: &str) -> Result<Self, Fatal> {
        let path = at.join(format!(".{what}-{}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(|e| cannot("create", &path, &e))?;
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
    /// process ends it first, so that what is in the way is removed.
    pub fn ask(&self, arguments: &[&OsStr], tell: &mut dyn FnMut(&Event)) -> Result<Facts, Fatal> {
        let child = Command::new(&self.program)
            .args(arguments)
            .env("NVIDIA_TF32_OVERRIDE", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn();
        let mut child = child.map_err(|e| cannot("start", &self.program, &e))?;
        let out = child.stdout.take();
        let child = Arc::new(Mutex::new(child));
        let watch = Watch::begin(&child)?;
        let last = out.and_then(|out| follow(out, tell));
        let status = held(&child).wait();
        let status = status.map_err(|e| cannot("wait for", &self.program, &e))?;
        if watch.end() {
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

/// Ends the worker at a signal.
struct Watch {
    handle: Handle,
    thread: std::thread::JoinHandle<()>,
    signalled: Arc<AtomicBool>,
}

impl Watch {
    fn begin(child: &Arc<Mutex<Child>>) -> Result<Self, Fatal> {
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])
            .map_err(|e| Fatal::failed(format!("cannot watch for signals: {e}"), ""))?;
        let handle = signals.handle();
        let signalled = Arc::new(AtomicBool::new(false));
        let (raised, child) = (Arc::clone(&signalled), Arc::clone(child));
        let thread = std::thread::spawn(move || {
            for _ in signals.forever() {
                raised.store(true, Ordering::Relaxed);
                let _ = held(&child).kill(); // one that has ended needs none
            }
        });
        Ok(Self {
            handle,
            thread,
            signalled,
        })
    }

    /// Whether there was a signal.
    fn end(self) -> bool {
        self.handle.close();
        let _ = self.thread.join();
        self.signalled.load(Ordering::Relaxed)
    }
}

fn held(child: &Mutex<Child>) -> MutexGuard<'_, Child> {
    child.lock().unwrap_or_else(PoisonError::into_inner)
}
