//! What libtorch is here and on which devices it can compute; makes CUDA available where there is a GPU.
//! Unaware of models, stages and of which device a stage asks for.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The libtorch this program was written for; tch refuses to build with another.
pub const LIBTORCH: &str = "2.11.0";

/// What the worker knows of libtorch and its devices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Version of libtorch.
    pub libtorch: String,
    /// Whether CUDA can be used.
    pub cuda: bool,
    /// Number of CUDA devices.
    pub devices: i64,
    /// Names of the devices the driver lists, in its order; empty where it says nothing.
    pub names: Vec<String>,
}

/// Asks libtorch and the driver. Call [`load`] first.
pub fn facts() -> Facts {
    let cuda = tch::Cuda::is_available();
    Facts {
        libtorch: version().unwrap_or_else(|| LIBTORCH.to_owned()),
        cuda,
        devices: if cuda { tch::Cuda::device_count() } else { 0 },
        names: if cuda {
            device_names(Path::new("/proc/driver/nvidia/gpus"))
        } else {
            Vec::new()
        },
    }
}

/// What [`load`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loaded {
    /// No NVIDIA device file: there is no GPU to use.
    NoDevice,
    /// libtorch lies here without its CUDA library: a CPU build.
    CpuBuild,
    /// The CUDA library is open, and stays so.
    Cuda,
    /// The library is there and could not be opened; libtorch computes on the CPU.
    Failed(String),
}

/// Opens libtorch's CUDA library where a GPU is present, so that one binary serves machines with and without one.
///
/// The linker drops `libtorch_cuda.so`, since no symbol of it is named; opening it registers its kernels. Call this
/// once, before any tensor exists.
pub fn load() -> Loaded {
    if !has_device(Path::new("/dev")) {
        return Loaded::NoDevice;
    }
    let library = lib_folder().map(|folder| folder.join("libtorch_cuda.so"));
    match library.filter(|path| path.exists()) {
        None => Loaded::CpuBuild,
        Some(path) => open_for_good(&path)
            .map_or_else(|error| Loaded::Failed(error.to_string()), |()| Loaded::Cuda),
    }
}

/// Opens a shared library and never closes it.
#[expect(
    unsafe_code,
    reason = "opening a library runs its initialisers; see the paragraph within"
)]
fn open_for_good(path: &Path) -> Result<(), libloading::Error> {
    // SAFETY: opening a library runs its initialisers, so it is sound if these are. The file is `libtorch_cuda.so` from
    // the folder that `libtorch_cpu.so` of this very process was loaded from, hence of the same build of PyTorch, whose
    // Python package opens it in the same way. Its initialisers register kernels with the dispatcher of
    // `libtorch_cpu.so`, under that library's own lock. No symbol is taken from it here, and it is never unloaded, so no
    // pointer into it can dangle.
    let library = unsafe { libloading::Library::new(path) }?;
    std::mem::forget(library);
    Ok(())
}

/// Whether the driver has made a device file (`nvidia0`…).
fn has_device(dev: &Path) -> bool {
    let is_gpu = |name: &str| {
        name.strip_prefix("nvidia")
            .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    };
    let Ok(entries) = fs::read_dir(dev) else {
        return false;
    };
    entries
        .flatten()
        .any(|entry| entry.file_name().to_str().is_some_and(is_gpu))
}

/// The folder that `libtorch_cpu.so` was loaded from.
pub fn lib_folder() -> Option<PathBuf> {
    folder_in(&fs::read_to_string("/proc/self/maps").ok()?)
}

/// The folder of `libtorch_cpu.so` in the text of a maps file, whose lines end with the path of what is mapped.
fn folder_in(maps: &str) -> Option<PathBuf> {
    let line = maps
        .lines()
        .find(|line| line.ends_with("/libtorch_cpu.so"))?;
    let path = Path::new(&line[line.find('/')?..]);
    path.parent().map(Path::to_path_buf)
}

/// The version that libtorch's own files state: `build-version` of an archive, `version.py` of a Python package.
fn version() -> Option<String> {
    let folder = lib_folder()?;
    let root = folder.parent()?;
    let plain = fs::read_to_string(root.join("build-version")).ok();
    let text = plain.or_else(|| version_in(&fs::read_to_string(root.join("version.py")).ok()?))?;
    Some(text.trim().to_owned())
}

/// The quoted text of the line `__version__ = '…'`.
fn version_in(python: &str) -> Option<String> {
    let line = python
        .lines()
        .find(|line| line.starts_with("__version__"))?;
    line.split(['\'', '"']).nth(1).map(str::to_owned)
}

/// The line `Model:` of each device's information file, sorted by bus address as the driver numbers them.
fn device_names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut folders: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    folders.sort();
    folders
        .iter()
        .filter_map(|gpu| model_in(&fs::read_to_string(gpu.join("information")).ok()?))
        .collect()
}

fn model_in(information: &str) -> Option<String> {
    let line = information
        .lines()
        .find_map(|line| line.strip_prefix("Model:"))?;
    Some(line.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_of_libtorch_is_read_from_the_maps() {
        let maps = "7f00-7f01 r--p 00000000 fe:00 12 /opt/my torch/lib/libtorch_cpu.so\n7f02-7f03 rw-p 0 00:00 0\n";
        assert_eq!(folder_in(maps), Some(PathBuf::from("/opt/my torch/lib")));
        assert_eq!(folder_in("7f02-7f03 rw-p 0 00:00 0\n"), None);
    }

    #[test]
    fn device_files_are_told_from_control_files() {
        let dev = tempfile::tempdir().unwrap();
        for name in ["nvidiactl", "nvidia-uvm", "nvidia"] {
            fs::write(dev.path().join(name), "").unwrap();
        }
        assert!(!has_device(dev.path()));
        fs::write(dev.path().join("nvidia0"), "").unwrap();
        assert!(has_device(dev.path()));
    }

    #[test]
    fn names_and_versions_are_read_from_their_files() {
        assert_eq!(
            version_in("x\n__version__ = '2.11.0+cpu'\n"),
            Some("2.11.0+cpu".to_owned())
        );
        assert_eq!(
            model_in("Model: \t\t NVIDIA H200\nIRQ: 1\n"),
            Some("NVIDIA H200".to_owned())
        );
    }

    #[test]
    fn libtorch_of_this_process_is_found() {
        let folder = lib_folder().expect("libtorch is linked into this test");
        assert!(folder.join("libtorch_cpu.so").exists());
        assert!(facts().libtorch.starts_with("2."), "{:?}", facts());
    }
}
