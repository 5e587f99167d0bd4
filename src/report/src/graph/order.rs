//! Who stands above whom in a column: barycentres, swept to and fro, the best of all sweeps kept.
//! Unaware of coordinates. Sugiyama, Tagawa, Toda 1981; crossings counted as in Barth, Mutzel, Jünger 2004.

use super::layers::Layers;

/// Sweeps in all; small graphs settle after two or three.
const SWEEPS: usize = 16;
/// Above this many items neighbours are not swapped one by one, which is quadratic in their edges.
const SWAPPED: usize = 600;

/// The columns from left to right, the items of each from top to bottom.
pub fn order(layers: &Layers) -> Vec<Vec<usize>> {
    let (left, right) = layers.neighbours();
    let mut columns = layers.columns();
    let mut best = columns.clone();
    let mut fewest = crossings(&columns, &right);
    let mut place = vec![0; layers.column.len()];
    for sweep in 0..SWEEPS {
        if fewest == 0 {
            break;
        }
        if sweep % 2 == 0 {
            for at in 1..columns.len() {
                sort(&mut columns, at, at - 1, &left, &mut place);
            }
        } else {
            for at in (1..columns.len()).rev() {
                sort(&mut columns, at - 1, at, &right, &mut place);
            }
        }
        if layers.column.len() <= SWAPPED {
            swap(&mut columns, &left, &right);
        }
        let now = crossings(&columns, &right);
        if now < fewest {
            (fewest, best) = (now, columns.clone());
        }
    }
    best
}

/// Sorts a column by the mean place of each item's neighbours in the column beside it; who has none stays.
fn sort(
    columns: &mut [Vec<usize>],
    at: usize,
    beside: usize,
    neighbours: &[Vec<usize>],
    place: &mut [usize],
) {
    places(&columns[beside], place);
    let scale = columns[beside].len() as f64 / columns[at].len().max(1) as f64;
    let own = |i: usize| (i as f64 + 0.5) * scale - 0.5;
    let mut keyed: Vec<(f64, usize)> = columns[at]
        .iter()
        .enumerate()
        .map(|(i, &item)| (mean(&neighbours[item], place).unwrap_or(own(i)), item))
        .collect();
    keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
    columns[at] = keyed.into_iter().map(|(_, item)| item).collect();
}

fn mean(neighbours: &[usize], place: &[usize]) -> Option<f64> {
    let sum: usize = neighbours.iter().map(|n| place[*n]).sum();
    (!neighbours.is_empty()).then(|| sum as f64 / neighbours.len() as f64)
}

/// Notes the place of each item of a column, by item; those of other columns stay as they are and are not looked at.
fn places(column: &[usize], place: &mut [usize]) {
    for (at, &item) in column.iter().enumerate() {
        place[item] = at;
    }
}

/// Swaps neighbours in a column where that makes fewer crossings.
fn swap(columns: &mut [Vec<usize>], left: &[Vec<usize>], right: &[Vec<usize>]) {
    let mut place = vec![0; left.len()];
    for column in columns.iter() {
        for (at, &item) in column.iter().enumerate() {
            place[item] = at;
        }
    }
    for column in columns {
        for at in 1..column.len() {
            let (a, b) = (column[at - 1], column[at]);
            let cost = |up: usize, down: usize| {
                inversions(&left[up], &left[down], &place)
                    + inversions(&right[up], &right[down], &place)
            };
            if cost(b, a) < cost(a, b) {
                column.swap(at - 1, at);
                (place[a], place[b]) = (at, at - 1);
            }
        }
    }
}

/// Crossings of the edges of an item with those of the one below it.
fn inversions(upper: &[usize], lower: &[usize], place: &[usize]) -> usize {
    let above = |u: &usize| lower.iter().filter(|l| place[**l] < place[*u]).count();
    upper.iter().map(above).sum()
}

/// All crossings.
pub fn crossings(columns: &[Vec<usize>], right: &[Vec<usize>]) -> usize {
    let mut place = vec![0; right.len()];
    let pairs = columns.windows(2);
    let crossed = pairs.map(|p| crossings_between(&p[0], &p[1], right, &mut place));
    crossed.sum()
}

/// Pairs of edges out of order, counted with a Fenwick tree over the places on the right.
fn crossings_between(
    near: &[usize],
    far: &[usize],
    right: &[Vec<usize>],
    place: &mut [usize],
) -> usize {
    places(far, place);
    let mut tree = vec![0_usize; far.len() + 1];
    let (mut seen, mut crossed) = (0, 0);
    for &item in near {
        let mut ends: Vec<usize> = right[item].iter().map(|r| place[*r]).collect();
        ends.sort_unstable();
        // Edges that share an end do not cross: all are looked up before any is noted.
        crossed += ends.iter().map(|e| seen - up_to(&tree, *e)).sum::<usize>();
        for end in &ends {
            note(&mut tree, *end);
        }
        seen += ends.len();
    }
    crossed
}

/// How many were noted at places up to and including this one.
fn up_to(tree: &[usize], place: usize) -> usize {
    let (mut at, mut sum) = (place + 1, 0);
    while at > 0 {
        sum += tree[at];
        at &= at - 1;
    }
    sum
}

fn note(tree: &mut [usize], place: usize) {
    let mut at = place + 1;
    while at < tree.len() {
        tree[at] += 1;
        at += at & at.wrapping_neg();
    }
}
