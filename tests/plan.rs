//! Keys and verdicts: what a key depends on, field by field, three keys that stay as they are, and every reason to run.
//! Unaware of files and of the cache: digests, numerics class and past are given.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use plan::{Outside, Past, Plan, Planned, Reason, Stored, Verdict, World};
use serde_json::Value;
use spec::{Kind, Listing, Pipeline, Request};
use store::{Digest, Key};

const NUMERICS: &str = "cpu float32 libtorch 2.11.0";
/// Everything can be computed in this class; `precision: bf16` in no other.
const CUDA: &str = "cuda float32 tf32=off libtorch 2.11.0";

/// What the stages called `it` below refer to.
const OTHERS: &str = "
  pairs:
    prepare: {images: photos, degrade: {sr: 4}}
  others:
    prepare: {images: more, degrade: {sr: 4}}
  third:
    prepare: {images: lr, degrade: {sr: 4}}
  masks:
    mask: {images: pairs}
  clean-masks:
    mask: {images: pairs, source: hq}
  clean-finer:
    mask: {images: pairs, grid: 9, source: hq}
  finer:
    mask: {images: pairs, grid: 9}
  other-masks:
    mask: {images: others}
  other-finer:
    mask: {images: others, grid: 9}
  third-masks:
    mask: {images: third}
  base:
    train: {backbone: {imdn: {scale: 4}}, images: pairs, iterations: 9}
  rival:
    train: {backbone: {imdn: {scale: 4}}, images: pairs, iterations: 8}
  tuned:
    tune: {backbone: base, images: pairs, masks: masks, iterations: 9}
  score-base:
    evaluate: {model: base, images: pairs}
  score-rival:
    evaluate: {model: rival, images: pairs}
  watched:
    train: {backbone: {imdn: {scale: 4}}, images: pairs, iterations: 9, validate: {images: others}}
  score-watched:
    evaluate: {model: watched, images: pairs}
  kept-base:
    evaluate: {model: base, images: pairs, save: true}
  kept-rival:
    evaluate: {model: rival, images: pairs, save: true}
  kept:
    evaluate: {model: tuned, images: pairs, masks: masks, save: true}
  tool:
    command: {run: [x], outputs: [a.csv, b.csv]}
  other-tool:
    command: {run: [y], outputs: [c/a.csv]}
";

/// The files of every folder that a stage may name; `copy` holds what `photos` does.
fn outside(pipeline: &Pipeline) -> Outside {
    let mut outside = Outside::new();
    let all = pipeline.stages.iter().flat_map(|s| &s.external);
    for external in all {
        let (listing, path) = (external.listing.clone(), &external.path);
        let folder = path.to_str().unwrap();
        let content = folder.replace("copy", "photos");
        let file = |name: &str| {
            (
                name.to_owned(),
                Digest::of(format!("{content}/{name}").as_bytes()),
            )
        };
        let files = if listing == Listing::File {
            vec![file("")]
        } else {
            vec![file("a.png"), file("b.png")]
        };
        outside.insert((listing, path.clone()), Ok(files));
    }
    outside
}

fn load(yaml: &str, overrides: &[&str]) -> Pipeline {
    let overrides: Vec<String> = overrides.iter().map(|o| (*o).to_owned()).collect();
    let request = Request {
        file: Path::new("p.yaml"),
        env: &BTreeMap::new(),
        overrides: &overrides,
        read: &|_| Ok(yaml.to_owned()),
    };
    let mut pipeline = Pipeline::load(&request).unwrap_or_else(|e| panic!("{overrides:?}\n{e}"));
    let root = Path::new("/project");
    let anchored = pipeline.lay_out(root, root);
    anchored.unwrap_or_else(|e| panic!("{overrides:?}\n{e}"));
    pipeline
}

/// What was done before, as a test says it was.
#[derive(Default)]
struct Scripted {
    stored: BTreeMap<Key, Stored>,
    last: BTreeMap<String, String>,
}

impl Past for Scripted {
    fn stored(&self, key: &Key) -> Stored {
        self.stored.get(key).cloned().unwrap_or(Stored::Nothing)
    }

    fn last_manifest(&self, stage: &str) -> Option<String> {
        self.last.get(stage).cloned()
    }
}

impl Scripted {
    /// All stages of a plan have run.
    fn after(pipeline: &Pipeline, plan: &Plan) -> Self {
        let name = |p: &Planned| pipeline.stages[p.stage].name.clone();
        Self {
            stored: plan
                .stages
                .iter()
                .map(|p| (p.key.unwrap(), Stored::Whole))
                .collect(),
            last: plan
                .stages
                .iter()
                .map(|p| (name(p), p.manifest.clone()))
                .collect(),
        }
    }
}

fn plan(pipeline: &Pipeline, past: &Scripted, force: &[&str]) -> Plan {
    plan_on(NUMERICS, pipeline, past, force)
}

fn plan_on(numerics: &str, pipeline: &Pipeline, past: &Scripted, force: &[&str]) -> Plan {
    let force = force
        .iter()
        .flat_map(|name| pipeline.find(name).unwrap())
        .collect();
    let world = World {
        outside: &outside(pipeline),
        numerics,
        cpu_bf16: false,
        past,
        force: &force,
        keep_consumers: false,
    };
    Plan::new(pipeline, &BTreeSet::new(), &world)
}

fn of<'p>(pipeline: &Pipeline, plan: &'p Plan, name: &str) -> &'p Planned {
    plan.get(pipeline.find(name).unwrap()[0]).unwrap()
}

/// Manifest and key of the stage `it`.
fn it(yaml: &str, overrides: &[&str]) -> (String, Key) {
    it_on(NUMERICS, yaml, overrides)
}

fn it_on(numerics: &str, yaml: &str, overrides: &[&str]) -> (String, Key) {
    let pipeline = load(yaml, overrides);
    let plan = plan_on(numerics, &pipeline, &Scripted::default(), &[]);
    let planned = of(&pipeline, &plan, "it");
    (planned.manifest.clone(), planned.key.unwrap())
}

/// A kind: a stage `it`, the changes that give it another key, and those that do not. Changes are `field=value`, several
/// of them with a bar between.
struct Case {
    kind: &'static str,
    config: &'static str,
    other: &'static [&'static str],
    same: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case {
        kind: "prepare",
        config: "{images: photos, lr: lr, degrade: {sr: 4}, only: [a.png]}",
        other: &[
            "degrade.sr=2",
            "only=[b.png]",
            "only=[]",
            "lq=more",
            "lq=null",
            "lq=null|lq_if_present=more",
            "names='{}x4'",
            "images=more",
        ],
        same: &["seed=3", "name=Set", "images=copy", "recursive=true"],
    },
    Case {
        kind: "prepare",
        config: "{dataset: set5, root: photos, degrade: {sr: 4}}",
        other: &["dataset=b100", "root=more", "degrade.sr=3"],
        same: &["dataset=[set5]", "root=copy", "name=Set"],
    },
    Case {
        kind: "prepare",
        config: "{images: photos, degrade: {denoise: 15}}",
        other: &["seed=3", "degrade.denoise=25", "degrade={sr: 4}"],
        same: &["degrade={denoise: 15.0}", "seed=0"],
    },
    Case {
        kind: "mask",
        config: "{images: pairs}",
        other: &[
            "images=others",
            "granularity=medium",
            "grid=9",
            "count=9",
            "segmenter=zero",
            "segmenter={files: {path: lr}}",
            "segmenter={other: {masks: finer}}",
            "segmenter.graph.sigma=2",
            "segmenter.graph.k=[1, 2, 4]",
            "segmenter.graph.min_size=9",
        ],
        same: &[
            "granularity=coarse",
            "grid=8",
            "count=64",
            "segmenter=graph",
            "granularity=fine|grid=8|count=64",
        ],
    },
    Case {
        kind: "mask",
        config: "{images: pairs, segmenter: {files: {path: photos}}}",
        other: &[
            "segmenter.files.path=more",
            "segmenter.files.read=alpha",
            "segmenter.files.read=half",
            "segmenter.files.read=index",
            "segmenter.files.read=nonzero",
            "count=9",
        ],
        same: &["segmenter.files.path=copy", "grid=9"],
    },
    Case {
        kind: "mask",
        config: "{images: pairs, segmenter: {sam: {weights: photos.pth}}}",
        other: &[
            "images=others",
            "source=hq",
            "grid=9",
            "count=9",
            "segmenter.sam.model=vit-b",
            "segmenter.sam.model={custom: {depth: 3}}",
            "segmenter.sam.model={custom: {depth: 3, img_size: 256}}",
            "segmenter.sam.model={custom: {depth: 3, global_attn_indexes: [1]}}",
            "segmenter.sam.weights=more.pth",
            "segmenter.sam.order=area",
            "segmenter.sam.order=predicted-iou",
            "segmenter.sam.points_per_batch=9",
            "segmenter.sam.pred_iou_thresh=0.5",
            "segmenter.sam.stability_score_thresh=0.5",
            "segmenter.sam.stability_score_offset=0.5",
            "segmenter.sam.box_nms_thresh=0.5",
            "segmenter.sam.crop_n_layers=1",
            "segmenter.sam.crop_nms_thresh=0.5",
            "segmenter.sam.crop_overlap_ratio=0.5",
            "segmenter.sam.crop_n_points_downscale_factor=2",
            "segmenter.sam.point_grids=[[[0.5, 0.25]]]",
            "segmenter.sam.point_grids=[[[0.25, 0.5]]]",
            "segmenter.sam.min_mask_region_area=9",
        ],
        same: &[
            "source=lq",
            "segmenter.sam.model=vit-h",
            "segmenter.sam.weights=copy.pth",
            "segmenter.sam.precision=fp32",
            "segmenter.sam.order=generator",
            "segmenter.sam.pred_iou_thresh=0.88",
            "segmenter.sam.points_per_batch=64",
            "segmenter.sam.point_grids=null",
        ],
    },
    Case {
        kind: "mask",
        config: "{images: pairs, segmenter: {other: {masks: masks}}}",
        other: &["segmenter.other.masks=finer", "count=9"],
        same: &["grid=9"],
    },
    Case {
        kind: "pretrained",
        config: "{backbone: {imdn: {scale: 4}}, file: photos.pth}",
        other: &[
            "backbone.imdn.scale=3",
            "backbone.imdn.width=32",
            "backbone.imdn.blocks=5",
            "file=more.pth",
            "entry=params",
        ],
        same: &[
            "backbone.imdn.width=64",
            "backbone.imdn.blocks=6",
            "file=copy.pth",
            "entry=null",
        ],
    },
    Case {
        kind: "train",
        config: "{backbone: {imdn: {scale: 4}}, from: base, images: pairs, iterations: 9, validate: {images: others}}",
        other: &[
            "backbone.imdn.scale=2|images=two|validate.images=two-others|from=null",
            "backbone.imdn.width=32|from=null",
            "backbone.imdn.blocks=5|from=null",
            "from=rival",
            "from=null",
            "images=third",
            "iterations=10",
            "iterations=null|until=converged",
            "batch=3",
            "batch=2|accumulate=2",
            "patch=32",
            "lr=2e-4",
            "halve_every=7",
            "betas=[0.8, 0.999]",
            "betas=[0.9, 0.99]",
            "loss=charbonnier",
            "precision=bf16",
            "channels_last=true",
            "channels_last=false",
            "augment=false",
            "seed=1",
            "validate=null",
            "validate.images=third",
            "validate.every=7",
            "weights=last",
        ],
        same: &[
            "patch=64",
            "lr=0.0001",
            "weights=best",
            "accumulate=1",
            "precision=fp32",
            "channels_last=null",
            "validate.every=500",
            "validate.masks=null",
            "until=null",
        ],
    },
    Case {
        kind: "train",
        config: "{backbone: {imdn: {scale: 4}}, images: pairs, until: {converged: {}}, validate: {images: others}}",
        other: &[
            "until.converged.patience=5",
            "until.converged.min_gain=0.1",
            "until.converged.at_most=7",
        ],
        same: &["until=converged", "until.converged.patience=4"],
    },
    Case {
        kind: "tune",
        config: "{backbone: base, images: pairs, masks: masks, iterations: 9, validate: {images: others, masks: other-masks}}",
        other: &[
            "scheme=full|masks=null|validate.masks=null",
            "backbone=rival",
            "images=third|masks=third-masks",
            "masks=finer",
            "alpha=0.5",
            "num_units=2",
            "variant=spt_f",
            "init=identity",
            "share=units",
            "iterations=10",
            "iterations=null|until=converged",
            "batch=3",
            "batch=2|accumulate=2",
            "patch=32",
            "lr=2e-4",
            "halve_every=7",
            "betas=[0.8, 0.999]",
            "loss=charbonnier",
            "precision=bf16",
            "channels_last=true",
            "channels_last=false",
            "augment=false",
            "seed=1",
            "validate=null",
            "validate.images=third|validate.masks=third-masks",
            "validate.masks=other-finer",
            "validate.every=7",
            "weights=last",
        ],
        same: &[
            "alpha=1",
            "num_units=6",
            "variant=spt",
            "init=default",
            "share=none",
            "weights=best",
        ],
    },
    Case {
        kind: "tune",
        config: "{scheme: full, backbone: base, images: pairs, iterations: 9}",
        other: &["seed=1"],
        same: &[
            "alpha=0.5",
            "num_units=2",
            "variant=spt_f",
            "init=identity",
            "share=units",
        ],
    },
    Case {
        kind: "evaluate",
        config: "{model: tuned, images: pairs, masks: masks}",
        other: &[
            "model=base|masks=null",
            "images=others|masks=other-masks",
            "masks=finer",
            "metrics=[psnr]",
            "channel=y_rounded",
            "shave=3",
            "tiling=none",
            "tiling=64",
            "precision=bf16",
            "save=true",
        ],
        same: &[
            "metrics=[ssim, psnr, psnr]",
            "channel=y",
            "shave=4",
            "tiling=official",
            "precision=fp32",
            "save=false",
        ],
    },
    Case {
        kind: "table",
        config: "{from: [score-base], rows: [backbone]}",
        other: &[
            "from=[score-rival]",
            "rows=[scheme]",
            "columns=set",
            "metric=ssim",
            "values=[masks]",
            "baseline=[score-rival]",
            "average=true",
            "seeds=true",
            "interval.resamples=100",
            "interval.resamples=0",
            "interval.seed=1",
            "published=photos.csv",
            "published=more.csv",
            "published=photos.csv|published_for={alpha: 1}",
            "published=photos.csv|published_for={set: photos}",
            "published=photos.csv|published_baseline=more.csv",
            "caption=Table",
            "latex=small",
            "latex=resize",
            "note=Note",
            "scores={L: {stage: tool, file: a.csv, column: l, protocol: P}}",
            "scores={M: {stage: tool, file: a.csv, column: l, protocol: P}}",
            "scores={L: {stage: tool, file: b.csv, column: l, protocol: P}}",
            "scores={L: {stage: tool, file: a.csv, column: m, protocol: P}}",
            "scores={L: {stage: tool, file: a.csv, column: l, protocol: Q}}",
            "scores={L: {stage: other-tool, file: c/a.csv, column: l, protocol: P}}",
        ],
        same: &[
            "scores={}",
            "columns=null",
            "metric=psnr",
            "values=[]",
            "latex=natural",
            "caption=''",
            "interval={}",
        ],
    },
    Case {
        kind: "table",
        config: "{from: [score-watched], rows: [backbone]}",
        other: &["curves=true"],
        same: &["curves=false"],
    },
    Case {
        kind: "robustness",
        config: "{lq: [masks], hq: [clean-masks]}",
        other: &[
            "lq=[finer]|hq=[clean-finer]",
            "lq=[masks, finer]|hq=[clean-masks, clean-finer]",
            "caption=More",
            "note=Note",
        ],
        same: &["lq=[masks]", "hq=[clean-masks]", "caption=''", "note=''"],
    },
    Case {
        kind: "figure",
        config: "{baseline: kept-base, tuned: kept, crops: [{image: a, x: 0, y: 0, width: 8, height: 8}]}",
        other: &[
            "baseline=kept-rival",
            "tuned=kept-base",
            "crops.0.image=b",
            "crops.0.x=4",
            "crops.0.y=4",
            "crops.0.width=12",
            "crops.0.height=12",
            "crops=[]|better=1",
            "better=1",
            "worse=1",
            "window=64",
            "images=[a]",
            "zoom=3",
            "gain=4",
            "gain=8",
            "caption=Figure",
        ],
        same: &["worse=0", "window=96", "images=[]", "zoom=2", "gain=null"],
    },
    Case {
        kind: "command",
        config: "{run: [a, b], files: [photos.csv], stages: {m: masks}, outputs: [x.txt], env: {A: b}}",
        other: &[
            "run=[a, c]",
            "run=[a b]",
            "run=[]|shell=a",
            "run=[]|shell={program: sh, script: a}",
            "files=[more.csv]",
            "files=[photos.csv, more.csv]",
            "stages.m=finer",
            "stages={n: masks}",
            "outputs=[y.txt]",
            "outputs=[x.txt, y.txt]",
            "env.A=c",
            "env={B: b}",
            "inputs=link",
            "sandbox=off",
        ],
        same: &[
            "ignore=['*.tmp']",
            "inputs=copy",
            "sandbox=auto",
            "secrets=[]",
            "key=null",
            "pass_env=[A]",
            "pass_env=[NOT_SET_HERE]",
            "run=['a', \"b\"]",
        ],
    },
];

fn yaml_of(case: &Case) -> String {
    let two = "  two:\n    prepare: {images: photos, degrade: {sr: 2}}\n  two-others:\n    prepare: {images: more, degrade: {sr: 2}}\n";
    format!(
        "stages:{OTHERS}{two}  it:\n    {}: {}\n",
        case.kind, case.config
    )
}

fn changed(case: &Case, change: &str) -> Vec<String> {
    let set = |part: &str| format!("stages.it.{}.{part}", case.kind);
    change.split('|').map(set).collect()
}

fn key_with(case: &Case, change: &str) -> (String, Key) {
    let sets = changed(case, change);
    it_on(
        CUDA,
        &yaml_of(case),
        &sets.iter().map(String::as_str).collect::<Vec<_>>(),
    )
}

#[test]
fn each_field_of_each_kind_is_in_the_key_or_said_not_to_be() {
    for case in CASES {
        let (manifest, key) = it_on(CUDA, &yaml_of(case), &[]);
        let mut seen = BTreeMap::from([(key, "nothing")]);
        for change in case.other {
            let (other, changed) = key_with(case, change);
            let before = seen.insert(changed, change);
            assert_eq!(before, None, "{}: {change}\n{manifest}\n{other}", case.kind);
        }
        for change in case.same {
            let (same, unchanged) = key_with(case, change);
            assert_eq!(
                unchanged, key,
                "{}: {change}\n{manifest}\n{same}",
                case.kind
            );
        }
    }
}

/// Dotted paths of all scalars and lists, as in YAML: those of a schedule stand beside the others.
fn leaves(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    let Value::Object(fields) = value else {
        found.insert(path.trim_start_matches("schedule.").to_owned());
        return;
    };
    for (name, value) in fields {
        let below = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        leaves(value, &below, found);
    }
}

/// A field that is new in a kind and missing above fails here.
#[test]
fn the_cases_above_name_every_field() {
    let (mut kinds, mut missing) = (BTreeSet::new(), BTreeSet::new());
    for kind in Kind::NAMES {
        let cases: Vec<&Case> = CASES.iter().filter(|c| c.kind == *kind).collect();
        let changes = || {
            cases
                .iter()
                .flat_map(|c| c.other.iter().chain(c.same))
                .flat_map(|c| c.split('|'))
        };
        for case in &cases {
            let pipeline = load(&yaml_of(case), &[]);
            let stage = &pipeline.stages[pipeline.find("it").unwrap()[0]];
            let value = serde_json::to_value(&stage.kind).unwrap();
            let mut fields = BTreeSet::new();
            leaves(&value[kind], "", &mut fields);
            for field in fields {
                let mut paths = changes().map(|change| change.split('=').next().unwrap());
                let named = paths.any(|p| {
                    // A change of the field itself, or of what lies below it; one of all that is around it tells nothing.
                    format!("{p}.").starts_with(&format!("{field}."))
                });
                if !named {
                    missing.insert(format!("{kind}: {field}"));
                }
            }
            kinds.insert(*kind);
        }
    }
    assert_eq!(kinds.len(), Kind::NAMES.len());
    assert!(missing.is_empty(), "in no case: {missing:#?}");
}

#[test]
fn the_numerics_class_is_in_the_key_of_what_computes_with_torch() {
    for case in CASES {
        let pipeline = load(&yaml_of(case), &[]);
        let keys = [NUMERICS, CUDA].map(|numerics| {
            let world = World {
                outside: &outside(&pipeline),
                numerics,
                cpu_bf16: false,
                past: &Scripted::default(),
                force: &BTreeSet::new(),
                keep_consumers: false,
            };
            let plan = Plan::new(&pipeline, &BTreeSet::new(), &world);
            let planned = of(&pipeline, &plan, "it");
            (planned.key, planned.manifest.contains("\nnumerics\t"))
        });
        let torch =
            matches!(case.kind, "train" | "tune" | "evaluate") || case.config.contains("{sam: ");
        assert_eq!(keys[0].1, torch, "{}", case.kind);
        // A table has none of its own, and that of its inputs.
        assert_eq!(
            keys[0].0 != keys[1].0,
            torch || matches!(case.kind, "table" | "figure"),
            "{}",
            case.kind
        );
    }
}

/// The stage `it` on a device.
fn sam_on(numerics: &str, config: &str) -> Planned {
    sam_with(numerics, false, config)
}

/// The same, where the processor may have instructions for bfloat16.
fn sam_with(numerics: &str, cpu_bf16: bool, config: &str) -> Planned {
    let case = Case {
        kind: "mask",
        config: "{images: pairs, segmenter: {sam: {weights: photos.pth}}}",
        other: &[],
        same: &[],
    };
    let pipeline = load(&yaml_of(&case), &[&format!("stages.it.mask.{config}")]);
    let world = World {
        outside: &outside(&pipeline),
        numerics,
        cpu_bf16,
        past: &Scripted::default(),
        force: &BTreeSet::new(),
        keep_consumers: false,
    };
    let plan = Plan::new(&pipeline, &BTreeSet::new(), &world);
    of(&pipeline, &plan, "it").clone()
}

#[test]
fn half_precision_is_a_key_of_its_own_and_only_where_it_is_not_emulated() {
    let cuda = "cuda float32 tf32=off libtorch 2.11.0";
    let keys: BTreeSet<Option<Key>> = ["fp32", "bf16", "fp16"]
        .iter()
        .map(|p| sam_on(cuda, &format!("segmenter.sam.precision={p}")).key)
        .collect();
    assert_eq!((keys.len(), keys.contains(&None)), (3, false));
    // The decoder computes in bf16 with the encoder, which masks of older results do not have; all others stay.
    let decoder = |precision: &str| {
        let planned = sam_on(cuda, &format!("segmenter.sam.precision={precision}"));
        planned
            .manifest
            .contains("\nconfig.segmenter.decoder\tbf16\n")
    };
    assert_eq!(["fp32", "bf16", "fp16"].map(decoder), [false, true, false]);
    let blocked = |cpu_bf16, precision: &str| {
        let config = format!("segmenter.sam.precision={precision}");
        match sam_with(NUMERICS, cpu_bf16, &config).verdict {
            Verdict::Blocked(missing) => missing,
            other => vec![format!("{other:?}")],
        }
    };
    let hint = "hint: use `--device cuda`, or `precision: fp32`";
    let bf16 = "`segmenter.sam.precision: bf16` needs CUDA or a processor with AVX512-BF16, and this plan is for a \
                processor without";
    assert_eq!(blocked(false, "bf16"), [format!("{bf16}\n{hint}")]);
    let fp16 =
        "`segmenter.sam.precision: fp16` computes on CUDA only, and this plan is for the CPU";
    for cpu_bf16 in [false, true] {
        assert_eq!(blocked(cpu_bf16, "fp16"), [format!("{fp16}\n{hint}")]);
    }
    let with = sam_with(NUMERICS, true, "segmenter.sam.precision=bf16");
    assert!(with.key.is_some() && !matches!(with.verdict, Verdict::Blocked(_)));
}

#[test]
fn what_can_share_a_sam_is_told_by_images_weights_and_model() {
    let start = |config: &str| sam_on(CUDA, config).start().unwrap();
    let first = start("grid=8");
    for shared in [
        "grid=24",
        "count=9",
        "segmenter.sam.order=area",
        "segmenter.sam.crop_n_layers=1",
        "segmenter.sam.pred_iou_thresh=0.5",
        "segmenter.sam.point_grids=[[[0.5, 0.25]]]",
    ] {
        assert_eq!(start(shared), first, "{shared}");
    }
    let others = [
        "images=others",
        "source=hq",
        "segmenter.sam.model=vit-b",
        "segmenter.sam.model={custom: {depth: 3}}",
        "segmenter.sam.weights=more.pth",
        "segmenter.sam.precision=bf16",
        "segmenter.sam.entry=params",
    ];
    let mut seen = BTreeSet::from([first]);
    for other in others {
        assert!(seen.insert(start(other)), "{other}");
    }
    assert!(seen.insert(sam_on(NUMERICS, "grid=8").start().unwrap()));
    assert_eq!(sam_on(CUDA, "segmenter=graph").start(), None);
}

/// Keys of states that are on disks.
#[test]
fn what_a_longer_training_has_in_common_with_a_shorter_one() {
    let way = |change: &str| {
        let yaml = format!(
            "stages:{OTHERS}  it:\n    train: {{backbone: {{imdn: {{scale: 4}}}}, images: pairs, iterations: 9, \
             validate: {{images: others}}}}\n"
        );
        let change = format!("stages.it.train.{change}");
        let pipeline = load(&yaml, &[&change]);
        let plan = plan(&pipeline, &Scripted::default(), &[]);
        of(&pipeline, &plan, "it").trajectory().unwrap()
    };
    let first = way("seed=0");
    for same in ["iterations=99", "weights=last"] {
        assert_eq!(way(same), first, "{same}");
    }
    for other in [
        "seed=1",
        "lr=2e-4",
        "validate=null",
        "backbone.imdn.blocks=5",
    ] {
        assert_ne!(way(other), first, "{other}");
    }
    let pipeline = load(CHAIN, &[]);
    let plan = plan(&pipeline, &Scripted::default(), &[]);
    assert_eq!(of(&pipeline, &plan, "masks").trajectory(), None);
}

#[test]
fn resources_are_not_in_the_key() {
    for case in CASES {
        let (_, key) = it(&yaml_of(case), &[]);
        let (_, other) = it(
            &yaml_of(case),
            &[
                "stages.it.resources.threads=3",
                "stages.it.resources.checkpoint=1.5",
            ],
        );
        assert_eq!(key, other, "{}", case.kind);
    }
}

#[test]
fn comments_order_of_keys_and_names_of_stages_are_not_in_the_key() {
    let one = "stages:\n  a:\n    prepare: {images: photos, degrade: {sr: 4}}\n  it:\n    mask: {images: a, grid: 9, count: 7}\n";
    let two = "# How it is.\nstages:\n  it:\n    mask:\n      count: 7 # not many\n      grid: 9\n      images: b\n  b:\n    \
               prepare:\n      degrade:\n        sr: 4\n      images: photos\n";
    assert_eq!(it(one, &[]), it(two, &[]));
    let swept = "stages:\n  a:\n    each: {images: [photos, more]}\n    prepare: {degrade: {sr: 4}}\n  it:\n    mask: {images: \"a[photos]\", grid: 9, count: 7}\n";
    assert_eq!(it(one, &[]), it(swept, &[]));
}

#[test]
fn the_name_of_a_set_is_in_the_key_of_the_table_that_prints_it_only() {
    let yaml = format!(
        "stages:{OTHERS}  it:\n    table: {{from: [score-base], rows: [backbone], columns: set}}\n"
    );
    let keys = |name: &str| {
        let pipeline = load(&yaml, &[&format!("stages.pairs.prepare.name={name}")]);
        let plan = plan(&pipeline, &Scripted::default(), &[]);
        ["score-base", "it"].map(|stage| of(&pipeline, &plan, stage).key)
    };
    let (one, two) = (keys("One"), keys("Two"));
    assert_eq!(one[0], two[0]);
    assert_ne!(one[1], two[1]);
}

/// Keys are on disks everywhere: one of these changes only when the version of its kind does.
#[test]
fn three_keys_stay_as_they_are() {
    let prepare = it(
        "stages:\n  it:\n    prepare: {images: photos, degrade: {sr: 4}}\n",
        &[],
    );
    let [a, b] = ["photos/a.png", "photos/b.png"].map(|name| Digest::of(name.as_bytes()));
    let lines = format!(
        "stage prepare 2\nconfig.degrade.sr\t4\noutside.images/a.png\t{a}\noutside.images/b.png\t{b}\n"
    );
    assert_eq!(prepare.0, lines);
    let mask = it(
        "stages:\n  p:\n    prepare: {images: photos, degrade: {sr: 4}}\n  it:\n    mask: {images: p}\n",
        &[],
    );
    let lines = format!(
        "stage mask 2\nconfig.count\t64\nconfig.grid\t8\nconfig.segmenter\tgraph\ninput.images\t{}\n",
        prepare.1
    );
    assert_eq!(mask.0, lines);
    let train = it(
        "stages:\n  p:\n    prepare: {images: photos, degrade: {sr: 4}}\n  it:\n    train: {backbone: {imdn: {scale: 4}}, images: p, iterations: 9}\n",
        &[],
    );
    let keys = [prepare.1, mask.1, train.1].map(|key| key.to_string());
    assert_eq!(
        keys,
        [
            "465fc96139656aac57b5b085bb5368384ee23343903ebeea6852ae68703b507a",
            "bddb649e840c675767e3f387f3c3c47fef44db2e2220ececbc78e275a949c028",
            "0b5e1d17bd50c3fe15b578a83b89af1eaafc477ac229d12c2686bb71d699befe",
        ],
        "{}",
        train.0
    );
}

const CHAIN: &str = "\
stages:
  pairs:
    prepare: {images: photos, degrade: {sr: 4}}
  masks:
    mask: {images: pairs}
  base:
    train: {backbone: {imdn: {scale: 4}}, images: pairs, iterations: 9}
  tuned:
    tune: {backbone: base, images: pairs, masks: masks, iterations: 9}
";

fn verdict(pipeline: &Pipeline, plan: &Plan, name: &str) -> Verdict {
    of(pipeline, plan, name).verdict.clone()
}

fn input_stale(role: &str, stage: &str) -> Reason {
    Reason::InputStale {
        role: role.into(),
        stage: stage.into(),
    }
}

#[test]
fn what_never_ran_is_stale_and_what_ran_is_fresh() {
    let pipeline = load(CHAIN, &[]);
    let first = plan(&pipeline, &Scripted::default(), &[]);
    assert_eq!(first.counts(), (0, 4, 0));
    assert!(
        first
            .stages
            .iter()
            .all(|p| p.verdict == Verdict::Stale(vec![Reason::NeverRan]))
    );
    let order: Vec<usize> = first.stages.iter().map(|p| p.stage).collect();
    for (at, stage) in order.iter().enumerate() {
        let inputs = &pipeline.stages[*stage].inputs;
        assert!(
            inputs.iter().all(|e| order[..at].contains(&e.stage)),
            "inputs come first"
        );
    }
    let second = plan(&pipeline, &Scripted::after(&pipeline, &first), &[]);
    assert_eq!(second.counts(), (4, 0, 0));
}

#[test]
fn a_change_is_told_with_the_old_and_the_new_value_and_passed_on() {
    let before = load(CHAIN, &[]);
    let past = Scripted::after(&before, &plan(&before, &Scripted::default(), &[]));
    let pipeline = load(CHAIN, &["stages.base.train.seed=7"]);
    let now = plan(&pipeline, &past, &[]);
    let Verdict::Stale(reasons) = verdict(&pipeline, &now, "base") else {
        panic!("fresh")
    };
    let [Reason::Changed(change)] = reasons.as_slice() else {
        panic!("{reasons:?}")
    };
    let (old, new) = (change.old.as_deref(), change.new.as_deref());
    assert_eq!(
        (change.path.as_str(), old, new),
        ("config.seed", Some("0"), Some("7"))
    );
    assert_eq!(
        verdict(&pipeline, &now, "tuned"),
        Verdict::Stale(vec![input_stale("backbone", "base")])
    );
    assert_eq!(now.counts(), (2, 2, 0));
}

#[test]
fn lines_that_come_and_go_are_told() {
    let before = load(CHAIN, &[]);
    let past = Scripted::after(&before, &plan(&before, &Scripted::default(), &[]));
    let pipeline = load(CHAIN, &["stages.masks.mask.segmenter=zero"]);
    let Verdict::Stale(reasons) = verdict(&pipeline, &plan(&pipeline, &past, &[]), "masks") else {
        panic!("fresh")
    };
    let paths: Vec<(&str, bool)> = reasons
        .iter()
        .map(|r| match r {
            Reason::Changed(change) => (change.path.as_str(), change.new.is_some()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(paths, [("config.grid", false), ("config.segmenter", true)]);
}

#[test]
fn results_that_are_gone_or_damaged_are_made_again_and_nothing_else_is() {
    let pipeline = load(CHAIN, &[]);
    let first = plan(&pipeline, &Scripted::default(), &[]);
    let key = of(&pipeline, &first, "masks").key.unwrap();
    let files = vec!["masks.json".to_owned()];
    let cases = [
        (
            Stored::Missing(files.clone()),
            Reason::OutputMissing(files.clone()),
        ),
        (Stored::Damaged(files.clone()), Reason::OutputDamaged(files)),
        (Stored::Nothing, Reason::NotStored),
    ];
    for (stored, reason) in cases {
        let mut past = Scripted::after(&pipeline, &first);
        past.stored.insert(key, stored);
        let now = plan(&pipeline, &past, &[]);
        assert_eq!(
            verdict(&pipeline, &now, "masks"),
            Verdict::Stale(vec![reason])
        );
        assert_eq!(
            now.counts(),
            (3, 1, 0),
            "what was made from it has its inputs by key"
        );
    }
}

#[test]
fn what_is_forced_runs_and_what_is_made_from_it() {
    let pipeline = load(CHAIN, &[]);
    let past = Scripted::after(&pipeline, &plan(&pipeline, &Scripted::default(), &[]));
    let now = plan(&pipeline, &past, &["base"]);
    assert_eq!(
        verdict(&pipeline, &now, "base"),
        Verdict::Stale(vec![Reason::Forced])
    );
    let input = Reason::InputForced {
        stage: "base".into(),
    };
    assert_eq!(
        verdict(&pipeline, &now, "tuned"),
        Verdict::Stale(vec![input])
    );
    assert_eq!(now.counts(), (2, 2, 0));
}

#[test]
fn what_is_missing_outside_blocks_what_needs_it() {
    let pipeline = load(CHAIN, &[]);
    let mut world = outside(&pipeline);
    world.insert(
        (Listing::IMAGES, "photos".into()),
        Err("it is not there".into()),
    );
    let world = World {
        outside: &world,
        numerics: NUMERICS,
        cpu_bf16: false,
        past: &Scripted::default(),
        force: &BTreeSet::new(),
        keep_consumers: false,
    };
    let now = Plan::new(&pipeline, &BTreeSet::new(), &world);
    assert_eq!(now.counts(), (0, 0, 4));
    let blocked = |text: &str| Verdict::Blocked(vec![text.to_owned()]);
    assert_eq!(
        verdict(&pipeline, &now, "pairs"),
        blocked("p.yaml:3:23: images: it is not there")
    );
    assert_eq!(
        verdict(&pipeline, &now, "masks"),
        blocked("input `images` (pairs) is blocked")
    );
    assert!(
        now.stages
            .iter()
            .all(|p| p.key.is_none() && p.manifest.is_empty())
    );
}

#[test]
fn only_what_is_wanted_and_its_inputs_are_planned() {
    let pipeline = load(CHAIN, &[]);
    let world = World {
        outside: &outside(&pipeline),
        numerics: NUMERICS,
        cpu_bf16: false,
        past: &Scripted::default(),
        force: &BTreeSet::new(),
        keep_consumers: false,
    };
    let wanted = pipeline.find("base").unwrap().into_iter().collect();
    let now = Plan::new(&pipeline, &wanted, &world);
    let names: Vec<&str> = now
        .stages
        .iter()
        .map(|p| pipeline.stages[p.stage].name.as_str())
        .collect();
    assert_eq!(names, ["pairs", "base"]);
}
