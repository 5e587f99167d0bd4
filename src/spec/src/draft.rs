//! One member of a stage before it is typed: what is written, and the values of its axes.
//! Unaware of how members are found.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::error::Problem;
use crate::kinds::Kind;
use crate::limits::Meter;
use crate::node::{Key, Node, Pos, Value};
use crate::reference::member_name;
use crate::renamed;
use crate::substitute::{Environment, Names, Outer, substitute};

/// A stage as it is written, shared by its members.
pub(crate) struct Written {
    pub key: Key,
    /// Its body without `each`, before anything in braces is replaced.
    pub body: Node,
    pub vars: Rc<BTreeMap<String, Node>>,
    pub env: Rc<Environment>,
    /// The fields its kind has.
    pub fields: Vec<&'static str>,
}

/// One member of a stage (a stage without `each` has one), not yet typed. Its body is made when it is looked at: a
/// million of them would not fit into memory.
#[derive(Clone)]
pub(crate) struct Draft {
    /// The stage it comes from.
    pub written: Rc<Written>,
    /// The values of its axes, in the order of `each`.
    pub row: Row,
}

impl Draft {
    /// The stage's name in the file.
    pub(crate) fn base(&self) -> &str {
        &self.written.key.text
    }

    /// The member's name.
    pub(crate) fn name(&self) -> String {
        member_name(self.base(), &self.axes())
    }

    /// Its axes and their values, in the order of `each`.
    pub(crate) fn axes(&self) -> Vec<(String, String)> {
        let axis = |c: &Rc<Choice>| (c.axis.clone(), c.text.clone());
        self.row.iter().map(axis).collect()
    }

    /// Where the stage's name stands.
    pub(crate) fn pos(&self) -> Pos {
        self.written.key.pos
    }

    /// The body after substitution, without `each`; as written where a substitution fails that has succeeded before.
    pub(crate) fn body(&self) -> Node {
        let meter = Meter::default();
        let made = self.make(&Outer::new(&self.written.env, &meter));
        made.unwrap_or_else(|_| self.written.body.clone())
    }

    /// The same for the first time: everything in braces must mean something, and every axis be used.
    pub(crate) fn make(&self, outer: &Outer<'_>) -> Result<Node, Problem> {
        let mut body = self.written.body.clone();
        let mut used = BTreeSet::new();
        let axes: Vec<(&str, &Node)> = self.row.iter().map(|c| (&*c.axis, &c.node)).collect();
        let names = Names {
            vars: &self.written.vars,
            axes: &axes,
        };
        substitute(&mut body, names, outer, &mut used).map_err(of_script)?;
        renamed::fields_of(&mut body)?;
        for Choice { axis, node, .. } in self.row.iter().map(Rc::as_ref) {
            let field = set_field(&mut body, &self.written.fields, axis, node);
            if field == Field::Set || used.contains(axis) {
                continue;
            }
            let message = match field {
                Field::Given => {
                    format!("the axis `{axis}` is a field that the stage gives a value of its own")
                }
                Field::Set | Field::None => format!(
                    "the axis `{axis}` is neither a field of this stage nor used as `{{{axis}}}`"
                ),
            };
            let hint = match field {
                Field::Given => format!("write `{axis}: {{{axis}}}` there, or leave it out"),
                Field::Set | Field::None => String::new(),
            };
            return Err(Problem::new(node.pos, "each", message).hint(hint));
        }
        Ok(body)
    }
}

/// The value of one axis: how it is spelled in names, and itself.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    pub axis: String,
    pub text: String,
    pub node: Node,
}

/// Values that are taken together: of one axis, or of several that are zipped.
pub(crate) type Row = Vec<Rc<Choice>>;

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

/// What became of the value of an axis.
#[derive(Clone, Copy, PartialEq)]
enum Field {
    /// It is the field's now.
    Set,
    /// The text gives the field a value of its own.
    Given,
    /// There is no such field.
    None,
}

/// Sets the field called `axis` of the stage's kind, where the kind has such a field and the text does not give it.
fn set_field(body: &mut Node, fields: &[&str], axis: &str, value: &Node) -> Field {
    let Value::Map(entries) = &mut body.value else {
        return Field::None;
    };
    let Some((kind, config)) = entries
        .iter_mut()
        .find(|(k, _)| Kind::NAMES.contains(&k.text.as_str()))
    else {
        return Field::None;
    };
    let field = renamed::current(&kind.text, axis);
    if !fields.contains(&field) {
        return Field::None;
    }
    if config.get(field).is_some() {
        return Field::Given;
    }
    match config.set(&[field], value.clone()) {
        Ok(()) => Field::Set,
        Err(_) => Field::None,
    }
}
