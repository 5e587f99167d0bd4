//! `pipeline masks`: what a person gets of the masks of pictures of their own.
//! Unaware of how masks are computed.

use crate::support::Test;

#[test]
fn a_setting_of_another_segmenter_is_told_whose_it_is() {
    let test = Test::new().photos();
    let masks = |set: &str| test.run(&format!("masks photos/a.png -o out {set}"));
    masks("--set pred_iou_thresh=0.7")
        .exits(2)
        .says("`pred_iou_thresh` is a setting of Segment Anything, and without --weights the graph segmenter")
        .says("hint: give SAM's checkpoint, `--weights sam_vit_b_01ec64.pth --model vit-b`");
    masks("--set pred_iou_thresh=0.7 --set box_nms_thresh=0.5")
        .exits(2)
        .says("`box_nms_thresh`, `pred_iou_thresh` are settings of Segment Anything");
    masks("--set min_sise=5")
        .exits(2)
        .says("unknown field `min_sise`, expected one of `sigma`, `k`, `min_size`");
    assert!(!test.path("out").exists());
}
