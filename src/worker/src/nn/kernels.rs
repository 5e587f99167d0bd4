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
//! MKL's float32 kernels for AVX-512 run at half of what AMD's Zen 4 and Zen 5 can do; with AVX2 alone (Zen 3), or on
//! Intel's, the two are nearly equal, and a training step of ART takes as long by either. The choice is a table, not a race
//! at start: two equal machines must compute the same bytes.
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
    /// (`ATEN_CPU_CAPABILITY`, `ONEDNN_MAX_CPU_ISA`) count as absent.
    pub fn here() -> Self {
        let info = files::read_to_string(std::path::Path::new("/proc/cpuinfo"), CPUINFO_MOST);
        let info = info.unwrap_or_default();
        let [avx512, bf16, amx] = allowed(|name| std::env::var(name).ok());
        Self {
            vendor: vendor(&info),
            avx512: has_avx512() && avx512,
            bf16: has_bf16() && bf16,
            amx: has_bf16() && has_amx(&info) && amx,
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

/// Whether libtorch may use AVX-512, its products of bfloat16, and AMX, by the limits in the environment.
fn allowed(variable: impl Fn(&str) -> Option<String>) -> [bool; 3] {
    let limit = |name: &str| variable(name).unwrap_or_default().to_ascii_lowercase();
    let by_aten = !["default", "avx2"].contains(&limit("ATEN_CPU_CAPABILITY").as_str());
    ["ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"]
        .into_iter()
        .fold([by_aten; 3], |sets, name| {
            let within = within(&limit(name));
            [0, 1, 2].map(|at| sets[at] && within[at])
        })
}

/// The same of a limit in oneDNN's words, which has no limit where it does not know the word.
fn within(limit: &str) -> [bool; 3] {
    match limit {
        "sse41" | "avx" | "avx2" | "avx2_vnni" | "avx2_vnni_2" => [false; 3],
        "avx512_core" | "avx512_core_vnni" => [true, false, false],
        "avx512_core_bf16" | "avx512_core_fp16" | "avx10_1_512" => [true, true, false],
        _ => [true; 3],
    }
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
    /// Channels last gains on every processor with AVX-512 that was measured (1.06 to 1.2 × for a step of IMDN), and loses
    /// on the one with AVX2 alone (0.91 × on Zen 3). With AMX the encoder of SAM ViT-B in bfloat16 took 3.9 s by libtorch's
    /// attention and 4.4 s with that in float32.
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

    /// The choice for this processor, with what `overrides` says in place of its parts: `gemm` or `convolution`, `tiles` or
    /// `amx`, `planar` or `channels-last`, several with commas between them. Empty is no override.
    pub fn chosen(processor: &Processor, overrides: &str) -> Result<Self, String> {
        let mut kernels = Self::of(processor);
        for word in overrides.split(',').map(str::trim) {
            match word {
                "" => {}
                "gemm" => kernels.products = Products::Gemm,
                "convolution" => kernels.products = Products::Convolution,
                "planar" => kernels.layout = Layout::Planar,
                "channels-last" => kernels.layout = Layout::ChannelsLast,
                "tiles" => kernels.attention = Attention::Tiles,
                "amx" => kernels.attention = Attention::Amx,
                _ => {
                    return Err(format!(
                        "{VARIABLE} is `{overrides}`; expected `gemm` or `convolution`, `tiles` or `amx`, and `planar` or \
                         `channels-last`, with a comma between two, found `{word}`"
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
            Attention::Tiles => "tiles",
            Attention::Amx => "amx",
        };
        write!(f, "{products},{attention},{layout}")
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

/// What was chosen; by the processor alone where nobody chose. Whoever asks computes with it.
pub fn current() -> Kernels {
    ASKED.store(true, Ordering::Relaxed);
    choice()
}

/// The same, for whoever computes nothing with it.
pub fn choice() -> Kernels {
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

#[cfg(test)]
mod tests {
    use super::allowed;

    fn sets(limits: &[(&str, &str)]) -> [bool; 3] {
        allowed(|name| {
            let found = limits.iter().find(|(limited, _)| *limited == name);
            found.map(|(_, limit)| (*limit).to_owned())
        })
    }

    #[test]
    fn instructions_that_libtorch_may_not_use_count_as_absent() {
        let onednn = |limit| sets(&[("ONEDNN_MAX_CPU_ISA", limit)]);
        assert_eq!(sets(&[]), [true; 3]);
        assert_eq!(sets(&[("ATEN_CPU_CAPABILITY", "avx2")]), [false; 3]);
        assert_eq!(sets(&[("DNNL_MAX_CPU_ISA", "AVX2")]), [false; 3]);
        assert_eq!(onednn("AVX2"), [false; 3]);
        assert_eq!(onednn("AVX512_CORE_VNNI"), [true, false, false]);
        assert_eq!(onednn("AVX512_CORE"), [true, false, false]);
        assert_eq!(onednn("AVX512_CORE_BF16"), [true, true, false]);
        assert_eq!(onednn("AVX512_CORE_AMX"), [true; 3]);
        assert_eq!(onednn("ALL"), [true; 3]);
        let both = [
            ("ONEDNN_MAX_CPU_ISA", "ALL"),
            ("DNNL_MAX_CPU_ISA", "AVX512_CORE"),
        ];
        assert_eq!(sets(&both), [true, false, false]);
    }
}
