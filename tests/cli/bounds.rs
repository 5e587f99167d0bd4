//! Pipeline files that are too large, too deep or go round: each is planned or refused at once, whatever it says.
//! Unaware of what stages do.

use std::time::Instant;

use crate::support::{Ran, SOON, Test};

/// `command` of this file ends soon with this code, without a panic or an abort.
#[track_caller]
fn ends(command: &str, yaml: &str, code: i32) -> Ran {
    let test = Test::new().file("p.yaml", yaml);
    let begin = Instant::now();
    let ran = test.run(command).exits(code);
    assert!(begin.elapsed() < SOON, "{:?}", begin.elapsed());
    ran.never_says("panicked")
}

#[track_caller]
fn refused(yaml: &str, said: &[&str]) {
    let ran = ends("plan p.yaml", yaml, 2);
    assert!(ran.stderr.len() < 100_000, "{} bytes", ran.stderr.len());
    said.iter().fold(ran, |ran, text| ran.says(text));
}

/// Stages that each read the one that `next` says.
fn stages(count: usize, next: impl Fn(usize) -> Option<usize>) -> String {
    let stage = |at: usize| {
        let reads = next(at).map_or(String::new(), |n| format!(", stages: {{in: s{n}}}"));
        format!("  s{at}:\n    command: {{run: [x], outputs: [o{at}]{reads}}}\n")
    };
    let all: String = (0..count).map(stage).collect();
    format!("stages:\n{all}")
}

#[test]
fn a_chain_of_a_hundred_thousand_stages_is_planned_in_either_order() {
    const COUNT: usize = 100_000;
    let ahead = stages(COUNT, |at| (at + 1 < COUNT).then_some(at + 1));
    let back = stages(COUNT, |at| at.checked_sub(1));
    ends("plan p.yaml --quiet", &ahead, 0).says("100000 to run");
    ends("plan p.yaml --json", &back, 0).says("\"stale\":100000");
    ends("explain -f p.yaml s0 --json", &ahead, 0).says("never_ran");
    ends("explain -f p.yaml s0", &ahead, 0).says("  …\n");
}

#[test]
fn a_long_chain_is_drawn_and_kept_like_a_short_one() {
    const COUNT: usize = 20_000;
    let chain = stages(COUNT, |at| (at + 1 < COUNT).then_some(at + 1));
    let test = Test::new().file("p.yaml", chain);
    for words in [
        "graph p.yaml -o g.dot",
        "graph p.yaml -o g.md",
        "graph p.yaml -o g.svg",
        "cache gc --dry-run p.yaml",
    ] {
        let begin = Instant::now();
        test.run(words).exits(0).never_says("panicked");
        assert!(begin.elapsed() < SOON, "{words}: {:?}", begin.elapsed());
    }
    assert!(test.read("g.dot").contains("s19999"));
}

#[test]
fn a_ring_is_refused_in_a_message_that_can_be_read() {
    const COUNT: usize = 50_000;
    refused(
        &stages(COUNT, |at| Some((at + 1) % COUNT)),
        &["dependency cycle: s0 → s1 → ", "more) … →"],
    );
    refused(
        &stages(COUNT, |at| Some((at + COUNT - 1) % COUNT)),
        &["dependency cycle: s0 → s49999 → ", "s1 → s0"],
    );
}

#[test]
fn axes_that_name_each_other_are_followed_without_a_stack() {
    let stage = |at: usize| {
        format!(
            "  s{at}:\n    each: {{images: [s{}]}}\n    mask: {{}}\n",
            at + 1
        )
    };
    let all: String = (0..20_000).map(stage).collect();
    // Each name holds the next one's, and that would be too much text.
    let test = Test::new().file("p.yaml", format!("stages:\n{all}"));
    let mut command = test.command("plan p.yaml");
    command.env("PIPELINE_LIMITS", "text=20M");
    Ran::of(command.output().unwrap())
        .exits(2)
        .says("gives more than 20 971 520 bytes");
}

#[test]
fn deep_yaml_is_refused() {
    let deep = "stand in each other more than 200 deep";
    refused(&format!("stages: {}", "[".repeat(100_000)), &[deep]);
    refused(
        &format!("stages: {}x{}", "{a: ".repeat(100_000), "}".repeat(100_000)),
        &[deep],
    );
    let vars = (1..1000).map(|n| format!("  v{n}: ['{{v{}}}']\n", n - 1));
    let vars: String = vars.collect();
    refused(&format!("vars:\n  v0: x\n{vars}stages: {{}}\n"), &[deep]);
}

#[test]
fn sweeps_are_counted_before_they_are_made() {
    let axis = |name: &str| {
        let values: Vec<String> = (0..1000).map(|n| n.to_string()).collect();
        format!("{name}: [{}]", values.join(", "))
    };
    let each = [axis("a"), axis("b"), axis("c")].join(", ");
    let yaml = format!(
        "stages:\n  s:\n    each: {{{each}}}\n    command: {{run: [x, '{{a}}{{b}}{{c}}'], outputs: [o]}}\n"
    );
    refused(
        &yaml,
        &[
            "stages.s.each: the sweeps have 1 000 000 000 members, and at most 1 048 576 stages are planned",
            "PIPELINE_LIMITS=members=1000000000",
        ],
    );
    let test = Test::new().file(
        "p.yaml",
        "stages:\n  s:\n    each: {a: [1, 2, 3]}\n    command: {run: [x, '{a}'], outputs: ['o{a}']}\n",
    );
    let limited = |limits: &str| {
        let mut command = test.command("plan p.yaml");
        Ran::of(command.env("PIPELINE_LIMITS", limits).output().unwrap())
    };
    limited("members=2")
        .exits(2)
        .says("3 members, and at most 2");
    limited("members=3").exits(0).says("3 to run");
    limited("membres=3")
        .exits(2)
        .says("there is no limit `membres`; limits: members, ");
}

#[test]
fn text_that_multiplies_itself_is_counted_before_it_is_made() {
    let words = "x ".repeat(100);
    let vars = (1..12).map(|n| format!("  v{n}: '{}'\n", format!("{{v{}}}", n - 1).repeat(10)));
    let vars: String = vars.collect();
    let yaml = format!(
        "vars:\n  v0: {words}\n{vars}stages:\n  s:\n    command: {{run: [x, '{{v11}}'], outputs: [o]}}\n"
    );
    refused(
        &yaml,
        &[
            "gives more than 2 147 483 648 bytes",
            "PIPELINE_LIMITS=text=",
        ],
    );
    let lists = (1..12).map(|n| {
        let item = format!("'{{v{}}}'", n - 1);
        format!("  v{n}: [{}]\n", vec![item; 10].join(", "))
    });
    let lists: String = lists.collect();
    let yaml = format!("vars:\n  v0: x\n{lists}stages: {{}}\n");
    refused(&yaml, &["gives more than 2 147 483 648 bytes"]);
    let names = "${X}".repeat(30_000);
    let test = Test::new().file(
        "p.yaml",
        format!("stages:\n  s:\n    command: {{run: [x, \"{names}\"], outputs: [o]}}\n"),
    );
    let mut command = test.command("plan p.yaml");
    command.env("X", "y".repeat(100_000));
    Ran::of(command.output().unwrap())
        .exits(2)
        .says("PIPELINE_LIMITS=text=");
}

#[test]
fn includes_are_read_once_and_counted() {
    let test = Test::new();
    for n in 0..25 {
        let next = n + 1;
        test.write(
            &format!("i{n}.yaml"),
            format!("include: [i{next}.yaml, ./i{next}.yaml]\n"),
        );
    }
    test.write(
        "i25.yaml",
        "stages:\n  s:\n    command: {run: [x], outputs: [o]}\n",
    );
    test.run("plan i0.yaml").exits(0).says("1 to run");
    for n in 0..2000 {
        let [a, b] = [2 * n + 1, 2 * n + 2].map(|n| format!("t{n}.yaml"));
        test.write(&format!("t{n}.yaml"), format!("include: [{a}, {b}]\n"));
    }
    test.run("plan t0.yaml").exits(2).says("cannot read `t");
    for n in 0..1100 {
        test.write(
            &format!("c{n}.yaml"),
            format!("include: [c{}.yaml]\n", n + 1),
        );
    }
    test.run("plan c0.yaml")
        .exits(2)
        .says("files include each other more than 200 deep");
    test.write(
        "all.yaml",
        format!(
            "include: [{}]\n",
            (0..1100)
                .map(|n| format!("e{n}.yaml"))
                .collect::<Vec<_>>()
                .join(", ")
        ),
    );
    for n in 0..1100 {
        test.write(&format!("e{n}.yaml"), "vars: {}\n");
    }
    test.run("plan all.yaml")
        .exits(2)
        .says("more than 1 000 files are included")
        .says("PIPELINE_LIMITS=files=");
}

#[test]
fn the_first_hundred_problems_are_told_and_the_others_counted() {
    let stage = |at: usize| {
        format!("  s{at}:\n    command: {{run: [x], outputs: [o{at}], stages: {{in: t{at}}}}}\n")
    };
    let all: String = (0..100_000).map(stage).collect();
    refused(
        &format!("stages:\n{all}"),
        &[
            "there is no stage `t0`",
            "there is no stage `t99`",
            "100000 problems; 99900 more problems not shown",
        ],
    );
    let stage = |at: usize| format!("  s{at}:\n    command: {{runn: [x], outputs: [o{at}]}}\n");
    let all: String = (0..100_000).map(stage).collect();
    refused(
        &format!("stages:\n{all}"),
        &[
            "did you mean `run`?",
            "100000 problems; 99900 more problems not shown",
        ],
    );
}

#[test]
fn a_pattern_takes_time_in_proportion_to_what_it_is_compared_with() {
    let name = "a".repeat(900);
    let pattern = "*a".repeat(400) + "*b";
    let yaml = format!(
        "stages:\n  {name}:\n    command: {{run: [x], outputs: [o]}}\n  s:\n    command: {{run: [x], outputs: [p], stages: {{in: '{pattern}'}}}}\n"
    );
    refused(&yaml, &["matches no stage"]);
}

#[test]
fn twenty_one_thousand_stages_with_all_of_yaml_are_no_large_file() {
    let stage = |at: usize| {
        format!(
            "  s{at}:\n    command: {{<<: *common, outputs: [o{at}], env: {{A: !!str 1, B: 0x10}}}}\n"
        )
    };
    let all: String = (0..21_000).map(stage).collect();
    let yaml =
        format!("stages:\n  first:\n    command: &common {{run: [x, y], outputs: [o]}}\n{all}");
    ends("plan p.yaml --quiet", &yaml, 0).says("21001 to run");
}
