//! What NVIDIA's driver says of its GPUs and of the memory that processes take on them, through its library (NVML).
//! Unaware of stages, of bars, and of what is done with the answers.
//!
//! ```text
//!   libnvidia-ml.so.1 ── load ──> Driver ─┬─ gpu(name) ──> Gpu: how busy it is, memory in use and in all
//!   (absent: no driver)                   ├─ capability(name) ──> what its instructions are
//!                                         └─ memory_of(pid) ──> bytes, on all GPUs together
//! ```
//!
//! A question takes the driver a millisecond or less, but one that is being reset may keep it: ask from a thread that
//! nobody waits for.

use std::ffi::OsStr;

use nvml_wrapper::enums::device::UsedGpuMemory;
use nvml_wrapper::{Device, Nvml};

/// The name under which drivers install the library; `libnvidia-ml.so` alone comes with the CUDA toolkit only.
const LIBRARY: &str = "libnvidia-ml.so.1";

/// The driver of a machine.
#[derive(Debug)]
pub struct Driver(Nvml);

/// A GPU at one moment. What the driver does not know of it, such as how busy a part of one (MIG) is, is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gpu {
    /// Its number, as the driver counts.
    pub index: Option<u32>,
    /// In how many of a hundred moments it computed lately.
    pub busy: Option<u32>,
    /// Its memory.
    pub memory: Option<Memory>,
}

/// Memory of a GPU, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// In use, by whomever.
    pub used: u64,
    /// In all.
    pub total: u64,
}

impl Driver {
    /// The driver of this machine; `None` where there is none that works.
    pub fn load() -> Option<Self> {
        Self::from_library(OsStr::new(LIBRARY))
    }

    /// The same by a library of another name.
    pub fn from_library(library: &OsStr) -> Option<Self> {
        let nvml = Nvml::builder().lib_path(library).init().ok()?;
        Some(Self(nvml))
    }

    /// A GPU by its number or its UUID (`GPU-…`, `MIG-…`), as `CUDA_VISIBLE_DEVICES` names it.
    pub fn gpu(&self, name: &str) -> Option<Gpu> {
        let device = self.device(name)?;
        let memory = device.memory_info().ok();
        Some(Gpu {
            index: device.index().ok(),
            busy: device.utilization_rates().ok().map(|rates| rates.gpu),
            memory: memory.map(|memory| Memory {
                used: memory.used,
                total: memory.total,
            }),
        })
    }

    /// The compute capability of a GPU, major and minor, by its number or its UUID; `None` where the driver does not say.
    pub fn capability(&self, name: &str) -> Option<(i32, i32)> {
        let found = self.device(name)?.cuda_compute_capability().ok()?;
        Some((found.major, found.minor))
    }

    fn device(&self, name: &str) -> Option<Device<'_>> {
        match name.parse() {
            Ok(index) => self.0.device_by_index(index).ok(),
            Err(_) => self.0.device_by_uuid(name).ok(),
        }
    }

    /// Bytes that a process takes on all GPUs together; `None` where no GPU lists it, as in a container, or the driver
    /// does not say how much.
    ///
    /// `pid` is the number that the driver knows: the one outside a PID namespace of the caller's own.
    pub fn memory_of(&self, pid: u32) -> Option<u64> {
        let count = self.0.device_count().ok()?;
        let devices = (0..count).filter_map(|index| self.0.device_by_index(index).ok());
        let lists = devices.filter_map(|device| device.running_compute_processes().ok());
        let own = lists.flatten().filter(|process| process.pid == pid);
        let used = own.filter_map(|process| match process.used_gpu_memory {
            UsedGpuMemory::Used(bytes) => Some(bytes),
            UsedGpuMemory::Unavailable => None,
        });
        used.reduce(|sum, bytes| sum + bytes)
    }
}
