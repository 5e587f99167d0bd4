//! The environment variables that say which CUDA devices a program sees, and in which order.
//! Unaware of who is started.

use std::ffi::OsString;

/// Which CUDA devices there are for a program, and in which order it counts them.
pub const DEVICES: &str = "CUDA_VISIBLE_DEVICES";

/// Has CUDA count devices as NVML and `nvidia-smi` do, by their place on the bus. By default it puts the fastest first, and a
/// machine of mixed cards would be told the memory and the capabilities of another one.
pub const ORDER: (&str, &str) = ("CUDA_DEVICE_ORDER", "PCI_BUS_ID");

/// [`ORDER`] for a program that is started, or what this one was told in its place: the same for all of them.
pub fn order() -> (&'static str, OsString) {
    let told = std::env::var_os(ORDER.0);
    (ORDER.0, told.unwrap_or_else(|| ORDER.1.into()))
}
