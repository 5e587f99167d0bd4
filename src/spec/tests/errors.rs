//! What is said of wrong pipeline files, word for word: place, path, message, the line with a caret, hint.
//! Unaware of the program around it; files and environment are given as maps.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::path::Path;

use spec::backbones::Architecture;
use spec::kinds::{Degrade, Until};
use spec::metrics::Metric;
use spec::names::{Granularity, Init, Loss, Luma, Scheme, Share, Variant, Weights};
use spec::segmenters::Segmenter;
use spec::{Kind, Pipeline, Request};

/// The stages that the examples refer to.
const PAIRS: &str = "\
stages:
  pairs:
    prepare: {images: photos, degrade: {sr: 4}}
  masks:
    mask: {images: pairs}
  base:
    train: {backbone: {imdn: {scale: 4}}, images: pairs, iterations: 9}
";

/// Loads `p.yaml` from these files.
fn load(
    files: &[(&str, &str)],
    env: &[(&str, &str)],
    overrides: &[&str],
) -> Result<Pipeline, String> {
    let read = |path: &Path| {
        let found = files.iter().find(|(name, _)| Path::new(name) == path);
        found
            .map(|(_, text)| (*text).to_owned())
            .ok_or_else(|| std::io::Error::other("it is not there"))
    };
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let env: BTreeMap<String, String> = env.iter().map(pair).collect();
    let overrides: Vec<String> = overrides.iter().map(|o| (*o).to_owned()).collect();
    let request = Request {
        file: Path::new("p.yaml"),
        env: &env,
        overrides: &overrides,
        read: &read,
    };
    Pipeline::load(&request).map_err(|e| e.to_string())
}

fn pipeline(yaml: &str) -> Pipeline {
    load(&[("p.yaml", yaml)], &[], &[]).unwrap_or_else(|e| panic!("{e}"))
}

fn kind_of(pipeline: &Pipeline, name: &str) -> Kind {
    let stage = pipeline.stages.iter().find(|s| s.name == name);
    stage.unwrap().kind.clone()
}

/// The whole text that is said of `PAIRS` with these lines below it.
#[track_caller]
fn says(lines: &str, expected: &str) {
    says_of(&[("p.yaml", &format!("{PAIRS}{lines}"))], expected);
}

#[track_caller]
fn says_of(files: &[(&str, &str)], expected: &str) {
    let found = load(files, &[], &[]).unwrap_err();
    assert_eq!(found.trim_end(), expected.trim_end(), "\n{found}");
}

#[track_caller]
fn set_says(overrides: &[&str], expected: &str) {
    let found = load(&[("p.yaml", PAIRS)], &[], overrides).unwrap_err();
    assert_eq!(found.trim_end(), expected, "\n{found}");
}

#[test]
fn a_typo_in_a_field() {
    says(
        "  t:\n    tune: {backbone: base, images: pairs, mask: masks, iterations: 9}\n",
        "\
p.yaml:9:43: stages.t.tune: unknown field `mask`
 9 |     tune: {backbone: base, images: pairs, mask: masks, iterations: 9}
   |                                           ^
hint: did you mean `masks`?",
    );
}

#[test]
fn a_field_like_no_other_lists_what_there_is() {
    says(
        "  m:\n    mask:\n      images: pairs\n      colour: red\n",
        "\
p.yaml:11:7: stages.m.mask: unknown field `colour`
 11 |       colour: red
    |       ^
hint: known fields: images, source, granularity, grid, count, segmenter",
    );
}

#[test]
fn a_wrong_name_in_a_sweep_points_at_the_written_text() {
    says(
        "  t:\n    each: {variant: [spt, sptf, spt_p]}\n    tune: {backbone: base, images: pairs, masks: masks, iterations: 9}\n",
        "\
p.yaml:9:27: stages.t.tune.variant: unknown name `sptf`
 9 |     each: {variant: [spt, sptf, spt_p]}
   |                           ^
hint: did you mean `spt`?",
    );
}

#[test]
fn a_wrong_number_in_a_variable_points_at_where_it_is_written() {
    let yaml = format!(
        "vars:\n  much: a lot\n{PAIRS}  t:\n    tune: {{scheme: full, backbone: base, images: pairs, iterations: 9, lr: \"{{much}}\"}}\n"
    );
    says_of(
        &[("p.yaml", &yaml)],
        "\
p.yaml:11:76: stages.t.tune.lr: expected a number, found `a lot`
 11 |     tune: {scheme: full, backbone: base, images: pairs, iterations: 9, lr: \"{much}\"}
    |                                                                            ^",
    );
}

#[test]
fn numbers_among_the_words_of_a_command_are_what_they_are_called() {
    let yaml = "stages:\n  c:\n    each: {alpha: [0.5, 2]}\n    command: {run: [x, '{alpha}', true], env: {A: '{alpha}'}, outputs: ['{alpha}.txt']}\n";
    let request = spec::Request {
        file: std::path::Path::new("p.yaml"),
        env: &std::collections::BTreeMap::new(),
        overrides: &[],
        read: &|_| Ok(yaml.to_owned()),
    };
    let pipeline = spec::Pipeline::load(&request).unwrap();
    let spec::Kind::Command(command) = &pipeline.stages[0].kind else {
        panic!("no command")
    };
    assert_eq!(command.run, ["x", "0.5", "true"]);
    assert_eq!(command.env["A"], "0.5");
}

#[test]
fn a_command_reads_all_members_of_a_sweep_each_as_a_folder() {
    let roles = |reference: &str| {
        let yaml = format!(
            "stages:\n  a:\n    each: {{n: [1, 2]}}\n    command: {{run: [x], outputs: ['a{{n}}']}}\n  b:\n    command: \
             {{run: [x], stages: {{all: '{reference}'}}, outputs: [b]}}\n"
        );
        let request = spec::Request {
            file: std::path::Path::new("p.yaml"),
            env: &std::collections::BTreeMap::new(),
            overrides: &[],
            read: &|_| Ok(yaml.clone()),
        };
        let loaded = spec::Pipeline::load(&request).map_err(|e| e.to_string())?;
        let edges = &loaded.stages[2].inputs;
        Ok::<_, String>(edges.iter().map(|e| e.role.clone()).collect::<Vec<_>>())
    };
    assert_eq!(roles("a").unwrap(), ["stages.all.n=1", "stages.all.n=2"]);
    assert_eq!(roles("a[2]").unwrap(), ["stages.all"]);
}

#[test]
fn wrong_types_in_plain_words() {
    let cases = [
        (
            "iterations: many",
            "70: stages.t.train.iterations: expected a whole number, not below 0, found `many`",
        ),
        (
            "iterations: \"4\"",
            "70: stages.t.train.iterations: expected a whole number, not below 0, found the text `\"4\"`",
        ),
        (
            "iterations: '4x'",
            "70: stages.t.train.iterations: expected a whole number, not below 0, found `4x`",
        ),
        (
            "iterations: -3",
            "70: stages.t.train.iterations: expected a whole number, not below 0, found the number `-3`",
        ),
        (
            "iterations: 2.5",
            "70: stages.t.train.iterations: expected a whole number, not below 0, found the number `2.5`",
        ),
        (
            "augment: 1",
            "67: stages.t.train.augment: expected `true` or `false`, found the number `1`",
        ),
        (
            "lr: fast",
            "62: stages.t.train.lr: expected a number, found `fast`",
        ),
        (
            "betas: 0.9",
            "65: stages.t.train.betas: expected a list of 2 values, found the number `0.9`",
        ),
        (
            "betas: [0.9]",
            "65: stages.t.train.betas: expected a list of 2 values, found 1",
        ),
        (
            "validate: pairs",
            "68: stages.t.train.validate: expected a mapping, found `pairs`",
        ),
        (
            "loss: [l1]",
            "64: stages.t.train.loss: expected one name, found a list",
        ),
    ];
    for (field, expected) in cases {
        let line =
            format!("    train: {{backbone: {{imdn: {{scale: 4}}}}, images: pairs, {field}}}");
        let found = load(&[("p.yaml", &format!("{PAIRS}  t:\n{line}\n"))], &[], &[]).unwrap_err();
        let first = found.lines().next().unwrap();
        assert_eq!(first, format!("p.yaml:9:{expected}"), "\n{found}");
    }
}

#[test]
fn a_duplicate_key() {
    says(
        "  base:\n    mask: {images: pairs}\n",
        "\
p.yaml:8:3: `base` stands twice here
 8 |   base:
   |   ^",
    );
    says(
        "  m:\n    mask: {images: pairs, count: 8, count: 9}\n",
        "\
p.yaml:9:37: `count` stands twice here
 9 |     mask: {images: pairs, count: 8, count: 9}
   |                                     ^",
    );
}

#[test]
fn two_kinds_in_one_stage_or_none() {
    says(
        "  m:\n    mask: {images: pairs}\n    prepare: {images: photos, degrade: {sr: 2}}\n",
        "\
p.yaml:10:5: stages.m: a stage has one kind, found `mask` and `prepare`
 10 |     prepare: {images: photos, degrade: {sr: 2}}
    |     ^",
    );
    says(
        "  m:\n    resources: {threads: 1}\n",
        "\
p.yaml:8:3: stages.m: the stage has no kind
 8 |   m:
   |   ^
hint: kinds: prepare, mask, pretrained, train, tune, evaluate, table, figure, robustness, command",
    );
}

#[test]
fn a_list_is_no_mapping() {
    says(
        "  m:\n    mask: {images: pairs}\n    resources: []\n",
        "\
p.yaml:10:16: stages.m.resources: expected a mapping, found a list
 10 |     resources: []
    |                ^",
    );
}

#[test]
fn an_unknown_field_at_the_top() {
    says_of(
        &[("p.yaml", "stage:\n  a: b\n")],
        "\
p.yaml:1:1: unknown field `stage`
 1 | stage:
   | ^
hint: did you mean `stages`?",
    );
}

#[test]
fn a_missing_field() {
    says(
        "  p:\n    prepare: {images: photos}\n",
        "\
p.yaml:9:14: stages.p.prepare: the field `degrade` is missing
 9 |     prepare: {images: photos}
   |              ^
hint: add `degrade: …`",
    );
}

#[test]
fn values_of_set_are_named_by_what_was_typed() {
    set_says(
        &["stages.base"],
        "--set stages.base: expected `path=value`\nhint: write --set stages.NAME.KIND.FIELD=VALUE",
    );
    set_says(
        &["stages.base.train.lr=fast"],
        "--set stages.base.train.lr=fast: stages.base.train.lr: expected a number, found `fast`",
    );
    set_says(
        &["stages.bas.train.lr=1"],
        "--set stages.bas.train.lr=1: there is no stage `bas`\nhint: did you mean `base`?",
    );
    set_says(
        &["stages.base.train.batches=1"],
        "--set stages.base.train.batches=1: stages.base.train: unknown field `batches`\nhint: did you mean `batch`?",
    );
    set_says(
        &["stages.base.train.images=piars"],
        "--set stages.base.train.images=piars: stages.base.train.images: there is no stage `piars`\nhint: did you mean `pairs`?",
    );
    set_says(
        &["stage.base.train.lr=1"],
        "--set stage.base.train.lr=1: unknown field `stage`\nhint: did you mean `stages`?",
    );
    let last = load(
        &[("p.yaml", PAIRS)],
        &[],
        &["stages.base.train.lr=2", "stages.base.train.lr=3e-4"],
    )
    .unwrap();
    let Kind::Train(train) = kind_of(&last, "base") else {
        panic!("no training")
    };
    assert!(
        (train.schedule.lr - 3e-4).abs() < 1e-12,
        "the last one counts"
    );
}

#[test]
fn placeholders_that_nothing_is_called() {
    says(
        "  t:\n    each: {alpha: [1, 2]}\n    tune: {backbone: base, images: \"{pair}\", masks: masks, iterations: 9}\n",
        "\
p.yaml:10:36: stages.t.tune.images: nothing is called `{pair}` here
 10 |     tune: {backbone: base, images: \"{pair}\", masks: masks, iterations: 9}
    |                                    ^
hint: known names: alpha; a brace itself is written `{{`",
    );
}

#[test]
fn axes_that_are_used_nowhere_empty_or_twice() {
    says(
        "  t:\n    each: {alhpa: [1, 2]}\n    tune: {backbone: base, images: pairs, masks: masks, iterations: 9}\n",
        "\
p.yaml:9:20: stages.t.each: the axis `alhpa` is neither a field of this stage nor used as `{alhpa}`
 9 |     each: {alhpa: [1, 2]}
   |                    ^",
    );
    says(
        "  t:\n    each: {alpha: []}\n    tune: {backbone: base, images: pairs, masks: masks, iterations: 9}\n",
        "\
p.yaml:9:19: stages.t.each.alpha: the list of values is empty
 9 |     each: {alpha: []}
   |                   ^",
    );
    says(
        "  t:\n    each: {zip: {alpha: [1, 2, 1], seed: [0, 0, 0]}}\n    tune: {backbone: base, images: pairs, masks: masks, iterations: 9}\n",
        "\
p.yaml:9:32: stages.t.each.zip: the value `1, 0` stands twice
 9 |     each: {zip: {alpha: [1, 2, 1], seed: [0, 0, 0]}}
   |                                ^",
    );
    says(
        "  t:\n    each: {alpha: [1, 2, 1]}\n    tune: {backbone: base, images: pairs, masks: masks, iterations: 9}\n",
        "\
p.yaml:9:26: stages.t.each.alpha: the value `1` stands twice
 9 |     each: {alpha: [1, 2, 1]}
   |                          ^",
    );
}

#[test]
fn members_of_sweeps_that_are_not_there() {
    let sweep = "  t:\n    each: {alpha: [0.5, 1.0]}\n    tune: {backbone: base, images: pairs, masks: masks, iterations: 9}\n";
    says(
        &format!(
            "{sweep}  s:\n    evaluate: {{model: \"t[alpha=2]\", images: pairs, masks: masks}}\n"
        ),
        "\
p.yaml:12:23: stages.s.evaluate.model: `t[alpha=2]` names no member
 12 |     evaluate: {model: \"t[alpha=2]\", images: pairs, masks: masks}
    |                       ^
hint: members: t[alpha=0.5], t[alpha=1]",
    );
    says(
        &format!("{sweep}  s:\n    evaluate: {{model: t, images: pairs, masks: masks}}\n"),
        "\
p.yaml:12:23: stages.s.evaluate.model: `t` is 2 stages, and one is expected here
 12 |     evaluate: {model: t, images: pairs, masks: masks}
    |                       ^
hint: pick a member: name[axis=value]",
    );
}

#[test]
fn a_variable_of_the_environment_that_is_not_set() {
    let yaml =
        "stages:\n  p:\n    prepare:\n      images: ${DATA}/photos\n      degrade: {sr: 4}\n";
    let expected = "\
p.yaml:4:15: stages.p.prepare.images: the environment variable `DATA` is not set
 4 |       images: ${DATA}/photos
   |               ^
hint: export DATA=…, or write `${DATA:-default}`
";
    for env in [[].as_slice(), &[("DATA", "")]] {
        assert_eq!(load(&[("p.yaml", yaml)], env, &[]).unwrap_err(), expected);
    }
    let loaded = load(&[("p.yaml", yaml)], &[("DATA", "/data")], &[]).unwrap();
    let external = &loaded.stages[0].external[0];
    assert_eq!(external.path, Path::new("/data/photos"));
    assert_eq!(loaded.env_used["DATA"], "/data");
}

#[test]
fn includes_that_are_missing_wrong_or_go_round() {
    let including = format!("include: [common/a.yaml]\n{PAIRS}");
    says_of(
        &[("p.yaml", &including)],
        "\
p.yaml:1:11: cannot read `common/a.yaml`: it is not there
 1 | include: [common/a.yaml]
   |           ^
hint: name a pipeline file, such as pipelines/quickstart.yaml",
    );
    says_of(
        &[
            ("p.yaml", &including),
            ("common/a.yaml", "stages:\n  x: {mask: {imags: pairs}}\n"),
        ],
        "\
common/a.yaml:2:14: stages.x.mask: unknown field `imags`
 2 |   x: {mask: {imags: pairs}}
   |              ^
hint: did you mean `images`?",
    );
    says_of(
        &[
            ("p.yaml", "include: [b.yaml]\n"),
            ("b.yaml", "include:\n  - p.yaml\n"),
        ],
        "\
b.yaml:2:5: include: `p.yaml` includes itself
 2 |   - p.yaml
   |     ^",
    );
    says_of(
        &[("p.yaml", "include: [[b.yaml]]\n")],
        "\
p.yaml:1:11: include: expected a file, found a list
 1 | include: [[b.yaml]]
   |           ^",
    );
}

#[test]
fn a_file_over_an_included_one_changes_single_fields_and_paths_keep_their_folder() {
    let common = "stages:\n  p:\n    prepare: {images: photos, degrade: {sr: 4}}\n";
    let own = "include: [common/a.yaml]\nstages:\n  p:\n    prepare: {degrade: {sr: 2}}\n";
    let loaded = load(&[("p.yaml", own), ("common/a.yaml", common)], &[], &[]).unwrap();
    let Kind::Prepare(prepare) = kind_of(&loaded, "p") else {
        panic!("no pairs")
    };
    assert_eq!(prepare.degrade, Degrade::Sr(2));
    assert_eq!(prepare.images.as_deref(), Some(Path::new("common/photos")));
}

#[test]
fn nothing_over_an_included_field_takes_it_away() {
    let common = "stages:\n  p:\n    prepare: {images: photos, lr: lr, degrade: {sr: 4}}\n  q:\n    mask: {images: p}\n  \
                  base:\n    pretrained: {backbone: {imdn: {scale: 4}}, file: a.pth}\n";
    let own = "include: [common/a.yaml]\nstages:\n  p:\n    prepare: {lr: null}\n  q: null\n  base:\n    pretrained: null\n    \
               train: {backbone: {imdn: {scale: 4}}, images: p, iterations: 3}\n";
    let loaded = load(&[("p.yaml", own), ("common/a.yaml", common)], &[], &[]).unwrap();
    let names: Vec<&str> = loaded.stages.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["p", "base"]);
    let Kind::Prepare(prepare) = kind_of(&loaded, "p") else {
        panic!("no pairs")
    };
    assert_eq!(prepare.lq, None);
    assert!(matches!(kind_of(&loaded, "base"), Kind::Train(_)));
    // It stays away where another file brings it along once more before, and comes back where one does so after.
    let files = |list: &str| {
        let top = format!("include: [{list}]\n");
        let files = [
            ("p.yaml", top.as_str()),
            ("own.yaml", own),
            ("common/a.yaml", common),
        ];
        load(&files, &[], &[])
    };
    let loaded = files("common/a.yaml, own.yaml").unwrap();
    assert!(matches!(kind_of(&loaded, "base"), Kind::Train(_)));
    assert_eq!(loaded.stages.len(), 2);
    let error = files("own.yaml, common/a.yaml").unwrap_err();
    assert!(error.contains("a stage has one kind"), "{error}");
}

#[test]
fn data_sets_are_named_and_lie_below_a_root() {
    let named =
        |body: &str| format!("stages:\n  p:\n    prepare: {{{body}, degrade: {{sr: 4}}}}\n");
    let yaml = named("dataset: [div2k, flickr2k], root: data");
    let loaded = load(&[("p.yaml", &yaml)], &[], &[]).unwrap();
    let external = loaded.stages[0].external.iter();
    let paths: Vec<String> = external.map(|e| e.path.display().to_string()).collect();
    assert_eq!(
        paths,
        [
            "data/DIV2K/DIV2K_train_HR",
            "data/DIV2K/DIV2K_train_LR_bicubic/X4",
            "data/Flickr2K/Flickr2K_HR",
            "data/Flickr2K/Flickr2K_LR_bicubic/X4",
        ]
    );
    says_of(
        &[("p.yaml", &named("dataset: set6, root: data"))],
        "\
p.yaml:3:24: stages.p.prepare.dataset: unknown name `set6`
 3 |     prepare: {dataset: set6, root: data, degrade: {sr: 4}}
   |                        ^
hint: did you mean `set5`?",
    );
    says_of(
        &[("p.yaml", &named("dataset: set5"))],
        "\
p.yaml:3:14: stages.p.prepare.root: `root:` is the folder that holds the data sets of `dataset:`: give both
 3 |     prepare: {dataset: set5, degrade: {sr: 4}}
   |              ^",
    );
    says_of(
        &[("p.yaml", &named("dataset: [set5, set5], root: data"))],
        "\
p.yaml:3:31: stages.p.prepare.dataset.1: the data set `set5` stands twice
 3 |     prepare: {dataset: [set5, set5], root: data, degrade: {sr: 4}}
   |                               ^",
    );
    says_of(
        &[("p.yaml", &named("images: a, dataset: set5, root: data"))],
        "\
p.yaml:3:23: stages.p.prepare.images: give one of `images: folder` and `dataset: name`
 3 |     prepare: {images: a, dataset: set5, root: data, degrade: {sr: 4}}
   |                       ^",
    );
}

#[test]
fn problems_come_together_in_the_order_of_the_text() {
    says(
        "  a:\n    mask: {images: nothing}\n  b:\n    mask: {images: base}\n",
        "\
p.yaml:9:20: stages.a.mask.images: there is no stage `nothing`
 9 |     mask: {images: nothing}
   |                    ^
hint: known stages: a, b, base, masks, pairs",
    );
    says(
        "  a:\n    mask: {images: masks}\n  b:\n    mask: {images: base}\n",
        "\
p.yaml:9:20: stages.a.mask.images: `masks` is a `mask` stage, expected a `prepare` stage
 9 |     mask: {images: masks}
   |                    ^

p.yaml:11:20: stages.b.mask.images: `base` is a `train` stage, expected a `prepare` stage
 11 |     mask: {images: base}
    |                    ^",
    );
}

#[test]
fn columns_count_characters_not_bytes() {
    says(
        "  a: {mask: {images: \"é→{x}\", grid: 9, cuont: 7}}\n",
        "\
p.yaml:8:22: stages.a.mask.images: nothing is called `{x}` here
 8 |   a: {mask: {images: \"é→{x}\", grid: 9, cuont: 7}}
   |                      ^
hint: there are no names here; a brace itself is written `{{`",
    );
    says(
        "  a: {mask: {images: \"é→\", cuont: 7}}\n",
        "\
p.yaml:8:28: stages.a.mask: unknown field `cuont`
 8 |   a: {mask: {images: \"é→\", cuont: 7}}
   |                            ^
hint: did you mean `count`?",
    );
}

#[test]
fn defaults_are_the_papers() {
    let yaml = format!(
        "{PAIRS}  t:\n    tune: {{backbone: base, images: pairs, masks: masks, until: converged, validate: {{images: v, masks: vm}}}}\n  \
         v:\n    prepare: {{images: val, degrade: {{sr: 4}}}}\n  vm:\n    mask: {{images: v}}\n  \
         s:\n    evaluate: {{model: t, images: pairs, masks: masks}}\n  \
         x:\n    table: {{from: [s], rows: [alpha]}}\n"
    );
    let pipeline = pipeline(&yaml);
    let Kind::Mask(mask) = kind_of(&pipeline, "masks") else {
        panic!("no masks")
    };
    assert_eq!(
        (mask.granularity, mask.grid(), mask.count()),
        (Granularity::Coarse, 8, 64)
    );
    assert_eq!(mask.segmenter, Segmenter::default());
    let Kind::Train(train) = kind_of(&pipeline, "base") else {
        panic!("no training")
    };
    let Architecture::Imdn(imdn) = &train.backbone else {
        panic!("no IMDN")
    };
    assert_eq!((imdn.scale, imdn.width, imdn.blocks), (4, 64, 6));
    assert_eq!(
        train.schedule.weights(),
        Weights::Last,
        "without a validation"
    );
    let Kind::Tune(tune) = kind_of(&pipeline, "t") else {
        panic!("no tuning")
    };
    assert_eq!(
        (tune.scheme, tune.variant, tune.share),
        (Scheme::Spt, Variant::Spt, Share::None)
    );
    assert_eq!(
        (tune.init, tune.num_units, tune.alpha.to_bits()),
        (Init::Default, None, 1.0_f64.to_bits())
    );
    let schedule = &tune.schedule;
    assert_eq!(
        (schedule.batch, schedule.halve_every, schedule.seed),
        (4, 5000, 0)
    );
    assert_eq!(
        (
            schedule.patch(Degrade::Sr(4)),
            schedule.patch(Degrade::Denoise(15.0))
        ),
        (64, 128)
    );
    assert_eq!(
        (schedule.lr.to_bits(), schedule.betas.map(f64::to_bits)),
        (1e-4_f64.to_bits(), [0.9_f64, 0.999].map(f64::to_bits))
    );
    assert_eq!(
        (schedule.loss, schedule.augment, schedule.weights()),
        (Loss::L1, true, Weights::Best)
    );
    let converged = Until::Converged {
        patience: 4,
        min_gain: 0.005,
        at_most: 100_000,
    };
    assert_eq!(
        (schedule.until.as_ref(), schedule.limit()),
        (Some(&converged), 100_000)
    );
    assert_eq!(schedule.validate.as_ref().map(|v| v.every), Some(500));
    let Kind::Evaluate(evaluate) = kind_of(&pipeline, "s") else {
        panic!("no scores")
    };
    assert_eq!(evaluate.metrics, [Metric::Psnr, Metric::Ssim]);
    assert_eq!(
        (
            evaluate.luma(Degrade::Sr(4)),
            evaluate.shave(Degrade::Sr(4))
        ),
        (Luma::Unrounded, 4)
    );
    assert_eq!(
        (
            evaluate.luma(Degrade::Denoise(15.0)),
            evaluate.shave(Degrade::Denoise(15.0))
        ),
        (Luma::Rgb, 0)
    );
    let Kind::Table(table) = kind_of(&pipeline, "x") else {
        panic!("no table")
    };
    assert_eq!(
        (table.metric, table.average, table.columns),
        (Metric::Psnr, false, None)
    );
}
