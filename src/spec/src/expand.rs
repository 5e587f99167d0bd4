//! Multiplies a stage over the values of its `each`, by substitution in its node.
//! Unaware of types: what comes out is one node a member, still to be read.
//!
//! ```text
//!   each:
//!     alpha: [0.5, 1.0]                               one dimension: two rows of one axis
//!     seeds: [0, 1, 2]                                the same as `seed: [0, 1, 2]`
//!     zip: {scale: [2, 3], file: [x2.pth, x3.pth]}    one dimension: two rows of two axes
//!     exclude: [{alpha: 0.5, scale: 3}]               rows of the grid that are left out
//!          │
//!   dimensions ── full grid (the last one fastest) ── exclude ──> one Draft a row
//! ```

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Problem;
use crate::kinds::Kind;
use crate::node::{Key, Node, Value};
use crate::reference::{Index, member_name, same_value};
use crate::scalar::number_text;
use crate::substitute::{Outer, substitute};

/// Axis names that mean something else.
const ZIP: &str = "zip";
const EXCLUDE: &str = "exclude";

/// One member of a stage (a stage without `each` has one), not yet typed.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    /// The stage's name in the file.
    pub base: String,
    /// The member's name.
    pub name: String,
    /// Its axes and their values, in the order of `each`.
    pub axes: Vec<(String, String)>,
    /// The body after substitution, without `each`.
    pub body: Node,
    /// Where the stage's name stands.
    pub pos: crate::node::Pos,
}

/// Expands all stages, in the order of the file. A value of an axis may name a swept stage and then stands for all of
/// its members, so stages are expanded after those they name.
pub(crate) fn expand(
    stages: Vec<(Key, Node)>,
    vars: &BTreeMap<String, Node>,
    outer: &Outer<'_>,
) -> Result<(Vec<Draft>, Index), Vec<Problem>> {
    let names: Vec<String> = stages.iter().map(|(key, _)| key.text.clone()).collect();
    let named = stages
        .into_iter()
        .map(|(key, body)| (key.text.clone(), (key, body)));
    let mut expander = Expander {
        left: named.collect(),
        vars,
        outer,
        done: BTreeMap::new(),
        problems: Vec::new(),
    };
    for name in &names {
        expander.stage(name);
    }
    if !expander.problems.is_empty() {
        return Err(expander.problems);
    }
    let mut index = Index::default();
    let mut drafts = Vec::new();
    for name in &names {
        for draft in expander.done.remove(name).unwrap_or_default() {
            index.push(&draft.base, &draft.name, &draft.axes);
            drafts.push(draft);
        }
    }
    Ok((drafts, index))
}

struct Expander<'a> {
    /// Stages that are not expanded yet.
    left: BTreeMap<String, (Key, Node)>,
    vars: &'a BTreeMap<String, Node>,
    outer: &'a Outer<'a>,
    done: BTreeMap<String, Vec<Draft>>,
    problems: Vec<Problem>,
}

/// The value of one axis: how it is spelled in names, and itself.
#[derive(Clone, Debug)]
struct Choice {
    axis: String,
    text: String,
    node: Node,
}

/// Values that are taken together: of one axis, or of several that are zipped.
type Row = Vec<Choice>;

/// What an `each` says.
#[derive(Default)]
struct Each {
    dimensions: Vec<Vec<Row>>,
    exclude: Vec<Exclusion>,
}

impl Each {
    /// An excluded value that an axis has letter by letter stands for that one alone, not for `1.1` beside `1.10`.
    fn exact(&mut self) {
        let choices = self.dimensions.iter().flatten().flatten();
        let written: BTreeSet<(String, String)> =
            choices.map(|c| (c.axis.clone(), c.text.clone())).collect();
        for exclusion in &mut self.exclude {
            for (axis, values) in &mut exclusion.axes {
                for value in values {
                    value.exact = written.contains(&(axis.clone(), value.text.clone()));
                }
            }
        }
    }
}

/// A value that is left out.
struct Excluded {
    text: String,
    /// Whether an axis has it letter by letter.
    exact: bool,
}

impl Excluded {
    fn matches(&self, choice: &Choice) -> bool {
        choice.text == self.text || (!self.exact && same_value(&choice.text, &self.text))
    }
}

/// A combination that is left out: for each axis the values it may have.
struct Exclusion {
    axes: Vec<(String, Vec<Excluded>)>,
    node: Node,
}

impl Exclusion {
    fn matches(&self, row: &[&Choice]) -> bool {
        self.axes.iter().all(|(axis, values)| {
            row.iter()
                .any(|c| c.axis == *axis && values.iter().any(|v| v.matches(c)))
        })
    }
}

impl Expander<'_> {
    fn stage(&mut self, name: &str) {
        let Some((key, body)) = self.left.remove(name) else {
            return;
        };
        let drafts = match self.members(&key, body) {
            Ok(drafts) => drafts,
            Err(problem) => {
                self.problems.push(problem.under(&format!("stages.{name}")));
                Vec::new()
            }
        };
        self.done.insert(name.to_owned(), drafts);
    }

    fn members(&mut self, key: &Key, mut body: Node) -> Result<Vec<Draft>, Problem> {
        if body.get("each").is_none() {
            return Ok(vec![self.member(key, body, &[])?]);
        }
        let each = match take(&mut body, "each") {
            Some(each) => self.each(each, &body).map_err(|p| p.under("each"))?,
            None => Each::default(),
        };
        let rows = kept(&each).map_err(|p| p.under("each"))?;
        rows.iter()
            .map(|row| self.member(key, body.clone(), row))
            .collect()
    }

    fn member(&self, key: &Key, mut body: Node, row: &[&Choice]) -> Result<Draft, Problem> {
        let mut used = BTreeSet::new();
        if row.is_empty() {
            substitute(&mut body, self.vars, self.outer, &mut used).map_err(of_script)?;
        } else {
            let mut values = self.vars.clone();
            let chosen = row.iter().map(|c| (c.axis.clone(), c.node.clone()));
            values.extend(chosen);
            substitute(&mut body, &values, self.outer, &mut used).map_err(of_script)?;
        }
        for Choice { axis, node, .. } in row {
            if !set_field(&mut body, axis, node) && !used.contains(axis) {
                let message = format!(
                    "the axis `{axis}` is neither a field of this stage nor used as `{{{axis}}}`"
                );
                return Err(Problem::new(node.pos, "each", message));
            }
        }
        let axes: Vec<(String, String)> = row
            .iter()
            .map(|c| (c.axis.clone(), c.text.clone()))
            .collect();
        let name = member_name(&key.text, &axes);
        Ok(Draft {
            base: key.text.clone(),
            name,
            axes,
            body,
            pos: key.pos,
        })
    }

    fn each(&mut self, mut each: Node, body: &Node) -> Result<Each, Problem> {
        substitute(&mut each, self.vars, self.outer, &mut BTreeSet::new())?;
        let mut read = Each::default();
        for (key, values) in mapping(&each, "`axis: [values]`")? {
            match key.text.as_str() {
                ZIP => {
                    for zipped in one_or_many(values) {
                        let rows = self.zipped(zipped, body).map_err(|p| p.under(ZIP))?;
                        read.dimensions.push(rows);
                    }
                }
                EXCLUDE => {
                    for node in one_or_many(values) {
                        read.exclude
                            .push(exclusion(node).map_err(|p| p.under(EXCLUDE))?);
                    }
                }
                axis => {
                    let choices = self.axis(axis_name(axis), key, values, body)?;
                    distinct(&choices, |c| c.text.clone())
                        .map_err(|(at, text)| twice(at, &key.text, &text))?;
                    read.dimensions
                        .push(choices.into_iter().map(|c| vec![c]).collect());
                }
            }
        }
        check_axes(&read, &each)?;
        read.exact();
        Ok(read)
    }

    /// Lists of the same length whose first values belong together, then the second ones, and so on.
    fn zipped(&mut self, zipped: &Node, body: &Node) -> Result<Vec<Row>, Problem> {
        let mut rows: Vec<Row> = Vec::new();
        for (at, (key, values)) in mapping(zipped, "`axis: [values]`")?.iter().enumerate() {
            let choices = self.axis(axis_name(&key.text), key, values, body)?;
            if at == 0 {
                rows = choices.into_iter().map(|c| vec![c]).collect();
                continue;
            }
            if choices.len() != rows.len() {
                let message = format!(
                    "zipped lists have the same length: `{}` has {} values, the one before {}",
                    key.text,
                    choices.len(),
                    rows.len()
                );
                return Err(Problem::new(values.pos, key.text.clone(), message));
            }
            for (row, choice) in rows.iter_mut().zip(choices) {
                row.push(choice);
            }
        }
        // A value may stand twice in one list, as long as the lists together do not repeat themselves.
        distinct(&rows, spelled).map_err(|(row, text)| twice(&row[0], "", &text))?;
        Ok(rows)
    }

    fn axis(
        &mut self,
        axis: &str,
        key: &Key,
        values: &Node,
        body: &Node,
    ) -> Result<Vec<Choice>, Problem> {
        let Value::Seq(items) = &values.value else {
            let message = format!("expected a list of values, found {}", values.describe());
            return Err(Problem::new(values.pos, key.text.clone(), message));
        };
        if items.is_empty() {
            return Err(Problem::new(
                values.pos,
                key.text.clone(),
                "the list of values is empty",
            ));
        }
        let mut choices: Vec<Choice> = Vec::new();
        for item in items {
            for (text, node) in self.values(axis, item, body)? {
                let axis = axis.to_owned();
                choices.push(Choice { axis, text, node });
            }
        }
        Ok(choices)
    }

    /// The value itself or, where it is a reference to a swept stage, the names of all members.
    fn values(
        &mut self,
        axis: &str,
        item: &Node,
        body: &Node,
    ) -> Result<Vec<(String, Node)>, Problem> {
        let Some(text) = item.scalar() else {
            let message = format!("an axis takes names and numbers, found {}", item.describe());
            return Err(Problem::new(item.pos, axis, message));
        };
        if !is_reference(axis, body) {
            // A number of the kind's has one spelling, everything else the one that was written.
            let number =
                kind_of(body).is_some_and(|kind| crate::pipeline::takes_number(kind, axis));
            let text = number.then(|| number_text(&text)).flatten().unwrap_or(text);
            return Ok(vec![(text, item.clone())]);
        }
        self.stage(&text);
        match self.done.get(&text).map(Vec::as_slice) {
            Some(members) if members.iter().any(|m| !m.axes.is_empty()) => {
                let name = |m: &Draft| Node {
                    value: Value::Str(m.name.clone()),
                    pos: item.pos,
                };
                Ok(members.iter().map(|m| (m.name.clone(), name(m))).collect())
            }
            _ => Ok(vec![(text, item.clone())]),
        }
    }
}

/// In a script `${x}` may be meant for the shell.
fn of_script(mut problem: Problem) -> Problem {
    let script = ["command.shell", "command.run"]
        .iter()
        .any(|f| problem.path.starts_with(f));
    let name = problem.message.strip_prefix("the environment variable `");
    let name = name.and_then(|rest| rest.split('`').next());
    if let (true, Some(name)) = (script, name) {
        problem.hint += &format!("; a variable of the script itself is written `$${{{name}}}`");
    }
    problem
}

/// The first of these that is spelled as one before it, with its spelling.
fn distinct<T>(all: &[T], spelling: impl Fn(&T) -> String) -> Result<(), (&T, String)> {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for one in all {
        let text = spelling(one);
        if seen.contains(&text) {
            return Err((one, text));
        }
        seen.insert(text);
    }
    Ok(())
}

fn spelled(row: &Row) -> String {
    let texts: Vec<&str> = row.iter().map(|c| c.text.as_str()).collect();
    texts.join(", ")
}

fn twice(choice: &Choice, path: &str, text: &str) -> Problem {
    let message = format!("the value `{text}` stands twice");
    Problem::new(choice.node.pos, path, message)
}

/// `seeds` is a friendlier spelling of the field it sweeps.
fn axis_name(written: &str) -> &str {
    if written == "seeds" { "seed" } else { written }
}

fn mapping<'n>(node: &'n Node, expected: &str) -> Result<&'n [(Key, Node)], Problem> {
    node.entries().ok_or_else(|| {
        let message = format!("expected {expected}, found {}", node.describe());
        Problem::new(node.pos, "", message)
    })
}

/// The items of a list, or the one thing that stands there without a list.
fn one_or_many(node: &Node) -> &[Node] {
    match &node.value {
        Value::Seq(items) => items,
        _ => std::slice::from_ref(node),
    }
}

fn exclusion(node: &Node) -> Result<Exclusion, Problem> {
    let mut axes = Vec::new();
    for (key, values) in mapping(node, "`{axis: value}`")? {
        let values: Option<Vec<String>> = one_or_many(values).iter().map(Node::scalar).collect();
        let values = values.ok_or_else(|| {
            let message = "expected a value of this axis, or a list of them";
            Problem::new(node.pos, key.text.clone(), message)
        })?;
        let excluded = |text| Excluded { text, exact: false };
        let values = values.into_iter().map(excluded).collect();
        axes.push((axis_name(&key.text).to_owned(), values));
    }
    Ok(Exclusion {
        axes,
        node: node.clone(),
    })
}

/// No axis stands twice, and exclusions name axes that there are.
fn check_axes(each: &Each, node: &Node) -> Result<(), Problem> {
    let mut known: BTreeSet<&str> = BTreeSet::new();
    for choice in each
        .dimensions
        .iter()
        .filter_map(|rows| rows.first())
        .flatten()
    {
        if !known.insert(&choice.axis) {
            let message = format!("the axis `{}` stands twice", choice.axis);
            return Err(Problem::new(node.pos, "", message));
        }
    }
    for exclusion in &each.exclude {
        for (axis, _) in &exclusion.axes {
            if !known.contains(axis.as_str()) {
                let names: Vec<&str> = known.iter().copied().collect();
                return Err(Problem::new(
                    exclusion.node.pos,
                    EXCLUDE,
                    format!("there is no axis `{axis}`"),
                )
                .hint(crate::error::suggest(axis, &names, "axes")));
            }
        }
    }
    Ok(())
}

/// The rows of the grid that no exclusion matches. One that matches nothing is a mistake, and so is an empty grid.
fn kept(each: &Each) -> Result<Vec<Vec<&Choice>>, Problem> {
    let rows = grid(&each.dimensions);
    for exclusion in &each.exclude {
        if !rows.iter().any(|row| exclusion.matches(row)) {
            let message = "this excludes nothing: no member has these values";
            return Err(Problem::new(exclusion.node.pos, EXCLUDE, message));
        }
    }
    let is_kept = |row: &Vec<&Choice>| !each.exclude.iter().any(|e| e.matches(row));
    let kept: Vec<Vec<&Choice>> = rows.into_iter().filter(is_kept).collect();
    match each.exclude.first() {
        Some(first) if kept.is_empty() => Err(Problem::new(
            first.node.pos,
            EXCLUDE,
            "every member is excluded",
        )),
        _ => Ok(kept),
    }
}

/// All combinations, the last dimension fastest; one empty combination without dimensions.
fn grid(dimensions: &[Vec<Row>]) -> Vec<Vec<&Choice>> {
    let mut rows: Vec<Vec<&Choice>> = vec![Vec::new()];
    for dimension in dimensions {
        rows = rows
            .into_iter()
            .flat_map(|row| {
                dimension
                    .iter()
                    .map(move |more| row.iter().copied().chain(more).collect())
            })
            .collect();
    }
    rows
}

/// Whether `axis` is a field of the stage's kind that holds a reference.
fn is_reference(axis: &str, body: &Node) -> bool {
    kind_of(body).is_some() && matches!(axis, "images" | "masks" | "backbone" | "model")
}

/// The kind that a stage's body names.
fn kind_of(body: &Node) -> Option<&str> {
    let mut names = body
        .entries()
        .unwrap_or_default()
        .iter()
        .map(|(k, _)| k.text.as_str());
    names.find(|name| Kind::NAMES.contains(name))
}

fn take(body: &mut Node, field: &str) -> Option<Node> {
    let Value::Map(entries) = &mut body.value else {
        return None;
    };
    let at = entries.iter().position(|(k, _)| k.text == field)?;
    Some(entries.remove(at).1)
}

/// Sets the field called `axis` of the stage's kind, where the kind has such a field and the text does not give it.
fn set_field(body: &mut Node, axis: &str, value: &Node) -> bool {
    let Value::Map(entries) = &mut body.value else {
        return false;
    };
    let Some((kind, config)) = entries
        .iter_mut()
        .find(|(k, _)| Kind::NAMES.contains(&k.text.as_str()))
    else {
        return false;
    };
    let known = crate::pipeline::fields_of_kind(&kind.text).contains(&axis);
    if !known || config.get(axis).is_some() {
        return false;
    }
    config.set(&[axis], value.clone()).is_ok()
}
