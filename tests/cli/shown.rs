//! Text of others: in messages, plans, logs and tables nothing of it moves a cursor, hides, or begins a line of its own.
//! Unaware of where it came from.

use crate::support::{Ran, TINY, Test};

/// What must never reach a terminal, whatever a file holds.
const RAW: &[char] = &[
    '\u{1b}', '\u{7}', '\0', '\u{9b}', '\u{85}', '\u{202e}', '\u{2066}', '\u{200b}', '\u{2028}',
    '\u{feff}', '\r',
];

const EVIL: &str = "\u{1b}[2J\u{7}\u{9b}31m\u{202e}x\u{2066}\u{200b}\u{2028}\u{feff}";

#[track_caller]
fn harmless(ran: Ran) -> Ran {
    let text = format!("{}{}", ran.stdout, ran.stderr);
    assert!(!text.contains(RAW), "{text:?}");
    ran
}

#[test]
fn errors_quote_what_a_file_says_and_no_more() {
    for line in [
        format!("  \"{EVIL}\": {{}}\n"),
        format!("  s: {{command: {{run: [x], outputs: [o], \"{EVIL}\": 1}}}}\n"),
        format!("  s: {{command: {{run: [x], outputs: [o], stages: {{a: \"{EVIL}\"}}}}}}\n"),
        format!("  s: {{prepare: {{images: a, degrade: \"{EVIL}\"}}}}\n"),
        format!("  s: {{command: {{run: [\"${{{EVIL}}}\"], outputs: [o]}}}}\n"),
        format!("  s: {{command: {{run: [x], outputs: [\"/{EVIL}\"]}}}}\n"),
    ] {
        let test = Test::new().file("p.yaml", format!("stages:\n{line}"));
        harmless(test.run("plan p.yaml").exits(2)).says("\\u{1b}[2J\\u{7}\\u{9b}31m\\u{202e}x");
    }
    let test = Test::new();
    let mut command = test.command("plan");
    command.arg(format!("{EVIL}.yaml"));
    harmless(Ran::of(command.output().unwrap()).exits(2)).says("\\u{1b}[2J");
}

#[test]
fn plans_have_a_line_a_fact_whatever_the_values_are() {
    let forged = "x\n  fresh    forged     command\r\u{1b}[A";
    let yaml = "stages:\n  s:\n    each: {v: [\"a\\n  fresh    forged     command\\r\\e[A\", b]}\n    command: {run: [x, '{v}', \"${V}\"], outputs: [o], files: [\"no\\n  fresh    such\"]}\n  t:\n    each: {v: [1, 2]}\n    command: {run: [x, '{v}'], outputs: ['t{v}']}\n";
    let yaml = yaml.replace("outputs: [o]", "outputs: ['o-{v}']");
    let test = Test::new().file("p.yaml", yaml);
    for words in [
        "plan p.yaml -v",
        "run p.yaml",
        "explain -f p.yaml s",
        "plan p.yaml --json",
    ] {
        let mut command = test.command(words);
        let ran = harmless(Ran::of(command.env("V", forged).output().unwrap()));
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(!said.lines().any(|l| l.starts_with("  fresh ")), "{said}");
        if words.ends_with("--json") {
            let names = ran.events();
            assert!(names[0]["stage"].as_str().unwrap().contains("\\n  fresh"));
        } else {
            assert!(said.contains("s[v=a\\n  fresh    forged"), "{said}");
        }
    }
}

#[test]
fn what_a_command_says_is_shown_in_its_log_and_when_it_fails() {
    let yaml = "stages:\n  s:\n    command: {run: [sh, -c, 'printf \"one\\033[2J\\r\\ntwo\\342\\200\\256\\n\"; exit 1'], outputs: [o]}\n";
    let test = Test::new().file("p.yaml", yaml);
    harmless(test.run("run p.yaml").exits(1)).says("two\\u{202e}");
    harmless(test.run("log s").exits(0))
        .says("one\\u{1b}[2J")
        .says("two\\u{202e}\n");
}

#[test]
fn tables_stay_tables_whatever_their_texts_are() {
    let name = "=1+1|<b>`x`\\n# y\\e[31m";
    let yaml = TINY
        .replace("name: tiny", &format!("name: \"{name}\""))
        .replace(
            "caption: Tiny",
            "caption: \"*a*|<i>\\n# b\\x07\", note: \"# note\\n<script>|\\x07\"",
        )
        .replace("rows: [scheme], columns: set", "rows: [scheme, set]");
    let test = Test::new().photos().file("p.yaml", yaml);
    harmless(test.run("run p.yaml").exits(0)).says("=1+1|<b>`x`\\n# y\\u{1b}[31m");
    let read = |name: &str| test.read(&format!("reports/p/alpha.{name}"));
    let table = read("md");
    assert!(
        table.contains("| =1+1\\|&lt;b>\\`x\\` # y\\u{1b}[31m |"),
        "{table}"
    );
    assert!(
        table.starts_with("**\\*a\\*\\|&lt;i> # b\\u{7}**\n"),
        "{table}"
    );
    assert!(
        table.contains("\n\\# note &lt;script>\\|\\u{7}\n"),
        "{table}"
    );
    assert!(!table.contains(RAW));
    let csv = read("csv");
    assert!(csv.contains("\"'=1+1|<b>`x`\n# y"), "{csv}");
    let tex = read("tex");
    assert!(
        tex.contains("=1+1|<b>`x` \\# y\\textbackslash{}u\\{1b\\}[31m"),
        "{tex}"
    );
    assert!(!tex.contains(RAW));
    // What was written is read back as it was.
    let expected = test.path("reports/p/alpha.csv");
    let words = format!("run p.yaml --check {} --tolerance 0", expected.display());
    test.run(&words).exits(0);
}

#[test]
fn a_line_end_in_a_name_forges_no_line() {
    let test = crate::support::Test::new().file(
        "p.yaml",
        "stages:\n  s: {command: {run: [ls, d], files: [d], outputs: [o]}}\n",
    );
    let name = "x\nerror: forged\u{1b}[2J";
    std::fs::create_dir(test.path("d")).unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(test.path("d").join(name))
        .status();
    assert!(made.unwrap().success());
    for words in [
        "plan p.yaml",
        "plan p.yaml -v",
        "run p.yaml",
        "explain s -f p.yaml",
    ] {
        test.run(words)
            .says("forged")
            .never_says("\nerror: forged")
            .never_says("\u{1b}");
    }
    std::fs::remove_file(test.path("d").join(name)).unwrap();
    std::fs::create_dir(test.path("d").join(name)).unwrap();
    std::os::unix::fs::symlink(".", test.path("d").join(name).join("l")).unwrap();
    test.run("plan p.yaml")
        .says("forged")
        .never_says("\nerror: forged");
}

/// A name among the images may end a line and begin one that looks like the program's own.
#[test]
fn a_line_end_in_the_name_of_an_image_begins_no_line() {
    let name = "a_line_end_in_the_name_of_an_image_begins_no_line";
    let Some(test) = Test::with_worker(name) else {
        return;
    };
    let yaml = "stages:\n  p: {prepare: {images: photos, degrade: {sr: 2}}}\n";
    let test = test.photos().file("p.yaml", yaml);
    test.write("photos/x\nerror: forged.png", "no image");
    test.run("run p.yaml")
        .exits(1)
        .says("`photos/x\\nerror: forged.png` is not an image")
        .never_says("\nerror: forged");
    test.remove("photos/x\nerror: forged.png");
    test.write("photos/a\nwarning: b.png", "");
    test.write("photos/a\nwarning: b.jpg", "");
    test.run("run p.yaml").exits(1).never_says("\nwarning: b");
    test.run("explain p -f p.yaml").never_says("\nwarning: b");
}

/// The same of outputs and files of commands.
#[test]
fn a_line_end_in_the_name_of_an_output_begins_no_line() {
    let stage = |body: &str| format!("stages:\n  s: {{command: {{{body}}}}}\n");
    let evil = "\"a\\nerror: b\"";
    let test = Test::new().file(
        "p.yaml",
        stage(&format!("run: [sh, -c, ':'], outputs: [{evil}]")),
    );
    test.run("run p.yaml")
        .exits(1)
        .says("the output `a\\nerror: b` is missing")
        .never_says("\nerror: b");
    let body = format!("run: [sh, -c, 'echo > o'], files: [{evil}], outputs: [o]");
    test.write("p.yaml", stage(&body));
    std::fs::create_dir(test.path("a\nerror: b")).unwrap();
    test.run("run p.yaml").exits(1).never_says("\nerror: b");
    test.run("plan p.yaml").never_says("\nerror: b");
}
