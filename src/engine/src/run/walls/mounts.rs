//! Walls of mounts: an empty folder over each hidden one, and in it what is shown.
//! Unaware of commands. The mounts are those of the thread that asks: it has some of its own.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rustix::fs::{CWD, FileType, Mode, StatVfsMountFlags, fstat, fstatvfs, mknodat};
use rustix::mount::{
    MountFlags, MoveMountFlags, OpenTreeFlags, mount, mount_remount, move_mount, open_tree,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::view::{Shown, View};

/// What is empty and what is in it is nobody's to write.
const EMPTY: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV);

/// How many mounts there may be in one namespace.
const LIMIT: &str = "/proc/sys/fs/mount-max";

/// Builds the walls.
pub fn build(view: &View) -> io::Result<()> {
    let built = with_room_for(view.shown.len(), || show_only(view));
    built.map_err(|error| explained(error, view.shown.len()))
}

/// What the kernel means by "no space left" where it is asked for a mount.
fn explained(error: io::Error, mounts: usize) -> io::Error {
    if error.kind() != io::ErrorKind::StorageFull {
        return error;
    }
    let limit = fs::read_to_string(LIMIT).unwrap_or_default();
    io::Error::other(too_many(mounts, limit.trim()))
}

fn too_many(mounts: usize, limit: &str) -> String {
    format!(
        "each file and folder that the stage declares is a mount, {mounts} in all, and the system allows {limit} with \
         those that it has ({LIMIT}): declare folders in place of the files in them, or raise that limit"
    )
}

/// Allows this process as many open files as it may have while `build` needs that many.
fn with_room_for<T>(files: usize, build: impl FnOnce() -> T) -> T {
    static ONE: Mutex<()> = Mutex::new(());
    const FEW: usize = 64;
    if files <= FEW {
        return build();
    }
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let own = getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: own.maximum,
        maximum: own.maximum,
    };
    let _ = setrlimit(Resource::Nofile, most); // where that fails or is too few, opening says so
    let built = build();
    let _ = setrlimit(Resource::Nofile, own);
    built
}

/// Everything that is shown is taken hold of before anything is hidden.
fn show_only(view: &View) -> io::Result<()> {
    let mut trees = Vec::with_capacity(view.shown.len());
    for shown in &view.shown {
        trees.push(hold(&shown.from).map_err(|e| of(&shown.from, &e))?);
    }
    for folder in &view.hidden {
        let mounted = mount("tmpfs", folder, "tmpfs", EMPTY, Some(c"mode=755"));
        mounted.map_err(|e| of(folder, &e.into()))?;
    }
    for folder in &view.hidden {
        // One may lie in the other, behind a link.
        fs::create_dir_all(folder).map_err(|e| of(folder, &e))?;
    }
    for (at, to) in &view.links {
        let parent = at.parent().map_or(Ok(()), fs::create_dir_all);
        let linked = parent.and_then(|()| symlink(to, at));
        linked.map_err(|e| of(at, &e))?;
    }
    for folder in &view.folders {
        fs::create_dir_all(folder).map_err(|e| of(folder, &e))?;
    }
    for (shown, tree) in view.shown.iter().zip(&trees) {
        show(shown, tree).map_err(|e| of(&shown.at, &e))?;
    }
    for folder in &view.hidden {
        let flags = MountFlags::BIND | MountFlags::RDONLY | EMPTY;
        mount_remount(folder, flags, "").map_err(|e| of(folder, &e.into()))?;
    }
    Ok(())
}

/// An error that says where; its kind stays.
fn of(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("`{}`: {error}", path.display()))
}

/// What is mounted at a path, and below it.
fn hold(path: &Path) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE;
    Ok(open_tree(CWD, path, flags)?)
}

fn show(shown: &Shown, tree: &OwnedFd) -> io::Result<()> {
    let is_folder = FileType::from_raw_mode(fstat(tree)?.st_mode).is_dir();
    if fs::symlink_metadata(&shown.at).is_err() {
        place(&shown.at, is_folder)?;
    }
    move_mount(
        tree,
        "",
        CWD,
        &shown.at,
        MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH,
    )?;
    if !shown.is_writable {
        let flags = MountFlags::BIND | MountFlags::RDONLY | kept(tree)?;
        mount_remount(&shown.at, flags, "")?;
    }
    Ok(())
}

/// Makes something to mount on. A file is made without being opened: a process that another thread starts meanwhile would
/// hold it open for writing until it executes its program, and what is written to cannot be made read-only (EBUSY).
fn place(at: &Path, is_folder: bool) -> io::Result<()> {
    if is_folder {
        return fs::create_dir_all(at);
    }
    at.parent().map_or(Ok(()), fs::create_dir_all)?;
    mknodat(CWD, at, FileType::RegularFile, Mode::RUSR | Mode::WUSR, 0)?;
    Ok(())
}

/// What a mount does not allow stays so: a user namespace may not change it.
fn kept(tree: &OwnedFd) -> io::Result<MountFlags> {
    let has = fstatvfs(tree)?.f_flag;
    let pairs = [
        (StatVfsMountFlags::NOSUID, MountFlags::NOSUID),
        (StatVfsMountFlags::NODEV, MountFlags::NODEV),
        (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
    ];
    let kept = pairs.into_iter().filter(|(there, _)| has.contains(*there));
    Ok(kept.fold(MountFlags::empty(), |all, (_, flag)| all | flag))
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::super::view::real;
    use super::super::{own_folder, own_mounts};
    use super::*;

    /// Builds walls that show a hundred files, in mounts of a thread of its own.
    fn build_apart(view: &View) -> io::Result<()> {
        std::thread::scope(|scope| {
            let build = || {
                own_folder()?;
                own_mounts()?;
                build(view)
            };
            scope.spawn(build).join().unwrap()
        })
    }

    #[test]
    fn processes_that_start_meanwhile_keep_nothing_busy() {
        let folder = tempfile::tempdir().unwrap();
        let root = real(folder.path());
        let mut view = View {
            hidden: vec![root.clone()],
            ..View::default()
        };
        for number in 0..100 {
            let file = root.join(format!("{number}.txt"));
            fs::write(&file, "").unwrap();
            view.shown.push(Shown::in_place(file));
        }
        if let Err(error) = build_apart(&view) {
            println!("skipped: processes_that_start_meanwhile_keep_nothing_busy: {error}");
            return;
        }
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !is_over.load(Ordering::Relaxed) {
                        assert!(Command::new("true").status().unwrap().success());
                    }
                });
            }
            let built: Vec<io::Result<()>> = (0..30).map(|_| build_apart(&view)).collect();
            is_over.store(true, Ordering::Relaxed);
            for result in built {
                result.unwrap();
            }
        });
    }

    #[test]
    fn a_limit_of_mounts_is_told_from_a_full_disk_and_other_errors_stay() {
        let full = of(Path::new("/p/x"), &io::ErrorKind::StorageFull.into());
        let told = explained(full, 100_001).to_string();
        assert!(told.contains("100001 in all"), "{told}");
        assert!(
            told.contains(LIMIT) && told.contains("declare folders"),
            "{told}"
        );
        let denied = of(Path::new("/p/x"), &io::ErrorKind::PermissionDenied.into());
        assert_eq!(
            explained(denied, 1).to_string(),
            "`/p/x`: permission denied"
        );
    }
}
