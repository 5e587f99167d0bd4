//! `pipeline __wall`: builds walls around itself, of mounts with the rights of a user namespace, which only a process of one
//! thread may enter, or of rules, and becomes the program that is to stand within. Unaware of stages.
//!
//! ```text
//!   pipeline run ── socket, as its standard input ──> pipeline __wall
//!        │             ── program, words, view ──>         │ user namespace and mounts, or rules
//!        └─ nothing: it runs; a text: why not <──────────  └─ exec
//! ```

use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};

use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{getgid, getuid};

use super::mounts::build;
use super::rules::restrict;
use super::view::{Fields, View};
use crate::run::text_busy::start_when_free;
use crate::run::unshare::own_users_and_mounts;

/// The word after the program's name that makes it a helper.
pub const WORD: &str = "__wall";

/// This program, even where its file has been replaced meanwhile.
const OWN: &str = "/proc/self/exe";

/// What starts within: a program, how it is called, its arguments.
#[derive(Clone, Debug)]
pub struct Program {
    /// The file.
    pub path: OsString,
    /// Its own name for itself.
    pub name: OsString,
    /// The words behind it.
    pub arguments: Vec<OsString>,
}

impl Program {
    /// The same, to be started from here.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.arg0(&self.name).args(&self.arguments);
        command
    }
}

/// A helper that is being started: what it is to be told.
pub struct Talk {
    ours: UnixStream,
    message: Vec<u8>,
}

/// What a helper's walls are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// Mounts in a user namespace.
    OfMounts,
    /// Rules. A thread could set them too, but its end would be the death of a parent to what it has started.
    OfRules,
}

impl Made {
    const fn word(self) -> &'static str {
        match self {
            Self::OfMounts => "mounts",
            Self::OfRules => "rules",
        }
    }
}

/// The helper's process. Its standard input is taken.
pub fn command(program: &Program, view: &View, made: Made) -> io::Result<(Command, Talk)> {
    let (ours, theirs) = UnixStream::pair()?;
    let mut message = format!("{}\0", made.word()).into_bytes();
    let arguments = program.arguments.iter();
    let count = OsString::from(program.arguments.len().to_string());
    let fields = [&program.path, &program.name, &count]
        .into_iter()
        .chain(arguments);
    for field in fields {
        message.extend_from_slice(field.as_bytes());
        message.push(0);
    }
    view.encode(&mut message);
    let mut command = Command::new(OWN);
    command
        .arg0("pipeline")
        .arg(WORD)
        .stdin(OwnedFd::from(theirs));
    Ok((command, Talk { ours, message }))
}

impl Talk {
    /// Returns when the program runs, or why it does not. The command must be gone: it has the other end.
    pub fn finish(mut self) -> io::Result<()> {
        let told = self.ours.write_all(&self.message);
        told.and_then(|()| self.ours.shutdown(Shutdown::Write))?;
        let mut answer = String::new();
        self.ours.read_to_string(&mut answer)?;
        match answer.split_once('\n') {
            None => Ok(()),
            Some((number, text)) => Err(match number.parse() {
                Ok(number) => io::Error::from_raw_os_error(number),
                Err(_) => io::Error::other(text.to_owned()),
            }),
        }
    }
}

/// The whole of a helper's life.
pub fn wall() -> ExitCode {
    let Ok(mut talk) = take_over() else {
        return ExitCode::from(2);
    };
    let error = match become_program(&mut talk) {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failed::Walls(error)) => format!("\nthe walls around the project: {error}"),
        Err(Failed::Program(error)) => match error.raw_os_error() {
            Some(number) => format!("{number}\n"),
            None => format!("\n{error}"),
        },
    };
    let _ = talk.write_all(error.as_bytes()); // nobody listens any more
    ExitCode::from(127)
}

enum Failed {
    Walls(io::Error),
    Program(io::Error),
}

/// The socket, which no program gets: that reads from `/dev/null`.
fn take_over() -> io::Result<UnixStream> {
    let talk = fcntl_dupfd_cloexec(io::stdin().as_fd(), 3)?;
    Ok(UnixStream::from(talk))
}

/// Does not return where the program runs. Without a program it was only to be found out whether walls can be built.
fn become_program(talk: &mut UnixStream) -> Result<(), Failed> {
    let mut message = Vec::new();
    talk.read_to_end(&mut message).map_err(Failed::Walls)?;
    let mut fields = Fields(&message);
    let unreadable = || Failed::Walls(io::Error::other("the message cannot be read"));
    let word = fields.text().ok_or_else(unreadable)?;
    let (program, view) = decode(&mut fields).ok_or_else(unreadable)?;
    let walls = if word == Made::OfRules.word() {
        restrict(&view)
    } else {
        enclose(&view)
    };
    walls.map_err(Failed::Walls)?;
    if program.path.is_empty() {
        return Ok(());
    }
    let become_it = || Err(program.command().stdin(Stdio::null()).exec());
    start_when_free(become_it).map_err(Failed::Program)
}

fn decode(fields: &mut Fields<'_>) -> Option<(Program, View)> {
    let (path, name, count) = (fields.text()?, fields.text()?, fields.count()?);
    let arguments = (0..count).map(|_| fields.text()).collect::<Option<_>>()?;
    let program = Program {
        path,
        name,
        arguments,
    };
    Some((program, View::decode(fields)?))
}

/// The user keeps its number; groups that it is in beside its own stay in force, but have no names within.
fn enclose(view: &View) -> io::Result<()> {
    let (user, group) = (getuid().as_raw(), getgid().as_raw());
    let folder = std::env::current_dir()?;
    own_users_and_mounts(|| {
        std::fs::write("/proc/self/setgroups", "deny")?;
        std::fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
        std::fs::write("/proc/self/gid_map", format!("{group} {group} 1"))
    })?;
    build(view)?;
    std::env::set_current_dir(folder)
}

/// Whether such walls can be built here; if not, why.
pub fn probe(view: &View) -> io::Result<()> {
    let nothing = Program {
        path: OsString::new(),
        name: OsStr::new("").to_owned(),
        arguments: Vec::new(),
    };
    let (mut command, talk) = command(&nothing, view, Made::OfMounts)?;
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    drop(command);
    let said = talk.finish();
    let status = child.wait()?;
    said?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other(format!("the helper ended with {status}")))
    }
}
