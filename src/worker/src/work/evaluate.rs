//! `evaluate`: PSNR and SSIM of each image (METHOD: evaluation).
//! Unaware of tables and baselines.

use std::collections::BTreeMap;
use std::path::PathBuf;

use artifacts::{Metrics, Summary};
use pixels::{Channel, MaskStack, score, write_png};
use spec::Job;
use spec::kinds::{Evaluate, Save, Tiling};
use spec::metrics::Metric;
use spec::names::Luma;

use super::facts::FactMap;
use super::masks::Masks;
use super::metrics::Compared;
use super::model::{self, Model};
use super::outside::Reader;
use super::pairs::Pairs;
use super::{Reporter, WorkError, files, numbers};

/// Writes `metrics.csv` (`image`, then the metrics in alphabetical order) and `summary.json`.
pub(super) fn run(config: &Evaluate, job: &Job, reporter: &Reporter) -> Result<FactMap, WorkError> {
    numbers::check(config.precision, job.device)?;
    let pairs = Pairs::open(files::input(job, "images")?)?;
    let (model, card) = Model::load(
        files::input(job, "model")?,
        Reader::new(&job.outside),
        model::device(job.device),
    )?;
    let model = model.laid_out_for_images().computing_with(config.precision);
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
        save: config.save,
        keep: (config.save != Save::None)
            .then(|| files::make_folder(job.out.join("restored")))
            .transpose()?,
    };
    let mut measured = Metrics::default();
    let mut unusual = Unusual::default();
    for at in 0..pairs.list.pairs.len() {
        reporter.check_stop()?;
        let stack = masks.as_ref().map(|m| m.stack(at)).transpose()?;
        let go_on = || reporter.check_stop();
        let values = protocol.values(&pairs, at, &model, stack.as_ref(), &go_on)?;
        let name = &pairs.list.pairs[at].name;
        unusual.look(name, &protocol.metrics, &values);
        measured.images.push(name.clone());
        for (metric, value) in protocol.metrics.iter().zip(values) {
            let column = measured.values.entry(metric.as_str().into()).or_default();
            column.push(value);
        }
        reporter.images(at + 1, pairs.list.pairs.len());
    }
    unusual.tell(reporter);
    measured.write(&job.out)?;
    let summary = Summary {
        images: measured.images.len(),
        luma: protocol.luma,
        shave: protocol.shave,
        tiling: protocol.tiling,
        masks_found: masks.as_ref().map(|m| m.list.mean_found()),
        model: card,
    };
    summary.write(&job.out)?;
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
    /// Which restored images are kept.
    save: Save,
    /// Where they are, if any are.
    keep: Option<PathBuf>,
}

impl Protocol {
    /// The image's metrics.
    fn values(
        &self,
        pairs: &Pairs,
        at: usize,
        model: &Model,
        stack: Option<&MaskStack>,
        go_on: &dyn Fn() -> Result<(), WorkError>,
    ) -> Result<Vec<f64>, WorkError> {
        let name = &pairs.list.pairs[at].name;
        let restored = model.restore_until(&pairs.lq(at)?, stack, self.tiling, go_on)?;
        if let Some(folder) = self.keep.as_ref().filter(|_| self.save.keeps(at)) {
            write_png(&folder.join(format!("{name}.png")), &restored)?;
        }
        let compared = Compared {
            restored: &restored,
            reference: &pairs.hr(at)?,
            shave: self.shave as usize,
            channel: channel(self.luma),
            metrics: &self.metrics,
        };
        compared.values().map_err(|e| {
            let e = e.to_string();
            let (message, hint) = e.split_once("\nhint: ").unwrap_or((&e, ""));
            WorkError::new(format!("{name}: {message}"), hint)
        })
    }
}

/// Images whose values are not what they are for others, by what is said of them.
#[derive(Default)]
struct Unusual {
    perfect: Vec<String>,
    undefined: BTreeMap<Metric, Vec<String>>,
}

impl Unusual {
    fn look(&mut self, name: &str, metrics: &[Metric], values: &[f64]) {
        for (metric, value) in metrics.iter().zip(values) {
            if value.is_nan() {
                let names = self.undefined.entry(*metric).or_default();
                names.push(name.to_owned());
            } else if score::is_capped(metric.as_str(), *value) {
                self.perfect.push(name.to_owned());
            }
        }
    }

    fn tell(&self, reporter: &Reporter) {
        let cap = score::CAP;
        if !self.perfect.is_empty() {
            let names = listed(&self.perfect);
            reporter.note(format!(
                "a PSNR above {cap} dB counts as {cap} dB in means and differences: {names}"
            ));
        }
        for (metric, names) in &self.undefined {
            let (metric, names) = (metric.as_str().to_uppercase(), listed(names));
            reporter.note(format!(
                "too small for {metric} after shaving, and left out of its means: {names}"
            ));
        }
    }
}

/// Names that a note lists before the rest is counted.
const LISTED: usize = 8;

fn listed(names: &[String]) -> String {
    let some = names[..names.len().min(LISTED)].join(", ");
    match names.len().saturating_sub(LISTED) {
        0 => some,
        rest => format!("{some} and {rest} more"),
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
