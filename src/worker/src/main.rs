//! `pipeline-worker JOB.json`: does one stage and says on standard output how it goes, one JSON event a line.
//! `pipeline-worker --facts` says what this machine can do. Unaware of the graph.

use std::process::ExitCode;

fn main() -> ExitCode {
    pipeline_worker::work::main()
}
