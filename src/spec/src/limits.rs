//! How much a pipeline file may ask for before it is refused, whatever it says, and what is left of it while it is read.
//! Unaware of where a user raises a limit; [`Limits::VARIABLE`] is its name in messages.
//!
//! Everything is counted before it is built: a file that multiplies itself is refused before it takes memory or time.
//! None of the limits is raised by a pipeline file, because the file is what they guard against.

use std::cell::Cell;

/// The most that one pipeline may be made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Stages, each member of a sweep counted.
    pub members: u64,
    /// Inputs of all stages together.
    pub edges: u64,
    /// Bytes of text after `{name}`, `${VAR}` and `each:` are replaced, a little more for each value.
    pub text: u64,
    /// Values in all files together, those behind an alias counted each time.
    pub values: u64,
    /// Files that are included, directly or by others.
    pub files: u64,
    /// Bytes of all files together.
    pub bytes: u64,
    /// Bytes of memory that reading the pickle of a checkpoint may take. Not of the pipeline file; raised like the others.
    pub pickle: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            members: 1 << 20,
            edges: 8 << 20,
            text: 2 << 30,
            values: 10_000_000,
            files: 1000,
            bytes: 128 << 20,
            pickle: 256 << 20,
        }
    }
}

impl Limits {
    /// The environment variable that raises limits: `members=2000000,text=8G`.
    pub const VARIABLE: &'static str = "PIPELINE_LIMITS";
    /// The deepest that lists and mappings stand in each other. Fixed: walks over values recurse.
    pub const DEPTH: usize = 200;
    /// The most problems that are told; the others are counted.
    pub const PROBLEMS: usize = 100;

    /// The defaults with what the text says in their place.
    ///
    /// # Errors
    /// What is wrong with the text, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut limits = Self::default();
        for part in text.split(',').filter(|p| !p.trim().is_empty()) {
            let (name, value) = part
                .split_once('=')
                .ok_or_else(|| format!("expected `name=number`, found `{part}`"))?;
            let slot = limits.slot(name.trim()).ok_or_else(|| {
                format!(
                    "there is no limit `{}`; limits: {}",
                    name.trim(),
                    NAMES.join(", ")
                )
            })?;
            *slot = number(value.trim()).ok_or_else(|| {
                format!("expected a number such as 2000000 or 8G, found `{value}`")
            })?;
        }
        Ok(limits)
    }

    fn slot(&mut self, name: &str) -> Option<&mut u64> {
        let Self {
            members,
            edges,
            text,
            values,
            files,
            bytes,
            pickle,
        } = self;
        let all = [members, edges, text, values, files, bytes, pickle];
        let at = NAMES.iter().position(|n| *n == name)?;
        all.into_iter().nth(at)
    }
}

/// In the order of the fields.
const NAMES: [&str; 7] = [
    "members", "edges", "text", "values", "files", "bytes", "pickle",
];

/// Decimal digits, with `K`, `M` or `G` behind them for powers of 1024.
pub fn number(text: &str) -> Option<u64> {
    let (digits, shift) = match text.as_bytes().last()? {
        b'k' | b'K' => (&text[..text.len() - 1], 10),
        b'm' | b'M' => (&text[..text.len() - 1], 20),
        b'g' | b'G' => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let value: u64 = plain.then(|| digits.parse().ok())??;
    value.checked_mul(1 << shift)
}

/// A limit that would be passed: what is counted, and how much of it there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exceeded {
    what: What,
    most: u64,
    /// How much would have been needed, where that is known at once.
    wanted: Option<u64>,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Members,
    Edges,
    Text,
    Values,
    Files,
    Bytes,
}

impl Exceeded {
    pub(crate) fn message(&self) -> String {
        let wanted = match self.wanted {
            Some(wanted) => format!("{} ", grouped(wanted)),
            None => String::new(),
        };
        let most = grouped(self.most);
        match self.what {
            What::Members => {
                format!("the sweeps have {wanted}members, and at most {most} stages are planned")
            }
            What::Edges => format!("the stages name more than {most} inputs together"),
            What::Text => {
                format!("replacing `{{name}}`, `${{VAR}}` and `each:` gives more than {most} bytes")
            }
            What::Values => format!("the files hold more than {most} values"),
            What::Files => format!("more than {most} files are included"),
            What::Bytes => format!("the files are larger than {most} bytes together"),
        }
    }

    pub(crate) fn hint(&self) -> String {
        let name = NAMES[self.what as usize];
        let enough = self.wanted.unwrap_or(0).max(self.most.saturating_mul(4));
        format!(
            "if this is what you want, raise the limit: {}={name}={enough}",
            Limits::VARIABLE
        )
    }
}

/// `1 000 000`, as tables spell it.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, c) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(c);
    }
    out
}

/// What has been used of the limits so far.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    limits: Limits,
    used: [Cell<u64>; NAMES.len()],
}

impl Meter {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            used: Default::default(),
        }
    }

    /// Takes so much of it, before it is built.
    pub(crate) fn take(&self, what: What, amount: u64) -> Result<(), Exceeded> {
        let most = self.most(what);
        let used = &self.used[what as usize];
        let wanted = used.get().saturating_add(amount);
        if wanted > most {
            // A sweep's size is known in one step; other sums end where the limit is passed.
            let wanted = (what == What::Members).then_some(wanted);
            return Err(Exceeded { what, most, wanted });
        }
        used.set(wanted);
        Ok(())
    }

    fn most(&self, what: What) -> u64 {
        let Limits {
            members,
            edges,
            text,
            values,
            files,
            bytes,
            pickle: _,
        } = self.limits;
        match what {
            What::Members => members,
            What::Edges => edges,
            What::Text => text,
            What::Values => values,
            What::Files => files,
            What::Bytes => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_raised_by_name() {
        let limits = Limits::parse("members=5, text=8G").unwrap();
        assert_eq!((limits.members, limits.text), (5, 8 << 30));
        assert_eq!(limits.files, Limits::default().files);
        assert_eq!(Limits::parse("").unwrap(), Limits::default());
        for bad in [
            "x=1",
            "members",
            "members=",
            "members=-1",
            "text=99999999999G",
            "text=1T",
        ] {
            assert!(Limits::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_taken_adds_up_and_is_refused_before_it_is_built() {
        let meter = Meter::new(Limits::parse("members=10").unwrap());
        meter.take(What::Members, 7).unwrap();
        let exceeded = meter.take(What::Members, 1_000_000_000).unwrap_err();
        assert_eq!(
            exceeded.message(),
            "the sweeps have 1 000 000 007 members, and at most 10 stages are planned"
        );
        assert!(
            exceeded
                .hint()
                .ends_with("PIPELINE_LIMITS=members=1000000007")
        );
        meter.take(What::Members, 3).unwrap();
        assert!(meter.take(What::Members, u64::MAX).is_err());
    }
}
