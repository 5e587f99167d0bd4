//! What the calls in a pickle give: tensors, dictionaries, lists, and for everything else a record that it was called.
//! Unaware of opcodes. Nothing is run: a call is looked up here by name.

use crate::budget::PLACE;
use crate::dtype::Dtype;
use crate::error::Error;
use crate::heap::{Heap, Id, Object, Value};
use crate::ids::Ids;
use crate::pickles::Pickles;
use crate::tensor::{StorageRef, Storages, View};
use crate::tree;

/// Bytes that a tensor takes until its numbers are read: its shape, its names here and in whoever compares it.
const TENSOR: u64 = 1024;

/// The most dimensions of a tensor.
const MOST_DIMENSIONS: usize = 64;

/// Tensor subclasses whose construction is called by another construction, at most.
const DEEPEST: u32 = 16;

fn damaged(reason: impl Into<String>) -> Error {
    Error::Damaged(reason.into())
}

/// The value of a call.
pub(crate) fn call(
    pickles: &mut Pickles,
    callable: Id,
    arguments: Vec<Id>,
    depth: u32,
) -> Result<Id, Error> {
    if depth > DEEPEST {
        return Err(damaged(
            "a tensor is made by too many calls within each other",
        ));
    }
    let name = match pickles.heap.get(callable) {
        Value::Global(name) => name.to_string(),
        _ => return object(pickles, callable, arguments),
    };
    match name.as_str() {
        "collections.OrderedDict" | "builtins.dict" | "__builtin__.dict" => {
            dictionary(pickles, callable, arguments)
        }
        "builtins.set"
        | "builtins.frozenset"
        | "builtins.list"
        | "builtins.tuple"
        | "__builtin__.set"
        | "__builtin__.frozenset"
        | "__builtin__.list"
        | "__builtin__.tuple"
        | "torch.Size" => match arguments[..] {
            [] => add(pickles, Value::List(Vec::new())),
            [items] if pickles.heap.sequence(items).is_some() => Ok(items),
            _ => object(pickles, callable, arguments),
        },
        "torch._utils._rebuild_tensor" => tensor(pickles, &arguments, 4),
        "torch._utils._rebuild_tensor_v2" => tensor(pickles, &arguments, 6),
        "torch._utils._rebuild_tensor_v3" => tensor(pickles, &arguments, 7),
        "torch._utils._rebuild_parameter" | "torch._utils._rebuild_parameter_with_state" => {
            first(pickles, &arguments, &name)
        }
        "torch._tensor._rebuild_from_type_v2" => match arguments[..] {
            [function, _, inner, ..] => {
                if arguments.len() > 3 && tree::holds_tensors(pickles, &arguments[3..])? {
                    return Err(hidden(&name));
                }
                let inner = pickles.heap.sequence(inner).map(<[Id]>::to_vec);
                let inner = inner
                    .ok_or_else(|| damaged(format!("`{name}` has no arguments to hand on")))?;
                pickles.budget.take(inner.len() as u64 * PLACE)?;
                call(pickles, function, inner, depth + 1)
            }
            _ => Err(damaged(format!("`{name}` has too few arguments"))),
        },
        "copyreg._reconstructor" | "copy_reg._reconstructor" => match arguments[..] {
            [class, _, state] => {
                let id = object(pickles, class, Vec::new())?;
                let items = pickles.heap.items(state).unwrap_or_default().to_vec();
                pickles.budget.take(items.len() as u64 * 2 * PLACE)?;
                if let Some(Value::Object(object)) = pickles.heap.get_mut(id) {
                    object.items = items;
                }
                Ok(id)
            }
            _ => object(pickles, callable, arguments),
        },
        _ => object(pickles, callable, arguments),
    }
}

/// A record of what was called, and with what.
pub(crate) fn object(pickles: &mut Pickles, class: Id, arguments: Vec<Id>) -> Result<Id, Error> {
    let class: Box<str> = pickles.heap.type_name(class).into();
    pickles
        .budget
        .take(size_of::<Object>() as u64 + 3 * class.len() as u64)?;
    // Dictionaries and lists of the common classes are what they hold.
    let value = match &*class {
        "collections.OrderedDict" | "builtins.dict" | "__builtin__.dict" => Value::Dict(Vec::new()),
        _ => Value::Object(Box::new(Object {
            class,
            arguments,
            state: None,
            items: Vec::new(),
            list: Vec::new(),
        })),
    };
    add(pickles, value)
}

fn add(pickles: &mut Pickles, value: Value) -> Result<Id, Error> {
    pickles.budget.take(Heap::COST)?;
    Ok(pickles.heap.add(value))
}

/// `OrderedDict()`, `OrderedDict([(key, value), …])`, `dict(another)`.
fn dictionary(pickles: &mut Pickles, callable: Id, arguments: Vec<Id>) -> Result<Id, Error> {
    let [source] = arguments[..] else {
        return match arguments.len() {
            0 => add(pickles, Value::Dict(Vec::new())),
            _ => object(pickles, callable, arguments),
        };
    };
    let heap = &pickles.heap;
    let items: Option<Vec<(Id, Id)>> = match (heap.items(source), heap.sequence(source)) {
        (Some(items), _) => {
            pickles.budget.take(items.len() as u64 * 2 * PLACE)?;
            Some(items.to_vec())
        }
        (None, Some(list)) => {
            pickles.budget.take(list.len() as u64 * 2 * PLACE)?;
            let pair = |id: &Id| match heap.sequence(*id) {
                Some([key, value]) => Some((*key, *value)),
                _ => None,
            };
            list.iter().map(pair).collect()
        }
        (None, None) => match heap.get(source) {
            Value::Dict(_) => Some(Vec::new()),
            _ => None,
        },
    };
    match items {
        Some(items) => add(pickles, Value::Dict(items)),
        None => Err(damaged("a dictionary is made of what are no pairs")),
    }
}

/// A parameter is its data; what else it carries may not hold tensors, for they would be lost.
fn first(pickles: &mut Pickles, arguments: &[Id], name: &str) -> Result<Id, Error> {
    let [data, rest @ ..] = arguments else {
        return Err(damaged(format!("`{name}` has no arguments")));
    };
    if tree::holds_tensors(pickles, rest)? {
        return Err(hidden(name));
    }
    Ok(*data)
}

fn hidden(name: &str) -> Error {
    damaged(format!(
        "`{name}` carries tensors beside its data, which are not read"
    ))
}

/// Sets what an object was built with.
pub(crate) fn build(pickles: &mut Pickles, object: Id, state: Id) -> Result<(), Error> {
    if let Some(Value::Object(object)) = pickles.heap.get_mut(object) {
        object.state = Some(state);
        return Ok(());
    }
    // The attributes of a dictionary's subclass are no items of it, and those of a tensor are not its numbers.
    if tree::holds_tensors(pickles, &[state])? {
        return Err(hidden(pickles.heap.type_name(object)));
    }
    Ok(())
}

/// What a persistent id stands for.
pub(crate) fn persistent(pickles: &mut Pickles, ids: &mut Ids<'_>, id: Id) -> Result<Value, Error> {
    match ids {
        Ids::None => Err(damaged(
            "its pickle refers to storages, and a pickle alone has none; it was not written by `torch.save`",
        )),
        Ids::Tensors(tensors) => {
            let key = pickles.heap.key(id);
            let view = key.and_then(|key| tensors.get(&key).cloned());
            let view =
                view.ok_or_else(|| damaged("its pickle refers to a tensor that is not there"))?;
            pickles.budget.take(TENSOR)?;
            Ok(Value::Tensor(Box::new(view)))
        }
        Ids::Storages(storages) => {
            let heap = &pickles.heap;
            let Some([tag, class, key, _, count, view @ ..]) = heap.sequence(id) else {
                return Err(damaged("the id of a storage has too few fields"));
            };
            let is_storage = matches!(heap.get(*tag), Value::Text(tag) if &**tag == "storage");
            let class = match heap.get(*class) {
                Value::Global(name) | Value::Text(name) => Some(name),
                _ => None,
            };
            let (Some(class), Some(key), Some(count), true) =
                (class, heap.key(*key), heap.count(*count), is_storage)
            else {
                return Err(damaged("the id of a storage has fields of other types"));
            };
            let view = match view.first().map(|id| (heap.get(*id), heap.sequence(*id))) {
                None | Some((Value::None, _)) => None,
                Some((_, Some([_, offset, size]))) => heap.count(*offset).zip(heap.count(*size)),
                Some(_) => return Err(damaged("the id of a storage has a view of another form")),
            };
            storage(storages, class, &key, count, view)
        }
    }
}

/// A storage by the id that protocol 0 writes:
/// `('storage', <class 'torch.FloatStorage'>, '0', 'cpu', 18)`, with `None` behind it or without.
pub(crate) fn storage_of_text(storages: &mut Storages, id: &str) -> Result<Value, Error> {
    let parts = || {
        let inner = id.trim().strip_prefix('(')?.strip_suffix(')')?;
        let parts: Vec<&str> = inner.split(", ").collect();
        let (["'storage'", class, key, _, count] | ["'storage'", class, key, _, count, "None"]) =
            parts[..]
        else {
            return None;
        };
        let class = class.strip_prefix("<class '")?.strip_suffix("'>")?;
        let key = key.strip_prefix('\'')?.strip_suffix('\'')?;
        Some((class, key, count.trim_end_matches('L').parse::<u64>().ok()?))
    };
    let shown: String = id.chars().take(100).collect();
    let (class, key, count) = parts()
        .ok_or_else(|| damaged(format!("`{}` is no id of a storage", shown.escape_debug())))?;
    storage(storages, class, key, count, None)
}

fn storage(
    storages: &mut Storages,
    class: &str,
    key: &str,
    count: u64,
    view: Option<(u64, u64)>,
) -> Result<Value, Error> {
    let dtype = match Dtype::of_storage(class) {
        None if class.rsplit('.').next() == Some("UntypedStorage") => None,
        None => {
            return Err(damaged(format!(
                "`{}` is no known kind of storage",
                class.escape_debug()
            )));
        }
        known => known,
    };
    let width = dtype.map_or(1, Dtype::width);
    let bytes = count.checked_mul(width);
    let (offset, end) = match view {
        None => (0, count),
        Some((offset, size)) => (offset, offset.saturating_add(size)),
    };
    let (Some(bytes), true) = (bytes, end <= count) else {
        return Err(damaged(format!(
            "storage `{}` is larger than it can be",
            key.escape_debug()
        )));
    };
    let key = storages.declare(key, bytes, width)?;
    Ok(Value::Storage(Box::new(StorageRef {
        key,
        dtype,
        reach: end * width,
        offset,
    })))
}

/// `torch._utils._rebuild_tensor` and its later versions, by the number of arguments that they have at least.
fn tensor(pickles: &mut Pickles, arguments: &[Id], count: usize) -> Result<Id, Error> {
    let heap = &pickles.heap;
    let [storage, offset, shape, strides, ..] = arguments else {
        return Err(damaged("a tensor has too few arguments"));
    };
    if arguments.len() < count {
        return Err(damaged("a tensor has too few arguments"));
    }
    let Value::Storage(storage) = heap.get(*storage) else {
        let kind = heap.type_name(*storage);
        return Err(damaged(format!(
            "a tensor is made of `{}` and not of a storage; it was not written by `torch.save`",
            kind.escape_debug()
        )));
    };
    let dtype = if count == 7 {
        match heap.get(arguments[6]) {
            Value::Global(name) => Dtype::of_attribute(name),
            _ => None,
        }
    } else {
        storage.dtype
    };
    let numbers = |id: Id| -> Option<Vec<u64>> {
        let items = heap
            .sequence(id)
            .filter(|items| items.len() <= MOST_DIMENSIONS)?;
        items.iter().map(|id| heap.count(*id)).collect()
    };
    let (Some(dtype), Some(offset), Some(shape), Some(strides)) = (
        dtype,
        heap.count(*offset),
        numbers(*shape),
        numbers(*strides),
    ) else {
        return Err(damaged(
            "a tensor's type, offset, shape or strides are no numbers that it can have",
        ));
    };
    if storage.dtype.is_some_and(|own| own != dtype) {
        return Err(damaged("a tensor and its storage have different types"));
    }
    let view = View::new(storage, dtype, offset, shape, strides)?;
    pickles.budget.take(TENSOR)?;
    add(pickles, Value::Tensor(Box::new(view)))
}
