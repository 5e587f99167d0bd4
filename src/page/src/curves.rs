//! The curves of trainings, thinned to what a screen can show.
//! Unaware of how they are drawn.

use artifacts::steps::{self, Step};
use serde::Serialize;

use crate::{PageError, Training};

/// Points of a curve; a longer one gives the least and the most of each stretch.
const MOST: usize = 600;

/// A training as the page's script has it: points of iteration and value.
#[derive(Serialize)]
pub struct Shown<'a> {
    name: &'a str,
    psnr: Vec<(u64, f64)>,
    loss: Vec<(u64, f64)>,
    lr: Vec<(u64, f64)>,
}

/// Reads the curves; a training without any is left out.
pub fn read(trainings: &[Training]) -> Result<Vec<Shown<'_>>, PageError> {
    let mut shown = Vec::new();
    for training in trainings {
        let steps = steps::read(&training.folder)?;
        let of = |pick: fn(&Step) -> Option<f64>| {
            let points = steps
                .iter()
                .filter_map(|s| Some((s.iteration, pick(s).filter(|v| v.is_finite())?)));
            thinned(&points.collect::<Vec<_>>())
        };
        let own = Shown {
            name: &training.name,
            psnr: of(|s| s.psnr),
            loss: of(|s| s.loss),
            lr: of(|s| s.lr),
        };
        if !(own.psnr.is_empty() && own.loss.is_empty()) {
            shown.push(own);
        }
    }
    Ok(shown)
}

/// At most [`MOST`] points, the first and the last among them.
fn thinned(points: &[(u64, f64)]) -> Vec<(u64, f64)> {
    if points.len() <= MOST {
        return points.to_vec();
    }
    let stretch = points.len().div_ceil(MOST / 2 - 1);
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return Vec::new();
    };
    let mut out = vec![*first];
    for part in points[1..points.len() - 1].chunks(stretch) {
        let by = |a: &&(u64, f64), b: &&(u64, f64)| a.1.total_cmp(&b.1);
        let mut ends: Vec<&(u64, f64)> = part
            .iter()
            .min_by(by)
            .into_iter()
            .chain(part.iter().max_by(by))
            .collect();
        ends.sort_by_key(|p| p.0);
        ends.dedup();
        out.extend(ends);
    }
    out.push(*last);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_curves_keep_their_ends_and_their_peaks() {
        let mut points: Vec<(u64, f64)> = (0..100_000).map(|i| (i, 1.0)).collect();
        points[54_321].1 = 9.0;
        let thin = thinned(&points);
        assert!(thin.len() <= MOST, "{}", thin.len());
        assert_eq!((thin[0].0, thin.last().unwrap().0), (0, 99_999));
        assert!(thin.contains(&(54_321, 9.0)));
        assert!(thin.is_sorted_by_key(|p| p.0));
        assert_eq!(thinned(&points[..5]), points[..5]);
    }
}
