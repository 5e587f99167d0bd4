//! Windows of images and masks: from what is kept decoded in the cache, or from images held in memory.
//! Unaware of which windows a training wants, and of tensors.
//!
//! ```text
//!   more than so many bytes, and they may be kept? ─┬─ yes ─> `decoded`: the tiles and bands that a window touches
//!                                                   └─ no ──> decoded on first use, held up to a bound, else each time
//! ```

use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

use artifacts::PairEntry;
use pixels::{MaskStack, Rgb8, Span, Window, prefetch_tiles, read_bands, read_tiles};
use spec::KeepDecoded;
use spec::kinds::Degrade;

use super::decoded::{self, Content, Input, Kept, Read, Source};
use crate::work::masks::Masks;
use crate::work::pairs::Pairs;
use crate::work::{Reporter, WorkError};

/// Images held decoded at most where nothing is kept; those beyond are read again each time.
const HOLD_BYTES: u64 = 768 << 20;

/// Which image of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Hr,
    Lq,
}

/// Images of pairs and their masks, by windows.
pub(super) struct Windows {
    /// The pairs.
    pub pairs: Pairs,
    images: Images,
    masks: Option<Stacks>,
    notes: Mutex<Vec<String>>,
}

enum Images {
    Kept(Kept),
    Held(Vec<Option<OnceLock<Pair>>>),
}

enum Stacks {
    Kept(Kept),
    Held(Vec<MaskStack>),
}

struct Pair {
    hr: Rgb8,
    /// Absent with noise, where the LQ patch is the HR patch and noise.
    lq: Option<Rgb8>,
}

/// Room for the tiles and bands of a window, used again and again.
#[derive(Debug, Default)]
pub(super) struct Scratch(Vec<u8>);

impl Windows {
    /// Opens pairs and, where `slots` are wanted, their masks.
    pub fn open(
        images: &Path,
        masks: Option<(&Path, usize)>,
        keep: Option<&KeepDecoded>,
        reporter: &Reporter,
    ) -> Result<Self, WorkError> {
        let pairs = Pairs::open(images)?;
        let bytes = pairs.list.decoded_bytes();
        let keep = keep.filter(|keep| bytes > keep.above);
        let held = |pairs: &Pairs| Images::Held(places(pairs));
        let kept = keep.map(|keep| decoded::keep(keep, &input_of(&pairs, images, bytes), reporter));
        let images = match kept.transpose()? {
            None => held(&pairs),
            Some(Ok(kept)) => Images::Kept(kept),
            Some(Err(why)) => {
                reporter.note(format!(
                    "images are not kept decoded, so most patches will decode an image: {why}"
                ));
                held(&pairs)
            }
        };
        let keep = keep.filter(|_| matches!(images, Images::Kept(_)));
        let masks = match masks {
            Some((folder, slots)) => Some(Stacks::open(folder, &pairs, slots, keep, reporter)?),
            None => None,
        };
        Ok(Self {
            pairs,
            images,
            masks,
            notes: Mutex::default(),
        })
    }

    /// Whether there are masks.
    pub const fn has_masks(&self) -> bool {
        self.masks.is_some()
    }

    /// What was noticed since it was last asked.
    pub fn notes(&self) -> Vec<String> {
        std::mem::take(&mut *self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn tell(&self, note: String) {
        self.notes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(note);
    }

    /// Has a window ready soon, where it is not in memory.
    pub fn prefetch(&self, pair: usize, which: Which, window: Window) {
        if let Images::Kept(kept) = &self.images {
            prefetch_tiles(&kept.blocks, self.item(pair, which), window);
        }
    }

    /// Reads a window of an image into `out`: height × width × 3.
    pub fn read(
        &self,
        pair: usize,
        which: Which,
        window: Window,
        scratch: &mut Scratch,
        out: &mut [u8],
    ) -> Result<(), WorkError> {
        match &self.images {
            Images::Kept(kept) => {
                let item = self.item(pair, which);
                let tell = |note| self.tell(note);
                // Both want it, never at once.
                let out = std::cell::RefCell::new(out);
                kept.read(
                    item,
                    &tell,
                    |blocks| {
                        read_tiles(blocks, item, window, &mut scratch.0, &mut out.borrow_mut())
                    },
                    |decoded| match decoded {
                        Read::Picture(image) => crop(image, window, &mut out.borrow_mut()),
                        Read::Masks(_) => Ok(()),
                    },
                )
            }
            Images::Held(places) => match &places[pair] {
                Some(place) => {
                    if place.get().is_none() {
                        // Another thread may have filled it meanwhile, with the same image.
                        let _ = place.set(self.decode(pair)?);
                    }
                    let held = place.get();
                    let held =
                        held.ok_or_else(|| WorkError::new("an image was lost in memory", ""))?;
                    crop(held.image(which), window, out)
                }
                None => crop(&self.one(pair, which)?, window, out),
            },
        }
    }

    /// Hands over the spans of all masks of a pair in a window, counted from the window's edges.
    pub fn spans(
        &self,
        pair: usize,
        window: Window,
        scratch: &mut Scratch,
        hand: &mut dyn FnMut(Span),
    ) -> Result<(), WorkError> {
        match &self.masks {
            None => Ok(()),
            Some(Stacks::Held(stacks)) => {
                hand_all(&stacks[pair], window, hand);
                Ok(())
            }
            Some(Stacks::Kept(kept)) => {
                let tell = |note| self.tell(note);
                let hand = std::cell::RefCell::new(hand);
                kept.read(
                    pair,
                    &tell,
                    |blocks| {
                        read_bands(blocks, pair, window, &mut scratch.0, |span| {
                            hand.borrow_mut()(span);
                        })
                    },
                    |decoded| {
                        if let Read::Masks(stack) = decoded {
                            hand_all(stack, window, *hand.borrow_mut());
                        }
                        Ok(())
                    },
                )
            }
        }
    }

    /// Where an image lies among what is kept.
    const fn item(&self, pair: usize, which: Which) -> usize {
        match (self.pairs.list.degrade, which) {
            (Degrade::Denoise(_), _) => pair,
            (Degrade::Sr(_), Which::Hr) => 2 * pair,
            (Degrade::Sr(_), Which::Lq) => 2 * pair + 1,
        }
    }

    fn decode(&self, pair: usize) -> Result<Pair, WorkError> {
        let lq = match self.pairs.list.degrade {
            Degrade::Sr(_) => Some(self.one(pair, Which::Lq)?),
            Degrade::Denoise(_) => None,
        };
        let hr = self.one(pair, Which::Hr)?;
        Ok(Pair { hr, lq })
    }

    /// One image of a pair and not the other: a patch of one that is not held asks for each of them.
    fn one(&self, pair: usize, which: Which) -> Result<Rgb8, WorkError> {
        match (which, self.pairs.list.degrade) {
            (Which::Lq, Degrade::Sr(_)) => self.pairs.lq_8bit(pair),
            _ => self.pairs.hr(pair),
        }
    }
}

impl Pair {
    fn image(&self, which: Which) -> &Rgb8 {
        match (which, &self.lq) {
            (Which::Lq, Some(lq)) => lq,
            _ => &self.hr,
        }
    }
}

impl Stacks {
    fn open(
        folder: &Path,
        pairs: &Pairs,
        slots: usize,
        keep: Option<&KeepDecoded>,
        reporter: &Reporter,
    ) -> Result<Self, WorkError> {
        let masks = Masks::open(folder, pairs)?;
        if masks.list.count != slots {
            let message = format!(
                "the network takes {slots} masks an image, and `{}` holds {}",
                ::files::Name(folder),
                masks.list.count
            );
            return Err(WorkError::new(
                message,
                "tune with the masks that it was made for",
            ));
        }
        let kept =
            keep.map(|keep| decoded::keep(keep, &input_of_masks(&masks, pairs, folder), reporter));
        match kept.transpose()? {
            Some(Ok(kept)) => return Ok(Self::Kept(kept)),
            Some(Err(why)) => reporter.note(format!("masks are held in memory: {why}")),
            None => {}
        }
        let stacks = (0..pairs.list.pairs.len()).map(|at| masks.stack(at));
        Ok(Self::Held(stacks.collect::<Result<_, _>>()?))
    }
}

fn hand_all(stack: &MaskStack, window: Window, hand: &mut dyn FnMut(Span)) {
    for span in stack.spans_in(window) {
        hand(span);
    }
}

fn crop(image: &Rgb8, window: Window, out: &mut [u8]) -> Result<(), WorkError> {
    let Window {
        x,
        y,
        width,
        height,
    } = window;
    out.copy_from_slice(&image.crop(x, y, width, height)?.data);
    Ok(())
}

/// The images of all pairs: HR, and LQ where there are files of them.
fn input_of<'a>(pairs: &Pairs, folder: &'a Path, bytes: u64) -> Input<'a> {
    let scale = pairs.list.degrade.scale() as usize;
    let source = |name: &str, size| Source {
        name: name.to_owned(),
        content: Content::Picture,
        size,
    };
    let of = |pair: &PairEntry| {
        let hr = source(&pair.hr, (pair.width * scale, pair.height * scale));
        let lq = pair
            .lq
            .as_ref()
            .map(|lq| source(lq, (pair.width, pair.height)));
        std::iter::once(hr).chain(lq)
    };
    Input {
        role: "images",
        folder,
        sources: pairs.list.pairs.iter().flat_map(of).collect(),
        bytes,
    }
}

fn input_of_masks<'a>(masks: &Masks, pairs: &Pairs, folder: &'a Path) -> Input<'a> {
    let both = masks.list.images.iter().zip(&pairs.list.pairs);
    let source = |(masks, pair): (&artifacts::MaskEntry, &PairEntry)| Source {
        name: masks.file.clone(),
        content: Content::Masks,
        size: (pair.width, pair.height),
    };
    Input {
        role: "masks",
        folder,
        sources: both.map(source).collect(),
        bytes: 0,
    }
}

/// A place in memory for each pair until the memory set aside for them is used up.
fn places(pairs: &Pairs) -> Vec<Option<OnceLock<Pair>>> {
    let mut used = 0;
    let place = |pair: &PairEntry| {
        used += pairs.list.bytes_of(pair);
        (used <= HOLD_BYTES).then(OnceLock::new)
    };
    pairs.list.pairs.iter().map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pairs of these LQ sizes, without their files.
    fn pairs(folder: &Path, degrade: &str, sizes: &[(usize, usize)]) -> Pairs {
        let entry = |(at, (width, height)): (usize, &(usize, usize))| {
            let lq = match degrade {
                "denoise" => "null".to_owned(),
                _ => format!("\"{at}-lq.png\""),
            };
            format!(
                r#"{{"name":"{at}","hr":"{at}-hr.png","lq":{lq},"width":{width},"height":{height},"digest":"1","notes":[]}}"#
            )
        };
        let entries: Vec<String> = sizes.iter().enumerate().map(entry).collect();
        let list = entries.join(",");
        let text = format!(r#"{{"degrade":{{"{degrade}":2}},"seed":0,"pairs":[{list}]}}"#);
        std::fs::write(folder.join("pairs.json"), text).unwrap();
        Pairs::open(folder).unwrap()
    }

    fn write(folder: &Path, name: &str, side: usize, value: u8) {
        let image = Rgb8::new(side, side, vec![value; 3 * side * side]).unwrap();
        pixels::write_png(&folder.join(name), &image).unwrap();
    }

    /// The first sample of an image, of which all of this side is read.
    fn sample(windows: &Windows, which: Which, side: usize) -> Result<u8, WorkError> {
        let window = Window {
            x: 0,
            y: 0,
            width: side,
            height: side,
        };
        let mut out = vec![0; 3 * side * side];
        let read = windows.read(0, which, window, &mut Scratch::default(), &mut out);
        read.map(|()| out[0])
    }

    /// To decode both for a window of one took twice the time of a batch.
    #[test]
    fn of_a_pair_that_is_not_held_only_the_image_that_is_wanted_is_decoded() {
        let folder = tempfile::tempdir().unwrap();
        let windows = Windows {
            pairs: pairs(folder.path(), "sr", &[(4, 4)]),
            images: Images::Held(vec![None]),
            masks: None,
            notes: Mutex::default(),
        };
        for (which, name, side, value) in
            [(Which::Hr, "0-hr.png", 8, 7), (Which::Lq, "0-lq.png", 4, 9)]
        {
            write(folder.path(), name, side, value);
            assert_eq!(sample(&windows, which, side), Ok(value));
            std::fs::remove_file(folder.path().join(name)).unwrap(); // the other one of the pair is not there
            assert!(sample(&windows, which, side).is_err());
        }
    }

    #[test]
    fn images_without_room_on_the_disk_are_held_in_memory() {
        let folder = tempfile::tempdir().unwrap();
        let huge = 1 << 24;
        pairs(folder.path(), "sr", &[(4, 4), (huge, huge)]);
        write(folder.path(), "0-hr.png", 8, 7);
        write(folder.path(), "0-lq.png", 4, 9);
        let keep = KeepDecoded {
            folder: folder.path().join("decoded"),
            above: 0,
            contents: [("images".into(), store::Digest::of(b"").to_string())].into(),
        };
        let stop = std::sync::Arc::default();
        let reporter = Reporter::new(stop, 0);
        let windows = Windows::open(folder.path(), None, Some(&keep), &reporter).unwrap();
        let Images::Held(places) = &windows.images else {
            panic!("there is no such disk");
        };
        let held: Vec<bool> = places.iter().map(Option::is_some).collect();
        assert_eq!(held, [true, false]);
        assert_eq!(sample(&windows, Which::Hr, 8), Ok(7));
        assert_eq!(sample(&windows, Which::Lq, 4), Ok(9));
    }

    #[test]
    fn memory_is_counted_for_the_images_that_are_held_and_for_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let side = 1 << 13;
        let quarter = (side, side); // 192 MiB
        let held = |degrade, sizes: &[_]| {
            let places = places(&pairs(folder.path(), degrade, sizes));
            places.iter().flatten().count()
        };
        assert_eq!(held("denoise", &[quarter; 5]), 4);
        let quarter = (side / 2, side / 2); // and four times that
        assert_eq!(held("sr", &[quarter; 5]), 3);
    }
}
