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
            Some("tex") => format!("% {}\n", diagnostics::shown::line(&self.sentence())),
            _ => return content,
        };
        [content, line.into_bytes()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
