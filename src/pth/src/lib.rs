//! Reads the files that `PyTorch`'s `torch.save` writes, without Python and without running anything of their pickles.
//! Unaware of networks, of libtorch and of where a user raises the limit.
//!
//! ```text
//!   file ─┬─ zip     an archive: `data.pkl` and a file for each storage         (PyTorch 1.6 and later)
//!         ├─ legacy  pickles in a row, then the storages                        (to 1.5, and on request)
//!         ├─ tar     an archive of pickles and tables                           (before 0.1.10)
//!         └─ a pickle alone, which has no storages
//!              │ bytes of pickles, and where each storage lies
//!              v
//!            machine ── calls      opcodes give values on a heap; a call is looked up in a list, and nothing is run
//!              │
//!              v
//!            tree       values behind dictionaries and modules get their names
//!              │
//!              v
//!            Checkpoint    names, types and shapes; numbers are read when somebody asks
//! ```
//!
//! Everything that a file makes grow is paid for from one [`Budget`](budget::Budget) before it is there: opcodes, texts,
//! values, names, entries of archives. Values lie in one vector and name each other by number, so that depth and cycles
//! cost nothing while they are built and dropped; the one walk over them counts its steps and its depth. Storages stay in
//! the file: every place in it is checked against the file's length, and no two entries of an archive may overlap.

mod budget;
mod calls;
mod dtype;
mod error;
mod globals;
mod heap;
mod ids;
mod input;
mod legacy;
mod machine;
mod pickles;
mod section;
mod tar;
mod tensor;
mod tree;
mod zip;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::rc::Rc;

pub use dtype::Dtype;
pub use error::Error;
pub use globals::is_harmless;
pub use tensor::Tensor;

use files::Data;
use heap::Id;
use pickles::Pickles;
use section::Section;
use tensor::{Places, Source};

/// What a file of weights holds.
#[derive(Debug)]
pub struct Checkpoint {
    /// How the file is built.
    pub container: Container,
    /// Its tensors, named by their path through its dictionaries, joined with dots.
    pub tensors: BTreeMap<String, Tensor>,
    /// Names of code that stand among its values and that no weights need, sorted, as module.name.
    pub foreign: Vec<String>,
    /// Other names of code in its pickles that no weights need, called or not, sorted.
    pub unused: Vec<String>,
}

/// How a file is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// A ZIP archive (`PyTorch` 1.6 and later).
    Zip,
    /// Pickles in a row (`PyTorch` 0.1.10 to 1.5, and `_use_new_zipfile_serialization=False`).
    Legacy,
    /// A TAR archive (before `PyTorch` 0.1.10).
    Tar,
    /// A pickle and nothing else.
    Pickle,
}

impl Container {
    /// What it is called, for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Zip => "PyTorch ZIP",
            Self::Legacy => "PyTorch legacy",
            Self::Tar => "PyTorch TAR",
            Self::Pickle => "pickle",
        }
    }
}

/// Memory that reading the pickles of a file may take, in bytes, where nobody says otherwise. A full training state of
/// the largest network here takes a hundredth of it.
pub const USUAL_LIMIT: u64 = 256 << 20;

/// Opens `path`, and reads everything but the numbers of tensors. `limit` is what its pickles may take in memory.
///
/// # Errors
/// Whatever is wrong with the file. Nothing of it is ever run.
pub fn open(path: &Path, limit: u64) -> Result<Checkpoint, Error> {
    read(files::open(path)?.into(), limit)
}

/// As [`open`], of a file that is open or in memory already.
///
/// # Errors
/// As [`open`].
pub fn read(data: Data, limit: u64) -> Result<Checkpoint, Error> {
    let file = Rc::new(data);
    let length = file.length()?;
    let mut start = Vec::new();
    Section::new(&file, 0, length.min(START)).read_to_end(&mut start)?;
    let container = container(&start).ok_or_else(|| {
        Error::Damaged("it opens like no checkpoint: no ZIP, TAR, legacy or pickle header".into())
    })?;
    let mut pickles = Pickles::new(limit);
    let (root, places) = match container {
        Container::Zip => zip::load(&file, length, &mut pickles)?,
        Container::Legacy => legacy::load(&file, length, &mut pickles)?,
        Container::Tar => tar::load(&file, length, &mut pickles)?,
        Container::Pickle => {
            let mut input = input::Input::new(Section::new(&file, 0, length));
            let root = machine::load(&mut input, &mut pickles, &mut ids::Ids::None)?;
            (root, Places::new())
        }
    };
    finish(container, &file, length, root, &places, pickles)
}

/// How much of a file tells what it is.
const START: u64 = 512;

fn container(start: &[u8]) -> Option<Container> {
    if start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06") {
        return Some(Container::Zip);
    }
    if tar::looks_like(start) {
        return Some(Container::Tar);
    }
    if legacy::looks_like(start) {
        return Some(Container::Legacy);
    }
    matches!(
        start.first(),
        Some(0x80 | b'(' | b'}' | b']' | b'c' | b'd' | b'l')
    )
    .then_some(Container::Pickle)
}

fn finish(
    container: Container,
    file: &Rc<Data>,
    length: u64,
    root: Id,
    places: &Places,
    mut pickles: Pickles,
) -> Result<Checkpoint, Error> {
    let tree = tree::walk(&mut pickles, root)?;
    let source = Rc::new(Source::new(Rc::clone(file), length));
    let mut tensors = BTreeMap::new();
    for (name, view) in tree.tensors {
        let tensor = Tensor::new(view, places, &source).map_err(|error| error.about(&name))?;
        tensors.insert(name, tensor);
    }
    let (foreign, unused) = pickles.globals.foreign(tree.named);
    Ok(Checkpoint {
        container,
        tensors,
        foreign,
        unused,
    })
}
