//! From values to positions, and where an axis has its ticks.
//! Unaware of drawing.

/// An axis: the values at its ends, and the positions of those.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    pub low: f64,
    pub high: f64,
    pub from: f64,
    pub to: f64,
}

impl Scale {
    /// The position of a value; values outside lie outside.
    pub fn place(self, value: f64) -> f64 {
        self.from + (value - self.low) / (self.high - self.low) * (self.to - self.from)
    }

    /// Round values between the ends, at most about `wanted`, and the decimals that tell them apart.
    pub fn ticks(self, wanted: usize) -> (Vec<f64>, usize) {
        self.ticks_from(wanted, 0.0)
    }

    /// The same of what is counted: whole numbers.
    pub fn whole_ticks(self, wanted: usize) -> Vec<f64> {
        self.ticks_from(wanted, 1.0).0
    }

    /// Ticks that are at least so far from each other.
    fn ticks_from(self, wanted: usize, least: f64) -> (Vec<f64>, usize) {
        let rough = ((self.high - self.low) / wanted.max(1) as f64).max(least);
        let power = 10f64.powf(rough.log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0].map(|s| s * power);
        let step = steps
            .into_iter()
            .find(|s| *s >= rough * 0.999)
            .unwrap_or(rough);
        let first = (self.low / step - 1e-6).ceil() as i64;
        let last = (self.high / step + 1e-6).floor() as i64;
        // Of what is nearly constant no more digits are written than a number has.
        let decimals = (-step.log10().floor()).clamp(0.0, 17.0) as usize;
        ((first..=last).map(|n| n as f64 * step).collect(), decimals)
    }
}

/// Ticks of an axis of decimal logarithms, and what stands at each: 1, 2 and 5 times powers of ten, or these alone where
/// they are many.
pub(super) fn log_ticks(axis: Scale) -> Vec<(f64, String)> {
    let decades = axis.high - axis.low;
    let steps: &[f64] = if decades > 3.0 {
        &[1.0]
    } else {
        &[1.0, 2.0, 5.0]
    };
    let powers = axis.low.floor() as i32..=axis.high.ceil() as i32;
    let all = powers.flat_map(|power| {
        steps.iter().map(move |step| {
            let decimals = usize::try_from(-power).unwrap_or(0);
            let value = step * 10f64.powi(power);
            (value.log10(), format!("{value:.decimals$}"))
        })
    });
    all.filter(|(at, _)| (axis.low..=axis.high).contains(at))
        .collect()
}

/// The part of the values that a plot shows, and whether that leaves some out below.
///
/// SPT units with random weights start many dB below what they reach, and would press the rest into a line: what is
/// further below the best value than six times the median is, is cut off.
pub(super) fn shown(values: &[f64]) -> (f64, f64, bool) {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let (Some(&min), Some(&max)) = (sorted.first(), sorted.last()) else {
        return (0.0, 1.0, false);
    };
    let median = sorted[sorted.len() / 2];
    let deepest = max - 6.0 * (max - median).max(0.02);
    let low = min.max(deepest);
    let margin = ((max - low) * 0.06).max(0.005);
    (low - margin, max + margin, min < deepest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let scale = |low, high| Scale {
            low,
            high,
            from: 0.0,
            to: 100.0,
        };
        assert_eq!(
            scale(0.0, 8000.0).ticks(6),
            (vec![0.0, 2000.0, 4000.0, 6000.0, 8000.0], 0)
        );
        let (ticks, decimals) = scale(29.131, 29.342).ticks(5);
        let texts: Vec<String> = ticks.iter().map(|t| format!("{t:.decimals$}")).collect();
        assert_eq!(texts, ["29.15", "29.20", "29.25", "29.30"]);
        assert!((scale(2.0, 4.0).place(3.0) - 50.0).abs() < 1e-12);
    }

    #[test]
    fn iterations_are_whole_and_losses_logarithmic() {
        let scale = |low, high| Scale {
            low,
            high,
            from: 0.0,
            to: 100.0,
        };
        assert_eq!(scale(0.0, 3.0).whole_ticks(8), [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(scale(0.0, 3.0).ticks(8).1, 1);
        let texts = |low, high| {
            let ticks = log_ticks(scale(low, high)).into_iter();
            ticks.map(|(_, text)| text).collect::<Vec<_>>()
        };
        assert_eq!(texts(-1.5, 0.1), ["0.05", "0.1", "0.2", "0.5", "1"]);
        assert_eq!(texts(-4.0, 0.5), ["0.0001", "0.001", "0.01", "0.1", "1"]);
    }

    #[test]
    fn a_start_far_below_is_cut_off() {
        let (low, high, cut) = shown(&[8.0, 29.0, 29.1, 29.2, 29.3]);
        assert!(cut && low > 27.5 && high > 29.3, "{low} {high}");
        let (low, _, cut) = shown(&[29.0, 29.1, 29.2]);
        assert!(!cut && low < 29.0);
        let (low, high, _) = shown(&[29.0]);
        assert!(low < 29.0 && high > 29.0);
    }
}
