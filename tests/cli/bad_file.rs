//! Pipeline files that are wrong: the message has the place, the stage, what was expected and what to do; exit 2.
//! Unaware of how files are read. `src/spec/tests/errors.rs` has whole texts; here is what reaches a person.

use crate::support::{TINY, Test};

/// `from` of the tiny pipeline replaced by `to`.
fn with(from: &str, to: &str) -> String {
    assert!(TINY.contains(from), "{from}");
    TINY.replacen(from, to, 1)
}

/// `plan` and `run` refuse the file with all of these texts; nothing is computed, and the right file works afterwards.
#[track_caller]
fn refused(yaml: &str, texts: &[&str]) {
    let test = Test::new().tiny();
    test.write("p.yaml", yaml);
    for command in ["plan p.yaml", "run p.yaml"] {
        let ran = texts
            .iter()
            .fold(test.run(command).exits(2), |ran, text| ran.says(text));
        assert!(ran.stdout.is_empty(), "{ran}");
    }
    assert!(test.noted().is_empty() && test.committed().is_empty());
    test.write("p.yaml", TINY);
    test.run("run p.yaml").exits(0).says("7 ran");
}

/// Each mistake is an event of its own for programs, with the columns of what is meant, and marked for people, and counted.
#[test]
fn several_mistakes_are_each_marked_counted_and_said_to_programs() {
    let yaml =
        "stages:\n  a:\n    command: {run: [x], outputs: [o], threds: 2}\n  b:\n    trian: {}\n";
    let test = Test::new().file("p.yaml", yaml);
    let ran = test.run("plan p.yaml --json").exits(2);
    let events: Vec<serde_json::Value> = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(events.len(), 2, "{ran}");
    let first = &events[0];
    assert_eq!(
        (&first["event"], &first["severity"]),
        (&"error".into(), &"error".into())
    );
    assert_eq!(first["code"], "pipeline-file");
    assert_eq!(first["path"], "stages.a.command");
    assert_eq!(first["message"], "unknown field `threds`");
    let place = &first["place"];
    assert_eq!(
        (&place["line"], &place["column"], &place["end_column"]),
        (&3.into(), &39.into(), &45.into())
    );
    assert!(place["file"].as_str().unwrap().ends_with("p.yaml"));
    assert!(first["hint"].as_str().unwrap().contains("known fields"));
    assert_eq!(ran.stderr.matches("error: p.yaml:").count(), 2, "{ran}");
    ran.says("\n2 problems\n");
    // A pipe is no terminal: no colour in it.
    assert!(!test.run("plan p.yaml").exits(2).stderr.contains('\u{1b}'));
}

#[test]
fn a_typo_in_a_field() {
    refused(
        &with("iterations: 3", "iteratoins: 3"),
        &[
            "error: p.yaml:9:80: stages.base.train: unknown field `iteratoins`",
            "\n 9 |     train: {backbone: {imdn:",
            "did you mean `iterations`?",
        ],
    );
}

#[test]
fn a_typo_in_a_kind() {
    refused(
        &with("    train:", "    trian:"),
        &[
            "p.yaml:9:5: stages.base: unknown stage kind or field `trian`",
            "hint: did you mean `train`?",
        ],
    );
}

#[test]
fn a_typo_in_a_name_of_a_closed_set() {
    refused(
        &with(
            "masks: masks, iterations",
            "masks: masks, variant: sptf, iterations",
        ),
        &[
            "p.yaml:12:66: stages.tuned.tune.variant: unknown name `sptf`",
            "hint: did you mean `spt`?",
        ],
    );
}

#[test]
fn a_wrong_type() {
    refused(
        &with("iterations: 3", "iterations: many"),
        &[
            "p.yaml:9:92: stages.base.train.iterations: expected a whole number, not below 0, found `many`",
        ],
    );
}

#[test]
fn several_problems_are_told_at_once() {
    let yaml = with("scale: 2, width: 16", "scale: 5, width: 17");
    refused(
        &yaml,
        &[
            "p.yaml:9:38: stages.base.train.backbone.imdn.scale: IMDN exists for the scales 2, 3 and 4, not 5",
            "p.yaml:9:48: stages.base.train.backbone.imdn.width: the width 17 is not a multiple of 16",
        ],
    );
}

#[test]
fn a_duplicate_stage() {
    refused(
        &format!("{TINY}  pairs:\n    prepare: {{images: photos, degrade: {{sr: 2}}}}\n"),
        &["p.yaml:22:3: `pairs` stands twice here", " 22 |   pairs:"],
    );
}

#[test]
fn a_reference_to_no_stage() {
    refused(
        &with("model: tuned", "model: tunde"),
        &[
            "p.yaml:18:23: stages.score.evaluate.model: there is no stage `tunde`",
            "hint: did you mean `tuned`?",
        ],
    );
}

#[test]
fn a_reference_to_a_stage_of_another_kind() {
    refused(
        &with("model: tuned", "model: pairs"),
        &[
            "p.yaml:18:23: stages.score.evaluate.model: `pairs` is a `prepare` stage, expected a `pretrained`, `train` or",
        ],
    );
}

#[test]
fn a_cycle() {
    refused(
        &with(
            "images: pairs, iterations: 3",
            "images: pairs, from: base, iterations: 3",
        ),
        &[
            "p.yaml:8:3: stages.base: dependency cycle: base → base",
            "hint: a stage can only read stages that do not read it",
        ],
    );
}

#[test]
fn text_that_is_not_yaml() {
    refused(
        &with("{sr: 2}, name: tiny}", "{sr: 2}, name: tiny"),
        &["error: p.yaml:", "expected `,` or `}`"],
    );
}

#[test]
fn a_variable_that_is_not_set() {
    refused(
        &with("images: photos", "images: \"${NO_SUCH_FOLDER}/photos\""),
        &[
            "p.yaml:3:23: stages.pairs.prepare.images: the environment variable `NO_SUCH_FOLDER` is not set",
            "hint: export NO_SUCH_FOLDER=…, or write `${NO_SUCH_FOLDER:-default}`",
        ],
    );
}

#[test]
fn a_variable_that_is_set_is_used_and_shown() {
    let test = Test::new().tiny();
    test.write("p.yaml", with("images: photos", "images: \"${FOLDER}\""));
    let mut command = test.command("plan p.yaml");
    let ran = crate::support::Ran::of(command.env("FOLDER", "photos").output().unwrap());
    ran.exits(0)
        .says("from the environment: FOLDER=photos")
        .says("0 blocked");
}

#[test]
fn masks_that_are_missing_or_too_many() {
    refused(
        &with("masks: masks, iterations", "iterations"),
        &["stages.tuned.tune.masks: SPT units need the masks of `images`: add `masks: …`"],
    );
    refused(
        &with(
            "{model: base, images: pairs}",
            "{model: base, images: pairs, masks: masks}",
        ),
        &[
            "p.yaml:15:51: stages.score-base.evaluate.masks: masks are given, but the model has no SPT units",
        ],
    );
}

#[test]
fn an_include_that_is_not_there() {
    refused(
        &format!("include: [common.yaml]\n{TINY}"),
        &[
            "error: p.yaml:1:11: cannot read `common.yaml`",
            "\n 1 | include: [common.yaml]",
        ],
    );
}

#[test]
fn another_encoding_is_named_with_the_place() {
    let test = Test::new();
    let refused = |bytes: &[u8], text: &str| {
        test.write("p.yaml", bytes);
        test.run("plan p.yaml")
            .exits(2)
            .says(&format!("cannot read `p.yaml`: {text}"))
            .says("hint: save it as UTF-8, with the editor that wrote it or `iconv -f ENCODING -t UTF-8`")
            .never_says("name a pipeline file");
    };
    refused(
        b"# first\n# caf\xe9\nstages: {}\n",
        "it is not in UTF-8: byte 0xe9 in line 2, which is `é` in Latin-1",
    );
    let wide: Vec<u8> = "\u{feff}stages: {}\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    refused(&wide, "it is in UTF-16 (little-endian), and UTF-8 is read");
    refused(
        &wide[2..],
        "it is in UTF-16 (little-endian), and UTF-8 is read",
    );
}

#[test]
fn a_number_in_quotes_is_a_text() {
    refused(
        &with("degrade: {sr: 2}", "degrade: {sr: \"2\"}"),
        &[
            "expected a whole number, not below 0, found the text `\"2\"`",
            "hint: quotes make it a text: write `2` without them",
        ],
    );
}

/// Slips of the pen: the message is at the line that is wrong, and the hint is what to write.
#[test]
fn common_slips_are_told_where_they_are_and_how_to_mend_them() {
    let begin = "stages:\n  pairs: {prepare: {images: photos, degrade: {sr: 2}}}\n  base:\n    train:\n      backbone: {imdn: {scale: 2}}\n";
    for (rest, place, message, hint) in [
        (
            "    images: pairs\n      iterations: 3\n",
            "p.yaml:7:7: ",
            "`iterations` stands deeper than `images` in line 6, which has a value already",
            "indent both lines alike",
        ),
        (
            "      images: pairs\n      iterations: 3\n      lr: 0\n",
            "p.yaml:8:11: ",
            "stages.base.train.lr: out of range: expected a number above 0",
            "",
        ),
        (
            "      images: pairs\n      iterations: 3\n      validate pairs\n      lr: 1\n",
            "p.yaml:8:7: ",
            "expected `:` after the key",
            "",
        ),
        (
            "      images: pairs\n      iterations: 3\n      validate {images: pairs}\n",
            "p.yaml:8:7: ",
            "unknown field `validate {images`",
            "is a `:` missing behind `validate`?",
        ),
        (
            "      images: pairs\n      iterations: 3\n  s: {evaluate: {model: base, images: pairs}}\n  t: {table: {from: [s], rows: scheme}}\n",
            "p.yaml:9:32: ",
            "stages.t.table.rows: expected a list, found `scheme`",
            "write `[scheme]`",
        ),
    ] {
        let test = Test::new().file("p.yaml", format!("{begin}{rest}"));
        let ran = test.run("plan p.yaml").exits(2).says(place).says(message);
        if !hint.is_empty() {
            ran.says(&format!("hint: {hint}"));
        }
    }
}
