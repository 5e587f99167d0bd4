//! `pipeline export --to`: a trained model as one file, what its header says, and that it restores as its stage does, here
//! and in PyTorch.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pixels::read_rgb8;
use serde_json::Value;

use crate::support::{Ran, TINY, Test, photo, png};

/// The smallest pipeline with its results.
fn trained(name: &str, yaml: &str) -> Option<Test> {
    let test = Test::with_worker(name)?.photos();
    test.write("p.yaml", yaml);
    test.run("run p.yaml").exits(0);
    Some(test)
}

/// The names of a file's tensors, and what its header says of the model.
fn header(path: &Path) -> (Vec<String>, Value) {
    let bytes = std::fs::read(path).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    assert_eq!(length % 8, 0, "numbers begin at a multiple of eight");
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut names: Vec<String> = tensors
        .names()
        .into_iter()
        .map(ToString::to_string)
        .collect();
    names.sort_unstable();
    let metadata = metadata.metadata().clone().unwrap();
    assert_eq!(metadata["format"], "pt");
    (names, serde_json::from_str(&metadata["pipeline"]).unwrap())
}

#[test]
fn an_exported_model_says_what_it_is_and_restores_as_its_stage() {
    let name = "an_exported_model_says_what_it_is_and_restores_as_its_stage";
    let Some(test) = trained(name, TINY) else {
        return;
    };
    let export = |words: &str| test.run(&format!("export {words} -f p.yaml --device cpu"));
    export("tuned --to m/units.safetensors")
        .exits(0)
        .says("tuned: its SPT units → m/units.safetensors");
    export("tuned --to m/whole.safetensors --merged --model-card")
        .exits(0)
        .says("card: m/README.md");
    export("base --to m/base.safetensors")
        .exits(0)
        .says("base: the whole network");
    let (units, said) = header(&test.path("m/units.safetensors"));
    let (base, of_base) = header(&test.path("m/base.safetensors"));
    let (whole, _) = header(&test.path("m/whole.safetensors"));
    assert!(
        units.iter().all(|n| n.starts_with("spt."))
            && units.contains(&"spt.head.0.weight".to_owned())
    );
    assert!(
        base.contains(&"IMDB1.c1.weight".to_owned()),
        "official names: {base:?}"
    );
    let mut both = [base, units].concat();
    both.sort_unstable();
    assert_eq!(both, whole);
    assert_eq!(said["stage"], "tuned");
    assert_eq!(said["contents"], "units");
    assert_eq!(said["degrade"]["sr"], 2);
    assert_eq!(said["config"]["alpha"], "1");
    assert_eq!(said["masks"]["mask"]["count"], 8);
    assert_eq!(said["metrics"]["score"]["images"], 2);
    assert!(said["metrics"]["score"]["means"]["psnr"].as_f64().unwrap() > 3.0);
    let key = test.run("path tuned -f p.yaml --device cpu").stdout;
    assert!(key.contains(said["key"].as_str().unwrap()));
    assert_eq!(said["base"].as_str().unwrap().len(), 64);
    assert_eq!(
        (&of_base["base"], &of_base["masks"]),
        (&Value::Null, &Value::Null)
    );
    let place = test.path("").display().to_string();
    assert!(
        !said.to_string().contains(place.trim_end_matches('/')),
        "no path of this machine"
    );
    let card = test.read("m/README.md");
    assert!(
        card.starts_with("---\npipeline_tag: image-to-image\n"),
        "{card}"
    );
    assert!(
        card.contains("pipeline restore photo.png --model whole.safetensors -o restored"),
        "{card}"
    );
    assert!(card.contains("| tiny | 2 | psnr | "), "{card}");

    test.write("a.png", photo(30, 21));
    let restore = |words: &str| test.run(&format!("restore a.png --device cpu {words}"));
    restore("--model tuned -f p.yaml -o stage").exits(0);
    restore("--model m/whole.safetensors -o whole").exits(0);
    restore("--model m/units.safetensors -o units --backbone m/base.safetensors").exits(0);
    let of = |folder: &str| std::fs::read(test.path(&format!("{folder}/a.png"))).unwrap();
    assert!(of("stage") == of("whole") && of("stage") == of("units"));
    restore("--model m/base.safetensors -o base").exits(0);
    assert!(of("stage") != of("base"));
    restore("--model m/units.safetensors -o x")
        .exits(2)
        .says("`m/units.safetensors` holds SPT units alone")
        .says("--backbone FILE");
    restore("--model m/whole.safetensors -o x --backbone m/base.safetensors")
        .exits(2)
        .says("holds its backbone");
    // Weights of another training have the same names and shapes.
    test.write("q.yaml", TINY.replace("iterations: 3", "iterations: 2"));
    test.run("run q.yaml base").exits(0);
    test.run("export base --to m/other.safetensors -f q.yaml --device cpu")
        .exits(0);
    restore("--model m/units.safetensors -o x --backbone m/other.safetensors")
        .exits(1)
        .says("the units were tuned on other weights than those of `m/other.safetensors`");
    assert!(!test.path("x/a.png").exists());
}

#[test]
fn a_card_tells_evaluations_apart_and_its_command_can_be_typed() {
    let name = "a_card_tells_evaluations_apart_and_its_command_can_be_typed";
    let Some(test) = Test::with_worker(name).map(Test::photos) else {
        return;
    };
    let drawn = "mask: {images: pairs, count: 3, segmenter: {files: {path: drawn}}}";
    let shaved = "  shaved:\n    evaluate: {model: tuned, images: pairs, masks: masks, shave: 5}\n";
    let yaml = TINY.replace("mask: {images: pairs, grid: 4, count: 8}", drawn);
    test.write("p.yaml", yaml + shaved);
    for (image, size) in [("a", (24, 20)), ("b", (20, 24)), ("photo", (30, 21))] {
        let half = |y| vec![if y < 9 { 255 } else { 0 }; size.0 as usize];
        test.write(&format!("drawn/{image}/0.png"), png(size, 0, 8, half));
    }
    test.run("run p.yaml").exits(0);
    let mut export = test.command("export tuned -f p.yaml --device cpu --merged --model-card --to");
    Ran::of(export.arg("it's $(mine).safetensors").output().unwrap()).exits(0);
    let card = test.read("README.md");
    for stage in ["score", "shaved"] {
        assert!(
            card.contains(&format!("| {stage} | tiny | 2 | psnr | ")),
            "{card}"
        );
    }
    let command = card
        .lines()
        .find_map(|line| line.strip_prefix("pipeline "))
        .unwrap();
    test.write("photo.png", photo(30, 21));
    // The shell has the command as it is printed; the user knows where the masks lie.
    let shell = test.command("-c");
    let program = shell.get_program().to_owned();
    let script = format!(
        "\"$0\" {} --device cpu",
        command.replace(" PATH ", " drawn ")
    );
    let mut typed = Command::new("sh");
    typed.args(["-c", &script]).arg(program);
    typed.current_dir(shell.get_current_dir().unwrap());
    let envs = shell
        .get_envs()
        .filter_map(|(name, value)| Some((name, value?)));
    typed.envs(envs);
    Ran::of(typed.output().unwrap()).exits(0);
    assert!(test.path("restored/photo.png").is_file());
}

#[test]
fn what_is_there_stays_and_what_is_damaged_is_not_handed_on() {
    let name = "what_is_there_stays_and_what_is_damaged_is_not_handed_on";
    let Some(test) = trained(name, TINY) else {
        return;
    };
    let export = |words: &str| test.run(&format!("export {words} -f p.yaml --device cpu"));
    test.write("README.md", "mine");
    export("tuned --to m.safetensors --model-card")
        .exits(2)
        .says("`README.md` is there already");
    assert!(!test.path("m.safetensors").exists());
    export("tuned --to m.safetensors").exits(0);
    let before = std::fs::read(test.path("m.safetensors")).unwrap();
    export("tuned --to m.safetensors")
        .exits(2)
        .says("`m.safetensors` is there already");
    export("tuned --to m.safetensors --overwrite").exits(0);
    assert_eq!(
        before,
        std::fs::read(test.path("m.safetensors")).unwrap(),
        "the same bytes each time"
    );
    assert_eq!(test.read("README.md"), "mine");
    export("score --to s.safetensors")
        .exits(2)
        .says("`score` is a stage `evaluate`, which has no model");
    export("score* --to s.safetensors")
        .exits(2)
        .says("are several stages");
    export("tuned --to m.pt")
        .exits(2)
        .says("expected a name that ends in .safetensors");
    export("tuned out --merged").exits(2);
    export("tuned").exits(2).says("DIR");
    let weights = test.output("tune", "weights.safetensors");
    let mut bytes = std::fs::read(&weights).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    let mut open = std::fs::metadata(&weights).unwrap().permissions();
    #[expect(clippy::permissions_set_readonly_false, reason = "a file of a test")]
    open.set_readonly(false);
    std::fs::set_permissions(&weights, open).unwrap();
    std::fs::write(&weights, bytes).unwrap();
    let ran = export("tuned --to n.safetensors").exits(1);
    assert!(
        ran.stderr.contains("damaged") || ran.stderr.contains("differ"),
        "{ran}"
    );
    assert!(!test.path("n.safetensors").exists());
}

/// The Python that has PyTorch, if any.
fn python(name: &str) -> Option<PathBuf> {
    let python: PathBuf =
        std::env::var_os("PIPELINE_PYTHON").map_or("python3".into(), PathBuf::from);
    let has = Command::new(&python).args(["-c", "import torch"]).output();
    if has.is_ok_and(|o| o.status.success()) {
        return Some(python);
    }
    println!("skipped: {name}: no PyTorch (pip install torch; PIPELINE_PYTHON names the Python)");
    None
}

#[test]
fn pytorch_gives_the_same_picture_from_the_same_file() {
    let name = "pytorch_gives_the_same_picture_from_the_same_file";
    let Some(python) = python(name) else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/load_model.py");
    let drawn = "mask: {images: pairs, count: 3, segmenter: {files: {path: drawn}}}";
    let denoiser = TINY.replace("{sr: 2}", "{denoise: 25}").replace(
        "{imdn: {scale: 2, width: 16, blocks: 1}}",
        "{dncnn: {width: 16, depth: 8}}",
    );
    for (yaml, width, height) in [(TINY.to_owned(), 30, 21), (denoiser, 33, 20)] {
        let Some(test) = Test::with_worker(name).map(Test::photos) else {
            return;
        };
        test.write(
            "p.yaml",
            yaml.replace("mask: {images: pairs, grid: 4, count: 8}", drawn),
        );
        // Two masks of three: the last is empty.
        let stripes = |w: u32, h: u32, n: u32| {
            png((w, h), 0, 8, |y| {
                vec![if (y / 5) % 2 == n { 255 } else { 0 }; w as usize]
            })
        };
        let sizes = if yaml.contains("sr: 2") {
            [(24, 20), (20, 24)]
        } else {
            [(48, 40), (40, 48)]
        };
        for (image, (w, h)) in ["a", "b", "new"]
            .into_iter()
            .zip(sizes.into_iter().chain([(width, height)]))
        {
            for n in 0..2 {
                test.write(&format!("drawn/{image}/{n}.png"), stripes(w, h, n));
            }
        }
        test.run("run p.yaml").exits(0);
        test.write("new.png", photo(width as usize, height as usize));
        for words in [
            "tuned --to units.safetensors",
            "tuned --to whole.safetensors --merged",
            "base --to base.safetensors",
        ] {
            test.run(&format!("export {words} -f p.yaml --device cpu"))
                .exits(0);
        }
        let words =
            "restore new.png --model whole.safetensors --segmenter-path drawn --device cpu -o out";
        test.run(words).exits(0);
        let restored = read_rgb8(&test.path("out/new.png")).unwrap().image;
        let mut input = read_rgb8(&test.path("new.png")).unwrap().image.data;
        for n in 0..3 {
            let bit = |i: u32| u8::from(n < 2 && (i / width / 5) % 2 == n);
            input.extend((0..width * height).map(bit));
        }
        for files in [
            &["whole.safetensors"][..],
            &["units.safetensors", "base.safetensors"],
        ] {
            let mut child = Command::new(&python)
                .arg(&script)
                .args(files)
                .args([width.to_string(), height.to_string()])
                .current_dir(test.path(""))
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            std::io::Write::write_all(&mut child.stdin.take().unwrap(), &input).unwrap();
            let found = child.wait_with_output().unwrap().stdout;
            assert_eq!(found.len(), restored.data.len(), "{files:?}");
            let off = found
                .iter()
                .zip(&restored.data)
                .map(|(a, b)| a.abs_diff(*b));
            // Sums in another order may round a sample to the next level.
            assert!(off.clone().max().unwrap() <= 1, "{files:?}");
            assert!(
                off.filter(|d| *d > 0).count() * 200 < found.len(),
                "{files:?}"
            );
        }
    }
}
