//! The form of `PyTorch` 0.1.10 to 1.5: pickles in a row (a number, a version, the system, the object, the storages' keys),
//! then each storage with the count of its numbers before it.
//! Unaware of what the object is.

use std::rc::Rc;

use files::Data;

use crate::error::Error;
use crate::heap::{Id, Value};
use crate::ids::Ids;
use crate::input::Input;
use crate::machine::load as pickle;
use crate::pickles::Pickles;
use crate::section::Section;
use crate::tensor::{Place, Places, Storages};

/// The number that opens such a file, 0x1950a86a20f9469cfc6c, as protocols 2 to 5 write it.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
/// As protocols 0 and 1 write it.
const MAGIC_TEXT: &[u8] = b"119547037146038801333356";
/// How far from the begin it is looked for.
const WINDOW: usize = 64;

pub(crate) fn looks_like(start: &[u8]) -> bool {
    let window = &start[..start.len().min(WINDOW)];
    let has = |magic: &[u8]| window.windows(magic.len()).any(|bytes| bytes == magic);
    has(&MAGIC) || has(MAGIC_TEXT)
}

pub(crate) fn load(
    file: &Rc<Data>,
    length: u64,
    pickles: &mut Pickles,
) -> Result<(Id, Places), Error> {
    let mut input = Input::new(Section::new(file, 0, length));
    pickle(&mut input, pickles, &mut Ids::None)?;
    let version = pickle(&mut input, pickles, &mut Ids::None)?;
    if pickles.heap.count(version) != Some(1001) {
        return Err(Error::Damaged(
            "its version is not 1001, the only one of its form".into(),
        ));
    }
    let system = pickle(&mut input, pickles, &mut Ids::None)?;
    check_endian(pickles, system)?;
    let mut storages = Storages::default();
    let root = pickle(&mut input, pickles, &mut Ids::Storages(&mut storages))?;
    let keys = pickle(&mut input, pickles, &mut Ids::None)?;
    let keys: Option<Vec<String>> = pickles
        .heap
        .sequence(keys)
        .and_then(|keys| keys.iter().map(|key| pickles.heap.key(*key)).collect());
    let keys =
        keys.ok_or_else(|| Error::Damaged("the list of its storages is no list of keys".into()))?;
    let places = places(file, length, input.position(), &keys, &storages)?;
    Ok((root, places))
}

/// Refuses what was written on a machine of the other byte order.
pub(crate) fn check_endian(pickles: &Pickles, system: Id) -> Result<(), Error> {
    let heap = &pickles.heap;
    let is_it =
        |(key, _): &&(Id, Id)| matches!(heap.get(*key), Value::Text(t) if &**t == "little_endian");
    let value = heap.items(system).unwrap_or_default().iter().find(is_it);
    match value.map(|(_, value)| heap.get(*value)) {
        Some(Value::Bool(true)) => Ok(()),
        Some(Value::Bool(false)) => Err(Error::Damaged(
            "it was written on a big-endian machine, whose byte order is not read".into(),
        )),
        _ => Err(Error::Damaged("it does not say its byte order".into())),
    }
}

/// Storages lie one behind the other in the order of their keys.
fn places(
    file: &Data,
    length: u64,
    begin: u64,
    keys: &[String],
    storages: &Storages,
) -> Result<Places, Error> {
    let mut places = Places::new();
    let mut at = begin;
    for key in keys {
        let shown = key.escape_debug();
        let Some((own, &(bytes, width))) = storages.declared.get_key_value(key.as_str()) else {
            return Err(Error::Damaged(format!(
                "nothing says how long its storage `{shown}` is"
            )));
        };
        let end = at.checked_add(8).and_then(|at| at.checked_add(bytes));
        let Some(end) = end.filter(|end| *end <= length) else {
            return Err(Error::Damaged(format!(
                "its storage `{shown}` of {bytes} bytes is cut off"
            )));
        };
        let mut count = [0; 8];
        file.read_exact_at(&mut count, at)?;
        if u64::from_le_bytes(count) != bytes / width {
            return Err(Error::Damaged(format!(
                "its storage `{shown}` has another length than its pickle says"
            )));
        }
        let place = Place {
            at: at + 8,
            length: bytes,
            packed: None,
            crc: None,
        };
        if places.insert(Rc::clone(own), place).is_some() {
            return Err(Error::Damaged(format!(
                "its storage `{shown}` is listed twice"
            )));
        }
        at = end;
    }
    Ok(places)
}
