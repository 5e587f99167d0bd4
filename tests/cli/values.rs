//! Values as people give them: `--set`, variables, the environment, scalars that look like numbers.
//! Unaware of what the stages compute: commands write what they were given.

use crate::support::{Ran, Test};

/// Variables, a sweep, a command with variables of its own, and an included stage.
const FILE: &str = "\
include: [base.yaml]
vars:
  alpha: 1
  net: {width: [16, 32]}
  \"a.b\": dotted
stages:
  c:
    each: {n: [1, 2]}
    command: {run: [sh, -c, 'echo $A {alpha} {n} > {n}.txt'], env: {A: x}, outputs: ['{n}.txt']}
  t:
    table: {from: [score], rows: [scheme]}
";

const BASE: &str = "\
vars: {beta: 2}
stages:
  pairs:
    prepare: {images: photos, degrade: {sr: 2}}
  base:
    train: {backbone: {imdn: {scale: 2}}, images: pairs, iterations: 3}
  score:
    evaluate: {model: base, images: pairs}
";

fn set(text: &str) -> Ran {
    let test = Test::new()
        .photos()
        .file("p.yaml", FILE)
        .file("base.yaml", BASE);
    let mut command = test.command("plan p.yaml");
    command.args(["--set", text]);
    Ran::of(command.output().unwrap())
}

/// An override, what is said of it, and the hint.
const REFUSED: &[(&str, &str, &str)] = &[
    (
        "vars.alhpa=2",
        "there is no `vars.alhpa`",
        "did you mean `alpha`?",
    ),
    (
        "vars.btea=2",
        "there is no `vars.btea`",
        "did you mean `beta`?",
    ),
    (
        "vars={alhpa: 2}",
        "there is no `vars.alhpa`",
        "did you mean `alpha`?",
    ),
    (
        "vars.net.widht=2",
        "there is no `vars.net.widht`",
        "did you mean `width`?",
    ),
    (
        "vars.net.width.2=64",
        "there is no `vars.net.width.2`",
        "has 2 items, from 0 on",
    ),
    (
        "vars.net.width.-1=64",
        "there is no `vars.net.width.-1`",
        "has 2 items",
    ),
    (
        "vars.alpha.x=2",
        "there is no `vars.alpha.x`",
        "`vars.alpha` is the number `1`",
    ),
    (
        "vars.\"a.c\"=2",
        "there is no `vars.a.c`",
        "did you mean `a.b`?",
    ),
    (
        "alpha=2",
        "unknown field `alpha`",
        "did you mean `vars.alpha`?",
    ),
    (
        "base.train.lr=2",
        "unknown field `base`",
        "did you mean `stages.base.train.lr`?",
    ),
    (
        "include=[x.yaml]",
        "`include` cannot be set",
        "name another pipeline file",
    ),
    (
        "stages={}",
        "`stages` cannot be set as a whole",
        "--set stages.NAME",
    ),
    (
        "stages.bsae.train.lr=1",
        "there is no stage `bsae`",
        "did you mean `base`?",
    ),
    (
        "stages.c[n=1].command.env.A=1",
        "there is no stage `c[n=1]`",
        "all members: stages.c",
    ),
    (
        "stages.base.tune.lr=1",
        "stages.base: it is a `train` stage and has no `tune`",
        "known names: train, each, resources",
    ),
    (
        "stages.base.trian.lr=1",
        "stages.base: unknown stage kind or field `trian`",
        "did you mean `train`?",
    ),
    (
        "stages.base.train.itertions=1",
        "stages.base.train: unknown field `itertions`",
        "did you mean `iterations`?",
    ),
    (
        "stages.base.train.validate.evry=1",
        "stages.base.train.validate: unknown field `evry`",
        "did you mean `every`?",
    ),
    (
        "stages.base.resources.thraeds=1",
        "unknown field `thraeds`",
        "did you mean `threads`?",
    ),
    (
        "stages.c.each.m=[1]",
        "stages.c.each: there is no axis `m`",
        "did you mean `n`?",
    ),
    (
        "stages.c.each.n.5=[1]",
        "there is no `each.n.5`",
        "has 2 items",
    ),
    (
        "stages.c.command.env.B=1",
        "there is no `stages.c.command.env.B`",
        "did you mean `A`?",
    ),
    (
        "stages.c.command.stages.x=base",
        "there is no `stages.c.command.stages`",
        "known fields: run",
    ),
    (".alpha=2", "expected `path=value`", "--set stages.NAME"),
    ("vars.=2", "expected `path=value`", "--set stages.NAME"),
];

#[test]
fn every_override_meets_something_that_is_there() {
    for (text, message, hint) in REFUSED {
        set(text)
            .exits(2)
            .says(&format!("error: --set {text}: "))
            .says(message)
            .says(hint);
    }
}

#[test]
fn what_is_there_or_could_be_written_is_set() {
    for text in [
        "vars.alpha=2",
        "vars.beta=[1, 2]",
        "vars.net.width.1=64",
        "vars.net={}",
        "vars.\"a.b\"=x",
        "vars.'a.b'='x=y'",
        "stages.c.each.n=[3]",
        "stages.c.each.n.1=3",
        "stages.c.each.alpha=[1]",
        "stages.base.each.seeds=[3, 4]",
        "stages.c.each.exclude=[{n: 1}]",
        "stages.c.command.env.A=1",
        "stages.c.command.env={A: 1, B: 2}",
        "stages.c.resources.threads=1",
        "stages.base.train.lr=1e-3",
        "stages.base.train.backbone.imdn.width=16",
    ] {
        let ran = set(text);
        // Where the baseline is swept, what reads it must pick a member: that is no fault of the override.
        if text.contains("each.seeds") {
            ran.exits(2).says("`base` is 2 stages");
        } else {
            ran.exits(0).says(&format!("--set {text}"));
        }
    }
}

fn with(test: &Test, words: &str, variables: &[(&str, &str)]) -> Ran {
    let mut command = test.command(words);
    Ran::of(command.envs(variables.iter().copied()).output().unwrap())
}

/// One command stage with this body.
fn stage(body: &str) -> String {
    format!("stages:\n  s:\n    command: {{{body}}}\n")
}

#[test]
fn scalars_keep_their_text_where_a_text_is_asked_for() {
    let words = [
        "18446744073709551615",
        "18446744073709551614",
        "-9223372036854775808",
        "99999999999999999999999999",
        "007",
        "1.10",
        "1e3",
        "0x10",
        "yes",
        "no",
        "on",
        "off",
        ".5",
        "+1",
        "~",
        "null",
        "2026-11-24",
        "True",
        "1_000",
        ".inf",
        "-0",
        "1.",
    ];
    let echo = |list: &str, more: &str| {
        format!(
            "stages:\n  s:\n    command:\n      run: [sh, -c, 'for w; do echo \"$w\"; done > o; echo \"$V\" >> o', x, {list}]\n      env: {{V: {}}}\n      outputs: [o]\n{more}",
            words[5]
        )
    };
    let expected = format!("{}\n1.10\n", words.join("\n"));
    // In a flow list, one a line, and in a document whose anchors need the full reader of YAML.
    let lines: Vec<String> = words.iter().map(|w| format!("\n        {w}")).collect();
    for yaml in [
        echo(&words.join(", "), ""),
        echo(&lines.join(","), ""),
        echo(&words.join(", "), "vars: {a: &a 007, b: *a}\n"),
        format!(
            "vars:\n  all: &all [{}]\n  again: *all\nstages:\n  s:\n    command:\n      run: '{{run}}'\n      env: {{V: 1.10}}\n      outputs: [o]\n",
            words.join(", ")
        )
        .replace(
            "stages:\n",
            &format!(
                "  run: [sh, -c, 'for w; do echo \"$w\"; done > o; echo \"$V\" >> o', x, {}]\nstages:\n",
                words.join(", ")
            ),
        ),
    ] {
        let test = Test::new().file("p.yaml", &yaml);
        test.run("run p.yaml").exits(0);
        assert_eq!(test.read("o"), expected, "{yaml}");
    }
}

#[test]
fn labels_variables_outputs_and_overrides_keep_their_text() {
    let yaml = "vars: {v: 1.0, w: 1.10}\nstages:\n  s:\n    each: {n: [18446744073709551615, 18446744073709551614, 007, 7, 1.1, 1.10]}\n    command: {run: [sh, -c, 'echo \"{n} {v} {w}\" > o-{n}'], outputs: ['o-{n}']}\n";
    let test = Test::new().file("p.yaml", yaml);
    test.run("run p.yaml").exits(0).says("6 ran");
    for n in [
        "18446744073709551615",
        "18446744073709551614",
        "007",
        "7",
        "1.1",
        "1.10",
    ] {
        assert_eq!(test.read(&format!("o-{n}")), format!("{n} 1.0 1.10\n"));
        test.run(&format!("plan p.yaml s[n={n}] --quiet"))
            .exits(0)
            .says("1 stage on cpu: 0 to run, 1 fresh");
    }
    test.run("plan p.yaml s[7.0]").exits(0).says("2 stages");
    test.run("run p.yaml s[1.10] --set vars.v=1e3 --set vars.w=~")
        .exits(0);
    assert_eq!(test.read("o-1.10"), "1.10 1e3 ~\n");
    test.write(
        "p.yaml",
        yaml.replace("1.1, 1.10]", "1.1, 1.10], exclude: [{n: 1.1}, {n: 7}]"),
    );
    test.run("plan p.yaml")
        .exits(0)
        .says("s[n=007]")
        .says("s[n=1.10]")
        .never_says("s[n=1.1] ");
}

#[test]
fn typed_fields_read_the_text_and_say_it() {
    let train = |fields: &str| {
        let yaml = format!(
            "stages:\n  pairs: {{prepare: {{images: photos, degrade: {{sr: 2}}}}}}\n  t:\n    train: {{backbone: {{imdn: {{scale: 2}}}}, images: pairs, {fields}}}\n"
        );
        let test = Test::new().photos().file("p.yaml", yaml);
        let stale = test.run("plan p.yaml --json");
        (stale, test)
    };
    let manifest = |fields: &str| {
        let (plan, test) = train(fields);
        plan.exits(0);
        test.run("explain t -f p.yaml --json --device cpu")
            .exits(0)
            .stdout
    };
    for (seed, line) in [
        (
            "18446744073709551615",
            "config.seed\\t18446744073709551615\\n",
        ),
        ("9007199254740993", "config.seed\\t9007199254740993\\n"),
        ("0x10", "config.seed\\t16\\n"),
        ("+1", "config.seed\\t1\\n"),
    ] {
        let found = manifest(&format!("iterations: 3, seed: {seed}"));
        assert!(found.contains(line), "{seed}: {found}");
    }
    let found = manifest("iterations: 3, lr: .5");
    assert!(found.contains("config.lr\\t0.5\\n"), "{found}");
    for (fields, message) in [
        (
            "iterations: 3, seed: 18446744073709551616",
            "t.train.seed: expected a whole number, not below 0, found the number `18446744073709551616`",
        ),
        (
            "iterations: 3, seed: -9223372036854775808",
            "found the number `-9223372036854775808`",
        ),
        ("iterations: 3, seed: 007", "found the number `007`"),
        (
            "iterations: 1e3",
            "t.train.iterations: expected a whole number, not below 0, found the number `1e3`",
        ),
        (
            "iterations: 3, batch: 4294967296",
            "t.train.batch: expected a whole number",
        ),
        (
            "iterations: 3, augment: yes",
            "expected `true` or `false`, found `yes`",
        ),
        (
            "iterations: 3, lr: 1.2.3",
            "expected a number, found `1.2.3`",
        ),
    ] {
        train(fields).0.exits(2).says(message);
    }
}

#[test]
fn an_axis_that_is_a_number_of_its_kind_has_one_spelling() {
    let yaml = format!(
        "{}  t:\n    each: {{alpha: [0.50, 1.0]}}\n    tune: {{backbone: base, images: pairs, masks: masks, iterations: 3}}\n",
        crate::support::TINY
    );
    let test = Test::new().photos().file("p.yaml", yaml);
    test.run("plan p.yaml t")
        .exits(0)
        .says("t[alpha=0.5]")
        .says("t[alpha=1] ");
    test.run("plan p.yaml t[alpha=1.00]")
        .exits(0)
        .says("t[alpha=1] ");
}

#[test]
fn what_a_variable_holds_is_never_expanded_again() {
    let yaml = "vars: {a: no, b: '${X}'}\nstages:\n  s:\n    each: {n: ['${Y}']}\n    command: {run: [sh, -c, 'printf \"%s\\n\" \"$@\" > o', x, '${X}', 'p${X}q', '{b}', '{n}', '${NONE:-{a}}', '$${X} $X'], outputs: [o]}\n";
    let test = Test::new().file("p.yaml", yaml);
    let variables = [("X", "{a} ${Y} $${Z} {{"), ("Y", "{a}")];
    with(&test, "run p.yaml", &variables).exits(0);
    let x = variables[0].1;
    assert_eq!(
        test.read("o"),
        format!("{x}\np{x}q\n{x}\n{{a}}\nno\n${{X}} $X\n")
    );
}

#[test]
fn a_variable_that_is_not_closed_is_an_error_with_its_place() {
    for (text, shown) in [
        ("a ${HOME", "`${HOME`"),
        ("${A:-${B}", "`${A:-${B}`"),
        ("${", "`${`"),
    ] {
        let test = Test::new().file(
            "p.yaml",
            stage(&format!("run: [echo, \"{text}\"], outputs: [o]")),
        );
        test.run("plan p.yaml")
            .exits(2)
            .says("error: p.yaml:3:27: stages.s.command.run.1: ")
            .says(&format!("{shown} has no closing brace"))
            .says("`${` itself is written `$${`");
    }
    let test = Test::new().file(
        "p.yaml",
        "vars:\n  x: 'a ${HOME'\nstages: {s: {command: {run: [x], outputs: [o]}}}\n",
    );
    test.run("plan p.yaml")
        .exits(2)
        .says("p.yaml:2:6: vars.x: `${HOME` has no closing brace");
}

#[test]
fn variables_of_a_shell_are_its_own_when_doubled() {
    let script = "for USER in a b; do echo \"$${USER} $USER ${HOME} {v}\"; done > o";
    let yaml = format!(
        "vars: {{v: x}}\n{}",
        stage(&format!("shell: '{script}', outputs: [o]"))
    );
    let test = Test::new().file("p.yaml", &yaml);
    with(&test, "run p.yaml", &[("HOME", "/h"), ("USER", "me")])
        .exits(0)
        .never_says("warning");
    assert_eq!(test.read("o"), "a a /h x\nb b /h x\n");
    for field in ["shell: '", "run: [bash, -c, '"] {
        let close = if field.starts_with("run") { "']" } else { "'" };
        let of = |script: &str| stage(&format!("{field}{script}{close}, outputs: [o]"));
        let test = Test::new().file("p.yaml", of("for USER in a b; do echo ${USER}; done > o"));
        with(&test, "plan p.yaml", &[("USER", "me")])
            .exits(0)
            .says("warning: p.yaml:3:")
            .says("`${USER}` is read from the environment before the script runs, and the script sets `USER` itself")
            .says("hint: write `$${USER}` or `$USER` for the script's own");
        test.write("p.yaml", of("x=1; echo ${x} > o"));
        with(&test, "plan p.yaml", &[])
            .exits(2)
            .says("the environment variable `x` is not set")
            .says("a variable of the script itself is written `$${x}`");
        test.write("p.yaml", of("echo ${x%.*} > o"));
        with(&test, "plan p.yaml", &[])
            .exits(2)
            .says("write `$${x%.*}`");
    }
}

#[test]
fn a_pipe_that_fails_in_front_fails_and_other_shells_are_named() {
    let test = Test::new().file("p.yaml", stage("shell: 'false | cat > o', outputs: [o]"));
    test.run("run p.yaml")
        .exits(1)
        .says("failed: s: the command ended with exit status: 1");
    assert!(test.committed().is_empty());
    test.write(
        "p.yaml",
        stage("shell: {program: sh, script: 'false | cat > o; echo $0 >> o'}, outputs: [o]"),
    );
    test.run("run p.yaml").exits(0);
    assert_eq!(test.read("o"), "sh\n");
    test.write(
        "p.yaml",
        stage("shell: {program: sh, script: 'echo $nothing > o'}, outputs: [o]"),
    );
    test.run("run p.yaml").exits(1).says("nothing");
    test.write(
        "p.yaml",
        stage("shell: 'echo $BASH_VERSION > o', outputs: [o]"),
    );
    test.run("run p.yaml").exits(0);
    assert!(test.read("o").len() > 3);
    test.run("explain s -f p.yaml -v")
        .exits(0)
        .says("config.shell.program  bash -euo pipefail -c");
    test.write("p.yaml", stage("shell: {prog: sh}, outputs: [o]"));
    test.run("plan p.yaml")
        .exits(2)
        .says("unknown field `prog`")
        .says("hint: known fields: program, script");
    test.write("p.yaml", stage("shell: [a], outputs: [o]"));
    test.run("plan p.yaml")
        .exits(2)
        .says("expected a text, or `{program: sh, script: text}`");
}

#[test]
fn a_machine_without_bash_is_told_so() {
    let test = Test::new().file("p.yaml", stage("shell: 'echo x > o', outputs: [o]"));
    std::fs::create_dir(test.path("bin")).unwrap();
    let bin = test.path("bin").display().to_string();
    with(&test, "run p.yaml", &[("PATH", &bin)])
        .exits(1)
        .says("cannot start `bash`")
        .says("`shell: {program: sh, script: …}`");
}

#[test]
fn what_is_included_is_a_list_of_files() {
    for (written, found, hint) in [
        ("base.yaml", "`base.yaml`", "hint: write `[base.yaml]`"),
        ("5", "the number `5`", "hint: write `[5]`"),
        ("{a: b}", "a mapping", ""),
    ] {
        let file = FILE.replace("[base.yaml]", written);
        let test = Test::new()
            .photos()
            .file("p.yaml", file)
            .file("base.yaml", BASE);
        let said = format!("p.yaml:1:10: include: expected a list of files, found {found}");
        test.run("plan p.yaml").exits(2).says(&said).says(hint);
    }
}
