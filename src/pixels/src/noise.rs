//! `NumPy`'s legacy random numbers (MT19937, polar Gauss) and the noise of ART's denoising test, to the bit.
//! Unaware of which image gets which seed.

use crate::image::Rgb8;

const STATE: usize = 624;
const SHIFT: usize = 397;

/// `NumPy`'s `RandomState(seed)`: MT19937 with the legacy ways to floats and normal deviates.
#[derive(Clone, Debug)]
pub struct RandomState {
    words: Vec<u32>,
    next: usize,
    spare: Option<f64>,
}

impl RandomState {
    /// The state after `np.random.seed(seed)` with a single integer (Knuth's initialisation).
    pub fn new(seed: u32) -> Self {
        let mut words = vec![seed; STATE];
        for i in 1..STATE {
            let last = words[i - 1];
            words[i] = 1_812_433_253_u32
                .wrapping_mul(last ^ (last >> 30))
                .wrapping_add(i as u32);
        }
        Self {
            words,
            next: STATE,
            spare: None,
        }
    }

    /// The next 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        if self.next == STATE {
            self.twist();
            self.next = 0;
        }
        let mut word = self.words[self.next];
        self.next += 1;
        word ^= word >> 11;
        word ^= (word << 7) & 0x9d2c_5680;
        word ^= (word << 15) & 0xefc6_0000;
        word ^ (word >> 18)
    }

    /// Makes the next 624 words.
    fn twist(&mut self) {
        for i in 0..STATE {
            let joined =
                (self.words[i] & 0x8000_0000) | (self.words[(i + 1) % STATE] & 0x7fff_ffff);
            let odd = if joined & 1 == 1 { 0x9908_b0df } else { 0 };
            self.words[i] = self.words[(i + SHIFT) % STATE] ^ (joined >> 1) ^ odd;
        }
    }

    /// `random_sample()`: a float in [0, 1) of 53 random bits.
    pub fn random_sample(&mut self) -> f64 {
        let (high, low) = (self.next_u32() >> 5, self.next_u32() >> 6);
        (f64::from(high) * 67_108_864.0 + f64::from(low)) / 9_007_199_254_740_992.0
    }

    /// `standard_normal()`: Marsaglia's polar method, which makes deviates in pairs and keeps the second.
    pub fn standard_normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        loop {
            let (x, y) = (
                2.0 * self.random_sample() - 1.0,
                2.0 * self.random_sample() - 1.0,
            );
            let square = x * x + y * y;
            if square < 1.0 && square != 0.0 {
                let factor = (-2.0 * square.ln() / square).sqrt();
                self.spare = Some(factor * x);
                return factor * y;
            }
        }
    }

    /// `normal(mean, deviation)`.
    pub fn normal(&mut self, mean: f64, deviation: f64) -> f64 {
        mean + deviation * self.standard_normal()
    }
}

/// The noise of ART's test, `np.random.seed(seed); np.random.normal(0, sigma / 255, (h, w, 3))`: height × width
/// × 3 in the order B, G, R, on the scale of [0, 1]. `sigma` is on the scale of 0 to 255.
pub fn gaussian_noise_bgr(seed: u32, h: usize, w: usize, sigma: f64) -> Vec<f64> {
    let mut state = RandomState::new(seed);
    (0..h * w * 3)
        .map(|_| state.normal(0.0, sigma / 255.0))
        .collect()
}

/// `image` as floats in [0, 1] with the noise of [`gaussian_noise_bgr`] added in double precision, not clipped:
/// 3 × height × width in the order R, G, B, rounded to single precision at the end.
pub fn noisy_chw_f32(image: &Rgb8, sigma: f64, seed: u32) -> Vec<f32> {
    let noise = gaussian_noise_bgr(seed, image.height, image.width, sigma);
    let noisy = |c: usize| {
        let samples = image.data.iter().skip(c).step_by(3);
        let noise = noise.iter().skip(2 - c).step_by(3);
        samples
            .zip(noise)
            .map(|(&v, noise)| (f64::from(f32::from(v) / 255.0) + noise) as f32)
    };
    (0..3).flat_map(noisy).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `np.random.seed(5489)` gives the reference sequence of Matsumoto and Nishimura; C++'s standard demands
    /// 4123659995 as the 10,000th word of `mt19937` with that seed.
    #[test]
    fn the_ten_thousandth_word_is_that_of_the_standard() {
        let mut state = RandomState::new(5489);
        let word = (0..10_000).map(|_| state.next_u32()).last();
        assert_eq!(word, Some(4_123_659_995));
    }

    /// `NumPy` 2.4's `np.random.seed(0)`: `random_sample()`, and after seeding anew three `standard_normal()`.
    #[test]
    fn floats_and_normals_are_those_of_numpy() {
        let first = RandomState::new(0).random_sample();
        assert_eq!(first.to_bits(), 0.548_813_503_927_324_8_f64.to_bits());
        let mut state = RandomState::new(0);
        let drawn = [
            state.standard_normal(),
            state.standard_normal(),
            state.standard_normal(),
        ];
        let expected = [
            1.764_052_345_967_664,
            0.400_157_208_367_223_3,
            0.978_737_984_105_739_2,
        ];
        drawn
            .iter()
            .zip(expected)
            .for_each(|(a, b)| assert!((a - b).abs() < 1e-15));
    }

    #[test]
    fn noise_is_added_in_the_order_b_g_r() {
        let image = Rgb8::new(2, 1, vec![255, 0, 0, 0, 0, 51]).unwrap();
        let noise = gaussian_noise_bgr(0, 1, 2, 25.0);
        let noisy = noisy_chw_f32(&image, 25.0, 0);
        assert_eq!(noisy[0].to_bits(), ((1.0 + noise[2]) as f32).to_bits());
        assert_eq!(
            noisy[5].to_bits(),
            ((f64::from(0.2_f32) + noise[3]) as f32).to_bits()
        );
    }
}
