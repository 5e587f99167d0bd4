//! The state of the GPUs that a run uses, asked of the driver while its bars are drawn.
//! Unaware of stages. A driver that hangs or is missing keeps nobody waiting: nothing is shown then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gpus::{Driver, Gpu};
use indicatif::ProgressBar;

/// Between two questions.
const EVERY: Duration = Duration::from_secs(2);

/// Asks from a thread of its own until it is dropped, and writes the answers into a bar's line.
pub struct Gpus {
    bar: ProgressBar,
    stop: Arc<AtomicBool>,
}

impl Gpus {
    /// Watches the GPUs that the driver knows by these names.
    pub fn watch(names: &[String], bar: ProgressBar) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let watch = Self {
            bar: bar.clone(),
            stop: Arc::clone(&stop),
        };
        let names = names.to_vec();
        std::thread::spawn(move || {
            let Some(driver) = Driver::load() else { return };
            while !stop.load(Ordering::Relaxed)
                && let Some(text) = state(&driver, &names)
            {
                bar.set_message(text);
                std::thread::sleep(EVERY);
            }
        });
        watch
    }

    /// The line that shows them.
    pub const fn bar(&self) -> &ProgressBar {
        &self.bar
    }
}

impl Drop for Gpus {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// How all of them are, in words; nothing where the driver knows none.
fn state(driver: &Driver, names: &[String]) -> Option<String> {
    let known = names
        .iter()
        .filter_map(|name| Some((name, driver.gpu(name)?)));
    let gpus: Vec<String> = known.map(|(name, gpu)| words(name, gpu)).collect();
    (!gpus.is_empty()).then(|| gpus.join("   "))
}

/// One of them; what the driver does not know is left out.
fn words(name: &str, gpu: Gpu) -> String {
    let mut text = match gpu.index {
        Some(index) => format!("GPU {index}"),
        None => format!("GPU {name}"),
    };
    if let Some(busy) = gpu.busy {
        text += &format!(" {busy} %");
    }
    if let Some(memory) = gpu.memory {
        let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
        text += &format!(" {:.1}/{:.1} GiB", gib(memory.used), gib(memory.total));
    }
    text
}

#[cfg(test)]
mod tests {
    use gpus::Memory;

    use super::*;

    #[test]
    fn what_the_driver_does_not_know_is_left_out() {
        let gpu = |index, busy, memory: Option<(u64, u64)>| Gpu {
            index,
            busy,
            memory: memory.map(|(used, total)| Memory {
                used: used << 20,
                total: total << 20,
            }),
        };
        let shown = |gpu| words("GPU-a", gpu);
        let all = gpu(Some(0), Some(87), Some((12595, 81920)));
        assert_eq!(shown(all), "GPU 0 87 % 12.3/80.0 GiB");
        assert_eq!(
            shown(gpu(Some(1), None, Some((0, 24576)))),
            "GPU 1 0.0/24.0 GiB"
        );
        assert_eq!(shown(gpu(None, Some(5), None)), "GPU GPU-a 5 %");
    }
}
