//! Options of training and of evaluation that the paper's tables need: tiles, accumulated gradients, precision, memory
//! layout. Unaware of whether they make anything faster.

use rustix::process::{Signal, kill_process};

use crate::killed::{state_file, worker_of};
use crate::support::{Ran, TINY, Test, files_below, wait_for};

const YAML: &str = "\
stages:
  pairs:
    prepare: {images: photos, degrade: {sr: 2}, name: tiny}
    resources: {threads: 1}
  masks:
    mask: {images: pairs, grid: 4, count: 8}
    resources: {threads: 1}
  base:
    train: {backbone: {art: {scale: 2, width: 32, depths: [2], heads: 2, window: 4}}, images: pairs, iterations: 2, patch: 8, batch: 1}
    resources: {threads: 1}
  tuned:
    tune: {backbone: base, images: pairs, masks: masks, iterations: 2, patch: 8, batch: 1, accumulate: 2, channels_last: true}
    resources: {threads: 1}
  score:
    each: {tiling: [official, none, 16]}
    evaluate: {model: tuned, images: pairs, masks: masks}
    resources: {threads: 1}
  tiles:
    table: {from: [score], rows: [tiling]}
";

#[test]
fn tiles_are_in_the_key_the_summary_and_the_table() {
    let name = "tiles_are_in_the_key_the_summary_and_the_table";
    let Some(test) = Test::with_worker(name).map(Test::photos) else {
        return;
    };
    test.write("p.yaml", YAML);
    test.run("run p.yaml").exits(0).says("8 ran, 0 fresh");
    let cells = test.read("reports/p/tiles.cells.csv");
    let of = |tiling: &str| {
        let line = cells.lines().find(|line| line.starts_with(tiling));
        line.unwrap_or_else(|| panic!("{tiling}\n{cells}"))
            .split(',')
            .nth(2)
            .map(str::to_owned)
    };
    // Images of 24×20 LQ pixels are whole by the official rule, and two tiles a side of 16 at most are seen in the result.
    assert_eq!(of("official"), of("none"));
    assert_ne!(of("16"), of("none"));
    let summaries: Vec<String> = test
        .outputs("evaluate", "summary.json")
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    for said in [
        "\"tiling\": \"official\"",
        "\"tiling\": \"none\"",
        "\"tiling\": 16",
    ] {
        assert!(
            summaries.iter().any(|s| s.contains(said)),
            "{said}\n{summaries:?}"
        );
    }
}

#[test]
fn kernels_are_recorded_and_the_layout_of_the_schedule_overrides_theirs() {
    let name = "kernels_are_recorded_and_the_layout_of_the_schedule_overrides_theirs";
    let kernels = ["gemm,tiles,planar", "convolution,tiles,channels-last"];
    // Weights of a training with each choice of kernels; `layout` is its own word.
    let weights = |layout: &str| {
        kernels.map(|choice| {
            let test = Test::with_worker(name).map(Test::photos)?;
            test.write("p.yaml", YAML.replace("train: {backbone: {art: {scale: 2, width: 32, depths: [2], heads: 2, window: 4}}", &format!("train: {{{layout}backbone: {{imdn: {{scale: 2, width: 16, blocks: 1}}}}")));
            let mut command = test.command("run p.yaml base");
            let output = command.env("PIPELINE_KERNELS", choice).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let recorded = format!("\"kernels\":\"{choice}\"");
            let records = files_below(&test.path("cache/records"));
            let of_training = records.iter().any(|r| std::fs::read_to_string(r).unwrap().contains(&recorded));
            assert_eq!(of_training, layout.is_empty(), "{recorded}");
            Some(std::fs::read(&test.outputs("train", "weights.safetensors")[0]).unwrap())
        })
    };
    let [Some(planar), Some(last)] = weights("") else {
        return;
    };
    assert_ne!(planar, last, "the layout moves the last bits");
    for (layout, expected) in [
        ("channels_last: true, ", &last),
        ("channels_last: false, ", &planar),
    ] {
        for found in weights(layout).into_iter().flatten() {
            assert!(found == *expected, "{layout}");
        }
    }
}

#[test]
fn a_training_that_goes_on_with_other_kernels_says_so() {
    let name = "a_training_that_goes_on_with_other_kernels_says_so";
    let Some(test) = Test::with_worker(name).map(Test::photos) else {
        return;
    };
    let (short, long) = (
        "iterations: 2, patch: 8, batch: 1}\n    resources: {threads: 1}\n  tuned",
        "iterations: 400, patch: 8, batch: 1}\n    resources: {threads: 1, checkpoint: 0}\n  tuned",
    );
    assert!(YAML.contains(short));
    test.write("p.yaml", YAML.replace(short, long));
    let with = |choice: &str| {
        let mut command = test.command("run p.yaml base");
        command.env("PIPELINE_KERNELS", choice);
        command
    };
    let mut child = with("gemm,tiles,planar").spawn().unwrap();
    wait_for("a checkpoint", || state_file(&test));
    kill_process(worker_of(&child), Signal::KILL).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    Ran::of(with("convolution,tiles,planar").output().unwrap())
        .exits(0)
        .says("going on with other kernels (convolution,tiles,planar) than before (gemm,tiles,planar)");
    let records = files_below(&test.path("cache/records"));
    let said = records.iter().any(|record| {
        let text = std::fs::read_to_string(record).unwrap();
        text.contains("\"kernels_before\":[\"gemm,tiles,planar\"]")
    });
    assert!(said, "the record has the earlier choice");
}

#[test]
fn tf32_is_refused_on_a_processor() {
    let name = "tf32_is_refused_on_a_processor";
    let Some(test) = Test::with_worker(name).map(Test::photos) else {
        return;
    };
    test.write(
        "p.yaml",
        YAML.replace("channels_last: true", "precision: tf32"),
    );
    let plan = test.run("plan p.yaml --device cpu").exits(0);
    plan.says("`precision: tf32` computes on CUDA only, and this plan is for the CPU");
    test.run("run p.yaml tuned --device cpu")
        .exits(1)
        .says("blocked: tuned: ");
}

#[test]
fn tables_say_which_tiling() {
    let test = Test::new().photos();
    test.write("p.yaml", YAML.replace("rows: [tiling]", "rows: [scheme]"));
    test.run("plan p.yaml")
        .exits(2)
        .says("these evaluations use different tiling protocols: add `tiling` to `rows`");
    test.write("p.yaml", YAML.replace("none, 16]", "none, 5]"));
    test.run("plan p.yaml")
        .exits(2)
        .says("expected `official`, `none` or a side of 16 to 4096 pixels, found the number `5`");
}

#[test]
fn bf16_is_computed_where_the_processor_can_and_refused_where_it_would_be_emulated() {
    let name = "bf16_is_computed_where_the_processor_can_and_refused_where_it_would_be_emulated";
    let Some(test) = Test::with_worker(name).map(Test::photos) else {
        return;
    };
    test.write(
        "p.yaml",
        YAML.replace("channels_last: true", "precision: bf16"),
    );
    let plan = test.run("plan p.yaml").exits(0);
    if plan.stdout.contains("blocked  tuned") {
        plan.says("`precision: bf16` needs CUDA or a processor with AVX512-BF16, and this plan is for a processor without")
            .says("hint: use `--device cuda`, or `precision: fp32`");
        test.run("run p.yaml tuned")
            .exits(1)
            .says("blocked: tuned: ");
        assert_eq!(test.committed(), ["mask", "prepare", "train"]);
        return;
    }
    // libtorch is told to leave the instructions alone: a worker that would go on would emulate them.
    let mut held_back = test.command("run p.yaml tuned");
    Ran::of(
        held_back
            .env("ATEN_CPU_CAPABILITY", "avx2")
            .output()
            .unwrap(),
    )
    .exits(1)
    .says("failed: tuned: `precision: bf16` needs CUDA or a processor with AVX512-BF16");
    test.run("run p.yaml tuned").exits(0).says("1 ran, 3 fresh");
    let low = std::fs::read(&test.outputs("tune", "weights.safetensors")[0]).unwrap();
    let full = Test::with_worker(name).map(Test::photos).unwrap();
    full.write(
        "p.yaml",
        YAML.replace("channels_last: true", "precision: fp32"),
    );
    full.run("run p.yaml tuned").exits(0);
    let full = std::fs::read(&full.outputs("tune", "weights.safetensors")[0]).unwrap();
    assert_ne!(low, full, "computed in float32");
}

#[test]
fn a_tuning_that_only_loses_can_hand_on_what_it_began_with() {
    let name = "a_tuning_that_only_loses_can_hand_on_what_it_began_with";
    let Some(test) = Test::with_worker(name).map(Test::tiny) else {
        return;
    };
    let test = test.photo("others/c.png", 40, 40);
    let yaml = TINY
        .replace("images: pairs, iterations: 3,", "images: pairs, iterations: 80, lr: 1e-3,")
        .replace(
            "  masks:\n",
            "  val: {prepare: {images: others, degrade: {sr: 2}}, resources: {threads: 1}}\n  \
             val-masks: {mask: {images: val, grid: 4, count: 8}, resources: {threads: 1}}\n  masks:\n",
        )
        .replace(
            "masks: masks, iterations: 3, patch",
            "masks: masks, iterations: 4, lr: 10, weights: best, validate: {images: val, masks: val-masks, every: 2}, patch",
        );
    test.write("p.yaml", &yaml);
    let card = |test: &Test| {
        let cards = test.outputs("tune", "model.json");
        let cards = cards
            .iter()
            .map(|path| std::fs::read_to_string(path).unwrap());
        cards
            .map(|text| serde_json::from_str::<serde_json::Value>(&text).unwrap())
            .collect::<Vec<_>>()
    };
    test.run("run p.yaml tuned").exits(0);
    assert!(card(&test)[0]["iterations"].as_u64().unwrap() > 0);
    test.write(
        "p.yaml",
        yaml.replace("weights: best,", "weights: best-or-initial,"),
    );
    test.run("run p.yaml tuned").exits(0).says("1 ran");
    let cards = card(&test);
    let initial = cards.iter().find(|card| card["iterations"] == 0).unwrap();
    let other = cards.iter().find(|card| card["iterations"] != 0).unwrap();
    assert!(
        initial["validation_psnr"].as_f64() > other["validation_psnr"].as_f64(),
        "{cards:?}"
    );
    assert_eq!(initial["iterations_run"], 4);
    test.write(
        "p.yaml",
        yaml.replace(
            "weights: best, validate: {images: val, masks: val-masks, every: 2}",
            "weights: best-or-initial",
        ),
    );
    test.run("plan p.yaml")
        .exits(2)
        .says("`best-or-initial` is judged on a validation");
}

#[test]
fn evaluations_and_photographs_in_bf16_are_close_and_never_emulated() {
    let name = "evaluations_and_photographs_in_bf16_are_close_and_never_emulated";
    let Some(test) = Test::with_worker(name).map(Test::photos) else {
        return;
    };
    let two = "  score:
    evaluate: {model: tuned, images: pairs, masks: masks}
    resources: {threads: 1}
  low:
    evaluate: {model: tuned, images: pairs, masks: masks, precision: bf16}
    resources: {threads: 1}
  tiles:
    table: {from: [score, low], rows: [evaluation_precision]}
";
    let yaml = format!("{}{two}", YAML.split("  score:\n").next().unwrap());
    test.write("p.yaml", yaml.replace("evaluation_precision]", "scheme]"));
    test.run("plan p.yaml").exits(2).says(
        "these evaluations use different evaluation_precision protocols: add `evaluation_precision` to `rows`",
    );
    test.write("p.yaml", &yaml);
    let plan = test.run("plan p.yaml").exits(0);
    if plan.stdout.contains("blocked  low") {
        plan.says("`precision: bf16` needs CUDA or a processor with AVX512-BF16");
        return;
    }
    test.run("run p.yaml").exits(0).says("7 ran");
    let psnr = |path: &std::path::PathBuf| -> f64 {
        let text = std::fs::read_to_string(path).unwrap();
        let line = text.lines().nth(1).unwrap();
        line.split(',').nth(1).unwrap().parse().unwrap()
    };
    let found: Vec<f64> = test
        .outputs("evaluate", "metrics.csv")
        .iter()
        .map(psnr)
        .collect();
    let apart = (found[0] - found[1]).abs();
    assert!(apart > 0.0 && apart < 0.2, "{found:?}");
    let restore = |capability: Option<&str>| {
        let words = "restore photos/a.png --model tuned -f p.yaml --device cpu -o out --overwrite --precision bf16";
        let mut command = test.command(words);
        command.envs(capability.map(|word| ("ATEN_CPU_CAPABILITY", word)));
        Ran::of(command.output().unwrap())
    };
    restore(Some("avx2"))
        .exits(1)
        .says("`precision: bf16` needs CUDA or a processor with AVX512-BF16");
    restore(None).exits(0);
}
