//! Shows a run: live on a terminal, as plain lines elsewhere, as JSON for programs.
//! Unaware of how anything is run. Everything but JSON goes to standard error: results are what is on standard output.

pub mod json;
mod lines;
mod rate;
mod terminal;

use engine::run::Display;

use super::args::PipelineArgs;
use super::plan::Estimates;
use super::screen;

/// The display that suits where the output goes. `to_run` is how many stages are going to run, `estimates` how long each
/// may take.
pub fn choose(
    args: &PipelineArgs,
    to_run: usize,
    estimates: impl Fn() -> Estimates,
) -> Box<dyn Display> {
    if args.json {
        Box::new(json::Json)
    } else if screen::draws() && !args.quiet {
        Box::new(terminal::Terminal::new(to_run, args.verbose, estimates()))
    } else {
        Box::new(lines::Lines::new(to_run, args.quiet, args.verbose))
    }
}
