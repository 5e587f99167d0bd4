//! What a stage reads out of the cache: sealed before it starts, looked at again when it has ended.
//! Unaware of how the stage computes, and of when it is tried again.
//!
//! ```text
//!   claim ── seal each input (as committed or verified) ──> execute ──> unchanged? ──> commit
//!                 │ not whole                                             │ no
//!                 v                                                       v
//!           aside, made again, one more try        checkpoints go; the input aside if its bytes are others, made again;
//!                                                  one more try, on copies of its own: what changes these is this stage
//! ```
//!
//! The links of a command (`inputs: link`) lead into the cache, so it can write there, and a second reader that runs at
//! that time reads what it wrote. At the end neither is known to be the one; the try on copies says which.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use plan::Plan;
use spec::{Behind, Content, Job, Pipeline, behind};
use store::{Bytes, Digest, Key, Seal, Status, Store, StoreError, Ticket};

use super::failure::{Again, Failure};

/// How long a result may take to be published before it can be moved aside.
const PATIENCE: Duration = Duration::from_secs(30);

/// The inputs of a stage that is about to run, and what a report reads behind them.
pub struct Inputs {
    store: Store,
    all: Vec<Input>,
    /// Whether the stage reads copies of its own.
    own_copies: bool,
}

struct Input {
    stage: usize,
    role: String,
    key: Key,
    folder: PathBuf,
    /// The only file of it that is read; `None` where any may be.
    file: Option<&'static str>,
    /// Whether it is not an input, but behind one.
    is_behind: bool,
    seal: Seal,
}

/// A result that is not whole.
struct Broken {
    stage: usize,
    key: Key,
    presence: Status,
}

impl Inputs {
    /// Seals the inputs of stage `at`, or copies of them, and what it reads behind them.
    pub(super) fn seal(
        (pipeline, plan): (&Pipeline, &Plan),
        store: &Store,
        at: usize,
        ticket: &Ticket,
        own_copies: bool,
    ) -> Result<Self, Failure> {
        let inputs = pipeline.stages[at].inputs.iter();
        let inputs = inputs.map(|edge| Input::seal(plan, store, edge.stage, &edge.role, None));
        let behind = behind(pipeline, at).into_iter();
        let behind = behind.map(|Behind { role, stage, part }| {
            let input = Input::seal(plan, store, stage, &role, part.file())?;
            Some(input.map(Input::behind))
        });
        let (mut all, mut broken) = (Vec::new(), Vec::new());
        for sealed in inputs.chain(behind).flatten() {
            match sealed {
                Ok(input) => all.push(input),
                Err(found) => broken.push(found),
            }
        }
        if !broken.is_empty() {
            return Err(not_whole(pipeline, store, &broken));
        }
        if own_copies {
            for (n, input) in all.iter_mut().enumerate() {
                let copied = input.copy(store, ticket, n);
                copied.map_err(|error| input.why_not_copied(pipeline, store, error))?;
            }
        }
        Ok(Self {
            store: store.clone(),
            all,
            own_copies,
        })
    }

    /// Where the stage reads each role.
    pub(super) fn folders(&self) -> BTreeMap<String, PathBuf> {
        let inputs = self.all.iter().filter(|input| !input.is_behind);
        let folder = |input: &Input| (input.role.clone(), input.folder.clone());
        inputs.map(folder).collect()
    }

    /// The weights among what the stage reads, with what they hold.
    pub(super) fn weights(&self) -> impl Iterator<Item = (PathBuf, Content)> {
        let inputs = self.all.iter().filter(|input| !input.is_behind);
        inputs.filter_map(|input| {
            let Bytes { digest, size } = input.seal.bytes(Job::WEIGHTS)?;
            let digest = digest.to_string();
            Some((input.folder.join(Job::WEIGHTS), Content { digest, size }))
        })
    }

    /// What the stage consumes, by role.
    pub(super) fn consumed(&self) -> BTreeMap<String, Digest> {
        let content = |input: &Input| (input.role.clone(), input.seal.content());
        self.all.iter().map(content).collect()
    }

    /// A digest that stays while these very files are the inputs.
    pub(super) fn fingerprint(&self) -> Digest {
        let line = |input: &Input| format!("{}\t{}\n", input.role, input.seal.fingerprint());
        Digest::of(self.all.iter().map(line).collect::<String>().as_bytes())
    }

    /// Whether every input is as it was sealed. Changes nothing.
    pub fn are_whole(&self) -> bool {
        let is_whole = |input: &Input| self.store.changes(&input.seal).is_empty();
        self.all.iter().all(is_whole)
    }

    /// Whether every input is as it was sealed. If not, the failure of a stage that read something else than its key says.
    pub(super) fn unchanged(&self, pipeline: &Pipeline) -> Result<(), Failure> {
        let changes = |input: &Input| self.store.changes(&input.seal);
        let changed = self.all.iter().map(|input| (input, changes(input)));
        let changed: Vec<_> = changed.filter(|(_, files)| !files.is_empty()).collect();
        if changed.is_empty() {
            return Ok(());
        }
        let name = |input: &Input| &pipeline.stages[input.stage].name;
        let shown = |(input, files): &(&Input, Vec<String>)| {
            format!("`{}`: {}", name(input), some_of(files))
        };
        let shown = changed.iter().map(shown).collect::<Vec<_>>().join("; ");
        if self.own_copies {
            let hint = "it wrote through a link; with `inputs: copy` it has files of its own, up to 64 MiB, and larger ones it \
                        can copy itself. It ran on a copy, and the input itself is whole";
            return Err(Failure::new(format!("it changed its input {shown}"), hint));
        }
        let mut failure = Failure::new(
            format!("its input was changed while it ran: {shown}"),
            "results are kept only when their inputs stayed as they were; keep other programs from writing into the \
             cache, and run again",
        );
        let damaged = changed.iter().filter(|(input, files)| {
            let presence = || damage(&self.store, input, files);
            let is_damaged = || presence().is_some();
            // What was still to be published when it was looked at has turned out whole, perhaps.
            let is_same = || {
                let now = self.store.seal(&input.key);
                now.is_ok_and(|now| now.content() == input.seal.content())
            };
            presence().is_some_and(|seen| {
                move_aside(&self.store, &input.key, &seen, is_damaged) && !is_same()
            })
        });
        let mut inputs: Vec<usize> = damaged.map(|(input, _)| input.stage).collect();
        inputs.sort_unstable();
        inputs.dedup(); // it may stand behind several roles
        failure.again = Some(Again {
            inputs,
            own_copies: true,
        });
        Err(failure)
    }
}

impl Input {
    /// Seals what fills a role; `None` where that has no key.
    fn seal(
        plan: &Plan,
        store: &Store,
        stage: usize,
        role: &str,
        file: Option<&'static str>,
    ) -> Option<Result<Self, Broken>> {
        let key = plan.get(stage).and_then(|planned| planned.key)?;
        let sealed = match file {
            Some(file) => store.seal_file(&key, file),
            None => store.seal(&key),
        };
        let seal = match sealed {
            Ok(seal) => seal,
            Err(presence) => {
                return Some(Err(Broken {
                    stage,
                    key,
                    presence,
                }));
            }
        };
        store.settle(&seal);
        Some(Ok(Self {
            stage,
            role: role.to_owned(),
            folder: store.output_dir(&key),
            key,
            file,
            is_behind: false,
            seal,
        }))
    }

    fn behind(self) -> Self {
        Self {
            is_behind: true,
            ..self
        }
    }

    fn copy(&mut self, store: &Store, ticket: &Ticket, n: usize) -> Result<(), Failure> {
        self.folder = ticket.own_inputs().join(n.to_string());
        self.seal = store.seal_copy(&self.seal, &self.folder)?;
        Ok(())
    }

    /// What was sealed a moment ago may have been replaced before it was copied.
    fn why_not_copied(&self, pipeline: &Pipeline, store: &Store, error: Failure) -> Failure {
        if store.changes(&self.seal).is_empty() {
            return error;
        }
        let gone = Broken {
            stage: self.stage,
            key: self.key,
            presence: Status::Absent,
        };
        not_whole(pipeline, store, &[gone])
    }
}

/// What is wrong with the bytes of an input, and not with its times alone. An added folder without files is no part of a
/// record, so only the seal knows that it does not belong there.
fn damage(store: &Store, input: &Input, changed: &[String]) -> Option<Status> {
    let sealed = match input.file {
        Some(file) => store.seal_file(&input.key, file),
        None => store.seal_anew(&input.key),
    };
    let added: Vec<String> = changed
        .iter()
        .filter(|name| !input.seal.holds(name))
        .cloned()
        .collect();
    match sealed {
        Err(presence) => Some(presence),
        // Another result of the same key has names of its own.
        Ok(now) if now.content() != input.seal.content() => None,
        Ok(_) => (!added.is_empty()).then_some(Status::Damaged(added)),
    }
}

/// The failure of a stage whose inputs are not there as they should: they are made again first.
fn not_whole(pipeline: &Pipeline, store: &Store, broken: &[Broken]) -> Failure {
    let shown = |broken: &Broken| {
        let is_broken = || store.is_broken(&broken.key);
        move_aside(store, &broken.key, &broken.presence, is_broken);
        let what = match &broken.presence {
            Status::Damaged(files) => format!("damaged: {}", some_of(files)),
            Status::Missing(files) => format!("gone: {}", some_of(files)),
            Status::Absent | Status::Fresh(_) => "its result is gone".to_owned(),
        };
        format!("`{}` ({what})", pipeline.stages[broken.stage].name)
    };
    let shown: Vec<String> = broken.iter().map(shown).collect();
    let mut failure = Failure::new(
        format!(
            "its input is not what was stored any more: {}",
            shown.join("; ")
        ),
        "keep other programs from writing into the cache, and run again",
    );
    let mut inputs: Vec<usize> = broken.iter().map(|broken| broken.stage).collect();
    inputs.sort_unstable();
    inputs.dedup(); // it may stand behind several roles
    failure.again = Some(Again {
        inputs,
        own_copies: false,
    });
    failure
}

/// Moves a result out of the way that is not what was stored, if it `is_broken` still: another run may have made it anew.
/// One that is still being published is waited for; one that another process holds is that one's to judge. Whether the
/// stage has to be asked for it again.
fn move_aside(store: &Store, key: &Key, seen: &Status, is_broken: impl Fn() -> bool) -> bool {
    if matches!(seen, Status::Fresh(_)) {
        return false;
    }
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        match store.quarantine_if(key, &is_broken) {
            // Published, or given up, in a moment.
            Err(StoreError::Busy { .. }) if store.is_pending(key) => {
                std::thread::sleep(Duration::from_millis(5));
            }
            _ => break,
        }
    }
    true
}

/// The first few names.
fn some_of(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let first = names.iter().take(SHOWN).map(String::as_str);
    let first = first.collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

#[cfg(test)]
mod tests;
