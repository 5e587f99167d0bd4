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
mod data;
mod deliver;
mod diff;
mod display;
mod doctor;
mod estimates;
mod exp;
mod explain;
mod export;
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
mod out;
mod plan;
mod restore;
mod run;
mod runs;
mod schema;
mod screen;
mod scrub;
mod shell;
mod signals;
mod stored;
mod version;
mod waits;
mod why;

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use diagnostics::shown;
use serde_json::{Value, json};

use diagnostics::render::{self, Style};
use diagnostics::{Diagnostic, Diagnostics};
use engine::error::{Error, Fault};
use engine::run::{SUPERVISE_WORD, supervise, walls};
use engine::session::{Access, Session};

pub use args::{Cli, Command, PipelineArgs, PlanArgs, RunArgs};

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// A stage failed.
    Failed = 1,
    /// The command line or the pipeline file is wrong.
    Usage = 2,
    /// A table is not what `--check` expects.
    Differs = 3,
    /// A signal ended it.
    Interrupted = 130,
}

/// An error that ends the program: what is wrong, and the exit code.
#[derive(Debug)]
pub struct Fatal {
    /// What is wrong and what to do.
    pub diagnostics: Diagnostics,
    /// The exit code.
    pub exit: Exit,
}

impl Fatal {
    /// The command line or the pipeline file is wrong.
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Error::usage(message, hint).into()
    }

    /// Something failed that was asked for rightly.
    pub fn failed(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Error::failed(message, hint).into()
    }
}

impl From<Error> for Fatal {
    fn from(error: Error) -> Self {
        let exit = match error.fault {
            Fault::Usage => Exit::Usage,
            Fault::Failed => Exit::Failed,
        };
        Self {
            diagnostics: error.diagnostics,
            exit,
        }
    }
}

impl From<store::StoreError> for Fatal {
    fn from(error: store::StoreError) -> Self {
        Error::from(error).into()
    }
}

/// Opens a session that says what it has to say on standard error; for programs as lines of JSON, too.
pub(crate) fn open(args: &PipelineArgs, access: Access) -> Result<Session, Fatal> {
    let is_json = args.json;
    let tell = move |notice: &Diagnostic| {
        if is_json {
            print_json(&format!("{}\n", json_of(notice)));
        }
        say_all(&notice.clone().into());
    };
    let opened = Session::open(&args.options(), access, Box::new(tell));
    Ok(opened.map_err(|error| with_near_file(error, &args.file))?)
}

/// An error of a pipeline file that is not there names the one that may have been meant.
fn with_near_file(mut error: Error, file: &Path) -> Error {
    let near = (!file.exists()).then(|| near::meant(file)).flatten();
    if let (Some(near), Some(first)) = (near, error.diagnostics.first.first_mut()) {
        first.hint = format!("did you mean `{}`?", files::Name(&near));
    }
    error
}

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

/// A diagnostic as an event by its severity, with the column behind what is meant.
fn json_of(diagnostic: &Diagnostic) -> Value {
    let mut event = json!(diagnostic);
    event["event"] = diagnostic.severity.word().into();
    event["severity"] = diagnostic.severity.word().into();
    if let Some(place) = diagnostic.place.as_ref().filter(|p| p.line > 0) {
        event["place"]["end_column"] = (place.column + place.width()).into();
    }
    event
}

/// Diagnostics on standard error, in colour on a terminal whose user has not said `NO_COLOR`.
pub(crate) fn say_all(diagnostics: &Diagnostics) {
    let style = if screen::stderr_has_colour() {
        Style::Colour
    } else {
        Style::Plain
    };
    let text = render::all(&called::as_called(diagnostics), style);
    let text = fit::around_quotes(&text, screen::width_of_stderr());
    let _ = std::io::stderr().lock().write_all(text.as_bytes()); // a closed one is nobody's problem
}

/// A line on standard error. A closed one is nobody's problem. What came from a file, a name or a child and would move
/// the cursor or hide is escaped here, whoever put it into the line.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", shown::text(line));
}

/// Text on standard output: results, escaped as in [`say`]. A closed pipe (`| head`) ends the output, not the work.
pub(crate) fn print(text: &str) {
    print_raw(&shown::text(text));
}

/// The same of sentences and facts, which are broken between words where a terminal has no room.
pub(crate) fn print_lines(text: &str) {
    print_raw(&fit::hanging(&shown::text(text), screen::width()));
}

/// The same of lines that may begin with a state, which has its colour on a terminal.
pub(crate) fn print_states(text: &str) {
    let text = shown::text(text);
    let text = if screen::has_colour() {
        screen::painted(&text)
    } else {
        text.into_owned()
    };
    print_raw(&fit::hanging(&text, screen::width()));
}

/// JSON on standard output: what [`print`] escapes is escaped as JSON has it.
pub(crate) fn print_json(text: &str) {
    print_raw(&shown::json(text));
}

/// Either of the two.
pub(crate) fn print_as(is_json: bool, text: &str) {
    if is_json {
        print_json(text);
    } else {
        print_lines(text);
    }
}

/// For programs, byte by byte.
pub(crate) fn print_raw(text: &str) {
    out::write(text);
}
