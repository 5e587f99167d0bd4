use artifacts::SptCard;
use pixels::{MaskStack, Rgb8, Rle};
use spec::backbones::{Architecture, Dncnn, Imdn};
use spec::names::{Share, Variant};
use tch::{Device, Kind, Tensor};

use super::cut::cut;
use super::{Failure, Reporter, Run, picture};
use crate::nn::blend::{Cut, Piece, blended};
use crate::nn::{params, spt};
use crate::work::model::Model;

const CARD: SptCard = SptCard {
    masks: 4,
    units: 6,
    alpha: 1.0,
    variant: Variant::Spt,
    share: Share::None,
};

/// What a whole image may take, bytes.
const BUDGET: u64 = 1 << 30;

/// Weights as they are drawn let a signal fade from layer to layer; through these it goes as through trained ones.
fn amplify(store: &tch::nn::VarStore, by: f64) {
    for (name, weight) in params::named(store) {
        if name.ends_with("weight") {
            params::overwrite(&weight, &(tch::no_grad(|| &weight * by)));
        }
    }
}

/// A network with drawn weights.
fn model(architecture: &Architecture, card: Option<&SptCard>, gain: f64) -> Model {
    let model = Model::new(architecture, card, Device::Cpu);
    params::draw(&model.backbone, 3);
    amplify(&model.backbone, gain);
    if let Some(units) = &model.units {
        spt::initialise(units, spec::names::Init::Default, 4);
        amplify(units, 1.3);
    }
    model
}

fn imdn() -> Architecture {
    Architecture::Imdn(Imdn {
        scale: 2,
        width: 16,
        blocks: 6,
    })
}

/// Texture at the left, one colour at the right: what a tile sees differs from what others see.
fn image(width: usize, height: usize) -> Rgb8 {
    let sample = |i: usize| {
        let (x, y, c) = (i / 3 % width, i / 3 / width, i % 3);
        let texture = if x < width * 4 / 9 {
            (x * 7 + y * 13) % 5 * 18
        } else {
            0
        };
        (100 + c * 10 + texture) as u8
    };
    Rgb8::new(width, height, (0..width * height * 3).map(sample).collect()).unwrap()
}

fn masks(width: usize, height: usize) -> MaskStack {
    let stripe = |n: usize| {
        let bit = |i: usize| u8::from(i % width / 9 % 4 == n);
        let bits: Vec<u8> = (0..width * height).map(bit).collect();
        Rle::from_bitmap(&bits, width, height).unwrap()
    };
    MaskStack::new(width, height, 4, (0..4).map(stripe).collect()).unwrap()
}

/// The restored image before it is rounded, (3, sH, sW).
fn floats(model: &Model, image: &Rgb8, masks: Option<&MaskStack>, cut: &Cut) -> Tensor {
    let _guard = tch::no_grad_guard();
    let length = |at: &std::ops::Range<i64>| (at.end - at.start) as usize;
    let mut net = |row: &Piece, column: &Piece| {
        let (x, y) = (column.input.start as usize, row.input.start as usize);
        let (w, h) = (length(&column.input), length(&row.input));
        let part = image.crop(x, y, w, h).unwrap();
        let masks = masks.and_then(|m| model.mask_part(m, [x, y, w, h]).unwrap());
        model.piece(&model.tensor(&part), masks.as_ref())
    };
    let mut rows = Vec::new();
    let size = (image.height as i64, image.width as i64);
    let mut take = |finished: &Tensor| {
        rows.push(finished.copy());
        Ok(())
    };
    blended(size, cut, model.scale(), &mut net, &mut take).unwrap();
    Tensor::cat(&rows, 1)
}

fn largest(difference: &Tensor) -> f64 {
    difference.abs().max().double_value(&[])
}

/// The cuts that a side asks for, and the whole.
fn cuts(model: &Model, image: &Rgb8, side: u32) -> [Cut; 2] {
    let size = (image.height as i64, image.width as i64);
    [spec::Tiles::Side(side), spec::Tiles::Whole].map(|t| cut(model, size, t, BUDGET))
}

#[test]
fn tiles_of_a_local_network_differ_by_no_more_than_rounding() {
    let dncnn = Architecture::Dncnn(Dncnn {
        width: 16,
        depth: 20,
    });
    let (image, stack) = (image(250, 170), masks(250, 170));
    for card in [None, Some(&CARD)] {
        let model = model(&dncnn, card, 2.8);
        assert_eq!(model.reach(), Some(if card.is_some() { 44 } else { 20 }));
        let [tiles, whole] = cuts(&model, &image, 64);
        assert!(tiles.pieces(250).len() == 4 && whole.pieces(250).len() == 1);
        let stack = card.map(|_| &stack);
        let of = |cut: &Cut| floats(&model, &image, stack, cut);
        let off = largest(&(of(&tiles) - of(&whole)));
        assert!(off <= 1e-4, "{off}");
        // With less around them than the network sees, they differ.
        let short = Cut {
            context: 0,
            fade: 1,
            ..tiles
        };
        assert!(largest(&(of(&short) - of(&whole))) > 1e-4);
    }
}

/// The step from each column of an image (3, H, W) to the one two behind it, where the same weights of the last layer
/// computed it: what it is on average over the rows, so that a line from top to bottom stands out.
fn steps(y: &Tensor) -> Vec<f64> {
    let width = y.size()[2];
    let (left, right) = (y.narrow(2, 0, width - 2), y.narrow(2, 2, width - 2));
    let steps = (right - left).mean_dim([1_i64].as_slice(), false, Kind::Float);
    let steps = Vec::<f32>::try_from(steps.abs().amax([0_i64].as_slice(), false)).unwrap();
    steps.into_iter().map(f64::from).collect()
}

/// The step across a cut: the largest there.
fn seam(y: &Tensor, cut: usize) -> f64 {
    let steps = steps(y);
    steps[cut - 40..cut + 40]
        .iter()
        .copied()
        .fold(0.0, f64::max)
}

#[test]
fn there_is_no_seam_where_the_network_looks_at_the_whole_image() {
    let image = image(288, 96);
    let model = model(&imdn(), None, 2.4);
    for (name, weight) in params::named(&model.backbone) {
        if name.contains("conv_du") && name.ends_with("weight") {
            let strong = tch::no_grad(|| &weight * 6.0); // attention that makes a difference
            params::overwrite(&weight, &strong);
        }
    }
    assert_eq!(model.reach(), None);
    let [tiles, whole] = cuts(&model, &image, 96);
    let of = |cut: &Cut| floats(&model, &image, None, cut);
    let (full, faded, hard) = (of(&whole), of(&tiles), of(&Cut { fade: 0, ..tiles }));
    assert!(largest(&(&faded - &full)) > 1e-3, "attention differs");
    let [full, faded, hard] = [full, faded, hard].map(|y| seam(&y, 384)); // where the image is plain
    assert!(full < 1e-5, "{full}");
    assert!(hard > 1e-3, "pieces side by side show: {hard}");
    assert!(faded < hard / 25.0, "{faded}, and {hard} side by side");
}

#[test]
fn a_picture_that_fits_is_whole_and_rounded_as_an_evaluation_rounds() {
    let model = model(&imdn(), None, 2.4);
    let image = image(60, 40);
    let cut = cut(&model, (40, 60), spec::Tiles::Auto, BUDGET);
    assert_eq!(cut.side, None);
    let mut steps = 0;
    let mut step = || {
        steps += 1;
        Ok(())
    };
    let picture = picture::restored(&model, false, &image, None, &cut, &mut step).unwrap();
    let lq = crate::work::LqImage {
        chw: image.to_chw_f32(),
        width: 60,
        height: 40,
    };
    let evaluated = model.restore(&lq, None, spec::kinds::Tiling::None).unwrap();
    assert!(picture.image == evaluated && picture.tiles == 1 && steps == 1);
    let huge = super::cut::cut(&model, (40_000, 60_000), spec::Tiles::Auto, BUDGET);
    assert!(huge.side.is_some_and(|side| (64..=4096).contains(&side)));
}

/// Photographs to restore by a network that is there already.
fn work(photos: Vec<spec::Restored>, unread: &std::path::Path) -> spec::Restoration {
    spec::Restoration {
        format: spec::RESTORATION_FORMAT,
        model: spec::Weights::Stage(unread.to_owned()),
        baseline: Some(spec::Baseline::WithoutUnits),
        photos,
        tiles: spec::Tiles::Auto,
        form: spec::Form::Png,
        precision: spec::names::Precision::Fp32,
        device: spec::Device::Cpu,
        threads: 1,
    }
}

#[test]
fn what_a_gpu_has_no_memory_for_is_tried_in_tiles_and_a_panic_costs_one_photograph() {
    let reporter = Reporter::new(std::sync::Arc::default(), 0);
    let fails_whole = |message: &'static str| {
        move |run: &mut Run| {
            assert!(run.budget == 0, "{message}");
            Ok(())
        }
    };
    let message = |result| match result {
        Err(Failure::Photo(error)) => error.report().what.message,
        _ => String::new(),
    };
    let whole = work(Vec::new(), "unread".as_ref());
    let start = |work| Run::new(work, &reporter, model(&imdn(), None, 2.4), None, || None);
    let mut run = start(&whole);
    let said = message(run.tried("a", fails_whole("a shape is wrong")));
    assert_eq!(said, "libtorch error: a shape is wrong");
    assert!(run.budget > 0);
    run.tried(
        "b",
        fails_whole("CUDA out of memory. Tried to allocate 9 GiB"),
    )
    .unwrap_or_else(|_| panic!("tiles fit"));
    assert_eq!(run.budget, 0, "all behind it are cut, too");
    let again = message(run.tried("c", |_| panic!("CUBLAS_STATUS_ALLOC_FAILED")));
    assert!(again.starts_with("memory ran out: "), "{again}");
    // Who asks for no tiles gets none.
    let asked = spec::Restoration {
        tiles: spec::Tiles::Whole,
        ..whole.clone()
    };
    let said = message(start(&asked).tried("a", fails_whole("CUDA out of memory.")));
    assert_eq!(said, "memory ran out: CUDA out of memory.");
}

/// Memory that a photograph leaves stays with the process, and the kernel counts less as free.
#[test]
fn what_is_free_is_asked_once_so_that_photographs_of_one_size_are_cut_alike() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let long = Rgb8::new(4200, 8, vec![90; 3 * 4200 * 8]).unwrap(); // longer than any tile
    pixels::write_png(&at("long.png"), &long).unwrap();
    let photo = |name: &str| spec::Restored {
        name: name.into(),
        from: at("long.png"),
        to: at(name),
        masks: None,
        compare: Some(spec::Compare {
            restored: at("restored.png"),
            baseline: Some(at("baseline.png")),
        }),
    };
    let work = work(vec![photo("a.png"), photo("b.png")], &at("unread"));
    let reporter = Reporter::new(std::sync::Arc::default(), 0);
    let mut free = [Some(64 << 30)].into_iter();
    let free = || free.next().unwrap_or(Some(0));
    let mut run = Run::new(&work, &reporter, model(&imdn(), None, 2.4), None, free);
    run.count_steps();
    for photo in &work.photos {
        run.restore(photo)
            .unwrap_or_else(|_| panic!("{}", photo.name));
    }
    assert_eq!(run.tiled, [1, 1]);
    assert_eq!((run.steps.done, run.steps.all), (4, 4));
}
