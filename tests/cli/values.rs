//! Values as people give them: `--set`, variables, the environment, scalars that look like numbers.
//! Unaware of what the stages compute: commands write what they were given.

use crate::support::Test;

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

fn set(text: &str) -> crate::support::Ran {
    let test = Test::new()
        .photos()
        .file("p.yaml", FILE)
        .file("base.yaml", BASE);
    let mut command = test.command("plan p.yaml");
    command.args(["--set", text]);
    crate::support::Ran::of(command.output().unwrap())
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
