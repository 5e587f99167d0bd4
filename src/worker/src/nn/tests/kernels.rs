//! The two ways to a linear layer, and which is chosen where.
//! Unaware of networks, whose numbers parity compares with whichever way this machine takes.

use tch::{Device, Kind, Tensor};

use crate::nn::kernels::{Kernels, Layout, Processor, Products, linear_by};

const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);

fn ramp(size: &[i64]) -> Tensor {
    let n = size.iter().product::<i64>();
    (Tensor::arange(n, FLOAT) * 0.37).sin().reshape(size)
}

fn apart(a: &Tensor, b: &Tensor) -> f64 {
    (a - b).abs().max().double_value(&[])
}

#[test]
fn both_ways_give_the_same_layer_for_every_form_of_input() {
    let (weight, bias) = (ramp(&[7, 5]), ramp(&[7]));
    let inputs = [
        ramp(&[5]),
        ramp(&[1, 5]),
        ramp(&[13, 5]),
        ramp(&[2, 3, 4, 5]),
        ramp(&[5, 6]).transpose(0, 1), // not contiguous
        ramp(&[0, 5]),
    ];
    for x in inputs {
        let by = |products| linear_by(products, &x, &weight, &bias);
        let (gemm, convolution) = (by(Products::Gemm), by(Products::Convolution));
        assert_eq!(gemm.size(), convolution.size());
        if x.numel() > 0 {
            assert!(apart(&gemm, &convolution) < 1e-5, "{:?}", x.size());
        }
    }
}

#[test]
fn both_ways_have_the_same_gradients() {
    let gradients = |products| {
        let [x, weight, bias] =
            [ramp(&[3, 4, 5]), ramp(&[7, 5]), ramp(&[7])].map(|t| t.set_requires_grad(true));
        let y = linear_by(products, &x, &weight, &bias);
        (y.sin().sum(Kind::Float)).backward();
        [x.grad(), weight.grad(), bias.grad()]
    };
    let (gemm, convolution) = (gradients(Products::Gemm), gradients(Products::Convolution));
    for (a, b) in gemm.iter().zip(&convolution) {
        assert!(a.abs().max().double_value(&[]) > 0.1 && apart(a, b) < 1e-5);
    }
}

#[test]
fn the_processor_decides_and_a_word_overrides_its_part() {
    let processor = |vendor: &str, avx512| Processor {
        vendor: vendor.into(),
        avx512,
        bf16: false,
        amx: false,
    };
    let text = |p: &Processor, overrides| Kernels::chosen(p, overrides).unwrap().to_string();
    let (zen, intel) = (
        processor("AuthenticAMD", true),
        processor("GenuineIntel", true),
    );
    assert_eq!(text(&zen, ""), "convolution,tiles,channels-last");
    assert_eq!(text(&intel, ""), "gemm,tiles,channels-last");
    assert_eq!(
        text(&processor("AuthenticAMD", false), ""),
        "gemm,tiles,planar"
    );
    assert_eq!(text(&Processor::default(), ""), "gemm,tiles,planar");
    assert_eq!(text(&zen, " gemm , planar "), "gemm,tiles,planar");
    assert_eq!(text(&zen, "planar"), "convolution,tiles,planar");
    let said = text(&intel, "convolution");
    assert_eq!(
        text(&Processor::default(), &said),
        said,
        "what is recorded can be asked for"
    );
    let amx = Processor {
        amx: true,
        ..intel.clone()
    };
    assert_eq!(text(&amx, ""), "gemm,amx,channels-last");
    assert_eq!(text(&amx, "planar"), "gemm,amx,planar");
    assert_eq!(text(&amx, "tiles"), "gemm,tiles,channels-last");
    assert_eq!(text(&zen, "gemm,amx,channels-last"), text(&amx, ""));
    let wrong = Kernels::chosen(&zen, "gemm,fast").unwrap_err();
    assert!(wrong.contains("found `fast`"), "{wrong}");
    assert_eq!(Kernels::of(&intel).layout, Layout::ChannelsLast);
}
