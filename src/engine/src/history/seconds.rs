//! How long stages took lately, and what that says of the next ones.
//! Unaware of machines: an estimate is only that.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};
use store::summed;

use super::folder;
use super::record::{StageEnd, StageLine};

/// More than they take.
const MAX_BYTES: u64 = 256 << 20;

/// So many values are kept of each kind and name.
const KEPT: usize = 15;

/// Seconds of stages that ran, newest last.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Seconds {
    /// By device, kind and, behind a space, name; the kind alone stands for all names.
    taken: BTreeMap<String, Vec<Sample>>,
}

/// Seconds, and iterations of a training.
type Sample = (f64, Option<u64>);

/// How long a stage may take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Seconds.
    pub seconds: f64,
    /// From how many earlier stages.
    pub from: usize,
}

impl Seconds {
    /// What is known in this cache; nothing where it is damaged.
    pub fn read(cache: &Path) -> Self {
        let bytes = files::read(&folder(cache).join("seconds.json"), MAX_BYTES).unwrap_or_default();
        summed::decode(&bytes).unwrap_or_default()
    }

    /// Keeps it. Two runs that end at once keep what one of them learnt.
    pub fn write(&self, cache: &Path) -> std::io::Result<()> {
        let path = folder(cache).join("seconds.json");
        let beside = path.with_extension(format!("json-{}", std::process::id()));
        std::fs::write(&beside, summed::encode(self)?)?;
        std::fs::rename(beside, path)
    }

    /// Notes a stage that ran on a device of this kind.
    pub fn note(&mut self, device: &str, line: &StageLine) {
        if line.end != StageEnd::Done {
            return;
        }
        let kind = format!("{device} {}", line.kind);
        let names = BTreeSet::from([line.name.as_str(), base(&line.name)]);
        let names = names.into_iter().map(|name| format!("{kind} {name}"));
        for name in names.chain([kind.clone()]) {
            let samples = self.taken.entry(name).or_default();
            samples.push((line.seconds, line.iterations));
            if samples.len() > KEPT {
                samples.remove(0);
            }
        }
    }

    /// Whether any stage ran on a device of this kind.
    pub fn knows(&self, device: &str) -> bool {
        let begin = format!("{device} ");
        self.taken.keys().any(|name| name.starts_with(&begin))
    }

    /// How long a stage may take: as stages of its name did, else as those of its kind. A training takes as long as its
    /// iterations do. Commands have nothing in common but their kind, so only the same name tells of them; members of a
    /// sweep tell of each other.
    pub fn estimate(
        &self,
        device: &str,
        kind: &str,
        name: &str,
        iterations: Option<u64>,
    ) -> Option<Estimate> {
        let is_command = kind == "command";
        let kind = format!("{device} {kind}");
        let of = |name: &str| self.taken.get(&format!("{kind} {name}"));
        let any = || self.taken.get(&kind).filter(|_| !is_command);
        let samples = of(name).or_else(|| of(base(name))).or_else(any)?;
        let scaled = |&(seconds, before): &Sample| match (before, iterations) {
            (Some(before), Some(now)) if before > 0 => seconds * now as f64 / before as f64,
            _ => seconds,
        };
        let mut seconds: Vec<f64> = samples.iter().map(scaled).collect();
        seconds.sort_by(f64::total_cmp);
        Some(Estimate {
            seconds: *seconds.get(seconds.len() / 2)?,
            from: seconds.len(),
        })
    }
}

/// The name of a sweep, for one of its members.
fn base(name: &str) -> &str {
    name.split('[').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, seconds: f64, iterations: Option<u64>) -> StageLine {
        StageLine {
            name: name.into(),
            kind: "tune".into(),
            end: StageEnd::Done,
            seconds,
            iterations,
            message: String::new(),
        }
    }

    #[test]
    fn its_own_name_then_its_kind_scaled_by_iterations() {
        let mut seconds = Seconds::default();
        assert_eq!(seconds.estimate("cpu", "tune", "a", None), None);
        seconds.note("cpu", &line("a", 10.0, Some(100)));
        seconds.note("cpu", &line("b", 40.0, Some(100)));
        seconds.note("cpu", &line("b", 41.0, Some(100)));
        let of = |name, n| seconds.estimate("cpu", "tune", name, Some(n)).unwrap();
        assert_eq!(
            of("a", 200),
            Estimate {
                seconds: 20.0,
                from: 1
            }
        );
        assert_eq!(
            of("c", 100),
            Estimate {
                seconds: 40.0,
                from: 3
            }
        );
        assert_eq!(seconds.estimate("cuda", "tune", "a", None), None);
    }

    #[test]
    fn a_command_is_told_of_by_its_name_or_its_sweep_alone() {
        let mut seconds = Seconds::default();
        let command = |name: &str, taken| StageLine {
            kind: "command".into(),
            ..line(name, taken, None)
        };
        seconds.note("cpu", &command("a[n=1]", 3.0));
        let of = |name| {
            seconds
                .estimate("cpu", "command", name, None)
                .map(|e| e.seconds)
        };
        assert_eq!(
            [of("a[n=1]"), of("a[n=2]"), of("b")],
            [Some(3.0), Some(3.0), None]
        );
    }

    #[test]
    fn failures_teach_nothing() {
        let mut seconds = Seconds::default();
        let failed = StageLine {
            end: StageEnd::Failed,
            ..line("a", 1.0, None)
        };
        seconds.note("cpu", &failed);
        assert_eq!(seconds, Seconds::default());
    }
}
