//! Shows a run: live on a terminal, as plain lines elsewhere, as JSON for programs.
//! Unaware of how anything is run. Everything but JSON goes to standard error: results are what is on standard output.

mod gpus;
pub mod json;
mod lines;
mod rate;
mod terminal;
mod work;

use engine::run::Display;

use super::args::PipelineArgs;
use super::estimates::Estimates;
use super::screen;

/// The display that suits where the output goes. `to_run` is how many stages are going to run, `estimates` how long each
/// may take, `gpus` the names by which the driver knows those that stages are given.
pub fn choose(
    args: &PipelineArgs,
    to_run: usize,
    estimates: impl Fn() -> Estimates,
    gpus: &[String],
) -> Box<dyn Display> {
    if args.json {
        Box::new(json::Json)
    } else if screen::draws() && !args.quiet {
        Box::new(terminal::Terminal::new(
            to_run,
            args.verbose,
            estimates(),
            gpus,
        ))
    } else {
        Box::new(lines::Lines::new(to_run, args.quiet, args.verbose))
    }
}
