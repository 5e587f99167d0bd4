//! Mutated pipeline files and jobs: an error in words or a result, never a panic, never without end.
//! Unaware of which it is. `make soak` sets how long it goes on.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[cfg(test)]
#[path = "../../../tests/dice.rs"]
mod dice;
#[cfg(test)]
#[path = "../../../tests/fuzz.rs"]
mod fuzzer;

#[cfg(test)]
mod targets {
    use std::collections::BTreeMap;
    use std::path::{Path, PathBuf};

    use spec::{Content, Device, JOB_FORMAT, Job, KeepDecoded, Outside, Pipeline, Request};

    use super::fuzzer::fuzz;

    /// No file takes more memory than this.
    const MOST_KIB: u64 = 1 << 20;

    /// Every shipped pipeline file, and short ones with what those have not.
    fn files() -> Vec<Vec<u8>> {
        fn below(folder: &Path, found: &mut Vec<PathBuf>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    below(&path, found);
                } else if path.extension().is_some_and(|e| e == "yaml") {
                    found.push(path);
                }
            }
        }
        let mut found = Vec::new();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines");
        below(&folder, &mut found);
        found.sort();
        let shipped = found.iter().map(|path| std::fs::read(path).unwrap());
        let short = SHORT.iter().map(|text| text.as_bytes().to_vec());
        short.chain(shipped).collect()
    }

    const SHORT: &[&str] = &[
        "stages:\n  s: {command: {run: [x, '{a}', \"${HOME}\"], outputs: [o]}}\nvars: {a: &a [1, *a]}\n",
        "stages:\n  a:\n    each: {zip: {x: [1, 2], y: [3, 4]}, z: [~, 0x10, 1.10], exclude: [{x: 1, z: 16}]}\n    command: {run: [a, '{x}{y}{z}'], outputs: ['o{x}{z}']}\n  b: {command: {run: [b], outputs: [p], stages: {in: 'a[x=*]'}, env: {A: !!str 1}}}\n",
        "vars:\n  base: &base {images: photos, degrade: {sr: 2}}\nstages:\n  p: {prepare: {<<: *base, seed: 18446744073709551615}}\n  m: {mask: {images: p, grid: 4, count: 8}}\n",
        "stages:\n  s:\n    command:\n      shell: |\n        for x in a b; do echo $${x}; done > o\n      outputs: [o]\n      secrets: [TOKEN]\n    resources: {threads: 2, timeout: 1e3, memory: 0.5, retries: 2}\n",
        "include: [other.yaml]\nstages:\n  s: ~\n",
    ];

    fn peak_kib() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|l| l.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    #[test]
    fn pipeline_files() {
        let env = BTreeMap::from([("HOME".to_owned(), "/home/x".to_owned())]);
        fuzz("yaml", 4.0, &files(), |bytes| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            let read = |path: &Path| match path.to_str() {
                Some("p.yaml") => Ok(text.clone()),
                Some("other.yaml") => Ok(SHORT[0].to_owned()),
                _ => Err(std::io::ErrorKind::NotFound.into()),
            };
            let request = Request {
                file: Path::new("p.yaml"),
                env: &env,
                overrides: &[],
                read: &read,
            };
            match Pipeline::load(&request) {
                Ok(mut pipeline) => {
                    let _ = pipeline.lay_out(Path::new("/project"), Path::new("/project"));
                    let _ = pipeline.find("s*");
                }
                Err(error) => {
                    let text = error.to_string();
                    assert!(!text.is_empty() && !text.contains('\u{1b}'), "{text:?}");
                }
            }
        });
        assert!(peak_kib() < MOST_KIB, "{} KiB", peak_kib());
    }

    /// As `--set` gives it.
    #[test]
    fn overrides() {
        let corpus = [
            "stages.s.command.run=[x, y]",
            "vars.\"a.b\"=[1, {c: 2}]",
            "stages.s.each.x=[1, 2]",
            "stages.'s'.command.env={A: 1}",
        ];
        let corpus: Vec<Vec<u8>> = corpus.iter().map(|text| text.as_bytes().to_vec()).collect();
        fuzz("overrides", 2.0, &corpus, |bytes| {
            let overrides = [String::from_utf8_lossy(bytes).into_owned()];
            let request = Request {
                file: Path::new("p.yaml"),
                env: &BTreeMap::new(),
                overrides: &overrides,
                read: &|_| {
                    Ok("vars: {a.b: 1}\nstages:\n  s: {each: {x: [1]}, command: {run: [x, '{x}'], outputs: [o]}}\n".into())
                },
            };
            let _ = Pipeline::load(&request).map_err(|e| e.to_string());
        });
    }

    /// What the worker is given.
    #[test]
    fn jobs() {
        let texts = [
            "{prepare: {images: a, degrade: {sr: 4}}}",
            "{mask: {images: p, segmenter: {sam: {model: vit-b, weights: w.pth}}}}",
            "{pretrained: {backbone: {imdn: {scale: 4}}, file: x}}",
            "{train: {backbone: {art: {scale: 4}}, images: p, iterations: 3}}",
            "{evaluate: {model: t, images: p}}",
            "{command: {run: [x], outputs: [o]}}",
        ];
        let stages: Vec<String> = (0..)
            .zip(texts)
            .map(|(n, t)| format!("  s{n}: {t}\n"))
            .collect();
        let stages = stages.concat();
        let others = "  p: {prepare: {images: b, degrade: {sr: 4}}}\n  t: {train: {backbone: {imdn: {scale: 4}}, images: p, iterations: 3}}\n";
        let text = format!("stages:\n{stages}{others}");
        let request = Request {
            file: Path::new("p.yaml"),
            env: &BTreeMap::new(),
            overrides: &[],
            read: &|_| Ok(text.clone()),
        };
        let pipeline = Pipeline::load(&request).unwrap();
        let content = Content {
            digest: "ef".repeat(32),
            size: 7,
        };
        let job = |stage: &spec::Stage| Job {
            format: JOB_FORMAT,
            key: "ab".repeat(32),
            stage: stage.kind.clone(),
            inputs: BTreeMap::from([("images".to_owned(), PathBuf::from("/cache/outputs/ab"))]),
            out: "/cache/partial/out".into(),
            state: "/cache/partial/state".into(),
            device: Device::Cuda(1),
            threads: 2,
            checkpoint_seconds: 60.0,
            trajectory: Some("cd".repeat(32)),
            start: None,
            decoded: Some(KeepDecoded {
                folder: "/cache/decoded".into(),
                above: 0,
                contents: BTreeMap::from([("images".to_owned(), "ef".repeat(32))]),
            }),
            outside: Outside::Planned(BTreeMap::from([("photos/a.png".into(), content.clone())])),
        };
        let corpus: Vec<Vec<u8>> = pipeline
            .stages
            .iter()
            .map(|stage| serde_json::to_vec_pretty(&job(stage)).unwrap())
            .collect();
        for file in &corpus {
            Job::decode(std::str::from_utf8(file).unwrap()).unwrap();
        }
        fuzz("job", 3.0, &corpus, |bytes| {
            match Job::decode(&String::from_utf8_lossy(bytes)) {
                Ok(job) => assert!(job.threads > 0 && job.checkpoint_seconds.is_finite()),
                Err(why) => assert!(!why.is_empty()),
            }
        });
    }
}
