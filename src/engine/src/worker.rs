//! Finds the worker program and knows what it can do without starting it each time.
//! Unaware of stages.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use diagnostics::shown::counted;
use serde::{Deserialize, Serialize};
use spec::Device;

use crate::error::Error;
use crate::run::cuda_env::{self, DEVICES};
use crate::run::text_busy::start_when_free;

/// What is asked for: a device, or whichever is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// CUDA where there is a usable device, else the processor.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// CUDA: this device, or all there are.
    Cuda(Option<usize>),
}

impl std::str::FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(None)),
            _ => {
                let index = text.strip_prefix("cuda:").and_then(|n| n.parse().ok());
                index
                    .map(|n| Self::Cuda(Some(n)))
                    .ok_or_else(|| "expected auto, cpu, cuda or cuda:N".into())
            }
        }
    }
}

impl std::fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(None) => f.write_str("cuda"),
            Self::Cuda(Some(index)) => write!(f, "cuda:{index}"),
        }
    }
}

/// What the worker says of itself (`pipeline-worker --facts`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerFacts {
    /// Its version; must be ours.
    pub version: String,
    /// libtorch's version.
    pub libtorch: String,
    /// Names of the usable CUDA devices.
    pub cuda_devices: Vec<String>,
    /// The processor, as far as the choice of kernels depends on it. Of the machine that was asked: a memo may be another's.
    #[serde(default)]
    pub processor: String,
    /// The kernels that were chosen for it.
    #[serde(default)]
    pub kernels: String,
    /// Why none could be chosen.
    #[serde(default)]
    pub kernels_error: Option<String>,
    /// Folders of the libraries that it has loaded, as they are and as the program names them.
    #[serde(default)]
    pub libraries: Vec<PathBuf>,
}

/// The facts with what they are valid for.
#[derive(Serialize, Deserialize)]
struct Memo {
    #[serde(flatten)]
    stamp: Stamp,
    facts: WorkerFacts,
}

/// What the facts depend on.
#[derive(PartialEq, Serialize, Deserialize)]
struct Stamp {
    size: u64,
    modified: u64,
    /// Whether a driver of NVIDIA's is there.
    driver: bool,
    /// What [`DEVICES`] says, which hides devices and orders them.
    visible: Option<String>,
}

/// The environment variable that names the worker.
pub const VARIABLE: &str = "PIPELINE_WORKER";

/// The worker beside this program, or the one that `PIPELINE_WORKER` names.
pub fn find() -> Result<PathBuf, Error> {
    if let Some(path) = std::env::var_os(VARIABLE).map(PathBuf::from) {
        return if path.is_file() {
            Ok(path)
        } else {
            Err(missing(&path))
        };
    }
    let own = std::env::current_exe().unwrap_or_default();
    let beside = own.with_file_name("pipeline-worker");
    if beside.is_file() {
        Ok(beside)
    } else {
        Err(missing(&beside))
    }
}

fn missing(path: &Path) -> Error {
    let hint = format!(
        "`make build` puts it beside pipeline, `make install` installs both; or set {VARIABLE}"
    );
    Error::failed(format!("there is no worker at `{}`", path.display()), hint)
}

/// The worker's facts, from the memo beside it while that is valid, else from the worker itself.
///
/// The memo is valid for the worker's size and modification time, for the presence of an NVIDIA driver, and for what
/// [`DEVICES`] says. That a driver has no usable device is not remembered: it may be mended by the next time.
pub fn facts(worker: &Path) -> Result<WorkerFacts, Error> {
    let stamp = stamp(worker);
    let memo = worker.with_extension("facts.json");
    if let Some(facts) = stamp.as_ref().and_then(|stamp| recall(&memo, stamp)) {
        return checked(facts, worker);
    }
    let facts = ask(worker)?;
    if let Some(stamp) = stamp.filter(|stamp| stamp.is_lasting(&facts)) {
        let text = serde_json::to_vec(&Memo {
            stamp,
            facts: facts.clone(),
        });
        // A folder that cannot be written costs half a second a run, nothing else.
        let _ = text.map(|text| store::write_atomic(&memo, &text));
    }
    checked(facts, worker)
}

impl Stamp {
    /// Whether the facts will be the same the next time.
    fn is_lasting(&self, facts: &WorkerFacts) -> bool {
        let hides_all = self.visible.as_deref() == Some("");
        !self.driver || hides_all || !facts.cuda_devices.is_empty()
    }
}

fn stamp(worker: &Path) -> Option<Stamp> {
    let meta = std::fs::metadata(worker).ok()?;
    let modified = meta
        .modified()
        .ok()?
        .duration_since(std::time::UNIX_EPOCH)
        .ok()?;
    Some(Stamp {
        size: meta.len(),
        modified: u64::try_from(modified.as_nanos()).ok()?,
        driver: Path::new("/dev/nvidiactl").exists(),
        visible: std::env::var(DEVICES).ok(),
    })
}

fn recall(memo: &Path, stamp: &Stamp) -> Option<WorkerFacts> {
    let memo: Memo = serde_json::from_slice(&files::read(memo, 1 << 20).ok()?).ok()?;
    (*stamp == memo.stamp).then_some(memo.facts)
}

/// What the worker says of itself now.
pub fn ask(worker: &Path) -> Result<WorkerFacts, Error> {
    let wrong = |why: String| {
        let message = format!("the worker `{}` does not start: {why}", worker.display());
        Error::failed(
            message,
            "build it with `make build`, which also gets libtorch 2.11.0",
        )
    };
    let output = start_when_free(|| {
        Command::new(worker)
            .arg("--facts")
            .envs([cuda_env::order()])
            .stdin(Stdio::null())
            .output()
    });
    let output = output.map_err(|e| wrong(e.to_string()))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(wrong(
            text.lines()
                .last()
                .unwrap_or("it printed nothing")
                .to_owned(),
        ));
    }
    serde_json::from_slice(&output.stdout)
        .map_err(|e| wrong(format!("its facts cannot be read: {}", files::reason(&e))))
}

fn checked(facts: WorkerFacts, worker: &Path) -> Result<WorkerFacts, Error> {
    let own = env!("CARGO_PKG_VERSION");
    if facts.version == own {
        return Ok(facts);
    }
    let message = format!(
        "`{}` is version {}, pipeline is {own}",
        worker.display(),
        facts.version
    );
    Err(Error::failed(
        message,
        "build or install both together: `make install`",
    ))
}

/// The device that `--device` means on this machine.
pub fn device(choice: DeviceChoice, facts: &WorkerFacts) -> Result<Device, Error> {
    let count = facts.cuda_devices.len();
    match choice {
        DeviceChoice::Cpu => Ok(Device::Cpu),
        DeviceChoice::Auto if count == 0 => Ok(Device::Cpu),
        DeviceChoice::Auto => Ok(Device::Cuda(0)),
        DeviceChoice::Cuda(index) if index.unwrap_or(0) < count => {
            Ok(Device::Cuda(index.unwrap_or(0)))
        }
        DeviceChoice::Cuda(index) => {
            let index = index.unwrap_or(0);
            let message = format!(
                "there is no cuda:{index}: the worker sees {}",
                counted(count, "CUDA device")
            );
            Err(Error::usage(
                message,
                "`pipeline doctor` says why; `--device cpu` computes on the processor",
            ))
        }
    }
}

/// The device whose results are meant: a login node reads what a machine with a GPU has computed.
pub fn device_to_read(choice: DeviceChoice, facts: &WorkerFacts) -> Device {
    match choice {
        DeviceChoice::Auto if !facts.cuda_devices.is_empty() => Device::Cuda(0),
        DeviceChoice::Auto | DeviceChoice::Cpu => Device::Cpu,
        DeviceChoice::Cuda(index) => Device::Cuda(index.unwrap_or(0)),
    }
}

/// Whether this machine's processor has instructions for products of bfloat16. Not among the worker's facts: their memo
/// may be shared with another machine.
pub fn has_bf16() -> bool {
    #[cfg(target_arch = "x86_64")]
    let has = is_x86_feature_detected!("avx512bf16");
    #[cfg(not(target_arch = "x86_64"))]
    let has = false;
    has
}

/// The numerics class: what may change a result by more than its last bits, as it enters keys.
pub fn numerics(device: Device, facts: &WorkerFacts) -> String {
    // The build behind the plus (`+cpu`, `+cu130`) is recorded; on one device kind it computes alike.
    let release = facts.libtorch.split('+').next().unwrap_or_default();
    let class = match device {
        Device::Cpu => "cpu float32",
        Device::Cuda(_) => "cuda float32 tf32=off",
    };
    format!("{class} libtorch {release}")
}

/// The CUDA devices that stages are given: the one that was named, else all.
pub fn gpus(choice: DeviceChoice, device: Device, facts: &WorkerFacts) -> Vec<usize> {
    match (choice, device) {
        (_, Device::Cpu) => Vec::new(),
        (DeviceChoice::Cuda(Some(index)), _) => vec![index],
        _ => (0..facts.cuda_devices.len()).collect(),
    }
}

/// How [`DEVICES`] names each device that the worker counts: by what that variable says now, if it is set, and by no
/// others, which the caller has hidden.
pub fn visible(variable: Option<String>, facts: Option<&WorkerFacts>) -> Vec<String> {
    let count = facts.map_or(0, |f| f.cuda_devices.len());
    let Some(text) = variable else {
        return (0..count).map(|n| n.to_string()).collect();
    };
    let named = text.split(',').map(|n| n.trim().to_owned());
    named.filter(|n| !n.is_empty()).take(count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(devices: usize) -> WorkerFacts {
        WorkerFacts {
            libraries: Vec::new(),
            version: "1".into(),
            libtorch: "2".into(),
            cuda_devices: vec!["card".into(); devices],
            processor: String::new(),
            kernels: String::new(),
            kernels_error: None,
        }
    }

    #[test]
    fn the_named_device_or_all() {
        let gpus = |choice| gpus(choice, Device::Cuda(0), &facts(3));
        assert_eq!(gpus(DeviceChoice::Auto), [0, 1, 2]);
        assert_eq!(gpus(DeviceChoice::Cuda(None)), [0, 1, 2]);
        assert_eq!(gpus(DeviceChoice::Cuda(Some(1))), [1]);
    }

    #[test]
    fn a_driver_without_a_device_is_asked_again() {
        let stamp = |driver, visible: Option<&str>| Stamp {
            size: 1,
            modified: 2,
            driver,
            visible: visible.map(str::to_owned),
        };
        assert!(!stamp(true, None).is_lasting(&facts(0)));
        assert!(stamp(true, None).is_lasting(&facts(1)));
        assert!(stamp(true, Some("")).is_lasting(&facts(0)));
        assert!(stamp(false, None).is_lasting(&facts(0)));
    }

    #[test]
    fn facts_are_remembered_for_the_devices_that_were_asked_about() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("memo");
        let stamp = |visible: Option<&str>| Stamp {
            size: 1,
            modified: 2,
            driver: true,
            visible: visible.map(str::to_owned),
        };
        let memo = Memo {
            stamp: stamp(Some("1")),
            facts: facts(1),
        };
        std::fs::write(&path, serde_json::to_vec(&memo).unwrap()).unwrap();
        assert!(recall(&path, &stamp(Some("1"))).is_some());
        assert!(recall(&path, &stamp(None)).is_none());
        assert!(recall(&path, &stamp(Some("0,1"))).is_none());
    }

    #[test]
    fn devices_keep_the_names_that_the_caller_gave() {
        let visible =
            |variable: Option<&str>| visible(variable.map(str::to_owned), Some(&facts(2)));
        assert_eq!(visible(None), ["0", "1"]);
        assert_eq!(visible(Some("5, GPU-7")), ["5", "GPU-7"]);
        assert_eq!(visible(Some("1")), ["1"], "no other, hidden one");
        assert!(visible(Some("")).is_empty());
    }
}
