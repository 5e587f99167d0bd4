//! Which of libtorch's libraries multiplies matrices on this processor, and how images lie in memory there.
//! Unaware of networks; layers ask, whoever sets the process up decides.
//!
//! ```text
//!  /proc/cpuinfo, cpuid ──> Processor ──┐
//!                                       ├──> Kernels ──> linear(), is_channels_last() ──> layers, batches
//!  PIPELINE_KERNELS ──> parse() ────────┘        └──────> the stage's record, `pipeline doctor`
//! ```
//!
//! libtorch has two libraries for the product of a linear layer: MKL, which `linear` calls, and oneDNN, which computes
//! the same as a 1×1 convolution. Which is faster depends on the maker of the processor and on its instructions:
//! MKL's float32 kernels for AVX-512 run at half of what AMD's Zen 5 can do, and on Zen 4, or with AVX2, the two are
//! nearly equal. The choice is a table, not a race at start: two equal machines must compute the same bytes.
//! `benches/products.rs` prints the figures behind the table for the processor it runs on.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use tch::{Device, Tensor};

/// The environment variable that overrides the choice; see [`Kernels::chosen`].
pub const VARIABLE: &str = "PIPELINE_KERNELS";

/// What computes the product of a linear layer on the CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Products {
    /// `linear`, a matrix product by MKL.
    Gemm,
    /// The same as a 1×1 convolution, by oneDNN.
    Convolution,
}

/// How images of (B, C, H, W) lie in memory while a network is trained on the CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// A plane for each channel, `PyTorch`'s default.
    Planar,
    /// The channels of a pixel side by side.
    ChannelsLast,
}

/// What computes the attention of SAM's image encoder in bfloat16 on the CPU. In float32 it is [`Attention::Tiles`] always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attention {
    /// In float32, by `sam/fused.rs`.
    Tiles,
    /// By libtorch's fused kernel, whose products of bfloat16 use the tile registers of AMX.
    Amx,
}

/// The choice for one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernels {
    /// For linear layers.
    pub products: Products,
    /// For training.
    pub layout: Layout,
    /// For SAM's image encoder in bfloat16.
    pub attention: Attention,
}

/// What the choice depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Processor {
    /// As the processor names it: `AuthenticAMD`, `GenuineIntel`. Empty where it is not known.
    pub vendor: String,
    /// AVX-512 is there, and libtorch may use it.
    pub avx512: bool,
    /// Instructions for products of bfloat16 are there, and libtorch may use them.
    pub bf16: bool,
    /// AMX's tile registers for products of bfloat16 are there, and libtorch may use them.
    pub amx: bool,
}

impl Processor {
    /// The processor that this process runs on. Instructions that libtorch was told to leave alone
    /// (`ATEN_CPU_CAPABILITY`, `DNNL_MAX_CPU_ISA`) count as absent.
    pub fn here() -> Self {
        let held_back = ["ATEN_CPU_CAPABILITY", "DNNL_MAX_CPU_ISA"]
            .iter()
            .filter_map(|name| std::env::var(name).ok())
            .any(|value| is_below_avx512(&value));
        let info = files::read_to_string(std::path::Path::new("/proc/cpuinfo"), CPUINFO_MOST);
        let info = info.unwrap_or_default();
        // oneDNN's names of instruction sets with AMX say so; under any other limit it counts as absent.
        let without_amx = ["DNNL_MAX_CPU_ISA", "ONEDNN_MAX_CPU_ISA"]
            .iter()
            .filter_map(|name| std::env::var(name).ok())
            .any(|limit| !limit.to_ascii_lowercase().contains("amx"));
        Self {
            vendor: vendor(&info),
            avx512: has_avx512() && !held_back,
            bf16: has_bf16() && !held_back,
            amx: has_bf16() && has_amx(&info) && !held_back && !without_amx,
        }
    }
}

impl fmt::Display for Processor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let vendor = if self.vendor.is_empty() {
            "a processor of unknown make"
        } else {
            &self.vendor
        };
        let instructions = match (self.avx512, self.bf16, self.amx) {
            (false, ..) => "without AVX-512",
            (true, false, _) => "with AVX-512",
            (true, true, false) => "with AVX-512 and AVX512-BF16",
            (true, true, true) => "with AVX-512, AVX512-BF16 and AMX",
        };
        write!(f, "{vendor} {instructions}")
    }
}

/// More than the text of `/proc/cpuinfo` on the largest machines.
const CPUINFO_MOST: u64 = 64 << 20;

/// Whether a limit on instruction sets, in the words of `PyTorch` or of oneDNN, leaves AVX-512 out.
fn is_below_avx512(limit: &str) -> bool {
    let limit = limit.to_ascii_lowercase();
    [
        "default",
        "sse41",
        "avx",
        "avx2",
        "avx2_vnni",
        "avx2_vnni_2",
    ]
    .contains(&limit.as_str())
}

fn vendor(cpuinfo: &str) -> String {
    let line = cpuinfo.lines().find(|l| l.starts_with("vendor_id"));
    let value = line.and_then(|l| l.split_once(':'));
    value.map_or_else(String::new, |(_, v)| v.trim().to_owned())
}

/// Whether the kernel says so: the compiler's own question is not stable yet.
fn has_amx(cpuinfo: &str) -> bool {
    let flags = cpuinfo.lines().find(|l| l.starts_with("flags"));
    flags.is_some_and(|l| l.split_whitespace().any(|flag| flag == "amx_bf16"))
}

#[cfg(target_arch = "x86_64")]
fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw")
}

#[cfg(not(target_arch = "x86_64"))]
const fn has_avx512() -> bool {
    false
}

#[cfg(target_arch = "x86_64")]
fn has_bf16() -> bool {
    is_x86_feature_detected!("avx512bf16")
}

#[cfg(not(target_arch = "x86_64"))]
const fn has_bf16() -> bool {
    false
}

impl Kernels {
    /// The choice for a processor.
    ///
    /// Channels last gains on every processor with AVX-512 that was measured (1.06 to 1.2 × for a step of IMDN), and is
    /// left out below it, where published numbers of small trainings were made without. With AMX the encoder of SAM ViT-B in
    /// bfloat16 took 3.9 s by libtorch's attention and 4.4 s with that in float32.
    pub fn of(processor: &Processor) -> Self {
        Self {
            products: if processor.avx512 && processor.vendor == "AuthenticAMD" {
                Products::Convolution
            } else {
                Products::Gemm
            },
            layout: if processor.avx512 {
                Layout::ChannelsLast
            } else {
                Layout::Planar
            },
            attention: if processor.amx {
                Attention::Amx
            } else {
                Attention::Tiles
            },
        }
    }

    /// The choice for this processor, with what `overrides` says in place of its parts: `gemm` or `convolution`, `planar`
    /// or `channels-last`, several with commas between them; attention is in tiles but for `amx`. Empty is no override.
    pub fn chosen(processor: &Processor, overrides: &str) -> Result<Self, String> {
        let mut kernels = Self::of(processor);
        if !overrides.trim().is_empty() {
            kernels.attention = Attention::Tiles;
        }
        for word in overrides.split(',').map(str::trim) {
            match word {
                "" => {}
                "gemm" => kernels.products = Products::Gemm,
                "convolution" => kernels.products = Products::Convolution,
                "planar" => kernels.layout = Layout::Planar,
                "channels-last" => kernels.layout = Layout::ChannelsLast,
                "amx" => kernels.attention = Attention::Amx,
                _ => {
                    return Err(format!(
                        "{VARIABLE} is `{overrides}`; expected `gemm` or `convolution`, `planar` or `channels-last`, and \
                         `amx` or not, with a comma between two, found `{word}`"
                    ));
                }
            }
        }
        Ok(kernels)
    }
}

impl fmt::Display for Kernels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let products = match self.products {
            Products::Gemm => "gemm",
            Products::Convolution => "convolution",
        };
        let layout = match self.layout {
            Layout::Planar => "planar",
            Layout::ChannelsLast => "channels-last",
        };
        let attention = match self.attention {
            Attention::Tiles => "",
            Attention::Amx => "amx,",
        };
        write!(f, "{products},{attention}{layout}")
    }
}

static CHOSEN: OnceLock<Kernels> = OnceLock::new();
static ASKED: AtomicBool = AtomicBool::new(false);

/// Makes the choice for this process: by the processor, and by [`VARIABLE`] where it is set. Once, before any layer.
pub fn choose() -> Result<Kernels, String> {
    let overrides = std::env::var(VARIABLE).unwrap_or_default();
    let kernels = Kernels::chosen(&Processor::here(), &overrides)?;
    Ok(*CHOSEN.get_or_init(|| kernels))
}

/// What was chosen; by the processor alone where nobody chose.
pub fn current() -> Kernels {
    ASKED.store(true, Ordering::Relaxed);
    *CHOSEN.get_or_init(|| Kernels::of(&Processor::here()))
}

/// What was chosen, where anything was computed with it.
pub fn used() -> Option<Kernels> {
    let asked = ASKED.load(Ordering::Relaxed);
    CHOSEN.get().copied().filter(|_| asked)
}

/// The linear layer of `x` (…, `c_in`) with `weight` (`c_out`, `c_in`) and `bias` (`c_out`): (…, `c_out`).
pub fn linear(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Tensor {
    linear_by(current().products, x, weight, bias)
}

/// The same by a kernel of choice.
pub fn linear_by(products: Products, x: &Tensor, weight: &Tensor, bias: &Tensor) -> Tensor {
    if products == Products::Gemm || x.device() != Device::Cpu || x.numel() == 0 {
        return x.linear(weight, Some(bias));
    }
    let (outputs, inputs) = (weight.size()[0], weight.size()[1]);
    let mut size = x.size();
    // Rows as the pixels of an image whose channels are innermost: the same memory, seen otherwise.
    let pixels = x.reshape([1, 1, -1, inputs]).permute([0, 3, 1, 2]); // (1, c_in, 1, rows)
    let weight = weight.view([outputs, inputs, 1, 1]);
    let out = pixels.conv2d(&weight, Some(bias), 1, 0, 1, 1); // (1, c_out, 1, rows)
    if let Some(last) = size.last_mut() {
        *last = outputs;
    }
    out.permute([0, 2, 3, 1]).reshape(size) // (…, c_out)
}
