//! Files that claim more than they have, or hide what they hold: each is refused at once, and says why.
//! Unaware of how much memory that takes; the fuzzer watches the time.

use crate::write::{
    archive, deflated, first_form, legacy, state, stored, tar, tar_parts, tensor, text, zip,
};

fn opened(bytes: &[u8], limit: u64) -> Result<pth::Checkpoint, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pth");
    std::fs::write(&path, bytes).unwrap();
    pth::open(&path, limit).map_err(|error| error.to_string())
}

#[track_caller]
fn refused(bytes: &[u8], message: &str) {
    let error = opened(bytes, pth::USUAL_LIMIT).unwrap_err();
    assert!(error.contains(message), "{error}");
}

fn names(bytes: &[u8]) -> Vec<String> {
    opened(bytes, pth::USUAL_LIMIT)
        .unwrap()
        .tensors
        .into_keys()
        .collect()
}

const STORAGE: [u8; 12] = [0, 0, 128, 63, 0, 0, 0, 64, 0, 0, 64, 64];

/// A dictionary of these opcodes.
fn dictionary(inner: &[u8]) -> Vec<u8> {
    [b"\x80\x02}(", inner, b"u."].concat()
}

fn item(key: &str, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    text(key, &mut out);
    out.extend(value);
    out
}

#[test]
fn every_container_gives_its_tensor() {
    let pickle = state("w", 3);
    for file in [
        archive(&pickle, &STORAGE),
        legacy(&pickle, &STORAGE),
        zip(&[
            deflated("a/data.pkl", &pickle),
            deflated("a/data/0", &STORAGE),
        ]),
        zip(&[
            stored("data.pkl", &pickle),
            stored("data/0", &STORAGE),
            stored("byteorder", b"little"),
        ]),
    ] {
        let checkpoint = opened(&file, 1 << 20).unwrap();
        assert_eq!(checkpoint.tensors["w"].read().unwrap(), STORAGE);
        assert_eq!(checkpoint.tensors["w"].shape(), [3]);
    }
    assert_eq!(names(&first_form()), ["w"]);
}

#[test]
fn a_pickle_that_grows_is_stopped() {
    let nones = [
        b"\x80\x02(".to_vec(),
        vec![b'N'; 100_000_000],
        b"t.".to_vec(),
    ]
    .concat();
    let bomb = zip(&[deflated("a/data.pkl", &nones)]);
    assert!(bomb.len() < 110_000);
    refused(
        &bomb,
        "reading its pickle takes more than 268435456 bytes of memory",
    );
    // Dictionaries within each other, each twice: 2^40 names, and one that contains itself.
    let mut doubling = b"\x80\x02}q\0".to_vec();
    doubling.extend(item("t", &tensor("0", 3)));
    doubling.push(b's');
    for at in 1..=40 {
        doubling.extend(b"}(");
        for key in ["a", "b"] {
            text(key, &mut doubling);
            doubling.extend([b'h', at - 1]);
        }
        doubling.extend([b'u', b'q', at]);
    }
    doubling.push(b'.');
    refused(&archive(&doubling, &STORAGE), "takes more than");
    let cycle = [b"\x80\x02}q\0".to_vec(), item("a", b"h\0"), b"s.".to_vec()].concat();
    refused(&archive(&cycle, &STORAGE), "or contain themselves");
    let deep = [
        b"\x80\x02".to_vec(),
        vec![b']'; 100_000],
        vec![b'a'; 99_999],
        b".".to_vec(),
    ]
    .concat();
    refused(&archive(&deep, &STORAGE), "more than 256 deep");
    let claimed = b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7f";
    refused(&archive(claimed, &STORAGE), "takes more than");
    // One list that is copied again and again.
    let mut copies = b"\x80\x02(".to_vec();
    copies.extend((0..60_000).flat_map(|_| *b"NN\x86"));
    copies.extend(b"lq\x010ccollections\nOrderedDict\nq\x020");
    copies.extend((0..60_000).flat_map(|_| *b"h\x02h\x01\x85R0"));
    copies.extend(b"}.");
    refused(&archive(&copies, &STORAGE), "takes more than");
}

#[test]
fn archives_say_of_each_entry_what_it_is() {
    let pickle = state("w", 3);
    let whole = archive(&pickle, &STORAGE);
    let at = |file: &[u8], what: &[u8], nth: usize| {
        file.windows(what.len())
            .enumerate()
            .filter(|(_, w)| *w == what)
            .nth(nth)
            .unwrap()
            .0
    };
    let local = at(&whole, b"PK\x03\x04", 1);
    let central = at(&whole, b"PK\x01\x02", 1);
    let changed = |at: usize, byte: u8| {
        let mut file = whole.clone();
        file[at] = byte;
        file
    };
    refused(
        &changed(local + 18, 11),
        "`a/data/0` has another header than its archive's directory says",
    );
    refused(&changed(central + 24, 13), "`a/data/0` has another header");
    refused(&changed(central + 8, 1), "`a/data/0` is encrypted");
    refused(
        &changed(central + 10, 12),
        "`a/data/0` is compressed by method 12",
    );
    refused(&changed(central + 42, 0), "`a/data/0` has another header");
    let twice = zip(&[stored("a/data.pkl", &pickle), stored("a/data.pkl", &pickle)]);
    refused(&twice, "its archive has `a/data.pkl` twice");
    refused(&whole[..whole.len() - 1], "its archive has no end");
    // An entry within the bytes of another.
    let inner = whole[local..central].to_vec();
    let mut nested = zip(&[
        stored("a/data.pkl", &pickle),
        stored("a/data/0", &STORAGE),
        stored("a/x", &inner),
    ]);
    // The bytes within hold a record of a directory too.
    let (first, inside) = (at(&nested, b"PK\x01\x02", 2), at(&nested, b"PK\x03\x04", 3));
    nested[first + 42..first + 46].copy_from_slice(&(inside as u32).to_le_bytes());
    refused(&nested, "`a/x` and `a/data/0` of its archive overlap");
    let mut large = deflated("a/data/0", &STORAGE);
    let much = vec![0; 100_000];
    large.content = &much;
    refused(
        &zip(&[stored("a/data.pkl", &pickle), large]),
        "claims to unpack to more than it can",
    );
    let short = zip(&[
        stored("a/data.pkl", &pickle),
        stored("a/data/0", &STORAGE[..8]),
    ]);
    refused(
        &short,
        "its storage `0` has 8 bytes, and its pickle says 12",
    );
    refused(
        &zip(&[stored("a/data.pkl", &pickle)]),
        "its storage `0` is not in the file",
    );
    refused(
        &zip(&[stored("a/x", b"x")]),
        "its archive has no `data.pkl`",
    );
    let script = zip(&[
        stored("a/data.pkl", &pickle),
        stored("a/constants.pkl", b"x"),
    ]);
    refused(&script, "a TorchScript archive");
    let big = zip(&[stored("a/data.pkl", &pickle), stored("a/byteorder", b"big")]);
    refused(&big, "its byte order is `big`");
}

#[test]
fn an_archive_of_the_first_form_claims_no_more_than_it_has() {
    let [system, storages, tensors, pickle] = tar_parts();
    let with = |kind: u8, size: u64| {
        tar(&[
            ("sys_info", b'0', system.len() as u64, &system),
            ("storages", kind, size, &storages),
            ("tensors", b'0', tensors.len() as u64, &tensors),
            ("pickle", b'0', pickle.len() as u64, &pickle),
        ])
    };
    let length = storages.len() as u64;
    assert_eq!(names(&with(b'0', length)), ["w"]);
    refused(&with(b'S', length), "entry `storages` is sparse");
    refused(
        &with(b'0', 0o77_777_777_777),
        "entry `storages` claims 8589934591 bytes",
    );
    refused(
        &with(b'0', length - 8),
        "its storage `7` is larger than its entry",
    );
}

#[test]
fn a_name_is_given_once() {
    let one = tensor("0", 3);
    let twice = dictionary(&[item("a", &one), item("a", &one)].concat());
    refused(&archive(&twice, &STORAGE), "`a` is there twice");
    let inner = [b"}".to_vec(), item("b", &one), b"s".to_vec()].concat();
    let dotted = dictionary(&[item("a.b", &one), item("a", &inner)].concat());
    refused(&archive(&dotted, &STORAGE), "`a.b` is there twice");
    // Without tensors nothing is meant.
    let plain = dictionary(&[item("a.b", b"N"), item("a", b"}"), item("w", &one)].concat());
    assert_eq!(names(&archive(&plain, &STORAGE)), ["w"]);
}

#[test]
fn names_of_code_are_told_wherever_they_are() {
    let one = tensor("0", 3);
    let popped = [
        b"\x80\x02cos\nsystem\n(X\x01\0\0\0atR0ctorch\nload\n0}(".to_vec(),
        item("w", &one),
        b"u.".to_vec(),
    ];
    let checkpoint = opened(&archive(&popped.concat(), &STORAGE), 1 << 20).unwrap();
    assert_eq!(checkpoint.unused, ["os.system", "torch.load"]);
    assert!(checkpoint.foreign.is_empty());
    let kept = dictionary(&[item("w", &one), item("x", b"cposix\nsystem\n)R")].concat());
    let checkpoint = opened(&archive(&kept, &STORAGE), 1 << 20).unwrap();
    assert_eq!(checkpoint.foreign, ["posix.system"]);
    let key = [
        b"\x80\x02}".to_vec(),
        b"cpl\nCheckpoint\n}s".to_vec(),
        item("w", &one),
        b"s.".to_vec(),
    ]
    .concat();
    let checkpoint = opened(&archive(&key, &STORAGE), 1 << 20).unwrap();
    assert_eq!(checkpoint.foreign, ["pl.Checkpoint"]);
}

#[test]
fn tensors_of_other_forms_are_named_with_what_helps() {
    let sparse = dictionary(&item(
        "conv.weight",
        b"ctorch._utils\n_rebuild_sparse_tensor\n)R",
    ));
    refused(
        &archive(&sparse, &STORAGE),
        "`conv.weight` is a sparse tensor, which is not read",
    );
    let hidden = [
        b"cargparse\nNamespace\n)\x81}".to_vec(),
        item("a", &tensor("0", 3)),
        b"sb".to_vec(),
    ]
    .concat();
    let hidden = dictionary(&item("options", &hidden));
    refused(
        &archive(&hidden, &STORAGE),
        "`options` is a `argparse.Namespace` with tensors in it",
    );
}

/// A module as `torch.save(model)` has it, with a parameter, two buffers and a child.
#[test]
fn a_module_is_read_as_its_state_dict() {
    let one = tensor("0", 3);
    let table = |name: &str, inner: &[u8]| item(name, &[b"}(".as_slice(), inner, b"u"].concat());
    let child = [
        b"ctorch.nn.modules.conv\nConv2d\n)\x81}(".to_vec(),
        table("_parameters", &item("weight", &one)),
        table("_buffers", b""),
        table("_modules", b""),
        b"ub".to_vec(),
    ]
    .concat();
    let module = [
        b"\x80\x02c__main__\nNet\n)\x81}(".to_vec(),
        table(
            "_parameters",
            &[item("scale", &one), item("bias", b"N")].concat(),
        ),
        table(
            "_buffers",
            &[item("kept", &one), item("gone", &one)].concat(),
        ),
        item("_non_persistent_buffers_set", b"\x8f(X\x04\0\0\0gone\x90"),
        item("training", b"\x88"),
        table("_modules", &item("conv", &child)),
        b"ub.".to_vec(),
    ]
    .concat();
    assert_eq!(
        names(&archive(&module, &STORAGE)),
        ["conv.weight", "kept", "scale"]
    );
}

#[test]
fn views_of_storages_are_gathered() {
    let mut pickle = b"\x80\x02}".to_vec();
    text("w", &mut pickle);
    pickle.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
    text("storage", &mut pickle);
    pickle.extend(b"ctorch\nFloatStorage\n");
    text("0", &mut pickle);
    text("cpu", &mut pickle);
    // Shape 2×2 from the second number on, strides 0 and 1.
    pickle.extend(b"K\x03tQK\x01K\x02K\x02\x86K\0K\x01\x86\x89}tRs.");
    let checkpoint = opened(&archive(&pickle, &STORAGE), 1 << 20).unwrap();
    let [_, b, c] = STORAGE.as_chunks::<4>().0 else {
        unreachable!()
    };
    assert_eq!(
        checkpoint.tensors["w"].read().unwrap(),
        [*b, *c, *b, *c].concat()
    );
}
