//! The environment variables that say which CUDA devices a program sees, and in which order.
//! Unaware of who is started.

use std::process::Command;

/// Which CUDA devices there are for a program, and in which order it counts them.
pub const DEVICES: &str = "CUDA_VISIBLE_DEVICES";

/// Has CUDA count devices as NVML and `nvidia-smi` do, by their place on the bus. By default it puts the fastest first, and a
/// machine of mixed cards would be told the memory and the capabilities of another one.
pub const ORDER: (&str, &str) = ("CUDA_DEVICE_ORDER", "PCI_BUS_ID");

/// Sets [`ORDER`] for a program, unless this one was told another.
pub fn set_order(command: &mut Command, is_set: impl Fn(&str) -> bool) {
    if !is_set(ORDER.0) {
        command.env(ORDER.0, ORDER.1);
    }
}
