//! Checks of stages that show what others computed: tables and figures.
//! Unaware of results.

use std::collections::BTreeSet;

use super::Checker;
use crate::error::Problems;
use crate::kinds::{Figure, Kind, Table};
use crate::labels;
use crate::names::{Metric, Of};
use crate::pipeline::Typed;

impl Checker<'_> {
    pub(super) fn table(&self, table: &Table, problems: &mut Problems) {
        let evaluations: Vec<usize> = self.stage.stage.inputs_of("from").collect();
        self.need(
            !evaluations.is_empty(),
            "from",
            || "a table shows at least one evaluation".into(),
            problems,
        );
        self.need(
            !table.rows.is_empty(),
            "rows",
            || "name at least one label".into(),
            problems,
        );
        let rows = table
            .rows
            .iter()
            .enumerate()
            .map(|(i, r)| (format!("rows.{i}"), r));
        let all = rows.chain(table.columns.iter().map(|c| ("columns".to_owned(), c)));
        let known = labels::known(&self.around(), &evaluations);
        for (path, label) in all.filter(|(_, l)| !known.contains(*l)) {
            let names: Vec<&str> = known.iter().map(String::as_str).collect();
            let hint = crate::error::suggest(label, &names, "labels");
            problems.push(
                self.stage
                    .problem(&path, format!("unknown label `{label}`"))
                    .hint(hint),
            );
        }
        self.published(table, &known, problems);
        let curved = |e: &usize| {
            let model = self.all[*e]
                .stage
                .input("model")
                .map(|m| &self.all[m].stage.kind);
            let schedule = model.and_then(Kind::schedule);
            schedule.is_some_and(|s| s.validate.is_some())
        };
        self.need(
            !table.curves || evaluations.iter().any(curved),
            "curves",
            || "no training here has a validation, so there is no curve".into(),
            problems,
        );
        if problems.is_empty() {
            self.one_protocol(&evaluations, problems);
            self.distinct_cells(table, &evaluations, problems);
        }
    }

    fn published(&self, table: &Table, known: &BTreeSet<String>, problems: &mut Problems) {
        let alone = table.published.is_some()
            || (table.published_for.is_empty() && table.published_baseline.is_none());
        let message = || "this goes with `published: FILE.csv`".into();
        let field = if table.published_baseline.is_some() {
            "published_baseline"
        } else {
            "published_for"
        };
        self.need(alone, field, message, problems);
        self.need(
            table.published.is_none() || table.metric == Metric::Psnr,
            "published",
            || "published values are PSNR, and this table shows another metric".into(),
            problems,
        );
        for label in table.published_for.keys().filter(|l| !known.contains(*l)) {
            let names: Vec<&str> = known.iter().map(String::as_str).collect();
            let problem = self.stage.problem(
                &format!("published_for.{label}"),
                format!("unknown label `{label}`"),
            );
            problems.push(problem.hint(crate::error::suggest(label, &names, "labels")));
        }
        let joined = table.seeds && table.rows.iter().chain(&table.columns).any(|l| l == "seed");
        let message = || "`seeds: true` joins what differs in `seed`, which is a label here".into();
        self.need(!joined, "seeds", message, problems);
    }

    /// Numbers of different protocols never share a table unless it says which is which.
    fn one_protocol(&self, evaluations: &[usize], problems: &mut Problems) {
        let Kind::Table(table) = &self.stage.stage.kind else {
            return;
        };
        for label in ["luma", "tiling"] {
            let protocols: BTreeSet<String> = evaluations
                .iter()
                .filter_map(|&e| labels::of(&self.around().of(e)).remove(label))
                .collect();
            let said = table.rows.iter().chain(&table.columns).any(|l| l == label);
            let message = || {
                format!(
                    "these evaluations use different {label} protocols: add `{label}` to `rows`"
                )
            };
            self.need(protocols.len() <= 1 || said, "from", message, problems);
        }
    }

    fn distinct_cells(&self, table: &Table, evaluations: &[usize], problems: &mut Problems) {
        let mut seen = std::collections::BTreeMap::new();
        for &at in evaluations {
            let labels = labels::of(&self.around().of(at));
            let cell: Vec<String> = table
                .rows
                .iter()
                .chain(table.columns.as_ref())
                .map(|l| labels.get(l).cloned().unwrap_or_default())
                .chain(
                    table
                        .columns
                        .is_none()
                        .then(|| labels.get("set").cloned().unwrap_or_default()),
                )
                .chain(
                    table
                        .seeds
                        .then(|| labels.get("seed").cloned().unwrap_or_default()),
                )
                .collect();
            if let Some(other) = seen.insert(cell, at) {
                let (a, b) = (&self.all[other].stage.name, &self.all[at].stage.name);
                let message = format!("`{a}` and `{b}` fall into the same cell");
                let hint = if labels.get("seed") == labels::of(&self.around().of(other)).get("seed")
                {
                    "add a label to `rows` in which they differ"
                } else {
                    "add a label to `rows` in which they differ, or join seeds by `seeds: true`"
                };
                problems.push(self.stage.problem("from", message).hint(hint));
            }
        }
    }

    pub(super) fn robustness(&self, problems: &mut Problems) {
        let stage = &self.stage.stage;
        let of = |at: usize| match &self.all[at].stage.kind {
            Kind::Mask(mask) => Some(mask.of),
            _ => None,
        };
        for (field, wanted, expected) in [
            ("lq", Of::Lq, "masks of LQ images"),
            ("hq", Of::Hr, "masks of HR images (`of: hr`)"),
        ] {
            let mut all = stage.inputs_of(field).peekable();
            let some = all.peek().is_some();
            self.need(some, field, || format!("name {expected}"), problems);
            for at in all.filter(|at| of(*at) != Some(wanted)) {
                let name = &self.all[at].stage.name;
                let message = format!("`{name}` are not {expected}");
                problems.push(self.stage.problem(field, message));
            }
        }
        for (lq, hq) in labels::mask_pairs(&self.around()) {
            let name = &self.all[lq].stage.name;
            let hint = "its partner has the same images and settings, and `of: hr`";
            let message = match hq.len() {
                0 => format!("nothing in `hq` is the partner of `{name}`"),
                1 => continue,
                n => format!("{n} stages in `hq` are partners of `{name}`"),
            };
            problems.push(self.stage.problem("hq", message).hint(hint));
        }
    }

    pub(super) fn figure(&self, figure: &Figure, problems: &mut Problems) {
        let evaluation = |role: &str| self.input(role).map(|s: &Typed| &s.stage);
        for role in ["baseline", "tuned"] {
            let saves = evaluation(role).is_some_and(
                |stage| matches!(&stage.kind, Kind::Evaluate(evaluate) if evaluate.save),
            );
            let message = || format!("`{role}` keeps no restored images: give it `save: true`");
            self.need(saves, role, message, problems);
        }
        let images = |role: &str| evaluation(role).and_then(|s| s.input("images"));
        self.need(
            images("baseline") == images("tuned"),
            "tuned",
            || "`baseline` and `tuned` are evaluations of different images".into(),
            problems,
        );
        let some = !figure.crops.is_empty() || figure.better + figure.worse > 0;
        let message = || "there is nothing to show: give `crops`, `better` or `worse`".into();
        self.need(some, "", message, problems);
        let ranges = [
            ("better", figure.better <= 1000),
            ("worse", figure.worse <= 1000),
            ("window", (8..=4096).contains(&figure.window)),
            ("zoom", (1..=16).contains(&figure.zoom)),
            ("gain", (1..=255).contains(&figure.gain)),
        ];
        for (path, ok) in ranges {
            self.need(ok, path, || "out of range".into(), problems);
        }
    }
}
