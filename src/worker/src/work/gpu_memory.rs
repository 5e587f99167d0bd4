//! The most memory that a stage took on its GPU, asked of the driver's own program (`nvidia-smi`) while it runs.
//! Unaware of stages. libtorch counts its own allocations, but tch binds none of the counts.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use spec::{Device, Job};

use super::facts::FactMap;

/// Between two questions.
const EVERY: Duration = Duration::from_millis(500);

/// Asks from a thread of its own until it is dropped. A program that hangs keeps nobody waiting.
pub(super) struct GpuWatch {
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
}

/// What the answers were, MiB.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Seen {
    /// The most of this process.
    process: Option<f64>,
    /// On the card by all: at first, and the most. Only asked for while the process is not listed, as in a container.
    card: Option<(f64, f64)>,
}

impl GpuWatch {
    /// Begins to ask; nothing on the processor.
    pub fn begin(device: Device, state: &Path) -> Option<Self> {
        match device {
            Device::Cuda(index) => {
                let visible = std::env::var("CUDA_VISIBLE_DEVICES").ok();
                let card = card(visible.as_deref(), index);
                let own = state.join(Job::PROCESS);
                Some(Self::ask(Path::new("nvidia-smi"), card, own, EVERY))
            }
            Device::Cpu => None,
        }
    }

    fn ask(program: &Path, card: String, own: PathBuf, every: Duration) -> Self {
        let watch = Self {
            seen: Arc::default(),
            stop: Arc::default(),
        };
        let (seen, stop) = (Arc::clone(&watch.seen), Arc::clone(&watch.stop));
        let program = program.to_owned();
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) && sample(&program, &card, &own, &seen).is_some() {
                std::thread::sleep(every);
            }
        });
        watch
    }

    /// Puts what is known by now among the facts of a stage.
    pub fn tell(&self, facts: &mut FactMap) {
        let seen = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((mib, whose)) = seen.most() {
            facts.insert("peak_gpu_memory_mib".into(), mib.into());
            facts.insert("peak_gpu_memory_of".into(), whose.into());
        }
    }
}

impl Drop for GpuWatch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Seen {
    /// The most, and of what: of the process, else what the card gained.
    fn most(self) -> Option<(f64, &'static str)> {
        let gained = self.card.map(|(first, most)| (most - first, "card"));
        let own = self.process.map(|mib| (mib, "process"));
        own.or(gained).filter(|(mib, _)| *mib > 0.0)
    }

    fn add_card(&mut self, mib: f64) {
        let (first, most) = self.card.unwrap_or((mib, mib));
        self.card = Some((first, most.max(mib)));
    }
}

/// How `nvidia-smi` is told of a device that CUDA counts as `index`.
fn card(visible: Option<&str>, index: usize) -> String {
    let names = visible.filter(|text| !text.is_empty());
    let named = names.and_then(|text| text.split(',').nth(index));
    named.map_or_else(|| index.to_string(), |name| name.trim().to_owned())
}

/// Asks once. Nothing where the program cannot be asked.
fn sample(program: &Path, card: &str, own: &Path, seen: &Mutex<Seen>) -> Option<()> {
    let processes = answer(program, &["--query-compute-apps=pid,used_memory"])?;
    let own = of_process(&processes, number(own));
    let all = match own {
        Some(_) => None,
        None => answer(program, &["-i", card, "--query-gpu=memory.used"])?
            .trim()
            .parse()
            .ok(),
    };
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(mib) = own {
        seen.process = Some(seen.process.unwrap_or(0.0).max(mib));
    }
    if let Some(mib) = all {
        seen.add_card(mib);
    }
    Some(())
}

/// This process as the driver's program may list it: by its number outside the run's PID namespace, which the
/// orchestrator writes into a file as soon as it knows it.
fn number(file: &Path) -> u32 {
    let written = files::read_to_string(file, 32).ok();
    let number = written.and_then(|text| text.trim().parse().ok());
    number.unwrap_or_else(std::process::id)
}

fn answer(program: &Path, words: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(words)
        .arg("--format=csv,noheader,nounits")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output.status.success().then_some(())?;
    String::from_utf8(output.stdout).ok()
}

/// MiB of a process in lines of `pid, MiB`, on all cards together.
fn of_process(lines: &str, pid: u32) -> Option<f64> {
    let own = lines.lines().filter_map(|line| {
        let (id, mib) = line.split_once(',')?;
        (id.trim().parse() == Ok(pid)).then_some(mib.trim().parse::<f64>().ok()?)
    });
    own.reduce(|sum, mib| sum + mib)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_memory_of_a_process_is_that_on_all_cards() {
        let lines = "17, 300\n4, 1024\n17, 20\n18, [N/A]\n";
        assert_eq!(of_process(lines, 17), Some(320.0));
        assert_eq!(of_process(lines, 18), None);
        assert_eq!(of_process("", 17), None);
    }

    #[test]
    fn a_card_is_named_as_the_environment_names_it() {
        assert_eq!(card(None, 1), "1");
        assert_eq!(card(Some(""), 0), "0");
        assert_eq!(card(Some("3, GPU-ab"), 1), "GPU-ab");
        assert_eq!(card(Some("3"), 1), "1");
    }

    /// A stand-in for the driver's program that answers with these lines of a shell.
    fn watched(shell: &str) -> FactMap {
        let folder = tempfile::tempdir().unwrap();
        let [text, program] = ["text", "smi"].map(|name| folder.path().join(name));
        std::fs::write(&text, format!("#!/bin/sh\n{shell}\n")).unwrap();
        // A child of another test may hold what this process wrote open, and a file open for writing cannot be run.
        let copied = Command::new("cp").args([&text, &program]).status();
        assert!(copied.unwrap().success());
        let runnable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&program, runnable).unwrap();
        let seen = Mutex::default();
        let own = folder.path().join("not written");
        let asked = (0..3).map(|_| sample(&program, "0", &own, &seen));
        let _ = asked.collect::<Option<Vec<()>>>();
        let watch = GpuWatch {
            seen: Arc::new(seen),
            stop: Arc::default(),
        };
        let mut facts = FactMap::new();
        watch.tell(&mut facts);
        facts
    }

    #[test]
    fn the_most_of_the_process_else_what_the_card_gained() {
        let pid = std::process::id();
        let more = "n=$(cat \"$0.n\" 2>/dev/null || echo 0); echo $((n + 100)) > \"$0.n\"";
        let own =
            format!("{more}; case \"$*\" in *compute-apps*) echo \"{pid}, $((500 - n))\";; esac");
        let facts = watched(&own);
        assert_eq!(facts["peak_gpu_memory_mib"], 500.0);
        assert_eq!(facts["peak_gpu_memory_of"], "process");
        let all =
            format!("case \"$*\" in *compute-apps*) echo;; *) {more}; echo $((1000 + n));; esac");
        let facts = watched(&all);
        assert_eq!(facts["peak_gpu_memory_mib"], 200.0);
        assert_eq!(facts["peak_gpu_memory_of"], "card");
        assert!(watched("exit 1").is_empty());
        assert!(watched("echo nonsense").is_empty());
    }

    #[test]
    fn this_process_goes_by_its_number_outside() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(Job::PROCESS);
        assert_eq!(number(&file), std::process::id());
        std::fs::write(&file, "4711").unwrap();
        assert_eq!(number(&file), 4711);
        std::fs::write(&file, "no number").unwrap();
        assert_eq!(number(&file), std::process::id());
    }

    #[test]
    fn without_the_program_nothing_is_told() {
        let watch = GpuWatch::ask(Path::new("/nowhere/smi"), "0".into(), PathBuf::new(), EVERY);
        let mut facts = FactMap::new();
        watch.tell(&mut facts);
        assert!(facts.is_empty());
        assert!(GpuWatch::begin(Device::Cpu, Path::new("")).is_none());
    }
}
