//! The weights of MATLAB's `imresize` along one side: which input samples make which output sample.
//! Unaware of images, channels and rounding.

/// Bits after the point of the integer weights.
pub(crate) const FRACTION: u32 = 22;
/// 1 in integer weights.
const ONE: f64 = (1 << FRACTION) as f64;
/// Integer weights come in full sets of so many, the last set filled up with zeros.
pub(crate) const SET: usize = 8;

/// For each output position, `count` neighbouring input positions and their weights.
///
/// Positions may lie outside the input: [`mirror`] folds them back (the border is repeated symmetrically).
pub(crate) struct Taps {
    /// Input positions an output position.
    pub count: usize,
    /// The first input position of each output position.
    pub first: Vec<isize>,
    /// The weights, `first.len()` × `count`; each row sums to 1.
    pub weights: Vec<f64>,
    /// The weights times 2^[`FRACTION`], rounded; whole sets an output position.
    pub fixed: Vec<[i32; SET]>,
    /// Each output position's largest possible error of an integer sum over samples of 0 to 255, in units of
    /// 2^-[`FRACTION`]; 0 where the integer weights are exact (as for scales 1/2 and 1/4).
    pub slack: Vec<i32>,
}

impl Taps {
    /// The weights from `input` to `output` samples at `scale` (output per input), which MATLAB takes from
    /// the call and not from the rounded output size. The cubic kernel has a = -0.5; below 1 it is widened
    /// by 1/scale (antialiasing).
    pub(crate) fn new(input: usize, output: usize, scale: f64) -> Self {
        debug_assert!(input > 0 && scale > 0.0);
        let shrink = scale.min(1.0);
        let width = 4.0 / shrink;
        let count = width.ceil() as usize + 2;
        let mut taps = Self {
            count,
            first: vec![],
            weights: vec![],
            fixed: vec![],
            slack: vec![],
        };
        for x in 1..=output {
            let center = x as f64 / scale + 0.5 * (1.0 - 1.0 / scale);
            let left = (center - width / 2.0).floor();
            let raw = (0..count).map(|k| shrink * cubic(shrink * (center - (left + k as f64))));
            taps.push(left as isize - 1, raw.collect());
        }
        taps.drop_zero_columns();
        taps.fix();
        taps
    }

    /// Adds an output position: normalised weights, and their integer form.
    fn push(&mut self, first: isize, raw: Vec<f64>) {
        let sum: f64 = raw.iter().sum();
        let mut error = 0.0;
        for weight in raw.into_iter().map(|weight| weight / sum) {
            let fixed = (weight * ONE).round();
            error += (weight * ONE - fixed).abs();
            self.weights.push(weight);
        }
        self.first.push(first);
        self.slack.push(if error > 0.0 {
            (error * 255.0).ceil() as i32 + 1
        } else {
            0
        });
    }

    /// Makes the integer weights.
    fn fix(&mut self) {
        for row in self.weights.chunks(self.count) {
            for part in row.chunks(SET) {
                let mut set = [0; SET];
                set.iter_mut()
                    .zip(part)
                    .for_each(|(fixed, weight)| *fixed = (weight * ONE).round() as i32);
                self.fixed.push(set);
            }
        }
    }

    /// Drops the first or last tap where no output position uses it.
    fn drop_zero_columns(&mut self) {
        while self.count > 1 && self.column_is_zero(self.count - 1) {
            self.keep_columns(0);
        }
        while self.count > 1 && self.column_is_zero(0) {
            self.keep_columns(1);
            self.first.iter_mut().for_each(|first| *first += 1);
        }
    }

    fn column_is_zero(&self, column: usize) -> bool {
        self.weights
            .iter()
            .skip(column)
            .step_by(self.count)
            .all(|&weight| weight == 0.0)
    }

    /// Keeps all but one column, starting with `from`.
    fn keep_columns(&mut self, from: usize) {
        let kept = self.count - 1;
        self.weights = self
            .weights
            .chunks(self.count)
            .flat_map(|row| row[from..from + kept].to_vec())
            .collect();
        self.count = kept;
    }

    /// The weights of output position `x`.
    pub(crate) fn weights_of(&self, x: usize) -> &[f64] {
        &self.weights[x * self.count..][..self.count]
    }

    /// The integer weights of output position `x`.
    pub(crate) fn fixed_of(&self, x: usize) -> &[[i32; SET]] {
        let sets = self.count.div_ceil(SET);
        &self.fixed[x * sets..][..sets]
    }

    /// The input positions of output position `x`, folded back into `length` samples.
    pub(crate) fn sources(&self, x: usize, length: usize) -> impl Iterator<Item = usize> {
        let first = self.first[x];
        (0..self.count as isize).map(move |k| mirror(first + k, length))
    }
}

/// Folds a position into `0..length`: the samples are repeated forwards and backwards, edges twice.
pub(crate) fn mirror(at: isize, length: usize) -> usize {
    let folded = at.rem_euclid(2 * length as isize) as usize;
    if folded < length {
        folded
    } else {
        2 * length - 1 - folded
    }
}

/// Keys' cubic kernel with a = -0.5.
fn cubic(x: f64) -> f64 {
    let x = x.abs();
    let (x2, x3) = (x * x, x * x * x);
    if x <= 1.0 {
        1.5 * x3 - 2.5 * x2 + 1.0
    } else if x <= 2.0 {
        -0.5 * x3 + 2.5 * x2 - 4.0 * x + 2.0
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_mirrored_with_the_edge_twice() {
        let folded: Vec<_> = (-4..7).map(|at| mirror(at, 3)).collect();
        assert_eq!(folded, [2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0]);
        assert!((-9..9).all(|at| mirror(at, 1) == 0));
    }

    #[test]
    fn weights_sum_to_one_and_powers_of_two_are_exact() {
        for (input, output, scale) in [
            (97, 49, 0.5),
            (97, 25, 0.25),
            (97, 33, 1.0 / 3.0),
            (7, 29, 29.0 / 7.0),
        ] {
            let taps = Taps::new(input, output, scale);
            assert_eq!(taps.first.len(), output);
            for x in 0..output {
                assert!((taps.weights_of(x).iter().sum::<f64>() - 1.0).abs() < 1e-14);
                let fixed = taps.fixed_of(x).as_flattened();
                assert!(fixed.len() >= taps.count && fixed[taps.count..].iter().all(|&v| v == 0));
            }
            assert_eq!(
                taps.slack.iter().all(|&slack| slack == 0),
                [49, 25].contains(&output)
            );
        }
    }

    #[test]
    fn unused_columns_are_dropped() {
        assert_eq!(Taps::new(40, 10, 0.25).count, 16);
        assert_eq!(Taps::new(40, 20, 0.5).count, 8);
        assert_eq!(Taps::new(40, 40, 1.0).count, 1);
    }
}
