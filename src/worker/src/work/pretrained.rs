//! `pretrained`: reads a checkpoint of others, strictly, and hands it on by the official names.
//! Unaware of how it was trained. Nothing of a pickle is ever run (`nn::checkpoint`).

use std::path::Path;

use artifacts::ModelCard;
use spec::Job;
use spec::backbones::{Architecture, Cat};
use spec::kinds::Pretrained;

use super::facts::FactMap;
use super::model::{self, Model};
use super::outside::Reader;
use super::{Reporter, WorkError};
use crate::nn::checkpoint::{Shapes, Wanted, cat_split};
use crate::nn::{cat, checkpoint};

/// The split sizes of CAT show in no weight, but in the masks that the official code stores beside them, whatever the
/// size of the images was that it was built for. Of files without stored masks nothing is known, and nothing is said.
fn check_splits(file: &Path, shapes: &Shapes, cat: &Cat) -> Result<(), WorkError> {
    let wanted = cat.split();
    let stored = |group: usize| cat_split(shapes, group).map(|(split, _)| split);
    let found: Vec<Option<i64>> = (0..wanted.len()).map(stored).collect();
    let same =
        |(found, wanted): (&Option<i64>, &u32)| found.is_none_or(|n| n == i64::from(*wanted));
    if found.iter().zip(&wanted).all(same) {
        return Ok(());
    }
    let shown: Vec<i64> = found.iter().flatten().copied().collect();
    let message = format!(
        "`{}` holds windows of the split sizes {shown:?}, and the backbone has {wanted:?}",
        ::files::Name(file),
    );
    let hint = match checkpoint::recognise(shapes) {
        Some(it) if found.iter().all(Option::is_some) => {
            format!("this looks like {}", it.text())
        }
        _ => "give the `split` that it was trained with".to_owned(),
    };
    Err(WorkError::new(message, hint))
}

/// Writes `weights.safetensors` and `model.json`.
///
/// Where in the file the network stands, if not simply by its names, is said and noted in the record.
pub(super) fn run(
    config: &Pretrained,
    job: &Job,
    reporter: &Reporter,
) -> Result<FactMap, WorkError> {
    let is_cat = matches!(config.backbone, Architecture::Cat(_));
    let model = Model::new(&config.backbone, None, tch::Device::Cpu);
    let size = 4 * model.parameters();
    let data = Reader::new(&job.outside).open(&config.file, size)?;
    let weights = checkpoint::read(data, &config.file)?;
    let shapes = weights.shapes();
    let (weights, place) = weights.network(&Wanted {
        shapes: checkpoint::shapes(&model.backbone),
        rename: &str::to_owned,
        ignored: &|name| is_cat && cat::is_buffer(name),
        entry: config.entry.as_deref(),
    })?;
    weights.fill(&model.backbone)?;
    if let Architecture::Cat(cat) = &config.backbone {
        let own = |(name, shape): (&String, &Vec<i64>)| {
            Some((name.strip_prefix(&place.prefix)?.to_owned(), shape.clone()))
        };
        check_splits(&config.file, &shapes.iter().filter_map(own).collect(), cat)?;
    }
    let mut facts = FactMap::new();
    for (fact, note) in [("weights", place.note()), ("pickle", weights.note())] {
        if let Some(note) = note {
            let note = format!("`{}`: {note}", ::files::Name(&config.file));
            facts.insert(fact.into(), note.clone().into());
            reporter.note(note);
        }
    }
    let card = ModelCard {
        architecture: config.backbone.clone(),
        spt: None,
        scheme: "pretrained".into(),
        iterations: None,
        iterations_run: None,
        trainable: None,
        parameters: model.parameters(),
        validation_psnr: None,
    };
    model::save(&job.out, &model.snapshot(), &card)?;
    Ok(facts)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A small CAT as the official code saves it, built for images of this side.
    fn stored(splits: [i64; 2], side: i64) -> Shapes {
        let config = cat::Config {
            embed_dim: 32,
            depth: vec![2; 2],
            split_size_0: splits.to_vec(),
            num_heads: vec![2; 2],
            mlp_ratio: 1.0,
            upsampler: crate::nn::transformer::Upsampler::PixelShuffle,
            ..cat::Config::default()
        };
        let store = tch::nn::VarStore::new(tch::Device::Cpu);
        let _net = cat::Cat::new(&store.root(), &config);
        let mut shapes = checkpoint::shapes(&store);
        for (i, split) in splits.into_iter().enumerate() {
            for direction in 0..2 {
                let name = format!("layers.{i}.blocks.1.attn_mask_{direction}");
                let tokens = side * split;
                shapes.insert(name, vec![side / split, tokens, tokens]);
            }
        }
        shapes
    }

    #[test]
    fn a_cat_with_other_windows_is_named_whatever_its_images_were() {
        let size = |split| Cat {
            scale: 2,
            width: 32,
            depths: vec![2; 2],
            heads: 2,
            split,
            mlp_ratio: 1.0,
        };
        let file = Path::new("cat.pth");
        for side in [64, 48, 128, 16] {
            let check = |splits, wanted| check_splits(file, &stored(splits, side), &size(wanted));
            assert_eq!(check([2, 4], None), Ok(()), "{side}");
            assert_eq!(check([4, 4], Some(vec![4, 4])), Ok(()), "{side}");
            let report = check([4, 4], None).unwrap_err().report();
            assert_eq!(
                report.what.message,
                "`cat.pth` holds windows of the split sizes [4, 4], and the backbone has [2, 4]"
            );
            assert_eq!(
                report.what.hint,
                "this looks like CAT-A ×2: `backbone: {cat: {scale: 2, width: 32, depths: [2, 2], heads: 2, \
                 mlp_ratio: 1.0, split: [4, 4]}}` has its names and shapes"
            );
        }
    }

    #[test]
    fn a_cat_with_regular_blocks_is_called_one() {
        let mut shapes = stored([4, 4], 64);
        let index = "layers.0.blocks.0.attns.0.relative_position_index";
        shapes.insert(index.into(), vec![256, 256]);
        let it = checkpoint::recognise(&shapes).unwrap();
        assert_eq!(it.title, "CAT-R ×2");
        assert_eq!(it.fits, None);
    }
}
