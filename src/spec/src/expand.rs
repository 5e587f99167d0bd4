//! Multiplies a stage over the values of its `each`, by substitution in its node.
//! Unaware of types: what comes out is one node a member, still to be read.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Problem;
use crate::kinds::Kind;
use crate::node::{Key, Node, Pos, Value};
use crate::reference::{Index, member_name};
use crate::substitute::placeholders;

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
    pub pos: Pos,
}

/// Expands all stages, in the order of the file. A value of an axis may name a swept stage and then stands for all of
/// its members, so stages are expanded after those they name.
pub(crate) fn expand(
    stages: &[(Key, Node)],
    vars: &BTreeMap<String, Node>,
) -> Result<(Vec<Draft>, Index), Vec<Problem>> {
    let mut expander = Expander {
        stages,
        vars,
        done: BTreeMap::new(),
        active: Vec::new(),
        problems: Vec::new(),
    };
    for (key, _) in stages {
        expander.stage(&key.text);
    }
    if !expander.problems.is_empty() {
        return Err(expander.problems);
    }
    let mut index = Index::default();
    let mut drafts = Vec::new();
    for (key, _) in stages {
        for draft in expander.done.remove(&key.text).unwrap_or_default() {
            index.push(&draft.base, &draft.name, &draft.axes);
            drafts.push(draft);
        }
    }
    Ok((drafts, index))
}

struct Expander<'a> {
    stages: &'a [(Key, Node)],
    vars: &'a BTreeMap<String, Node>,
    done: BTreeMap<String, Vec<Draft>>,
    active: Vec<String>,
    problems: Vec<Problem>,
}

/// One axis: its name and the values with their spelling.
type Axis = (String, Vec<(String, Node)>);

impl Expander<'_> {
    fn stage(&mut self, name: &str) {
        if self.done.contains_key(name) || self.active.iter().any(|a| a == name) {
            return;
        }
        let Some((key, body)) = self.stages.iter().find(|(k, _)| k.text == name) else {
            return;
        };
        self.active.push(name.to_owned());
        let drafts = match self.members(key, body) {
            Ok(drafts) => drafts,
            Err(problem) => {
                self.problems.push(problem.under(&format!("stages.{name}")));
                Vec::new()
            }
        };
        self.active.pop();
        self.done.insert(name.to_owned(), drafts);
    }

    fn members(&mut self, key: &Key, body: &Node) -> Result<Vec<Draft>, Problem> {
        let mut body = body.clone();
        let each = take(&mut body, "each");
        let axes = match each {
            Some(each) => self.axes(each, &body).map_err(|p| p.under("each"))?,
            None => Vec::new(),
        };
        let mut drafts = Vec::new();
        for chosen in grid(&axes) {
            drafts.push(self.member(key, &body, &chosen)?);
        }
        Ok(drafts)
    }

    fn member(
        &self,
        key: &Key,
        body: &Node,
        chosen: &[(&str, &str, &Node)],
    ) -> Result<Draft, Problem> {
        let mut body = body.clone();
        let mut values = self.vars.clone();
        values.extend(
            chosen
                .iter()
                .map(|(axis, _, node)| ((*axis).to_owned(), (*node).clone())),
        );
        let mut used = BTreeSet::new();
        placeholders(&mut body, &values, &mut used)?;
        for (axis, _, node) in chosen {
            if !set_field(&mut body, axis, node) && !used.contains(*axis) {
                let message = format!(
                    "the axis `{axis}` is neither a field of this stage nor used as `{{{axis}}}`"
                );
                return Err(Problem::new(node.pos, "each", message));
            }
        }
        let axes: Vec<(String, String)> = chosen
            .iter()
            .map(|(axis, text, _)| ((*axis).to_owned(), (*text).to_owned()))
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

    fn axes(&mut self, mut each: Node, body: &Node) -> Result<Vec<Axis>, Problem> {
        placeholders(&mut each, self.vars, &mut BTreeSet::new())?;
        let Some(entries) = each.entries() else {
            let message = format!("expected `axis: [values]`, found {}", each.describe());
            return Err(Problem::new(each.pos, "", message));
        };
        entries
            .iter()
            .map(|(key, values)| self.axis(key, values, body))
            .collect()
    }

    fn axis(&mut self, key: &Key, values: &Node, body: &Node) -> Result<Axis, Problem> {
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
        let mut named: Vec<(String, Node)> = Vec::new();
        for item in items {
            for (text, node) in self.values(&key.text, item, body)? {
                if named.iter().any(|(t, _)| *t == text) {
                    let message = format!("the value `{text}` stands twice");
                    return Err(Problem::new(item.pos, key.text.clone(), message));
                }
                named.push((text, node));
            }
        }
        Ok((key.text.clone(), named))
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

/// Whether `axis` is a field of the stage's kind that holds a reference.
fn is_reference(axis: &str, body: &Node) -> bool {
    let kind = body
        .entries()
        .unwrap_or_default()
        .iter()
        .find(|(k, _)| Kind::NAMES.contains(&k.text.as_str()));
    kind.is_some() && matches!(axis, "images" | "masks" | "backbone" | "model")
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
    config.set(axis, value.clone()).is_ok()
}

/// All combinations, the last axis fastest; one empty combination without axes.
fn grid(axes: &[Axis]) -> Vec<Vec<(&str, &str, &Node)>> {
    let mut rows: Vec<Vec<(&str, &str, &Node)>> = vec![Vec::new()];
    for (axis, values) in axes {
        rows = rows
            .into_iter()
            .flat_map(|row| {
                values.iter().map(move |(text, node)| {
                    let mut row = row.clone();
                    row.push((axis.as_str(), text.as_str(), node));
                    row
                })
            })
            .collect();
    }
    rows
}
