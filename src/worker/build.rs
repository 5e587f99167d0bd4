//! Tells the linker where libtorch lies, so that the worker, its tests and benches start without `LD_LIBRARY_PATH`.
//! Unaware of versions: torch-sys checks that libtorch is the one it was written for.

use std::env;
use std::path::PathBuf;
use std::process::Command;

fn main() {
    for name in [
        "LIBTORCH",
        "LIBTORCH_LIB",
        "LIBTORCH_USE_PYTORCH",
        "VIRTUAL_ENV",
    ] {
        println!("cargo:rerun-if-env-changed={name}");
    }
    println!("cargo:rerun-if-changed=build.rs");
    if let Some(folder) = lib_folder() {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{}", folder.display());
        println!("cargo:rustc-env=PIPELINE_LIBRARIES={}", folder.display());
    }
}

/// The folder of `libtorch.so`, looked for where torch-sys looks: in Python's torch, else in `LIBTORCH_LIB`, `LIBTORCH`.
fn lib_folder() -> Option<PathBuf> {
    if env::var_os("LIBTORCH_USE_PYTORCH").is_some() {
        return python_lib_folder();
    }
    let root = env::var_os("LIBTORCH_LIB").or_else(|| env::var_os("LIBTORCH"))?;
    Some(PathBuf::from(root).join("lib"))
}

/// The folder `torch/lib` of the Python that torch-sys asks.
fn python_lib_folder() -> Option<PathBuf> {
    let python = if env::var_os("VIRTUAL_ENV").is_some() {
        "python"
    } else {
        "python3"
    };
    let script = "import os, torch; print(os.path.join(os.path.dirname(torch.__file__), 'lib'))";
    let output = Command::new(python).args(["-c", script]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| PathBuf::from(text.trim()))
}
