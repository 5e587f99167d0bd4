//! The page of the reports in a browser: what it shows, that it can be used, and that names stay text.
//! Skipped by name where there is no Chromium or no pipeline-worker.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::browser::{browser, driven};
use crate::support::{TINY, Test, list, photo};

/// A name that would do something wherever it were taken for more than text.
const HOSTILE: &str = "x\"><img src=q onerror=forged=true><script>forged=true<";

/// What the driver found on the page.
fn facts(browser: &Path, test: &Test, page: &str) -> Value {
    driven(browser, test, page, include_str!("page_driver.js"))
}

/// The smallest pipeline, with restored images kept, and names that are not friendly.
fn used() -> String {
    let tuned = "images: pairs, masks: masks}";
    let kept = "images: pairs, masks: masks, save: 2}";
    let validated = "iterations: 6, validate: {images: other, every: 2}, patch: 8, batch: 1}\n    resources: {threads: 1}\n  tuned:";
    TINY.replace("images: pairs}", "images: pairs, save: true}")
        .replace(tuned, kept)
        .replace(
            "iterations: 3, patch: 8, batch: 1}\n    resources: {threads: 1}\n  tuned:",
            validated,
        )
        .replace(
            "stages:\n",
            "stages:\n  other:\n    prepare: {images: others, degrade: {sr: 2}}\n",
        )
        .replace("columns: set, ", "")
        .replace("caption: Tiny", &format!("caption: {HOSTILE:?}"))
}

#[test]
fn pictures_are_compared_numbers_sorted_and_names_are_text() {
    let name = "pictures_are_compared_numbers_sorted_and_names_are_text";
    let Some(browser) = browser(name) else { return };
    let Some(test) = Test::with_worker(name) else {
        return;
    };
    let image = "a \"b\" <i>&amp; 'c'";
    test.write(&format!("photos/{image}.png"), photo(48, 40));
    test.write("photos/z.png", photo(40, 48));
    test.write("others/o.png", photo(64, 48));
    test.write("p.yaml", used());
    test.run("run p.yaml")
        .exits(0)
        .says("page:    reports/p/index.html");
    let facts = facts(&browser, &test, "reports/p/index.html");
    assert_eq!(facts["errors"], serde_json::json!([]), "{facts}");
    assert_eq!(facts["first"], "base | tuned");
    assert!(facts["slider"].as_f64().unwrap() > 0.85, "{facts}");
    let keys: Vec<&str> = facts["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|k| k.as_str().unwrap())
        .collect();
    assert_eq!(keys[..2], ["LQ", "bicubic"]);
    assert!(
        keys[2].starts_with("base  ") && keys[2].ends_with(" dB"),
        "{keys:?}"
    );
    assert!(keys[3].starts_with("tuned  "), "{keys:?}");
    assert_eq!((keys[4], keys[5]), ("GT", keys[3]));
    assert!(facts["zoom"].as_f64().unwrap() >= 2.0, "{facts}");
    assert_eq!(facts["masks"], 2);
    assert!(facts["boxes"][0].is_string(), "{facts}");
    assert_eq!(
        facts["boxes"][0], facts["boxes"][1],
        "in which pane it began"
    );
    let crops = facts["crops"].as_array().unwrap();
    assert_eq!(crops.len(), 5, "{facts}");
    assert!(crops[2].as_str().unwrap().ends_with(" dB"), "{facts}");
    crops_can_be_taken_along(&test, &facts);
    let copied = &facts["copied"];
    assert!(
        copied[0].as_str().unwrap().contains("| scheme "),
        "{copied}"
    );
    assert!(copied[1].as_str().unwrap().contains("\\begin{tabular}"));
    assert!(copied[2].as_str().unwrap().starts_with("scheme,"));
    let column = |at: &str| facts[at].as_array().unwrap().clone();
    let (down, mut up) = (column("down"), column("up"));
    assert!(down.len() == 2 && down != up, "{facts}");
    up.reverse();
    assert_eq!(down, up);
    assert_eq!(facts["sorted"], "ascending");
    // The best of all rows on the same images, and no other.
    let values = column("up").into_iter();
    let values = values.map(|v| v.as_str().unwrap().parse::<f64>().unwrap());
    let top = values.fold(f64::MIN, f64::max);
    let bold = facts["bold"].as_array().unwrap();
    assert_eq!(bold.len(), 1, "{facts}");
    assert_eq!(bold[0].as_f64(), Some(top), "{facts}");
    let origin = facts["origin"].as_str().unwrap();
    assert!(origin.contains("pipeline run p.yaml score"), "{origin}");
    let gains = &facts["gains"];
    assert_eq!(gains["shown"], true, "{gains}");
    let said = gains["said"].as_str().unwrap();
    assert!(said.starts_with("tuned against base: better on "), "{said}");
    assert!(gains["marks"].as_str().unwrap().contains("z "), "{gains}");
    assert_eq!(facts["plots"], 3, "PSNR, loss and learning rate differ");
    pointers_are_followed(&facts);
    let hash = facts["hash"].as_str().unwrap();
    assert!(hash.contains("box=") && hash.contains("image="), "{hash}");
    let text = facts["text"].as_str().unwrap();
    assert!(text.contains(image), "{text}");
    assert!(text.contains(HOSTILE), "{text}");
    assert_eq!(facts["forged"], false);
    assert_eq!(facts["stages"], 8);
    assert_eq!(facts["curves"], 2);
    let html = test.read("reports/p/index.html");
    assert!(
        !html.contains("http://") && !html.contains("https://"),
        "it names something outside"
    );
    as_one_file_it_is_the_same(&browser, &test, &facts);
}

/// It needs nothing beside it then, and may not be larger than what is sent.
#[track_caller]
fn as_one_file_it_is_the_same(browser: &Path, test: &Test, facts: &Value) {
    std::fs::create_dir(test.path("alone")).unwrap();
    let words = "path --report --single-file alone/index.html -f p.yaml";
    test.run(words).exits(0).says("alone/index.html");
    test.run(words)
        .exits(2)
        .says("`alone/index.html` is there already");
    let alone = self::facts(browser, test, "alone/index.html");
    for fact in [
        "errors", "first", "keys", "masks", "crops", "forged", "scripts", "stages",
    ] {
        assert_eq!(alone[fact], facts[fact], "{fact}: {alone}");
    }
    assert!(!test.read("alone/index.html").contains("img/graph.svg\""));
    let large = test.path("reports/p/img/large.js");
    std::fs::File::create(large)
        .unwrap()
        .set_len(21_000_000)
        .unwrap();
    test.run("path --report --single-file large.html -f p.yaml")
        .exits(1)
        .says("as one file it would have more than 20000000 bytes");
    assert!(!test.path("large.html").exists());
}

/// What lies under the pointer is said: a mask, a point of a curve, the bar of an image; curves are hidden and shown.
#[track_caller]
fn pointers_are_followed(facts: &Value) {
    let mask = facts["mask"].as_str().unwrap();
    assert!(
        mask.contains(" pixels, ") || mask.starts_with("no mask at "),
        "{mask}"
    );
    for drawn in ["toggled", "log"] {
        assert_eq!(facts[drawn], true, "{drawn}");
    }
    let hovered = facts["hovered"].as_str().unwrap();
    assert!(hovered.contains(" at iteration "), "{hovered}");
    assert_eq!(facts["nine"], "GT", "it is not left out of many");
    let bar = facts["bar"].as_str().unwrap();
    assert!(bar.contains(": ") && bar.ends_with(" dB"), "{bar}");
}

/// The row of crops as PNG with the LaTeX that includes it, the stage that makes it, and the address of the view.
#[track_caller]
fn crops_can_be_taken_along(test: &Test, facts: &Value) {
    let exports = &facts["exports"];
    let (png, mime) = (&exports["saved"][0][0], &exports["saved"][0][1]);
    let png = png.as_str().unwrap();
    assert!(png.starts_with("crop-") && mime == "image/png", "{exports}");
    assert!(exports["saved"][0][2].as_u64().unwrap() > 100, "{exports}");
    let copied = |at: usize| exports["copied"][at].as_str().unwrap();
    let latex = copied(0);
    assert!(latex.contains(&format!("{{{png}}}")), "{latex}");
    assert!(latex.contains("PSNR of the crop: bicubic "), "{latex}");
    // A figure may be of any image, so its evaluations keep all.
    let file = test.read("p.yaml").replace("save: 2", "save: true");
    test.write("crop.yaml", file + copied(1));
    test.run("plan crop.yaml crop")
        .exits(0)
        .says("crop  ")
        .says("figure");
    assert!(copied(2).contains("box="), "{exports}");
}

#[test]
fn pictures_of_other_runs_of_the_same_images_are_compared() {
    let name = "pictures_of_other_runs_of_the_same_images_are_compared";
    let Some(test) = Test::with_worker(name) else {
        return;
    };
    let test = test.photos();
    let yaml = TINY.replace("images: pairs}", "images: pairs, save: true}");
    let yaml = yaml.replace(
        "masks: masks}\n    resources",
        "masks: masks, save: true}\n    resources",
    );
    let yaml = yaml.replace(
        "iterations: 3, patch: 8, batch: 1, save: true",
        "iterations: 3, patch: 8, batch: 1",
    );
    test.write("p.yaml", &yaml);
    test.write(
        "q.yaml",
        yaml.replace("score:", "other-score:")
            .replace("score]", "other-score]")
            .replace("iterations: 3", "iterations: 2"),
    );
    test.run("run p.yaml").exits(0);
    test.run("run q.yaml").exits(0);
    test.run("run p.yaml --set stages.tuned.tune.iterations=4")
        .exits(0);
    let pages = list(&test.path("reports"));
    let with_set = pages
        .iter()
        .find(|p| p.to_str().unwrap().contains("p@"))
        .unwrap();
    let html = std::fs::read_to_string(with_set.join("index.html")).unwrap();
    let others = html.matches("\"other\":true").count();
    // Of p.yaml as it is the tuned one, of q.yaml both.
    assert_eq!(others, 3, "{html:.3000}");
    assert!(html.contains("\"name\":\"other-score (q.yaml)\""));
    let (_, rest) = html.split_once("\"name\":\"score (2").unwrap();
    let (_, rest) = rest.split_once("\"files\":{\"0\":\"").unwrap();
    let file = rest.split('"').next().unwrap();
    assert!(with_set.join(format!("img/{file}.js")).is_file());
    // What others restored is shown; the numbers are of the file's own.
    if let Some(browser) = browser(name) {
        let page = with_set
            .strip_prefix(test.path(""))
            .unwrap()
            .join("index.html");
        let opens = include_str!("page_opens.js");
        let facts = driven(&browser, &test, page.to_str().unwrap(), opens);
        assert_eq!(facts["errors"], serde_json::json!([]), "{facts}");
        assert_eq!(facts["first"], "base | tuned");
        let keys = facts["keys"].to_string();
        assert!(
            keys.contains(",\"score (2") && keys.contains("\"other-score (q.yaml)\""),
            "{keys}"
        );
    }
}

/// Whatever became of other runs' results, this run has its page.
#[test]
fn a_damaged_result_of_another_run_takes_no_page_away() {
    let name = "a_damaged_result_of_another_run_takes_no_page_away";
    let Some(test) = Test::with_worker(name) else {
        return;
    };
    let test = test.photos();
    let yaml = TINY.replace("images: pairs}", "images: pairs, save: true}");
    test.write("p.yaml", &yaml);
    let mut before = Vec::new();
    let mut run = |iterations: u32| {
        let set = format!("stages.base.train.iterations={iterations}");
        test.run(&format!("run p.yaml score-base --set {set}"))
            .exits(0)
            .never_says("the page of the reports was not written");
        let path = format!("path score-base -f p.yaml --set {set}");
        let folder = PathBuf::from(test.run(&path).exits(0).stdout.trim());
        let pages = list(&test.path("reports"));
        let new = pages.iter().find(|page| !before.contains(*page)).unwrap();
        let html = std::fs::read_to_string(new.join("index.html")).unwrap();
        before = pages;
        (folder, html)
    };
    let (one, _) = run(1);
    let (two, html) = run(2);
    assert_eq!(html.matches("\"other\":true").count(), 1, "{html:.3000}");
    let damage = |path: PathBuf| {
        std::fs::remove_file(&path).unwrap();
        std::fs::write(path, "damaged").unwrap();
    };
    damage(one.join("metrics.csv"));
    damage(two.join("restored/a.png"));
    let (_, html) = run(4);
    let (_, other) = html.split_once("\"other\":true").unwrap();
    let (_, files) = other.split_once("\"files\":{").unwrap();
    assert!(files.starts_with("\"1\":"), "{files:.100}");
    assert!(!other.contains("\"other\":true"), "{other:.3000}");
}

#[test]
fn figures_are_within_a_page_of_one_file() {
    let name = "figures_are_within_a_page_of_one_file";
    let Some(test) = Test::with_worker(name) else {
        return;
    };
    let test = test.photos();
    let figure = "  crops:\n    figure: {baseline: score-base, tuned: score, better: 1, worse: 1, window: 8}\n";
    let yaml = TINY.replace("images: pairs}", "images: pairs, save: true}");
    let yaml = yaml.replace("masks: masks}", "masks: masks, save: true}");
    test.write("p.yaml", yaml + figure);
    test.run("run p.yaml").exits(0);
    let shown = "src=\"./crops.svg\"";
    assert!(test.read("reports/p/index.html").contains(shown));
    // What the page does not show takes no room in it.
    for other in ["reports/p/other.png", "reports/p/other.svg"] {
        let other = std::fs::File::create(test.path(other)).unwrap();
        other.set_len(21_000_000).unwrap();
    }
    test.run("path --report --single-file alone.html -f p.yaml")
        .exits(0);
    let alone = test.read("alone.html");
    assert!(!alone.contains(shown));
    let (_, svg) = alone
        .split_once("src=\"data:image/svg+xml;base64,")
        .unwrap();
    let length = std::fs::metadata(test.path("reports/p/crops.svg")).unwrap();
    let length = length.len().div_ceil(3) * 4;
    assert_eq!(svg.find('"'), Some(length as usize));
}

#[test]
fn an_image_without_pictures_hides_none_of_the_others() {
    let name = "an_image_without_pictures_hides_none_of_the_others";
    let Some(browser) = browser(name) else { return };
    let Some(test) = Test::with_worker(name) else {
        return;
    };
    test.write("photos/a.png", photo(48, 40));
    test.write("photos/z.png", photo(40, 48));
    test.write("others/o.png", photo(64, 48));
    let yaml = used().replace("save: true", "save: 1");
    test.write("p.yaml", yaml.replace("save: 2", "save: 1"));
    test.run("run p.yaml").exits(0);
    let facts = facts(&browser, &test, "reports/p/index.html");
    assert_eq!(facts["errors"], serde_json::json!([]), "{facts}");
    let bare = facts["bare"].as_str().unwrap();
    assert!(bare.starts_with("No pictures of z were kept."), "{bare}");
    assert_eq!(facts["noted"], false);
}

#[test]
fn a_page_of_a_training_alone_has_no_errors() {
    let name = "a_page_of_a_training_alone_has_no_errors";
    let Some(browser) = browser(name) else { return };
    let Some(test) = Test::with_worker(name) else {
        return;
    };
    test.write("photos/a.png", photo(48, 40));
    test.write("photos/z.png", photo(40, 48));
    test.write("p.yaml", TINY);
    test.run("run p.yaml base").exits(0);
    let script = "await wait('the stages', () => $('#stage-list tbody tr'));\
        await new Promise((done) => setTimeout(done, 500));\
        facts.curves = page.by('curves').hidden";
    let facts = driven(&browser, &test, "reports/p/index.html", script);
    assert_eq!(facts["errors"], serde_json::json!([]), "{facts}");
    assert_eq!(facts["curves"], false, "{facts}");
}

/// A stand-in takes the worker's place; what it sees of the page is of a run that goes on.
#[test]
fn the_page_is_there_while_the_run_goes_on() {
    let test = Test::new().tiny().without_walls();
    let hook = "if [ $kind = evaluate ]; then cp reports/p/index.html seen.html || true; cp reports/p/run.json seen.json || true; fi\n";
    test.write("hook", hook);
    test.write("slow", "");
    test.run("run p.yaml --jobs 1").exits(0);
    test.run("run p.yaml --jobs 1 --force pairs").exits(0);
    let seen = test.read("seen.html");
    assert!(seen.contains("http-equiv=\"refresh\""), "{seen:.300}");
    assert!(seen.contains("p.yaml (running)"));
    let ended = test.read("reports/p/index.html");
    assert!(!ended.contains("refresh") && !ended.contains("(running)"));
    // A page that a killed run left is not taken for that of the run before it.
    let index = test.read("seen.json");
    assert!(index.contains("\"made_of\": \"\""), "{index}");
    test.write("reports/p/index.html", &seen);
    test.write("reports/p/run.json", &index);
    test.run("run p.yaml").exits(0).says("0 ran");
    assert!(!test.read("reports/p/index.html").contains("(running)"));
    test.run("show")
        .exits(0)
        .says(&format!("reports     {}", test.path("reports/p").display()));
}

/// What others are asked for later does not go off the page.
#[test]
fn a_run_of_some_stages_leaves_the_others_on_the_page() {
    let test = Test::new().tiny();
    test.run("run p.yaml").exits(0);
    let whole = test.read("reports/p/index.html");
    assert!(whole.contains("\"name\":\"alpha\"") && whole.contains("\"stage\":\"score\""));
    test.run("run p.yaml base --force base").exits(0);
    let after = test.read("reports/p/index.html");
    let of_table = |html: &str| html.matches("\"name\":\"alpha\"").count();
    assert_eq!(of_table(&after), of_table(&whole));
    assert!(after.contains("\"stage\":\"score\""));
}

/// A page that cannot be written costs a warning; the result is there, and so are the tables.
#[test]
fn a_page_that_cannot_be_written_costs_no_result() {
    let test = Test::new().tiny();
    test.write("reports/p/img", "in the way");
    test.run("run p.yaml")
        .exits(0)
        .says("warning: the page of the reports was not written: ")
        .says("7 ran, 0 fresh, 0 failed");
    assert!(
        test.read("reports/p/alpha.tex")
            .contains("\\label{tab:alpha}")
    );
    assert_eq!(test.read("reports/p/img"), "in the way");
}

/// Ten thousand images in each evaluation, three of them with pictures: numbers are there of all, and the first view does not
/// wait for them. How long it took is printed; benches/README.md has a figure.
#[test]
fn ten_thousand_images_are_on_a_page_that_opens() {
    let name = "ten_thousand_images_are_on_a_page_that_opens";
    let Some(browser) = browser(name) else { return };
    let test = Test::new().photos().without_walls();
    for (at, side) in [("hr", 48), ("lq", 24)] {
        for n in 0..3 {
            test.write(&format!("made/{at}{n}.png"), photo(side, side));
        }
    }
    let pair = |n: usize| {
        format!(
            "{{\"name\":\"i{n:05}\",\"hr\":\"hr{0}.png\",\"lq\":\"lq{0}.png\",\"width\":24,\"height\":24,\"digest\":\"{n}\",\"notes\":[]}}",
            n % 3
        )
    };
    let pairs: Vec<String> = (0..10_000).map(pair).collect();
    test.write(
        "made/pairs.json",
        format!(
            "{{\"degrade\":{{\"sr\":2}},\"seed\":0,\"pairs\":[{}]}}",
            pairs.join(",")
        ),
    );
    for shift in [0, 1] {
        let row = |n: usize| {
            format!(
                "i{n:05},{},0.9\n",
                30.0 + ((n * 7919 + shift * 31) % 1000) as f64 / 500.0
            )
        };
        let rows: String = (0..10_000).map(row).collect();
        test.write(
            &format!("made/metrics{shift}.csv"),
            format!("image,psnr,ssim\n{rows}"),
        );
    }
    // The stand-in leaves these in place of its own.
    let hook = "end() { echo \"{\\\"key\\\":\\\"$key\\\"}\" >\"$state/done.json\"; echo '{\"event\":\"done\",\"facts\":{}}'; exit; }\n\
        model='{\"architecture\":{\"imdn\":{\"scale\":2}},\"scheme\":\"train\",\"parameters\":1}'\n\
        case $kind in\n\
        prepare) cp made/*.png made/pairs.json \"$out\"; end ;;\n\
        evaluate)\n\
        n=$(grep -c evaluate \"$STUB_FOLDER/ran.txt\"); cp made/metrics$((n - 1)).csv \"$out/metrics.csv\"; mkdir -p \"$out/restored\"\n\
        for i in 0 1 2; do cp made/hr$i.png \"$out/restored/i0000$i.png\"; done\n\
        echo '{\"images\":10000,\"luma\":\"unrounded\",\"shave\":2,\"tiling\":\"official\",\"model\":'\"$model}\" >\"$out/summary.json\"; end ;;\n\
        esac\n";
    test.write("hook", hook);
    test.write(
        "p.yaml",
        used().replace("validate: {images: other, every: 2}, ", ""),
    );
    test.write("others/o.png", photo(64, 48));
    test.run("run p.yaml --jobs 1").exits(0);
    let facts = driven(
        &browser,
        &test,
        "reports/p/index.html",
        include_str!("page_opens.js"),
    );
    assert_eq!(facts["errors"], serde_json::json!([]), "{facts}");
    assert_eq!(facts["images"], 10_000);
    assert_eq!(facts["thumbnails"], 3);
    assert_eq!(facts["first"], "base | tuned");
    let bytes = std::fs::metadata(test.path("reports/p/index.html"))
        .unwrap()
        .len();
    println!(
        "10,000 images: first view after {} ms, page of {bytes} bytes",
        facts["ms"]
    );
}
