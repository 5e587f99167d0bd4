//! The walk over the values of a checkpoint that gives its tensors their names.
//! Unaware of networks, and of which entry of a file is the network.
//!
//! A dictionary's keys and a list's positions are the parts of a name. A `torch.nn.Module` is read as its `state_dict()`:
//! the tables `_parameters`, `_buffers` and `_modules` of its attributes. What is behind another object is not read; if
//! there are tensors behind it, that is an error, for they would be lost.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::error::Error;
use crate::heap::{Id, Object, Value};
use crate::pickles::Pickles;
use crate::tensor::View;

/// What the walk found.
#[derive(Default)]
pub(crate) struct Tree {
    pub tensors: BTreeMap<String, View>,
    /// Names of code among the values.
    pub named: BTreeSet<String>,
}

/// The deepest that containers may stand in each other; those that contain themselves are deeper.
const DEEPEST: usize = 256;
/// Bytes that a step costs.
const STEP: u64 = 32;

/// All tensors below `root`.
pub(crate) fn walk(pickles: &mut Pickles, root: Id) -> Result<Tree, Error> {
    let mut walk = Walk {
        pickles,
        path: Vec::new(),
        tree: Tree::default(),
    };
    if matches!(walk.pickles.heap.get(root), Value::Tensor(_)) {
        return Err(Error::Damaged(
            "it holds one tensor, and no dictionary of tensors".into(),
        ));
    }
    walk.value(root)?;
    Ok(walk.tree)
}

/// Whether a tensor or a storage is behind any of these values.
pub(crate) fn holds_tensors(pickles: &Pickles, values: &[Id]) -> Result<bool, Error> {
    let (heap, budget) = (&pickles.heap, &pickles.budget);
    let mut seen: HashSet<Id> = HashSet::new();
    let mut open: Vec<Id> = values.to_vec();
    while let Some(id) = open.pop() {
        budget.take(1)?;
        let within: Vec<Id> = match heap.get(id) {
            Value::Tensor(_) | Value::Storage(_) => return Ok(true),
            Value::Tuple(items) => items.to_vec(),
            Value::List(items) => items.clone(),
            Value::Dict(items) => parts(items),
            Value::Object(object) => {
                let mut all = parts(&object.items);
                all.extend(
                    object
                        .list
                        .iter()
                        .chain(&object.arguments)
                        .chain(&object.state),
                );
                all
            }
            _ => continue,
        };
        if seen.insert(id) {
            budget.take(STEP + 16 * within.len() as u64)?;
            open.extend(within);
        }
    }
    Ok(false)
}

fn parts(items: &[(Id, Id)]) -> Vec<Id> {
    items
        .iter()
        .flat_map(|(key, value)| [*key, *value])
        .collect()
}

struct Walk<'a> {
    pickles: &'a mut Pickles,
    path: Vec<String>,
    tree: Tree,
}

/// What a value is to the walk, copied so that the heap is free again.
enum Node {
    Leaf,
    Tensor(View),
    Code(String),
    Items(Vec<(Id, Id)>),
    List(Vec<Id>),
    Module(Id),
    Object(Box<str>, Vec<Id>),
}

impl Walk<'_> {
    fn value(&mut self, id: Id) -> Result<(), Error> {
        self.pickles.budget.take(STEP)?;
        if self.path.len() > DEEPEST {
            return Err(Error::Damaged(
                "its containers stand more than 256 deep in each other, or contain themselves"
                    .into(),
            ));
        }
        match self.node(id)? {
            Node::Leaf => Ok(()),
            Node::Code(name) => {
                self.tree.named.insert(name);
                Ok(())
            }
            Node::Tensor(view) => self.tensor(view),
            Node::Items(items) => self.items(&items),
            Node::List(items) => {
                for (at, item) in items.into_iter().enumerate() {
                    // Long lists are mostly of numbers, which have no names.
                    if !self.is_leaf(item) {
                        self.below(at.to_string(), item)?;
                    }
                }
                Ok(())
            }
            Node::Module(state) => self.module(state),
            Node::Object(class, within) => self.object(&class, &within),
        }
    }

    fn is_leaf(&self, id: Id) -> bool {
        matches!(
            self.pickles.heap.get(id),
            Value::None | Value::Bool(_) | Value::Int(_) | Value::Text(_) | Value::Data(_)
        )
    }

    fn node(&self, id: Id) -> Result<Node, Error> {
        let (heap, budget) = (&self.pickles.heap, &self.pickles.budget);
        Ok(match heap.get(id) {
            Value::Tensor(view) => Node::Tensor((**view).clone()),
            Value::Global(name) => Node::Code(name.to_string()),
            Value::Dict(items) => {
                budget.take(16 * items.len() as u64)?;
                Node::Items(items.clone())
            }
            Value::Tuple(items) => {
                budget.take(8 * items.len() as u64)?;
                Node::List(items.to_vec())
            }
            Value::List(items) => {
                budget.take(8 * items.len() as u64)?;
                Node::List(items.clone())
            }
            Value::Storage(_) => Node::Object("torch.Storage".into(), vec![id]),
            Value::Object(object) => self.of_object(object),
            Value::None | Value::Bool(_) | Value::Int(_) | Value::Text(_) | Value::Data(_) => {
                Node::Leaf
            }
        })
    }

    fn of_object(&self, object: &Object) -> Node {
        let is_module = |state: &Id| {
            let attributes = self.pickles.heap.items(*state).unwrap_or_default();
            TABLES
                .iter()
                .all(|table| self.attribute(attributes, table).is_some())
        };
        match object.state {
            Some(state) if is_module(&state) => Node::Module(state),
            _ if !object.items.is_empty() => Node::Items(object.items.clone()),
            _ if !object.list.is_empty() => Node::List(object.list.clone()),
            state => {
                let within = object.arguments.iter().copied().chain(state).collect();
                Node::Object(object.class.clone(), within)
            }
        }
    }

    /// The value of an attribute, the last one if it is there several times.
    fn attribute(&self, attributes: &[(Id, Id)], name: &str) -> Option<Id> {
        let is_it = |(key, _): &&(Id, Id)| matches!(self.pickles.heap.get(*key), Value::Text(t) if &**t == name);
        attributes.iter().rev().find(is_it).map(|(_, value)| *value)
    }

    fn tensor(&mut self, view: View) -> Result<(), Error> {
        let name = self.name();
        self.pickles.budget.take(name.len() as u64 * 4)?;
        match self.tree.tensors.insert(name, view) {
            None => Ok(()),
            Some(_) => Err(Error::Twice { name: self.name() }),
        }
    }

    fn items(&mut self, items: &[(Id, Id)]) -> Result<(), Error> {
        let mut keys = HashSet::new();
        for &(key, value) in items {
            let text = self.pickles.heap.key(key);
            let Some(text) = text else {
                self.nameless(key, value)?;
                continue;
            };
            self.pickles.budget.take(STEP + 2 * text.len() as u64)?;
            let is_text = matches!(self.pickles.heap.get(key), Value::Text(_));
            if !keys.insert((is_text, text.clone())) {
                self.path.push(text);
                return Err(Error::Twice { name: self.name() });
            }
            self.below(text, value)?;
        }
        Ok(())
    }

    fn below(&mut self, part: String, value: Id) -> Result<(), Error> {
        self.path.push(part);
        self.value(value)?;
        self.path.pop();
        Ok(())
    }

    /// A module as its `state_dict()` has it.
    fn module(&mut self, state: Id) -> Result<(), Error> {
        let attributes = self.pickles.heap.items(state).unwrap_or_default().to_vec();
        self.pickles.budget.take(16 * attributes.len() as u64)?;
        let passing = self.attribute(&attributes, "_non_persistent_buffers_set");
        let passing: BTreeSet<String> = passing
            .and_then(|set| self.pickles.heap.sequence(set))
            .unwrap_or_default()
            .iter()
            .filter_map(|id| self.pickles.heap.key(*id))
            .collect();
        let mut all = Vec::new();
        for table in TABLES {
            let entries = self.attribute(&attributes, table);
            let entries = entries
                .and_then(|id| self.pickles.heap.items(id))
                .unwrap_or_default();
            self.pickles.budget.take(32 * entries.len() as u64)?;
            all.extend(entries.iter().copied().filter(|(key, value)| {
                let is_passing = table == "_buffers"
                    && self
                        .pickles
                        .heap
                        .key(*key)
                        .is_some_and(|k| passing.contains(&k));
                !is_passing && !matches!(self.pickles.heap.get(*value), Value::None)
            }));
        }
        self.items(&all)
    }

    /// An object that is not read. Tensors behind one of a class that weights do not need are refused with the class.
    fn object(&mut self, class: &str, within: &[Id]) -> Result<(), Error> {
        let form = UNREAD.iter().find(|(call, ..)| *call == class);
        let (form, hint) = match form {
            Some((_, form, hint)) => ((*form).to_owned(), *hint),
            None if class.starts_with("__torch__.") => {
                ("a TorchScript module".to_owned(), STATE_DICT)
            }
            None if crate::is_harmless(class) && holds_tensors(self.pickles, within)? => (
                format!("a `{}` with tensors in it", class.escape_debug()),
                STATE_DICT,
            ),
            None => {
                self.tree.named.insert(class.to_owned());
                return Ok(());
            }
        };
        Err(Error::Form {
            name: self.name(),
            form,
            hint,
        })
    }

    /// What stands behind a key that is no text: no name can be made of it.
    fn nameless(&mut self, key: Id, value: Id) -> Result<(), Error> {
        if let Value::Global(name) = self.pickles.heap.get(key) {
            self.tree.named.insert(name.to_string());
        }
        if holds_tensors(self.pickles, &[value])? {
            let reason = "tensors stand behind a key that is no text, so they have no name";
            return Err(Error::Damaged(reason.into()).about(&self.name()));
        }
        Ok(())
    }

    fn name(&self) -> String {
        self.path.join(".")
    }
}

const TABLES: [&str; 3] = ["_parameters", "_buffers", "_modules"];

const STATE_DICT: &str = "save the `state_dict()` of the model alone";

/// Calls that make tensors of other forms: what they are, and what helps.
const UNREAD: &[(&str, &str, &str)] = &[
    (
        "torch._utils._rebuild_sparse_tensor",
        "a sparse tensor",
        DENSE,
    ),
    (
        "torch._utils._rebuild_sparse_csr_tensor",
        "a sparse tensor",
        DENSE,
    ),
    (
        "torch._utils._rebuild_nested_tensor",
        "a nested tensor",
        "save `tensor.to_padded_tensor(0)` in its place",
    ),
    (
        "torch._utils._rebuild_qtensor",
        "a quantized tensor",
        "save `tensor.dequantize()` in its place",
    ),
    (
        "torch._utils._rebuild_meta_tensor_no_storage",
        "a tensor without numbers (device `meta`)",
        "save the weights themselves",
    ),
    (
        "torch._utils._rebuild_device_tensor_from_numpy",
        "a tensor of another device",
        CPU,
    ),
    (
        "torch._utils._rebuild_device_tensor_from_cpu_tensor",
        "a tensor of another device",
        CPU,
    ),
    (
        "torch._utils._rebuild_xla_tensor",
        "a tensor of another device",
        CPU,
    ),
    (
        "torch._utils._rebuild_mlc_tensor",
        "a tensor of another device",
        CPU,
    ),
    (
        "torch._utils._rebuild_wrapper_subclass",
        "a tensor of another class",
        "save plain tensors",
    ),
];

const DENSE: &str = "save `tensor.to_dense()` in its place";
const CPU: &str = "save `tensor.cpu()` in its place";
