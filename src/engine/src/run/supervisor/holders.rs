//! Threads that start commands within walls of mounts, and hold these until the commands have ended.
//! Unaware of what is mounted.
//!
//! ```text
//!   thread of a stage ── command, view ──> holder: enters, builds, starts
//!                    <── child ────────────┘
//!                     ── it has ended ───> leaves, and is free for another command when the mounts are off
//! ```
//!
//! The kernel takes the mounts of a namespace off when its last user goes, and lets that one wait for all processors: it
//! would be the command as it ends, and so who waits for it. An open file can hold them as well, but each process that is
//! started meanwhile has a copy of it for a moment, and may be the last.

use std::collections::BTreeMap;
use std::io;
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::Builder;

use super::mutex::locked;
use super::namespace::Namespace;
use super::tag::{Tag, tagged};
use crate::run::crew::Crew;
use crate::run::text_busy::start_when_free;
use crate::run::walls::View;

/// What is to be started.
#[derive(Debug)]
pub(super) struct Start {
    pub namespace: Arc<Namespace>,
    pub view: View,
    pub command: Command,
    pub tag: Tag,
}

/// A command that was not started.
pub(super) type NotStarted = (io::Error, Box<Command>);

/// A start, whom to answer, and what ends with the command.
#[derive(Debug)]
struct Order(Start, SyncSender<Result<Child, NotStarted>>, Receiver<()>);

/// The threads of a run.
#[derive(Debug, Default)]
pub(super) struct Holders {
    crew: Arc<Crew<Order>>,
    threads: Arc<Mutex<usize>>,
    /// What the holders of commands wait for: the end of these.
    held: Mutex<BTreeMap<Tag, Sender<()>>>,
}

/// Threads that take mounts off at most, beside those that hold commands; further commands wait for one of them.
const MOST: usize = 32;

impl Holders {
    /// Starts a command; [`Holders::release`] says that it has ended.
    pub fn start(&self, start: Start) -> Result<Child, NotStarted> {
        let tag = start.tag;
        let (answer, answered) = sync_channel(1);
        let (ends, ended) = channel();
        let running = {
            let mut held = locked(&self.held);
            held.insert(tag, ends);
            held.len()
        };
        if self.crew.give(Order(start, answer, ended)) {
            self.have_thread(running);
        }
        let lost = || {
            let error = io::Error::other("the thread that starts commands is gone");
            (error, Box::new(Command::new("")))
        };
        let child = answered.recv().unwrap_or_else(|_| Err(lost()));
        if child.is_err() {
            self.release(tag);
        }
        child
    }

    /// The command with this tag has ended.
    pub fn release(&self, tag: Tag) {
        locked(&self.held).remove(&tag);
    }

    /// Starts a thread, where more commands run than there are threads, or few are at taking mounts off.
    fn have_thread(&self, running: usize) {
        let mut threads = locked(&self.threads);
        if *threads >= running + MOST {
            return;
        }
        let (crew, counted) = (Arc::clone(&self.crew), Arc::clone(&self.threads));
        let serve = move || {
            while let Some(Order(start, answer, ended)) = crew.next() {
                let is_back = hold(start, &answer, &ended);
                if !is_back {
                    break; // whatever is started from in there would be within walls
                }
            }
            *locked(&counted) -= 1;
        };
        match Builder::new().name("holder".into()).spawn(serve) {
            Ok(_) => *threads += 1,
            Err(error) => {
                // Where others hold commands, one of them takes the order when it is free.
                let order = (*threads == 0).then(|| self.crew.take_back()).flatten();
                if let Some(Order(start, answer, _)) = order {
                    let _ = answer.send(Err((error, Box::new(start.command)))); // who asked waits for it
                }
            }
        }
    }
}

impl Drop for Holders {
    fn drop(&mut self) {
        self.crew.close();
    }
}

/// Whether this thread is back outside.
fn hold(
    start: Start,
    answer: &SyncSender<Result<Child, NotStarted>>,
    ended: &Receiver<()>,
) -> bool {
    let Start {
        namespace,
        view,
        mut command,
        tag,
    } = start;
    let entered = namespace.enter(Some(&view));
    let started = entered.and_then(|()| tagged(tag, || start_when_free(|| command.spawn())));
    let started = match started {
        Ok(child) => {
            drop(command); // and with it this process's ends of what the command talks through
            Ok(child)
        }
        Err(error) => Err((error, Box::new(command))),
    };
    let is_running = started.is_ok();
    let _ = answer.send(started); // who asked waits for it
    if is_running {
        let _ = ended.recv(); // an error: nobody will send anything, as the command has ended
    }
    namespace.leave().is_ok()
}
