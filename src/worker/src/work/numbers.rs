//! Which numbers the device of a stage can compute with. `pipeline` asks the same of processors when it plans; a job may come
//! from elsewhere, libtorch may have been told to leave instructions alone, and of a GPU its driver knows.
//! Unaware of what is computed.

use gpus::Driver;
use spec::names::{Precision, SamPrecision};
use spec::{Device, TF32_OFF, TF32_ON};

use super::WorkError;
use super::gpu_memory::card;
use crate::nn::kernels::Processor;

/// Refuses what the device would emulate, slower than float32 and less precise for nothing, or does not have.
pub(super) fn check(precision: Precision, device: Device) -> Result<(), WorkError> {
    match precision {
        Precision::Fp32 => Ok(()),
        Precision::Tf32 => check_tf32(device),
        Precision::Bf16 => check_bf16(device),
    }
}

/// The same for SAM.
pub(super) fn check_sam(precision: SamPrecision, device: Device) -> Result<(), WorkError> {
    match precision {
        SamPrecision::Fp32 => Ok(()),
        SamPrecision::Tf32 => check_tf32(device),
        SamPrecision::Bf16 => check_bf16(device),
        SamPrecision::Fp16 => check_fp16(device),
    }
}

fn check_bf16(device: Device) -> Result<(), WorkError> {
    match device {
        Device::Cuda(index) => check_card("bf16", capability(index)),
        Device::Cpu if Processor::here().bf16 => Ok(()),
        Device::Cpu => Err(refused(format!(
            "`precision: bf16` needs CUDA or a processor with AVX512-BF16; this is {}",
            Processor::here()
        ))),
    }
}

fn check_fp16(device: Device) -> Result<(), WorkError> {
    match device {
        Device::Cuda(_) => Ok(()),
        Device::Cpu => Err(on_cuda_only("fp16")),
    }
}

fn check_tf32(device: Device) -> Result<(), WorkError> {
    let Device::Cuda(index) = device else {
        return Err(on_cuda_only("tf32"));
    };
    // cuBLAS and cuDNN read both when they start: the engine sets them (`run/worker_env.rs`).
    let says = |name, value| std::env::var(name).is_ok_and(|text| text == value);
    if says(TF32_OFF.0, TF32_OFF.1) || !says(TF32_ON.0, TF32_ON.1) {
        return Err(WorkError::new(
            format!(
                "`precision: tf32` needs {}={} and not {}={} in the worker's environment",
                TF32_ON.0, TF32_ON.1, TF32_OFF.0, TF32_OFF.1
            ),
            "start it through `pipeline`, which sets them",
        ));
    }
    check_card("tf32", capability(index))
}

/// Ampere: the first with either format.
const LEAST: (i32, i32) = (8, 0);

/// Nothing is refused where the driver does not say what its card can do.
fn check_card(word: &str, capability: Option<(i32, i32)>) -> Result<(), WorkError> {
    match capability {
        Some(found) if found < LEAST => Err(WorkError::new(
            format!(
                "`precision: {word}` needs a GPU of compute capability {}.{} or higher; this one has {}.{}",
                LEAST.0, LEAST.1, found.0, found.1
            ),
            "use another GPU, or `precision: fp32`",
        )),
        _ => Ok(()),
    }
}

fn capability(index: usize) -> Option<(i32, i32)> {
    let visible = std::env::var("CUDA_VISIBLE_DEVICES").ok();
    Driver::load()?.capability(&card(visible.as_deref(), index))
}

fn on_cuda_only(word: &str) -> WorkError {
    refused(format!(
        "`precision: {word}` computes on CUDA only, and this stage is on the CPU"
    ))
}

fn refused(message: String) -> WorkError {
    WorkError::new(message, "use `--device cuda`, or `precision: fp32`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_before_ampere_have_neither_format() {
        let told = |capability| check_card("bf16", capability).map_err(|e| e.to_string());
        assert_eq!(told(None), Ok(()));
        assert_eq!(told(Some((8, 0))), Ok(()));
        assert_eq!(told(Some((9, 0))), Ok(()));
        let old =
            "`precision: bf16` needs a GPU of compute capability 8.0 or higher; this one has 7.5";
        assert_eq!(told(Some((7, 5))), Err(old.to_owned()));
    }

    #[test]
    fn what_cuda_alone_has_is_refused_on_the_processor() {
        for refused in [
            check(Precision::Tf32, Device::Cpu),
            check_sam(SamPrecision::Tf32, Device::Cpu),
            check_sam(SamPrecision::Fp16, Device::Cpu),
        ] {
            let text = refused.unwrap_err().to_string();
            assert!(text.contains("computes on CUDA only"), "{text}");
        }
        assert_eq!(check(Precision::Fp32, Device::Cpu), Ok(()));
    }

    #[test]
    fn a_worker_that_was_not_told_of_tf32_does_not_claim_to_compute_in_it() {
        let error = check(Precision::Tf32, Device::Cuda(0)).unwrap_err();
        assert!(error.to_string().contains(TF32_ON.0), "{error}");
    }
}
