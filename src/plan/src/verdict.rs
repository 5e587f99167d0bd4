//! Fresh, stale or blocked, and the reasons that there are.
//! Unaware of how a stage is judged, and of how reasons are printed.

/// Whether a stage has to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its result is stored and whole.
    Fresh,
    /// It has to run, for these reasons.
    Stale(Vec<Reason>),
    /// It cannot run: what is missing.
    Blocked(Vec<String>),
}

impl Verdict {
    /// Whether a stored result, if there is one, is not to be used.
    pub fn is_forced(&self) -> bool {
        let forced = |r: &Reason| matches!(r, Reason::Forced | Reason::InputForced { .. });
        matches!(self, Self::Stale(reasons) if reasons.iter().any(forced))
    }
}

/// Why a stage has to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No stage of this name is on record.
    NeverRan,
    /// A line of the manifest is another than last time.
    Changed(Change),
    /// An input is to be computed first.
    InputStale {
        /// The input's role.
        role: String,
        /// The stage that fills it.
        stage: String,
    },
    /// An input is computed anew because `--force` asks for it.
    InputForced {
        /// The stage that is forced.
        stage: String,
    },
    /// An input is stored with other bytes than the result was made from.
    InputDiffers {
        /// The input's role.
        role: String,
        /// The stage that fills it.
        stage: String,
    },
    /// Nothing that determines the result has changed, but the result is not stored.
    NotStored,
    /// Its result was found damaged and moved aside.
    WasDamaged,
    /// Outputs are gone.
    OutputMissing(Vec<String>),
    /// Outputs, or the record, are not what was written.
    OutputDamaged(Vec<String>),
    /// `--force` names it.
    Forced,
}

/// A line of a manifest, before and now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The line's path (`config.alpha`).
    pub path: String,
    /// The value before; `None` if the line is new.
    pub old: Option<String>,
    /// The value now; `None` if the line is gone.
    pub new: Option<String>,
}
