//! Runs a `command` stage: a program of the user's own in a folder that holds its declared inputs and nothing else.
//! Unaware of what it computes. No worker is between, and no shell but that of `shell:`.
//!
//! ```text
//!   <ticket>/out/            mirrors the project folder; TMPDIR is beside it, and has a short name
//!        <home>/             the working folder, where the pipeline file lies in the project
//!             stats.py       a copy of each of `files`
//!             masks/         a folder a stage of `stages`: copies of its outputs
//!             results/x.csv  written by the program
//!   then: every declared output is there and is a file or a folder of its own, out of which no link in it leads;
//!   all else is removed; commit
//! ```

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use rustix::process::Pid;
use spec::kinds::{self, Placing, Sandbox};
use spec::{Kind, Listing, Pipeline};
use store::{Facts, Store};

use super::child::{self, Watched};
use super::cuda_env::{self, DEVICES};
use super::executor::{InPlace, OnEvent, Task};
use super::failure::Failure;
use super::mask::Outlet;
use super::outputs;
use super::placing::{self, Input};
use super::process::{io_failure, open_log};
use super::sealed::CHANGED;
use super::short::ShortNames;
use super::stop::Stop;
use super::supervisor::Supervisor;
use super::target::Target;
use super::walls::{self, Fence, Level, Made, Program, Shown, Talk, View, Walls};

/// Variables of the caller that every command gets; they are not in its key.
const ALWAYS: [&str; 2] = ["PATH", "HOME"];

/// Lines of the log that a failure shows.
const SHOWN: usize = 5;

/// Spawns `command` stages.
pub struct CommandExecutor<'a> {
    /// The stages.
    pub pipeline: &'a Pipeline,
    /// Their results.
    pub store: &'a Store,
    /// What stands around the project meanwhile.
    pub walls: &'a Walls,
    /// Where temporary files of commands have short names.
    pub short: ShortNames,
    /// Whom to tell of children.
    pub stop: &'a Stop,
    /// Who starts them, and ends what they leave.
    pub supervisor: &'a Supervisor,
}

impl InPlace for CommandExecutor<'_> {
    fn execute(&self, task: &Task<'_>, on_event: &OnEvent<'_>) -> Result<Facts, Failure> {
        let Kind::Command(command) = &task.job.stage else {
            return Err(Failure::new("not a command", ""));
        };
        let mut failure = match self.compute(task, command, on_event) {
            Ok(program) => return Ok(self.program_facts(task, command, program)),
            Err(failure) => self.with_what_it_missed(task, command, failure),
        };
        failure.log = Some(task.log.clone());
        Err(failure)
    }
}

impl CommandExecutor<'_> {
    /// Where its program lies.
    fn compute(
        &self,
        task: &Task<'_>,
        command: &kinds::Command,
        on_event: &OnEvent<'_>,
    ) -> Result<PathBuf, Failure> {
        let out = task.ticket.out();
        let places = &self.pipeline.stages[task.stage].places;
        let home = out.join(&places.home);
        if task.attempt > 1 {
            clear(task, out, &BTreeSet::new())?;
        }
        create(&home)?;
        let shown = self.place_inputs(task, command, &home)?;
        for output in 0..places.outputs.len() {
            create(&out.join(places.folder_of(output)))?;
        }
        let program = program(command, &home);
        let path = PathBuf::from(&program.path);
        let status = self.run(task, command, &program, &home, shown, on_event)?;
        let ended = conclude(status, self.stop.level() > 0, &task.log);
        ended.map_err(|failure| self.with_free_disk(failure))?;
        let inputs: Vec<PathBuf> = command.stages.keys().map(|name| home.join(name)).collect();
        let made = outputs::made(out, places, &command.outputs, &inputs)?;
        clear(task, out, &made)?;
        Ok(path)
    }

    /// Puts each of `files:` at its own path, and the outputs of each of `stages:` into a folder of its name. What is to be
    /// seen through walls for that is returned.
    fn place_inputs(
        &self,
        task: &Task<'_>,
        command: &kinds::Command,
        home: &Path,
    ) -> Result<Vec<Shown>, Failure> {
        let out = task.ticket.out();
        let places = &self.pipeline.stages[task.stage].places;
        let mut inputs = self.chosen_files(task, command)?;
        for (role, folder) in self.input_folders(task, command) {
            let at = home.join(folder);
            create(&at)?;
            for (name, from) in self.outputs_of(task, role)? {
                inputs.push(Input {
                    from,
                    at: at.join(name),
                    left_out: None,
                });
            }
        }
        let inputs = placing::outermost(inputs);
        let declared: Vec<Input> = inputs.iter().filter(|i| !i.is_stored()).cloned().collect();
        let large = match command.inputs {
            Placing::Link => Ok(inputs),
            Placing::Copy => placing::copy_small(inputs),
        };
        let large = large.map_err(|e| io_failure("copy inputs into", out, &e))?;
        let has_walls = self.has_walls(command);
        let is_bound =
            has_walls && self.walls.level().has_mounts() && command.inputs == Placing::Copy;
        // Neither a file elsewhere, which has no place here, nor one that is too large. Without mounts the files themselves
        // can be read, whatever was copied.
        let has_copies_alone = is_bound
            && places.files.iter().all(Option::is_some)
            && large.iter().all(Input::is_stored);
        if has_copies_alone {
            let read = task.outside.all_is_read();
            read.map_err(|message| Failure::new(message, CHANGED))?;
        }
        let listing = |e: std::io::Error| io_failure("link inputs in", out, &e);
        // A program may know a file of the project by its full path: it finds the copy there, where there is one.
        let is_large: BTreeSet<PathBuf> = large.iter().map(|input| input.at.clone()).collect();
        let is_copy = |input: &Input| is_bound && !is_large.contains(&input.at);
        let (copies, others): (Vec<Input>, Vec<Input>) = declared.into_iter().partition(is_copy);
        let mut shown: Vec<Shown> = copies
            .into_iter()
            .map(|i| Shown::instead(i.from, i.at))
            .collect();
        if has_walls {
            let seen = placing::whole_parts(others).map_err(listing)?;
            shown.extend(placing::in_place(
                seen.into_iter().map(|input| input.from).collect(),
            ));
        }
        let large = placing::whole_parts(large).map_err(listing)?;
        let placed = if is_bound {
            placing::bind(&large)
        } else {
            placing::link(&large)
        };
        shown.extend(placed.map_err(listing)?);
        Ok(shown)
    }

    /// What `files:` names in the project, as things are.
    pub(super) fn chosen_files(
        &self,
        task: &Task<'_>,
        command: &kinds::Command,
    ) -> Result<Vec<Input>, Failure> {
        let stage = &self.pipeline.stages[task.stage];
        let mut inputs = Vec::new();
        for (n, file) in command.files.iter().enumerate() {
            // In order of `files:`.
            let (Some(Some(place)), Some(external)) =
                (stage.places.files.get(n), stage.external.get(n))
            else {
                continue;
            };
            if let Listing::All(selection) = &external.listing {
                let chosen = placing::chosen(selection, file, &task.ticket.out().join(place));
                inputs.extend(chosen.map_err(|e| io_failure("list", file, &e))?);
            }
        }
        Ok(inputs)
    }

    /// Which program it was: its place and, where that is a full one, its digest.
    fn program_facts(
        &self,
        task: &Task<'_>,
        command: &kinds::Command,
        mut found: PathBuf,
    ) -> Facts {
        if found.starts_with(task.ticket.out()) {
            // By a relative folder in `PATH`: its folder is gone, and the program lies in the project.
            let folder = &self.pipeline.stages[task.stage].folder;
            found = find_program(command, folder).unwrap_or_else(|| command.program().into());
        }
        let facts = Facts::new().with("program", found.to_string_lossy());
        match self.store.digest(&found) {
            Ok(digest) if found.is_absolute() => facts.with("program_blake3", digest.to_string()),
            _ => facts,
        }
    }

    /// The roles of input stages, each with its folder: `masks`, or `masks/alpha=0.5` for a member of all.
    fn input_folders(&self, task: &Task<'_>, command: &kinds::Command) -> Vec<(&str, PathBuf)> {
        let mut folders = Vec::new();
        for edge in &self.pipeline.stages[task.stage].inputs {
            let role = edge.role.strip_prefix("stages.").unwrap_or(&edge.role);
            let member = |name: &String| {
                let rest = role.strip_prefix(name.as_str())?;
                let member = if rest.is_empty() {
                    rest
                } else {
                    rest.strip_prefix('.')?
                };
                Some(Path::new(name).join(member))
            };
            // The longest name that fits: one name may be another one with an ending.
            let fits = command
                .stages
                .keys()
                .filter_map(|name| Some((name.len(), member(name)?)));
            if let Some((_, folder)) = fits.max_by_key(|(length, _)| *length) {
                folders.push((edge.role.as_str(), folder));
            }
        }
        folders
    }

    /// The outputs of an input stage: those of a command as readers see them, others as they are.
    fn outputs_of(&self, task: &Task<'_>, role: &str) -> Result<Vec<(PathBuf, PathBuf)>, Failure> {
        let Some(from) = task.job.inputs.get(role) else {
            return Err(Failure::new(
                format!("the input `{role}` has no folder"),
                "",
            ));
        };
        let input = self.pipeline.stages[task.stage].input(role);
        let places = input.map(|at| &self.pipeline.stages[at].places);
        if let Some(places) = places.filter(|places| !places.outputs.is_empty()) {
            return outputs::for_readers(from, places);
        }
        let entries = fs::read_dir(from).map_err(|e| io_failure("list", from, &e))?;
        let named = entries.flatten().map(|e| (e.file_name().into(), e.path()));
        Ok(named.collect())
    }

    fn run(
        &self,
        task: &Task<'_>,
        command: &kinds::Command,
        program: &Program,
        home: &Path,
        mut shown: Vec<Shown>,
        on_event: &OnEvent<'_>,
    ) -> Result<ExitStatus, Failure> {
        let handed = &self.pipeline.stages[task.stage].handed;
        if let Some(name) = handed.missing().next() {
            return Err(missing_secret(name));
        }
        let secrets = || {
            let set = handed.secrets.iter();
            set.filter_map(|(name, value)| Some((name, value.as_ref()?)))
        };
        let log = open_log(task)?;
        let mut outlet = Outlet::new(log, secrets().map(|(_, value)| value.as_str()))
            .map_err(|e| io_failure("share", &task.log, &e))?;
        let log_end = outlet.end();
        let temporary = self.short.folder(task.ticket);
        shown.push(Shown::writable(task.ticket.out().to_owned()));
        shown.push(Shown::writable(temporary.folder().to_owned()));
        if *self.walls.level() == Level::Rules {
            shown.push(Shown::writable(task.log.clone())); // which `/dev/stderr` opens once more
        }
        let view = self.view(task, command, shown);
        let (mut program, talk) = self.within(command, program, view.as_ref())?;
        program
            .current_dir(home)
            .env_clear()
            .envs(
                ALWAYS
                    .iter()
                    .filter_map(|v| Some((v, std::env::var_os(v)?))),
            )
            .env("TMPDIR", temporary.path())
            .envs(task.visible.iter().map(|v| (DEVICES, v)))
            .envs(task.visible.iter().map(|_| cuda_env::order()))
            .envs(&handed.pass)
            .envs(secrets())
            .envs(&command.env)
            .stdout(outlet.stdout)
            .stderr(outlet.stderr)
            .process_group(0);
        let fence = match (&view, self.walls.level()) {
            (Some(view), Level::Mounts) => Fence::Mounts(view),
            (Some(view), Level::Rules) => Fence::Rules(view),
            _ => Fence::None,
        };
        let spawned = self.supervisor.spawn(program, fence);
        let (mut child, tag) = spawned.map_err(|e| cannot_start(command, &e))?;
        if let Some(Err(error)) = talk.map(Talk::finish) {
            let _ = child.wait();
            child::end_leftovers(self.supervisor, tag, on_event)?;
            return Err(cannot_start(command, &error));
        }
        let watched = Watched {
            target: Target::Group(Pid::from_child(&child)),
            tag,
        };
        self.stop.add(watched.target);
        let ended = child::wait(self.stop, &mut child, watched, task.limits);
        child::end_leftovers(self.supervisor, tag, on_event)?;
        log_end.wait();
        let (status, passed) =
            ended.map_err(|e| Failure::new(format!("cannot wait for the command: {e}"), ""))?;
        match passed {
            Some(passed) => Err(passed.failure(&task.job.stage)),
            None => Ok(status),
        }
    }

    /// Whether it is kept from what it does not declare.
    pub(super) fn has_walls(&self, command: &kinds::Command) -> bool {
        command.sandbox == Sandbox::Auto && self.walls.level().is_enforced()
    }

    /// What the command sees of the project, where there are walls around it.
    fn view(&self, task: &Task<'_>, command: &kinds::Command, shown: Vec<Shown>) -> Option<View> {
        let folder = &self.pipeline.stages[task.stage].places.home;
        let own = |name: &str| command.env.get(name).map(OsString::from);
        let variable = |name: &str| own(name).or_else(|| std::env::var_os(name));
        let has_walls = self.has_walls(command);
        has_walls.then(|| self.walls.view(folder, &variable, shown))
    }

    /// What is started, with nothing to read: the program itself, or who builds walls around it first.
    fn within(
        &self,
        command: &kinds::Command,
        program: &Program,
        view: Option<&View>,
    ) -> Result<(Command, Option<Talk>), Failure> {
        if let (Some(view), Level::Helper) = (view, self.walls.level()) {
            let helper = walls::helper_command(program, view, Made::OfMounts);
            let (helper, talk) = helper.map_err(|e| cannot_start(command, &e))?;
            return Ok((helper, Some(talk)));
        }
        let mut program = program.command();
        program.stdin(Stdio::null());
        Ok((program, None))
    }

    /// The failure of a command whose disk is nearly full says so.
    fn with_free_disk(&self, mut failure: Failure) -> Failure {
        if let Some(free) = self.store.free_bytes().filter(|free| *free < NEARLY_FULL) {
            let folder = self.store.root().display();
            failure.report.what.hint = format!(
                "the disk of `{folder}` is full but for {} KiB; free space, and run again",
                free / 1024
            );
        }
        failure
    }
}

/// Programs go by their full paths: the standard library then starts them without a copy of this process's memory.
fn program(command: &kinds::Command, home: &Path) -> Program {
    let (name, arguments) = match (&command.shell, command.run.split_first()) {
        (Some(shell), _) => {
            let options = shell.options().iter().map(|option| (*option).into());
            let script = OsString::from(&shell.script);
            (shell.program.as_str(), options.chain([script]).collect())
        }
        (None, Some((name, arguments))) => {
            let arguments = arguments.iter().map(OsString::from);
            (name.as_str(), arguments.collect())
        }
        (None, None) => ("true", Vec::new()),
    };
    Program {
        path: find_program(command, home).map_or_else(|| name.into(), PathBuf::into_os_string),
        name: name.into(),
        arguments,
    }
}

/// The full path of a command's program that is named without one: in the `PATH` that the command gets, which is that of
/// its `env:`, else the caller's. A relative folder in it is one of `folder`, where the command works.
pub fn find_program(command: &kinds::Command, folder: &Path) -> Option<PathBuf> {
    let name = command.program();
    if name.contains('/') {
        return None;
    }
    let own = command.env.get("PATH").map(OsString::from);
    let folders = own.or_else(|| std::env::var_os("PATH"))?;
    let is_program = |path: &PathBuf| {
        let access = rustix::fs::Access::EXEC_OK;
        path.is_file() && rustix::fs::access(path, access).is_ok()
    };
    std::env::split_paths(&folders)
        .map(|at| folder.join(at).join(name))
        .find(is_program)
}

/// With less free space than this a command's failure is likely that of a full disk, which not every command says.
const NEARLY_FULL: u64 = 1 << 20;

fn missing_secret(name: &str) -> Failure {
    Failure::new(
        format!("its secret `{name}` is not set in the environment"),
        format!("export {name}=…, and run again"),
    )
}

/// How the sentence about a program that did not start begins.
pub(super) const CANNOT_START: &str = "cannot start";

fn cannot_start(command: &kinds::Command, error: &std::io::Error) -> Failure {
    let name = command.program();
    let hint = match error.kind() {
        std::io::ErrorKind::NotFound if name != "bash" && command.shell.is_some() => {
            "`program:` of `shell:` is a program in PATH: install it, or name another"
        }
        std::io::ErrorKind::NotFound if command.shell.is_some() => {
            "`shell:` is a text for bash, so that it means the same on every machine: install it, or name another shell: \
             `shell: {program: sh, script: …}`"
        }
        std::io::ErrorKind::NotFound => {
            "is it installed and in PATH? a script of yours stands under `files:` and is started as `./script`"
        }
        std::io::ErrorKind::PermissionDenied => "is it executable? `chmod +x` makes it so",
        _ => "see `run:` of this stage",
    };
    Failure::new(format!("{CANNOT_START} `{name}`: {error}"), hint)
}

/// Exit 0 is success so far; anything else is shown with the last lines of the log.
fn conclude(status: ExitStatus, stopping: bool, log: &Path) -> Result<(), Failure> {
    if status.success() {
        return Ok(());
    }
    let text = files::read_end(log, 64 << 10).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let tail = lines[lines.len().saturating_sub(SHOWN)..].join("\n  ");
    let mut failure = Failure::new(format!("the command ended with {status}"), "");
    if !tail.is_empty() {
        failure.report.what.message += &format!(":\n  {tail}");
    }
    failure.report.interrupted = stopping;
    Err(failure)
}

/// Removes everything below `folder` but `kept` and the folders around them. Links are removed, not followed: the command
/// may have put one in place of any folder of its own.
fn clear(task: &Task<'_>, folder: &Path, kept: &BTreeSet<PathBuf>) -> Result<(), Failure> {
    if folder.is_symlink() {
        return Ok(task.ticket.discard(folder)?);
    }
    let entries = fs::read_dir(folder).map_err(|e| io_failure("list", folder, &e))?;
    for entry in entries {
        let path = entry.map_err(|e| io_failure("list", folder, &e))?.path();
        if kept.contains(&path) {
            continue;
        }
        // Paths are in order of their names, so what lies in a folder stands right behind it.
        let next = kept.range(path.clone()..).next();
        if next.is_some_and(|next| next.starts_with(&path)) {
            clear(task, &path, kept)?;
        } else {
            task.ticket.discard(&path)?;
        }
    }
    Ok(())
}

fn create(folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder).map_err(|e| io_failure("create", folder, &e))
}
