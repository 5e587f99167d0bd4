//! Official weights through the shipped pipeline files: IMDN's published Set5 baselines to all four decimals, `DnCNN`'s as
//! plain `PyTorch` gives them.
//! Unaware of how they are computed. Reads the folder of `PIPELINE_REAL`, else `../shared/real` beside the checkout.

use std::path::{Path, PathBuf};

use crate::support::Test;

fn real() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/real");
    let folder = std::env::var_os("PIPELINE_REAL").map_or(beside, PathBuf::from);
    folder.join("imdn/IMDN_x4.pth").is_file().then_some(folder)
}

#[test]
fn official_weights_give_the_published_set5_baselines() {
    let name = "official_weights_give_the_published_set5_baselines";
    let Some(test) = Test::with_worker(name) else {
        return;
    };
    let Some(real) = real() else {
        println!("skipped: {name}: no real weights (set PIPELINE_REAL)");
        return;
    };
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines/imdn-baselines.yaml");
    let test = test.file("imdn.yaml", std::fs::read(shipped).unwrap());
    let status = test
        .command("run imdn.yaml -q")
        .env("PIPELINE_REAL", real)
        .status()
        .unwrap();
    assert!(status.success(), "{status}");
    assert_eq!(
        test.read("reports/imdn/psnr.csv"),
        "backbone,scale,Set5,Average\n\
         IMDN,×2,37.9105,37.9105\n\
         IMDN,×3,34.3233,34.3233\n\
         IMDN,×4,32.1867,32.1867\n"
    );
}

/// Reference: plain `PyTorch` 2.11 on photographs decoded by Pillow, noise by `NumPy` after `seed(0)` for each image.
#[test]
fn official_dncnn_weights_give_what_pytorch_gives() {
    let name = "official_dncnn_weights_give_what_pytorch_gives";
    let Some(test) = Test::with_worker(name) else {
        return;
    };
    let Some(real) = real() else {
        println!("skipped: {name}: no real weights (set PIPELINE_REAL)");
        return;
    };
    let shipped =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines/dncnn-denoising.yaml");
    let test = test.file("dncnn.yaml", std::fs::read(shipped).unwrap());
    let status = test
        .command("run dncnn.yaml baselines -q --set vars.sigmas=[25]")
        .env("PIPELINE_REAL", real)
        .status()
        .unwrap();
    assert!(status.success(), "{status}");
    let folder = test.run("path --report").exits(0).stdout;
    let table = Path::new(folder.trim()).join("baselines.csv");
    assert_eq!(
        std::fs::read_to_string(table).unwrap(),
        "backbone,sigma,BSD-valid\nDnCNN,25,31.4150\n"
    );
}
