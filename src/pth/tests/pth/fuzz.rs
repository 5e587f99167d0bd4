//! Mutated checkpoints of every container: an error or tensors within their bounds, never a panic.
//! Unaware of which it is. `make soak` sets how long it goes on.

use crate::compare::{files, ours_of};
use crate::fuzzer::fuzz;
use crate::write::{archive, deflated, first_form, legacy, state, stored, zip};

fn corpus() -> Vec<Vec<u8>> {
    let (pickle, storage) = (
        state("w", 3),
        [1, 2, 3].map(|n: i32| n.to_le_bytes()).concat(),
    );
    let mut corpus: Vec<Vec<u8>> = files()
        .iter()
        .map(|path| std::fs::read(path).unwrap())
        .collect();
    corpus.retain(|file| file.len() < 20_000);
    corpus.extend([
        archive(&pickle, &storage),
        zip(&[
            deflated("a/data.pkl", &pickle),
            deflated("a/data/0", &storage),
            stored("a/version", b"3\n"),
        ]),
        legacy(&pickle, &storage),
        first_form(),
        b"\x80\x04\x95\x05\0\0\0\0\0\0\0}\x94\x8c\x01a\x94Ns.".to_vec(),
    ]);
    corpus
}

#[test]
fn checkpoints() {
    fuzz("checkpoints", 4.0, &corpus(), |bytes| {
        if let Ok(tensors) = ours_of(bytes) {
            assert!(tensors.iter().all(|(_, _, bytes)| bytes.len() <= 1 << 20));
        }
    });
}

#[test]
fn pickles() {
    let corpus: Vec<Vec<u8>> = [
        state("w", 3),
        b"\x80\x02}(X\x01\0\0\0aK\x01]q\0(h\0h\0e}q\x01h\x01s\x85\x86\x870(1(t(l(du.".to_vec(),
        b"(dp0\nVa\np1\nI01\ns(lp2\nL5L\naF1.5\na(tp3\n0.".to_vec(),
        b"\x80\x05\x8c\x01a\x94\x8f\x94(K\x01\x90\x91\x96\x01\0\0\0\0\0\0\0a\x8c\x02os\x8c\x06system\x93)\x81}b.".to_vec(),
        b"(cos\nsystem\nVa\no(Va\nios\nsystem\nccopy_reg\n_reconstructor\n(c__main__\nNet\nc__builtin__\nobject\nNtR}b.".to_vec(),
    ]
    .into();
    let storage = [0; 64];
    fuzz("pickles", 4.0, &corpus, |bytes| {
        for file in [archive(bytes, &storage), legacy(bytes, &storage[..12])] {
            let _ = ours_of(&file);
        }
    });
}
