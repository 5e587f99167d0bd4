//! What a failed command missed: the failure says what it did not declare, and who makes it.
//! Unaware of how it was started.

use std::path::{Path, PathBuf};

use spec::kinds;

use super::command::{CANNOT_START, CommandExecutor};
use super::executor::Task;
use super::failure::Failure;
use super::walls::{Level, Place, named_from};

impl CommandExecutor<'_> {
    /// The failure of a command whose log names what it does not see says so.
    pub(super) fn with_what_it_missed(
        &self,
        task: &Task<'_>,
        command: &kinds::Command,
        mut failure: Failure,
    ) -> Failure {
        let places = &self.pipeline.stages[task.stage].places;
        let files: Vec<PathBuf> = places.files.iter().flatten().cloned().collect();
        let makes = |path: &Path| {
            let mut stages = self.pipeline.stages.iter();
            stages.any(|stage| stage.places.read_as(path).is_some())
        };
        let inputs = self.chosen_files(task, command).unwrap_or_default();
        let declares = |path: &Path| inputs.iter().any(|input| input.holds(path));
        let place = Place {
            root: self.walls.root(),
            folder: &places.home,
            out: task.ticket.out(),
            files: &files,
            declares: &|path| declares(&task.ticket.out().join(path)),
            makes: &makes,
            has_walls: self.has_walls(command),
        };
        let text = files::read_end(&task.log, 64 << 10).unwrap_or_default();
        let mut text = String::from_utf8_lossy(&text).into_owned();
        // The sentences of this program name outputs, which are in no need of a hint, and the log; a program that did not
        // start is named by this one alone.
        let message = &failure.report.what.message;
        if message.starts_with(CANNOT_START) {
            text.push_str(message);
        }
        let has_walls = place.has_walls;
        let name = |path: &Path| files::Name(&named_from(&places.home, path)).to_string();
        let mut hints = Vec::new();
        // What the stage makes itself it has not missed, whoever else makes a file of the same name.
        let undeclared = place.undeclared(&text).into_iter();
        for path in undeclared.filter(|path| places.read_as(path).is_none()) {
            let at = task.ticket.out().join(&path);
            let is_left_out = inputs.iter().any(|input| input.leaves_out_at(&at));
            hints.push(match self.maker(&path, task.stage) {
                None if is_left_out => format!(
                    "`{0}` is left out of the folder around it: `ignore: ['!{1}']` takes it in",
                    name(&path),
                    files::Name(Path::new(path.file_name().unwrap_or_default()))
                ),
                Some(maker) => format!(
                    "`{}` is made by `{maker}`: name that under `stages:`",
                    name(&path)
                ),
                None => format!(
                    "`{0}` is in the project, but the command does not see it: declare it under `files:`",
                    name(&path)
                ),
            });
        }
        if let Some(path) = place.unwritable(&text).filter(|_| has_walls) {
            hints.push(format!(
                "`{}` lies outside of the folder in which the command may write: name it by a relative path, under `outputs:`",
                name(&path)
            ));
        }
        let is_ruled = has_walls && *self.walls.level() == Level::Rules;
        let is_denied = ["Permission denied", "Operation not permitted"];
        if is_ruled && hints.is_empty() && is_denied.iter().any(|said| text.contains(said)) {
            hints.push(
                "the walls of this system (Landlock) also keep a command from listing the folders above the project, \
                 from making anything right in them, and from `sudo` and containers; `sandbox: off` does without"
                    .into(),
            );
        }
        let hint = &mut failure.report.what.hint;
        if !hints.is_empty() {
            *hint = hints.join("; ");
        }
        failure
    }

    /// The stage that makes this file of the project, or something in this folder, other than the one that missed it.
    fn maker(&self, path: &Path, misses: usize) -> Option<&str> {
        let mut stages = self.pipeline.stages.iter().enumerate();
        let makes =
            |(at, stage): &(usize, &spec::Stage)| *at != misses && stage.places.may_make(path);
        let (_, maker) = stages.find(makes)?;
        Some(&maker.name)
    }
}
