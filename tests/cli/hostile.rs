//! Checkpoints that ask for more than they hold, name code, or store tensors in forms that are not read; and the old forms
//! that are read. Unaware of how: the crate `pth` has the finer cases.

use std::path::Path;

use crate::pth::{archive, tensors_of, zip};
use crate::support::{Ran, Test};
use crate::zip::{deflated, stored};

const YAML: &str = "\
stages:
  official:
    pretrained: {backbone: {imdn: {scale: 2, width: 16, blocks: 1}}, file: weights.pth}
";

fn test(name: &str) -> Option<Test> {
    Some(Test::with_worker(name)?.file("p.yaml", YAML))
}

#[track_caller]
fn refused(test: &Test, bytes: &[u8], text: &str) -> Ran {
    test.write("weights.pth", bytes);
    test.run("run p.yaml").exits(1).says(text)
}

/// An archive whose pickle is compressed.
fn compressed(pickle: &[u8]) -> Vec<u8> {
    let entries = [
        deflated("archive/data.pkl", pickle),
        stored("archive/version", b"3\n"),
    ];
    crate::zip::zip(&entries)
}

#[test]
fn what_a_pickle_may_ask_for_is_bounded() {
    let Some(test) = test("what_a_pickle_may_ask_for_is_bounded") else {
        return;
    };
    let nones = [
        b"\x80\x02(".to_vec(),
        vec![b'N'; 30_000_000],
        b"t.".to_vec(),
    ]
    .concat();
    let bomb = compressed(&nones);
    assert!(bomb.len() < 50_000);
    refused(
        &test,
        &bomb,
        "`weights.pth` asks for too much: reading its pickle takes more than 268435456 bytes of memory",
    )
    .says("hint: if you trust it, raise the limit: PIPELINE_LIMITS=pickle=1073741824");
    let mut raised = test.command("run p.yaml");
    raised.env("PIPELINE_LIMITS", "pickle=1G");
    Ran::of(raised.output().unwrap())
        .exits(1)
        .says("it holds no tensors");
    let cycle = b"\x80\x02}q\0X\x01\0\0\0ah\0s.";
    refused(&test, &archive(cycle, &Vec::new()), "or contain themselves");
}

#[test]
fn entries_of_archives_claim_no_more_than_there_is() {
    let Some(test) = test("entries_of_archives_claim_no_more_than_there_is") else {
        return;
    };
    let mut tar = vec![0; 2048];
    tar[..8].copy_from_slice(b"storages");
    tar[124..135].copy_from_slice(b"77777777777");
    tar[156] = b'0';
    tar[257..262].copy_from_slice(b"ustar");
    refused(
        &test,
        &tar,
        "entry `storages` claims 8589934591 bytes, and the file has 2048",
    );
    tar[124..135].copy_from_slice(b"00000000000");
    tar[156] = b'S';
    refused(
        &test,
        &tar,
        "entry `storages` is sparse, which no checkpoint is",
    );
    let whole = zip(&[("archive/data.pkl", b"}."), ("archive/version", b"3\n")]);
    let central = whole.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
    let changed = |at: usize, byte: u8| {
        let mut file = whole.clone();
        file[central + at] = byte;
        file
    };
    refused(&test, &changed(8, 1), "`archive/data.pkl` is encrypted");
    refused(
        &test,
        &changed(10, 14),
        "`archive/data.pkl` is compressed by method 14",
    );
    refused(
        &test,
        &changed(24, 3),
        "`archive/data.pkl` has another header than its archive's directory says",
    );
}

#[test]
fn names_of_code_that_nothing_needs_are_noted() {
    let name = "names_of_code_that_nothing_needs_are_noted";
    let Some(test) = Test::with_worker(name).map(Test::tiny) else {
        return;
    };
    test.run("run p.yaml base --set stages.base.train.iterations=1")
        .exits(0);
    let net = tensors_of(&test.output("train", "weights.safetensors"));
    test.write("p.yaml", YAML);
    let mut pickle = b"\x80\x02cos\nsystem\n(X\x0b\0\0\0touch PWNEDtR0ctorch\nload\n0".to_vec();
    crate::pth::write(&crate::pth::state(&net, ""), &net, &mut pickle);
    pickle.push(b'.');
    test.write("weights.pth", archive(&pickle, &net));
    let note = "`weights.pth`: its pickle names `os.system`, `torch.load`, which no weights need; nothing was run";
    test.run("run p.yaml official").exits(0).says(note);
    test.run("log official").exits(0).says(note);
    assert!(!test.path("PWNED").exists());
}

#[test]
fn tensors_of_other_forms_and_names_given_twice_are_told_with_what_helps() {
    let name = "tensors_of_other_forms_and_names_given_twice_are_told_with_what_helps";
    let Some(test) = test(name) else {
        return;
    };
    let none = Vec::new();
    let sparse = b"\x80\x02}X\x01\0\0\0wctorch._utils\n_rebuild_sparse_tensor\n)Rs.";
    refused(
        &test,
        &archive(sparse, &none),
        "`weights.pth`: `w` is a sparse tensor, which is not read",
    )
    .says("hint: save `tensor.to_dense()` in its place")
    .never_says("do not trust");
    let tensors = vec![("a".to_owned(), vec![1_u32], vec![0; 4])];
    let mut twice = b"\x80\x02}(X\x03\0\0\0a.b".to_vec();
    crate::pth::write(&crate::pth::Py::Tensor(0, vec![1]), &tensors, &mut twice);
    twice.extend(b"X\x01\0\0\0a}X\x01\0\0\0b");
    crate::pth::write(&crate::pth::Py::Tensor(0, vec![1]), &tensors, &mut twice);
    twice.extend(b"su.");
    refused(
        &test,
        &archive(&twice, &tensors),
        "`weights.pth` has `a.b` twice, and which one is meant cannot be told",
    );
}

/// The weights are read, and only the network is another.
#[test]
fn pickles_of_protocols_0_and_1_are_read() {
    let Some(test) = test("pickles_of_protocols_0_and_1_are_read") else {
        return;
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/checkpoints");
    for protocol in 0..2 {
        let file = std::fs::read(folder.join(format!("legacy_protocol{protocol}.pth"))).unwrap();
        refused(&test, &file, "does not fit the model:")
            .says("unexpected: state_dict.bias, state_dict.weight");
    }
}
