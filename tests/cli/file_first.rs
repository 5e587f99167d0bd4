//! The pipeline file stands first in all commands that know stages, as in `run` and `plan`; `-f FILE` does the same.
//! Unaware of what is computed.

use crate::support::{TINY, Test};

/// Two files whose stages are called alike; the last run is of the second.
fn two_files() -> Test {
    let test = Test::new().tiny();
    test.write("q.yml", TINY.replace("iterations: 3", "iterations: 4"));
    test.run("run p.yaml").exits(0);
    test.run("run q.yml").exits(0);
    test
}

#[test]
fn a_file_before_the_stages_is_meant_and_not_that_of_the_last_run() {
    let test = two_files();
    let path = |words: &str| test.run(words).exits(0).stdout;
    let last = path("path score");
    assert_eq!(path("path q.yml score"), last);
    let other = path("path p.yaml score");
    assert_ne!(other, last);
    assert_eq!(path("path score -f p.yaml"), other);
    assert!(path("path --report p.yaml").ends_with("reports/p\n"));
    assert!(path("path q.yml --report").ends_with("reports/q\n"));
    test.run("explain p.yaml score").exits(0).says("fresh");
    test.run("exp p.yaml 'score'").exits(2);
    test.run("exp p.yaml score").exits(0).says("score");
    test.run("export p.yaml score to").exits(0).says("/to");
    assert!(test.path("to/metrics.csv").is_file());
    test.run("log p.yaml tuned").exits(0);
    test.run("cache pin p.yaml score").exits(0);
    test.run("cache unpin p.yaml score").exits(0);
    test.run("cache archive p.yaml score -o a.tar").exits(0);
    test.run("cache export p.yaml score -o b.tar").exits(0);
    assert_eq!(
        std::fs::read(test.path("a.tar")).unwrap(),
        std::fs::read(test.path("b.tar")).unwrap()
    );
}

#[test]
fn what_is_missing_or_one_too_many_is_said() {
    let test = two_files();
    for (words, said) in [
        ("path p.yaml", "no stage is named"),
        ("explain p.yaml", "no stage is named"),
        ("cache pin p.yaml", "no stage is named"),
        ("export p.yaml", "no stage is named"),
        ("export p.yaml score", "no folder was given"),
        ("export score", "no folder was given"),
        ("export p.yaml score to x.yaml", "no more were expected"),
        ("export score to more", "is one word too many"),
        ("path p.yaml score -f q.yml", "two pipeline files"),
        ("path --report p.yaml score", "`score` is a stage"),
        ("log p.yaml", "one stage is expected"),
        ("log p.yaml tuned --run last", "a file means its last run"),
        (
            "restore p.yaml --model tuned -o out",
            "no photograph is named",
        ),
    ] {
        test.run(words).exits(2).says(said);
    }
    test.write("r.yaml", TINY);
    test.run("log r.yaml tuned")
        .exits(1)
        .says("no run of `r.yaml`");
}
