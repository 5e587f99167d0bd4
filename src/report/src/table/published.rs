//! Values that others published, from a CSV file: what each is about, and whether their differences add up.
//! Unaware of what was measured.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use spec::kinds::{LabelText, Table, TableValue};

use super::escape::unguarded;
use super::layout::{BESIDE, Column, Stated, heading};
use super::read::ReportError;

/// Columns that are labels, and the label each is.
const LABELS: &[(&str, &str)] = &[
    ("alpha", "alpha"),
    ("backbone", "backbone"),
    ("dataset", "set"),
    ("degrade", "degrade"),
    ("granularity", "granularity"),
    ("grid", "grid"),
    ("init", "init"),
    ("last_block", "locations"),
    ("locations", "locations"),
    ("luma", "luma"),
    ("masks", "masks"),
    ("scale", "scale"),
    ("scheme", "scheme"),
    ("segmenter", "segmenter"),
    ("set", "set"),
    ("share", "share"),
    ("sigma", "sigma"),
    ("variant", "variant"),
];

/// Columns of numbers that are not compared: the paper gives iterations as "about".
const NOT_COMPARED: &[&str] = &["iterations"];

/// What a row must agree in with its baseline.
const SAME_AS_BASELINE: &[&str] = &["backbone", "scale", "sigma", "set"];

/// The average over sets, as a value of `dataset`.
pub(super) const AVERAGE: &str = "average";

/// Where in a table a value belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In the cell of this set; in the only column where it says none.
    Set(Option<String>),
    /// In the column of this heading.
    Column(String),
}

/// A row of a file: a value and what it is about.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// The labels but the set, in the one spelling of [`plain`].
    pub labels: BTreeMap<String, String>,
    /// The same, as the file has them.
    pub said: BTreeMap<String, String>,
    pub place: Place,
    pub value: Stated,
    /// The line in the file.
    pub line: u64,
}

/// The values of a file, or of two.
#[derive(Clone, Debug)]
pub struct Published {
    pub(super) path: PathBuf,
    pub(super) entries: Vec<Entry>,
    /// Baselines that another file has.
    pub(super) baselines: Vec<Entry>,
}

/// What `table` wants beside its own values.
pub(super) fn of(table: &Table) -> Result<Option<Published>, ReportError> {
    let Some(path) = &table.published else {
        return Ok(None);
    };
    let baseline = table.published_baseline.as_deref();
    Published::read(path, &table.published_for, baseline).map(Some)
}

impl Published {
    /// Reads `path`; its rows are about `context` where they do not say, and rows that say otherwise are left out.
    pub fn read(
        path: &Path,
        context: &BTreeMap<String, LabelText>,
        baseline: Option<&Path>,
    ) -> Result<Self, ReportError> {
        let mut entries = in_context(read(path)?, context);
        let mut baselines = match baseline {
            Some(path) => read(path)?,
            None => Vec::new(),
        };
        baselines.retain(Entry::is_baseline);
        judge(&mut entries, &baselines);
        Ok(Self {
            path: path.to_owned(),
            entries,
            baselines: in_context(baselines, context),
        })
    }
}

impl Published {
    /// What a table is expected to show: a `cells.csv` or `table.csv` that a run wrote, or a file of published values,
    /// which is about what the table's `published_for` says.
    pub fn expected(path: &Path, table_of: &Table) -> Result<Self, ReportError> {
        let labels = &table_of.rows;
        let (header, rows) = records(path)?;
        let has = |name: &str| header.iter().any(|h| h == name);
        let entries = if has("psnr_db") {
            in_context(read(path)?, &table_of.published_for)
        } else if has("column") && has("evaluation_keys") {
            cells(path, &header, &rows)?
        } else if header.iter().take(labels.len()).eq(labels) {
            table(path, &header, &rows, labels.len())?
        } else {
            let why =
                "this is no cells.csv, no table.csv of this table and no file of published values";
            return Err(wrong(path, 1, why.into()));
        };
        if entries.is_empty() {
            return Err(wrong(path, 1, "there is no value in it".into()));
        }
        Ok(Self {
            path: path.to_owned(),
            entries,
            baselines: Vec::new(),
        })
    }
}

impl Entry {
    fn is_baseline(&self) -> bool {
        self.labels.get("scheme").is_some_and(|s| s == "baseline")
    }

    fn label(&self, name: &str) -> Option<&str> {
        match (&self.place, name) {
            (Place::Set(set), "set") => set.as_deref(),
            _ => self.labels.get(name).map(String::as_str),
        }
    }

    /// Whether both say the same, as far as both say something.
    fn agrees(&self, other: &Self, label: &str) -> bool {
        match (self.label(label), other.label(label)) {
            (Some(a), Some(b)) => a == b,
            _ => true,
        }
    }
}

/// The one spelling of a label's value: `×4` and `4`, `B1–B6` and `6`, `full fine-tuning` and `full_finetuning`, `1.0`
/// and `1`.
pub(super) fn plain(label: &str, text: &str) -> String {
    let text = text.trim().to_lowercase();
    let text = match label {
        "scale" => text.trim_start_matches(['×', 'x']),
        "locations" => text
            .rsplit(|c: char| !c.is_ascii_digit())
            .next()
            .unwrap_or_default(),
        "degrade" => text.trim_start_matches(['×', 'x', 'σ', '=']),
        _ => &text,
    };
    if let Ok(number) = text.parse::<f64>() {
        return number.to_string();
    }
    let letters: String = text.chars().filter(|c| c.is_alphanumeric()).collect();
    match letters.as_str() {
        "" => text.to_owned(),
        "full" => "fullfinetuning".into(),
        _ => letters,
    }
}

fn in_context(entries: Vec<Entry>, context: &BTreeMap<String, LabelText>) -> Vec<Entry> {
    let place = |mut entry: Entry| {
        for (label, LabelText(said)) in context {
            let wanted = plain(label, said);
            match entry.label(label) {
                Some(own) if own != wanted => return None,
                Some(_) => {}
                None if label == "set" => entry.place = Place::Set(Some(wanted)),
                None => drop(entry.labels.insert(label.clone(), wanted)),
            }
            entry
                .said
                .entry(label.clone())
                .or_insert_with(|| said.clone());
        }
        Some(entry)
    };
    entries.into_iter().filter_map(place).collect()
}

/// Notes which printed differences are not those of the printed values. Both are rounded to four decimals, so one unit
/// of the last is no contradiction.
fn judge(entries: &mut [Entry], others: &[Entry]) {
    let own: Vec<Entry> = entries
        .iter()
        .filter(|e| e.is_baseline())
        .cloned()
        .collect();
    for entry in entries.iter_mut().filter(|e| !e.is_baseline()) {
        let fits = |b: &&Entry| SAME_AS_BASELINE.iter().all(|label| b.agrees(entry, label));
        let mut found = own.iter().chain(others).filter(fits);
        let (Some(baseline), None, Some(delta)) = (found.next(), found.next(), entry.value.delta)
        else {
            continue;
        };
        let implied = entry.value.value - baseline.value.value;
        let units = |v: f64| (v * 1e4).round();
        let apart = (units(delta) - units(implied)).abs() > 1.0;
        entry.value.implied = apart.then_some(implied);
    }
}

type Records = Vec<csv::StringRecord>;

/// The largest file of values: a table has some hundred lines.
const LARGEST: u64 = 64 << 20;

fn wrong(path: &Path, line: u64, why: String) -> ReportError {
    ReportError::Published {
        path: path.to_owned(),
        line,
        why,
    }
}

fn records(path: &Path) -> Result<(csv::StringRecord, Records), ReportError> {
    let why = |e: csv::Error| {
        let line = e.position().map_or(1, csv::Position::line);
        wrong(path, line, e.to_string())
    };
    let bytes = files::read(path, LARGEST).map_err(|e| wrong(path, 1, e.to_string()))?;
    let mut reader = csv::Reader::from_reader(bytes.as_slice());
    let plain = |row: &csv::StringRecord| row.iter().map(unguarded).collect::<csv::StringRecord>();
    let header = plain(reader.headers().map_err(why)?);
    let row = |row: Result<csv::StringRecord, csv::Error>| {
        let row = row.map_err(why)?;
        let mut unguarded = plain(&row);
        unguarded.set_position(row.position().cloned());
        Ok(unguarded)
    };
    let rows = reader
        .records()
        .map(row)
        .collect::<Result<_, ReportError>>()?;
    Ok((header, rows))
}

fn line(row: &csv::StringRecord) -> u64 {
    row.position().map_or(1, csv::Position::line)
}

/// The number in the column `name`; nothing where it is empty or there is no such column.
fn number_in(
    path: &Path,
    header: &csv::StringRecord,
    row: &csv::StringRecord,
    name: &str,
) -> Result<Option<f64>, ReportError> {
    let at = header.iter().position(|h| h == name);
    let text = at.and_then(|at| row.get(at)).unwrap_or_default();
    number(text).map_err(|why| wrong(path, line(row), why))
}

/// A file of published values.
fn read(path: &Path) -> Result<Vec<Entry>, ReportError> {
    let (header, rows) = records(path)?;
    // First what makes it such a file: nothing of another one is quoted.
    if !header.iter().any(|name| name == "psnr_db") {
        return Err(wrong(path, 1, "there is no column `psnr_db`".into()));
    }
    let columns = header.iter().map(meaning).collect::<Result<Vec<_>, _>>();
    let columns = columns.map_err(|why| wrong(path, 1, why))?;
    let entry = |row: &csv::StringRecord| {
        let value = number_in(path, &header, row, "psnr_db")?;
        let value = value.ok_or_else(|| wrong(path, line(row), "`psnr_db` is empty".into()))?;
        let delta = number_in(path, &header, row, "delta_db")?;
        let labels = columns.iter().zip(row.iter());
        let labels = labels.filter_map(|(label, text)| label.map(|l| (l, text)));
        Ok(entry(labels, value, delta, line(row)))
    };
    rows.iter().map(entry).collect()
}

/// `cells.csv`: the metric's cells, by their row and column.
fn cells(
    path: &Path,
    header: &csv::StringRecord,
    rows: &Records,
) -> Result<Vec<Entry>, ReportError> {
    let at = header
        .iter()
        .position(|h| h == "column")
        .unwrap_or_default();
    let is_metric = header.iter().position(|h| h == "metric");
    let mut entries = Vec::new();
    for row in rows {
        let shows_metric = is_metric.is_none_or(|m| row.get(m).is_some_and(|t| !t.is_empty()));
        let value = number_in(path, header, row, "value")?.filter(|_| shows_metric);
        let labels = header.iter().zip(row.iter()).take(at);
        let heading = row.get(at).unwrap_or_default();
        entries.extend(value.map(|value| in_column(labels, heading, value, line(row))));
    }
    Ok(entries)
}

/// `table.csv`: the same, without what stands beside the metric.
fn table(
    path: &Path,
    header: &csv::StringRecord,
    rows: &Records,
    labels: usize,
) -> Result<Vec<Entry>, ReportError> {
    let beside = |h: &str| {
        BESIDE
            .iter()
            .any(|b| h.strip_suffix(b).is_some_and(|h| h.ends_with(' ')))
    };
    let fact = |h: &str| {
        TableValue::ALL
            .iter()
            .any(|v| heading(&Column::Value(*v)) == h)
    };
    let headings: Vec<&str> = header
        .iter()
        .skip(labels)
        .filter(|h| !beside(h) && !fact(h))
        .collect();
    let mut entries = Vec::new();
    for row in rows {
        for shown in &headings {
            let labels = header.iter().zip(row.iter()).take(labels);
            let value = number_in(path, header, row, shown)?;
            entries.extend(value.map(|value| in_column(labels, shown, value, line(row))));
        }
    }
    Ok(entries)
}

fn in_column<'r>(
    labels: impl Iterator<Item = (&'r str, &'r str)>,
    heading: &str,
    value: f64,
    line: u64,
) -> Entry {
    let said = labels.map(|(label, text)| (label.to_owned(), text.to_owned()));
    let said: BTreeMap<String, String> = said.collect();
    Entry {
        labels: said.iter().map(|(l, t)| (l.clone(), plain(l, t))).collect(),
        said,
        place: Place::Column(heading.into()),
        value: Stated {
            value,
            delta: None,
            implied: None,
            comparable: true,
        },
        line,
    }
}

/// The label that a column is, if it is one; an error for a column that means nothing here.
fn meaning(name: &str) -> Result<Option<&'static str>, String> {
    let label = LABELS.iter().find(|(column, _)| *column == name);
    let known = matches!(name, "psnr_db" | "delta_db") || NOT_COMPARED.contains(&name);
    match label {
        Some((_, label)) => Ok(Some(label)),
        None if known => Ok(None),
        None => Err(format!("unknown column `{name}`")),
    }
}

fn number(text: &str) -> Result<Option<f64>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let number = text.parse::<f64>().ok().filter(|v| v.is_finite());
    number
        .map(Some)
        .ok_or_else(|| format!("`{text}` is not a number"))
}

fn entry<'r>(
    labels: impl Iterator<Item = (&'static str, &'r str)>,
    value: f64,
    delta: Option<f64>,
    line: u64,
) -> Entry {
    let said: BTreeMap<String, String> = labels
        .filter(|(_, text)| !text.is_empty())
        .map(|(label, text)| (label.to_owned(), text.to_owned()))
        .collect();
    let mut labels: BTreeMap<String, String> = said
        .iter()
        .map(|(label, text)| (label.clone(), plain(label, text)))
        .collect();
    Entry {
        place: Place::Set(labels.remove("set")),
        labels,
        said,
        value: Stated {
            value,
            delta,
            implied: None,
            comparable: true,
        },
        line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> PathBuf {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines/published");
        folder.join(name)
    }

    fn context(labels: &[(&str, &str)]) -> BTreeMap<String, LabelText> {
        let label = |(l, t): &(&str, &str)| ((*l).to_owned(), LabelText((*t).to_owned()));
        labels.iter().map(label).collect()
    }

    /// What is wrong with a file's differences: the labels, the printed one, the one by the values.
    fn odd(published: &Published) -> Vec<String> {
        let odd = published.entries.iter().filter_map(|e| {
            let implied = e.value.implied?;
            let labels: Vec<&str> = e.labels.values().map(String::as_str).collect();
            let delta = e.value.delta.unwrap();
            Some(format!("{} {delta:+.4} {implied:+.4}", labels.join(" ")))
        });
        odd.collect()
    }

    /// The paper's Tables 1 to 6: exactly four printed differences contradict the printed values.
    #[test]
    fn four_published_differences_do_not_add_up() {
        let ours = context(&[("backbone", "art"), ("scale", "4"), ("set", "Manga109")]);
        let mut found = Vec::new();
        let mut compared = 0;
        for name in ["table1.csv", "table2.csv"] {
            let published = Published::read(&file(name), &BTreeMap::new(), None).unwrap();
            compared += published
                .entries
                .iter()
                .filter(|e| e.value.delta.is_some())
                .count();
            found.extend(odd(&published));
        }
        for name in [
            "table3_variants.csv",
            "table3_locations.csv",
            "table4.csv",
            "table5.csv",
            "table6.csv",
        ] {
            let table1 = file("table1.csv");
            let published = Published::read(&file(name), &ours, Some(&table1)).unwrap();
            assert_eq!(published.baselines.len(), 1, "{name}");
            compared += published
                .entries
                .iter()
                .filter(|e| e.value.delta.is_some())
                .count();
            found.extend(odd(&published));
        }
        assert_eq!(compared, 54 + 15 + 4 + 6 + 4 + 2 + 3);
        assert_eq!(
            found,
            [
                "0.5 art 4 +0.1316 +0.1251",
                "1.5 art 4 +0.0995 +0.1572",
                "2 art 4 +0.1623 +0.0944",
                "art 4 fullfinetuning +0.2538 +0.2559",
            ]
        );
    }

    #[test]
    fn spellings_of_a_label_are_one() {
        let alike = [
            ("scale", "×4", "4"),
            ("locations", "B1–B6", "6"),
            ("scheme", "full fine-tuning", "full_finetuning"),
            ("scheme", "SPT", "spt"),
            ("alpha", "1", "1.0"),
            ("backbone", "ART", "art"),
            ("variant", "spt_f", "SPT-F"),
            ("sigma", "15", "15.0"),
        ];
        for (label, a, b) in alike {
            assert_eq!(plain(label, a), plain(label, b), "{a} {b}");
        }
        assert_ne!(plain("locations", "B1–B5"), plain("locations", "6"));
        assert_ne!(plain("alpha", spec::labels::NONE), plain("alpha", ""));
    }

    #[test]
    fn a_file_that_is_no_table_says_where() {
        let folder = tempfile::tempdir().unwrap();
        let said = |text: &str| {
            let path = folder.path().join("p.csv");
            std::fs::write(&path, text).unwrap();
            let error = Published::read(&path, &BTreeMap::new(), None).unwrap_err();
            let said = error.to_string();
            said.strip_prefix(&format!("{}:", path.display()))
                .unwrap()
                .to_owned()
        };
        assert_eq!(said("alhpa,psnr_db\n"), "1: unknown column `alhpa`");
        assert_eq!(said("alpha\n1\n"), "1: there is no column `psnr_db`");
        assert_eq!(
            said("alpha,psnr_db\n1,30\n2,inf\n"),
            "3: `inf` is not a number"
        );
        assert_eq!(said("alpha,psnr_db\n1,\n"), "2: `psnr_db` is empty");
        assert!(said("alpha,psnr_db\n1\n").starts_with("2: CSV error"));
    }
}
