//! Command lines that are wrong, and a worker that is not there: what is said, and the exit code.
//! Unaware of stages' results.

use crate::support::{Ran, Test, list};

#[test]
fn a_file_that_is_not_there_or_no_file() {
    let test = Test::new();
    test.run("run nothing.yaml")
        .exits(2)
        .says("error: cannot read `nothing.yaml`: No such file")
        .says("hint: name a pipeline file, such as pipelines/quickstart.yaml");
    test.write("pipelines/table-4.yaml", "stages: {}");
    for (typed, meant) in [
        ("pipelines/tabel-4.yaml", "pipelines/table-4.yaml"),
        ("table-4.yaml", "pipelines/table-4.yaml"),
        ("pipelines/table4.yml", "pipelines/table-4.yaml"),
    ] {
        test.run(&format!("plan {typed}"))
            .exits(2)
            .says(&format!("cannot read `{typed}`"))
            .says(&format!("hint: did you mean `{meant}`?"));
    }
    test.run("plan .").exits(2).says("cannot read `.`");
    test.run("run").exits(2).says("<FILE>");
    test.run("rnu p.yaml")
        .exits(2)
        .says("unrecognized subcommand");
}

#[test]
fn values_that_cannot_be_set() {
    let test = Test::new().tiny();
    let set = |text: &str| test.run(&format!("plan p.yaml --set {text}"));
    set("stages.base")
        .exits(2)
        .says("error: --set stages.base: expected `path=value`")
        .says("hint: write --set stages.NAME.KIND.FIELD=VALUE");
    set("stages.base.train.iterations=many")
        .exits(2)
        .says("error: --set stages.base.train.iterations=many: stages.base.train.iterations: expected a whole number")
        .never_says("p.yaml:");
    set("stages.bsae.train.iterations=9")
        .exits(2)
        .says("there is no stage `bsae`")
        .says("hint: did you mean `base`?");
    set("stages.base.train.iteration=9")
        .exits(2)
        .says("stages.base.train: unknown field `iteration`")
        .says("hint: did you mean `iterations`?");
    set("stages.base.train.iterations.x=9")
        .exits(2)
        .says("cannot be set: `x` is not there");
    set("stages.base.train.lr=[1")
        .exits(2)
        .says("--set stages.base.train.lr=[1: `[` is never closed");
    set("stages.base.train.lr=1e-3").exits(0);
}

#[test]
fn a_target_that_is_no_stage() {
    let test = Test::new().tiny();
    for words in ["run p.yaml scor-base", "plan p.yaml --force scor-base"] {
        test.run(words)
            .exits(2)
            .says("error: there is no stage `scor-base`")
            .says("hint: did you mean `score-base`?");
    }
    assert!(test.noted().is_empty());
}

#[test]
fn a_device_that_is_not_there() {
    let test = Test::new().tiny();
    test.run("run p.yaml --device gpu")
        .exits(2)
        .says("expected auto, cpu, cuda or cuda:N");
    test.run("run p.yaml --device cuda")
        .exits(2)
        .says("error: there is no cuda:0: the worker sees 0 CUDA devices")
        .says("hint: `pipeline doctor` says why; `--device cpu` computes on the processor");
    assert!(test.noted().is_empty());
}

#[test]
fn auto_takes_a_device_that_is_there_and_the_key_knows() {
    let test = Test::new().tiny();
    test.run("run p.yaml").exits(0).says("7 ran");
    let plan = |device: &str| {
        let mut command = test.command(&format!("plan p.yaml --device {device}"));
        // What the worker said before is remembered beside it.
        let _ = std::fs::remove_file(test.path("stand-in.facts.json"));
        Ran::of(
            command
                .env("STUB_DEVICES", "\"One\",\"Two\"")
                .output()
                .unwrap(),
        )
    };
    plan("cpu").exits(0).says("7 stages on cpu: 0 to run");
    plan("auto")
        .exits(0)
        .says("7 stages on cuda:0: 5 to run, 2 fresh")
        .says("numerics: cpu float32 libtorch 2.11.0 → cuda float32 tf32=off libtorch 2.11.0");
    plan("cuda:1").exits(0).says("on cuda:1: 5 to run");
    plan("cuda:2").exits(0).says("on cuda:2: 5 to run");
}

#[test]
fn a_worker_that_is_missing_or_of_another_version() {
    let test = Test::new().tiny();
    let run = |variable: &str, value: &str| {
        let mut command = test.command("run p.yaml");
        Ran::of(command.env(variable, value).output().unwrap()).exits(1)
    };
    run("PIPELINE_WORKER", "/nonexistent")
        .says("error: there is no worker at `/nonexistent`")
        .says("hint: `make build` puts it beside pipeline");
    run("STUB_VERSION", "0.0.1")
        .says("is version 0.0.1, pipeline is")
        .says("hint: build or install both together");
    run("PIPELINE_WORKER", "/bin/false").says("the worker `/bin/false` does not start");
    let _ = std::fs::remove_file(test.path("stand-in.facts.json"));
    assert!(test.committed().is_empty());
    test.run("run p.yaml").exits(0).says("7 ran");
}

#[test]
fn a_worker_that_only_says_it_is_done_is_not_believed() {
    let test = Test::new().tiny().file("lie", "");
    test.run("run p.yaml")
        .exits(1)
        .says("failed: pairs: the worker said it was done but left no completion record");
    assert!(test.committed().is_empty());
    test.remove("lie");
    test.run("run p.yaml").exits(0).says("7 ran");
}

#[test]
fn doctor_says_which_kernels_were_chosen_and_an_override_that_is_none() {
    let name = "doctor_says_which_kernels_were_chosen_and_an_override_that_is_none";
    let Some(test) = Test::with_worker(name) else {
        return;
    };
    let said = |overrides: &str| {
        let mut command = test.command("doctor");
        let output = command.env("PIPELINE_KERNELS", overrides).output().unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    };
    let (code, text) = said("gemm,tiles,planar");
    assert!(
        code == Some(0) && text.contains("kernels   gemm,tiles,planar on "),
        "{text}"
    );
    let (_, text) = said("channels-last");
    assert!(text.contains(",channels-last on "), "{text}");
    let (code, text) = said("fast");
    assert!(
        code == Some(1) && text.contains("BAD  kernels   PIPELINE_KERNELS is `fast`; expected"),
        "{text}"
    );
}

#[test]
fn doctor_says_what_is_there() {
    let test = Test::new();
    test.run("doctor").exits(0).says("2.11.0");
    let mut command = test.command("doctor");
    let ran = Ran::of(
        command
            .env("PIPELINE_WORKER", "/nonexistent")
            .output()
            .unwrap(),
    );
    ran.says("/nonexistent");
}

/// A folder of links goes from one reader to the next, but not if the reader changed it.
#[test]
fn what_a_command_does_to_its_input_folder_no_other_command_sees() {
    let stage = |name: &str, shell: &str| {
        format!(
            "  {name}: {{command: {{shell: '{shell}', stages: {{in: a}}, outputs: [{name}.txt]}}}}\n"
        )
    };
    let see = |name: &str| format!("ls in > {name}.txt; cat in/a.txt >> {name}.txt");
    let yaml = [
        "stages:\n  a: {command: {shell: echo one > a.txt, outputs: [a.txt]}}\n".to_owned(),
        stage("b", &format!("{}; echo junk > in/junk", see("b"))),
        stage("c", &format!("{}; ln -sf /etc/hostname in/a.txt", see("c"))),
        stage(
            "d",
            &format!("{}; mv in ../kept; ln -s ../kept in", see("d")),
        ),
        stage("e", &see("e")),
        stage("f", &see("f")),
    ];
    let test = Test::new().without_walls().file("p.yaml", yaml.concat());
    test.run("run p.yaml --jobs 1").exits(0).says("6 ran");
    for name in ["b", "c", "d", "e", "f"] {
        assert_eq!(test.read(&format!("{name}.txt")), "a.txt\none\n", "{name}");
    }
    assert_eq!(list(&test.path("cache/trash")).len(), 0);
}
