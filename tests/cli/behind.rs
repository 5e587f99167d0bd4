//! What tables read behind their inputs: lists of images that a model was trained on. Sealed as inputs are, and compared
//! with what they were when they are made again. Unaware of workers, but for the stand-in.

use crate::support::Test;

/// A model that was trained on other images than it is judged on.
const YAML: &str = "\
stages:
  seen:
    prepare: {images: photos, degrade: {sr: 2}}
  others:
    prepare: {images: others, degrade: {sr: 2}}
  base:
    train: {backbone: {imdn: {scale: 2}}, images: seen, iterations: 10}
  score:
    evaluate: {model: base, images: others}
  t:
    table: {from: [score], rows: [backbone], columns: set}
";

fn room(hook: &str) -> Test {
    let test = Test::new().photos().photo("others/c.png", 32, 32);
    test.file("p.yaml", YAML).file("hook", hook)
}

#[test]
fn a_list_that_was_changed_after_it_was_made_is_made_again_before_a_table_reads_it() {
    let hook = r#"
lists() { echo cache/outputs/*/"$(cat seen.key)"/pairs.json; }
case $kind in
prepare) if grep -q '"a.png"\|photos' "$job"; then echo "$key" >seen.key; fi ;;
evaluate) sed -i 's/"seed":0/"seed":1/' $(lists) ;;
esac
"#;
    let test = room(hook).without_walls();
    test.run("run p.yaml")
        .exits(0)
        .says("again: t: its input is not what was stored any more: `seen` (damaged: pairs.json)")
        .says("again: seen: its result was changed after it was made; it is made again")
        .says("5 ran, 0 fresh, 0 failed");
    test.remove("hook");
    test.run("run p.yaml").exits(0).says("0 ran, 5 fresh");
    test.run("cache verify").exits(0);
}

#[test]
fn a_table_follows_a_list_that_was_made_again_with_other_bytes() {
    let test = room(r#"if [ $kind = prepare ]; then cp "$STUB_FOLDER/bytes" "$out/extra"; fi"#);
    test.write("bytes", "one");
    test.run("run p.yaml").exits(0).says("5 ran, 0 fresh");
    test.write("bytes", "two");
    for extra in test.outputs("prepare", "extra") {
        std::fs::remove_file(extra).unwrap();
    }
    test.run("plan p.yaml")
        .exits(0)
        .says("runs if `seen`, `others`, `score` comes out");
    test.run("run p.yaml")
        .exits(0)
        .says("again: t: its input `others`, `seen` was made again and differs");
}
