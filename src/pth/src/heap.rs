//! The values of a file's pickles, side by side in one vector; values name each other by number.
//! Unaware of opcodes, and of what a value costs: whoever adds one has paid for it.

use crate::tensor::{StorageRef, View};

/// A value's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Id(u32);

/// A Python value, as far as anybody here asks.
#[derive(Debug)]
pub(crate) enum Value {
    None,
    Bool(bool),
    Int(i64),
    Text(Box<str>),
    /// Something that nobody loads: the name of its type.
    Data(&'static str),
    Tuple(Box<[Id]>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// A name of code, as module.name.
    Global(Box<str>),
    /// What a call would have given.
    Object(Box<Object>),
    Storage(Box<StorageRef>),
    Tensor(Box<View>),
}

/// What a call would have given, and what was put into it.
#[derive(Debug)]
pub(crate) struct Object {
    /// What was called, as module.name.
    pub class: Box<str>,
    /// The arguments.
    pub arguments: Vec<Id>,
    /// What it was built with: its attributes.
    pub state: Option<Id>,
    /// Items, if it is a kind of dictionary.
    pub items: Vec<(Id, Id)>,
    /// Items, if it is a kind of list.
    pub list: Vec<Id>,
}

pub(crate) struct Heap {
    values: Vec<Value>,
}

impl Heap {
    pub const NONE: Id = Id(0);
    pub const FALSE: Id = Id(1);
    pub const TRUE: Id = Id(2);
    pub const EMPTY: Id = Id(3);

    /// Bytes that a value takes, the vector's spare room and its place on the stack included.
    pub const COST: u64 = 2 * size_of::<Value>() as u64 + 8;

    pub fn new() -> Self {
        let values = vec![
            Value::None,
            Value::Bool(false),
            Value::Bool(true),
            Value::Tuple(Box::default()),
        ];
        Self { values }
    }

    pub fn add(&mut self, value: Value) -> Id {
        // The budget ends long before 32 bits do.
        let id = Id(u32::try_from(self.values.len()).unwrap_or(u32::MAX));
        self.values.push(value);
        id
    }

    pub fn get(&self, id: Id) -> &Value {
        self.values.get(id.0 as usize).unwrap_or(&Value::None)
    }

    pub fn get_mut(&mut self, id: Id) -> Option<&mut Value> {
        self.values.get_mut(id.0 as usize)
    }

    /// A text or a whole number as text, which `PyTorch` uses for the same.
    pub fn key(&self, id: Id) -> Option<String> {
        match self.get(id) {
            Value::Text(text) => Some(text.to_string()),
            Value::Int(n) => Some(n.to_string()),
            _ => None,
        }
    }

    /// The items of a tuple or a list.
    pub fn sequence(&self, id: Id) -> Option<&[Id]> {
        match self.get(id) {
            Value::Tuple(items) => Some(items),
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// The items of a dictionary, of whatever class.
    pub fn items(&self, id: Id) -> Option<&[(Id, Id)]> {
        match self.get(id) {
            Value::Dict(items) => Some(items),
            Value::Object(object) if !object.items.is_empty() => Some(&object.items),
            _ => None,
        }
    }

    /// A whole number that is not negative.
    pub fn count(&self, id: Id) -> Option<u64> {
        match self.get(id) {
            Value::Int(n) => u64::try_from(*n).ok(),
            _ => None,
        }
    }

    /// The name of a value's type, as Python would say it.
    pub fn type_name(&self, id: Id) -> &str {
        match self.get(id) {
            Value::None => "None",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Text(_) => "str",
            Value::Data(name) => name,
            Value::Tuple(_) => "tuple",
            Value::List(_) => "list",
            Value::Dict(_) => "dict",
            Value::Global(name) => name,
            Value::Object(object) => &object.class,
            Value::Storage(_) => "torch.Storage",
            Value::Tensor(_) => "torch.Tensor",
        }
    }
}
