//! Which executor computes which stage: tables and figures in process, commands as they are, everything else in a worker.
//! Unaware of how either does it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use plan::Plan;
use report::figure::{self, Sources};
use report::robustness::{self, Pair};
use report::table::{self, Evaluation, ScoreFile};
use spec::kinds::{Report, Robustness, Scores, Table};
use spec::{Around, History, Pipeline, Runs};
use store::{Facts, Store};

use crate::run::{CommandExecutor, Failure, InPlace, OnEvent, OnEventOf, ProcessExecutor, Task};

/// All executors of this machine behind the one that `run` knows.
pub struct Executors<'a> {
    /// For stages that compute.
    pub process: Option<ProcessExecutor<'a>>,
    /// For tables and figures.
    pub reports: ReportExecutor<'a>,
    /// For commands.
    pub commands: CommandExecutor<'a>,
}

impl InPlace for Executors<'_> {
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
        match (task.job.stage.runs(), &self.process) {
            (Runs::Report(_), _) => self.reports.execute(task, on_event),
            (Runs::Program(_), _) => self.commands.execute(task, on_event),
            (Runs::Worker(_), Some(process)) => process.execute(task, on_event),
            (Runs::Worker(_), None) => Err(Failure::new(
                "there is no worker",
                "`pipeline doctor` says why",
            )),
        }
    }
}

/// Renders tables and draws figures in this process. Reads results of its inputs, and behind them what `spec::behind`
/// says: these alone are sealed.
pub struct ReportExecutor<'a> {
    /// The stages.
    pub pipeline: &'a Pipeline,
    /// Their keys.
    pub plan: &'a Plan,
    /// Their results.
    pub store: &'a Store,
}

impl InPlace for ReportExecutor<'_> {
    fn execute(&self, task: &Task<'_>, _on_event: &OnEvent<'_>) -> Result<Facts, Failure> {
        let out = task.ticket.out();
        let Runs::Report(report) = task.job.stage.runs() else {
            return Err(Failure::new("nothing that shows what others computed", ""));
        };
        match report {
            Report::Table(table) => {
                let (from, baseline) = self.evaluations(task.stage);
                table::write(
                    table,
                    &from,
                    &baseline,
                    &self.scores(task.stage, table),
                    out,
                )
                .map_err(|e| Failure::new(e.to_string(), e.hint()))?;
            }
            Report::Figure(figure) => {
                let missing = || Failure::new("an input has no key", "");
                let sources = self.sources(task.stage).ok_or_else(missing)?;
                figure::write(figure, &sources, out)
                    .map_err(|e| Failure::new(e.to_string(), e.hint()))?;
            }
            Report::Robustness(robustness) => {
                robustness::write(robustness, &self.mask_pairs(task.stage), out)
                    .map_err(|e| Failure::new(e.to_string(), e.hint()))?;
            }
        }
        Ok(Facts::new())
    }
}

impl ReportExecutor<'_> {
    fn around(&self, at: usize) -> Around<'_> {
        Around::new(self.pipeline, at)
    }

    /// What the table `at` shows, and what its Δ is taken to.
    pub fn evaluations(&self, at: usize) -> (Vec<Evaluation>, Vec<Evaluation>) {
        let stage = &self.pipeline.stages[at];
        let gather = |field: &str| {
            let evaluations = stage.inputs_of(field);
            evaluations.filter_map(|at| self.evaluation(at)).collect()
        };
        (gather("from"), gather("baseline"))
    }

    /// The files of the columns that commands have measured for the table `at`.
    fn scores(&self, at: usize, table: &Table) -> Vec<ScoreFile> {
        let stage = &self.pipeline.stages[at];
        let file = |(name, scores): (&String, &Scores)| {
            let from = stage.inputs_of(&format!("scores.{name}")).next()?;
            let key = self.plan.get(from).and_then(|p| p.key)?;
            Some(ScoreFile {
                name: name.clone(),
                path: self.store.output_dir(&key).join(&scores.file),
                column: scores.column.clone(),
                protocol: scores.protocol.clone(),
                stage: self.pipeline.stages[from].name.clone(),
                key: key.to_string(),
            })
        };
        table.scores.iter().filter_map(file).collect()
    }

    /// What the robustness table `at` compares; `spec` has made sure that each has one partner.
    fn mask_pairs(&self, at: usize) -> Vec<Pair> {
        let pairs = Robustness::pairs(&self.around(at)).into_iter();
        let pair = |(lq, hq): (usize, Vec<usize>)| {
            Some(Pair {
                labels: self.around(lq).labels(),
                lq: self.folder(lq)?,
                hq: self.folder(*hq.first()?)?,
            })
        };
        pairs.filter_map(pair).collect()
    }

    /// What the figure `at` shows.
    fn sources(&self, at: usize) -> Option<Sources> {
        let stage = &self.pipeline.stages[at];
        let tuned = stage.input("tuned")?;
        let of = |role: &str| self.pipeline.stages[tuned].input(role);
        Some(Sources {
            pairs: self.folder(of("images")?)?,
            masks: of("masks").and_then(|m| self.folder(m)),
            baseline: self.folder(stage.input("baseline")?)?,
            tuned: self.folder(tuned)?,
        })
    }

    fn evaluation(&self, at: usize) -> Option<Evaluation> {
        let stage = &self.pipeline.stages[at];
        let key = |at: usize| self.plan.get(at).and_then(|p| p.key);
        let model = stage.input("model")?;
        let images = stage.input("images")?;
        let own = key(at)?;
        let history = History::of(&self.around(model));
        let folders = |stages: Vec<usize>| stages.into_iter().filter_map(|s| self.folder(s));
        Some(Evaluation {
            labels: self.around(at).labels(),
            folder: self.store.output_dir(&own),
            key: own.to_string(),
            images: key(images)?.to_string(),
            backbone: format!("{:?}", self.around(model).architecture()?),
            facts: key(model).map(|k| self.numbers(&k)).unwrap_or_default(),
            training: self.training(model),
            iterations: self.pipeline.stages[model]
                .kind
                .schedule()
                .and_then(|schedule| schedule.iterations),
            pairs: self.folder(images)?,
            trained_on: folders(history.trained_on).collect(),
            stopped_by: folders(history.stopped_by).collect(),
        })
    }

    /// The outputs of a stage that trains.
    fn training(&self, at: usize) -> Option<PathBuf> {
        let trains = self.pipeline.stages[at].kind.schedule().is_some();
        self.folder(at).filter(|_| trains)
    }

    fn folder(&self, at: usize) -> Option<PathBuf> {
        let key = self.plan.get(at).and_then(|p| p.key)?;
        Some(self.store.output_dir(&key))
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
