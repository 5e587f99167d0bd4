//! What becomes of a training whose files cannot be kept decoded, or are damaged where they lie.
//! Unaware of how the files come to be in the cache otherwise: `tests/cli/decoded.rs` runs trainings over them.

use std::cell::RefCell;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use pixels::Window;

use super::*;

const SIDE: usize = 4;

/// Pictures of one colour each, as a stage hands them on, beside an empty cache.
struct Stage {
    folder: tempfile::TempDir,
    names: Vec<&'static str>,
}

impl Stage {
    fn new(names: &[&'static str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("pairs")).unwrap();
        let stage = Self {
            folder,
            names: names.to_vec(),
        };
        for (name, value) in names.iter().zip(1..) {
            stage.put(name, value);
        }
        stage
    }

    fn pairs(&self) -> PathBuf {
        self.folder.path().join("pairs")
    }

    fn put(&self, name: &str, value: u8) {
        let image = Rgb8::new(SIDE, SIDE, vec![value; 3 * SIDE * SIDE]).unwrap();
        pixels::write_png(&self.pairs().join(name), &image).unwrap();
    }

    fn content(&self) -> Digest {
        let read = |name: &&'static str| {
            let bytes = std::fs::read(self.pairs().join(name)).unwrap();
            (*name, bytes.len() as u64, Digest::of(&bytes))
        };
        store::content_of_files(self.names.iter().map(read))
    }

    fn job(&self) -> KeepDecoded {
        KeepDecoded {
            folder: self.folder.path().join("decoded"),
            above: 0,
            contents: [("images".into(), self.content().to_string())].into(),
        }
    }

    fn left_in_cache(&self) -> usize {
        let files = walk(&self.folder.path().join("decoded"));
        files.len()
    }
}

/// The files below a folder.
fn walk(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let below = |path: PathBuf| {
        if path.is_dir() {
            walk(&path)
        } else {
            vec![path]
        }
    };
    entries.flat_map(|e| below(e.unwrap().path())).collect()
}

fn input<'a>(folder: &'a Path, names: &[&str]) -> Input<'a> {
    let source = |name: &&str| Source {
        name: (*name).to_owned(),
        content: Content::Picture,
        size: (SIDE, SIDE),
    };
    Input {
        role: "images",
        folder,
        sources: names.iter().map(source).collect(),
        bytes: 0,
    }
}

fn reporter() -> Reporter {
    Reporter::new(Arc::new(AtomicBool::new(false)), 0)
}

#[test]
fn of_files_that_changed_since_the_plan_nothing_is_kept() {
    // One that is decoded, and one that only counts.
    for changed in ["a.png", "b.png"] {
        let stage = Stage::new(&["a.png", "b.png"]);
        let (job, folder) = (stage.job(), stage.pairs());
        stage.put(changed, 9);
        let error = keep(&job, &input(&folder, &["a.png"]), &reporter()).unwrap_err();
        let said = error.to_string();
        assert!(said.contains("was changed while it was decoded"), "{said}");
        assert_eq!(stage.left_in_cache(), 0);
    }
}

#[test]
fn what_has_no_room_is_not_decoded_and_the_note_says_what_makes_room() {
    let stage = Stage::new(&["a.png"]);
    let (job, folder) = (stage.job(), stage.pairs());
    let large = Input {
        bytes: u64::MAX >> 1,
        ..input(&folder, &["gone.png"]) // to decode it would be an error
    };
    let why = keep(&job, &large, &reporter()).unwrap().unwrap_err();
    assert!(why.contains(" MiB are free, and 1024 MiB are left to others"));
    assert!(why.ends_with("`pipeline cache gc` makes room"), "{why}");
    assert_eq!(stage.left_in_cache(), 0);
}

#[test]
fn the_first_block_that_the_disk_does_not_take_ends_the_decoding() {
    let stage = Stage::new(&["a.png"]);
    let (content, folder) = (stage.content(), stage.pairs());
    let file = rustix::fs::memfd_create("blocks", rustix::fs::MemfdFlags::ALLOW_SEALING).unwrap();
    let writer = BlocksWriter::new(file.try_clone().unwrap().into(), content.as_bytes()).unwrap();
    rustix::fs::fcntl_add_seals(&file, rustix::fs::SealFlags::GROW).unwrap();
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    // The second one is not there, so to decode it would fail the training.
    let input = input(&folder, &["a.png", "gone.png"]);
    let decode = || decode_all(&writer, &content, &input, &reporter());
    let failure = one_thread.unwrap().install(decode).unwrap_err();
    assert!(matches!(failure, Failure::Disk(_)), "{failure:?}");
}

#[test]
fn a_full_disk_is_told_with_what_makes_room() {
    let told = |kind: io::ErrorKind| match Failure::from(io::Error::from(kind)) {
        Failure::Disk(why) => why,
        Failure::Work(error) => panic!("{error}"),
    };
    for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
        assert!(told(kind).ends_with("; `pipeline cache gc` makes room"));
    }
    assert!(!told(io::ErrorKind::PermissionDenied).contains("gc"));
}

#[test]
fn what_is_damaged_where_nothing_can_be_written_is_decoded_each_time_and_told_once() {
    let stage = Stage::new(&["a.png"]);
    let (job, folder) = (stage.job(), stage.pairs());
    let kept = keep(&job, &input(&folder, &["a.png"]), &reporter());
    let kept = kept.unwrap().unwrap();
    let path = DecodedRoom::new(&job.folder).path(&stage.content());
    let damaged = File::options().write(true).open(&path).unwrap();
    let at = kept.blocks.items()[0].blocks[0].offset;
    damaged.write_all_at(&[1 ^ 4], at).unwrap();
    let read_only = File::open(&path).unwrap();
    let kept = Kept {
        blocks: Blocks::open(read_only, stage.content().as_bytes()).unwrap(),
        ..kept
    };
    let notes = RefCell::new(Vec::new());
    for _ in 0..3 {
        assert_eq!(first_pixels(&kept, &notes), [1; 3 * SIDE * SIDE]);
    }
    let notes = notes.into_inner();
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].contains("cannot be made again there"));
}

/// The pixels of the first picture.
fn first_pixels(kept: &Kept, notes: &RefCell<Vec<String>>) -> Vec<u8> {
    let window = Window {
        x: 0,
        y: 0,
        width: SIDE,
        height: SIDE,
    };
    let out = RefCell::new(vec![0; 3 * SIDE * SIDE]);
    let read = |blocks: &Blocks| {
        let mut scratch = Vec::new();
        pixels::read_tiles(blocks, 0, window, &mut scratch, &mut out.borrow_mut())
    };
    let take = |decoded: &Read| match decoded {
        Read::Picture(image) => {
            out.borrow_mut().copy_from_slice(&image.data);
            Ok(())
        }
        Read::Masks(_) => panic!("it is a picture"),
    };
    let tell = |note| notes.borrow_mut().push(note);
    kept.read(0, &tell, read, take).unwrap();
    out.into_inner()
}

#[test]
fn a_quarter_of_what_is_free_is_large() {
    assert!(!is_large(2 << 30, Some(8 << 30)));
    assert!(is_large((2 << 30) + 1, Some(8 << 30)));
    assert!(!is_large(u64::MAX, None));
}
