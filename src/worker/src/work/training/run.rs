//! The training loop.
//! Unaware of whether a backbone or SPT units are trained.

use std::collections::BTreeMap;
use std::time::Instant;

use artifacts::{ModelCard, SptCard, steps};
use spec::kinds::Schedule;
use spec::names::Weights as Handed;
use spec::{Device, Event, Job};
use tch::Tensor;
use tch::nn::VarStore;

use super::batch::{Batches, Data};
use super::state::State;
use super::step::step;
use super::validation::{Best, Validation};
use crate::nn::{Adam, adam, kernels, params};
use crate::work::facts::FactMap;
use crate::work::model::{self, Model};
use crate::work::{Reporter, WorkError, files, numbers};

/// Trained tensors by name.
type Weights = BTreeMap<String, Tensor>;

/// A training, ready to begin.
pub(in crate::work) struct Training<'a> {
    /// The network, with the weights it starts from.
    pub model: Model,
    /// Its SPT units, if it has any: then they alone are trained.
    pub card: Option<SptCard>,
    /// What `model.json` calls this training.
    pub scheme: &'a str,
    /// How long and how.
    pub schedule: &'a Schedule,
    /// Folders.
    pub job: &'a Job,
    /// Who is told.
    pub reporter: &'a Reporter,
}

/// Trains to the end of the schedule, from the last checkpoint if there is one, and writes the result.
pub(in crate::work) fn run(training: &Training<'_>) -> Result<FactMap, WorkError> {
    let Training {
        model,
        schedule,
        job,
        reporter,
        ..
    } = training;
    numbers::check(schedule.precision, job.device)?;
    let folder = files::input(job, "images")?;
    let masks = job.inputs.get("masks").map(std::path::PathBuf::as_path);
    let data = Data {
        images: folder,
        masks: masks.zip(model.masks()),
        keep: job.decoded.as_ref(),
    };
    let batches = Batches::open(data, schedule, model::device(job.device), reporter)?;
    let validation = Validation::open(schedule, job)?;
    let mut state = begin(model, schedule);
    let initial = initial(&state, schedule);
    resume(&mut state, job, reporter);
    tell_of_kernels(&state, reporter);
    let began_at = state.iteration;
    let limit = schedule.limit();
    let mut pace = Pace::new(&state, job.checkpoint_seconds);

    if state.iteration == 0 && state.log.is_empty() {
        state.log.push_str(steps::HEADER);
        if let Some(validation) = &validation {
            state
                .log
                .push_str(&steps::first_line(validation.psnr(model)?));
        }
    }
    let mut feed = batches.feed(state.iteration, limit, job.threads)?;
    let waited = state.waited;
    while state.iteration < limit && !state.converged {
        let lr = learning_rate(schedule, state.iteration);
        let batch = feed.take()?.ok_or_else(ran_dry)?;
        state.waited = waited + feed.waited();
        feed.notes()
            .into_iter()
            .for_each(|note| reporter.note(note));
        let loss = step(model, &mut state, &batch, schedule, lr)?;
        state.iteration += 1;
        if job.device == Device::Cpu {
            state.computed_with(kernels::used());
        }

        let psnr = match &validation {
            Some(v) if v.due(state.iteration, limit) => {
                Some(validate(v, model, schedule, &mut state)?)
            }
            _ => None,
        };
        state
            .log
            .push_str(&steps::line(state.iteration, loss, lr, psnr));
        reporter.progress(&pace.event(&state, limit, loss, psnr, schedule.patches()));

        let ended = state.iteration == limit || state.converged;
        if !ended && (reporter.stopping() || pace.checkpoint_due()) {
            state.seconds = pace.seconds();
            state.save(&job.state, &job.key)?;
            pace.saved();
            if reporter.stopping() {
                return Err(WorkError::interrupted(format!(
                    "stopped at iteration {} of {limit}",
                    state.iteration
                )));
            }
        }
    }
    state.seconds = pace.seconds();
    leave(&state, job, reporter);
    let mut facts = finish(training, &state, initial)?;
    facts.insert("began_at_iteration".into(), began_at.into());
    Ok(facts)
}

/// What cannot happen: batches are made up to the last iteration.
fn ran_dry() -> WorkError {
    WorkError::new("there are no more batches", "this is a defect of pipeline")
}

/// The state before the first iteration. Only what is trained asks for gradients.
pub(super) fn begin(model: &Model, schedule: &Schedule) -> State {
    let stores: [Option<&VarStore>; 2] = [model.units.as_ref(), Some(&model.backbone)];
    let trained = stores.iter().flatten().next();
    let trainable = trained
        .map(|store| params::named(store))
        .unwrap_or_default();
    if model.units.is_some() {
        for tensor in params::named(&model.backbone).values() {
            let _ = tensor.set_requires_grad(false);
        }
    }
    let [beta1, beta2] = schedule.betas;
    let adam = Adam::new(
        &trainable,
        adam::Config {
            beta1,
            beta2,
            ..adam::Config::default()
        },
    );
    State {
        trainable,
        adam,
        iteration: 0,
        best: Best::default(),
        best_weights: None,
        log: String::new(),
        seconds: 0.0,
        waited: 0.0,
        converged: false,
        kernels: Vec::new(),
    }
}

/// Says where the choice of kernels is another than the training was computed with so far: on another processor, mostly.
fn tell_of_kernels(state: &State, reporter: &Reporter) {
    let choice = kernels::choice().to_string();
    if let Some(last) = state.kernels.last().filter(|last| **last != choice) {
        reporter.note(format!(
            "going on with other kernels ({choice}) than before ({last}): no machine makes these bytes in one go"
        ));
    }
}

fn resume(state: &mut State, job: &Job, reporter: &Reporter) {
    let found = state.resume(&job.state, &job.key);
    for (path, why) in &found.damaged {
        // It would be kept as the one before the next.
        let _ = std::fs::remove_file(path);
        reporter.note(format!("a checkpoint is damaged and was dropped: {why}"));
    }
    if found.resumed {
        return reporter.note(match found.damaged.as_slice() {
            [] => format!("going on from iteration {}", state.iteration),
            _ => format!(
                "going on from iteration {}, where the checkpoint before it was written",
                state.iteration
            ),
        });
    }
    if !found.damaged.is_empty() {
        reporter.note("no checkpoint is whole; starting anew");
    }
    let (Some(folder), Some(trajectory)) = (&job.start, &job.trajectory) else {
        return;
    };
    let found = state.resume(folder, trajectory);
    for (_, why) in found.damaged {
        reporter.note(format!(
            "the state of a shorter training is damaged and not used: {why}"
        ));
    }
    if found.resumed {
        // It may have ended because it had converged; this one goes by its number of iterations.
        state.converged = false;
        reporter.note(format!(
            "starting from iteration {}, where a shorter training with the same settings ended",
            state.iteration
        ));
    }
}

/// Leaves the state for longer trainings. It is worth only time, so a failure is said and forgotten.
fn leave(state: &State, job: &Job, reporter: &Reporter) {
    let Some(trajectory) = &job.trajectory else {
        return;
    };
    let folder = job.state.join(Job::LAST);
    // What an earlier try left there would be kept as the state before this one.
    let _ = std::fs::remove_dir_all(&folder);
    let saved = std::fs::create_dir_all(&folder)
        .map_err(|e| WorkError::io("create", &folder, &e))
        .and_then(|()| state.save(&folder, trajectory));
    if let Err(error) = saved {
        reporter.note(format!(
            "longer trainings cannot start from this one: {error}"
        ));
        let _ = std::fs::remove_dir_all(&folder);
    }
}

/// Halved every `halve_every` iterations.
fn learning_rate(schedule: &Schedule, iteration: u64) -> f64 {
    let halvings = i32::try_from(iteration / schedule.halve_every).unwrap_or(i32::MAX);
    schedule.lr * 0.5_f64.powi(halvings)
}

fn validate(
    validation: &Validation,
    model: &Model,
    schedule: &Schedule,
    state: &mut State,
) -> Result<f64, WorkError> {
    let psnr = validation.psnr(model)?;
    let better = state
        .best
        .take(psnr, state.iteration, schedule.until.as_ref());
    // Kept even where the last ones are handed on: a longer training may start from this one and want the best.
    if better {
        let copies = state
            .trainable
            .iter()
            .map(|(n, t)| (n.clone(), params::owned_copy(t)));
        state.best_weights = Some(copies.collect());
    }
    state.converged = state.best.converged(schedule.until.as_ref());
    Ok(psnr)
}

/// The weights that a training begins with, where they may be handed on. Those of a training that goes on from a
/// checkpoint too: they are what it began with, not what the checkpoint holds.
fn initial(state: &State, schedule: &Schedule) -> Option<Weights> {
    let copies = state
        .trainable
        .iter()
        .map(|(n, t)| (n.clone(), params::owned_copy(t)));
    (schedule.weights() == Handed::BestOrInitial).then(|| copies.collect())
}

/// PSNR of the validation before the first iteration; minus infinity where there was none.
fn initial_psnr(log: &str) -> f64 {
    let line = log.lines().nth(1).and_then(|l| l.strip_prefix("0,,,"));
    let psnr = line.and_then(|text| text.parse().ok());
    psnr.unwrap_or(f64::NEG_INFINITY)
}

/// Writes the weights that the schedule asks for, what they are, and the curve.
fn finish(
    training: &Training<'_>,
    state: &State,
    initial: Option<Weights>,
) -> Result<FactMap, WorkError> {
    let Training {
        model,
        card,
        scheme,
        schedule,
        job,
        ..
    } = training;
    let best = schedule.weights() != Handed::Last;
    let won = initial.filter(|_| !state.best.is_above(initial_psnr(&state.log)));
    let (kept, at) = match (&won, &state.best_weights) {
        (Some(weights), _) => (Some(weights), (0, initial_psnr(&state.log))),
        (None, weights) => (weights.as_ref(), (state.best.iteration, state.best.psnr)),
    };
    if let (true, Some(weights)) = (best, kept) {
        for (name, param) in &state.trainable {
            params::overwrite(param, &weights[name]);
        }
    }
    let trainable: usize = state.trainable.values().map(Tensor::numel).sum();
    let validated = state.best.psnr.is_finite();
    let card = ModelCard {
        architecture: model.architecture.clone(),
        spt: card.clone(),
        scheme: (*scheme).to_owned(),
        iterations: Some(if best && validated {
            at.0
        } else {
            state.iteration
        }),
        iterations_run: Some(state.iteration),
        trainable: Some(trainable as u64),
        parameters: model.parameters(),
        validation_psnr: (best && validated).then_some(at.1),
    };
    model::save(&job.out, &model.snapshot(), &card)?;
    steps::write(&job.out, &state.log)?;
    let mut facts = FactMap::from([
        ("training_seconds".into(), state.seconds.into()),
        ("data_wait_seconds".into(), state.waited.into()),
        ("iterations_run".into(), state.iteration.into()),
        ("converged".into(), state.converged.into()),
    ]);
    let now = kernels::used().map(|choice| choice.to_string());
    let before = state
        .kernels
        .iter()
        .filter(|choice| Some(*choice) != now.as_ref());
    let before: Vec<&str> = before.map(String::as_str).collect();
    if !before.is_empty() {
        facts.insert("kernels_before".into(), before.into());
    }
    Ok(facts)
}

/// How fast the training is, and when it is time for a checkpoint.
struct Pace {
    begin: Instant,
    before: f64,
    first: u64,
    last_save: Instant,
    every: f64,
    psnr: Option<f64>,
}

impl Pace {
    fn new(state: &State, every: f64) -> Self {
        let now = Instant::now();
        Self {
            begin: now,
            before: state.seconds,
            first: state.iteration,
            last_save: now,
            every,
            psnr: None,
        }
    }

    /// Seconds of training, those before this process included.
    fn seconds(&self) -> f64 {
        self.before + self.begin.elapsed().as_secs_f64()
    }

    fn checkpoint_due(&self) -> bool {
        self.last_save.elapsed().as_secs_f64() >= self.every
    }

    fn saved(&mut self) {
        self.last_save = Instant::now();
    }

    fn event(
        &mut self,
        state: &State,
        limit: u64,
        loss: f64,
        psnr: Option<f64>,
        patches: u32,
    ) -> Event {
        self.psnr = psnr.or(self.psnr);
        let steps = (state.iteration - self.first) as f64;
        let rate = steps * f64::from(patches) / self.begin.elapsed().as_secs_f64().max(1e-6);
        Event::Progress {
            step: state.iteration,
            total: limit,
            unit: "iteration".into(),
            loss: Some(loss),
            psnr: self.psnr,
            images_per_second: Some(rate),
        }
    }
}
