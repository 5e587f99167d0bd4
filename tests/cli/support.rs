//! A folder of its own for each test, short ways to fill it, to run the program in it, and to look at what came of it.
//! Unaware of what a test wants to know.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use pixels::Rgb8;
use serde_json::Value;
use tempfile::TempDir;

/// Everything at the smallest size: seven stages, six of them of a worker.
pub const TINY: &str = "\
stages:
  pairs:
    prepare: {images: photos, degrade: {sr: 2}, name: tiny}
    resources: {threads: 1}
  masks:
    mask: {images: pairs, grid: 4, count: 8}
    resources: {threads: 1}
  base:
    train: {backbone: {imdn: {scale: 2, width: 16, blocks: 1}}, images: pairs, iterations: 3, patch: 8, batch: 1}
    resources: {threads: 1}
  tuned:
    tune: {backbone: base, images: pairs, masks: masks, iterations: 3, patch: 8, batch: 1}
    resources: {threads: 1}
  score-base:
    evaluate: {model: base, images: pairs}
    resources: {threads: 1}
  score:
    evaluate: {model: tuned, images: pairs, masks: masks}
    resources: {threads: 1}
  alpha:
    table: {from: [score-base, score], rows: [scheme], columns: set, baseline: [score-base], caption: Tiny}
";

/// The same graph up to the training, which goes on until it is stopped from outside.
pub const LONG: &str = "\
stages:
  pairs:
    prepare: {images: photos, degrade: {sr: 2}}
    resources: {threads: 1}
  base:
    train: {backbone: {imdn: {scale: 2, width: 16, blocks: 1}}, images: pairs, iterations: 150, patch: 8, batch: 1}
    resources: {threads: 1, checkpoint: 0}
";

/// A folder with what a test puts there, and a worker.
pub struct Test {
    folder: TempDir,
    /// Where commands behind walls can leave notes.
    outside: TempDir,
    worker: PathBuf,
    has_walls: bool,
}

/// How a command ended and what it said.
pub struct Ran {
    status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Test {
    /// With a stand-in for the worker, which is enough for everything but results.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // A link, so that what is remembered beside the worker stays in this folder.
        let worker = folder.path().join("stand-in.sh");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cli/worker.sh");
        std::os::unix::fs::symlink(script, &worker).unwrap();
        Self {
            folder,
            outside: tempfile::tempdir().unwrap(),
            worker,
            has_walls: true,
        }
    }

    /// With the worker beside `pipeline`; none, and a line that says so, where it was not built.
    pub fn with_worker(name: &str) -> Option<Self> {
        let beside = Path::new(env!("CARGO_BIN_EXE_pipeline")).with_file_name("pipeline-worker");
        let named = std::env::var_os("PIPELINE_WORKER").map(PathBuf::from);
        let worker = named.unwrap_or(beside);
        if !worker.is_file() {
            println!("skipped: {name}: no pipeline-worker beside pipeline (make build)");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        Some(Self {
            folder,
            outside: tempfile::tempdir().unwrap(),
            worker,
            has_walls: true,
        })
    }

    /// A path outside the project, where commands behind walls can leave notes.
    pub fn outside(&self, name: &str) -> PathBuf {
        self.outside.path().join(name)
    }

    /// Without walls, for commands that leave notes in the project or change what is there.
    pub fn without_walls(self) -> Self {
        Self {
            has_walls: false,
            ..self
        }
    }

    /// With two small photographs and the smallest whole pipeline.
    pub fn tiny(self) -> Self {
        self.photos().file("p.yaml", TINY)
    }

    /// Two small photographs in `photos`.
    pub fn photos(self) -> Self {
        self.photo("photos/a.png", 48, 40)
            .photo("photos/b.png", 40, 48)
    }

    pub fn file(self, name: &str, bytes: impl AsRef<[u8]>) -> Self {
        self.write(name, bytes);
        self
    }

    pub fn photo(self, name: &str, width: usize, height: usize) -> Self {
        self.write(name, photo(width, height));
        self
    }

    /// The worker's program.
    pub fn worker(&self) -> &Path {
        &self.worker
    }

    /// A path in the project. What steers the stand-in, and its notes, lie outside: it is within walls.
    pub fn path(&self, name: &str) -> PathBuf {
        let steers = ["hook", "slow", "lie", "ran.txt", "bytes", "started"].contains(&name)
            || name.starts_with("fail-");
        if steers {
            self.outside(name)
        } else {
            self.folder.path().join(name)
        }
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    pub fn remove(&self, name: &str) {
        std::fs::remove_file(self.path(name)).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// `pipeline` with these words, in the test's folder; on the processor unless the words say otherwise.
    pub fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pipeline"));
        command.args(words.split_whitespace());
        let plans = ["run ", "plan ", "graph "]
            .iter()
            .any(|c| words.starts_with(c));
        if plans && !words.contains("--device") {
            command.args(["--device", "cpu"]);
        }
        command
            .current_dir(self.folder.path())
            .env("PIPELINE_WORKER", &self.worker)
            .envs((!self.has_walls).then_some(("PIPELINE_SANDBOX", "off")))
            .env("STUB_VERSION", env!("CARGO_PKG_VERSION"))
            .env("STUB_FOLDER", self.outside.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub fn run(&self, words: &str) -> Ran {
        Ran::of(self.command(words).output().unwrap())
    }

    /// The same by a user who is bound by permissions, as root is not; none, and a line that says so, where there is no
    /// such user.
    pub fn run_bound(&self, name: &str, words: &str) -> Option<Ran> {
        self.run_as_bound(name, self.command(words))
    }

    /// The same of a command of this test's.
    pub fn run_as_bound(&self, name: &str, mut command: Command) -> Option<Ran> {
        if rustix::process::geteuid().is_root() {
            let nobody = 65_534;
            for folder in [self.folder.path(), self.outside.path()] {
                for path in std::iter::once(folder.to_owned()).chain(all_below(folder)) {
                    std::os::unix::fs::lchown(path, Some(nobody), Some(nobody)).unwrap();
                }
            }
            command.uid(nobody).gid(nobody);
        }
        match command.output() {
            Ok(output) => Some(Ran::of(output)),
            Err(error) => {
                println!("skipped: {name}: cannot run as another user ({error})");
                None
            }
        }
    }

    /// The kinds of all committed results, sorted. Each has its folder of outputs, and no folder is without a record.
    pub fn committed(&self) -> Vec<String> {
        let mut kinds = Vec::new();
        for record in files_below(&self.path("cache/records")) {
            let text = std::fs::read_to_string(&record).unwrap();
            let first: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
            kinds.push(first["kind"].as_str().unwrap().to_owned());
        }
        kinds.sort_unstable();
        let folders = list(&self.path("cache/outputs"))
            .iter()
            .map(|shard| list(shard).len())
            .sum::<usize>();
        assert_eq!(folders, kinds.len(), "outputs and records belong together");
        kinds
    }

    /// The output file of this name of the only result of this kind.
    pub fn output(&self, kind: &str, name: &str) -> PathBuf {
        self.outputs(kind, name).swap_remove(0)
    }

    /// The output files of this name of all results of this kind.
    pub fn outputs(&self, kind: &str, name: &str) -> Vec<PathBuf> {
        let of_kind = |record: &PathBuf| {
            let text = std::fs::read_to_string(record).unwrap();
            text.contains(&format!("\"kind\":\"{kind}\""))
        };
        let file = |record: PathBuf| {
            let key = record.file_stem().unwrap().to_str().unwrap().to_owned();
            self.path(&format!("cache/outputs/{}/{key}/{name}", &key[..2]))
        };
        let records = files_below(&self.path("cache/records"));
        records.into_iter().filter(of_kind).map(file).collect()
    }

    /// Lines of the stand-in's notes: the kinds of stages, in the order in which they ran.
    pub fn noted(&self) -> Vec<String> {
        let notes = self.read("ran.txt");
        let kind = |line: &str| line.split(' ').next().unwrap().to_owned();
        notes.lines().map(kind).collect()
    }
}

impl Ran {
    pub fn of(output: Output) -> Self {
        // Commands that it prints name the program as it was called: by its path.
        let text = |bytes| {
            let text = String::from_utf8(bytes).unwrap();
            text.replace(env!("CARGO_BIN_EXE_pipeline"), "pipeline")
        };
        Self {
            status: output.status,
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// Whether what it says, warnings aside, begins with what went wrong, and says what to do.
    pub fn tells_a_failure(&self) -> bool {
        let mut lines = self.stderr.lines();
        let first = lines.find(|line| !line.starts_with("warning: "));
        first.is_some_and(|line| line.starts_with("failed: ") || line.starts_with("error: "))
            && self.stderr.contains("hint: ")
    }

    pub fn succeeded(&self) -> bool {
        self.status.success()
    }

    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "{self}");
        self
    }

    /// Either stream holds this text.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        let said = self.stdout.contains(text) || self.stderr.contains(text);
        assert!(said, "`{text}` was not said\n{self}");
        self
    }

    #[track_caller]
    pub fn never_says(self, text: &str) -> Self {
        let said = self.stdout.contains(text) || self.stderr.contains(text);
        assert!(!said, "`{text}` was said\n{self}");
        self
    }

    /// The lines of `--json`; every one is an object.
    pub fn events(&self) -> Vec<Value> {
        let parse = |line: &str| serde_json::from_str::<Value>(line).unwrap();
        self.stdout.lines().map(parse).collect()
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            status,
            stdout,
            stderr,
        } = self;
        write!(f, "{status}\n--- stdout\n{stdout}--- stderr\n{stderr}")
    }
}

/// A PNG with gradients and some texture, the same each time.
pub fn photo(width: usize, height: usize) -> Vec<u8> {
    let value = |i: usize| {
        let (x, y, c) = (i / 3 % width, i / 3 / width, i % 3);
        let block = (x / 7 + y / 5) % 4 * 40;
        (x * 2 + y * 3 + c * 20 + block + i * 37 % 11) as u8
    };
    let data = (0..width * height * 3).map(value).collect();
    pixels::encode_png(&Rgb8::new(width, height, data).unwrap()).unwrap()
}

/// Whether two stages can run at once here; the test of this name is skipped where they cannot.
pub fn has_two_cores(name: &str) -> bool {
    let has = std::thread::available_parallelism().map_or(1, usize::from) > 1;
    if !has {
        println!("skipped: {name}: one core");
    }
    has
}

/// As long as a loaded machine may take for what takes a second or two: it tells "soon" from "never", and measures nothing.
pub const SOON: Duration = Duration::from_mins(3);

/// Waits for something another process does; fails after a long while.
#[track_caller]
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    while begin.elapsed() < SOON {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("{what} did not happen");
}

pub fn list(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|e| e.unwrap().path()).collect();
    paths.sort_unstable();
    paths
}

/// All files and folders of a tree.
pub fn all_below(folder: &Path) -> Vec<PathBuf> {
    let below = |path: PathBuf| {
        let inner = if path.is_dir() {
            all_below(&path)
        } else {
            Vec::new()
        };
        std::iter::once(path).chain(inner)
    };
    list(folder).into_iter().flat_map(below).collect()
}

/// All files of a tree.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    all_below(folder)
        .into_iter()
        .filter(|p| p.is_file())
        .collect()
}

/// A PNG file of any kind of pixels: `colour` is PNG's own number for it, `row` the bytes of a line.
pub fn png(
    (width, height): (u32, u32),
    colour: u8,
    depth: u8,
    row: impl Fn(u32) -> Vec<u8>,
) -> Vec<u8> {
    let mut lines = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    for y in 0..height {
        lines.write_all(&[0]).unwrap(); // no filter
        lines.write_all(&row(y)).unwrap();
    }
    let mut head = [width.to_be_bytes(), height.to_be_bytes()].concat();
    head.extend([depth, colour, 0, 0, 0]);
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    for (name, data) in [
        (b"IHDR", head),
        (b"IDAT", lines.finish().unwrap()),
        (b"IEND", Vec::new()),
    ] {
        file.extend((data.len() as u32).to_be_bytes());
        let body = [&name[..], &data].concat();
        let mut crc = flate2::Crc::new();
        crc.update(&body);
        file.extend(body);
        file.extend(crc.sum().to_be_bytes());
    }
    file
}
