//! The masks of one image and the small file they are kept in: outlines, column by column, deflated.
//! Unaware of how masks are made, and of the store, whose digests notice damage.

use std::io::{Read, Write};
use std::path::Path;

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

use crate::error::{PixelError, Result};
use crate::rle::{Rle, columns};

const MAGIC: &[u8; 4] = b"PXMS";
const VERSION: u8 = 1;
/// More slots than any experiment has: a damaged header must not look like a request.
const MAX_SLOTS: u64 = 1 << 16;

/// The masks of one image, for a network with `slots` (`N_c`) mask channels.
///
/// Slots beyond `masks.len()` are all zero (padding); empty masks are never stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaskStack {
    /// Pixels a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Mask channels, `N_c`.
    pub slots: usize,
    /// The masks that were kept, at most `slots`, none of them empty, each of `width`×`height`.
    pub masks: Vec<Rle>,
    /// Non-empty masks that were found, before those beyond `slots` were left out.
    pub found: usize,
}

impl MaskStack {
    /// The first `slots` of `masks` that are not empty, in their order.
    /// Errors: [`PixelError::Runs`] where a mask has another size.
    pub fn new(width: usize, height: usize, slots: usize, mut masks: Vec<Rle>) -> Result<Self> {
        if let Some(mask) = masks
            .iter()
            .find(|mask| (mask.width(), mask.height()) != (width, height))
        {
            let reason = format!("one of the masks is {}x{}", mask.width(), mask.height());
            return Err(PixelError::Runs {
                size: (width, height),
                reason,
            });
        }
        masks.retain(|mask| !mask.is_empty());
        let found = masks.len();
        masks.truncate(slots);
        Ok(Self {
            width,
            height,
            slots,
            masks,
            found,
        })
    }

    /// The same masks for `slots` channels; a stack that was already truncated does not grow.
    #[must_use]
    pub fn with_slots(mut self, slots: usize) -> Self {
        self.masks.truncate(slots);
        self.slots = slots;
        self
    }

    /// All-zero channels: slots without a mask.
    pub fn padded(&self) -> usize {
        self.slots.saturating_sub(self.masks.len())
    }

    /// Masks that were found and left out.
    pub fn truncated(&self) -> usize {
        self.found.saturating_sub(self.masks.len())
    }

    /// Decodes the window of `w`×`h` pixels at (`x`, `y`) of every slot into `out`: slots × h × w, 0 or 1.
    /// Errors: [`PixelError::Crop`], [`PixelError::Runs`] where `out` has another length.
    pub fn crop_into(&self, x: usize, y: usize, w: usize, h: usize, out: &mut [u8]) -> Result<()> {
        let plane = w.saturating_mul(h);
        if out.len() != plane.saturating_mul(self.slots) {
            let reason = format!(
                "{} slots of that window do not fill {} pixels",
                self.slots,
                out.len()
            );
            return Err(PixelError::Runs {
                size: (w, h),
                reason,
            });
        }
        if plane == 0 {
            return Ok(());
        }
        let (filled, padding) = out.split_at_mut(plane * self.masks.len());
        padding.fill(0);
        let mut planes = filled.chunks_exact_mut(plane).zip(&self.masks);
        planes.try_for_each(|(plane, mask)| mask.crop_into(x, y, w, h, plane))
    }

    /// The file's bytes; equal stacks give equal bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut body = Vec::new();
        let outlines: Vec<_> = self.masks.iter().map(outline).collect();
        for toggles in &outlines {
            put_lengths(&mut body, toggles);
        }
        for toggles in &outlines {
            put_toggles(&mut body, toggles);
        }
        let mut bytes = MAGIC.to_vec();
        bytes.push(VERSION);
        for value in [
            self.width,
            self.height,
            self.slots,
            self.found,
            self.masks.len(),
        ] {
            put(&mut bytes, value as u64);
        }
        bytes.extend(deflate(&body));
        bytes
    }

    /// Writes the file. Errors: [`PixelError::Write`].
    pub fn write(&self, path: &Path) -> Result<()> {
        std::fs::write(path, self.to_bytes()).map_err(PixelError::write(path))
    }

    /// Reads a file of [`MaskStack::write`]. Errors: [`PixelError::Read`], and those of
    /// [`MaskStack::from_bytes`].
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(PixelError::read(path))?;
        Self::from_bytes(&bytes, path)
    }

    /// The stack of a file's bytes; `path` is for messages only. Errors: [`PixelError::NotAStack`],
    /// [`PixelError::StackVersion`], [`PixelError::DamagedStack`].
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self> {
        let Some((&version, rest)) = bytes
            .strip_prefix(MAGIC)
            .and_then(|rest| rest.split_first())
        else {
            return Err(PixelError::NotAStack { path: path.into() });
        };
        if version != VERSION {
            return Err(PixelError::StackVersion {
                path: path.into(),
                found: version,
                expected: VERSION,
            });
        }
        decode(rest).map_err(|reason| PixelError::DamagedStack {
            path: path.into(),
            reason: reason.into(),
        })
    }
}

/// What is wrong with a damaged file.
type Decoded<T> = std::result::Result<T, &'static str>;

/// Everything after the version.
fn decode(mut bytes: &[u8]) -> Decoded<MaskStack> {
    let mut header = [0; 5];
    for value in &mut header {
        *value = take(&mut bytes)?;
    }
    let [width, height, slots, found, kept] = header;
    let pixels = width.checked_mul(height).ok_or("its size is absurd")?;
    if pixels > u64::from(u32::MAX) || width.max(height) > u64::from(u32::MAX) || slots > MAX_SLOTS
    {
        return Err("its size is absurd");
    }
    if kept > slots || found < kept || found > pixels.saturating_mul(u64::from(u32::MAX)) {
        return Err("its number of masks is absurd");
    }
    let body = inflate(bytes, pixels, kept)?;
    let (width, height) = (width as usize, height as usize);
    let masks = decode_masks(&body, (width, height), kept as usize)?;
    Ok(MaskStack {
        width,
        height,
        slots: slots as usize,
        masks,
        found: found as usize,
    })
}

/// All masks of an inflated body.
fn decode_masks(
    mut body: &[u8],
    (width, height): (usize, usize),
    kept: usize,
) -> Decoded<Vec<Rle>> {
    let cells = width
        .checked_mul(kept)
        .filter(|&cells| cells <= body.len())
        .ok_or("columns are missing")?;
    let mut lengths = Vec::with_capacity(cells);
    for _ in 0..kept {
        take_lengths(&mut body, width, height, &mut lengths)?;
    }
    let mut masks = Vec::new();
    for lengths in lengths.chunks_exact(width.max(1)) {
        let toggles = take_toggles(&mut body, lengths, height)?;
        masks.push(from_outline(&toggles, width, height));
    }
    let fits = body.is_empty() && masks.len() == kept && !masks.iter().any(Rle::is_empty);
    if fits {
        Ok(masks)
    } else {
        Err("its masks do not end where they should")
    }
}

/// For each column the rows where the mask changes, starting with "outside" above the first row; a change at
/// the bottom edge is left out.
type Outline = Vec<Vec<u32>>;

fn outline(mask: &Rle) -> Outline {
    let mut toggles = vec![Vec::new(); mask.width()];
    for (x, top, bottom) in mask.ones().flat_map(|ones| columns(ones, mask.height())) {
        toggles[x].push(top as u32);
        if bottom < mask.height() {
            toggles[x].push(bottom as u32);
        }
    }
    toggles
}

fn from_outline(toggles: &[Vec<u32>], width: usize, height: usize) -> Rle {
    let ones = toggles.iter().enumerate().flat_map(|(x, toggles)| {
        let at = move |row: u32| (x * height) as u64 + u64::from(row);
        toggles
            .chunks(2)
            .map(move |pair| (at(pair[0]), at(*pair.get(1).unwrap_or(&(height as u32)))))
    });
    Rle::from_intervals(width, height, ones)
}

/// How many changes each column has, as differences to the column before.
fn put_lengths(body: &mut Vec<u8>, toggles: &[Vec<u32>]) {
    let mut before = 0;
    for column in toggles {
        put(body, zigzag(column.len() as i64 - before));
        before = column.len() as i64;
    }
}

fn take_lengths(
    body: &mut &[u8],
    width: usize,
    height: usize,
    lengths: &mut Vec<u32>,
) -> Decoded<()> {
    let mut length = 0;
    for _ in 0..width {
        length = unzigzag(take(body)?)
            .checked_add(length)
            .ok_or("a column is absurd")?;
        if !(0..=height as i64).contains(&length) {
            return Err("a column has more changes than rows");
        }
        lengths.push(length as u32);
    }
    Ok(())
}

/// The changes of each column: as differences to those of the column before where there are equally many,
/// which makes smooth outlines small numbers; else as differences within the column.
fn put_toggles(body: &mut Vec<u8>, toggles: &[Vec<u32>]) {
    let mut before: &[u32] = &[];
    for column in toggles {
        let alike = before.len() == column.len();
        let mut last = 0;
        for (i, &row) in column.iter().enumerate() {
            let guess = if alike { before[i] } else { last };
            put(body, zigzag(i64::from(row) - i64::from(guess)));
            last = row;
        }
        before = column;
    }
}

fn take_toggles(body: &mut &[u8], lengths: &[u32], height: usize) -> Decoded<Outline> {
    let mut toggles: Outline = Vec::with_capacity(lengths.len());
    for &length in lengths {
        let before = toggles.last().map_or(&[][..], Vec::as_slice);
        let column = take_column(body, before, length as usize, height as i64)?;
        toggles.push(column);
    }
    Ok(toggles)
}

fn take_column(body: &mut &[u8], before: &[u32], length: usize, height: i64) -> Decoded<Vec<u32>> {
    let alike = before.len() == length;
    let mut column: Vec<u32> = Vec::with_capacity(length.min(body.len()));
    while column.len() < length {
        let last = column.last().copied();
        let guess = if alike {
            before[column.len()]
        } else {
            last.unwrap_or(0)
        };
        let row = unzigzag(take(body)?)
            .checked_add(i64::from(guess))
            .ok_or("a row is absurd")?;
        if row >= height || row < last.map_or(0, |last| i64::from(last) + 1) {
            return Err("the rows of a column are out of order");
        }
        column.push(row as u32);
    }
    Ok(column)
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// Appends a number, seven bits a byte, lowest first.
pub(crate) fn put(bytes: &mut Vec<u8>, mut value: u64) {
    while value > 127 {
        bytes.push(value as u8 | 128);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Takes a number from the front.
pub(crate) fn take(bytes: &mut &[u8]) -> Decoded<u64> {
    let mut value = 0;
    for shift in (0..56).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or("it breaks off")?;
        *bytes = rest;
        value |= u64::from(byte & 127) << shift;
        if byte < 128 {
            return Ok(value);
        }
    }
    Err("a number is absurd")
}

fn deflate(body: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    match encoder.write_all(body).and_then(|()| encoder.finish()) {
        Ok(bytes) => bytes,
        Err(_) => unreachable!("writing to memory does not fail"),
    }
}

/// The inflated body, never longer than masks of this size could need.
fn inflate(bytes: &[u8], pixels: u64, masks: u64) -> Decoded<Vec<u8>> {
    let limit = pixels
        .saturating_mul(masks)
        .saturating_mul(8)
        .saturating_add(1024);
    let mut body = Vec::new();
    let read = DeflateDecoder::new(bytes)
        .take(limit)
        .read_to_end(&mut body);
    read.map_err(|_| "its compressed part is broken or breaks off")?;
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::RandomState;

    fn disc(width: usize, height: usize, x: f64, y: f64, radius: f64) -> Rle {
        let inside = |i: usize| ((i % width) as f64 - x).hypot((i / width) as f64 - y) < radius;
        let bits: Vec<u8> = (0..width * height).map(|i| u8::from(inside(i))).collect();
        Rle::from_bitmap(&bits, width, height).unwrap()
    }

    fn stack() -> MaskStack {
        let mut state = RandomState::new(3);
        let mut random = |top: f64| state.random_sample() * top;
        let mut masks: Vec<Rle> = (0..9)
            .map(|_| disc(47, 31, random(47.0), random(31.0), 1.0 + random(20.0)))
            .collect();
        let bits: Vec<u8> = (0..47 * 31).map(|_| u8::from(random(1.0) < 0.5)).collect();
        masks.push(Rle::from_bitmap(&bits, 47, 31).unwrap());
        masks.push(Rle::new(47, 31, &[0, 47 * 31]).unwrap());
        MaskStack::new(47, 31, 64, masks).unwrap()
    }

    fn reread(bytes: &[u8]) -> Result<MaskStack> {
        MaskStack::from_bytes(bytes, Path::new("cache/masks.bin"))
    }

    #[test]
    fn files_round_trip() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.masks");
        for stack in [
            stack(),
            MaskStack::new(5, 3, 64, vec![]).unwrap(),
            MaskStack::new(0, 0, 0, vec![]).unwrap(),
        ] {
            stack.write(&path).unwrap();
            assert_eq!(MaskStack::read(&path).unwrap(), stack);
        }
        assert!(matches!(
            MaskStack::read(&folder.path().join("no")),
            Err(PixelError::Read { .. })
        ));
    }

    #[test]
    fn empty_masks_leave_and_the_rest_is_truncated() {
        let empty = Rle::new(4, 1, &[4]).unwrap();
        let masks: Vec<_> = [[1, 3], [0, 4], [2, 2]]
            .map(|counts| Rle::new(4, 1, &counts).unwrap())
            .into();
        let all = vec![empty, masks[0].clone(), masks[1].clone(), masks[2].clone()];
        let stack = MaskStack::new(4, 1, 2, all).unwrap();
        assert_eq!(stack.masks, masks[..2]);
        assert_eq!((stack.found, stack.truncated(), stack.padded()), (3, 1, 0));
        let fewer = stack.with_slots(1);
        assert_eq!(
            (fewer.masks.len(), fewer.truncated(), fewer.padded()),
            (1, 2, 0)
        );
        assert!(MaskStack::new(4, 2, 2, masks).is_err());
    }

    #[test]
    fn windows_of_all_slots_are_padded_with_zeros() {
        let stack = stack();
        let mut out = vec![7; 64 * 6 * 5];
        stack.crop_into(10, 20, 6, 5, &mut out).unwrap();
        let planes: Vec<&[u8]> = out.chunks(30).collect();
        assert_eq!(planes[10], [1; 30]);
        assert!(
            planes[11..]
                .iter()
                .all(|plane| plane.iter().all(|&v| v == 0))
        );
        assert!(stack.crop_into(10, 20, 6, 5, &mut out[1..]).is_err());
        assert!(stack.crop_into(42, 20, 6, 5, &mut out).is_err());
    }

    #[test]
    fn other_files_and_versions_are_told_apart() {
        let mut bytes = stack().to_bytes();
        assert!(matches!(
            reread(b"\x89PNG"),
            Err(PixelError::NotAStack { .. })
        ));
        assert!(matches!(reread(b"PXMS"), Err(PixelError::NotAStack { .. })));
        bytes[4] = 9;
        let error = reread(&bytes).unwrap_err();
        assert!(matches!(error, PixelError::StackVersion { found: 9, .. }));
        assert!(error.to_string().contains("cache/masks.bin"));
    }

    #[test]
    fn every_truncation_is_an_error() {
        let bytes = stack().to_bytes();
        for kept in 5..bytes.len() {
            assert!(
                matches!(reread(&bytes[..kept]), Err(PixelError::DamagedStack { .. })),
                "{kept}"
            );
        }
    }

    #[test]
    fn damage_never_panics_and_never_gives_invalid_masks() {
        let bytes = stack().to_bytes();
        let mut state = RandomState::new(8);
        for _ in 0..20_000 {
            let mut damaged = bytes.clone();
            for _ in 0..=state.next_u32() % 3 {
                let at = 5 + state.next_u32() as usize % (bytes.len() - 5);
                damaged[at] = state.next_u32() as u8;
            }
            if let Ok(stack) = reread(&damaged) {
                let valid = |mask: &Rle| {
                    mask.counts().iter().map(|&c| c as usize).sum::<usize>()
                        == stack.width * stack.height
                };
                assert!(stack.masks.iter().all(valid));
            }
        }
    }

    #[test]
    fn a_hostile_header_allocates_nothing() {
        for header in [
            [1 << 30, 1 << 30, 64, 1, 1],
            [1 << 31, 1, 1 << 16, 1 << 16, 1 << 16],
            [8, 8, 2, 5, 3],
            [8, 8, 2, 1, 2],
        ] {
            let mut bytes = b"PXMS\x01".to_vec();
            for value in header {
                put(&mut bytes, value);
            }
            bytes.extend(deflate(&[0; 100]));
            assert!(
                matches!(reread(&bytes), Err(PixelError::DamagedStack { .. })),
                "{header:?}"
            );
        }
    }
}
