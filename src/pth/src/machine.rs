//! The stack machine of pickles, protocols 0 to 5: opcodes in, values on the heap. Nothing is called.
//! Unaware of containers, and of what a call would give (`calls`).

use std::collections::HashMap;
use std::io::Read;

use crate::budget::PLACE;
use crate::calls;
use crate::error::Error;
use crate::heap::{Heap, Id, Object, Value};
use crate::ids::Ids;
use crate::input::Input;
use crate::pickles::Pickles;

/// Reads one pickle, and leaves `input` behind its end.
pub(crate) fn load<R: Read>(
    input: &mut Input<R>,
    pickles: &mut Pickles,
    ids: &mut Ids<'_>,
) -> Result<Id, Error> {
    let mut machine = Machine {
        input,
        pickles,
        ids,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
    };
    while machine.step()? {}
    machine.pop()
}

struct Machine<'a, 'b, R> {
    input: &'a mut Input<R>,
    pickles: &'a mut Pickles,
    ids: &'a mut Ids<'b>,
    stack: Vec<Id>,
    /// Heights of the stack at each open mark.
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
}

/// Bytes of a place in the memo.
const MEMO: u64 = 40;

impl<R: Read> Machine<'_, '_, R> {
    /// One opcode; false behind the last.
    fn step(&mut self) -> Result<bool, Error> {
        self.pickles.budget.take(1)?;
        match self.input.byte()? {
            b'.' => return Ok(false),
            op @ (b'I' | b'L' | b'F' | b'V' | b'S' | b'g' | b'p' | b'P' | b'c' | b'i') => {
                self.line_op(op)?;
            }
            op @ (b'J' | b'K' | b'M' | b'G' | b'N' | 0x80 | 0x88 | 0x89 | 0x8a | 0x8b | 0x95) => {
                self.number_op(op)?;
            }
            op @ (b'T' | b'U' | b'X' | b'B' | b'C' | 0x8c | 0x8d | 0x8e | 0x96) => {
                self.text_op(op)?;
            }
            op @ (b'h' | b'j' | b'q' | b'r' | 0x94) => self.memo_op(op)?,
            op @ (b'R' | b'Q' | b'b' | b'o' | 0x81 | 0x92 | 0x93) => self.object_op(op)?,
            op => self.container_op(op)?,
        }
        Ok(true)
    }

    /// Opcodes whose arguments are lines: most of protocol 0.
    fn line_op(&mut self, op: u8) -> Result<(), Error> {
        let line = self.input.line(&self.pickles.budget)?;
        match op {
            b'V' => self.push_text(unescaped(&line)?),
            b'S' => self.push_text(unquoted(&line)?),
            b'F' => self.push(Value::Data("float")),
            b'I' | b'L' => self.push_number(&text(line)?),
            b'g' | b'p' => {
                let index = text(line)?;
                let index = index.trim_end_matches('L').parse().map_err(|_| {
                    damaged(format!("`{}` is no place in a memo", index.escape_debug()))
                })?;
                if op == b'g' {
                    self.get(index)
                } else {
                    self.put(index)
                }
            }
            b'P' => {
                let id = text(line)?;
                self.persistent_text(&id)
            }
            _ => {
                let name = text(self.input.line(&self.pickles.budget)?)?;
                let global = self.global(format!("{}.{name}", text(line)?))?;
                if op == b'c' {
                    self.place(global)
                } else {
                    let arguments = self.above_mark()?;
                    self.call(global, arguments)
                }
            }
        }
    }

    fn push_number(&mut self, line: &str) -> Result<(), Error> {
        match line {
            "00" => return self.place(Heap::FALSE),
            "01" => return self.place(Heap::TRUE),
            _ => {}
        }
        let digits = line.trim_end_matches('L');
        let value = digits.parse().map_or_else(
            |error: std::num::ParseIntError| {
                use std::num::IntErrorKind::{NegOverflow, PosOverflow};
                matches!(error.kind(), NegOverflow | PosOverflow).then_some(Value::Data("int"))
            },
            |n| Some(Value::Int(n)),
        );
        self.push(value.ok_or_else(|| damaged(format!("`{}` is no number", line.escape_debug())))?)
    }

    fn number_op(&mut self, op: u8) -> Result<(), Error> {
        let value = match op {
            0x80 => {
                return match self.input.byte()? {
                    0..=5 => Ok(()),
                    n => Err(damaged(format!(
                        "its pickle has protocol {n}, and 0 to 5 are known"
                    ))),
                };
            }
            0x95 => return self.input.number::<8>().map(drop),
            b'N' => return self.place(Heap::NONE),
            0x88 => return self.place(Heap::TRUE),
            0x89 => return self.place(Heap::FALSE),
            b'J' => Value::Int(i32::from_le_bytes(self.input.array()?).into()),
            b'K' => Value::Int(self.input.number::<1>()? as i64),
            b'M' => Value::Int(self.input.number::<2>()? as i64),
            b'G' => {
                self.input.array::<8>()?;
                Value::Data("float")
            }
            _ => {
                let length = if op == 0x8a {
                    self.input.number::<1>()
                } else {
                    self.input.number::<4>()
                };
                wide(&self.input.bytes(length?, &self.pickles.budget)?)
            }
        };
        self.push(value)
    }

    fn text_op(&mut self, op: u8) -> Result<(), Error> {
        let length = match op {
            b'U' | b'C' | 0x8c => self.input.number::<1>()?,
            b'T' | b'X' | b'B' => self.input.number::<4>()?,
            _ => self.input.number::<8>()?,
        };
        match op {
            b'X' | 0x8c | 0x8d => {
                let text = text(self.input.bytes(length, &self.pickles.budget)?)?;
                self.push_text(text)
            }
            // Python 2's `str`: text most of the time.
            b'T' | b'U' => {
                match String::from_utf8(self.input.bytes(length, &self.pickles.budget)?) {
                    Ok(text) => self.push_text(text),
                    Err(_) => self.push(Value::Data("bytes")),
                }
            }
            _ => {
                self.input.skip(length, &self.pickles.budget)?;
                self.push(Value::Data("bytes"))
            }
        }
    }

    fn memo_op(&mut self, op: u8) -> Result<(), Error> {
        let index = match op {
            b'h' | b'q' => self.input.number::<1>()?,
            b'j' | b'r' => self.input.number::<4>()?,
            _ => self.memo.len() as u64,
        };
        if matches!(op, b'h' | b'j') {
            self.get(index)
        } else {
            self.put(index)
        }
    }

    fn object_op(&mut self, op: u8) -> Result<(), Error> {
        match op {
            b'R' => {
                let arguments = self.pop()?;
                let callable = self.pop()?;
                let arguments = self.arguments(arguments)?;
                self.call(callable, arguments)
            }
            0x81 | 0x92 => {
                // Keyword arguments are looked at like others.
                let keywords = if op == 0x92 { Some(self.pop()?) } else { None };
                let arguments = self.pop()?;
                let class = self.pop()?;
                let mut arguments = self.arguments(arguments)?;
                arguments.extend(keywords);
                self.instance(class, arguments)
            }
            b'o' => {
                let mut arguments = self.above_mark()?;
                if arguments.is_empty() {
                    return Err(underflow());
                }
                let class = arguments.remove(0);
                self.instance(class, arguments)
            }
            b'b' => {
                let state = self.pop()?;
                let object = self.top()?;
                calls::build(self.pickles, object, state)
            }
            b'Q' => {
                let id = self.pop()?;
                let value = calls::persistent(self.pickles, self.ids, id)?;
                self.push_large(value)
            }
            _ => {
                let (name, module) = (self.pop()?, self.pop()?);
                let heap = &self.pickles.heap;
                let (Value::Text(module), Value::Text(name)) = (heap.get(module), heap.get(name))
                else {
                    return Err(damaged("a name of code is no text".into()));
                };
                let name = format!("{module}.{name}");
                let global = self.global(name)?;
                self.place(global)
            }
        }
    }

    /// Protocol 0 writes the id of a storage as Python shows it.
    fn persistent_text(&mut self, line: &str) -> Result<(), Error> {
        let value = if let Ids::Storages(storages) = self.ids {
            calls::storage_of_text(storages, line)?
        } else {
            self.push_text(line.to_owned())?;
            let id = self.pop()?;
            calls::persistent(self.pickles, self.ids, id)?
        };
        self.push_large(value)
    }

    fn container_op(&mut self, op: u8) -> Result<(), Error> {
        match op {
            b'(' => {
                self.pickles.budget.take(2 * PLACE)?;
                self.marks.push(self.stack.len());
                Ok(())
            }
            // As in Python, a mark that is on top is what is dropped.
            b'0' if self.marks.last() == Some(&self.stack.len()) => {
                self.marks.pop();
                Ok(())
            }
            b'0' => self.pop().map(drop),
            b'1' => self.above_mark().map(drop),
            b'2' => {
                let top = self.top()?;
                self.place(top)
            }
            b')' => self.place(Heap::EMPTY),
            b']' | 0x8f => self.push(Value::List(Vec::new())),
            b'}' => self.push(Value::Dict(Vec::new())),
            b't' | 0x85..=0x87 => {
                let items = if op == b't' {
                    self.above_mark()?
                } else {
                    self.last(op - 0x84)?
                };
                self.push(Value::Tuple(items.into()))
            }
            b'l' | 0x91 => {
                let items = self.above_mark()?;
                self.push(Value::List(items))
            }
            b'd' => {
                let items = self.above_mark()?;
                self.push(Value::Dict(pairs(&items)?))
            }
            b'a' => {
                let item = self.pop()?;
                self.extend(&[item])
            }
            b'e' | 0x90 => {
                let items = self.above_mark()?;
                self.extend(&items)
            }
            b's' => {
                let items = self.last(2)?;
                self.insert(&items)
            }
            b'u' => {
                let items = self.above_mark()?;
                self.insert(&items)
            }
            other => Err(damaged(format!(
                "0x{other:02x} is no opcode of a pickle that is read"
            ))),
        }
    }

    fn extend(&mut self, items: &[Id]) -> Result<(), Error> {
        self.pickles.budget.take(items.len() as u64 * PLACE)?;
        let top = self.top()?;
        match self.pickles.heap.get_mut(top) {
            Some(Value::List(list)) => list.extend(items),
            Some(Value::Object(object)) => object.list.extend(items),
            _ => return Err(damaged("something is appended to what is no list".into())),
        }
        Ok(())
    }

    fn insert(&mut self, items: &[Id]) -> Result<(), Error> {
        self.pickles.budget.take(items.len() as u64 * PLACE)?;
        let top = self.top()?;
        let pairs = pairs(items)?;
        match self.pickles.heap.get_mut(top) {
            Some(Value::Dict(dict)) => dict.extend(pairs),
            Some(Value::Object(object)) => object.items.extend(pairs),
            _ => return Err(damaged("an item is set in what is no dictionary".into())),
        }
        Ok(())
    }

    /// The arguments of a call: those of a tuple, or whatever else is there.
    fn arguments(&mut self, id: Id) -> Result<Vec<Id>, Error> {
        let heap = &self.pickles.heap;
        let items: &[Id] = if let Value::Tuple(items) = heap.get(id) {
            items
        } else {
            &[id]
        };
        self.pickles.budget.take(items.len() as u64 * PLACE)?;
        Ok(items.to_vec())
    }

    fn call(&mut self, callable: Id, arguments: Vec<Id>) -> Result<(), Error> {
        let result = calls::call(self.pickles, callable, arguments, 0)?;
        self.place(result)
    }

    fn instance(&mut self, class: Id, arguments: Vec<Id>) -> Result<(), Error> {
        let object = calls::object(self.pickles, class, arguments)?;
        self.place(object)
    }

    fn global(&mut self, name: String) -> Result<Id, Error> {
        self.pickles
            .budget
            .take(Heap::COST + 3 * name.len() as u64)?;
        self.pickles.globals.note(&name);
        Ok(self.pickles.heap.add(Value::Global(name.into())))
    }

    fn push_text(&mut self, text: String) -> Result<(), Error> {
        self.push(Value::Text(text.into()))
    }

    /// A value whose own bytes are paid for.
    fn push(&mut self, value: Value) -> Result<(), Error> {
        self.pickles.budget.take(Heap::COST)?;
        self.stack.push(self.pickles.heap.add(value));
        Ok(())
    }

    fn push_large(&mut self, value: Value) -> Result<(), Error> {
        self.pickles.budget.take(size_of::<Object>() as u64)?;
        self.push(value)
    }

    fn place(&mut self, id: Id) -> Result<(), Error> {
        self.pickles.budget.take(PLACE)?;
        self.stack.push(id);
        Ok(())
    }

    fn top(&self) -> Result<Id, Error> {
        let floor = self.marks.last().copied().unwrap_or(0);
        let above = self.stack.get(floor..).and_then(<[Id]>::last);
        above.copied().ok_or_else(underflow)
    }

    fn pop(&mut self) -> Result<Id, Error> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    /// The last values, in their order.
    fn last(&mut self, count: u8) -> Result<Vec<Id>, Error> {
        let mut items = (0..count)
            .map(|_| self.pop())
            .collect::<Result<Vec<_>, _>>()?;
        items.reverse();
        Ok(items)
    }

    fn above_mark(&mut self) -> Result<Vec<Id>, Error> {
        let mark = self.marks.pop().ok_or_else(underflow)?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    fn get(&mut self, index: u64) -> Result<(), Error> {
        let id = self.memo.get(&index).copied();
        let id = id.ok_or_else(|| damaged(format!("its memo has no place {index}")))?;
        self.place(id)
    }

    fn put(&mut self, index: u64) -> Result<(), Error> {
        self.pickles.budget.take(MEMO)?;
        let top = self.top()?;
        self.memo.insert(index, top);
        Ok(())
    }
}

fn pairs(items: &[Id]) -> Result<Vec<(Id, Id)>, Error> {
    let (pairs, rest) = items.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(damaged("a key of a dictionary has no value".into()));
    }
    Ok(pairs.iter().map(|[key, value]| (*key, *value)).collect())
}

fn damaged(reason: String) -> Error {
    Error::Damaged(reason)
}

fn underflow() -> Error {
    damaged("its pickle takes more from its stack than is there".into())
}

fn text(bytes: Vec<u8>) -> Result<String, Error> {
    String::from_utf8(bytes).map_err(|_| damaged("a text in its pickle is not UTF-8".into()))
}

/// Python's integers of any width; those of more than 64 bits are no sizes of tensors.
fn wide(bytes: &[u8]) -> Value {
    let negative = bytes.last().is_some_and(|b| b & 0x80 != 0);
    let fill = if negative { 0xff } else { 0 };
    let mut eight = [fill; 8];
    let low = bytes.len().min(8);
    eight[..low].copy_from_slice(&bytes[..low]);
    let value = i64::from_le_bytes(eight);
    let is_exact = bytes[low..].iter().all(|b| *b == fill) && (value < 0) == negative;
    if is_exact {
        Value::Int(value)
    } else {
        Value::Data("int")
    }
}

/// Python's `raw-unicode-escape`: Latin-1, and `\uXXXX` for the rest.
fn unescaped(line: &[u8]) -> Result<String, Error> {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((&first, after)) = rest.split_first() {
        let digits = match (first, after.first()) {
            (b'\\', Some(b'u')) => 4,
            (b'\\', Some(b'U')) => 8,
            _ => {
                text.push(char::from(first));
                rest = after;
                continue;
            }
        };
        let hex = after
            .get(1..=digits)
            .and_then(|hex| std::str::from_utf8(hex).ok());
        let code = hex
            .and_then(|hex| u32::from_str_radix(hex, 16).ok())
            .and_then(char::from_u32);
        text.push(code.ok_or_else(|| {
            damaged("a text in its pickle is not escaped as it should be".into())
        })?);
        rest = &after[1 + digits..];
    }
    Ok(text)
}

/// Python 2's texts of protocol 0: `'as they are shown'`.
fn unquoted(line: &[u8]) -> Result<String, Error> {
    let ([b'\'', inner @ .., b'\''] | [b'"', inner @ .., b'"']) = line else {
        return Err(damaged("a text in its pickle has no quotes".into()));
    };
    let inner = String::from_utf8_lossy(inner);
    Ok(inner.replace("\\'", "'").replace("\\\\", "\\"))
}
