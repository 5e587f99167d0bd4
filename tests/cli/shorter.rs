//! Trainings that start from where a shorter one ended: only from one that was made from the same bytes.
//! Unaware of workers, but for the stand-in.

use crate::support::Test;

/// Each training leaves a state, as those of the worker do, and notes where it starts; `bytes` goes into the pairs.
const TRAINS: &str = r#"
case $kind in
prepare) cp "$STUB_FOLDER/bytes" "$out/a.bin" ;;
train)
    mkdir -p "$state/last"
    echo "state of $key" >"$state/last/state.safetensors"
    facts="{\"iterations_run\":$(sed -n 's/^ *"iterations": \([0-9]*\),/\1/p' "$job")}"
    start=$(value start)
    if [ -n "$start" ]; then cat "$start/state.safetensors" >"$STUB_FOLDER/started"; fi
    ;;
esac
"#;

#[test]
fn a_longer_training_starts_only_from_one_that_was_made_from_the_same_bytes() {
    let yaml = "\
stages:
  pairs:
    prepare: {images: photos, degrade: {sr: 2}}
  base:
    train: {backbone: {imdn: {scale: 2}}, images: pairs, iterations: 10}
";
    let test = Test::new()
        .photos()
        .file("p.yaml", yaml)
        .file("hook", TRAINS)
        .file("bytes", "one");
    let with = |iterations: u32| {
        let _ = std::fs::remove_file(test.path("started"));
        test.run(&format!(
            "run p.yaml --set stages.base.train.iterations={iterations}"
        ))
        .exits(0)
    };
    let made_again = |bytes: &str| {
        test.write("bytes", bytes);
        std::fs::remove_file(test.output("prepare", "a.bin")).unwrap();
    };
    with(10);
    with(20).never_says("from the beginning");
    let of_one = test.read("started");
    assert!(of_one.starts_with("state of "));
    made_again("two");
    with(30).says(
        "a shorter training with the same settings ended at iteration 20, but was made from other bytes of `images`; \
         starting from the beginning",
    );
    assert_eq!(test.read("started"), "");
    // That of the new bytes is there beside those of the earlier ones, whose time may come again.
    with(40).never_says("from the beginning");
    let of_two = test.read("started");
    assert!(of_two.starts_with("state of ") && of_two != of_one);
    made_again("one");
    with(25).never_says("from the beginning");
    assert!(test.read("started").starts_with("state of "));
}
