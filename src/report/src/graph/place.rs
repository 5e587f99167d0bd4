//! Where in its column an item stands: as level with its neighbours as the others let it.
//! Unaware of what an item looks like but for its height.

use super::layers::Layers;

/// To and fro; more moves nothing that could be seen.
const ROUNDS: usize = 24;

/// How tall items are and how far apart.
pub struct Sizes {
    /// Height of a node.
    pub node: f64,
    /// Height kept for an edge that passes.
    pub edge: f64,
    /// Between two items.
    pub gap: f64,
}

/// The middle of each item, from 0 downwards, and the height of all.
pub fn place(
    layers: &Layers,
    columns: &[Vec<usize>],
    nodes: usize,
    sizes: &Sizes,
) -> (Vec<f64>, f64) {
    let height = |item: usize| if item < nodes { sizes.node } else { sizes.edge };
    let offsets: Vec<Vec<f64>> = columns
        .iter()
        .map(|c| stacked(c, &height, sizes.gap))
        .collect();
    let mut middle = vec![0.0; layers.column.len()];
    for (column, offset) in columns.iter().zip(&offsets) {
        let half = offset.last().copied().unwrap_or(0.0) / 2.0;
        for (&item, o) in column.iter().zip(offset) {
            middle[item] = o - half;
        }
    }
    let (left, right) = layers.neighbours();
    let both: Vec<Vec<usize>> = left
        .iter()
        .zip(&right)
        .map(|(l, r)| [&l[..], r].concat())
        .collect();
    for round in 0..ROUNDS {
        let beside = if round + 2 >= ROUNDS {
            &both
        } else if round % 2 == 0 {
            &left
        } else {
            &right
        };
        let level = |at: usize, middle: &mut Vec<f64>| {
            let wanted: Vec<(f64, f64)> = columns[at]
                .iter()
                .map(|i| wanted(*i, beside, middle, nodes))
                .collect();
            for (item, y) in columns[at].iter().zip(spread(&wanted, &offsets[at])) {
                middle[*item] = y;
            }
        };
        if round % 2 == 0 {
            (0..columns.len()).for_each(|at| level(at, &mut middle));
        } else {
            (0..columns.len())
                .rev()
                .for_each(|at| level(at, &mut middle));
        }
    }
    from_zero(middle, &height)
}

/// The middles of a column's items, one below the other as closely as may be.
fn stacked(column: &[usize], height: &impl Fn(usize) -> f64, gap: f64) -> Vec<f64> {
    let mut offsets = Vec::new();
    let mut end = 0.0;
    for &item in column {
        let middle = if offsets.is_empty() {
            0.0
        } else {
            end + gap + height(item) / 2.0
        };
        offsets.push(middle);
        end = middle + height(item) / 2.0;
    }
    offsets
}

/// Where an item would stand if it were alone, and how much that counts: long edges are to be straight.
fn wanted(item: usize, beside: &[Vec<usize>], middle: &[f64], nodes: usize) -> (f64, f64) {
    let neighbours = &beside[item];
    if neighbours.is_empty() {
        return (middle[item], 0.01);
    }
    let weight = |n: usize| match (item >= nodes, n >= nodes) {
        (true, true) => 8.0,
        (true, false) | (false, true) => 2.0,
        (false, false) => 1.0,
    };
    let total: f64 = neighbours.iter().map(|n| weight(*n)).sum();
    let sum: f64 = neighbours.iter().map(|n| weight(*n) * middle[*n]).sum();
    (sum / total, total)
}

/// The places nearest to the wanted ones (weighted least squares) that keep the order and the distances: what is too
/// close is pooled and stands at its common mean (pool adjacent violators).
fn spread(wanted: &[(f64, f64)], offsets: &[f64]) -> Vec<f64> {
    let mut pools: Vec<(f64, f64, usize)> = Vec::new();
    for ((y, weight), offset) in wanted.iter().zip(offsets) {
        pools.push((y - offset, *weight, 1));
        while let [.., above, below] = pools.as_slice()
            && above.0 > below.0
        {
            let weight = above.1 + below.1;
            let mean = (above.0 * above.1 + below.0 * below.1) / weight;
            let pool = (mean, weight, above.2 + below.2);
            pools.truncate(pools.len() - 2);
            pools.push(pool);
        }
    }
    let flat = pools
        .iter()
        .flat_map(|(y, _, count)| std::iter::repeat_n(*y, *count));
    flat.zip(offsets).map(|(y, offset)| y + offset).collect()
}

/// Moves everything so that the topmost edge is at 0.
fn from_zero(mut middle: Vec<f64>, height: &impl Fn(usize) -> f64) -> (Vec<f64>, f64) {
    let ends = |sign: f64| {
        let end = move |(item, y): (usize, &f64)| y * sign + height(item) / 2.0;
        middle
            .iter()
            .enumerate()
            .map(end)
            .fold(f64::NEG_INFINITY, f64::max)
    };
    let (top, bottom) = (-ends(-1.0), ends(1.0));
    if middle.is_empty() {
        return (middle, 0.0);
    }
    for y in &mut middle {
        *y -= top;
    }
    (middle, bottom - top)
}
