//! From the text of a pipeline file to typed stages and the edges between them.
//! Unaware of keys, caches and running; other files are read through the function in [`Request`].

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use diagnostics::{Diagnostics, Severity};

use crate::check;
use crate::de::{fields_of, from_node};
use crate::draft::Draft;
use crate::edge::Edge;
use crate::error::{Problem, Problems, locate, spot, suggest};
use crate::expand::expand;
use crate::fields::{STAGE_LEVEL, TOP_LEVEL, fields_of_kind};
use crate::handed::Handed;
use crate::kinds::{External, InputRef, Kind, Reads, Resources, Schedule};
use crate::limits::{Limits, Meter, What};
use crate::node::{Key, Node, Pos, Value};
use crate::overrides;
use crate::places::Places;
use crate::reference::Index;
use crate::renamed;
use crate::stage::{Pipeline, Stage, index_of};
use crate::substitute::{EXPORT_UTF8, Environment, Names, Outer, not_utf8, substitute};
use crate::typed::Typed;
use crate::warn;
use crate::yaml;

/// What a pipeline is made of: everything that parsing depends on.
pub struct Request<'a> {
    /// The pipeline file, as it is named in messages.
    pub file: &'a Path,
    /// The environment `${VAR}` reads.
    pub env: &'a Environment,
    /// `--set path=value`, in order.
    pub overrides: &'a [String],
    /// Reads a file; `pipeline` gives `std::fs::read_to_string`.
    pub read: &'a dyn Fn(&Path) -> std::io::Result<String>,
}

impl Pipeline {
    /// Reads, merges, substitutes, expands, types, resolves and checks.
    ///
    /// Errors name all problems found in the step that failed, each with file, line and column.
    pub fn load(request: &Request<'_>) -> Result<Self, Diagnostics> {
        Self::load_within(request, Limits::default(), &|_| true)
    }

    /// The same within other limits. `own` says of a file whether it lies in the project: lines of others are not shown
    /// in errors, since a name or a link may lead to any file of the machine.
    pub fn load_within(
        request: &Request<'_>,
        limits: Limits,
        own: &dyn Fn(&Path) -> bool,
    ) -> Result<Self, Diagnostics> {
        let mut loader = Loader {
            request,
            own,
            meter: Meter::new(limits),
            sources: Vec::new(),
            included: BTreeMap::new(),
            files: Vec::new(),
            notes: Vec::new(),
        };
        match loader.load() {
            Ok(pipeline) => Ok(pipeline),
            Err(problems) => Err(locate(problems, &loader.sources)),
        }
    }
}

struct Loader<'a> {
    request: &'a Request<'a>,
    own: &'a dyn Fn(&Path) -> bool,
    meter: Meter,
    sources: Vec<(String, String)>,
    /// What each included file says, with what it includes itself: it is read once, however often it is named.
    included: BTreeMap<PathBuf, Node>,
    /// What was read, in order.
    files: Vec<PathBuf>,
    /// What is said of old names.
    notes: Vec<Problem>,
}

impl Loader<'_> {
    fn load(&mut self) -> Result<Pipeline, Problems> {
        let mut root = self
            .read(self.request.file, &mut Vec::new(), Pos::default())?
            .without_gone();
        self.included.clear();
        self.apply_overrides(&mut root)?;
        let outer = Outer::new(self.request.env, &self.meter);
        let mut warnings = Problems::default();
        warnings.extend(std::mem::take(&mut self.notes));
        warnings.extend(warn::in_file(&root));
        let vars = variables(&root, &outer)?;
        let stages = stages_of(root)?;
        let mut read = |draft, body: &Node| self.stage(draft, body);
        let mut typed = expand(stages, vars, &outer, &mut read)?;
        let edges = resolve_all(&typed, &self.meter)?;
        for (typed, inputs) in typed.iter_mut().zip(edges) {
            typed.stage.inputs = inputs;
        }
        check::check(&typed).or(())?;
        warnings.extend(typed.iter().flat_map(warn::in_stage));
        let mut warnings = locate(warnings, &self.sources);
        for warning in &mut warnings.first {
            warning.severity = Severity::Warning;
        }
        Ok(Pipeline {
            file: self.request.file.to_owned(),
            sources: std::mem::take(&mut self.files),
            stages: typed.into_iter().map(|t| t.stage).collect(),
            env_used: outer.into_used(),
            overrides: self.request.overrides.to_vec(),
            warnings,
        })
    }

    /// Reads a file and, below it, what it includes.
    fn read(&mut self, file: &Path, open: &mut Vec<PathBuf>, at: Pos) -> Result<Node, Problem> {
        let wrong = |message: String| Problem::new(at, "include", message);
        if open.iter().any(|p| p == file) {
            return Err(wrong(format!("`{}` includes itself", file.display())));
        }
        if open.len() > Limits::DEPTH {
            let message = format!("files include each other more than {} deep", Limits::DEPTH);
            return Err(wrong(message));
        }
        let text = (self.request.read)(file).map_err(|e| {
            let hint = match e.kind() {
                _ if files::was_pattern(&e) => "name each file",
                // The only thing that is wrong with the bytes themselves is their encoding.
                std::io::ErrorKind::InvalidData => {
                    "save it as UTF-8, with the editor that wrote it or `iconv -f ENCODING -t UTF-8`"
                }
                _ => "name a pipeline file, such as pipelines/quickstart.yaml",
            };
            let message = format!("cannot read `{}`: {e}", file.display());
            Problem::new(at, "", message).hint(hint)
        })?;
        self.count(What::Bytes, text.len() as u64, at)?;
        let source = self.sources.len();
        let root = yaml::read(&text, source, &self.meter);
        let shows = is_pipeline_text(file, &text) && (self.own)(file);
        let shown = if shows { text } else { String::new() };
        self.sources.push((file.display().to_string(), shown));
        self.files.push(file.to_owned());
        let checked = root.and_then(|mut root| {
            check_top_level(&root)?;
            renamed::fields(&mut root, &mut self.notes)?;
            Ok(root)
        });
        let root = checked.map_err(|problem| if shows { problem } else { alone(&problem) })?;
        open.push(file.to_owned());
        let merged = self.include(root, file, open);
        open.pop();
        merged
    }

    fn count(&self, what: What, amount: u64, at: Pos) -> Result<(), Problem> {
        let take = self.meter.take(what, amount);
        take.map_err(|e| Problem::new(at, "include", e.message()).hint(e.hint()))
    }

    fn include(
        &mut self,
        mut root: Node,
        file: &Path,
        open: &mut Vec<PathBuf>,
    ) -> Result<Node, Problem> {
        let folder = file.parent().unwrap_or(Path::new(""));
        let Some(list) = root.get("include").cloned() else {
            return Ok(root);
        };
        let mut base = Node {
            value: Value::Map(Vec::new()),
            pos: root.pos,
        };
        let items = match &list.value {
            Value::Seq(items) => items.as_slice(),
            Value::Null(_) => &[],
            _ => {
                let message = format!("expected a list of files, found {}", list.describe());
                let problem = Problem::new(list.pos, "include", message);
                return Err(match list.scalar() {
                    Some(name) => problem.hint(format!("write `[{name}]`")),
                    None => problem,
                });
            }
        };
        for item in items {
            let (Value::Str(name) | Value::Plain(name)) = &item.value else {
                return Err(Problem::new(
                    item.pos,
                    "include",
                    format!("expected a file, found {}", item.describe()),
                ));
            };
            let mut included = self.included(&folder.join(name), open, item.pos)?;
            renamed::axes(&mut included, &base);
            base.merge(included);
        }
        renamed::axes(&mut root, &base);
        base.merge(root);
        Ok(base)
    }

    /// A file that another one names: read when it is named first, a copy later.
    fn included(&mut self, file: &Path, open: &mut Vec<PathBuf>, at: Pos) -> Result<Node, Problem> {
        // `./a` and `a` are the same file. Of names that lead there through a link or `..` nothing is known here; each
        // counts as a file of its own.
        let file: PathBuf = file.components().collect();
        if let Some(known) = self.included.get(&file) {
            self.count(What::Values, known.values(), at)?;
            return Ok(known.clone());
        }
        self.count(What::Files, 1, at)?;
        let node = self.read(&file, open, at)?;
        self.included.insert(file, node.clone());
        Ok(node)
    }

    /// Relative paths are relative to the file they are written in; those of `--set` to the pipeline file.
    fn folder(&self, pos: Pos) -> PathBuf {
        let written = self
            .sources
            .get(pos.source)
            .filter(|_| pos.line > 0)
            .map(|(name, _)| Path::new(name));
        written
            .unwrap_or(self.request.file)
            .parent()
            .unwrap_or(Path::new(""))
            .to_owned()
    }

    fn apply_overrides(&mut self, root: &mut Node) -> Result<(), Problem> {
        for text in self.request.overrides {
            let source = self.sources.len();
            self.sources.push((format!("--set {text}"), String::new()));
            overrides::apply(root, text, source, &mut self.notes)?;
        }
        Ok(())
    }

    /// What a command asks for of the environment. What its `env` says itself stays.
    fn handed(&self, kind: &Kind, config: &Node) -> Result<Handed, Problem> {
        let Kind::Command(command) = kind else {
            return Ok(Handed::default());
        };
        let env = self.request.env;
        match Handed::unreadable(command, env) {
            None => Ok(Handed::of(command, env)),
            Some((field, name)) => {
                let at = config.nearest(&field).pos;
                Err(Problem::new(at, field, not_utf8(&name)).hint(EXPORT_UTF8))
            }
        }
    }

    fn stage(&self, draft: Draft, body: &Node) -> Result<Typed, Problems> {
        let within = |p: Problem| p.under(&format!("stages.{}", draft.base()));
        let (mut kind, resources) = read_stage(body, draft.pos()).map_err(within)?;
        let config = body.get(kind.name()).unwrap_or(body);
        let handed = self.handed(&kind, config).map_err(within)?;
        let folder = |field: &str| self.folder(config.nearest(field).pos);
        let mut reads = Reads::new(&folder);
        kind.reads(&mut reads);
        let external = reads.files.into_iter().map(|file| External {
            field: file.field,
            role: file.role,
            path: file.path,
            listing: file.listing,
            tag: file.tag,
            place: spot(config.nearest(file.field).pos, &self.sources),
        });
        let stage = Stage {
            name: draft.name(),
            base: draft.base().to_owned(),
            axes: draft.axes(),
            handed,
            program: None,
            kind,
            inputs: Vec::new(),
            resources,
            folder: self.folder(draft.pos()),
            places: Places::default(),
            place: spot(draft.pos(), &self.sources),
            external: external.collect(),
        };
        let refs = reads.stages;
        Ok(Typed { stage, refs, draft })
    }
}

/// The edges of all stages. Nothing is looked for any more once there are too many.
fn resolve_all(all: &[Typed], meter: &Meter) -> Result<Vec<Vec<Edge>>, Problems> {
    let index = index_of(all.iter().map(|t| &t.stage));
    let mut edges = Vec::with_capacity(all.len());
    let mut problems = Problems::default();
    for typed in all {
        let mut own = Vec::new();
        for input in &typed.refs {
            match resolve_one(typed, &index, input, &problems) {
                Ok(found) => {
                    if let Err(exceeded) = meter.take(What::Edges, found.len() as u64) {
                        let problem = typed.problem(&input.path, exceeded.message());
                        return Err(problem.hint(exceeded.hint()).into());
                    }
                    own.extend(found);
                }
                Err(problem) => problems.push(problem),
            }
        }
        edges.push(own);
    }
    problems.or(edges)
}

fn resolve_one(
    typed: &Typed,
    index: &Index<'_>,
    input: &InputRef,
    problems: &Problems,
) -> Result<Vec<Edge>, Problem> {
    let found = index.resolve(&input.text).map_err(|dangling| {
        if problems.is_full() {
            return Problem::new(Pos::default(), "", "");
        }
        let (message, hint) = dangling.words();
        typed.problem(&input.path, message).hint(hint)
    })?;
    if !input.many && found.len() > 1 {
        let message = format!(
            "`{}` is {} stages, and one is expected here",
            input.text,
            found.len()
        );
        return Err(typed
            .problem(&input.path, message)
            .hint("pick a member: name[axis=value]"));
    }
    let is_command = matches!(typed.stage.kind, Kind::Command(_));
    if is_command && found.len() > 1 {
        check_labels(typed, index, input, &found)?;
    }
    let role = |n: usize, stage: usize| match (input.many, is_command) {
        (false, _) => input.path.to_string(),
        (true, true) if found.len() == 1 => input.path.to_string(),
        (true, true) => format!("{}.{}", input.path, folder_of(index, stage)),
        (true, false) => format!("{}.{n}", input.path),
    };
    let edges = found.iter().enumerate().map(|(n, &stage)| Edge {
        role: role(n, stage),
        stage,
        tag: input.tag,
    });
    Ok(edges.collect())
}

/// The name of a member's folder below that of its stage, for a command that reads all members.
fn folder_of(index: &Index<'_>, stage: usize) -> String {
    index.label(stage).replace(['/', '\\'], "_")
}

/// A command gets a folder a member, so their labels differ.
fn check_labels(
    typed: &Typed,
    index: &Index<'_>,
    input: &InputRef,
    found: &[usize],
) -> Result<(), Problem> {
    let mut seen = BTreeSet::new();
    let twice = found
        .iter()
        .map(|&stage| folder_of(index, stage))
        .find(|label| label.is_empty() || !seen.insert(label.clone()));
    let Some(label) = twice else { return Ok(()) };
    let message = format!(
        "`{}` is {} stages, of which two would get the folder `{}/{label}`",
        input.text,
        found.len(),
        input.path.trim_start_matches("stages.")
    );
    Err(typed
        .problem(&input.path, message)
        .hint("give each of these stages a line of its own"))
}

/// Whether a text is one that a person may have written as a pipeline file, by its name or one of its lines.
fn is_pipeline_text(file: &Path, text: &str) -> bool {
    let is_named = file
        .extension()
        .is_some_and(|e| ["yaml", "yml"].iter().any(|y| e.eq_ignore_ascii_case(y)));
    let begins = |line: &str| {
        let key = line.split_once(':').map(|(key, _)| key);
        key.is_some_and(|key| TOP_LEVEL.contains(&key))
    };
    let is_text = !text.contains('\0');
    is_text && (is_named || text.lines().any(begins))
}

/// What is wrong with a file that is perhaps none of ours: the place and the reason, without its words.
fn alone(problem: &Problem) -> Problem {
    let message = files::reason(&problem.message);
    Problem::new(problem.pos, "", message).hint(
        "a pipeline file has `stages:`, `vars:` or `include:`; lines of files outside the project are not shown",
    )
}

fn check_top_level(root: &Node) -> Result<(), Problem> {
    let Some(entries) = root.entries() else {
        let message = format!(
            "expected `stages:` with stages below it, found {}",
            root.describe()
        );
        return Err(Problem::new(root.pos, "", message));
    };
    for (key, _) in entries {
        if !TOP_LEVEL.contains(&key.text.as_str()) {
            let message = format!("unknown field `{}`", key.text);
            let hint = match key.text.as_str() {
                "cache" | "root" | "reports" => {
                    "`--root DIR` on the command line names the folder that holds cache/ and reports/"
                        .to_owned()
                }
                typed => suggest(typed, TOP_LEVEL, "fields"),
            };
            return Err(Problem::new(key.pos, "", message).hint(hint));
        }
    }
    Ok(())
}

fn variables(root: &Node, outer: &Outer<'_>) -> Result<BTreeMap<String, Node>, Problem> {
    let Some(vars) = root.get("vars") else {
        return Ok(BTreeMap::new());
    };
    let Some(entries) = vars.entries() else {
        return Err(Problem::new(
            vars.pos,
            "vars",
            format!("expected a mapping, found {}", vars.describe()),
        ));
    };
    let mut known: BTreeMap<String, Node> = BTreeMap::new();
    for (key, node) in entries {
        let mut node = node.clone();
        // A variable may use those above it.
        substitute(&mut node, Names::of(&known), outer, &mut BTreeSet::new())
            .map_err(|p| p.under(&format!("vars.{}", key.text)))?;
        known.insert(key.text.clone(), node);
    }
    Ok(known)
}

fn stages_of(root: Node) -> Result<Vec<(Key, Node)>, Problem> {
    let pos = root.pos;
    let empty = || {
        Problem::new(pos, "", "there are no stages").hint("add `stages:` with at least one stage")
    };
    let Value::Map(top) = root.value else {
        return Err(empty());
    };
    let stages = top.into_iter().find(|(key, _)| key.text == "stages");
    let (_, stages) = stages.ok_or_else(empty)?;
    let entries = match stages.value {
        Value::Map(entries) => entries,
        Value::Null(_) => Vec::new(),
        _ => {
            let message = format!("expected `name: {{kind: …}}`, found {}", stages.describe());
            return Err(Problem::new(stages.pos, "stages", message));
        }
    };
    for (key, _) in &entries {
        check_name(key)?;
    }
    if entries.is_empty() {
        Err(empty())
    } else {
        Ok(entries)
    }
}

fn check_name(key: &Key) -> Result<(), Problem> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !key.text.is_empty() && key.text.chars().all(good) {
        return Ok(());
    }
    let message = format!("`{}` cannot be the name of a stage", key.text);
    Err(Problem::new(key.pos, "stages", message).hint("use letters, digits, `-` and `_`"))
}

fn read_stage(body: &Node, pos: Pos) -> Result<(Kind, Resources), Problem> {
    let Some(entries) = body.entries() else {
        let message = format!("expected `kind: {{…}}`, found {}", body.describe());
        return Err(
            Problem::new(body.pos, "", message).hint(format!("kinds: {}", Kind::NAMES.join(", ")))
        );
    };
    for (key, _) in entries {
        let name = key.text.as_str();
        if !Kind::NAMES.contains(&name) && !STAGE_LEVEL.contains(&name) {
            let known: Vec<&str> = Kind::NAMES.iter().chain(STAGE_LEVEL).copied().collect();
            let message = format!("unknown stage kind or field `{name}`");
            return Err(Problem::new(key.pos, "", message).hint(suggest(name, &known, "names")));
        }
    }
    let mut kinds = entries
        .iter()
        .filter(|(k, _)| Kind::NAMES.contains(&k.text.as_str()));
    let (key, config) = match (kinds.next(), kinds.next()) {
        (Some(kind), None) => kind,
        (None, _) => {
            let hint = format!("kinds: {}", Kind::NAMES.join(", "));
            return Err(Problem::new(pos, "", "the stage has no kind").hint(hint));
        }
        (Some((first, _)), Some((second, _))) => {
            let message = format!(
                "a stage has one kind, found `{}` and `{}`",
                first.text, second.text
            );
            return Err(Problem::new(second.pos, "", message));
        }
    };
    let kind = read_kind(&key.text, config).map_err(|p| p.under(&key.text))?;
    let resources = match body.get("resources") {
        Some(node) => from_node(node).map_err(|p| p.under("resources"))?,
        None => Resources::default(),
    };
    Ok((kind, resources))
}

fn read_kind(kind: &str, config: &Node) -> Result<Kind, Problem> {
    let Some(entries) = config.entries() else {
        return Err(Problem::new(
            config.pos,
            "",
            format!("expected a mapping, found {}", config.describe()),
        ));
    };
    let known = fields_of_kind(kind);
    if let Some((key, _)) = entries
        .iter()
        .find(|(k, _)| !known.contains(&k.text.as_str()))
    {
        let message = format!("unknown field `{}`", key.text);
        return Err(Problem::new(key.pos, "", message).hint(suggest(&key.text, &known, "fields")));
    }
    let scheduled = Kind::fields(kind).contains(&"schedule");
    let gathered = scheduled.then(|| gather_schedule(config));
    let config = gathered.as_ref().unwrap_or(config);
    let read = Kind::read(kind, config).unwrap_or_else(|| {
        let message = format!("unknown stage kind `{kind}`");
        Err(Problem::new(config.pos, "", message))
    });
    read.map_err(|mut problem| {
        problem.path = problem
            .path
            .strip_prefix("schedule.")
            .unwrap_or(&problem.path)
            .to_owned();
        problem
    })
}

/// The fields of a schedule stand beside the others in YAML and are one struct in Rust.
fn gather_schedule(config: &Node) -> Node {
    let fields = fields_of::<Schedule>();
    let entries = config.entries().unwrap_or_default().iter().cloned();
    let (schedule, mut own): (Vec<_>, Vec<_>) =
        entries.partition(|(k, _)| fields.contains(&k.text.as_str()));
    let key = Key {
        text: "schedule".into(),
        pos: config.pos,
    };
    own.push((
        key,
        Node {
            value: Value::Map(schedule),
            pos: config.pos,
        },
    ));
    Node {
        value: Value::Map(own),
        pos: config.pos,
    }
}
