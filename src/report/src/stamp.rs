//! Which file and run a published table comes from, in the form of its format.
//! Unaware of what the table shows.

use super::table::escape;

/// Where a report comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// The pipeline file, relative to the project.
    pub file: String,
    /// `--set` as given.
    pub overrides: Vec<String>,
    /// The run that made it; none for results of earlier versions.
    pub run: Option<String>,
    /// When, RFC 3339 in UTC.
    pub date: String,
}

impl Stamp {
    /// As a sentence: `pipelines/a.yaml --set x=1, run 20261128-…, 2026-11-28T18:44:44Z`.
    pub fn sentence(&self) -> String {
        let mut text = self.file.clone();
        for set in &self.overrides {
            text += &format!(" --set {set}");
        }
        if let Some(run) = &self.run {
            text += &format!(", run {run}");
        }
        format!("{text}, {}", self.date)
    }

    /// The content of a report with its origin: a last line of text or Markdown, a comment of LaTeX. Other formats stay as
    /// they are: programs read them.
    pub fn on(&self, name: &str, content: Vec<u8>) -> Vec<u8> {
        let line = match name.rsplit_once('.').map(|(_, ending)| ending) {
            Some("txt") => format!("{}\n", diagnostics::shown::line(&self.sentence())),
            Some("md") => format!("\n{}\n", escape::markdown(&self.sentence())),
            Some("tex") => {
                let line = format!("% {}\n", diagnostics::shown::line(&self.sentence()));
                return [labelled(name, content), line.into_bytes()].concat();
            }
            _ => return content,
        };
        [content, line.into_bytes()].concat()
    }
}

/// A LaTeX table with the label `tab:<stage>`, behind its caption where it has one: the stage's name is not in what is
/// stored.
fn labelled(name: &str, content: Vec<u8>) -> Vec<u8> {
    let stem = name.rsplit('/').next().unwrap_or(name);
    let stem = stem.strip_suffix(".tex").unwrap_or(stem);
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let label: String = stem.chars().map(plain).collect();
    let label = format!("  \\label{{tab:{}}}\n", label.trim_matches('-'));
    let text = String::from_utf8_lossy(&content);
    let begins = [
        "\n  \\resizebox",
        "\n  \\footnotesize\\set",
        "\n  \\begin{tabular}",
    ];
    let begin = begins.iter().find(|begin| text.contains(*begin));
    match begin.and_then(|begin| text.split_once(begin).map(|parts| (begin, parts))) {
        Some((begin, (before, behind))) => {
            let before = format!("{before}\n{label}");
            format!("{}{begin}{behind}", before.trim_end_matches('\n')).into_bytes()
        }
        None => content,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latex_table_can_be_referred_to() {
        let stamp = Stamp::default();
        let table = "\\begin{table}\n  \\caption{A}\n  \\begin{tabular}{l}\n".to_owned();
        let text = stamp.on("reports/q/table-4[a=1].tex", table.into_bytes());
        let text = String::from_utf8(text).unwrap();
        let expected = "  \\caption{A}\n  \\label{tab:table-4-a-1}\n  \\begin{tabular}{l}\n";
        assert!(text.contains(expected), "{text}");
        let table =
            "\\begin{table}\n  \\resizebox{\\linewidth}{!}{%\n  \\begin{tabular}{l}\n".to_owned();
        let text = String::from_utf8(stamp.on("t.tex", table.into_bytes())).unwrap();
        assert!(text.contains("  \\label{tab:t}\n  \\resizebox"), "{text}");
    }

    #[test]
    fn a_line_stays_a_line_in_each_format() {
        let stamp = Stamp {
            file: "a|b.yaml".into(),
            overrides: vec!["x=1\n\\input{y}".into()],
            run: Some("r".into()),
            date: "d".into(),
        };
        let on = |name| String::from_utf8(stamp.on(name, b"t\n".to_vec())).unwrap();
        for (name, lines) in [("t.txt", 2), ("t.md", 3), ("t.tex", 2), ("t.csv", 1)] {
            assert_eq!(on(name).lines().count(), lines, "{name}: {}", on(name));
        }
        assert!(on("t.tex").starts_with("t\n% a|b.yaml --set x=1"));
        assert!(on("t.md").contains("a\\|b.yaml"));
        assert!(on("t.txt").ends_with(", run r, d\n"));
    }
}
