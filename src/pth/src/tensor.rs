//! Tensors as views of storages: where their numbers lie, and reading them.
//! Unaware of pickles and of which container a storage is in.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::rc::Rc;

use files::Data;
use flate2::Crc;
use flate2::read::DeflateDecoder;

use crate::Error;
use crate::dtype::Dtype;
use crate::section::Section;

/// A storage that a pickle refers to, before a tensor is made of it.
#[derive(Clone, Debug)]
pub(crate) struct StorageRef {
    /// Its key in the container.
    pub key: Rc<str>,
    /// The type of its numbers; a storage without one holds bytes.
    pub dtype: Option<Dtype>,
    /// Bytes, from the storage's begin, that a tensor may reach.
    pub reach: u64,
    /// Numbers before those that this is a view of.
    pub offset: u64,
}

/// The storages that a pickle names: bytes, and bytes of a number.
#[derive(Debug, Default)]
pub(crate) struct Storages {
    pub declared: BTreeMap<Rc<str>, (u64, u64)>,
}

impl Storages {
    pub fn declare(&mut self, key: &str, bytes: u64, width: u64) -> Result<Rc<str>, Error> {
        if let Some((own, before)) = self.declared.get_key_value(key) {
            if *before != (bytes, width) {
                let reason = format!("storage `{}` is named with two sizes", key.escape_debug());
                return Err(Error::Damaged(reason));
            }
            return Ok(Rc::clone(own));
        }
        let own: Rc<str> = key.into();
        self.declared.insert(Rc::clone(&own), (bytes, width));
        Ok(own)
    }
}

/// Where each storage's bytes are.
pub(crate) type Places = BTreeMap<Rc<str>, Place>;

/// Where the bytes of a storage are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// Where in the file they begin.
    pub at: u64,
    /// How many there are.
    pub length: u64,
    /// How many there are in the file, where they are compressed.
    pub packed: Option<u64>,
    /// Their checksum, if one was written.
    pub crc: Option<u32>,
}

/// A tensor as its pickle has it.
#[derive(Clone, Debug)]
pub(crate) struct View {
    key: Rc<str>,
    dtype: Dtype,
    shape: Vec<u64>,
    strides: Vec<u64>,
    /// Numbers of the storage before the first.
    offset: u64,
    /// Numbers of the storage up to the last, itself counted.
    extent: u64,
    /// Bytes of the numbers themselves.
    bytes: u64,
}

impl View {
    pub fn new(
        storage: &StorageRef,
        dtype: Dtype,
        offset: u64,
        shape: Vec<u64>,
        strides: Vec<u64>,
    ) -> Result<Self, Error> {
        let place = || {
            let offset = offset.checked_add(storage.offset)?;
            let count = shape
                .iter()
                .try_fold(1_u64, |n, side| n.checked_mul(*side))?;
            let bytes = count.checked_mul(dtype.width())?;
            let last = shape
                .iter()
                .zip(&strides)
                .try_fold(offset, |at, (side, stride)| {
                    at.checked_add(side.saturating_sub(1).checked_mul(*stride)?)
                })?;
            let extent = if count == 0 {
                offset
            } else {
                last.checked_add(1)?
            };
            Some((offset, extent, bytes)).filter(|_| shape.len() == strides.len())
        };
        let Some((offset, extent, bytes)) = place() else {
            return Err(Error::Damaged(
                "a tensor's shape and strides do not fit".into(),
            ));
        };
        if extent > storage.reach / dtype.width() {
            let reason = format!("a tensor of shape {shape:?} reaches beyond its storage");
            return Err(Error::Damaged(reason));
        }
        Ok(Self {
            key: Rc::clone(&storage.key),
            dtype,
            shape,
            strides,
            offset,
            extent,
            bytes,
        })
    }

    /// Whether its numbers lie in the order of its shape, without gaps.
    fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        self.shape
            .iter()
            .zip(&self.strides)
            .rev()
            .all(|(side, stride)| {
                let fits = *side == 1 || *stride == expected;
                expected *= side;
                fits
            })
    }

    /// The numbers in the order of the shape, of a window that begins at the first.
    fn gathered(&self, window: &[u8]) -> Vec<u8> {
        let width = self.dtype.width() as usize;
        let mut out = Vec::with_capacity(self.bytes as usize);
        let mut index = vec![0_u64; self.shape.len()];
        for _ in 0..self.bytes / self.dtype.width() {
            let at: u64 = index
                .iter()
                .zip(&self.strides)
                .map(|(i, stride)| i * stride)
                .sum();
            let at = at as usize * width;
            out.extend_from_slice(&window[at..at + width]);
            for (i, side) in index.iter_mut().zip(&self.shape).rev() {
                *i += 1;
                if *i < *side {
                    break;
                }
                *i = 0;
            }
        }
        out
    }
}

/// The file that all tensors of a checkpoint are read from.
#[derive(Debug)]
pub(crate) struct Source {
    file: Rc<Data>,
    /// Bytes of compressed storages that may still be unpacked: each tensor unpacks its storage from the begin.
    unpacked: Cell<u64>,
}

/// Bytes that are unpacked for each byte of the file, and for a file however small.
const UNPACKED: (u64, u64) = (64, 1 << 30);

impl Source {
    pub fn new(file: Rc<Data>, length: u64) -> Self {
        let most = length.saturating_mul(UNPACKED.0).saturating_add(UNPACKED.1);
        Self {
            file,
            unpacked: Cell::new(most),
        }
    }

    /// `length` bytes of a storage, from `begin`.
    fn read(&self, place: &Place, begin: u64, length: u64) -> io::Result<Vec<u8>> {
        let is_whole = begin == 0 && length == place.length;
        let bytes = match place.packed {
            None => {
                let mut bytes = vec![0; length as usize];
                self.file.read_exact_at(&mut bytes, place.at + begin)?;
                bytes
            }
            Some(packed) => self.unpack(place, packed, begin, length)?,
        };
        if is_whole && place.crc.is_some_and(|crc| crc != checksum(&bytes)) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "its checksum does not fit",
            ));
        }
        Ok(bytes)
    }

    fn unpack(&self, place: &Place, packed: u64, begin: u64, length: u64) -> io::Result<Vec<u8>> {
        let invalid = |text: &str| io::Error::new(io::ErrorKind::InvalidData, text.to_owned());
        let left = self.unpacked.get().checked_sub(begin + length);
        let left = left.ok_or_else(|| {
            invalid("its storages are compressed and share too many tensors; save it again with `torch.save`")
        })?;
        self.unpacked.set(left);
        let mut reader = DeflateDecoder::new(Section::new(&self.file, place.at, place.at + packed));
        io::copy(&mut Read::by_ref(&mut reader).take(begin), &mut io::sink())?;
        let mut bytes = Vec::new();
        reader.take(length).read_to_end(&mut bytes)?;
        if bytes.len() as u64 == length {
            Ok(bytes)
        } else {
            Err(invalid("a compressed storage ends too early"))
        }
    }
}

/// The checksum of ZIP archives.
pub(crate) fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// A tensor of a file: its type and shape are known, its numbers are read when somebody asks.
#[derive(Clone, Debug)]
pub struct Tensor {
    view: View,
    place: Place,
    source: Rc<Source>,
}

impl Tensor {
    pub(crate) fn new(view: View, places: &Places, source: &Rc<Source>) -> Result<Self, Error> {
        let place = places.get(&view.key).copied().ok_or_else(|| {
            Error::Damaged(format!(
                "its storage `{}` is not in the file",
                view.key.escape_debug()
            ))
        })?;
        if view.extent.saturating_mul(view.dtype.width()) > place.length {
            let reason = format!(
                "its storage `{}` has {} bytes, which are too few for shape {:?}",
                view.key.escape_debug(),
                place.length,
                view.shape
            );
            return Err(Error::Damaged(reason));
        }
        Ok(Self {
            view,
            place,
            source: Rc::clone(source),
        })
    }

    /// The type of its numbers.
    pub fn dtype(&self) -> Dtype {
        self.view.dtype
    }

    /// Its shape, outermost first.
    pub fn shape(&self) -> &[u64] {
        &self.view.shape
    }

    /// Bytes of its numbers.
    pub fn bytes(&self) -> u64 {
        self.view.bytes
    }

    /// Its numbers in the order of its shape, little-endian.
    ///
    /// # Errors
    /// Where the file is damaged or cannot be read.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        let view = &self.view;
        if view.bytes == 0 {
            return Ok(Vec::new());
        }
        let width = view.dtype.width();
        let window = (view.extent - view.offset) * width;
        let mut bytes = self.source.read(&self.place, view.offset * width, window)?;
        if !view.is_contiguous() {
            bytes = view.gathered(&bytes);
        }
        if view.dtype == Dtype::Bool {
            for byte in &mut bytes {
                *byte = u8::from(*byte != 0);
            }
        }
        Ok(bytes)
    }
}
