//! What a terminal shows: nothing wider than it, colours where they are wanted, the whole run in one line.
//! Unaware of results. `script` of util-linux makes the terminal; where there is none the tests say `skipped`.

use std::process::{Command, Stdio};

use crate::support::{TINY, Test};

/// What a terminal of so many columns is sent by the program; none where there is no `script`.
fn sent(test: &Test, columns: usize, words: &str, variables: &[(&str, &str)]) -> Option<String> {
    sent_by(test, columns, words, variables, 0)
}

/// The same of a program that ends with this code.
fn sent_by(
    test: &Test,
    columns: usize,
    words: &str,
    variables: &[(&str, &str)],
    code: i32,
) -> Option<String> {
    let own = test.command(words);
    let line: Vec<String> = std::iter::once(own.get_program())
        .chain(own.get_args())
        .map(|word| format!("'{}'", word.to_str().unwrap()))
        .collect();
    let line = format!("stty cols {columns} rows 40; {}", line.join(" "));
    let mut script = Command::new("script");
    script
        .args(["-qec", &line, "/dev/null"])
        .current_dir(test.path(""))
        .env("TERM", "xterm")
        .env_remove("NO_COLOR")
        .stdin(Stdio::null());
    script.envs(
        own.get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    script.envs(variables.iter().copied());
    let output = script.output().ok()?;
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    Some(String::from_utf8(output.stdout).unwrap())
}

/// Text as it stands on the screen, line by line, without what moves the cursor or colours.
fn lines(sent: &str) -> Vec<String> {
    let mut plain = String::new();
    let mut rest = sent.chars();
    while let Some(letter) = rest.next() {
        match letter {
            '\u{1b}' => {
                let _ = rest.by_ref().find(char::is_ascii_alphabetic);
            }
            '\r' => plain.push('\n'),
            letter => plain.push(letter),
        }
    }
    plain.lines().map(str::to_owned).collect()
}

/// A long name, a slow stage, notes, and a table of many columns.
fn wide() -> Test {
    let long = "a-training-whose-name-is-longer-than-anybody-would-like-it-to-be";
    let yaml = TINY.replace("tuned", long).replace(
        "caption: Tiny",
        "values: [ssim, iterations, trainable, seconds], average: true, caption: Tiny",
    );
    let hook = "for step in 1 2 3 4; do\n  echo '{\"event\":\"progress\",\"step\":'$step',\"total\":40000,\"unit\":\"iteration\",\"loss\":0.12345,\"psnr\":30.123,\"images_per_second\":12.5}'\n  sleep 0.2\ndone\n";
    Test::new().photos().file("p.yaml", yaml).file("hook", hook)
}

#[test]
fn nothing_is_wider_than_the_terminal() {
    for columns in [100, 80, 60] {
        let test = wide();
        let Some(text) = sent(&test, columns, "run p.yaml", &[]) else {
            println!("skipped: nothing_is_wider_than_the_terminal: no `script`");
            return;
        };
        // Paths are typed and opened, so they are never cut.
        let paths = ["✓ "];
        let shown = lines(&text);
        for line in shown
            .iter()
            .filter(|l| !paths.iter().any(|p| l.starts_with(p)))
        {
            // Bars are drawn one behind the other, each as wide as the terminal: a stage's begins with its spinner, and
            // that of the run may follow it.
            for part in line.split(|c| ('\u{2800}'..='\u{28ff}').contains(&c)) {
                let room = if part.len() < line.len() {
                    2 * columns
                } else {
                    columns
                };
                let wide = part.chars().count();
                assert!(wide <= room, "{columns}: {wide} columns: {part}");
            }
        }
        let text = shown.join("\n");
        assert!(text.contains("iteration 4/40000"), "{columns}");
        assert!(text.contains("/7 done  "), "the whole run has a bar");
        // Every cell of the table is there, whatever its width.
        for cell in ["30.0000", "0.9000", "trainable parameters", "SPT"] {
            assert!(text.contains(cell), "{columns}: {cell}");
        }
    }
}

#[test]
fn errors_are_broken_between_words_and_quotes_are_not() {
    let yaml = TINY.replace("model: base", "model: bose");
    let test = Test::new().photos().file("p.yaml", yaml);
    for (words, whole) in [
        ("plan nowhere/at/all.yaml", "error: cannot read"),
        ("plan p.yaml", "there is no stage `bose`"),
    ] {
        let Some(text) = sent_by(&test, 40, words, &[], 2) else {
            println!("skipped: errors_are_broken_between_words_and_quotes_are_not: no `script`");
            return;
        };
        let shown = lines(&text);
        assert!(shown.join("\n").contains(whole), "{shown:?}");
        for line in shown.iter().filter(|line| !line.contains(" | ")) {
            assert!(line.chars().count() <= 40, "{line}");
        }
    }
}

/// What failed stands at the end, above one line for all that waits for it.
#[test]
fn a_failure_is_not_lost_among_stages_that_were_not_tried() {
    let test = Test::new().tiny().file("fail-prepare", "");
    let Some(text) = sent_by(&test, 80, "run p.yaml", &[], 1) else {
        println!("skipped: a_failure_is_not_lost_among_stages_that_were_not_tried: no `script`");
        return;
    };
    let shown = lines(&text).join("\n");
    assert!(shown.contains("failed: pairs: asked to fail"), "{shown}");
    assert!(
        shown.contains("not run: masks, base, tuned and 3 more"),
        "{shown}"
    );
    assert_eq!(shown.matches("not run: ").count(), 1, "{shown}");
    assert!(shown.contains("1 failed, 6 not run in "), "{shown}");
}

#[test]
fn the_time_left_comes_from_earlier_runs() {
    let test = wide();
    let Some(first) = sent(&test, 100, "run p.yaml", &[]) else {
        println!("skipped: the_time_left_comes_from_earlier_runs: no `script`");
        return;
    };
    // One that has nothing to go by learns from its own progress, and says that there is more.
    assert!(!first.contains("about ") && first.contains("  over "));
    let again = sent(&test, 100, "run p.yaml --force pairs", &[]).unwrap();
    assert!(again.contains("  about 0:0"));
}

/// What the driver would say, by a stand-in for its library.
#[test]
fn gpus_are_shown_while_a_run_uses_them() {
    let test = wide();
    let library = test.path("lib/libnvidia-ml.so.1");
    let said = "GPU-a 0 0 81920\nGPU-b 87 12595 81920\nGPU-7 5 -1 -1\n";
    test.write("lib/gpus", said);
    if !crate::nvml::build(&library, "gpus_are_shown_while_a_run_uses_them") {
        return;
    }
    let [folder, said] = ["lib", "lib/gpus"].map(|name| test.path(name).display().to_string());
    let variables = [
        ("LD_LIBRARY_PATH", folder.as_str()),
        ("NVML_STAND_IN", said.as_str()),
        ("STUB_DEVICES", "\"One\",\"Two\""),
        ("CUDA_VISIBLE_DEVICES", "1,GPU-7"),
    ];
    let Some(text) = sent(&test, 80, "run p.yaml --device cuda", &variables) else {
        println!("skipped: gpus_are_shown_while_a_run_uses_them: no `script`");
        return;
    };
    let text = lines(&text).join("\n");
    assert!(
        text.contains("GPU 1 87 % 12.3/80.0 GiB   GPU 2 5 %"),
        "{text}"
    );
    let cpu = sent(&test, 80, "run p.yaml --force pairs", &variables).unwrap();
    assert!(!cpu.contains("GPU 1"));
}

#[test]
fn sentences_and_facts_are_broken_between_words() {
    let test = wide();
    let set = "run p.yaml";
    if sent(&test, 60, set, &[]).is_none() {
        println!("skipped: sentences_and_facts_are_broken_between_words: no `script`");
        return;
    }
    for words in [
        "doctor",
        "runs",
        "show",
        "diff last last",
        "plan p.yaml --force pairs",
        "explain p.yaml score",
    ] {
        let text = sent(&test, 60, words, &[]).unwrap();
        let shown = lines(&text);
        assert!(shown.len() > 3 || words == "runs", "{words}: {shown:?}");
        for line in shown {
            // A path or a name is not broken.
            let is_broken = line.chars().count() <= 60 || line.split_whitespace().count() == 1;
            assert!(is_broken, "{words}: {line}");
        }
    }
}

/// What is printed to be typed can be: the shell that made the terminal reads it.
#[test]
fn a_command_without_room_goes_on_in_the_next_line() {
    let test = Test::new().tiny();
    let set =
        "run p.yaml --set stages.table.table.caption=a-caption-that-is-so-long-that-it-has-no-room";
    let set = set.replace("stages.table.", "stages.alpha.");
    let Some(text) = sent(&test, 60, &set, &[]) else {
        println!("skipped: a_command_without_room_goes_on_in_the_next_line: no `script`");
        return;
    };
    let shown = lines(&text).join("\n");
    let (_, again) = shown.split_once("again:   ").unwrap();
    let again = again.replace("\n\n", "\n");
    assert!(again.contains(" \\\n"), "{again}");
    let mut shell = Command::new("sh");
    shell.args(["-c", &again]).current_dir(test.path(""));
    shell.envs(
        test.command("run")
            .get_envs()
            .filter_map(|(n, v)| Some((n, v?))),
    );
    let ran = crate::support::Ran::of(shell.output().unwrap());
    ran.exits(0).says("0 ran, 7 fresh");
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let test = Test::new().tiny();
    let Some(coloured) = sent(&test, 80, "run p.yaml", &[]) else {
        println!("skipped: colours_are_for_terminals_that_want_them: no `script`");
        return;
    };
    assert!(
        coloured.contains("\u{1b}[32m✓\u{1b}[0m pairs"),
        "{coloured}"
    );
    let plan = |variables: &[(&str, &str)]| {
        sent(&test, 80, "plan p.yaml --force score", variables).unwrap()
    };
    assert!(plan(&[]).contains("\u{1b}[36mrun\u{1b}[0m"));
    assert!(!plan(&[("NO_COLOR", "1")]).contains('\u{1b}'));
    assert!(!plan(&[("TERM", "dumb")]).contains('\u{1b}'));
    assert!(
        !test
            .run("plan p.yaml --force score")
            .stdout
            .contains('\u{1b}')
    );
    // A terminal that cannot draw over lines gets them one below the other.
    let dumb = sent(&test, 80, "run p.yaml --force score", &[("TERM", "dumb")]).unwrap();
    assert!(
        dumb.contains("[1/2] score (evaluate)") && !dumb.contains('\u{1b}'),
        "{dumb}"
    );
}

#[test]
fn quiet_prints_no_tables() {
    let test = Test::new().tiny();
    let ran = test.run("run p.yaml -q").exits(0);
    assert_eq!(
        (ran.stdout.as_str(), ran.stderr.as_str()),
        ("", ""),
        "{ran}"
    );
}
