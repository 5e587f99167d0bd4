//! Compares the 8-bit resize with the 15 published low-resolution images of Set5, where these are at hand.
//! Unaware of where they come from: `PIPELINE_REAL` names the folder, else `shared/real` beside the checkout.

use std::path::PathBuf;

use pixels::{matlab_bicubic_u8, read_rgb8};

fn set5() -> PathBuf {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/real");
    PathBuf::from(std::env::var("PIPELINE_REAL").unwrap_or_else(|_| beside.into())).join("Set5")
}

#[test]
fn set5_is_resized_bit_for_bit() {
    if !set5().is_dir() {
        println!(
            "skipped set5_is_resized_bit_for_bit: no Set5 in the folder that PIPELINE_REAL names"
        );
        return;
    }
    for scale in [2, 3, 4] {
        for name in ["baby", "bird", "butterfly", "head", "woman"] {
            let hr = read_rgb8(&set5().join(format!("HR/{name}.png")))
                .unwrap()
                .image;
            let lr = set5().join(format!("LR_bicubic/X{scale}/{name}x{scale}.png"));
            let lr = read_rgb8(&lr).unwrap().image;
            let found = matlab_bicubic_u8(&hr.mod_crop(scale).unwrap(), scale);
            assert!(found == lr, "{name} x{scale}");
        }
    }
}
