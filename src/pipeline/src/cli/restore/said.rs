//! What a restoration says while it goes on, and what it took.
//! Unaware of files.

use std::io::IsTerminal;

use diagnostics::shown::{self, counted, line};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use spec::Event;
use spec::backbones::Architecture;

use super::photos::Photos;
use crate::cli::ask::Facts;
use crate::cli::say;

/// A bar on a terminal, else a line for each tenth.
pub struct Shown {
    bar: Option<ProgressBar>,
    tenth: u64,
}

impl Shown {
    pub fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(0);
            let style = ProgressStyle::with_template("{bar:30} tile {pos} of {len}  {elapsed}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        Self { bar, tenth: 0 }
    }

    pub fn tell(&mut self, event: &Event) {
        match (event, &self.bar) {
            (Event::Note { message }, Some(bar)) => bar.println(shown::text(message)),
            (Event::Note { message }, None) => say(message),
            (Event::Progress { step, total, .. }, Some(bar)) => {
                bar.set_length(*total);
                bar.set_position(*step);
            }
            (Event::Progress { step, total, .. }, None) => {
                let tenth = step * 10 / (*total).max(1);
                if tenth > self.tenth {
                    self.tenth = tenth;
                    say(&format!("tile {step} of {total}"));
                }
            }
            _ => {}
        }
    }

    pub fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Says what the model is: what it does to the size of a photograph tells its task.
pub fn what(model: &str, network: &Architecture) {
    let task = match network.scale() {
        1 => "photographs keep their size".into(),
        scale => format!("×{scale}"),
    };
    say(&format!("{}: {}, {task}", line(model), network.title()));
}

/// Says what it took, and how photographs were cut.
pub fn end(facts: &Facts, photos: &Photos, masks: f64) {
    let seconds = |name: &str| facts.get("seconds").and_then(|s| s.get(name)?.as_f64());
    let of = |name: &str| seconds(name).unwrap_or(0.0);
    let [read, network, around, write] = ["read", "network", "around", "write"].map(of);
    let share = 100.0 * network / (read + network + around + write).max(1e-9);
    let masks = if masks > 0.0 {
        format!("masks {masks:.1} s; ")
    } else {
        String::new()
    };
    let memory = facts.get("peak_memory_mib").and_then(Value::as_f64);
    let memory = memory.map_or(String::new(), |mib| format!("; peak memory {mib:.0} MiB"));
    say(&format!(
        "{}: {masks}network {network:.1} s ({share:.0} % of restoring), reading {read:.1} s, blending {around:.1} s, writing \
         {write:.1} s{memory}",
        counted(photos.restored().count(), "photograph"),
    ));
    let tiles = facts.get("tiles").and_then(Value::as_array);
    let is_tiled = |n: &&Value| n.as_u64().is_some_and(|n| n > 1);
    let tiled = tiles.map_or(0, |tiles| tiles.iter().filter(is_tiled).count());
    let is_local = facts.get("is_local").and_then(Value::as_bool) == Some(true);
    if tiled > 0 && !is_local {
        say(&format!(
            "note: {} {} cut into tiles; the network looks at all of what it is given, so the whole would differ a little \
             (docs/restore.md)",
            counted(tiled, "photograph"),
            if tiled == 1 { "was" } else { "were" }
        ));
    }
}
