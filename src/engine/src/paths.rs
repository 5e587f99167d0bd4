//! Where reports lie in the project.
//! Unaware of files.
//!
//! ```text
//!   pipelines/small/quickstart.yaml              ──> reports/small/quickstart/
//!   the same with --set a=1 --set b=2            ──> reports/small/quickstart@<8 digits>/
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use spec::Pipeline;

/// The folder of a file's reports, below the project folder `root`.
pub fn folder(file: &Path, overrides: &[String], root: &Path) -> PathBuf {
    let mut below = below(file, root).into_os_string();
    if !overrides.is_empty() {
        below.push(format!("@{}", digits(overrides)));
    }
    Path::new("reports").join(below)
}

/// The file's path under `pipelines/`, else under the project, else its name; without its ending.
fn below(file: &Path, root: &Path) -> PathBuf {
    let file = std::path::absolute(file).map_or_else(|_| file.to_owned(), |f| spec::normal(&f));
    let is_pipelines = |a: &&Path| a.file_name().is_some_and(|n| n == "pipelines");
    let pipelines = file.ancestors().skip(1).find(is_pipelines);
    let within = pipelines.and_then(|folder| file.strip_prefix(folder).ok());
    let within = within.or_else(|| file.strip_prefix(root).ok());
    let name = || file.file_name().map(Path::new);
    within.or_else(name).unwrap_or(&file).with_extension("")
}

/// Eight digits that tell sets of overrides apart. The order counts only where one path is set twice: the last one holds.
fn digits(overrides: &[String]) -> String {
    let mut set = BTreeMap::new();
    for text in overrides {
        let (path, value) = text.split_once('=').unwrap_or((text, ""));
        set.insert(path.trim(), value);
    }
    let line = |(path, value): (&&str, &&str)| {
        format!("{}={}\n", path.escape_debug(), value.escape_debug())
    };
    let lines = set.iter().map(line);
    let text: String = lines.collect();
    format!("{:.8}", store::Digest::of(text.as_bytes()).to_string())
}

/// Where an output of a report is put, below the project folder `root`.
pub fn report(pipeline: &Pipeline, root: &Path, stage: &str, output: &str) -> PathBuf {
    folder(&pipeline.file, &pipeline.overrides, root).join(report_name(stage, output))
}

/// `table.csv` of the stage `alpha` becomes `alpha.csv`, `cells.csv` becomes `alpha.cells.csv`.
pub fn report_name(stage: &str, output: &str) -> String {
    let own = output.strip_prefix("table.");
    match own.or_else(|| output.strip_prefix("figure.")) {
        Some(extension) => format!("{stage}.{extension}"),
        None => format!("{stage}.{output}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(file: &str, overrides: &[&str]) -> String {
        let overrides: Vec<String> = overrides.iter().map(|o| (*o).to_owned()).collect();
        let folder = folder(Path::new(file), &overrides, Path::new("/p"));
        folder.display().to_string()
    }

    #[test]
    fn each_file_has_a_folder_of_its_own() {
        assert_eq!(of("/p/pipelines/q.yaml", &[]), "reports/q");
        assert_eq!(of("/p/pipelines/small/q.yaml", &[]), "reports/small/q");
        assert_eq!(of("/p/pipelines/x/../q.v2.yaml", &[]), "reports/q.v2");
        assert_eq!(of("/p/own/q.yaml", &[]), "reports/own/q");
        assert_eq!(of("/elsewhere/q.yml", &[]), "reports/q");
    }

    #[test]
    fn each_set_of_overrides_has_one_too() {
        let one = of("/p/q.yaml", &["a=1", "b=2"]);
        assert_eq!(one.len(), "reports/q@".len() + 8);
        assert_eq!(one, of("/p/q.yaml", &["b=2", "a=3", "a=1"]));
        assert_ne!(one, of("/p/q.yaml", &["a=1"]));
        assert_ne!(of("/p/q.yaml", &["a=1\nb=2"]), one);
    }
}
