//! What passes between `pipeline` and `pipeline-worker`: jobs in, a file each; events out, a line each; both JSON.
//! Unaware of the graph: a worker knows its own stage and the folders of its inputs, no more.

use std::collections::BTreeMap;
use std::path::PathBuf;

use diagnostics::Diagnostic;
use serde::{Deserialize, Serialize};

use crate::kinds::Kind;
use crate::outside::Outside;

/// Version of the job file; a worker refuses any other.
pub const JOB_FORMAT: u32 = 4;

/// What a worker's environment says where products on CUDA are in TF32: `PyTorch`'s word for cuBLAS. That for cuDNN is on
/// by default.
pub const TF32_ON: (&str, &str) = ("TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "1");

/// What it says where they are in float32: NVIDIA's word for both.
pub const TF32_OFF: (&str, &str) = ("NVIDIA_TF32_OVERRIDE", "0");

/// Where a stage computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Device {
    /// The processor.
    Cpu,
    /// The CUDA device of this index.
    Cuda(usize),
}

impl std::fmt::Display for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

/// One stage, ready to be run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// [`JOB_FORMAT`].
    pub format: u32,
    /// The stage's key in hex; opaque, it only ties a checkpoint and a completion record to the work.
    pub key: String,
    /// The resolved configuration.
    pub stage: Kind,
    /// Output folders of the input stages, by role (`images`, `validate.masks`).
    pub inputs: BTreeMap<String, PathBuf>,
    /// Where outputs go; exists and is empty.
    pub out: PathBuf,
    /// Where checkpoints go; survives a crash.
    pub state: PathBuf,
    /// Where to compute.
    pub device: Device,
    /// Threads.
    pub threads: usize,
    /// Seconds between checkpoints.
    pub checkpoint_seconds: f64,
    /// What trainings that differ only in when they stop and which weights they hand on have in common, in hex; opaque.
    /// Only for stages that train.
    #[serde(default)]
    pub trajectory: Option<String>,
    /// The folder of a state that a shorter training of the same trajectory ended with.
    #[serde(default)]
    pub start: Option<PathBuf>,
    /// Where to keep inputs decoded for the next training; none where they are not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decoded: Option<KeepDecoded>,
    /// The files outside that it may read and the weights among its inputs, and what they must hold.
    pub outside: Outside,
}

impl Job {
    /// File name, within `state`, of the record that the stage ended as planned.
    pub const DONE: &'static str = "done.json";
    /// File name, within `state`, of the number that the worker's process has outside its PID namespace.
    pub const PROCESS: &'static str = "process";
    /// File name of the weights among the outputs of a stage that hands on a network. They are read whole.
    pub const WEIGHTS: &'static str = "weights.safetensors";
    /// The most bytes of a job file: room for a million images, each with its path and digest.
    pub const LONGEST: u64 = 512 << 20;

    /// The most threads: what a stage asks for is bounded below it, and no machine has as many cores.
    const MOST_THREADS: usize = 8192;

    /// The job in the text of a file, or why there is none that can be done.
    pub fn decode(text: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let other = |found: u32| format!("its format is {found}, this worker reads {JOB_FORMAT}");
        let job = serde_json::from_str::<Self>(text).map_err(|e| {
            // The fields of another version may be others.
            match serde_json::from_str(text) {
                Ok(Version { format }) if format != JOB_FORMAT => other(format),
                _ => files::reason(&e),
            }
        })?;
        let most = Self::MOST_THREADS;
        if job.format != JOB_FORMAT {
            return Err(other(job.format));
        }
        if !(1..=most).contains(&job.threads) {
            return Err(format!(
                "`threads` is {}, expected 1 to {most}",
                job.threads
            ));
        }
        if !job.checkpoint_seconds.is_finite() || job.checkpoint_seconds < 0.0 {
            return Err(format!(
                "`checkpoint_seconds` is {}",
                job.checkpoint_seconds
            ));
        }
        Ok(job)
    }

    /// Folder, within `state`, where a training leaves the state it ended with.
    pub const LAST: &'static str = "last";
}

/// How a training keeps what its inputs hold, decoded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeepDecoded {
    /// The folder of such files, which all trainings share.
    pub folder: PathBuf,
    /// Images that take no more bytes than this are held in memory instead.
    pub above: u64,
    /// What each input holds, by role: the digest over all its files, in hex.
    pub contents: BTreeMap<String, String>,
}

/// What a worker says while it runs, one JSON object a line on its standard output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Step `step` of `total` is done.
    Progress {
        /// Steps done.
        step: u64,
        /// Steps planned; an upper bound under `until: converged`.
        total: u64,
        /// What a step is: `iteration`, `image`.
        unit: String,
        /// The last training loss.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        loss: Option<f64>,
        /// The last validation PSNR, dB.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        psnr: Option<f64>,
        /// Images (patches while training) a second, lately.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        images_per_second: Option<f64>,
    },
    /// Something a person should know: an image was converted, a run was resumed.
    Note {
        /// The text.
        message: String,
    },
    /// The stage failed; the last event.
    Failed(FailureReport),
    /// The stage ended as planned; the last event.
    Done {
        /// Facts for the record that the key does not determine: seconds, peak memory, device name.
        facts: BTreeMap<String, serde_json::Value>,
    },
}

/// A line on a worker's standard output: an event, and of which of the worker's jobs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Said {
    /// The job's place on the worker's command line; 0 is not written.
    #[serde(default, skip_serializing_if = "is_first")]
    pub job: usize,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
const fn is_first(job: &usize) -> bool {
    *job == 0
}

/// Why a stage failed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureReport {
    /// What happened, with the file it is about, and what to do.
    #[serde(flatten)]
    pub what: Box<Diagnostic>,
    /// Whether the stage stopped because it was asked to, at a checkpoint.
    #[serde(default)]
    pub interrupted: bool,
    /// Whether the GPU had too little memory left: alone on it, the stage may succeed.
    #[serde(default)]
    pub out_of_gpu_memory: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_the_first_job_stand_alone_and_others_say_whose_they_are() {
        let note = |job| Said {
            job,
            event: Event::Note {
                message: "hm".into(),
            },
        };
        let text = |job| serde_json::to_string(&note(job)).unwrap();
        assert_eq!(text(0), r#"{"event":"note","message":"hm"}"#);
        assert_eq!(text(2), r#"{"job":2,"event":"note","message":"hm"}"#);
        for job in [0, 2] {
            assert_eq!(serde_json::from_str::<Said>(&text(job)).unwrap(), note(job));
        }
    }
}
