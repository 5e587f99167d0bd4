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

/// A table of two sets, and a column that a script measured.
fn two_sets(names: [&str; 2], rows: &str) -> String {
    let [first, second] = names;
    let other = format!(
        "  more:\n    prepare: {{images: photos, degrade: {{sr: 2}}, name: {second:?}, seed: 1}}\n"
    );
    yaml()
        .replace("name: tiny", &format!("name: {first:?}"))
        .replace("stages:\n  pairs", &format!("stages:\n{other}  pairs"))
        .replace(
            "  score:\n",
            "  score-more:\n    evaluate: {model: base, images: more}\n  score:\n",
        )
        .replace(
            "from: [score-base, score]",
            "from: [score-base, score-more]",
        )
        .replace("rows: [scheme]", &format!("rows: [{rows}]"))
}

#[test]
fn a_line_goes_to_the_row_whose_numbers_it_has() {
    for (names, rows, script, shown) in [
        (
            ["σ=1.5", "σ=15"],
            "set",
            "echo set,score; echo σ=1.5,1; echo σ=15,2; echo Σ 1.5,3; echo σ=1.6,4; echo σ=-15,5",
            "σ=1.5,2.0000 σ=15,2.0000 σ=1.6,4.0000 σ=-15,5.0000",
        ),
        (
            ["lr 1e-3", "lr 1e3"],
            "set",
            "echo set,score; echo LR_1e-3,1; echo lr-1e3,2; echo lr 0.001,3; echo lr 1-3,4",
            "lr 1e-3,1.0000 lr 1e3,2.0000 lr 0.001,3.0000 lr 1-3,4.0000",
        ),
        (
            ["Set5", "set-5"],
            "set, degrade",
            "echo set,degrade,score; echo Set5,x2,1; echo set-5,X2,2; echo Set5,σ=2,3; echo Set5,x4,4; echo Set5,×4,6",
            "Set5,×2,1.0000 set-5,×2,2.0000 Set5,σ=2,3.0000 Set5,x4,5.0000",
        ),
    ] {
        let test = Test::new()
            .tiny()
            .file("own.sh", script)
            .file("p.yaml", two_sets(names, rows));
        test.run("run p.yaml").exits(0);
        let table = test.read("reports/p/alpha.csv");
        let found: Vec<String> = table
            .lines()
            .skip(1)
            .map(|l| l.replace(",30.0000,", ",").replace(",,", ","))
            .collect();
        assert_eq!(found.join(" "), shown, "{table}");
    }
}

#[test]
fn a_line_that_fits_two_rows_is_refused() {
    let script = "echo set,score; echo Set5,1; echo 'SET 5,2'";
    let test = Test::new()
        .tiny()
        .file("own.sh", script)
        .file("p.yaml", two_sets(["Set5", "set-5"], "set"));
    test.run("run p.yaml")
        .exits(1)
        .says("own.csv:3: `SET 5` fits the rows `Set5` and `set-5`")
        .says("write its labels to the letter as the table shows them");
}
