//! A stage between its claim and its commit: what it reads is sealed, and nothing is committed that read anything else.
//! Unaware of how a stage computes, and of what earlier tries have left.

use std::time::Instant;

use spec::Device;
use store::{Digest, Facts, Record, Ticket};

use super::attempt::{Finish, Member};
use super::by_content;
use super::context::Run;
use super::event::Origin;
use super::executor::{Order, Watching};
use super::failure::Failure;
use super::inputs::Inputs;
use super::slots::Allocation;
use plan::Planned;

pub(super) struct Sealed {
    pub at: usize,
    pub order: Order,
    pub ticket: Ticket,
    pub inputs: Inputs,
    pub outside: Box<dyn Watching>,
    pub begin: Instant,
}

impl Sealed {
    pub fn new(
        run: &Run<'_>,
        member: Member,
        planned: &Planned,
        allocation: &Allocation,
        ticket: Ticket,
    ) -> Result<Self, Failure> {
        let at = member.at;
        let kind = &run.pipeline.stages[at].kind;
        // What shows others' results changes nothing, so there is nothing to find out on copies.
        let inputs = Inputs::seal(
            (run.pipeline, run.plan),
            run.store,
            at,
            &ticket,
            member.own_copies && !kind.is_report(),
        )?;
        let outside = (run.watch)(at).map_err(|message| Failure::new(message, CHANGED))?;
        let consumed = inputs.consumed();
        let content_key = by_content::content_key(run, at, &planned.manifest, &consumed);
        let order = Order {
            kind: kind.name(),
            manifest: planned.manifest.clone(),
            required: kind.outputs(),
            facts: allotted(run, allocation)
                .with_consumed(&consumed)
                .with_content_key(&content_key),
        };
        Ok(Self {
            at,
            order,
            ticket,
            inputs,
            outside,
            begin: Instant::now(),
        })
    }

    /// A stored result of the same configuration over the same bytes; its outputs then lie in the folder of the ticket.
    pub fn of_same_bytes(&self, run: &Run<'_>) -> Result<Option<Record>, Failure> {
        by_content::find(run, self.at, &self.order, &self.ticket)
    }

    /// Commits the outputs of another record, which lie in the ticket's folder. Seconds, memory and host are those of the
    /// stage that ran.
    pub fn keep_copy(self, run: &Run<'_>, from: Record) -> Result<Finish, Failure> {
        self.unchanged(run)?;
        let begin = self.begin;
        self.commit_with(run, from.facts.copied_from(&from.key))?;
        Ok(Finish {
            seconds: begin.elapsed().as_secs_f64(),
            origin: Origin::SameInputs(from.key),
        })
    }

    /// Commits what lies in the ticket's folder, with what was found out and what was allotted.
    pub fn commit(self, run: &Run<'_>, mut facts: Facts) -> Result<(), Failure> {
        facts.0.extend(self.order.facts.0.clone());
        self.commit_with(run, facts)
    }

    fn commit_with(self, run: &Run<'_>, facts: Facts) -> Result<(), Failure> {
        let Order {
            kind,
            manifest,
            required,
            ..
        } = self.order;
        run.committer
            .commit(self.ticket, kind, &manifest, required, facts)?;
        Ok(())
    }

    /// Whether everything that the stage read is as it was when the stage began.
    pub fn unchanged(&self, run: &Run<'_>) -> Result<(), Failure> {
        let outside = self.outside.unchanged();
        outside.map_err(|message| Failure::new(message, CHANGED))?;
        self.inputs.unchanged(run.pipeline)
    }

    /// A digest that stays while these very files are all that the stage reads.
    pub fn fingerprint(&self) -> Digest {
        let inside = self.inputs.fingerprint();
        match self.outside.fingerprint() {
            Some(outside) => Digest::of(format!("{inside}\n{outside}\n").as_bytes()),
            None => inside,
        }
    }
}

/// What to do when something outside is not as it was.
pub(super) const CHANGED: &str =
    "run again; results are only kept when their inputs stayed as they were";

/// What the stage may use, as it is recorded.
fn allotted(run: &Run<'_>, allocation: &Allocation) -> Facts {
    Facts::new()
        .with("threads", allocation.threads)
        .with("device", device_name(run, allocation))
}

fn device_name(run: &Run<'_>, allocation: &Allocation) -> String {
    let name = |gpu: &usize| format!("cuda:{}", run.gpus[*gpu]);
    match allocation.gpus.as_slice() {
        [] => Device::Cpu.to_string(),
        gpus => gpus.iter().map(name).collect::<Vec<_>>().join(" "),
    }
}
