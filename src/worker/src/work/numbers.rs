//! Which numbers the device of a stage can compute with. `pipeline` asks the same when it plans; a job may come from
//! elsewhere, and libtorch may have been told to leave instructions alone.
//! Unaware of what is computed.

use spec::Device;

use super::WorkError;
use crate::nn::kernels::Processor;

/// Refuses bfloat16 where it would be emulated: slower than float32, and less precise for nothing.
pub(super) fn check_bf16(device: Device) -> Result<(), WorkError> {
    if device != Device::Cpu || Processor::here().bf16 {
        return Ok(());
    }
    Err(WorkError::new(
        format!(
            "`precision: bf16` needs CUDA or a processor with AVX512-BF16; this is {}",
            Processor::here()
        ),
        "use `--device cuda`, or `precision: fp32`",
    ))
}

/// Refuses IEEE half precision on the processor.
pub(super) fn check_fp16(device: Device) -> Result<(), WorkError> {
    if device != Device::Cpu {
        return Ok(());
    }
    Err(WorkError::new(
        "`precision: fp16` computes on CUDA only, and this stage is on the CPU",
        "use `--device cuda`, or `precision: fp32`",
    ))
}
