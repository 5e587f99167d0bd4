//! The product of two matrices that stay in a core's cache, on the thread that asks for it. Products of whole tensors are
//! libtorch's (`nn/kernels.rs`).
//! Unaware of what the matrices are.

/// The right side of a product, (k, n).
#[derive(Clone, Copy)]
pub enum Right<'a> {
    /// Row by row, (k, n).
    Plain(&'a [f32]),
    /// Column by column, which is (n, k) row by row.
    Transposed(&'a [f32]),
}

/// `out` (m, n) = `scale` · `left` (m, k) · `right` (k, n), all but a transposed `right` row by row. Sums over k have the same
/// order on all processors with the same instructions.
///
/// # Panics
/// Where a slice is not as long as m, k and n say, and before anything is read.
#[expect(
    unsafe_code,
    reason = "matrixmultiply has no other interface. It reads and writes m·k, k·n and m·n numbers by row and column strides; the \
              slices are asserted to be exactly that long and the strides are those of their rows, so that no access is out of \
              bounds, and `out` is borrowed for this call alone, so that nobody else sees it"
)]
pub fn product([m, k, n]: [usize; 3], scale: f32, left: &[f32], right: Right<'_>, out: &mut [f32]) {
    let (numbers, row, column) = match right {
        Right::Plain(numbers) => (numbers, n, 1),
        Right::Transposed(numbers) => (numbers, 1, k),
    };
    assert!(left.len() == m * k && numbers.len() == k * n && out.len() == m * n);
    unsafe {
        matrixmultiply::sgemm(
            m,
            k,
            n,
            scale,
            left.as_ptr(),
            k as isize,
            1,
            numbers.as_ptr(),
            row as isize,
            column as isize,
            0.0,
            out.as_mut_ptr(),
            n as isize,
            1,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_is_the_sum_of_products() {
        let (m, k, n) = (5, 300, 19); // more than a block in each direction of the library's kernels
        let number = |i: usize| ((i * 37 + 11) % 23) as f32 - 11.0;
        let left: Vec<f32> = (0..m * k).map(number).collect();
        let right: Vec<f32> = (0..k * n).map(|i| number(i + 5)).collect();
        let across: Vec<f32> = (0..n * k).map(|i| right[i % k * n + i / k]).collect();
        let expected = |i: usize| -> f32 {
            let (row, column) = (i / n, i % n);
            2.0 * (0..k)
                .map(|j| left[row * k + j] * right[j * n + column])
                .sum::<f32>()
        };
        for right in [Right::Plain(&right), Right::Transposed(&across)] {
            let mut out = vec![f32::NAN; m * n];
            product([m, k, n], 2.0, &left, right, &mut out);
            for (i, found) in out.iter().enumerate() {
                assert!((found - expected(i)).abs() < 0.5, "{i}: {found}"); // whole numbers
            }
        }
    }
}
