//! A `mask` stage outside of any pipeline: pictures as a `prepare` stage would leave them, and the job that reads them.
//! Unaware of what becomes of the masks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use artifacts::{PairEntry, PairList};
use pixels::Rgb8;
use spec::kinds::{Degrade, Mask};
use spec::names::SamPrecision;
use spec::{Device, Event, JOB_FORMAT, Job, Kind, Outside};

use crate::cli::ask::{Worker, cannot};
use crate::cli::{Fatal, say};

/// Writes a picture into the folder of a `prepare` stage; what that stage would say of it.
pub fn add(folder: &Path, name: &str, file: &str, image: &Rgb8) -> Result<PairEntry, Fatal> {
    let written = pixels::write_png(&folder.join(file), image);
    written.map_err(|e| Fatal::failed(e.to_string(), ""))?;
    let (width, height) = image.size();
    Ok(PairEntry {
        name: name.to_owned(),
        hr: file.to_owned(),
        lq: Some(file.to_owned()),
        width,
        height,
        digest: store::Digest::of_image(width, height, &image.data).to_string(),
        notes: Vec::new(),
    })
}

/// Writes the list of the pictures in the folder of a `prepare` stage.
pub fn finish(folder: &Path, degrade: Degrade, pairs: Vec<PairEntry>) -> Result<(), Fatal> {
    let list = PairList {
        degrade,
        seed: 0,
        pairs,
    };
    let written = list.write(folder);
    written.map_err(|e| Fatal::failed(e.to_string(), e.hint()))
}

/// Leaves `masks.json` and `masks/` in `work/out`, of the pictures that are the input `images`.
pub fn run(
    mask: &Mask,
    inputs: BTreeMap<String, PathBuf>,
    work: &Path,
    worker: &Worker,
) -> Result<(), Fatal> {
    let stage = Kind::Mask(mask.clone());
    let tf32 = stage.is_tf32();
    // Of bfloat16 the worker says itself whether this processor has it.
    if let Some((_, precision)) = stage.low_precision()
        && precision != SamPrecision::Bf16.as_str()
        && worker.device == Device::Cpu
    {
        let message = format!("precision {precision} computes on CUDA only");
        return Err(Fatal::usage(message, "use `--device cuda`, or fp32"));
    }
    let file = write_job(stage, inputs, work, worker)?;
    worker.ask(&[file.as_os_str()], tf32, &mut |event| match event {
        Event::Note { message } => say(message),
        Event::Progress { step, total, .. } => say(&format!("picture {step} of {total}")),
        _ => {}
    })?;
    Ok(())
}

fn write_job(
    stage: Kind,
    inputs: BTreeMap<String, PathBuf>,
    work: &Path,
    worker: &Worker,
) -> Result<PathBuf, Fatal> {
    let folder = |name: &str| -> Result<PathBuf, Fatal> {
        let path = work.join(name);
        std::fs::create_dir_all(&path).map_err(|e| cannot("create", &path, &e))?;
        Ok(path)
    };
    let job = Job {
        format: JOB_FORMAT,
        key: "masks".into(),
        stage,
        inputs,
        out: folder("out")?,
        state: folder("state")?,
        device: worker.device,
        threads: worker.threads,
        checkpoint_seconds: 10.0,
        trajectory: None,
        start: None,
        decoded: None,
        outside: Outside::Any,
    };
    let file = work.join("job.json");
    let text = serde_json::to_string(&job).map_err(|e| Fatal::failed(e.to_string(), ""))?;
    std::fs::write(&file, text).map_err(|e| cannot("write", &file, &e))?;
    Ok(file)
}
