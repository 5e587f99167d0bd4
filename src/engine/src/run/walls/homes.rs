//! Homes of programs that lie inside the project: environments and packages, which a program needs and nobody declares.
//! Unaware of how they are shown.

use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};

/// Folders that are homes wherever they lie beside a pipeline file or above it.
const NAMES: [&str; 2] = [".venv", "node_modules"];

/// Variables that name the home of an environment.
const VARIABLES: [&str; 2] = ["VIRTUAL_ENV", "CONDA_PREFIX"];

/// What a folder beside `bin` is called where the one around both is an installation.
const BESIDE: [&str; 4] = ["lib", "lib64", "pyvenv.cfg", "conda-meta"];

/// The homes within `root`, by their paths as they are named there; `variable` gives what a variable holds.
pub fn homes(
    root: &Path,
    real_root: &Path,
    folder: &Path,
    variable: &dyn Fn(&str) -> Option<OsString>,
) -> Vec<PathBuf> {
    let inside = |path: PathBuf| {
        let path = spec::normal(&std::path::absolute(path).ok()?);
        let below = path
            .strip_prefix(root)
            .or_else(|_| path.strip_prefix(real_root));
        let below = below.ok().filter(|below| !below.as_os_str().is_empty())?;
        Some(root.join(below))
    };
    let named = VARIABLES.iter().filter_map(|name| variable(name));
    let mut found: Vec<PathBuf> = named.filter_map(|path| inside(path.into())).collect();
    let path = variable("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).filter_map(inside);
    found.extend(on_path.map(|folder| home_of(&folder, root)));
    let above = folder.ancestors().map(|folder| root.join(folder));
    found.extend(above.flat_map(|folder| NAMES.map(|name| folder.join(name))));
    found.retain(|path| path.is_dir());
    found.sort();
    found.dedup();
    found
}

/// The home of the programs in a folder: `node_modules` around it, an installation whose `bin` it is, or itself.
fn home_of(folder: &Path, root: &Path) -> PathBuf {
    let is_modules = |part: Component<'_>| part.as_os_str() == "node_modules";
    let below = folder.strip_prefix(root).unwrap_or(folder);
    if let Some(at) = below.components().position(is_modules) {
        return root.join(below.components().take(at + 1).collect::<PathBuf>());
    }
    let around = folder.parent().filter(|around| *around != root);
    let is_bin = folder.file_name() == Some(OsStr::new("bin"));
    let is_home = |around: &&Path| is_bin && BESIDE.iter().any(|name| around.join(name).exists());
    around.filter(is_home).unwrap_or(folder).to_path_buf()
}
