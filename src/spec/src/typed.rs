//! A stage with its own positions, between typing and checking.
//! Unaware of what is checked.

use crate::draft::Draft;
use crate::error::Problem;
use crate::kinds::InputRef;
use crate::node::Pos;
use crate::stage::Stage;

/// A stage with its own positions, between typing and checking.
pub(crate) struct Typed {
    pub stage: Stage,
    /// The stages that it names.
    pub refs: Vec<InputRef>,
    pub draft: Draft,
}

impl Typed {
    /// The same where its words are wanted; else one that is only counted.
    pub(crate) fn problem_if(
        &self,
        wanted: bool,
        path: &str,
        message: impl FnOnce() -> String,
    ) -> Problem {
        if wanted {
            self.problem(path, message())
        } else {
            Problem::new(Pos::default(), "", "")
        }
    }

    /// A problem with the value at `path` within the kind (`validate.images`).
    pub(crate) fn problem(&self, path: &str, message: impl Into<String>) -> Problem {
        let kind = self.stage.kind.name();
        let body = self.draft.body();
        let config = body.get(kind).unwrap_or(&body);
        let node = if path.is_empty() {
            config
        } else {
            config.nearest(path)
        };
        let full = if path.is_empty() {
            kind.to_owned()
        } else {
            format!("{kind}.{path}")
        };
        Problem::new(
            node.pos,
            format!("stages.{}.{full}", self.stage.base),
            message,
        )
    }
}
