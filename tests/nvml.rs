//! Builds the stand-in for NVIDIA's library from tests/nvml.c.
//! Unaware of what it is to answer.

use std::path::Path;
use std::process::Command;

/// Builds it as `library`. False where there is no C compiler, which is said of `test`.
pub fn build(library: &Path, test: &str) -> bool {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/nvml.c");
    let mut compiler = Command::new("cc");
    compiler
        .args(["-shared", "-fPIC", "-o"])
        .arg(library)
        .arg(source);
    let built = compiler.status().is_ok_and(|status| status.success());
    if !built {
        println!("skipped: {test}: no C compiler");
    }
    built
}
