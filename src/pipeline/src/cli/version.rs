//! `pipeline --version`: what a report of a defect has to say: the release, the commit, and the libtorch that computes.
//! Unaware of pipelines.

use std::process::ExitCode;

use engine::worker;

use super::print;

/// The commit that the program was built from, where that was known.
pub const COMMIT: Option<&str> = option_env!("PIPELINE_COMMIT");

/// Prints the version.
pub fn version() -> ExitCode {
    let libtorch = worker::find().and_then(|path| worker::facts(&path));
    let libtorch = match libtorch {
        Ok(facts) => format!("libtorch {}", facts.libtorch),
        Err(_) => "no worker; `pipeline doctor` says why".to_owned(),
    };
    let commit = COMMIT.map_or(String::new(), |commit| format!(" ({commit})"));
    print(&format!(
        "pipeline {}{commit}, {libtorch}\n",
        env!("CARGO_PKG_VERSION")
    ));
    ExitCode::SUCCESS
}
