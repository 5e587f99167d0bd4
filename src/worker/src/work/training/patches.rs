//! Which patches an iteration trains on: image, position, flip and rotation, as a pure function of seed and iteration.
//! Unaware of pixels and tensors.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A patch of LQ pixels and what is done to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Patch {
    /// Index of the image.
    pub image: usize,
    /// Left edge in LQ pixels.
    pub x: usize,
    /// Top edge in LQ pixels.
    pub y: usize,
    /// One of the eight flips and rotations of a square.
    pub turn: Turn,
}

/// Mirror left-right, mirror top-bottom, then swap rows and columns, each or not: all eight symmetries of a square.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Turn {
    /// Mirror left-right.
    pub mirror: bool,
    /// Mirror top-bottom.
    pub flip: bool,
    /// Swap rows and columns.
    pub transpose: bool,
}

/// Draws patches. Each epoch visits every image once, in an order of its own.
#[derive(Clone, Debug)]
pub(super) struct Sampler {
    /// Width and height of the LQ images.
    pub sizes: Vec<(usize, usize)>,
    /// Side of a patch in LQ pixels; no image is smaller.
    pub side: usize,
    /// Patches an iteration.
    pub batch: usize,
    /// Flips and rotations, or none.
    pub augment: bool,
    /// The stage's seed.
    pub seed: u64,
}

/// Streams of the generator: an epoch's order and an iteration's patches never share one.
const ORDER: u64 = 1 << 62;
const PATCHES: u64 = 1 << 61;
const NOISE: u64 = 1 << 60;

impl Sampler {
    /// The patches of `iteration`, counted from 0.
    pub fn patches(&self, iteration: u64) -> Vec<Patch> {
        let mut rng = generator(self.seed, PATCHES + iteration);
        let first = iteration * self.batch as u64;
        (0..self.batch as u64)
            .map(|i| self.patch(self.image(first + i), &mut rng))
            .collect()
    }

    /// The generator of the noise of `iteration`.
    pub fn noise(&self, iteration: u64) -> ChaCha8Rng {
        generator(self.seed, NOISE + iteration)
    }

    /// The image of the `n`th patch since the beginning.
    fn image(&self, n: u64) -> usize {
        let count = self.sizes.len() as u64;
        let order = permutation(
            self.sizes.len(),
            &mut generator(self.seed, ORDER + n / count),
        );
        order[(n % count) as usize]
    }

    fn patch(&self, image: usize, rng: &mut ChaCha8Rng) -> Patch {
        let (width, height) = self.sizes[image];
        let x = below(width - self.side + 1, rng);
        let y = below(height - self.side + 1, rng);
        let bits = rng.next_u32();
        let bit = |n: u32| self.augment && (bits >> n) & 1 == 1;
        Patch {
            image,
            x,
            y,
            turn: Turn {
                mirror: bit(0),
                flip: bit(1),
                transpose: bit(2),
            },
        }
    }
}

fn generator(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    rng
}

/// A number in 0..n; n is far below 2³², so that the bias is far below anything that could be seen.
fn below(n: usize, rng: &mut ChaCha8Rng) -> usize {
    ((u128::from(rng.next_u64()) * n as u128) >> 64) as usize
}

/// Fisher–Yates.
fn permutation(n: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    for i in (1..n).rev() {
        order.swap(i, below(i + 1, rng));
    }
    order
}

/// Standard normal numbers by the polar method.
pub(super) fn normals(count: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let mut values = Vec::with_capacity(count + 1);
    let mut uniform = || (rng.next_u64() >> 11) as f64 / (1u64 << 52) as f64 - 1.0;
    while values.len() < count {
        let (u, v) = (uniform(), uniform());
        let s = u * u + v * v;
        if s > 0.0 && s < 1.0 {
            let factor = (-2.0 * s.ln() / s).sqrt();
            values.extend([(u * factor) as f32, (v * factor) as f32]);
        }
    }
    values.truncate(count);
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampler() -> Sampler {
        Sampler {
            sizes: vec![(64, 80), (100, 64), (70, 70)],
            side: 64,
            batch: 4,
            augment: true,
            seed: 7,
        }
    }

    #[test]
    fn an_iteration_is_a_pure_function_of_seed_and_iteration() {
        let sampler = sampler();
        assert_eq!(sampler.patches(5), sampler.patches(5));
        assert_ne!(sampler.patches(5), sampler.patches(6));
        let other = Sampler {
            seed: 8,
            ..sampler.clone()
        };
        assert_ne!(sampler.patches(5), other.patches(5));
    }

    #[test]
    fn patches_lie_inside_and_epochs_visit_every_image_once() {
        let sampler = sampler();
        let patches: Vec<Patch> = (0..300).flat_map(|i| sampler.patches(i)).collect();
        for p in &patches {
            let (w, h) = sampler.sizes[p.image];
            assert!(p.x + 64 <= w && p.y + 64 <= h);
        }
        for epoch in patches.chunks_exact(3) {
            let mut images: Vec<usize> = epoch.iter().map(|p| p.image).collect();
            images.sort_unstable();
            assert_eq!(images, [0, 1, 2]);
        }
        let turns: std::collections::BTreeSet<_> = patches
            .iter()
            .map(|p| (p.turn.mirror, p.turn.flip, p.turn.transpose))
            .collect();
        assert_eq!(turns.len(), 8);
    }

    #[test]
    fn normal_numbers_have_mean_zero_and_deviation_one() {
        let values = normals(100_001, &mut sampler().noise(3));
        let anew = normals(100_001, &mut sampler().noise(4));
        assert_ne!(values, anew, "each iteration has noise of its own");
        let n = values.len() as f64;
        let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
        let variance = values
            .iter()
            .map(|v| (f64::from(*v) - mean).powi(2))
            .sum::<f64>()
            / n;
        // Four standard errors of each.
        assert!(mean.abs() < 4.0 / n.sqrt(), "{mean}");
        assert!(
            (variance - 1.0).abs() < 4.0 * (2.0 / n).sqrt(),
            "{variance}"
        );
    }
}
