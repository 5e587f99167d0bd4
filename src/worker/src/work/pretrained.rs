//! `pretrained`: reads a checkpoint of others, strictly, and hands it on by the official names.
//! Unaware of how it was trained. Nothing of a pickle is ever run (`nn::checkpoint`).

use std::path::Path;

use spec::Job;
use spec::backbones::{Architecture, Cat};
use spec::kinds::Pretrained;

use super::entry::FactMap;
use super::model::{self, Model, ModelCard};
use super::{Reporter, WorkError};
use crate::nn::checkpoint::{Wanted, Weights};
use crate::nn::{cat, checkpoint};

/// The split sizes of CAT show in no weight, but in the masks that the official code stores beside them: one a window,
/// `IMAGE` / split of them. Of files without stored masks nothing is known, and nothing is said.
fn check_splits(weights: &Weights, cat: &Cat, file: &Path) -> Result<(), WorkError> {
    let stored = |group: usize| {
        let name = format!("layers.{group}.blocks.1.attn_mask_0");
        let windows = *weights.shape(&name)?.first()?;
        (windows > 0).then(|| IMAGE / windows)
    };
    let wanted = cat.split();
    let found: Vec<Option<i64>> = (0..wanted.len()).map(stored).collect();
    let same =
        |(found, wanted): (&Option<i64>, &u32)| found.is_none_or(|n| n == i64::from(*wanted));
    if found.iter().zip(&wanted).all(same) {
        return Ok(());
    }
    let shown: Vec<String> = found.iter().flatten().map(i64::to_string).collect();
    let name = if shown.iter().all(|split| split == "4") {
        "CAT-A-2"
    } else {
        "another CAT"
    };
    let message = format!(
        "`{}` holds windows of the split sizes {}, and the backbone has {wanted:?}",
        file.display(),
        shown.join(", ")
    );
    let hint = format!("this looks like {name}: `split: [{}]`", shown.join(", "));
    Err(WorkError::new(message, hint))
}

/// Side of the images for which the official code stores masks (`img_size` of its option files).
const IMAGE: i64 = 64;

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
    let (weights, place) = checkpoint::open(&config.file)?.network(&Wanted {
        shapes: checkpoint::shapes(&model.backbone),
        rename: &str::to_owned,
        ignored: &|name| is_cat && cat::is_buffer(name),
        entry: config.entry.as_deref(),
    })?;
    if let Architecture::Cat(cat) = &config.backbone {
        check_splits(&weights, cat, &config.file)?;
    }
    weights.fill(&model.backbone)?;
    let mut facts = FactMap::new();
    if let Some(note) = place.note() {
        let note = format!("`{}`: {note}", config.file.display());
        facts.insert("weights".into(), note.clone().into());
        reporter.note(note);
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
    use std::collections::BTreeMap;

    use tch::{Device, Kind, Tensor};

    use super::*;

    #[test]
    fn a_cat_with_other_windows_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cat.safetensors");
        let size = |split| Cat {
            scale: 2,
            width: 32,
            depths: vec![2; 2],
            heads: 2,
            split,
            mlp_ratio: 1.0,
        };
        let store = |splits: [i64; 2]| {
            let mask = |(i, split): (usize, i64)| {
                let shape = [IMAGE / split, 1, 1];
                let mask = Tensor::zeros(shape, (Kind::Float, Device::Cpu));
                (format!("layers.{i}.blocks.1.attn_mask_0"), mask)
            };
            let masks: BTreeMap<_, _> = splits.into_iter().enumerate().map(mask).collect();
            checkpoint::save_safetensors(&file, &masks, &BTreeMap::new()).unwrap();
            checkpoint::open(&file).unwrap()
        };
        assert!(check_splits(&store([2, 4]), &size(None), &file).is_ok());
        assert!(check_splits(&store([4, 4]), &size(Some(vec![4, 4])), &file).is_ok());
        let error = check_splits(&store([4, 4]), &size(None), &file).unwrap_err();
        let report = error.report();
        assert!(
            report
                .message
                .ends_with("holds windows of the split sizes 4, 4, and the backbone has [2, 4]")
        );
        assert_eq!(report.hint, "this looks like CAT-A-2: `split: [4, 4]`");
    }
}
