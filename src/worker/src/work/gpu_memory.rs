//! The most memory that a stage took on its GPU, asked of the driver while it runs.
//! Unaware of stages. libtorch counts its own allocations, but tch binds none of the counts.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gpus::Driver;
use spec::{Device, Job};

use super::facts::FactMap;

/// Between two questions.
const EVERY: Duration = Duration::from_millis(500);

/// Asks from a thread of its own until it is dropped. A driver that hangs keeps nobody waiting.
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
                Some(Self::ask(Driver::load, card, own))
            }
            Device::Cpu => None,
        }
    }

    fn ask(
        load: impl FnOnce() -> Option<Driver> + Send + 'static,
        card: String,
        own: PathBuf,
    ) -> Self {
        let watch = Self {
            seen: Arc::default(),
            stop: Arc::default(),
        };
        let (seen, stop) = (Arc::clone(&watch.seen), Arc::clone(&watch.stop));
        std::thread::spawn(move || {
            let Some(driver) = load() else { return };
            while !stop.load(Ordering::Relaxed) {
                let process = driver.memory_of(number(&own));
                let all = || Some(driver.gpu(&card)?.memory?.used);
                let card = if process.is_some() { None } else { all() };
                seen.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .add(process, card);
                std::thread::sleep(EVERY);
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

    /// An answer, in bytes: what this process takes or, where it is not listed, what is in use on the card.
    fn add(&mut self, process: Option<u64>, card: Option<u64>) {
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        if let Some(own) = process.map(mib) {
            self.process = Some(self.process.unwrap_or(0.0).max(own));
        }
        if let Some(all) = card.map(mib) {
            let (first, most) = self.card.unwrap_or((all, all));
            self.card = Some((first, most.max(all)));
        }
    }
}

/// How the driver is told of a device that CUDA counts as `index`.
pub(super) fn card(visible: Option<&str>, index: usize) -> String {
    let names = visible.filter(|text| !text.is_empty());
    let named = names.and_then(|text| text.split(',').nth(index));
    named.map_or_else(|| index.to_string(), |name| name.trim().to_owned())
}

/// This process as the driver may list it: by its number outside the run's PID namespace, which the
/// orchestrator writes into a file as soon as it knows it.
fn number(file: &Path) -> u32 {
    let written = files::read_to_string(file, 32).ok();
    let number = written.and_then(|text| text.trim().parse().ok());
    number.unwrap_or_else(std::process::id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_named_as_the_environment_names_it() {
        assert_eq!(card(None, 1), "1");
        assert_eq!(card(Some(""), 0), "0");
        assert_eq!(card(Some("3, GPU-ab"), 1), "GPU-ab");
        assert_eq!(card(Some("3"), 1), "1");
    }

    fn told(answers: &[(Option<u64>, Option<u64>)]) -> FactMap {
        let mut seen = Seen::default();
        for (process, card) in answers {
            seen.add(process.map(|mib| mib << 20), card.map(|mib| mib << 20));
        }
        let watch = GpuWatch {
            seen: Arc::new(Mutex::new(seen)),
            stop: Arc::default(),
        };
        let mut facts = FactMap::new();
        watch.tell(&mut facts);
        facts
    }

    #[test]
    fn the_most_of_the_process_else_what_the_card_gained() {
        let facts = told(&[(None, Some(900)), (Some(500), None), (Some(400), None)]);
        assert_eq!(facts["peak_gpu_memory_mib"], 500.0);
        assert_eq!(facts["peak_gpu_memory_of"], "process");
        let facts = told(&[(None, Some(1000)), (None, Some(1200)), (None, Some(1100))]);
        assert_eq!(facts["peak_gpu_memory_mib"], 200.0);
        assert_eq!(facts["peak_gpu_memory_of"], "card");
        assert!(told(&[(None, Some(1000))]).is_empty());
        assert!(told(&[(None, None)]).is_empty());
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
    fn without_a_driver_nothing_is_told() {
        let watch = GpuWatch::ask(|| None, "0".into(), PathBuf::new());
        let mut facts = FactMap::new();
        watch.tell(&mut facts);
        assert!(facts.is_empty());
        assert!(GpuWatch::begin(Device::Cpu, Path::new("")).is_none());
    }
}
