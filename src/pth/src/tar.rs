//! The form of `PyTorch` before 0.1.10: a TAR archive of `sys_info`, `storages`, `tensors` and `pickle`.
//! Unaware of what the pickle holds.
//!
//! Only plain entries are read, from where they lie: an entry that claims more than the file has, or to be sparse, is
//! refused. Names and sizes that extended headers give are not looked at; `PyTorch` wrote none.

use std::collections::BTreeMap;
use std::rc::Rc;

use files::Data;

use crate::dtype::Dtype;
use crate::error::Error;
use crate::heap::{Id, Value};
use crate::ids::Ids;
use crate::input::Input;
use crate::legacy::check_endian;
use crate::machine::load as pickle;
use crate::pickles::Pickles;
use crate::section::Section;
use crate::tensor::{Place, Places, StorageRef, View};

const BLOCK: u64 = 512;
/// Most entries of an archive; `PyTorch` wrote four.
const MOST_ENTRIES: usize = 1000;
/// Bytes that a storage or a tensor takes here.
const ENTRY: u64 = 1024;

pub(crate) fn looks_like(start: &[u8]) -> bool {
    start.get(257..262) == Some(b"ustar")
}

/// Where an entry's bytes are.
type Range = (u64, u64);

pub(crate) fn load(
    file: &Rc<Data>,
    length: u64,
    pickles: &mut Pickles,
) -> Result<(Id, Places), Error> {
    let entries = entries(file, length)?;
    let input = |name: &str| {
        let range = entries.get(name);
        let (begin, end) = *range.ok_or_else(|| damaged(format!("its archive has no `{name}`")))?;
        Ok::<_, Error>((Input::new(Section::new(file, begin, end)), end))
    };
    if entries.contains_key("sys_info") {
        let system = pickle(&mut input("sys_info")?.0, pickles, &mut Ids::None)?;
        check_endian(pickles, system)?;
    }
    let (mut storages, end) = input("storages")?;
    let storages = Stored::read(&mut storages, end, pickles)?;
    let tensors = tensors(&mut input("tensors")?.0, &storages, pickles)?;
    let root = pickle(
        &mut input("pickle")?.0,
        pickles,
        &mut Ids::Tensors(&tensors),
    )?;
    Ok((root, storages.places))
}

fn entries(file: &Data, length: u64) -> Result<BTreeMap<String, Range>, Error> {
    let mut all = BTreeMap::new();
    let mut at = 0;
    for _ in 0..MOST_ENTRIES {
        let mut header = [0; BLOCK as usize];
        if at + BLOCK > length {
            return Ok(all);
        }
        file.read_exact_at(&mut header, at)?;
        if header.iter().all(|byte| *byte == 0) {
            return Ok(all);
        }
        let name =
            String::from_utf8_lossy(header[..100].split(|b| *b == 0).next().unwrap_or_default());
        let name = name.trim_start_matches("./").to_owned();
        let shown = name.escape_debug();
        let size = size(&header[124..136])
            .ok_or_else(|| damaged(format!("entry `{shown}` has no size")))?;
        let begin = at + BLOCK;
        let end = begin.checked_add(size).filter(|end| *end <= length);
        let end = end.ok_or_else(|| {
            damaged(format!(
                "entry `{shown}` claims {size} bytes, and the file has {length}"
            ))
        })?;
        match header[156] {
            b'0' | 0 => {
                let before = all.insert(name.clone(), (begin, end));
                before.map_or(Ok(()), |_| {
                    Err(damaged(format!("entry `{shown}` is there twice")))
                })?;
            }
            b'S' => {
                return Err(damaged(format!(
                    "entry `{shown}` is sparse, which no checkpoint is"
                )));
            }
            _ => {}
        }
        at = end.next_multiple_of(BLOCK);
    }
    Err(damaged(format!(
        "its archive has more than {MOST_ENTRIES} entries"
    )))
}

/// An octal number, or a binary one where the first bit is set.
fn size(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 != 0 {
        let high = field[1..4].iter().any(|b| *b != 0) || field[0] != 0x80;
        let bytes = <[u8; 8]>::try_from(&field[4..12]).ok()?;
        return (!high).then_some(u64::from_be_bytes(bytes));
    }
    let text = std::str::from_utf8(field).ok()?;
    u64::from_str_radix(text.trim_matches(['\0', ' ']), 8).ok()
}

/// The storages of an archive.
struct Stored {
    places: Places,
    types: BTreeMap<Rc<str>, Dtype>,
}

impl Stored {
    /// A count; for each storage its key, place and type, the count of its numbers, and these; then views of storages.
    fn read(input: &mut Input<Section>, end: u64, pickles: &mut Pickles) -> Result<Self, Error> {
        let mut all = Self {
            places: Places::new(),
            types: BTreeMap::new(),
        };
        for _ in 0..count(input, pickles)? {
            pickles.budget.take(ENTRY)?;
            let fields = pickle(input, pickles, &mut Ids::None)?;
            let [key, _, class] = fields_of(pickles, fields)?;
            let class = match pickles.heap.get(class) {
                Value::Global(name) => Dtype::of_storage(name),
                _ => None,
            };
            let (Some(key), Some(dtype)) = (pickles.heap.key(key), class) else {
                return Err(damaged(
                    "a storage has no key or no type that is known".into(),
                ));
            };
            let numbers = input.number::<8>()?;
            let at = input.position();
            let length = numbers
                .checked_mul(dtype.width())
                .filter(|n| *n <= end.saturating_sub(at));
            let length = length.ok_or_else(|| {
                damaged(format!(
                    "its storage `{}` is larger than its entry",
                    key.escape_debug()
                ))
            })?;
            all.add(&key, dtype, at, length)?;
            input.seek(at + length);
        }
        let views = pickle(input, pickles, &mut Ids::None)?;
        let views = pickles.heap.sequence(views).map(<[Id]>::to_vec);
        for view in views.ok_or_else(|| damaged("the views of its storages are no list".into()))? {
            pickles.budget.take(ENTRY)?;
            let [key, root, offset, size] = fields_of(pickles, view)?;
            let heap = &pickles.heap;
            let place = || {
                let root = heap.key(root)?;
                let (dtype, place) = (
                    *all.types.get(root.as_str())?,
                    *all.places.get(root.as_str())?,
                );
                let begin = heap.count(offset)?.checked_mul(dtype.width())?;
                let length = heap.count(size)?.checked_mul(dtype.width())?;
                let fits = begin.checked_add(length)? <= place.length;
                fits.then_some((heap.key(key)?, dtype, place.at + begin, length))
            };
            let (key, dtype, at, length) =
                place().ok_or_else(|| damaged("a view of a storage is not within it".into()))?;
            all.add(&key, dtype, at, length)?;
        }
        Ok(all)
    }

    fn add(&mut self, key: &str, dtype: Dtype, at: u64, length: u64) -> Result<(), Error> {
        let key: Rc<str> = key.into();
        self.types.insert(Rc::clone(&key), dtype);
        let place = Place {
            at,
            length,
            packed: None,
            crc: None,
        };
        match self.places.insert(Rc::clone(&key), place) {
            None => Ok(()),
            Some(_) => Err(damaged(format!(
                "its storage `{}` is there twice",
                key.escape_debug()
            ))),
        }
    }
}

/// A count; for each tensor its key, its storage's key and its type, then its rank, four unused bytes, its sizes, its
/// strides and its offset.
fn tensors(
    input: &mut Input<Section>,
    storages: &Stored,
    pickles: &mut Pickles,
) -> Result<BTreeMap<String, View>, Error> {
    let mut all = BTreeMap::new();
    for _ in 0..count(input, pickles)? {
        pickles.budget.take(ENTRY)?;
        let fields = pickle(input, pickles, &mut Ids::None)?;
        let [key, storage, _] = fields_of(pickles, fields)?;
        let rank = input.number::<4>()?;
        input.number::<4>()?;
        if rank > 64 {
            return Err(damaged(format!("a tensor has {rank} dimensions")));
        }
        let mut numbers = || {
            (0..rank)
                .map(|_| input.number::<8>())
                .collect::<Result<Vec<_>, _>>()
        };
        let (shape, strides) = (numbers()?, numbers()?);
        let offset = input.number::<8>()?;
        let storage = pickles.heap.key(storage).and_then(|key| {
            let (key, dtype) = storages.types.get_key_value(key.as_str())?;
            Some((key, *dtype, storages.places.get(key)?.length))
        });
        let (Some(key), Some((storage, dtype, reach))) = (pickles.heap.key(key), storage) else {
            return Err(damaged(
                "a tensor has no key, or a storage that is not there".into(),
            ));
        };
        let storage = StorageRef {
            key: Rc::clone(storage),
            dtype: Some(dtype),
            reach,
            offset: 0,
        };
        let view = View::new(&storage, dtype, offset, shape, strides)?;
        if all.insert(key, view).is_some() {
            return Err(damaged("a tensor's key is there twice".into()));
        }
    }
    Ok(all)
}

fn count(input: &mut Input<Section>, pickles: &mut Pickles) -> Result<u64, Error> {
    let count = pickle(input, pickles, &mut Ids::None)?;
    let count = pickles.heap.count(count);
    count.ok_or_else(|| damaged("the count of its storages or tensors is no number".into()))
}

fn fields_of<const N: usize>(pickles: &Pickles, id: Id) -> Result<[Id; N], Error> {
    let fields = pickles
        .heap
        .sequence(id)
        .and_then(|items| items.try_into().ok());
    fields.ok_or_else(|| damaged("a storage or a tensor is described by other fields".into()))
}

fn damaged(reason: String) -> Error {
    Error::Damaged(reason)
}
