//! A `mask` stage outside of any pipeline: a job in a folder that is removed afterwards, and the worker that does it.
//! Unaware of what becomes of the masks.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};

use artifacts::{PairEntry, PairList};
use spec::kinds::{Degrade, Mask};
use spec::names::SamPrecision;
use spec::{Device, Event, JOB_FORMAT, Job, Kind, Outside, Said};

use super::{Picture, cannot};
use crate::cli::{Fatal, say};
use engine::run::next_line;
use engine::worker;
use engine::worker::DeviceChoice;

/// A folder that is there while this lives.
pub struct Folder(PathBuf);

impl Folder {
    /// A new folder in `at`.
    pub fn new(at: &Path) -> Result<Self, Fatal> {
        let path = at.join(format!(".masks-{}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(|e| cannot("create", &path, &e))?;
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0); // it only costs room
    }
}

/// Leaves `masks.json` and `masks/` in `work/out`.
pub fn run(
    mask: &Mask,
    pictures: &[Picture],
    work: &Path,
    choice: DeviceChoice,
) -> Result<(), Fatal> {
    let program = worker::find()?;
    let facts = worker::facts(&program)?;
    let device = worker::device(choice, &facts)?;
    let stage = Kind::Mask(mask.clone());
    // Of bfloat16 the worker says itself whether this processor has it.
    if let Some((_, precision)) = stage.low_precision()
        && precision == SamPrecision::Fp16.as_str()
        && device == Device::Cpu
    {
        let message = format!("precision {precision} computes on CUDA only");
        return Err(Fatal::usage(message, "use `--device cuda`, or fp32"));
    }
    let file = write_job(stage, pictures, work, device)?;
    let child = Command::new(&program)
        .arg(file)
        .env("NVIDIA_TF32_OVERRIDE", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn();
    let mut child = child.map_err(|e| cannot("start", &program, &e))?;
    let last = child.stdout.take().and_then(follow);
    let status = child.wait().map_err(|e| cannot("wait for", &program, &e))?;
    match last {
        Some(Event::Done { .. }) if status.success() => Ok(()),
        Some(Event::Failed(report)) => Err(Fatal::failed(report.what.message, report.what.hint)),
        _ => Err(Fatal::failed(
            format!("the worker ended without a result ({status})"),
            "memory may have run out",
        )),
    }
}

/// Says what the worker says; its last event.
fn follow(out: ChildStdout) -> Option<Event> {
    let mut last = None;
    let mut out = BufReader::new(out);
    while let Some(line) = next_line(&mut out) {
        match serde_json::from_str::<Said>(&line).map(|said| said.event) {
            Ok(Event::Note { message }) => say(&message),
            Ok(Event::Progress { step, total, .. }) => say(&format!("picture {step} of {total}")),
            Ok(event) => last = Some(event),
            Err(_) => {}
        }
    }
    last
}

/// The pictures as a `prepare` stage would leave them, and the job that reads them.
fn write_job(
    stage: Kind,
    pictures: &[Picture],
    work: &Path,
    device: Device,
) -> Result<PathBuf, Fatal> {
    let folder = |name: &str| -> Result<PathBuf, Fatal> {
        let path = work.join(name);
        std::fs::create_dir_all(&path).map_err(|e| cannot("create", &path, &e))?;
        Ok(path)
    };
    let images = folder("images")?;
    let pairs: Vec<PairEntry> = pictures
        .iter()
        .map(|picture| {
            let file = format!("{}.png", picture.number);
            let written = pixels::write_png(&images.join(&file), &picture.image);
            written.map_err(|e| Fatal::failed(e.to_string(), ""))?;
            let (width, height) = picture.image.size();
            let digest = store::Digest::of_image(width, height, &picture.image.data).to_string();
            Ok(PairEntry {
                name: picture.number.clone(),
                hr: file.clone(),
                lq: Some(file),
                width,
                height,
                digest,
                notes: Vec::new(),
            })
        })
        .collect::<Result<_, Fatal>>()?;
    let list = PairList {
        degrade: Degrade::Sr(1),
        seed: 0,
        pairs,
    };
    let written = list.write(&images);
    written.map_err(|e| Fatal::failed(e.to_string(), e.hint()))?;
    let job = Job {
        format: JOB_FORMAT,
        key: "masks".into(),
        stage,
        inputs: BTreeMap::from([("images".into(), images)]),
        out: folder("out")?,
        state: folder("state")?,
        device,
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        checkpoint_seconds: 10.0,
        trajectory: None,
        start: None,
        outside: Outside::Any,
    };
    let file = work.join("job.json");
    let text = serde_json::to_string(&job).map_err(|e| Fatal::failed(e.to_string(), ""))?;
    write(&file, &text)?;
    Ok(file)
}

fn write(path: &Path, text: &str) -> Result<(), Fatal> {
    std::fs::write(path, text).map_err(|e| cannot("write", path, &e))
}
