//! Starts the processes of stages, and ends what they leave.
//! Unaware of what they compute.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitOptions, getpid, set_child_subreaper, waitpid};

use super::holders::{Holders, NotStarted, Start};
use super::init::{IN_NAMESPACE, READY, WORD};
use super::mutex::locked;
use super::namespace::{self, Namespace};
use super::processes::{self, Process};
use super::tag::{Tag, Tags, tagged};
use crate::run::text_busy::start_when_free;
use crate::run::walls::{Fence, View, restrict};

/// This program, even where its file has been replaced meanwhile.
const OWN: &str = "/proc/self/exe";

/// How long a killed namespace may take to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// Starts all processes of a run. Dropping it ends what they have left.
#[derive(Debug)]
pub struct Supervisor {
    tags: Tags,
    /// None where nothing is going to be started.
    cell: RwLock<Option<Cell>>,
    lock: Option<File>,
    /// Why there is no namespace.
    open: Option<String>,
    /// Commands that have started and not been looked after: their tags, and numbers from when they have one.
    active: Mutex<BTreeMap<Tag, Option<i32>>>,
    /// Who starts commands within walls, and holds these.
    holders: Holders,
}

/// What a command left behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leftovers {
    /// What was ended, by name and number.
    pub ended: Vec<String>,
    /// What could not be ended.
    pub living: Vec<String>,
}

impl Supervisor {
    /// `lock` is that of the run: the supervisor's process keeps a copy.
    pub fn start(lock: File) -> io::Result<Self> {
        let tags = Tags::new();
        let contained = if namespace::is_unwanted() {
            Err(io::Error::other("PIPELINE_NAMESPACE is `off`"))
        } else {
            Cell::start(true, &tags, &lock)
        };
        let (cell, open) = match contained {
            Ok(cell) => (cell, None),
            Err(error) => (Cell::start(false, &tags, &lock)?, Some(error.to_string())),
        };
        Ok(Self {
            tags,
            cell: RwLock::new(Some(cell)),
            lock: Some(lock),
            open,
            active: Mutex::default(),
            holders: Holders::default(),
        })
    }

    /// For a run that starts no processes: it costs nothing.
    pub fn idle() -> Self {
        Self {
            tags: Tags::new(),
            cell: RwLock::default(),
            lock: None,
            open: None,
            active: Mutex::default(),
            holders: Holders::default(),
        }
    }

    /// Why processes may outlive the run and its supervisor if both are killed; `None` in a namespace, where none can.
    pub fn why_open(&self) -> Option<&str> {
        self.open.as_deref()
    }

    /// Starts a process of a stage, within walls where it gets any.
    pub fn spawn(&self, command: Command, fence: Fence<'_>) -> io::Result<(Child, Tag)> {
        let tag = self.tags.next();
        locked(&self.active).insert(tag, None);
        let started = match self.try_spawn(command, tag, fence) {
            // No process can be started in a namespace whose PID 1 is gone: whoever killed it meant the stages of then.
            Err((error, command)) => match self.renew() {
                Ok(true) => self.try_spawn(*command, tag, fence),
                _ => Err((error, command)),
            },
            child => child,
        };
        if started.is_err() {
            locked(&self.active).remove(&tag);
        }
        match started {
            Ok(child) => Ok((child, tag)),
            Err((error, _)) => Err(error),
        }
    }

    fn try_spawn(
        &self,
        mut command: Command,
        tag: Tag,
        fence: Fence<'_>,
    ) -> Result<Child, NotStarted> {
        let cell = self.cell.read().unwrap_or_else(PoisonError::into_inner);
        let Some(cell) = cell.as_ref() else {
            let error = io::Error::other("this run was not going to start processes");
            return Err((error, Box::new(command)));
        };
        if let Fence::Mounts(view) = fence {
            let child = self.spawn_held(cell, command, tag, view)?;
            self.note(tag, &child);
            return Ok(child);
        }
        let mut start = || {
            let child = tagged(tag, || start_when_free(|| command.spawn()))?;
            // Before this thread ends: with it the command becomes a child of the first one, as orphans do.
            self.note(tag, &child);
            Ok(child)
        };
        let started = match (&cell.namespace, fence) {
            // A thread of its own: what it gives up it does not get back.
            (namespace, Fence::Rules(view)) => apart(|| {
                let enter = |namespace: &Arc<Namespace>| namespace.enter_for_good();
                namespace.as_ref().map_or(Ok(()), enter)?;
                restrict(view)?;
                start()
            }),
            (Some(namespace), _) => namespace.inside(start),
            (None, _) => start(),
        };
        started.map_err(|error| (error, Box::new(command)))
    }

    /// The thread that starts it lives as long as it does.
    fn spawn_held(
        &self,
        cell: &Cell,
        command: Command,
        tag: Tag,
        view: &View,
    ) -> Result<Child, NotStarted> {
        let namespace = match &cell.namespace {
            Some(namespace) => Arc::clone(namespace),
            None => match Namespace::of(None) {
                Ok(namespace) => Arc::new(namespace),
                Err(error) => return Err((error, Box::new(command))),
            },
        };
        let view = view.clone();
        self.holders.start(Start {
            namespace,
            view,
            command,
            tag,
        })
    }

    fn note(&self, tag: Tag, child: &Child) {
        locked(&self.active).insert(tag, Some(child.id().cast_signed()));
    }

    /// Starts another supervisor's process where the one before is dead.
    fn renew(&self) -> io::Result<bool> {
        let mut cell = self.cell.write().unwrap_or_else(PoisonError::into_inner);
        let is_dead = cell.as_mut().is_some_and(Cell::is_dead_or_dying);
        let Some(lock) = self.lock.as_ref().filter(|_| is_dead) else {
            return Ok(false);
        };
        *cell = Some(Cell::start(self.open.is_none(), &self.tags, lock)?);
        Ok(true)
    }

    /// Ends what a process that has ended left behind: its descendants, however they hide.
    pub fn end_leftovers(&self, tag: Tag) -> Leftovers {
        self.holders.release(tag);
        let orphans = self.orphans();
        let mut active = locked(&self.active);
        active.remove(&tag);
        if orphans.is_empty() {
            return Leftovers::default(); // nearly always
        }
        let is_alone = active.is_empty();
        drop(active);
        let is_of_a_run = |tag: u64| self.tags.all().contains(&tag);
        let whose = |pid: &i32| Some((*pid, Process::of(*pid).filter(|p| !p.is_dead)?.tag()));
        let owned = orphans.iter().filter_map(whose);
        let roots = owned.filter(|(_, found)| match found {
            Some(found) if is_of_a_run(*found) => *found == tag.0,
            // It has changed its limits: nobody else can have started it, or nobody knows.
            _ => is_alone,
        });
        let roots: Vec<i32> = roots.map(|(pid, _)| pid).collect();
        if roots.is_empty() {
            return Leftovers::default();
        }
        let (ended, living) = processes::end(&(tag.0..=tag.0), &roots);
        Leftovers { ended, living }
    }
}

impl Supervisor {
    /// The numbers of what has lost its parent. A command whose thread has ended looks like that, and is not: it is left
    /// to who waits for it.
    fn orphans(&self) -> Vec<i32> {
        let cell = self.cell.read().unwrap_or_else(PoisonError::into_inner);
        let Some(cell) = cell.as_ref() else {
            return Vec::new();
        };
        let mut orphans = cell.adopted();
        if cell.namespace.is_none() {
            let active = locked(&self.active); // after the look: what was there then is known by now
            orphans.retain(|pid| !active.values().any(|number| *number == Some(*pid)));
            drop(active);
            for pid in &orphans {
                reap(*pid, &self.tags);
            }
        }
        orphans
    }
}

/// Bytes of resident memory of a command and of all that it has started.
pub fn resident(tag: Tag, command: Pid) -> u64 {
    processes::resident(tag.0, command.as_raw_pid())
}

/// What `start` does in a thread that ends then.
fn apart<T: Send>(start: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    let started = std::thread::scope(|scope| scope.spawn(start).join());
    started.unwrap_or_else(|_| Err(io::Error::other("a panic, printed above")))
}

/// The process that looks after what is started, and where that is born.
#[derive(Debug)]
struct Cell {
    namespace: Option<Arc<Namespace>>,
    /// None where it could not be started without a namespace either.
    supervisor: Option<(Child, ChildStdin)>,
    /// Who adopts orphans, as the kernel lists its children.
    adopted: File,
}

impl Cell {
    fn start(is_contained: bool, tags: &Tags, lock: &File) -> io::Result<Self> {
        processes::remember_proc();
        let (first, lock) = (*tags.all().start(), lock.try_clone()?);
        // A thread of its own: what it enters it cannot leave.
        let begun = std::thread::spawn(move || begin(is_contained, first, lock)).join();
        let begun = begun.unwrap_or_else(|_| Err(io::Error::other("a panic, printed above")));
        let supervisor = match begun {
            Ok(supervisor) => Some(supervisor),
            Err(error) if is_contained => return Err(error),
            Err(_) => None, // only its lock is missing, for the moments in which its run dies
        };
        let namespace = match &supervisor {
            Some((child, _)) if is_contained => {
                Some(Arc::new(Namespace::of(Some(Pid::from_child(child)))?))
            }
            _ => None,
        };
        let adopter = if let (Some((child, _)), Some(_)) = (&supervisor, &namespace) {
            child.id()
        } else {
            set_child_subreaper(Some(getpid()))?;
            std::process::id()
        };
        Ok(Self {
            namespace,
            supervisor,
            adopted: File::open(format!("/proc/{adopter}/task/{adopter}/children"))?,
        })
    }

    /// The numbers of all children of who adopts orphans, but for the supervisor's process.
    fn adopted(&self) -> Vec<i32> {
        let text = read_again(&self.adopted).unwrap_or_default();
        let pids = text.split_whitespace().filter_map(|pid| pid.parse().ok());
        let own = self.supervisor.as_ref().map(|(child, _)| child.id());
        pids.filter(|pid: &i32| Some(pid.cast_unsigned()) != own)
            .collect()
    }

    fn is_dead(&mut self) -> bool {
        let supervisor = self.supervisor.as_mut();
        supervisor.is_some_and(|(child, _)| !matches!(child.try_wait(), Ok(None)))
    }

    /// A killed PID 1 has ended for those who wait for it only when all others of its namespace have; nothing can be
    /// started there before that either.
    fn is_dead_or_dying(&mut self) -> bool {
        let begin = Instant::now();
        let is_going = |cell: &mut Self| {
            let is_closed = cell.namespace.as_ref().is_some_and(|n| n.is_closed());
            is_closed && begin.elapsed() < PATIENCE
        };
        while !self.is_dead() {
            if !is_going(self) {
                return false;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        true
    }
}

impl Drop for Cell {
    fn drop(&mut self) {
        if let Some((mut child, pipe)) = self.supervisor.take() {
            drop(pipe);
            let _ = child.wait(); // it ends with the pipe
        }
    }
}

/// The text of a file of the kernel's, from its beginning.
fn read_again(file: &File) -> io::Result<String> {
    let (mut text, mut bytes) = (Vec::new(), [0; 512]);
    loop {
        match file.read_at(&mut bytes, text.len() as u64)? {
            0 => return Ok(String::from_utf8_lossy(&text).into_owned()),
            n => text.extend(&bytes[..n]),
        }
    }
}

/// A dead orphan that this process has adopted. Its tag tells it from what this process starts for itself and waits for.
fn reap(pid: i32, tags: &Tags) {
    let is_dead = Process::of(pid).filter(|process| process.is_dead);
    let tag = is_dead.and_then(|process| process.tag());
    let is_adopted = tag.is_some_and(|tag| tags.all().contains(&tag));
    if let Some(pid) = Pid::from_raw(pid).filter(|_| is_adopted) {
        let _ = waitpid(Some(pid), WaitOptions::NOHANG);
    }
}

/// Enters the namespace if there is to be one, and starts the supervisor's process.
fn begin(is_contained: bool, first: u64, lock: File) -> io::Result<(Child, ChildStdin)> {
    if is_contained {
        namespace::enter()?;
    }
    let mut child = Command::new(OWN)
        .arg0("pipeline")
        .args([WORD, if is_contained { IN_NAMESPACE } else { "tags" }])
        .arg(first.to_string())
        .stdin(Stdio::piped())
        .stdout(lock)
        .stderr(Stdio::piped())
        .process_group(0) // Ctrl-C is for the run
        .spawn()?;
    let mut said = Vec::new();
    if let Some(pipe) = child.stderr.take() {
        BufReader::new(pipe.take(1 << 16)).read_until(b'\n', &mut said)?;
    }
    match child.stdin.take() {
        Some(pipe) if said == READY => Ok((child, pipe)),
        _ => {
            let _ = child.kill();
            child.wait()?;
            Err(io::Error::other(
                String::from_utf8_lossy(&said).into_owned(),
            ))
        }
    }
}
