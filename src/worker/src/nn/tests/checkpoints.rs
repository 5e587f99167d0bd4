//! Files of weights: every wrapping, every refusal, and the same bytes twice.
//! Unaware of networks but for the messages that guess one.

use std::collections::BTreeMap;
use std::fs;

use tch::nn::VarStore;
use tch::{Device, Kind, Tensor};

use super::{fixture, small_store};
use crate::nn::checkpoint::{self, CheckpointError, Mismatch};
use crate::nn::dncnn::{self, Dncnn};
use crate::nn::imdn::{self, Imdn};
use crate::nn::params;

fn loaded(name: &str) -> BTreeMap<String, Tensor> {
    let (store, _conv) = small_store();
    checkpoint::load_into(&fixture(name), &store).unwrap_or_else(|error| panic!("{name}: {error}"));
    params::snapshot(&store)
}

fn refused(name: &str) -> CheckpointError {
    let (store, _conv) = small_store();
    checkpoint::load_into(&fixture(name), &store).unwrap_err()
}

fn equal(a: &BTreeMap<String, Tensor>, b: &BTreeMap<String, Tensor>) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|((n, t), (m, u))| n == m && t == u)
}

#[test]
fn every_wrapping_gives_the_same_weights() {
    let bare = loaded("bare.pth");
    assert_eq!(bare.keys().collect::<Vec<_>>(), ["bias", "weight"]);
    assert!(bare["weight"].abs().max().double_value(&[]) > 0.1);
    for name in [
        "module_legacy.pth",
        "params_ema.pth",
        "state_dict.pth",
        "legacy_protocol0.pth",
        "legacy_protocol1.pth",
    ] {
        assert!(equal(&loaded(name), &bare), "{name}");
    }
}

#[test]
fn short_floats_are_widened() {
    let bare = loaded("bare.pth");
    for (name, kind) in [("half.pth", Kind::Half), ("bfloat16.pth", Kind::BFloat16)] {
        let short = loaded(name);
        assert_eq!(short["weight"].kind(), Kind::Float);
        assert_eq!(
            short["weight"],
            bare["weight"].to_kind(kind).to_kind(Kind::Float),
            "{name}"
        );
    }
}

#[test]
fn code_in_a_pickle_is_named_and_never_run() {
    for name in ["evil.pth", "evil_legacy.pth", "evil_pickle.pth"] {
        let error = refused(name);
        assert!(
            matches!(error, CheckpointError::Foreign { .. }),
            "{name}: {error}"
        );
        assert!(
            error.to_string().contains("posix.system"),
            "{name}: {error}"
        );
    }
}

#[test]
fn values_that_are_no_weights_are_refused_by_name() {
    let nan = refused("nan.pth").to_string();
    assert!(nan.contains("NaN") && nan.contains("`bias`"), "{nan}");
    let integers = refused("integers.pth").to_string();
    assert!(integers.contains("`bias` as I64"), "{integers}");
    let expanded = refused("expanded.pth");
    assert!(
        matches!(expanded, CheckpointError::TooLarge { .. }),
        "{expanded}"
    );
}

#[test]
fn damage_is_an_error_and_not_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["bare.pth", "module_legacy.pth", "params_ema.pth"] {
        let whole = fs::read(fixture(name)).unwrap();
        for cut in (0..whole.len()).step_by(37) {
            let path = folder.path().join("cut.pth");
            fs::write(&path, &whole[..cut]).unwrap();
            let (store, _conv) = small_store();
            assert!(
                checkpoint::load_into(&path, &store).is_err(),
                "{name} cut at {cut}"
            );
        }
    }
    let noise = folder.path().join("noise.pth");
    fs::write(&noise, b"this is a text").unwrap();
    let error = checkpoint::open(&noise).err().unwrap().to_string();
    assert!(
        error.contains("not a usable checkpoint") && error.contains("hint:"),
        "{error}"
    );
    assert!(matches!(
        checkpoint::open(&folder.path().join("absent")),
        Err(CheckpointError::Io { .. })
    ));
}

#[test]
fn a_safetensors_file_is_told_by_its_content() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.pth");
    let bare = loaded("bare.pth");
    checkpoint::save_safetensors(&path, &bare, &BTreeMap::new()).unwrap();
    let (store, _conv) = small_store();
    checkpoint::load_into(&path, &store).unwrap();
    assert!(equal(&params::snapshot(&store), &bare));
    let whole = fs::read(&path).unwrap();
    for cut in 0..whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        assert!(
            checkpoint::load_into(&path, &store).is_err(),
            "cut at {cut}"
        );
    }
}

#[test]
fn the_same_tensors_are_the_same_bytes() {
    let bare = loaded("bare.pth");
    let metadata = |reversed: bool| {
        let mut pairs = vec![
            ("iteration", "7"),
            ("best", "31.2"),
            ("note", "x"),
            ("kind", "tune"),
        ];
        if reversed {
            pairs.reverse();
        }
        pairs
            .into_iter()
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .collect()
    };
    let once = checkpoint::safetensors_bytes(&bare, &metadata(false)).unwrap();
    for _ in 0..5 {
        assert_eq!(
            checkpoint::safetensors_bytes(&bare, &metadata(true)).unwrap(),
            once
        );
    }
}

fn mismatch(wanted: &imdn::Config, stored: &imdn::Config) -> Mismatch {
    let (file, model) = (VarStore::new(Device::Cpu), VarStore::new(Device::Cpu));
    let _nets = (
        Imdn::new(&file.root(), stored),
        Imdn::new(&model.root(), wanted),
    );
    checkpoint::assign(&model, &params::snapshot(&file)).unwrap_err()
}

#[test]
fn a_wrong_scale_is_recognised() {
    let text = mismatch(&imdn::Config::X4, &imdn::Config::X3).to_string();
    assert!(
        text.contains("2 misshapen: upsampler.0.bias is [27], not [48]"),
        "{text}"
    );
    assert!(
        text.contains("IMDN ×3: `backbone: {imdn: {scale: 3}}` has its names and shapes"),
        "{text}"
    );
    assert!(!text.contains("missing"), "{text}");
}

#[test]
fn a_denoiser_is_recognised() {
    let size = dncnn::Config {
        nc: 16,
        nb: 8,
        ..dncnn::Config::COLOR
    };
    let found = |config| {
        let store = VarStore::new(Device::Cpu);
        let _net = Dncnn::new(&store.root(), &config);
        checkpoint::shapes(&store)
    };
    let text = |config| checkpoint::recognise(&found(config)).unwrap().text();
    assert_eq!(
        text(size),
        "DnCNN for denoising: `backbone: {dncnn: {width: 16, depth: 8}}` has its names and shapes; its noise level \
         shows in no weight"
    );
    assert!(text(dncnn::Config::COLOR).contains("`backbone: {dncnn: {}}`"));
    let grey = dncnn::Config {
        in_nc: 1,
        out_nc: 1,
        ..size
    };
    assert!(text(grey).contains("it takes 1 channel"), "{}", text(grey));
    let mut other = found(size);
    other.insert("model.1.running_mean".into(), vec![16]);
    assert_eq!(checkpoint::recognise(&other), None);
}

#[test]
fn long_lists_are_cut_and_counted() {
    let fewer = imdn::Config {
        num_modules: 4,
        ..imdn::Config::X4
    };
    let text = mismatch(&imdn::Config::X4, &fewer).to_string();
    assert!(
        text.contains("28 missing: IMDB5.c1.bias") && text.contains("and 18 more"),
        "{text}"
    );
}

/// The published files, where `PIPELINE_REAL` names their folder.
#[test]
fn published_weights_load() {
    let Some(folder) = std::env::var_os("PIPELINE_REAL") else {
        eprintln!("skipped: PIPELINE_REAL is not set");
        return;
    };
    for (scale, numbers) in [(2, 694_404), (3, 703_059), (4, 715_176)] {
        let store = VarStore::new(Device::Cpu);
        let _net = Imdn::new(&store.root(), &imdn::Config::published(scale));
        let path = std::path::Path::new(&folder).join(format!("imdn/IMDN_x{scale}.pth"));
        checkpoint::load_into(&path, &store).unwrap();
        assert_eq!(params::count(&store), numbers);
    }
}
