//! Digests of files through the memo of a cache: one, many, those of a folder of outputs.
//! Unaware of what the files are for.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::hash::{self, Hashed};
use crate::outputs::{Listing, Stock};
use crate::stat::{Stat, now};
use crate::{Digest, Output, OutputKind, Result, Store};

/// Fewer files are looked at one by one: to wake the other cores takes longer.
const FEW: usize = 16;

/// From this many files on, all cores hash: below, waking them takes longer than the work.
const MANY: usize = 8;

impl Store {
    /// The digest of a file, from the memo while the file does not change.
    pub fn digest(&self, path: &Path) -> Result<Digest> {
        self.digest_of(path, &hash::stat(path)?)
    }

    /// The digest of a file whose stat is known.
    pub(crate) fn digest_of(&self, path: &Path, stat: &Stat) -> Result<Digest> {
        let known = self.memo().get(stat, now());
        known.map_or_else(|| self.digest_anew(path), Ok)
    }

    /// The digest of a file, and the stat that it is the digest of.
    pub(crate) fn hashed(&self, path: &Path) -> Result<Hashed> {
        let stat = hash::stat(path)?;
        let began = now();
        if let Some(digest) = self.memo().get(&stat, began) {
            return Ok(Hashed {
                stat,
                digest,
                began,
            });
        }
        self.hash_and_note(path)
    }

    fn hash_and_note(&self, path: &Path) -> Result<Hashed> {
        let hashed = self.hash_anew(path)?;
        if hashed.stat.is_young(hashed.began) {
            self.hash_later([path.to_path_buf()]);
        }
        Ok(hashed)
    }

    /// The digest of a file by its bytes.
    pub(crate) fn digest_anew(&self, path: &Path) -> Result<Digest> {
        let hashed = self.hash_and_note(path)?;
        Ok(hashed.digest)
    }

    /// [`Store::digest_anew`] through a memory map: see [`hash::mapped`] for what that risks.
    pub(crate) fn digest_mapped(&self, path: &Path) -> Result<Digest> {
        let hashed = hash::mapped(path)?;
        self.memo().put(&hashed);
        Ok(hashed.digest)
    }

    /// Digest and size of a file by its bytes, memoised.
    pub(crate) fn hash_anew(&self, path: &Path) -> Result<Hashed> {
        let hashed = hash::file(path)?;
        self.memo().put(&hashed);
        Ok(hashed)
    }

    /// Hashes again what was young and is not any more: the next plan then reads no bytes.
    fn hash_grown(&self) {
        let noted = self.take_young_files();
        let is_young = |path: &PathBuf| hash::stat(path).is_ok_and(|stat| stat.is_young(now()));
        let (young, grown): (Vec<PathBuf>, Vec<PathBuf>) = noted.into_iter().partition(is_young);
        self.hash_later(young);
        self.digests(&grown); // a file that is gone by now is nobody's loss
    }

    /// The digests of many files, on all cores, in the order given.
    pub fn digests(&self, paths: &[PathBuf]) -> Vec<Result<Digest>> {
        if paths.len() < FEW {
            return paths.iter().map(|path| self.digest(path)).collect();
        }
        paths.par_iter().map(|path| self.digest(path)).collect()
    }

    /// Keeps what was learnt about files for the next run. A caller may ignore a failure: it costs only time.
    pub fn save_memo(&self) -> Result<()> {
        if !self.is_writable() {
            return Ok(());
        }
        self.hash_grown();
        let index = self.save_index();
        self.memo().save(&self.layout().memo(), now())?;
        index
    }

    /// Hashes all files; the outputs, sorted by path, and the stat of each when it was looked at.
    pub(crate) fn hash_all(&self, out: &Path, stock: Stock) -> Result<Vec<(Output, Hashed)>> {
        let digest = |file: Listing| {
            let hashed = self.hash_anew(&out.join(&file.path))?;
            let is_program = file.is_program && self.keeps_permissions();
            let output = Output {
                path: file.path,
                size: hashed.stat.size,
                digest: hashed.digest,
                kind: if is_program {
                    OutputKind::Executable
                } else {
                    OutputKind::File
                },
            };
            Ok((output, hashed))
        };
        let mut all: Vec<(Output, Hashed)> = if stock.files.len() < MANY {
            stock.files.into_iter().map(digest).collect::<Result<_>>()
        } else {
            stock.files.into_par_iter().map(digest).collect()
        }?;
        if stock.others.is_empty() {
            return Ok(all);
        }
        for other in stock.others {
            let hashed = hash::other(&out.join(&other.path), other.digest)?;
            all.push((other, hashed));
        }
        all.sort_unstable_by(|(a, _), (b, _)| a.path.cmp(&b.path));
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    use crate::{Claim, Facts, Key, Status};

    /// A memo that lies shows who believes it.
    #[test]
    fn presence_believes_the_memo_and_verify_reads_the_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let key = Key::of_manifest("m");
        let Claim::Ready(ticket) = store.ticket(&key).unwrap() else {
            panic!("no ticket")
        };
        fs::write(ticket.out().join("a"), "a").unwrap();
        ticket.commit("test", "m", &[], Facts::new()).unwrap();
        let stat = hash::stat(&store.output_dir(&key).join("a")).unwrap();
        let lie = Hashed {
            stat,
            digest: Digest::of(b"lie"),
            began: stat.ctime + 3_000_000_000,
        };
        store.memo().put(&lie);
        assert_eq!(store.presence(&key), Status::Damaged(vec!["a".to_owned()]));
        assert!(matches!(store.verify(&key), Status::Fresh(_)));
        assert!(matches!(store.presence(&key), Status::Fresh(_)));
    }
}
