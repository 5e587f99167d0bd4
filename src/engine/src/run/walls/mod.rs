//! Walls around the project and the cache: a command sees of them its own folder, what it declares, and homes of programs; a
//! worker its tickets, its inputs and libtorch. Unaware of keys and of what either computes.
//!
//! ```text
//!   project/            an empty folder, nobody's to write
//!     .venv/            homes of programs, to read
//!     data/big.bin      inputs that are linked, to read
//!     cache/partial/<key>/out, <run>.<n>   the folder of the stage and its TMPDIR, to write
//!   all else            as it is
//! ```
//!
//! | level | how | what is needed |
//! |---|---|---|
//! | mounts | those of a thread that starts the command and holds them until it has ended (`supervisor::holders`) | the rights of root |
//! | helper | a process between, which becomes the command (`helper`) | user namespaces |
//! | rules | a thread that ends when it has started the command (`rules`) | Landlock |
//! | none | what is not declared is not in the folder, and can be read elsewhere | |

mod helper;
mod homes;
mod mounts;
mod rules;
mod seen;
mod view;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use spec::Stage;

pub use helper::{Made, Program, Talk, WORD, command as helper_command, wall};
pub use mounts::build;
pub use rules::restrict;
pub use seen::{Place, named_from};
pub use view::{Shown, View};

use super::unshare::{own_folder, own_mounts};
pub(super) use view::real;

/// The variable that says which walls there are to be.
pub const VARIABLE: &str = "PIPELINE_SANDBOX";

/// What the variable says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Setting {
    /// The best that can be had.
    #[default]
    Auto,
    /// None.
    Off,
    /// Namespaces, or none.
    Namespace,
    /// Landlock, or none.
    Landlock,
}

/// How strong the walls are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Level {
    /// Mounts of the thread which starts a command.
    Mounts,
    /// Mounts that a process of ours makes and becomes the command.
    Helper,
    /// Rules that a thread sets itself which starts a command.
    Rules,
    /// They cannot be had; why.
    Unavailable(String),
    /// They are not wanted; why.
    Off(String),
}

/// Walls, and what is behind them.
#[derive(Debug)]
pub struct Walls {
    setting: Setting,
    root: PathBuf,
    cache: PathBuf,
    level: OnceLock<Level>,
    /// Everything hidden, as it is when the first stage starts.
    around: OnceLock<View>,
}

/// What a command is started within.
#[derive(Clone, Copy, Debug)]
pub enum Fence<'a> {
    /// Nothing, or walls that it builds itself.
    None,
    /// Mounts.
    Mounts(&'a View),
    /// Rules.
    Rules(&'a View),
}

impl Level {
    /// Whether a command is kept from anything.
    pub const fn is_enforced(&self) -> bool {
        matches!(self, Self::Mounts | Self::Helper | Self::Rules)
    }

    /// Whether files can be shown elsewhere than where they lie.
    pub const fn has_mounts(&self) -> bool {
        matches!(self, Self::Mounts | Self::Helper)
    }
}

impl Walls {
    /// Around a project folder and its cache, by their absolute paths. An error in words where the variable says what it
    /// cannot.
    pub fn new(root: &Path, cache: &Path) -> Result<Self, String> {
        let said = std::env::var_os(VARIABLE).unwrap_or_default();
        let setting = match said.to_str() {
            Some("") => Setting::default(),
            Some("auto") => Setting::Auto,
            Some("off") => Setting::Off,
            Some("namespace") => Setting::Namespace,
            Some("landlock") => Setting::Landlock,
            _ => return Err(format!("{VARIABLE}: `{}` is no such level", said.display())),
        };
        Ok(Self {
            setting,
            root: root.to_path_buf(),
            cache: cache.to_path_buf(),
            level: OnceLock::new(),
            around: OnceLock::new(),
        })
    }

    /// The project folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What can be had here. The first one who asks finds it out.
    pub fn level(&self) -> &Level {
        self.level.get_or_init(|| self.find_level())
    }

    /// Why there are no walls although nobody said that there should be none.
    pub fn missing(&self) -> Option<&str> {
        match self.level() {
            Level::Unavailable(why) => Some(why),
            Level::Off(why) if self.setting != Setting::Off => Some(why),
            _ => None,
        }
    }

    /// Whether this is a folder of which nothing is seen within walls, or holds one: then it cannot be shown.
    pub fn are_within(&self, folder: &Path) -> bool {
        let folder = real(folder);
        let hidden = self.around().hidden;
        hidden.iter().any(|hidden| hidden.starts_with(&folder))
    }

    /// A path that a worker's stage reads and for which it does without walls: the project folder itself, or one above.
    pub fn opened_by<'s>(&self, stage: &'s Stage) -> Option<&'s Path> {
        let mut paths = stage
            .external
            .iter()
            .map(|external| external.path.as_path());
        paths.find(|path| self.are_within(path))
    }

    fn find_level(&self) -> Level {
        if self.setting == Setting::Off {
            return Level::Off(format!("{VARIABLE} is `off`"));
        }
        let view = self.around();
        if let Some(why) = view.hidden.iter().find_map(|folder| too_wide(folder)) {
            return Level::Off(why);
        }
        let namespace = if self.setting == Setting::Landlock {
            Err("not tried".to_owned())
        } else {
            let helper = || helper::probe(&view).map(|()| Level::Helper);
            let found = try_mounts(&view)
                .map(|()| Level::Mounts)
                .or_else(|_| helper());
            found.map_err(|error| error.to_string())
        };
        let landlock = || {
            if self.setting == Setting::Namespace {
                return Err("not tried".to_owned());
            }
            let found = rules::probe(&view).map(|()| Level::Rules);
            found.map_err(|error| error.to_string())
        };
        namespace.unwrap_or_else(|namespace| {
            let unavailable = |landlock| {
                Level::Unavailable(format!("namespaces: {namespace}, Landlock: {landlock}"))
            };
            landlock().unwrap_or_else(unavailable)
        })
    }

    /// Everything hidden.
    fn around(&self) -> View {
        let (root, cache) = (real(&self.root), real(&self.cache));
        let link = std::fs::read_link(&self.cache).ok();
        let links = link
            .map(|to| (self.cache.clone(), to))
            .into_iter()
            .collect();
        let mut hidden = vec![root];
        if !cache.starts_with(&hidden[0]) && cache.is_dir() {
            hidden.push(cache);
        }
        View {
            hidden,
            links,
            folders: Vec::new(),
            shown: Vec::new(),
        }
    }

    /// What a command sees whose pipeline file lies in `folder` of the project; `shown` is what is its own and what it
    /// declares.
    pub fn view(
        &self,
        folder: &Path,
        variable: &dyn Fn(&str) -> Option<OsString>,
        shown: Vec<Shown>,
    ) -> View {
        let mut view = self.around.get_or_init(|| self.around()).clone();
        let homes = homes::homes(&self.root, &view.hidden[0], folder, variable);
        let behind = [&self.root, &self.cache].into_iter().chain(&view.hidden);
        let behind: Vec<PathBuf> = behind.cloned().collect();
        let is_behind = |path: &Path| {
            let mut folders = behind.iter();
            folders.any(|folder| path.starts_with(folder) && path != folder)
        };
        // What lies outside is seen anyway, and a link that leads nowhere does so within walls, too.
        let shown = shown
            .into_iter()
            .filter(|shown| is_behind(&shown.at) && shown.from.exists());
        view.shown = shown.collect();
        view.shown.extend(homes.into_iter().map(Shown::in_place));
        view.arrange()
    }
}

/// Why there are no walls around a folder without which hardly any program works.
fn too_wide(folder: &Path) -> Option<String> {
    let home = std::env::var_os("HOME").map(|home| real(Path::new(&home)));
    if home.is_some_and(|home| home.starts_with(folder)) {
        return Some(format!(
            "`{}` is or holds the home folder",
            folder.display()
        ));
    }
    let needed = ["/tmp", "/usr", "/etc", "/proc", "/dev"];
    let inside = needed
        .into_iter()
        .find(|path| real(Path::new(path)).starts_with(folder))?;
    Some(format!("`{}` is or holds `{inside}`", folder.display()))
}

/// Whether a thread may build such walls. It does, and ends.
fn try_mounts(view: &View) -> io::Result<()> {
    let tried = std::thread::scope(|scope| {
        let trial = || {
            own_folder()?;
            own_mounts()?;
            build(view)
        };
        scope.spawn(trial).join()
    });
    tried.unwrap_or_else(|_| Err(io::Error::other("a panic, printed above")))
}
