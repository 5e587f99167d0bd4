//! A percentile interval of a mean from a bootstrap over images.
//! Unaware of what the numbers are.

use spec::kinds::Interval;

/// The 95 % interval of the mean over all values, which come in strata (an image's difference to its baseline, by set).
///
/// Each resample draws, within each stratum, as many values as that has, with replacement, so that sets keep their
/// weights in an average over sets. `None` without resamples, or where a single value leaves nothing to draw.
pub(super) fn interval(strata: &[Vec<f64>], how: &Interval) -> Option<(f64, f64)> {
    let total: usize = strata.iter().map(Vec::len).sum();
    if how.resamples == 0 || total < 2 {
        return None;
    }
    let mut draws = Draws(how.seed);
    let mut means: Vec<f64> = (0..how.resamples)
        .map(|_| resampled_sum(strata, &mut draws) / total as f64)
        .collect();
    means.sort_unstable_by(f64::total_cmp);
    Some((quantile(&means, 0.025), quantile(&means, 0.975)))
}

fn resampled_sum(strata: &[Vec<f64>], draws: &mut Draws) -> f64 {
    let of_stratum = |values: &Vec<f64>| -> f64 {
        (0..values.len())
            .map(|_| values[draws.below(values.len())])
            .sum()
    };
    strata.iter().map(of_stratum).sum()
}

/// The quantile `q` of sorted values, linear between neighbours (R's type 7, `NumPy`'s default).
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let at = q * (sorted.len() - 1) as f64;
    let (low, part) = (at.floor() as usize, at.fract());
    let high = (low + 1).min(sorted.len() - 1);
    sorted[low] + (sorted[high] - sorted[low]) * part
}

/// `SplitMix64` (Steele, Lea and Flood, 2014): the same numbers everywhere.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// An index below `n`: the upper half of a product, whose bias is below n / 2^64.
    fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOW: Interval = Interval {
        resamples: 10_000,
        seed: 0,
    };

    #[test]
    fn the_generator_is_splitmix64() {
        // The first outputs for seed 1234567 of the authors' C program.
        let mut draws = Draws(1_234_567);
        let first = [draws.next(), draws.next(), draws.next()];
        assert_eq!(
            first,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    #[test]
    fn it_has_the_width_that_theory_says() {
        // 400 values of mean 0 and variance 1: the mean's standard error is 1/20.
        let values: Vec<f64> = (0..400)
            .map(|i| if i % 2 == 0 { 1.0 } else { -1.0 })
            .collect();
        let (low, high) = interval(&[values], &HOW).unwrap();
        assert!((low + 1.96 / 20.0).abs() < 0.006, "{low}");
        assert!((high - 1.96 / 20.0).abs() < 0.006, "{high}");
    }

    #[test]
    fn strata_are_drawn_from_apart() {
        // Two sets without spread within: their difference is no uncertainty of the average.
        let strata = [vec![1.0; 5], vec![2.0; 15]];
        assert_eq!(interval(&strata, &HOW), Some((1.75, 1.75)));
        let pooled = [strata.concat()];
        let (low, high) = interval(&pooled, &HOW).unwrap();
        assert!(low < 1.6 && high > 1.85, "{low} {high}");
    }

    #[test]
    fn the_same_seed_gives_the_same_interval_and_one_value_none() {
        let values = [(0..40).map(|i| f64::from(i * i % 23)).collect::<Vec<f64>>()];
        assert_eq!(interval(&values, &HOW), interval(&values, &HOW));
        let other = Interval { seed: 1, ..HOW };
        assert_ne!(interval(&values, &HOW), interval(&values, &other));
        assert_eq!(interval(&[vec![0.1]], &HOW), None);
        let none = Interval {
            resamples: 0,
            ..HOW
        };
        assert_eq!(interval(&values, &none), None);
    }

    #[test]
    fn quantiles_lie_between_neighbours() {
        let sorted = [0.0, 1.0, 2.0, 3.0];
        assert!((quantile(&sorted, 0.5) - 1.5).abs() < 1e-12);
        assert!((quantile(&sorted, 0.0) - 0.0).abs() < 1e-12);
        assert!((quantile(&sorted, 1.0) - 3.0).abs() < 1e-12);
    }
}
