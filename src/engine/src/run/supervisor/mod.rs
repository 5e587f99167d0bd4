//! Ends what stages leave behind, and everything of a run that is dead.
//! Unaware of stages, keys and terminals.
//!
//! ```text
//!   pipeline run ────────────── each thread enters a PID namespace while it starts a process, and leaves it again
//!     │   │ pipe                      │               │
//!     │   └──> pipeline __supervise   sh -c …    pipeline-worker …     their numbers, groups and /proc are the outer
//!     │        PID 1 of that space,   │                                ones for `pipeline run`: signals, limits and
//!     │        has a copy of the      └─ setsid, nohup, …              waits work as if there were no namespace
//!     │        run's lock
//!     │
//!     ├─ a command ends:   what it left are children of PID 1 by now: none, nearly always; else those with the
//!     │                    command's tag are killed before its outputs are looked at
//!     └─ dies, however:    the pipe ends; PID 1 kills all others, waits until nothing lives, and frees the run's lock
//! ```
//!
//! A **tag** tells whose a process is: the soft limit `RLIMIT_LOCKS`, which Linux has ignored since 2.4.25 and every
//! child inherits, through `setsid`, `env -i`, double forks and `exec`. Each command gets a number of its own, from a range
//! of its run. What changes that limit itself is ended when no other command runs that could have started it.
//!
//! Where no namespace is allowed (`pipeline doctor` says so) there is none: the run adopts orphans itself (a "child
//! subreaper"), the supervisor finds what a dead run has left by the run's range of tags, and each try of a stage gets a
//! folder of its own, so that nothing is read that a process wrote which escaped even so.
//!
//! What escapes: what another service starts on request (`systemd-run`, `at`, `docker run`, a job of a cluster), and,
//! without a namespace, what changes its tag and outlives its run, or all if run and supervisor are killed at once.

mod holders;
mod init;
mod mutex;
pub(super) mod namespace;
mod processes;
mod spawner;
mod tag;

pub use init::{WORD, supervise};
pub use spawner::Supervisor;
pub(super) use spawner::resident;
pub use tag::Tag;
