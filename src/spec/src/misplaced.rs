//! What is said of a path of a command that lies where it must not.
//! Unaware of how that is found.

use diagnostics::Diagnostic;

use crate::error::Problem;
use crate::node::Pos;
use crate::stage::Stage;

/// What to do where an input is an output.
pub(crate) const READ_A_STAGE: &str =
    "name the stage under `stages:` to read what it makes, or put the output elsewhere";

/// A problem of a stage, at a field of its kind or, without one, at the kind.
pub(crate) fn problem(stage: &Stage, field: &str, message: String, hint: &str) -> Diagnostic {
    let kind = stage.kind.name();
    let mut path = format!("stages.{}.{kind}", stage.base);
    if !field.is_empty() {
        path = format!("{path}.{field}");
    }
    let problem = Problem::new(Pos::default(), path, message).hint(hint);
    problem.located(stage.place.clone())
}
