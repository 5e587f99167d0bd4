//! `evaluate`: PSNR and SSIM of each image (METHOD: evaluation).
//! Unaware of tables and baselines.

use std::path::PathBuf;

use pixels::{Channel, MaskStack, Rgb8, write_png};
use serde::Serialize;
use spec::Job;
use spec::kinds::{Evaluate, Tiling};
use spec::names::{Luma, Metric};

use super::entry::FactMap;
use super::masks::Masks;
use super::model::{self, Model, ModelCard};
use super::pairs::Pairs;
use super::{Reporter, WorkError, files};

/// `summary.json`.
#[derive(Serialize)]
struct Summary<'a> {
    images: usize,
    luma: Luma,
    shave: u32,
    tiling: Tiling,
    masks_found: Option<f64>,
    model: &'a ModelCard,
}

/// Writes `metrics.csv` (`image`, then the metrics in alphabetical order) and `summary.json`.
pub(super) fn run(config: &Evaluate, job: &Job, reporter: &Reporter) -> Result<FactMap, WorkError> {
    let pairs = Pairs::open(files::input(job, "images")?)?;
    let (model, card) = Model::load(files::input(job, "model")?, model::device(job.device))?;
    let model = model.laid_out_for_images();
    let masks = match job.inputs.get("masks") {
        Some(folder) => Some(Masks::open(folder, &pairs)?),
        None => None,
    };
    let degrade = pairs.list.degrade;
    let protocol = Protocol {
        luma: config.luma(degrade),
        shave: config.shave(degrade),
        tiling: config.tiling,
        metrics: sorted(&config.metrics),
        keep: config
            .save
            .then(|| files::make_folder(job.out.join("restored")))
            .transpose()?,
    };
    let mut rows = Vec::new();
    for at in 0..pairs.list.pairs.len() {
        reporter.check_stop()?;
        let stack = masks.as_ref().map(|m| m.stack(at)).transpose()?;
        rows.push(protocol.row(&pairs, at, &model, stack.as_ref())?);
        reporter.images(at + 1, pairs.list.pairs.len());
    }
    write_csv(job, &protocol, &rows)?;
    let summary = Summary {
        images: rows.len(),
        luma: protocol.luma,
        shave: protocol.shave,
        tiling: protocol.tiling,
        masks_found: masks.as_ref().map(|m| m.list.mean_found()),
        model: &card,
    };
    files::write_json(&job.out.join("summary.json"), &summary)?;
    Ok(FactMap::new())
}

fn sorted(metrics: &[Metric]) -> Vec<Metric> {
    let mut metrics = metrics.to_vec();
    metrics.sort_unstable();
    metrics.dedup();
    metrics
}

struct Protocol {
    luma: Luma,
    shave: u32,
    tiling: Tiling,
    metrics: Vec<Metric>,
    /// Where restored images are kept, if they are.
    keep: Option<PathBuf>,
}

impl Protocol {
    /// The image's name and its metrics.
    fn row(
        &self,
        pairs: &Pairs,
        at: usize,
        model: &Model,
        stack: Option<&MaskStack>,
    ) -> Result<Vec<String>, WorkError> {
        let name = &pairs.list.pairs[at].name;
        let restored = model.restore(&pairs.lq(at)?, stack, self.tiling)?;
        if let Some(folder) = &self.keep {
            write_png(&folder.join(format!("{name}.png")), &restored)?;
        }
        let values = self.measure(&restored, &pairs.hr(at)?);
        let values = values.map_err(|e| {
            let (message, hint) = e.split_once("\nhint: ").unwrap_or((&e, ""));
            WorkError::new(format!("{name}: {message}"), hint)
        })?;
        Ok(std::iter::once(name.clone())
            .chain(values.iter().map(ToString::to_string))
            .collect())
    }

    fn measure(&self, restored: &Rgb8, reference: &Rgb8) -> Result<Vec<f64>, String> {
        let (shave, channel) = (self.shave as usize, channel(self.luma));
        let all = match self.metrics.as_slice() {
            [Metric::Psnr, Metric::Ssim] => pixels::metrics(restored, reference, shave, channel)
                .map(|(psnr, ssim)| vec![psnr, ssim]),
            [Metric::Psnr] => pixels::psnr(restored, reference, shave, channel).map(|v| vec![v]),
            _ => pixels::ssim(restored, reference, shave, channel).map(|v| vec![v]),
        };
        all.map_err(|e| e.to_string())
    }
}

/// The channel as `pixels` names it.
pub(super) const fn channel(luma: Luma) -> Channel {
    match luma {
        Luma::Rounded => Channel::YRounded,
        Luma::Unrounded => Channel::YUnrounded,
        Luma::Rgb => Channel::Rgb,
    }
}

fn write_csv(job: &Job, protocol: &Protocol, rows: &[Vec<String>]) -> Result<(), WorkError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let header = std::iter::once("image").chain(protocol.metrics.iter().map(|m| m.as_str()));
    let wrong = |e: csv::Error| WorkError::new(format!("cannot put metrics.csv together: {e}"), "");
    writer.write_record(header).map_err(wrong)?;
    for row in rows {
        writer.write_record(row).map_err(wrong)?;
    }
    let bytes = writer
        .into_inner()
        .map_err(|e| WorkError::new(e.to_string(), ""))?;
    files::write(&job.out.join("metrics.csv"), &bytes)
}
