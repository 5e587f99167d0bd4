//! What checks of kinds have in common: the stage among the others, and where a problem goes.
//! Unaware of kinds and of positions.

use crate::around::Around;
use crate::backbones::Architecture;
use crate::error::{Problem, Problems};
use crate::names::PairImage;
use crate::node::Pos;

/// A stage that is checked.
pub(crate) struct Checker<'a> {
    /// The stage among the others.
    pub around: Around<'a>,
    /// For each stage the one that says which network it has.
    pub networks: &'a [Option<usize>],
    /// A problem with the value at a path within the kind (`validate.images`).
    pub report: &'a dyn Fn(&str, String) -> Problem,
}

impl<'a> Checker<'a> {
    /// A problem with the field at `path`.
    pub fn problem(&self, path: &str, message: impl Into<String>) -> Problem {
        (self.report)(path, message.into())
    }

    /// A problem with the field at `path`, where something does not hold. One that is only counted has no words.
    pub fn need(
        &self,
        ok: bool,
        path: &str,
        message: impl FnOnce() -> String,
        problems: &mut Problems,
    ) {
        if !ok {
            problems.push(if problems.is_full() {
                Problem::new(Pos::default(), "", "")
            } else {
                self.problem(path, message())
            });
        }
    }

    /// The network of a stage that has one.
    pub fn network(&self, of: &Around<'_>) -> Option<&'a Architecture> {
        let says = self.networks.get(of.at()).copied().flatten()?;
        self.around.of(says).own_architecture()
    }

    /// The stage that fills `role`.
    pub fn input(&self, role: &str) -> Option<Around<'a>> {
        self.around.input(role)
    }

    /// What is out of range in a backbone.
    pub fn architecture(&self, backbone: &Architecture, problems: &mut Problems) {
        let name = backbone.name();
        for (field, message) in backbone.wrong() {
            let path = format!("backbone.{name}.{field}");
            problems.push(self.problem(&path, message));
        }
    }

    /// How many masks an image has that a field gives.
    pub fn mask_count(&self, role: &str) -> Option<usize> {
        let (count, _) = self.input(role)?.masks()?;
        Some(count)
    }

    /// Whether two stages read the same images, by these fields.
    fn same_images(a: &Around<'_>, field: &str, b: &Around<'_>) -> bool {
        let at = |stage: Option<Around<'_>>| stage.map(|stage| stage.at());
        at(a.input(field)) == at(b.input("images"))
    }

    /// The images of a field are for a network of this scale.
    pub fn images_fit(&self, role: &str, scale: u32, problems: &mut Problems) {
        let Some(degrade) = self.input(role).and_then(|images| images.made()) else {
            return;
        };
        let found = degrade.scale();
        self.need(
            found == scale,
            role,
            || format!("these images are for scale {found}, the backbone for scale {scale}"),
            problems,
        );
    }

    /// The masks of a field, where they are given, belong to the images of another field.
    pub fn masks_belong(&self, role: &str, images: &str, problems: &mut Problems) {
        let given = self.input(role);
        let fit = given.is_none_or(|masks| Self::same_images(&self.around, images, &masks));
        self.need(
            fit,
            role,
            || format!("these masks belong to other images than `{images}`"),
            problems,
        );
    }

    /// The masks of a field are there if they are wanted, and belong to the images of another field.
    pub fn masks_fit(&self, role: &str, images: &str, wanted: bool, problems: &mut Problems) {
        let given = self.input(role);
        if wanted != given.is_some() {
            let message = if wanted {
                format!("SPT units need the masks of `{images}`: add `masks: …`")
            } else {
                "masks are given, but the model has no SPT units".into()
            };
            problems.push(self.problem(role, message));
        }
        self.masks_belong(role, images, problems);
        let of = given.and_then(|masks| masks.masks()).map(|(_, of)| of);
        self.need(
            of != Some(PairImage::Hq),
            role,
            || {
                "these are masks of HQ images (`source: hq`); a network gets those of LQ images"
                    .into()
            },
            problems,
        );
    }
}
