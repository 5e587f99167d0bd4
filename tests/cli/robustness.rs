//! The table of how well masks of LQ images agree with those of HQ images, and what it refuses.
//! Unaware of whether segmenters are any good.

use crate::support::Test;

const YAML: &str = "\
stages:
  pairs:
    prepare: {images: photos, degrade: {sr: 2}, name: tiny}
  masks:
    each: {granularity: [coarse, fine]}
    mask: {images: pairs, granularity: '{granularity}'}
  clean:
    each: {granularity: [coarse, fine]}
    mask: {images: pairs, granularity: '{granularity}', of: hr}
  it:
    robustness: {lq: [masks], hq: [clean], caption: Agreement}
";

#[test]
fn each_lq_stage_is_compared_with_the_hq_stage_of_its_settings() {
    let name = "each_lq_stage_is_compared_with_the_hq_stage_of_its_settings";
    let Some(test) = Test::with_worker(name).map(Test::photos) else {
        return;
    };
    test.write("p.yaml", YAML);
    test.run("run p.yaml")
        .exits(0)
        .says("6 ran, 0 fresh, 0 failed")
        .says("IoU of LQ in HQ");
    let table = test.read("reports/p/it.csv");
    let rows: Vec<Vec<&str>> = table.lines().map(|l| l.split(',').collect()).collect();
    let granularities: Vec<&str> = rows.iter().skip(1).map(|r| r[3]).collect();
    assert_eq!(granularities, ["coarse", "fine"], "{table}");
    let images = test.read("reports/p/it.images.csv");
    for row in images.lines().skip(1) {
        let cells: Vec<&str> = row.split(',').collect();
        for text in &cells[7..10] {
            let value: f64 = text.parse().unwrap();
            assert!((0.0..=1.0).contains(&value), "{images}");
        }
    }
    // The mean of the table is that of the images.
    let coarse = images.lines().filter(|l| l.contains(",coarse,"));
    let values: Vec<f64> = coarse
        .map(|l| l.split(',').nth(7).unwrap().parse().unwrap())
        .collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    assert_eq!(rows[1][7], format!("{mean:.4}"), "{table}{images}");
    test.run("run p.yaml")
        .exits(0)
        .says("0 ran, 6 fresh, 0 failed");
}

#[test]
fn masks_without_a_partner_or_of_the_wrong_side_are_refused_with_their_place() {
    let test = Test::new().photos();
    let refused = |from: &str, to: &str, message: &str| {
        assert!(YAML.contains(from), "{from}");
        test.write("p.yaml", YAML.replace(from, to));
        test.run("plan p.yaml").exits(2).says(message);
    };
    refused(
        "granularity: '{granularity}', of: hr",
        "granularity: '{granularity}', of: hr, grid: 5",
        "nothing in `hq` is the partner of `masks[granularity=coarse]`",
    );
    refused("lq: [masks]", "lq: [clean]", "are not masks of LQ images");
    refused(
        "hq: [clean]",
        "hq: [masks]",
        "are not masks of HQ images (`source: hq`)",
    );
    refused("lq: [masks]", "lq: [pairs]", "expected a `mask` stage");
    refused("lq: [masks]", "lq: []", "name masks of LQ images");
    refused("hq: [clean]", "hq: [clean, clean]", "p.yaml:11:");
}
