//! Which executor computes which stage: tables in process, commands as they are, everything else in a worker.
//! Unaware of how either does it.

use std::collections::BTreeMap;

use spec::{Kind, Pipeline, labels};
use store::{Facts, Store};

use crate::plan::Plan;
use crate::report::{self, Evaluation};
use crate::run::{CommandExecutor, Executor, Failure, OnEvent, OnEventOf, ProcessExecutor, Task};

/// Both executors behind the one that `run` knows.
pub struct Executors<'a> {
    /// For stages that compute.
    pub process: Option<ProcessExecutor<'a>>,
    /// For tables.
    pub tables: TableExecutor<'a>,
    /// For commands.
    pub commands: CommandExecutor<'a>,
}

impl Executor for Executors<'_> {
    /// Only stages of a worker share anything.
    fn execute_together(
        &self,
        tasks: &[Task<'_>],
        on_event: &OnEventOf<'_>,
    ) -> Vec<Result<Facts, Failure>> {
        if let Some(process) = &self.process {
            return process.execute_together(tasks, on_event);
        }
        let one = |task| self.execute(task, &|_| ());
        tasks.iter().map(one).collect()
    }

    fn execute(&self, task: &Task<'_>, on_event: &OnEvent<'_>) -> Result<Facts, Failure> {
        match (&task.job.stage, &self.process) {
            (Kind::Table(_), _) => self.tables.execute(task, on_event),
            (Kind::Command(_), _) => self.commands.execute(task, on_event),
            (_, Some(process)) => process.execute(task, on_event),
            (_, None) => Err(Failure::new(
                "there is no worker",
                "`pipeline doctor` says why",
            )),
        }
    }
}

/// Renders tables in this process.
pub struct TableExecutor<'a> {
    /// The stages.
    pub pipeline: &'a Pipeline,
    /// Their keys.
    pub plan: &'a Plan,
    /// Their results.
    pub store: &'a Store,
}

impl Executor for TableExecutor<'_> {
    fn execute(&self, task: &Task<'_>, _on_event: &OnEvent<'_>) -> Result<Facts, Failure> {
        let Kind::Table(table) = &task.job.stage else {
            return Err(Failure::new("not a table", ""));
        };
        let stage = &self.pipeline.stages[task.stage];
        let gather = |field: &str| {
            stage
                .inputs_of(field)
                .filter_map(|at| self.evaluation(at))
                .collect()
        };
        let (from, baseline): (Vec<Evaluation>, Vec<Evaluation>) =
            (gather("from"), gather("baseline"));
        report::write(table, &from, &baseline, task.ticket.out()).map_err(|e| {
            Failure::new(
                e.to_string(),
                "free space if the disk is full, and run again",
            )
        })?;
        Ok(Facts::new())
    }
}

impl TableExecutor<'_> {
    fn evaluation(&self, at: usize) -> Option<Evaluation> {
        let stage = &self.pipeline.stages[at];
        let key = |at: usize| self.plan.get(at).and_then(|p| p.key);
        let model = stage.input("model")?;
        let own = key(at)?;
        Some(Evaluation {
            labels: labels::of(self.pipeline, at),
            folder: self.store.output_dir(&own),
            key: own.to_string(),
            images: stage.input("images").and_then(key)?.to_string(),
            backbone: format!("{:?}", labels::architecture(self.pipeline, model)?),
            facts: key(model).map(|k| self.numbers(&k)).unwrap_or_default(),
        })
    }

    /// The recorded facts of a key that are numbers.
    fn numbers(&self, key: &store::Key) -> BTreeMap<String, f64> {
        let record = self.store.record(key).ok().flatten();
        let facts = record.map(|r| r.facts.0).unwrap_or_default();
        facts
            .into_iter()
            .filter_map(|(name, value)| value.as_f64().map(|v| (name, v)))
            .collect()
    }
}
