//! Shows a run: live on a terminal, as plain lines elsewhere, as JSON for programs.
//! Unaware of how anything is run. Everything but JSON goes to standard error: results are what is on standard output.

mod json;
mod lines;
mod rate;
mod terminal;

use std::io::IsTerminal;

use engine::run::Display;

use super::args::PipelineArgs;

/// The display that suits where the output goes. `to_run` is how many stages are going to run.
pub fn choose(args: &PipelineArgs, to_run: usize) -> Box<dyn Display> {
    if args.json {
        Box::new(json::Json)
    } else if std::io::stderr().is_terminal() && !args.quiet {
        Box::new(terminal::Terminal::new(to_run, args.verbose))
    } else {
        Box::new(lines::Lines::new(to_run, args.quiet, args.verbose))
    }
}
