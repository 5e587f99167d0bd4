//! The supervisor's own process, `pipeline __supervise`: waits for the end of its run and ends what is left of it.
//! Unaware of stages. Its standard input ends with the run, its standard output is the run's lock.

use std::io::{Read, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use rustix::process::{Pid, WaitOptions, getpid, wait};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;

use super::{namespace, processes, tag};

/// The word after the program's name that makes it a supervisor.
pub const WORD: &str = "__supervise";

/// The word behind it where it is PID 1 of a namespace.
pub(super) const IN_NAMESPACE: &str = "namespace";

/// What it says when stages may be started.
pub(super) const READY: &[u8] = b"ready\n";

/// The whole of a supervisor's life. `arguments`: [`IN_NAMESPACE`] or not, and the first tag of the run.
pub fn supervise(arguments: &[String]) -> ExitCode {
    let [mode, first] = arguments else {
        return ExitCode::from(2);
    };
    let (is_init, first) = (mode == IN_NAMESPACE, first.parse::<u64>());
    if is_init && getpid() != Pid::INIT {
        return ExitCode::from(2); // started by hand: it would kill all processes of the machine
    }
    let Ok(first) = first else {
        return ExitCode::from(2);
    };
    match begin(is_init) {
        Ok(()) => {}
        Err(error) => {
            let _ = write!(std::io::stderr(), "{error}");
            return ExitCode::FAILURE;
        }
    }
    let _ = std::io::stdin().lock().read_to_end(&mut Vec::new()); // an error is an end, too
    if is_init {
        end_namespace();
    } else {
        processes::end(&tag::range(first), &[]);
    }
    ExitCode::SUCCESS
}

/// Signals of a terminal or of a person who means the run do not end it: only the end of the run does.
fn begin(is_init: bool) -> std::io::Result<()> {
    let ignored = Arc::new(AtomicBool::new(false));
    for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE] {
        signal_hook::flag::register(signal, Arc::clone(&ignored))?;
    }
    std::env::set_current_dir("/")?; // no folder is kept from being unmounted
    if is_init {
        namespace::mount_proc()?;
        let mut ended = Signals::new([SIGCHLD])?;
        std::thread::spawn(move || {
            for _ in ended.forever() {
                reap();
            }
        });
    }
    std::io::stderr().write_all(READY)
}

/// Orphans become children of PID 1, and stay as zombies until it has asked how they ended.
fn reap() {
    while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
}

/// Kills all others until none lives. When this process ends the kernel does the same, but nobody waits for it then:
/// the lock of the run must not be free before.
fn end_namespace() {
    while processes::kill_others() {
        reap();
        std::thread::sleep(Duration::from_millis(1));
    }
}
