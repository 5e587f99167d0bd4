//! What all commands on a pipeline file have in common: the file understood, the machine known, the plan made.
//! Unaware of what it is for, and of how the file was named.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use spec::kinds::KeyPart;
use spec::{Device, Kind, Limits, Pipeline, Request, Runs, Stage};
use store::{Key, Prefetch, Store, StoreError};

use diagnostics::{Diagnostic, Severity};
use plan::{Outside, Plan, World};

use crate::error::Error;
use crate::gather::{self, Gathered};
use crate::notice::Tell;
use crate::past::CachedPast;
use crate::run::cuda_env::DEVICES;
use crate::run::find_program;
use crate::run::walls::Walls;
use crate::worker::{self, DeviceChoice};
use crate::{inside, keep_decoded, root};

/// What a session is opened for.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// How the program was called, for commands that are printed.
    pub program: String,
    /// The pipeline file.
    pub file: PathBuf,
    /// The folder that holds cache/ and reports/; the one above `pipelines/`, else the file's own, where none is named.
    pub root: Option<PathBuf>,
    /// The wanted stages by names and patterns; all when empty.
    pub stages: Vec<String>,
    /// Stages that run even if they are fresh.
    pub force: Vec<String>,
    /// `path=value`, over the file.
    pub overrides: Vec<String>,
    /// Where torch stages compute.
    pub device: DeviceChoice,
    /// Whether results stay that were made from other bytes of their inputs.
    pub keep_consumers: bool,
    /// Whether the file's warnings are left out.
    pub quiet: bool,
}

/// A pipeline on this machine, ready to be planned again and again.
pub struct Session {
    /// What it was opened for.
    pub options: Options,
    /// The file, understood.
    pub pipeline: Pipeline,
    /// The cache.
    pub store: Store,
    /// Why the cache is open for reading only, where writing was asked for.
    pub denied: Option<StoreError>,
    /// The folder that holds cache/ and reports/.
    pub root: PathBuf,
    /// Where torch stages compute.
    pub device: Device,
    /// The CUDA devices to give out, as the worker counts them; none on the processor.
    pub gpus: Vec<usize>,
    /// How `CUDA_VISIBLE_DEVICES` names each device that the worker counts.
    pub visible: Vec<String>,
    /// How that enters keys.
    pub numerics: String,
    /// The worker, unless only tables are wanted and there is none.
    pub worker: Option<PathBuf>,
    /// Its facts.
    pub facts: Option<worker::WorkerFacts>,
    /// The wanted stages; all when empty.
    pub wanted: BTreeSet<usize>,
    /// What stands around the project while commands run.
    pub walls: Walls,
    /// From how many bytes on trainings keep images decoded in the cache; none where they never do.
    pub keep_decoded: Option<u64>,
    force: BTreeSet<usize>,
    pub(crate) keep_consumers: bool,
    gathered: Gathered,
    tell: Box<Tell>,
}

/// Whether the cache is going to be written, and whether anything is computed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// By `run`: what it computes on has to be there.
    Write,
    /// By what notes something beside results, such as pins; nothing is computed.
    Note,
    /// By `plan`.
    Read,
}

impl Session {
    /// Reads the file, asks for the worker's facts, digests what is outside.
    pub fn open(options: &Options, access: Access, tell: Box<Tell>) -> Result<Self, Error> {
        let root = options
            .root
            .clone()
            .unwrap_or_else(|| root::of_file(&options.file));
        let here = std::env::current_dir()
            .map_err(|e| Error::failed(format!("the working folder is gone: {e}"), ""))?;
        let root = spec::normal(&here.join(root));
        root::check(&root, options.root.as_deref())?;
        let walls = walls(&root)?;
        let keep_decoded = keep_decoded::above()?;
        let ahead = Prefetch::begin(&root::cache(&root), &options.file);
        let mut pipeline = load(options, &root)?;
        if !options.quiet {
            pipeline.warnings.first.iter().for_each(&tell);
        }
        pipeline.lay_out(&root, &here)?;
        inside::check(&pipeline, &root)?;
        let (store, denied) = match access {
            Access::Write | Access::Note => writable(ahead, &root::cache(&root))?,
            Access::Read => (ahead.open_read_only()?, None),
        };
        if store.format_was_lost() {
            let text = "cache/format was lost or damaged; it is written again, since the records are whole";
            tell(&notice(Severity::Note, text));
        }
        programs(&mut pipeline, &store);
        let wanted = targets(&pipeline, &options.stages)?;
        let force = targets(&pipeline, &options.force)?;
        let (worker, facts) = known_worker(&pipeline)?;
        let (device, numerics) = match &facts {
            Some(facts) => {
                let device = match access {
                    Access::Write => worker::device(options.device, facts)?,
                    Access::Note | Access::Read => worker::device_to_read(options.device, facts),
                };
                (device, worker::numerics(device, facts))
            }
            None => (Device::Cpu, String::new()),
        };
        let gpus = match &facts {
            Some(facts) => worker::gpus(options.device, device, facts),
            None => Vec::new(),
        };
        let visible = worker::visible(std::env::var(DEVICES).ok(), facts.as_ref());
        let gathered = gather::gather(&pipeline.stages, &store);
        Ok(Self {
            options: options.clone(),
            pipeline,
            store,
            denied,
            root,
            device,
            gpus,
            visible,
            numerics,
            worker,
            facts,
            wanted,
            walls,
            keep_decoded,
            force,
            keep_consumers: options.keep_consumers,
            gathered,
            tell,
        })
    }

    /// Warns whoever shows what happens.
    pub fn warn(&self, text: &str) {
        self.tell(Severity::Warning, text);
    }

    /// Tells whoever shows what happens.
    pub fn tell(&self, severity: Severity, text: &str) {
        (self.tell)(&notice(severity, text));
    }

    /// An error where the cache may only be read.
    pub fn check_writable(&mut self) -> Result<(), Error> {
        self.denied
            .take()
            .map_or(Ok(()), |denied| Err(denied.into()))
    }

    /// What the outside paths of all stages hold.
    pub const fn outside(&self) -> &Outside {
        &self.gathered.outside
    }

    /// What stage `at` does not read of its folders, in words.
    pub fn left(&self, at: usize) -> Vec<&str> {
        let external = self.pipeline.stages[at].external.iter();
        let left = external.filter_map(|external| {
            let at = (external.listing.clone(), external.path.clone());
            self.gathered.left.get(&at).map(String::as_str)
        });
        left.collect()
    }

    /// The plan as things stand now.
    pub fn plan(&self) -> Plan {
        let past = CachedPast::new(&self.store, self.pipeline_path());
        let world = World {
            outside: self.outside(),
            numerics: &self.numerics,
            cpu_bf16: worker::has_bf16(),
            past: &past,
            force: &self.force,
            keep_consumers: self.keep_consumers,
        };
        let mut wanted = self.wanted.clone();
        if !wanted.is_empty() {
            wanted.extend(&self.force);
        }
        Plan::new(&self.pipeline, &wanted, &world)
    }

    /// The plan of all stages of the file, where `plan` is of those that were asked for alone.
    pub fn plan_of_all(&self, plan: &Plan) -> Option<Plan> {
        let is_whole = plan.stages.len() == self.pipeline.stages.len();
        (!is_whole).then(|| self.plan_as(&self.numerics))
    }

    /// The plan as it would be with this numerics class.
    pub fn plan_as(&self, numerics: &str) -> Plan {
        let past = CachedPast::new(&self.store, self.pipeline_path());
        let world = World {
            outside: self.outside(),
            numerics,
            cpu_bf16: worker::has_bf16(),
            past: &past,
            force: &BTreeSet::new(),
            keep_consumers: false,
        };
        Plan::new(&self.pipeline, &BTreeSet::new(), &world)
    }

    /// The numerics classes that results of this program may have here: of the processor and of CUDA.
    pub fn all_numerics(&self) -> Vec<String> {
        match &self.facts {
            Some(facts) => [Device::Cpu, Device::Cuda(0)]
                .map(|device| worker::numerics(device, facts))
                .to_vec(),
            None => vec![String::new()],
        }
    }

    /// The plan of what is stored of the other kind of device, the processor or CUDA, and that device's name; none where
    /// a device was asked for.
    pub fn plan_of_other_device(&self) -> Option<(&'static str, Plan)> {
        let facts = self.facts.as_ref()?;
        if self.options.device != DeviceChoice::Auto {
            return None;
        }
        let (name, other) = match self.device {
            Device::Cpu => ("cuda", Device::Cuda(0)),
            Device::Cuda(_) => ("cpu", Device::Cpu),
        };
        Some((name, self.plan_as(&worker::numerics(other, facts))))
    }

    /// Keys of all stages, on the processor and on CUDA, and of the trajectories of trainings.
    pub fn all_keys(&self) -> Vec<Key> {
        let mut keys = Vec::new();
        for numerics in self.all_numerics() {
            for planned in &self.plan_as(&numerics).stages {
                keys.extend(planned.key);
                keys.extend(planned.trajectory());
            }
        }
        keys
    }

    /// The name under which the file's last keys are kept.
    pub fn pipeline_path(&self) -> PathBuf {
        std::fs::canonicalize(&self.pipeline.file).unwrap_or_else(|_| self.pipeline.file.clone())
    }
}

fn notice(severity: Severity, text: &str) -> Diagnostic {
    Diagnostic {
        severity,
        ..Diagnostic::error("notice", text, "")
    }
}

/// The cache for writing; where that is not allowed, for reading, and why.
fn writable(ahead: Prefetch, cache: &Path) -> Result<(Store, Option<StoreError>), Error> {
    match ahead.open() {
        Ok(store) => Ok((store, None)),
        Err(denied @ StoreError::Denied { .. }) => match Store::open_read_only(cache) {
            Ok(store) => Ok((store, Some(denied))),
            Err(_) => Err(denied.into()),
        },
        Err(error) => Err(error.into()),
    }
}

/// Whether a file lies in the project, wherever links lead.
fn is_own(file: &Path, root: &Path, main: &Path) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    let Some(file) = real(file) else { return false };
    [real(root), real(&root::of_file(main))]
        .into_iter()
        .flatten()
        .any(|folder| file.starts_with(folder))
}

fn load(options: &Options, root: &Path) -> Result<Pipeline, Error> {
    // A value that is not UTF-8 is not one that is missing: who asks for it is told.
    let text = |value: OsString| {
        value
            .into_string()
            .unwrap_or_else(|_| spec::NOT_UTF8.into())
    };
    let env = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, text(value))))
        .collect();
    let limits = limits()?;
    let read = |path: &Path| files::read_to_string(path, limits.bytes);
    let request = Request {
        file: &options.file,
        env: &env,
        overrides: &options.overrides,
        read: &read,
    };
    let own = |file: &Path| is_own(file, root, &options.file);
    Ok(Pipeline::load_within(&request, limits, &own)?)
}

/// The walls that the environment asks for.
pub fn walls(root: &Path) -> Result<Walls, Error> {
    let levels = "write auto, namespace, landlock or off";
    Walls::new(root, &root::cache(root)).map_err(|why| Error::usage(why, levels))
}

/// How large a pipeline may be here.
fn limits() -> Result<Limits, Error> {
    let raised = std::env::var(Limits::VARIABLE).unwrap_or_default();
    Limits::parse(&raised).map_err(|why| {
        let example = format!("write {}=members=2000000,text=8G", Limits::VARIABLE);
        Error::usage(format!("{}: {why}", Limits::VARIABLE), example)
    })
}

/// Looks up the programs that are part of a key.
fn programs(pipeline: &mut Pipeline, store: &Store) {
    for stage in &mut pipeline.stages {
        stage.program = keyed_program(stage)
            .and_then(|path| store.digest(&path).ok())
            .map(|digest| digest.to_string());
    }
}

/// Where the program of a stage lies, if it is part of the key.
pub(crate) fn keyed_program(stage: &Stage) -> Option<PathBuf> {
    let Kind::Command(command) = &stage.kind else {
        return None;
    };
    if command.key != Some(KeyPart::Program) || command.program_is_an_input() {
        return None;
    }
    let name = command.program();
    // One that is named by a path lies where the file says: `./script`, `/opt/bin/tool`.
    find_program(command, &stage.folder)
        .or_else(|| name.contains('/').then(|| stage.folder.join(name)))
}

fn targets(pipeline: &Pipeline, names: &[String]) -> Result<BTreeSet<usize>, Error> {
    let found = pipeline.find_all(names);
    let found = found.map_err(|message| Error::usage(message, ""))?;
    Ok(found.into_iter().collect())
}

/// The worker and its facts; a file of tables and commands alone does without.
fn known_worker(
    pipeline: &Pipeline,
) -> Result<(Option<PathBuf>, Option<worker::WorkerFacts>), Error> {
    if pipeline
        .stages
        .iter()
        .all(|s| !matches!(s.kind.runs(), Runs::Worker(_)))
    {
        return Ok((None, None));
    }
    let worker = worker::find()?;
    let facts = worker::facts(&worker)?;
    Ok((Some(worker), Some(facts)))
}
