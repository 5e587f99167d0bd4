//! The regular grid of prompt points of SAM's mask generator.
//! Unaware of what answers a prompt.

/// `n`×`n` points in a `width`×`height` image as (x, y) in pixels: `(i + 0.5) / n` of each side, x fastest, as
/// SAM's `build_point_grid` times the image size.
pub fn point_grid(n: usize, width: usize, height: usize) -> Vec<[f64; 2]> {
    let at = |i: usize, side: usize| (i as f64 + 0.5) / n as f64 * side as f64;
    (0..n * n)
        .map(|i| [at(i % n, width), at(i / n, height)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_run_along_rows() {
        assert_eq!(
            point_grid(2, 8, 4),
            [[2.0, 1.0], [6.0, 1.0], [2.0, 3.0], [6.0, 3.0]]
        );
        assert!(point_grid(0, 8, 4).is_empty());
    }
}
