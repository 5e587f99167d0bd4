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
