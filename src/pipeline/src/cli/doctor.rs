//! `pipeline doctor`: is everything here that a run needs, and what to do where it is not.
//! Unaware of pipeline files.

use std::path::{Path, PathBuf};

use diagnostics::Diagnostics;
use serde::Serialize;
use serde_json::json;
use store::Store;

use super::args::DoctorArgs;
use super::version::COMMIT;
use super::{Exit, Fatal, print_json, print_lines};
use engine::run::Supervisor;
use engine::run::walls::Level;
use engine::{root, session, worker};

/// Below this much free disk a run is likely to fail.
const LITTLE: u64 = 2 << 30;

/// Checks the worker, libtorch, devices, the cache folder and free disk. Exit 1 when something is wrong.
#[expect(clippy::unnecessary_wraps, reason = "all commands have one form")]
pub fn doctor(args: &DoctorArgs) -> Result<Exit, Fatal> {
    let checks = [
        worker_check(),
        vec![processes()],
        walls(args),
        cache_check(args),
    ];
    let lines: Vec<Line> = checks.into_iter().flatten().collect();
    let exit = if lines.iter().all(|l| l.good) {
        Exit::Done
    } else {
        Exit::Failed
    };
    if args.json {
        let object = json!({
            "ok": exit == Exit::Done, "checks": lines, "gpus": gpus(), "no_cuda": why_no_cuda(),
            "version": env!("CARGO_PKG_VERSION"), "commit": COMMIT,
        });
        print_json(&format!("{object}\n"));
        return Ok(exit);
    }
    for line in &lines {
        let mark = if line.good { "ok  " } else { "BAD " };
        print_lines(&format!("{mark} {:<9} {}\n", line.what, line.text));
        if !line.hint.is_empty() {
            print_lines(&format!("     hint: {}\n", line.hint));
        }
    }
    Ok(exit)
}

/// The NVIDIA devices of this machine by name, as the driver lists them, whether libtorch can use them or not.
fn gpus() -> Vec<String> {
    let folders = std::fs::read_dir("/proc/driver/nvidia/gpus");
    let folders = folders.into_iter().flatten().flatten();
    let name = |entry: std::fs::DirEntry| {
        let path = entry.path().join("information");
        let text = files::read_to_string(&path, 1 << 16).ok()?;
        let model = text.lines().find_map(|line| line.strip_prefix("Model:"))?;
        Some(model.trim().to_owned())
    };
    let mut names: Vec<String> = folders.filter_map(name).collect();
    names.sort_unstable();
    names
}

/// Why nothing can be computed on CUDA here; none where it can.
fn why_no_cuda() -> Option<String> {
    let facts = match worker::find().and_then(|path| worker::facts(&path)) {
        Ok(facts) => facts,
        Err(error) => return Some(error.diagnostics.headline()),
    };
    if !facts.cuda_devices.is_empty() {
        return None;
    }
    if !Path::new("/dev/nvidiactl").exists() {
        return Some("there is no NVIDIA driver: /dev/nvidiactl is missing".into());
    }
    let hidden = std::env::var("CUDA_VISIBLE_DEVICES").ok();
    if let Some(hidden) = hidden.filter(|v| v.is_empty() || v == "-1") {
        return Some(format!("CUDA_VISIBLE_DEVICES={hidden} hides all devices"));
    }
    Some(if facts.libtorch.contains("cu1") {
        format!(
            "libtorch {} finds no device that its driver can use",
            facts.libtorch
        )
    } else {
        format!("libtorch {} has no CUDA libraries", facts.libtorch)
    })
}

#[derive(Serialize)]
struct Line {
    #[serde(rename = "check")]
    what: &'static str,
    text: String,
    hint: String,
    #[serde(rename = "ok")]
    good: bool,
}

fn good(what: &'static str, text: String) -> Line {
    Line {
        what,
        text,
        hint: String::new(),
        good: true,
    }
}

fn bad(what: &'static str, text: String, hint: String) -> Line {
    Line {
        what,
        text,
        hint,
        good: false,
    }
}

fn bad_of(what: &'static str, diagnostics: &Diagnostics) -> Line {
    bad(what, diagnostics.headline(), diagnostics.hint().to_owned())
}

fn worker_check() -> Vec<Line> {
    // Asked anew: the memo may be of another machine that shares this folder, or of another environment.
    let asked = |path: PathBuf| {
        worker::facts(&path)?;
        worker::ask(&path).map(|facts| (path, facts))
    };
    let found = worker::find().and_then(asked);
    let (path, facts) = match found {
        Ok(found) => found,
        Err(fatal) => return vec![bad_of("worker", &fatal.diagnostics)],
    };
    vec![
        good("worker", format!("{} {}", path.display(), facts.version)),
        good("libtorch", facts.libtorch.clone()),
        devices(&facts),
        kernels(&facts),
    ]
}

/// What products and layouts were chosen by on the CPU.
fn kernels(facts: &worker::WorkerFacts) -> Line {
    match &facts.kernels_error {
        None => good(
            "kernels",
            format!("{} on {}", facts.kernels, facts.processor),
        ),
        Some(why) => bad(
            "kernels",
            why.clone(),
            "unset the variable to have the program choose".into(),
        ),
    }
}

fn devices(facts: &worker::WorkerFacts) -> Line {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let driver = Path::new("/dev/nvidiactl").exists();
    let named = gpus().join(", ");
    let named = if named.is_empty() { "a GPU" } else { &named };
    if facts.cuda_devices.is_empty() && driver {
        let hint = "this libtorch has no CUDA libraries: `make libtorch CUDA=1`, then `make build`";
        return bad(
            "devices",
            format!("cpu ({cores} cores); {named} is there, but libtorch cannot use it"),
            hint.into(),
        );
    }
    let cuda: Vec<String> = facts
        .cuda_devices
        .iter()
        .enumerate()
        .map(|(i, name)| format!(", cuda:{i} ({name})"))
        .collect();
    let none = why_no_cuda().map_or(String::new(), |why| format!("; no CUDA: {why}"));
    good(
        "devices",
        format!("cpu ({cores} cores){}{none}", cuda.concat()),
    )
}

/// Who may read what is stored: a file's own permissions come from the umask of whoever ran it.
fn readers(folder: &Path) -> Line {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(folder).map_or(0o700, |m| m.permissions().mode());
    let text = match (mode & 0o007, mode & 0o070) {
        (0, 0) => "only you may read the cache".to_owned(),
        (0, _) => {
            "you and your group may read the cache, with the values of variables that it holds"
                .to_owned()
        }
        _ => format!(
            "every user of this machine may read the cache, with the values of variables that it holds; `chmod 700 {}` \
             closes it",
            folder.display()
        ),
    };
    good("readers", text)
}

/// A cache that is not there yet: whether a run could make it. Nothing is made by looking.
fn to_be_made(folder: &Path) -> Line {
    let above = folder.ancestors().skip(1).find(|above| above.is_dir());
    let access = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
    let can = above.map(|above| (above, rustix::fs::access(above, access)));
    match can {
        Some((above, Err(error))) => bad(
            "cache",
            format!("{} cannot be made: {error}", folder.display()),
            format!(
                "make `{}` writable, or name another folder with --root",
                above.display()
            ),
        ),
        _ => good(
            "cache",
            format!(
                "{} is not there yet; the first run makes it",
                folder.display()
            ),
        ),
    }
}

/// What keeps processes of a run from outliving it. Neither way is wrong.
fn processes() -> Line {
    // No run, no lock: anything that can be written to.
    let nothing = std::fs::File::options().write(true).open("/dev/null");
    let started = nothing.and_then(Supervisor::start);
    match started.as_ref().map(Supervisor::why_open) {
        Ok(None) => good(
            "processes",
            "stages run in a PID namespace; nothing outlives a run".into(),
        ),
        Ok(Some(why)) => good(
            "processes",
            format!("no PID namespace ({why}); what a run leaves is ended by its supervisor"),
        ),
        Err(error) => bad(
            "processes",
            format!("cannot be started: {error}"),
            "see `ulimit -u`".into(),
        ),
    }
}

/// What keeps commands from what they do not declare. None of the ways is wrong.
fn walls(args: &DoctorArgs) -> Vec<Line> {
    // Which folder is meant is said with the cache.
    let Ok(root) = args.root.folder() else {
        return Vec::new();
    };
    let walls = match session::walls(&root) {
        Ok(walls) => walls,
        Err(error) => return vec![bad_of("walls", &error.diagnostics)],
    };
    let text = match walls.level() {
        Level::Mounts => {
            "commands see of the project what they declare, through mounts of their own".into()
        }
        Level::Helper => {
            "commands see of the project what they declare, through mounts of their own in a user namespace: `sudo` does \
             not work in there"
                .into()
        }
        Level::Rules => {
            "commands read and write of the project what they declare (Landlock): they cannot list the folders above it, \
             make anything right in these, or use `sudo` and containers"
                .into()
        }
        Level::Unavailable(why) => {
            format!("none, so commands can read and write what they do not declare ({why})")
        }
        Level::Off(why) => format!("none: {why}"),
    };
    vec![good("walls", text)]
}

fn cache_check(args: &DoctorArgs) -> Vec<Line> {
    let root = match args.root.folder() {
        Ok(root) => root,
        Err(fatal) => return vec![bad_of("cache", &fatal.diagnostics)],
    };
    let folder = root::cache(&root);
    let is_there = folder.is_dir();
    let opened = if is_there {
        Store::open(&folder)
    } else {
        Store::open_read_only(&folder)
    };
    let store = match opened {
        Ok(store) => store,
        Err(e) => return vec![bad("cache", e.to_string(), e.hint())],
    };
    let mut lines = if is_there {
        let can_be_written = format!("{} can be written", folder.display());
        vec![good("cache", can_be_written), readers(&folder)]
    } else {
        vec![to_be_made(&folder)]
    };
    if let Some(free) = store.free_bytes() {
        let text = format!("{:.1} GiB free", free as f64 / (1u64 << 30) as f64);
        lines.push(if free >= LITTLE {
            good("disk", text)
        } else {
            bad(
                "disk",
                text,
                "free some space, or put the cache elsewhere with --root".into(),
            )
        });
    }
    lines
}
