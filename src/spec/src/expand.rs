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
use std::rc::Rc;

use crate::draft::{Choice, Draft, Row, Written};
use crate::error::{Problem, Problems};
use crate::fields::{fields_of_kind, takes_number};
use crate::kinds::Kind;
use crate::limits::{Exceeded, Meter, What};
use crate::node::{Key, Node, Pos, Value};
use crate::reference::same_value;
use crate::renamed;
use crate::scalar::number_text;
use crate::substitute::{Environment, Names, Outer, substitute, take};
use crate::typed::Typed;

/// Axis names that mean something else.
const ZIP: &str = "zip";
const EXCLUDE: &str = "exclude";

/// Reads a member for [`expand`].
pub(crate) type Read<'a> = dyn FnMut(Draft, &Node) -> Result<Typed, Problems> + 'a;

/// Expands all stages and hands each member to `read`; what it makes of them comes back in the order of the file.
///
/// A value of an axis may name a swept stage and then stands for all of its members, so stages are expanded after those
/// they name. Everything is counted before it is built.
pub(crate) fn expand(
    stages: Vec<(Key, Node)>,
    vars: BTreeMap<String, Node>,
    outer: &Outer<'_>,
    read: &mut Read<'_>,
) -> Result<Vec<Typed>, Problems> {
    let names: Vec<String> = stages.iter().map(|(key, _)| key.text.clone()).collect();
    let left = stages
        .into_iter()
        .map(|(key, body)| (key.text.clone(), (key, body)));
    let mut expander = Expander {
        left: left.collect(),
        vars: Rc::new(vars),
        env: Rc::new(outer.environment().clone()),
        outer,
        meter: outer.meter(),
        read,
        done: BTreeMap::new(),
        problems: Problems::default(),
        unread: Problems::default(),
    };
    for name in &names {
        expander.stage(name);
    }
    // What is wrong with the members is told where all could be expanded.
    expander.problems.or(())?;
    expander.unread.or(())?;
    let mut done = expander.done;
    let mut lists = names.iter().filter_map(|name| done.remove(name));
    // The first list, which may be all there is, is gone on with instead of being copied.
    let mut all = lists.next().unwrap_or_default();
    for mut list in lists {
        all.append(&mut list);
    }
    Ok(all)
}

struct Expander<'a, 'r> {
    /// Stages that are not expanded yet.
    left: BTreeMap<String, (Key, Node)>,
    vars: Rc<BTreeMap<String, Node>>,
    env: Rc<Environment>,
    outer: &'a Outer<'a>,
    meter: &'a Meter,
    read: &'a mut Read<'r>,
    done: BTreeMap<String, Vec<Typed>>,
    problems: Problems,
    unread: Problems,
}

/// A stage that waits for those its axes name.
struct Begun {
    key: Key,
    body: Node,
    each: Option<Node>,
    names: std::vec::IntoIter<String>,
}

/// What an `each` says.
#[derive(Default)]
struct Each {
    dimensions: Vec<Vec<Row>>,
    exclude: Vec<Exclusion>,
}

impl Each {
    /// Gives axes of exclusions the names that the stage's axes have, where they go by another name of the field.
    fn call_axes_as_written(&mut self, kind: Option<&str>) {
        let rows = self.dimensions.iter().filter_map(|rows| rows.first());
        let known: Vec<String> = rows.flatten().map(|choice| choice.axis.clone()).collect();
        let kinds: Vec<&str> = kind.into_iter().collect();
        let axes = self.exclude.iter_mut().flat_map(|e| &mut e.axes);
        for (axis, _) in axes.filter(|(axis, _)| !kinds.is_empty() && !known.contains(axis)) {
            let same = |name: &&String| renamed::same_axis(&kinds, name, axis);
            if let Some(name) = known.iter().find(same) {
                axis.clone_from(name);
            }
        }
    }

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
    /// Whether this says nothing of the axes of a row of one dimension, or the row has the values it says.
    fn fits(&self, row: &Row) -> bool {
        self.axes.iter().all(|(axis, values)| {
            let mut own = row.iter().filter(|c| c.axis == *axis);
            own.all(|c| values.iter().any(|v| v.matches(c)))
        })
    }
}

impl Expander<'_, '_> {
    /// Expands a stage after those that it names, which are a stack here: there may be as many as the file has stages.
    fn stage(&mut self, name: &str) {
        let mut begun: Vec<Begun> = self.begin(name).into_iter().collect();
        while let Some(top) = begun.last_mut() {
            if let Some(name) = top.names.next() {
                begun.extend(self.begin(&name));
            } else if let Some(stage) = begun.pop() {
                self.finish(stage);
            }
        }
    }

    fn begin(&mut self, name: &str) -> Option<Begun> {
        let (key, mut body) = self.left.remove(name)?;
        let mut each = take_field(&mut body, "each");
        if let Some(each) = &mut each {
            let names = Names::of(&self.vars);
            let replaced = substitute(each, names, self.outer, &mut BTreeSet::new());
            if let Err(problem) = replaced {
                self.fail(name, problem.under("each"));
                return None;
            }
        }
        let names = each
            .as_ref()
            .map_or(Vec::new(), |each| named(each, &body))
            .into_iter();
        Some(Begun {
            key,
            body,
            each,
            names,
        })
    }

    fn fail(&mut self, name: &str, problem: Problem) {
        self.problems.push(problem.under(&format!("stages.{name}")));
    }

    fn finish(&mut self, stage: Begun) {
        let Begun {
            key, body, each, ..
        } = stage;
        let rows = match each {
            None => self
                .count(What::Members, 1, key.pos)
                .map(|()| vec![Vec::new()]),
            Some(each) => {
                let rows = self
                    .each(&each, &body)
                    .and_then(|read| self.kept(&read, each.pos));
                rows.map_err(|p| p.under("each"))
            }
        };
        let rows = match rows {
            Ok(rows) => rows,
            Err(problem) => return self.fail(&key.text, problem),
        };
        let fields = fields_of_body(&body);
        let name = key.text.clone();
        let weight = body.weight();
        let written = Rc::new(Written {
            key,
            body,
            vars: Rc::clone(&self.vars),
            env: Rc::clone(&self.env),
            fields,
        });
        let mut members = Vec::with_capacity(rows.len());
        for row in rows {
            let written = Rc::clone(&written);
            match self.member(Draft { written, row }, weight) {
                Ok(Some(typed)) => members.push(typed),
                Ok(None) => {}
                Err(problem) => {
                    self.fail(&name, problem);
                    break;
                }
            }
        }
        self.done.insert(name, members);
    }

    /// Nothing where the member could be expanded, but not read.
    fn member(&mut self, draft: Draft, weight: u64) -> Result<Option<Typed>, Problem> {
        if !draft.row.is_empty() {
            // The name is spelled thrice: in the stage, in its index, and piecewise in its axes.
            let name: usize = draft
                .row
                .iter()
                .map(|c| c.axis.len() + c.text.len() + 2)
                .sum();
            take(self.meter, weight + 3 * name as u64).map_err(|p| p.at(draft.pos()))?;
        }
        let body = draft.make(self.outer)?;
        match (self.read)(draft, &body) {
            Ok(typed) => Ok(Some(typed)),
            Err(problems) => {
                self.unread.append(problems);
                Ok(None)
            }
        }
    }

    fn count(&self, what: What, amount: u64, pos: Pos) -> Result<(), Problem> {
        let take = self.meter.take(what, amount);
        take.map_err(|e: Exceeded| Problem::new(pos, "", e.message()).hint(e.hint()))
    }

    fn each(&self, each: &Node, body: &Node) -> Result<Each, Problem> {
        let mut read = Each::default();
        for (key, values) in mapping(each, "`axis: [values]`")? {
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
                        .push(choices.into_iter().map(|c| vec![Rc::new(c)]).collect());
                }
            }
        }
        read.call_axes_as_written(kind_of(body));
        check_axes(&read, each)?;
        read.exact();
        Ok(read)
    }

    /// Lists of the same length whose first values belong together, then the second ones, and so on.
    fn zipped(&self, zipped: &Node, body: &Node) -> Result<Vec<Row>, Problem> {
        let mut rows: Vec<Row> = Vec::new();
        for (at, (key, values)) in mapping(zipped, "`axis: [values]`")?.iter().enumerate() {
            let choices = self.axis(axis_name(&key.text), key, values, body)?;
            if at == 0 {
                rows = choices.into_iter().map(|c| vec![Rc::new(c)]).collect();
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
                row.push(Rc::new(choice));
            }
        }
        // A value may stand twice in one list, as long as the lists together do not repeat themselves.
        distinct(&rows, spelled).map_err(|(row, text)| twice(&row[0], "", &text))?;
        Ok(rows)
    }

    /// The members of the grid.
    fn kept(&self, each: &Each, pos: Pos) -> Result<Vec<Row>, Problem> {
        let sizes = each.dimensions.iter().map(|rows| rows.len() as u64);
        let size = sizes.fold(1, u64::saturating_mul);
        self.count(What::Members, size, pos)?;
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let excluded = excluded(each, size)?;
        Ok(grid(&each.dimensions, size, &excluded))
    }

    fn axis(
        &self,
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
    fn values(&self, axis: &str, item: &Node, body: &Node) -> Result<Vec<(String, Node)>, Problem> {
        let Some(text) = item.scalar() else {
            let message = format!("an axis takes names and numbers, found {}", item.describe());
            return Err(Problem::new(item.pos, axis, message));
        };
        if !is_reference(axis, body) {
            // A number of the kind's has one spelling, everything else the one that was written.
            let number = kind_of(body).is_some_and(|kind| takes_number(kind, axis));
            let text = number.then(|| number_text(&text)).flatten().unwrap_or(text);
            return Ok(vec![(text, item.clone())]);
        }
        match self.done.get(&text).map(Vec::as_slice) {
            Some(members) if members.iter().any(|m| !m.stage.axes.is_empty()) => {
                let names = || members.iter().map(|m| &m.stage.name);
                let bytes: usize = names()
                    .map(|name| 2 * name.len() + size_of::<Choice>())
                    .sum();
                take(self.meter, bytes as u64).map_err(|p| p.at(item.pos))?;
                let node = |name: &String| Node {
                    value: Value::Str(name.clone()),
                    pos: item.pos,
                };
                Ok(names().map(|name| (name.clone(), node(name))).collect())
            }
            _ => Ok(vec![(text, item.clone())]),
        }
    }
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

/// How many comparisons the exclusions of one `each` may take.
const COMPARED: u64 = 1 << 28;

/// Which rows of the grid are left out. One exclusion that matches nothing is a mistake, and so is an empty grid.
fn excluded(each: &Each, rows: usize) -> Result<Vec<bool>, Problem> {
    let mut out = vec![false; if each.exclude.is_empty() { 0 } else { rows }];
    let wrong =
        |exclusion: &Exclusion, message: &str| Problem::new(exclusion.node.pos, EXCLUDE, message);
    let mut compared = 0_u64;
    for exclusion in &each.exclude {
        // The rows that match are those made of matching rows of each dimension.
        let values: usize = exclusion.axes.iter().map(|(_, values)| values.len()).sum();
        let choices: usize = each.dimensions.iter().map(Vec::len).sum();
        compared = compared.saturating_add(64 * values as u64 * choices as u64);
        if compared > COMPARED {
            return Err(
                wrong(exclusion, TOO_MANY).hint("make a stage of its own for these members")
            );
        }
        let mut matching = vec![0_usize];
        for dimension in &each.dimensions {
            let fits = (0..dimension.len()).filter(|&at| exclusion.fits(&dimension[at]));
            let fits: Vec<usize> = fits.collect();
            compared = compared.saturating_add(matching.len() as u64 * fits.len() as u64);
            if compared > COMPARED {
                return Err(
                    wrong(exclusion, TOO_MANY).hint("make a stage of its own for these members")
                );
            }
            let next = |before: usize| fits.iter().map(move |at| before * dimension.len() + at);
            matching = matching.into_iter().flat_map(next).collect();
        }
        if matching.is_empty() {
            return Err(wrong(
                exclusion,
                "this excludes nothing: no member has these values",
            ));
        }
        for row in matching {
            out[row] = true;
        }
    }
    match each.exclude.first() {
        Some(first) if out.iter().all(|out| *out) => Err(wrong(first, "every member is excluded")),
        _ => Ok(out),
    }
}

const TOO_MANY: &str = "these exclusions are more than can be compared with so many members";

/// All combinations but those left out, the last dimension fastest; one empty combination without dimensions.
fn grid(dimensions: &[Vec<Row>], size: usize, excluded: &[bool]) -> Vec<Row> {
    let row = |mut at: usize| {
        let axes = dimensions.iter().filter_map(|rows| rows.first());
        let mut row = Row::with_capacity(axes.map(Vec::len).sum());
        for dimension in dimensions.iter().rev() {
            row.extend(dimension[at % dimension.len()].iter().rev().cloned());
            at /= dimension.len();
        }
        row.reverse();
        row
    };
    let is_kept = |at: &usize| !excluded.get(*at).is_some_and(|out| *out);
    (0..size).filter(is_kept).map(row).collect()
}

/// The stages that the axes of an `each` may name.
fn named(each: &Node, body: &Node) -> Vec<String> {
    let mut names = Vec::new();
    for (key, values) in each.entries().unwrap_or_default() {
        let zipped: Vec<&(Key, Node)> = match key.text.as_str() {
            EXCLUDE => continue,
            ZIP => one_or_many(values)
                .iter()
                .flat_map(|z| z.entries().unwrap_or_default())
                .collect(),
            _ => Vec::new(),
        };
        let alone = (key.text != ZIP).then_some((key, values));
        let all = alone
            .into_iter()
            .chain(zipped.into_iter().map(|(k, v)| (k, v)));
        for (key, values) in all.filter(|(key, _)| is_reference(axis_name(&key.text), body)) {
            if let (Value::Seq(items), _) = (&values.value, key) {
                names.extend(items.iter().filter_map(Node::scalar));
            }
        }
    }
    names
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

fn take_field(body: &mut Node, field: &str) -> Option<Node> {
    let Value::Map(entries) = &mut body.value else {
        return None;
    };
    let at = entries.iter().position(|(k, _)| k.text == field)?;
    Some(entries.remove(at).1)
}

/// The fields that the stage's kind has.
fn fields_of_body(body: &Node) -> Vec<&'static str> {
    let entries = body.entries().unwrap_or_default().iter();
    let mut kinds = entries.filter(|(k, _)| Kind::NAMES.contains(&k.text.as_str()));
    kinds
        .next()
        .map_or(Vec::new(), |(kind, _)| fields_of_kind(&kind.text))
}
