//! The state of the GPUs that a run uses, asked of the driver's own program (`nvidia-smi`) while its bars are drawn.
//! Unaware of stages. A program that hangs or is missing keeps nobody waiting: nothing is shown then.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::ProgressBar;

/// Between two questions.
const EVERY: Duration = Duration::from_secs(2);

/// Asks from a thread of its own until it is dropped, and writes the answers into a bar's line.
pub struct Gpus {
    bar: ProgressBar,
    stop: Arc<AtomicBool>,
}

impl Gpus {
    /// Watches the GPUs that `nvidia-smi` knows by these names.
    pub fn watch(names: &[String], bar: ProgressBar) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let watch = Self {
            bar: bar.clone(),
            stop: Arc::clone(&stop),
        };
        let names = names.join(",");
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed)
                && let Some(text) = state(&names)
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

/// The answer to one question, in words.
fn state(names: &str) -> Option<String> {
    let output = Command::new("nvidia-smi")
        .args(["-i", names])
        .arg("--query-gpu=index,utilization.gpu,memory.used,memory.total")
        .arg("--format=csv,noheader,nounits")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let lines = String::from_utf8_lossy(&output.stdout);
    let gpus: Vec<String> = lines.lines().filter_map(words).collect();
    (!gpus.is_empty()).then(|| gpus.join("   "))
}

/// A line of `index, per cent, MiB, MiB`; numbers that the driver does not know are left out.
fn words(line: &str) -> Option<String> {
    let cells: Vec<&str> = line.split(',').map(str::trim).collect();
    let [index, busy, used, all] = cells.as_slice() else {
        return None;
    };
    let number = |text: &str| text.parse::<f64>().ok().filter(|n| n.is_finite());
    let mut text = format!("GPU {index}");
    if let Some(busy) = number(busy) {
        text += &format!(" {busy:.0} %");
    }
    if let (Some(used), Some(all)) = (number(used), number(all)) {
        text += &format!(" {:.1}/{:.1} GiB", used / 1024.0, all / 1024.0);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_driver_does_not_know_is_left_out() {
        let shown = |line: &str| words(line).unwrap_or_default();
        assert_eq!(shown("0, 87, 12595, 81920"), "GPU 0 87 % 12.3/80.0 GiB");
        assert_eq!(shown("1, [N/A], 0, 24576"), "GPU 1 0.0/24.0 GiB");
        assert_eq!(shown("2, 5, [N/A], [N/A]"), "GPU 2 5 %");
        assert_eq!(words("No devices were found"), None);
    }
}
