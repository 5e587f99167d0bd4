//! Columns of tables that scripts have measured: any metric beside PSNR, with its protocol named.
//! Unaware of what is measured.

use crate::support::{TINY, Test};

/// A script that reads the evaluations' files and says which row each line is about.
const SCRIPT: &str = "\
#!/bin/sh
set -e
echo scheme,image,score
for row in baseline SPT; do
    tail -n +2 $row/metrics.csv | while IFS=, read -r image psnr ssim; do
        echo $row,$image,$(awk \"BEGIN {print $psnr / 10}\")
    done
done
echo bicubic,a,1.5
echo bicubic,b,2.5
";

fn yaml() -> String {
    TINY.replace(
        "  alpha:\n",
        "  own:\n    command:\n      run: [sh, -c, 'sh own.sh > own.csv']\n      files: [own.sh]\n      \
         stages: {baseline: score-base, SPT: score}\n      outputs: [own.csv]\n  alpha:\n",
    )
    .replace(
        "columns: set, baseline",
        "scores: {own metric: {stage: own, file: own.csv, column: score, protocol: PSNR by ten}}, baseline",
    )
}

#[test]
fn a_script_s_csv_is_a_column_with_its_protocol_below() {
    let test = Test::new()
        .tiny()
        .file("own.sh", SCRIPT)
        .file("p.yaml", yaml());
    let ran = test.run("run p.yaml").exits(0);
    let table = test.read("reports/p/alpha.txt");
    let lines: Vec<String> = table
        .lines()
        .filter(|l| l.starts_with('│'))
        .map(|l| l.split('│').map(str::trim).collect::<Vec<_>>().join("|"))
        .collect();
    assert_eq!(
        lines,
        [
            "|scheme|PSNR|Δ|own metric|",
            "|baseline|30.0000|–|3.0000|",
            "|SPT|30.0000|0.0000|3.0000|",
            "|bicubic|–|–|2.0000|",
        ],
        "{table}\n{ran}"
    );
    assert!(
        table.contains("\nown metric: PSNR by ten, as measured by the stage `own`.\n"),
        "{table}"
    );
    let cells = test.read("reports/p/alpha.cells.csv");
    let own = cells
        .lines()
        .find(|l| l.starts_with("bicubic,own metric,2,"));
    assert!(
        own.is_some_and(|l| l.len() > 64),
        "the key of the stage is there: {cells}"
    );
    // Another script, another column.
    test.write("own.sh", SCRIPT.replace("/ 10", "/ 5"));
    test.run("run p.yaml").exits(0).says("6.0000");
    // Without the field nothing is asked of the table.
    test.write("p.yaml", TINY);
    let plan = test.run("plan p.yaml").exits(0);
    assert!(plan.stdout.contains("1 to run"), "{plan}");
}

#[test]
fn what_a_script_leaves_is_looked_at() {
    for (script, why) in [
        (
            "echo scheme,other; echo a,1",
            "there is no column `score`; columns: scheme, other",
        ),
        (
            "echo scheme,score; echo SPT,good",
            "line 2: `good` is not a finite number",
        ),
        (
            "echo score; echo 1",
            "no column says which row a line is about: add `scheme`",
        ),
        ("echo scheme,score", "there is no line in it"),
    ] {
        let test = Test::new()
            .tiny()
            .file("own.sh", script)
            .file("p.yaml", yaml());
        test.run("run p.yaml").exits(1).says(why);
    }
    let wrong = |from: &str, to: &str, why: &str| {
        let test = Test::new()
            .tiny()
            .file("own.sh", SCRIPT)
            .file("p.yaml", yaml().replace(from, to));
        test.run("plan p.yaml").exits(2).says(why);
    };
    wrong(
        "stage: own, file: own.csv",
        "stage: own, file: no.csv",
        "`own` is not one `command` stage with an output `no.csv`",
    );
    wrong(
        "stage: own, file",
        "stage: score, file",
        "`score` is not one `command` stage with an output `own.csv`",
    );
    wrong(
        "protocol: PSNR by ten",
        "protocol: ''",
        "say how the numbers were measured",
    );
}
