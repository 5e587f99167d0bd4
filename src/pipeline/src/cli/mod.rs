//! The door: reads the command line, wires the rooms, prints, and chooses the exit code.
//! Unaware of how anything is computed.
//!
//! ```text
//!   args ──> session: spec::Pipeline + worker's facts + digests of outside files + store ──> Plan
//!                                                                                             |
//!        plan: show it        run: verify what will be read, run, copy tables to reports/  <──┘
//!        doctor: look at the worker, libtorch, devices, cache and disk
//! ```

mod args;
mod ask;
mod bytes;
mod cache;
mod called;
mod card;
mod check;
mod common_args;
mod data;
mod deliver;
mod diff;
mod display;
mod doctor;
mod duration;
mod estimates;
mod exp;
mod explain;
mod export;
mod fatal;
mod finished;
mod fit;
mod gc;
mod graph;
mod hints;
mod init;
mod inspect;
mod log;
mod masks;
mod names;
mod near;
mod open;
mod out;
mod plan;
mod restore;
mod run;
mod runs;
mod say;
mod schema;
mod screen;
mod scrub;
mod shell;
mod signals;
mod stored;
mod version;
mod waits;
mod whose;
mod why;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use engine::run::{SUPERVISE_WORD, supervise, walls};

pub use args::{Cli, Command, PipelineArgs, PlanArgs, RunArgs};
pub use fatal::{Exit, Fatal};
pub(crate) use open::open;
use say::json_of;
pub(crate) use say::{
    print, print_as, print_json, print_lines, print_raw, print_states, say, say_all,
};

/// Runs the program; the whole of `main`.
pub fn main() -> ExitCode {
    let exit = chosen();
    match out::end() {
        Ok(()) => exit,
        Err(error) => {
            say_all(
                &Fatal::failed(
                    format!("cannot write to standard output: {error}"),
                    "what was printed is not whole: look where it goes, and at the room there",
                )
                .diagnostics,
            );
            if exit == ExitCode::SUCCESS {
                ExitCode::FAILURE
            } else {
                exit
            }
        }
    }
}

/// Does what the command line says.
fn chosen() -> ExitCode {
    let first = std::env::args_os().nth(1).unwrap_or_default();
    if first == SUPERVISE_WORD {
        let arguments: Vec<String> = words_behind_the_first();
        return supervise(&arguments);
    }
    if first == walls::WORD {
        return walls::wall();
    }
    if first == names::WORD {
        return names::names(&words_behind_the_first());
    }
    if first == "--version" || first == "-V" {
        return version::version();
    }
    let words = without_help_of_help(std::env::args_os().collect());
    let cli = match Cli::try_parse_from(words) {
        Ok(cli) => cli,
        Err(said) => {
            out::note(said.print());
            return ExitCode::from(u8::try_from(said.exit_code()).unwrap_or(Exit::Usage as u8));
        }
    };
    let result = match &cli.command {
        Command::Run(args) => run::run(args),
        Command::Plan(args) => plan::plan(args),
        Command::Explain(args) => explain::explain(args),
        Command::Runs(args) => runs::runs(args),
        Command::Show(args) => runs::show(args),
        Command::Diff(args) => diff::diff(args),
        Command::Exp(args) => exp::exp(args),
        Command::Log(args) => log::log(args),
        Command::Path(args) => stored::path(args),
        Command::Export(args) => stored::export(args),
        Command::Cache(args) => cache::cache(args),
        Command::Doctor(args) => doctor::doctor(args),
        Command::Data(args) => data::data(args),
        Command::Graph(args) => graph::graph(args),
        Command::Init(args) => init::init(args),
        Command::Masks(args) => masks::masks(args),
        Command::Inspect(args) => inspect::inspect(args),
        Command::Restore(args) => restore::restore(args),
        Command::Schema(args) => schema::schema(args),
        Command::Completions(args) => shell::completions(args),
        Command::Man(args) => shell::man(args),
    };
    let exit = result.unwrap_or_else(|fatal| {
        report(&fatal, cli.command.is_json());
        fatal.exit
    });
    ExitCode::from(exit as u8)
}

/// What a shell, or this program, hands on behind a word that is no command.
fn words_behind_the_first() -> Vec<String> {
    let words = std::env::args_os().skip(2);
    words.map(|w| w.to_string_lossy().into_owned()).collect()
}

/// `pipeline cache help --help` asks for the help of `cache`.
fn without_help_of_help(mut words: Vec<OsString>) -> Vec<OsString> {
    if let [.., help, last] = words.as_slice()
        && help == "help"
        && (last == "--help" || last == "-h")
    {
        words.pop();
    }
    words
}

/// Says what is wrong; for programs as a line of JSON each, too.
fn report(fatal: &Fatal, is_json: bool) {
    if is_json {
        for diagnostic in &called::as_called(&fatal.diagnostics).first {
            print_json(&format!("{}\n", json_of(diagnostic)));
        }
    }
    say_all(&fatal.diagnostics);
}
