//! Weights of others as they are found: behind entries and prefixes of every kind, in every protocol of pickle.
//! Unaware of how they are read.

use crate::pth::{Py, Tensors, dict, saved, state, tensors_of};
use crate::support::Test;

const YAML: &str = "\
stages:
  official:
    pretrained: {backbone: {imdn: {scale: 2, width: 16, blocks: 1}}, file: weights.pth}
";

/// A folder with the YAML file and without a cache, and the weights of a small IMDN that was trained for one iteration.
fn trained(name: &str) -> Option<(Test, Tensors)> {
    let test = Test::with_worker(name)?.tiny();
    test.run("run p.yaml base --set stages.base.train.iterations=1")
        .exits(0);
    let tensors = tensors_of(&test.output("train", "weights.safetensors"));
    std::fs::remove_dir_all(test.path("cache")).unwrap();
    test.write("p.yaml", YAML);
    Some((test, tensors))
}

/// `weights.pth` of these bytes gives the network of these tensors.
#[track_caller]
fn gives(test: &Test, file: &[u8], tensors: &Tensors) -> crate::support::Ran {
    test.write("weights.pth", file);
    let ran = test.run("run p.yaml").exits(0);
    let kept = test.output("pretrained", "weights.safetensors");
    assert_eq!(&tensors_of(&kept), tensors, "{ran}");
    std::fs::remove_dir_all(test.path("cache")).unwrap();
    ran
}

/// The tensors with every number negated.
fn negated(tensors: &Tensors) -> Tensors {
    let mut all = tensors.clone();
    for (_, _, bytes) in &mut all {
        for number in bytes.chunks_exact_mut(4) {
            number[3] ^= 0x80;
        }
    }
    all
}

#[test]
fn a_network_is_found_behind_any_entry_and_prefix() {
    let name = "a_network_is_found_behind_any_entry_and_prefix";
    let Some((test, net)) = trained(name) else {
        return;
    };
    gives(&test, &saved(&state(&net, ""), &net), &net).never_says("stands behind");
    for entry in ["params-ema", "model", "weights", "net"] {
        let file = dict(&[(entry, state(&net, "")), ("epoch", Py::Int(3))]);
        gives(&test, &saved(&file, &net), &net).says(&format!(
            "`weights.pth`: the network stands behind `{entry}`"
        ));
    }
    for prefix in [
        "_orig_mod.",
        "module.module.",
        "model.",
        "net_g.",
        "generator.",
    ] {
        gives(&test, &saved(&state(&net, prefix), &net), &net).says(&format!(
            "the network stands behind `{}`",
            prefix.trim_end_matches('.')
        ));
    }
    let lightning = dict(&[
        ("epoch", Py::Int(1)),
        ("state_dict", state(&net, "model.net_g.")),
        (
            "optimizer_states",
            dict(&[("0", Py::Tensor(0, net[0].1.clone()))]),
        ),
    ]);
    gives(&test, &saved(&lightning, &net), &net).says(
        "the network stands behind `state_dict.model.net_g`; one tensor elsewhere is not read",
    );
}

#[test]
fn of_two_copies_the_average_comes_first_and_entry_chooses() {
    let name = "of_two_copies_the_average_comes_first_and_entry_chooses";
    let Some((test, net)) = trained(name) else {
        return;
    };
    let other = negated(&net);
    let both: Tensors = net.iter().chain(&other).cloned().collect();
    let shifted = |py: Py| match py {
        Py::Dict(items) => Py::Dict(
            items
                .into_iter()
                .map(|(name, value)| match value {
                    Py::Tensor(at, shape) => (name, Py::Tensor(at + net.len(), shape)),
                    value => (name, value),
                })
                .collect(),
        ),
        py => py,
    };
    let two = |a: &str, b: &str| {
        let second = shifted(state(&other, "module."));
        saved(&dict(&[(a, state(&net, "")), (b, second)]), &both)
    };
    gives(&test, &two("model", "model_ema"), &other).says(
        "the network stands behind `model_ema.module`; another one behind `model` is not read (`entry:` chooses)",
    );
    gives(&test, &two("ema-params", "params"), &net).says("behind `ema-params`");
    test.write(
        "p.yaml",
        YAML.replace("weights.pth", "weights.pth, entry: model"),
    );
    gives(&test, &two("model", "model_ema"), &net);
    test.write("weights.pth", two("params", "params_ema"));
    test.run("run p.yaml")
        .exits(1)
        .says("`weights.pth` has no tensors in an entry `model`")
        .says("hint: it has `params`, `params_ema`");
    test.write("p.yaml", YAML);
    test.write("weights.pth", two("a", "b"));
    test.run("run p.yaml")
        .exits(1)
        .says("holds several networks that fit: behind `a`, `b.module`")
        .says("hint: `entry: a` chooses");
    // What was found is in the log and in the record.
    test.write("weights.pth", two("model", "model_ema"));
    test.run("run p.yaml").exits(0);
    test.run("log official")
        .exits(0)
        .says("note: `weights.pth`: the network stands behind");
    let records = crate::support::files_below(&test.path("cache/records"));
    let record = std::fs::read_to_string(&records[0]).unwrap();
    assert!(
        record.contains("the network stands behind `model_ema.module`"),
        "{record}"
    );
}

#[test]
fn a_prefix_before_some_names_only_is_an_error_that_says_so() {
    let name = "a_prefix_before_some_names_only_is_an_error_that_says_so";
    let Some((test, net)) = trained(name) else {
        return;
    };
    let Py::Dict(mut items) = state(&net, "module.") else {
        unreachable!()
    };
    items[3].0 = items[3].0.replace("module.", "");
    let count = items.len() - 1;
    test.write("weights.pth", saved(&Py::Dict(items), &net));
    test.run("run p.yaml")
        .exits(1)
        .says(&format!(
            "the network's names are not all in one place: {count} behind `module.`, 1 without a prefix"
        ))
        .says("hint: a prefix must stand before all of them or before none");
}

#[test]
fn headers_of_safetensors_are_bounded_and_name_each_tensor_once() {
    let name = "headers_of_safetensors_are_bounded_and_name_each_tensor_once";
    let Some(test) = Test::with_worker(name) else {
        return;
    };
    let test = test.file("p.yaml", YAML);
    let refused = |header: &str, text: &str| {
        let length = (header.len() as u64).to_le_bytes();
        test.write(
            "weights.pth",
            [&length, header.as_bytes(), &[0; 8]].concat(),
        );
        test.run("run p.yaml").exits(1).says(text);
    };
    let tensor = r#"{"dtype":"F32","shape":[2],"data_offsets":[0,8]}"#;
    refused(
        &format!(r#"{{"a":{tensor},"a":{tensor}}}"#),
        "`weights.pth` is not a usable checkpoint: its header has `a` twice",
    );
    refused(
        &format!("{{{}\"a\":{tensor}}}", " ".repeat(17 << 20)),
        "its header has more than 16777216 bytes",
    );
}

/// The hint names a configuration that then loads: the one of the file, for images of whatever size it was built.
#[test]
fn the_windows_of_a_cat_are_read_off_its_masks() {
    let name = "the_windows_of_a_cat_are_read_off_its_masks";
    let Some(test) = Test::with_worker(name).map(Test::tiny) else {
        return;
    };
    let cat = "cat: {scale: 2, width: 32, depths: [2, 2], heads: 2, mlp_ratio: 1.0, split: [4, 4]}";
    let imdn = "imdn: {scale: 2, width: 16, blocks: 1}";
    let yaml = test.read("p.yaml").replace(imdn, cat);
    test.write("p.yaml", yaml.replace("iterations: 3", "iterations: 1"));
    test.run("run p.yaml base").exits(0);
    let mut net = tensors_of(&test.output("train", "weights.safetensors"));
    for group in 0..2 {
        for direction in 0..2 {
            let name = format!("layers.{group}.blocks.1.attn_mask_{direction}");
            net.push((name, vec![3, 48, 48], vec![0; 3 * 48 * 48 * 4]));
        }
    }
    net.sort();
    test.write("weights.pth", saved(&state(&net, "module."), &net));
    let with = |fields: &str| YAML.replace(imdn, fields);
    test.write(
        "p.yaml",
        with("cat: {scale: 2, width: 32, depths: [2, 2], heads: 2, mlp_ratio: 1}"),
    );
    test.run("run p.yaml")
        .exits(1)
        .says("`weights.pth` holds windows of the split sizes [4, 4], and the backbone has [2, 4]")
        .says(&format!(
            "hint: this looks like CAT-A ×2: `backbone: {{{cat}}}` has its names and shapes"
        ));
    test.write("p.yaml", with(cat));
    test.run("run p.yaml").exits(0);
    net.push((
        "layers.0.blocks.0.attns.0.relative_position_index".into(),
        vec![1],
        vec![0; 4],
    ));
    test.write("weights.pth", saved(&state(&net, ""), &net));
    test.run("run p.yaml")
        .exits(1)
        .says("hint: this looks like CAT-R ×2: its regular blocks are not in this program");
}
