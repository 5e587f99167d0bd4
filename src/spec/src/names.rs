//! The closed sets of names a pipeline file may use: variants, schemes, granularities, protocols.
//! Unaware of stages, files and networks; each enum is spelled the same in YAML, in keys and in tables.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Declares an enum of names with one spelling each, used by serde, by keys and by tables.
macro_rules! names {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $text)] $variant,)+ }

        impl $name {
            /// All members, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The one spelling of this name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

names! {
    /// How an SPT unit mixes feature, masks and prior (paper, equations 6 to 8 and Table 3 left).
    Variant {
        /// The full unit of equations 7 and 8 ("ours").
        Spt = "spt",
        /// `F'_i = f(M)`: the feature does not enter the fusion (SPT-F_i).
        SptF = "spt_f",
        /// No head and no prior branch: `F_i^spt = feat(F'_i) + F'_i` (SPT-P_i).
        SptP = "spt_p",
        /// `F_i^spt = f([M, F_i, P_1])`, no prior branch (SPT-cat).
        SptCat = "spt_cat",
    }
}

names! {
    /// Whether units share weights.
    Share {
        /// Each block has a unit of its own.
        None = "none",
        /// One unit's weights serve all blocks.
        Units = "units",
    }
}

names! {
    /// How SPT units start.
    Init {
        /// PyTorch's default for convolutions: tuning starts below the baseline.
        Default = "default",
        /// The last convolutions of `fuse` and `feat` (of `cat` in SPT-cat) are zero: tuning starts at the baseline.
        Identity = "identity",
    }
}

names! {
    /// What is trained.
    Scheme {
        /// The backbone is frozen, the SPT units are trained.
        Spt = "spt",
        /// All of the backbone is trained, without units and masks.
        Full = "full",
    }
}

names! {
    /// Which pixels of a mask file are inside.
    MaskReading {
        /// Colours other than black.
        Nonzero = "nonzero",
        /// Brightness of half or more.
        Half = "half",
        /// Opacity of half or more.
        Alpha = "alpha",
        /// Palette indices other than 0.
        Index = "index",
    }
}

names! {
    /// Granularity of the masks: prompt points a side and number of masks (paper §3.2, Table 6).
    Granularity {
        /// 8×8 points, 64 masks.
        Coarse = "coarse",
        /// 16×16 points, 128 masks.
        Medium = "medium",
        /// 24×24 points, 256 masks.
        Fine = "fine",
    }
}

impl Granularity {
    /// Prompt points a side of the regular grid.
    pub const fn grid(self) -> usize {
        match self {
            Self::Coarse => 8,
            Self::Medium => 16,
            Self::Fine => 24,
        }
    }

    /// `N_c`, the number of masks an image has after padding or truncation.
    pub const fn masks(self) -> usize {
        match self {
            Self::Coarse => 64,
            Self::Medium => 128,
            Self::Fine => 256,
        }
    }
}

names! {
    /// Which image of a pair.
    PairImage {
        /// The degraded one, which a network gets.
        Lq = "lq",
        /// The one without degradation: HR, ground truth.
        #[serde(alias = "hr")]
        Hq = "hq",
    }
}

names! {
    /// In which order SAM's masks are taken where there is not room for all.
    MaskOrder {
        /// As the generator returns them: by predicted IoU, unless there are crops or clean-up.
        Generator = "generator",
        /// The largest first.
        Area = "area",
        /// The highest predicted IoU first.
        PredictedIou = "predicted-iou",
    }
}

names! {
    /// The number format of SAM's image encoder.
    SamPrecision {
        /// 32 bits.
        Fp32 = "fp32",
        /// 32 bits, of which products see 19, also in the mask decoder; on CUDA only, from compute capability 8.0 on.
        Tf32 = "tf32",
        /// bfloat16; on CUDA, and on processors with AVX512-BF16.
        Bf16 = "bf16",
        /// IEEE half precision; on CUDA only.
        Fp16 = "fp16",
    }
}

names! {
    /// What PSNR and SSIM are computed on.
    MetricChannel {
        /// BT.601 Y in floating point, as `BasicSR` does (ART, CAT).
        #[serde(alias = "unrounded")]
        Y = "y",
        /// BT.601 Y rounded to 8 bits, as IMDN's own test code does.
        #[serde(alias = "rounded")]
        YRounded = "y_rounded",
        /// No Y channel: the mean over R, G and B (denoising).
        Rgb = "rgb",
    }
}

impl MetricChannel {
    /// The word for it in keys, stored files and tables.
    pub const fn luma(self) -> Luma {
        match self {
            Self::Y => Luma::Unrounded,
            Self::YRounded => Luma::Rounded,
            Self::Rgb => Luma::Rgb,
        }
    }
}

names! {
    /// [`MetricChannel`] as stored files and tables spell it.
    Luma {
        /// BT.601 Y rounded to 8 bits, as IMDN's own test code does.
        Rounded = "rounded",
        /// BT.601 Y in floating point, as `BasicSR` does (ART, CAT).
        Unrounded = "unrounded",
        /// No Y channel: the mean over R, G and B (denoising).
        Rgb = "rgb",
    }
}

names! {
    /// The training loss, on the unclamped output.
    Loss {
        /// Mean absolute error.
        L1 = "l1",
        /// `mean(sqrt(d² + 1e-6))`, epsilon 1e-3 as ART's denoising was trained.
        Charbonnier = "charbonnier",
    }
}

names! {
    /// The numbers that a network computes with. Weights, moments, loss and what is handed on are `fp32` in all.
    Precision {
        /// 32-bit floating point: the reference.
        Fp32 = "fp32",
        /// The same, but that convolutions and products of matrices round their factors to 10 bits of mantissa
        /// (`TensorFloat-32`); on CUDA only, from compute capability 8.0 on.
        Tf32 = "tf32",
        /// Convolutions, linear layers and attention in bfloat16 (8 bits of mantissa); on CUDA from compute capability
        /// 8.0 on, and on processors with AVX512-BF16.
        Bf16 = "bf16",
    }
}

names! {
    /// Which weights a training stage hands on.
    Weights {
        /// Those with the best validation PSNR.
        Best = "best",
        /// The same, where the weights that the training begins with count too: a training that only loses hands those on.
        BestOrInitial = "best-or-initial",
        /// Those of the last iteration.
        Last = "last",
    }
}

names! {
    /// A data set by name; [`crate::datasets`] says where it lies and what it holds.
    Dataset {
        /// DIV2K's 800 training images.
        Div2k = "div2k",
        /// DIV2K's validation images 0801 to 0810: what trainings stop by.
        Div2kVal = "div2k-val",
        /// `Flickr2K`.
        Flickr2k = "flickr2k",
        /// The 400 images of BSDS500 that are trained on.
        Bsd500 = "bsd500",
        /// Waterloo Exploration Database.
        Wed = "wed",
        /// Set5.
        Set5 = "set5",
        /// Set14.
        Set14 = "set14",
        /// B100 (also BSD100).
        B100 = "b100",
        /// Urban100.
        Urban100 = "urban100",
        /// Manga109.
        Manga109 = "manga109",
        /// BSD68 in colour (also CBSD68).
        Bsd68 = "bsd68",
        /// Kodak24.
        Kodak24 = "kodak24",
        /// `McMaster`.
        McMaster = "mcmaster",
        /// For demonstrations: crops of three photographs to train on.
        SampleTrain = "sample-train",
        /// For demonstrations: a crop of one photograph to stop by.
        SampleVal = "sample-val",
        /// For demonstrations: the astronaut.
        SampleA = "sample-a",
        /// For demonstrations: the cat.
        SampleB = "sample-b",
        /// For demonstrations: the rocket.
        SampleC = "sample-c",
        /// For demonstrations: the astronaut and the cat.
        SampleD = "sample-d",
        /// For demonstrations: the cat and the rocket.
        SampleE = "sample-e",
    }
}
