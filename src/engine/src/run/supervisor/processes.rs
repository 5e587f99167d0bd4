//! The processes of the machine by `/proc`: whose they are, what descends from them, and their end.
//! Unaware of why they are to end.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::ops::RangeInclusive;
use std::os::fd::OwnedFd;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rustix::fs::{Dir, Mode, OFlags};
use rustix::process::{
    Pid, PidfdFlags, Signal, kill_process, kill_process_group, pidfd_open, pidfd_send_signal,
};

use super::tag;

/// How long killed processes may take to end: one that is in the kernel for a bad disk does not end before it is out.
const PATIENCE: Duration = Duration::from_secs(10);

/// One look at a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub pid: i32,
    parent: i32,
    /// Tells it from a later one of the same number.
    started: u64,
    pub name: String,
    /// It has ended, and waits for its parent to ask how.
    pub is_dead: bool,
}

/// The `/proc` that was there when it was first asked for: threads that start stages see another one later.
fn proc_folder() -> Option<&'static OwnedFd> {
    static FOLDER: OnceLock<Option<OwnedFd>> = OnceLock::new();
    let open = || {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::open("/proc", flags, Mode::empty()).ok()
    };
    FOLDER.get_or_init(open).as_ref()
}

/// To be called before any thread sees another `/proc`.
pub(super) fn remember_proc() {
    let _ = proc_folder();
}

fn open(path: &str) -> Option<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    rustix::fs::openat(proc_folder()?, path, flags, Mode::empty()).ok()
}

fn read(path: &str) -> Option<String> {
    let mut text = Vec::new();
    File::from(open(path)?).read_to_end(&mut text).ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}

impl Process {
    /// A process that is there.
    pub fn of(pid: i32) -> Option<Self> {
        Self::parse(pid, &read(&format!("{pid}/stat"))?)
    }

    /// `12 (name) S parent group …`; the name may hold anything.
    fn parse(pid: i32, stat: &str) -> Option<Self> {
        let (head, rest) = stat.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split(' ').collect();
        let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
        // A first thread that has ended while others go on looks like a dead process, too.
        let is_dead = matches!(*fields.first()?, "Z" | "X") && number(17)? <= 1;
        Some(Self {
            pid,
            parent: fields.get(1)?.parse().ok()?,
            started: number(19)?,
            name: head.split_once('(')?.1.to_owned(),
            is_dead,
        })
    }

    pub fn tag(&self) -> Option<u64> {
        tag_of(self.pid)
    }

    /// Only this process and none that got its number meanwhile.
    fn kill(&self) {
        let Some(pid) = Pid::from_raw(self.pid) else {
            return;
        };
        let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else {
            if Self::of(self.pid).is_some_and(|now| now.started == self.started) {
                let _ = kill_process(pid, Signal::KILL); // it may have ended by itself
            }
            return;
        };
        if Self::of(self.pid).is_some_and(|now| now.started == self.started) {
            let _ = pidfd_send_signal(handle, Signal::KILL);
        }
    }
}

fn tag_of(pid: i32) -> Option<u64> {
    tag::in_limits(&read(&format!("{pid}/limits"))?)
}

/// All processes.
fn all() -> Vec<Process> {
    let folder = proc_folder().and_then(|folder| Dir::read_from(folder).ok());
    let entries = folder.into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str().ok()?.parse::<i32>().ok());
    pids.filter_map(Process::of).collect()
}

/// Bytes of resident memory of all processes with a tag, and of one and what descends from it.
pub(super) fn resident(tag: u64, root: i32) -> u64 {
    let family = family(&(tag..=tag), &[root]);
    family.iter().map(|p| resident_of(p.pid)).sum()
}

fn resident_of(pid: i32) -> u64 {
    let status = read(&format!("{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    let kib = line.and_then(|l| l.trim().split(' ').next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// The living ones with a tag of these, those of the given numbers, and all that descend from them.
fn family(tags: &RangeInclusive<u64>, roots: &[i32]) -> Vec<Process> {
    let all = all();
    let mut children: BTreeMap<i32, Vec<usize>> = BTreeMap::new();
    for (n, process) in all.iter().enumerate() {
        children.entry(process.parent).or_default().push(n);
    }
    let is_root =
        |p: &Process| roots.contains(&p.pid) || p.tag().is_some_and(|t| tags.contains(&t));
    let own = std::process::id().cast_signed();
    let mut open: Vec<usize> = (0..all.len()).filter(|n| is_root(&all[*n])).collect();
    let mut found = BTreeSet::new();
    while let Some(n) = open.pop() {
        if all[n].pid != own && found.insert(n) {
            open.extend(children.get(&all[n].pid).into_iter().flatten());
        }
    }
    let living = found.into_iter().filter(|n| !all[*n].is_dead);
    living.map(|n| all[n].clone()).collect()
}

/// Kills the family of these tags and numbers until none of it lives. The names of those that did, and those that still
/// do after a while.
pub(super) fn end(tags: &RangeInclusive<u64>, roots: &[i32]) -> (Vec<String>, Vec<String>) {
    let begin = Instant::now();
    let mut ended = BTreeSet::new();
    loop {
        let living = family(tags, roots);
        let names = |p: &Process| format!("{} (pid {})", p.name, p.pid);
        let shown: Vec<String> = living.iter().map(names).collect();
        if living.is_empty() || begin.elapsed() > PATIENCE {
            let ended = ended.into_iter().filter(|name| !shown.contains(name));
            return (ended.collect(), shown);
        }
        for process in &living {
            process.kill();
        }
        ended.extend(shown);
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Kills every process but this one, whatever they start meanwhile; for PID 1 of a namespace, where these are all there
/// are. Whether any still lives.
pub(super) fn kill_others() -> bool {
    // The group of number 1 stands for all processes: `kill(-1, …)`, one step that no fork outruns.
    let _ = kill_process_group(Pid::INIT, Signal::KILL);
    let own = std::process::id().cast_signed();
    all().iter().any(|p| p.pid != own && !p.is_dead)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    use super::*;
    use crate::run::supervisor::tag::{Tags, tagged};

    #[test]
    fn a_name_may_hold_anything() {
        let stat = format!(
            "7 (a) S 1 (b) Z 3 7 7 0 -1 {} 1 0 99 5",
            "0 ".repeat(11).trim()
        );
        let process = Process::parse(7, &stat).unwrap();
        assert_eq!((process.parent, process.started), (3, 99));
        assert_eq!(process.name, "a) S 1 (b");
        assert!(process.is_dead);
        assert_eq!(Process::parse(7, "7 (a) S"), None);
    }

    #[test]
    fn whoever_hides_is_ended_with_what_descends_from_it() {
        let tags = Tags::new();
        let (tag, other) = (tags.next(), tags.next());
        let script =
            "env -i setsid sleep 61 & (setsid nohup sleep 62 >/dev/null 2>&1 &) & sleep 63";
        let start = |script: &str| {
            Command::new("sh")
                .args(["-c", script])
                .process_group(0)
                .spawn()
        };
        let mut mine = tagged(tag, || start(script)).unwrap();
        let mut neighbour = tagged(other, || start("sleep 64; true")).unwrap();
        while family(&(tag.0..=tag.0), &[])
            .iter()
            .filter(|p| p.name == "sleep")
            .count()
            < 3
        {
            std::thread::sleep(Duration::from_millis(5));
        }
        let group = [neighbour.id().cast_signed()];
        while family(&(0..=0), &group).len() < 2 {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(resident(tag.0, 0) > 0);
        assert!(resident(0, mine.id().cast_signed()) > 0);
        let (ended, left) = end(&(tag.0..=tag.0), &[]);
        assert!(ended.len() >= 4, "{ended:?}");
        assert!(left.is_empty(), "{left:?}");
        assert!(!mine.wait().unwrap().success());
        assert!(neighbour.try_wait().unwrap().is_none());
        let (ended, _) = end(&(0..=0), &group);
        assert_eq!(ended.len(), 2, "the shell and its child: {ended:?}");
        neighbour.wait().unwrap();
    }
}
