//! Each file comes back as it was written, and whatever else lies in its place is an error with a reason.
//! Unaware of stages.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::path::Path;

use artifacts::{
    ArtifactError, MaskEntry, MaskList, MaskRecord, MaskRecords, Metrics, ModelCard, PairEntry,
    PairList, Summary, Tally, steps,
};
use spec::backbones::Architecture;
use spec::kinds::{Degrade, Tiling};
use spec::names::Luma;

fn pairs() -> PairList {
    let pair = |name: &str, lq: Option<&str>| PairEntry {
        name: name.into(),
        hr: format!("hr/{name}.png"),
        lq: lq.map(str::to_owned),
        width: 4,
        height: 3,
        digest: "d".into(),
        notes: vec!["grey".into()],
    };
    PairList {
        degrade: Degrade::Sr(2),
        seed: 7,
        pairs: vec![pair("a", Some("lq/a.png")), pair("b", None)],
    }
}

fn card() -> ModelCard {
    let architecture = r#"{"imdn": {"scale": 2}}"#;
    ModelCard {
        architecture: serde_json::from_str::<Architecture>(architecture).unwrap(),
        spt: None,
        scheme: "train".into(),
        iterations: Some(3),
        iterations_run: Some(4),
        trainable: None,
        parameters: 5,
        validation_psnr: Some(30.25),
    }
}

#[test]
fn what_is_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    pairs().write(folder).unwrap();
    assert_eq!(PairList::read(folder).unwrap(), pairs());
    let image = MaskEntry {
        name: "a".into(),
        digest: "d".into(),
        file: "masks/a.masks".into(),
        found: 3,
        padded: 1,
        truncated: 0,
        tally: Some(Tally::default()),
    };
    let list = MaskList {
        count: 4,
        images: vec![image],
    };
    list.write(folder).unwrap();
    assert_eq!(MaskList::read(folder).unwrap(), list);
    let records = MaskRecords {
        masks: vec![MaskRecord {
            area: 3,
            bbox: [0, 1, 2, 2],
            predicted_iou: 0.95,
            stability_score: 0.9,
            point_coords: [0.5, 1.5],
            crop_box: [0, 0, 4, 3],
        }],
    };
    let masks = folder.join("a.masks");
    assert_eq!(MaskRecords::read(&masks).unwrap(), None);
    records.write(&masks).unwrap();
    assert_eq!(MaskRecords::read(&masks).unwrap(), Some(records));
    std::fs::write(folder.join("a.json"), r#"{"masks": [{"area": 3}]}"#).unwrap();
    let wrong = MaskRecords::read(&masks).unwrap_err().to_string();
    assert!(wrong.contains("bbox"), "{wrong}");
    card().write(folder).unwrap();
    assert_eq!(ModelCard::read(folder).unwrap(), card());
    let summary = Summary {
        images: 2,
        luma: Luma::Unrounded,
        shave: 4,
        tiling: Tiling::Side(64),
        masks_found: Some(2.5),
        model: card(),
    };
    summary.write(folder).unwrap();
    assert_eq!(Summary::read(folder).unwrap(), summary);
}

#[test]
fn values_that_are_no_finite_numbers_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let values = [
        ("psnr", vec![30.5, f64::INFINITY]),
        ("ssim", vec![0.5, f64::NAN]),
    ];
    let metrics = Metrics {
        images: vec!["a, \"b\"".into(), "c".into()],
        values: values.map(|(name, v)| (name.to_owned(), v)).into(),
    };
    metrics.write(folder).unwrap();
    let text = std::fs::read_to_string(folder.join("metrics.csv")).unwrap();
    assert_eq!(text, "image,psnr,ssim\n\"a, \"\"b\"\"\",30.5,0.5\nc,inf,\n");
    let read = Metrics::read(folder).unwrap();
    assert_eq!(read.images, metrics.images);
    assert_eq!(read.values["psnr"], metrics.values["psnr"]);
    let means = [("psnr".to_owned(), 65.25), ("ssim".to_owned(), 0.5)];
    assert_eq!(read.means(), BTreeMap::from(means));
    assert_eq!(read.by_image("ssim").len(), 1);
    assert!(read.by_image("lpips").is_empty());
}

#[test]
fn the_lines_of_a_training() {
    let folder = tempfile::tempdir().unwrap();
    let none: Option<f64> = None;
    let text = [
        steps::HEADER.to_owned(),
        steps::first_line(20.5),
        steps::line(1, 0.25, 0.001, none),
        steps::line(2, 0.125, 0.001, Some(30.0)),
        steps::line(3, 0.125, 0.001, Some(30.0)),
    ]
    .concat();
    steps::write(folder.path(), &text).unwrap();
    let read = steps::read(folder.path()).unwrap();
    assert_eq!(read.len(), 4);
    assert_eq!((read[1].iteration, read[1].psnr), (1, None));
    assert_eq!(steps::best(&read), Some((2, 30.0)));
}

fn refused<T: std::fmt::Debug>(
    name: &str,
    text: &str,
    read: impl Fn(&Path) -> artifacts::Result<T>,
) -> ArtifactError {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(name), text).unwrap();
    read(folder.path()).unwrap_err()
}

#[test]
fn what_is_something_else_is_refused() {
    let newer = refused(
        "pairs.json",
        r#"{"format": 2, "images": []}"#,
        PairList::read,
    );
    let said = newer.to_string();
    assert!(
        said.contains("it has format 2, and this program knows formats up to 1"),
        "{said}"
    );
    assert!(newer.hint().contains("the version of pipeline"));
    let torn = refused(
        "masks.json",
        r#"{"count": 3, "images": [{"na"#,
        MaskList::read,
    );
    assert!(matches!(torn, ArtifactError::Content { .. }), "{torn}");
    assert!(torn.hint().contains("--force"));
    for (text, why) in [
        ("image,psnr\n", "there is no image in it"),
        ("image,psnr\na,x\n", "`x` is not a number"),
        ("a,psnr\nimage,30\n", "its first column should be `image`"),
        ("image,psnr\na,1,2\n", "3 fields"),
    ] {
        let said = refused("metrics.csv", text, Metrics::read).to_string();
        assert!(said.contains(why), "{said}");
    }
    for (text, why) in [
        ("iteration,loss\n1,2\n", "it has no column `psnr`"),
        ("iteration,psnr\nx,2\n", "`x` is not a number"),
    ] {
        let said = refused("steps.csv", text, steps::read).to_string();
        assert!(said.contains(why), "{said}");
    }
    let folder = tempfile::tempdir().unwrap();
    let missing = ModelCard::read(folder.path()).unwrap_err();
    assert!(matches!(missing, ArtifactError::Io { .. }), "{missing}");
}
