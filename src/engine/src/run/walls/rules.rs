//! Walls of rules (Landlock), for systems that give no namespace: a thread and what it starts may use what lies around the
//! hidden folders, and what is shown in them.
//! Unaware of commands. Rules allow folders with all that is in them, so the folders above a hidden one cannot be listed
//! within the walls, and nothing new can be made right in them.

use std::io;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetError,
};

use super::view::{View, real};

/// What is ruled; the control of devices is not. Before this one (Linux 6.2) files that are not declared could be cut off.
const ABI_OF_RULES: ABI = ABI::V3;

/// Entries of the folders above that are allowed one by one; more take longer than a command is worth.
const MOST: usize = 10_000;

/// This thread, and what it starts, is within the walls from now on.
pub fn restrict(view: &View) -> io::Result<()> {
    let all = AccessFs::from_all(ABI_OF_RULES);
    let read = AccessFs::from_read(ABI_OF_RULES);
    let beside = around(&view.hidden)?.into_iter().map(|path| (path, all));
    let shown = view.shown.iter().map(|shown| {
        let access = if shown.is_writable { all } else { read };
        (real(&shown.from), access)
    });
    let made = (|| -> Result<(), RulesetError> {
        // One after the other: each is an open file until it is added, and there may be thousands.
        let rules = beside
            .chain(shown)
            .filter_map(|(path, access)| rule(&path, access));
        let rules = rules.map(Ok::<_, RulesetError>);
        let ruleset = Ruleset::default().handle_access(all)?.create()?;
        ruleset.add_rules(rules)?.restrict_self().map(drop)
    })();
    made.map_err(io::Error::other)
}

/// What is not there any more, or cannot be reached, needs no rule.
fn rule(path: &Path, access: BitFlags<AccessFs>) -> Option<PathBeneath<PathFd>> {
    let file = PathFd::new(path).ok()?;
    let access = if path.is_dir() {
        access
    } else {
        access & AccessFs::from_file(ABI_OF_RULES)
    };
    Some(PathBeneath::new(file, access))
}

/// All that lies beside the hidden folders and the folders above them. Links are no part of a path.
fn around(hidden: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
    let (mut found, mut folders) = (Vec::new(), vec![PathBuf::from("/")]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            let path = entry.path();
            if entry.file_type()?.is_symlink() || hidden.contains(&path) {
                continue;
            }
            if hidden.iter().any(|hidden| hidden.starts_with(&path)) {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
        if found.len() > MOST {
            let message = format!("the folders above hold more than {MOST} entries");
            return Err(io::Error::other(message));
        }
    }
    Ok(found)
}

/// Whether there can be such walls here; if not, why.
pub fn probe(view: &View) -> io::Result<()> {
    around(&view.hidden)?;
    let ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    let made = ruleset.handle_access(AccessFs::from_all(ABI_OF_RULES));
    let made = made.and_then(Ruleset::create);
    made.map(drop).map_err(io::Error::other)
}
