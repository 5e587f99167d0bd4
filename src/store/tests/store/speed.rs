//! Prints how long the common ways take; run with `--ignored --nocapture --test-threads=1`.
//! Unaware of what is fast enough: times on a shared machine judge nothing.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::room::{Room, is_fresh, key};

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let done = work();
    println!("{what:<48} {:>9.2} ms", start.elapsed().as_secs_f64() * 1e3);
    done
}

#[test]
#[ignore = "prints times"]
fn a_thousand_stages() {
    let room = Room::new();
    let manifests: Vec<String> = (0..1_000)
        .map(|n| format!("stage test 1\nn\t{n}\n"))
        .collect();
    timed("1,000 commits of one small file", || {
        for manifest in &manifests {
            room.commit(manifest, &[("a", "a")]);
        }
    });
    std::thread::sleep(Duration::from_secs(3));
    let all = || {
        assert!(
            manifests
                .iter()
                .all(|manifest| is_fresh(&room.store.presence(&key(manifest))))
        );
    };
    timed("1,000 presences, files not in the memo", all);
    timed("1,000 presences, warm", all);
    timed("1,000 presences, warm", all);
    let keys: Vec<_> = manifests
        .iter()
        .map(|manifest| (manifest.clone(), key(manifest)))
        .collect();
    timed("1,000 notes, one by one", || {
        for one in &keys {
            room.store
                .note_keys("p.yaml".as_ref(), std::slice::from_ref(one))
                .unwrap();
        }
    });
    timed("1,000 last keys", || {
        assert_eq!(room.store.last_keys("p.yaml".as_ref()).len(), 1_000);
    });
}

#[test]
#[ignore = "prints times"]
fn many_small_files() {
    let room = Room::new();
    let paths: Vec<PathBuf> = (0..20_000)
        .map(|n| room.path(&format!("{n}.bin")))
        .collect();
    for (n, path) in paths.iter().enumerate() {
        fs::write(path, vec![n as u8; 10_000]).unwrap();
    }
    std::thread::sleep(Duration::from_secs(3));
    let all = |store: &store::Store| assert!(store.digests(&paths).iter().all(Result::is_ok));
    timed("20,000 digests of 10 kB, not in the memo", || {
        all(&room.store);
    });
    timed("20,000 digests, warm", || all(&room.store));
    timed("memo of 20,000 entries, save", || {
        room.store.save_memo().unwrap();
    });
    let store = timed("memo of 20,000 entries, open the cache", || room.reopened());
    timed("20,000 digests after opening", || all(&store));
}

#[test]
#[ignore = "prints times"]
fn a_large_file() {
    let room = Room::new();
    let path = room.path("large");
    fs::write(&path, vec![7; 2 << 30]).unwrap();
    for _ in 0..3 {
        timed("2 GiB, in the page cache", || {
            room.store.digest(&path).unwrap()
        });
    }
    for _ in 0..3 {
        timed("2 GiB, mapped, for comparison", || {
            blake3::Hasher::new()
                .update_mmap_rayon(&path)
                .unwrap()
                .finalize()
        });
    }
}
