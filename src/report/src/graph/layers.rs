//! Which column a node stands in: longest paths from the left, then as near to its readers as it can be.
//! Unaware of sizes and of the order within a column.

use std::collections::BTreeMap;

/// A graph cut into columns: edges that span several pass a place in each column between. Edges from the same node share
/// these places, and part where they have to.
pub struct Layers {
    /// The column of each item; the first items are the nodes, the others are places that edges pass.
    pub column: Vec<usize>,
    /// The parts of edges, each from a column to the next, once; whether it begins and whether it ends in a tip.
    pub parts: BTreeMap<(usize, usize), Tips>,
}

/// Which ends of a part are tips of edges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tips {
    /// The left one: an edge that closes a circle and runs back.
    pub left: bool,
    /// The right one.
    pub right: bool,
}

impl Layers {
    /// Cuts an edge into its parts; `passed` knows the places that edges from a node pass, by node and column.
    fn cut(
        &mut self,
        from: usize,
        to: usize,
        back: bool,
        passed: &mut BTreeMap<(usize, usize), usize>,
    ) {
        let mut at = from;
        for column in self.column[from] + 1..self.column[to] {
            let place = *passed.entry((from, column)).or_insert_with(|| {
                self.column.push(column);
                self.column.len() - 1
            });
            let tips = self.parts.entry((at, place)).or_default();
            tips.left |= back && at == from;
            at = place;
        }
        let tips = self.parts.entry((at, to)).or_default();
        tips.left |= back && at == from;
        tips.right |= !back;
    }

    /// The items of each column, nodes first.
    pub fn columns(&self) -> Vec<Vec<usize>> {
        let count = self.column.iter().max().map_or(0, |c| c + 1);
        let mut columns = vec![Vec::new(); count];
        for (item, &column) in self.column.iter().enumerate() {
            columns[column].push(item);
        }
        columns
    }

    /// For each item its neighbours to the left and to the right.
    pub fn neighbours(&self) -> (Vec<Vec<usize>>, Vec<Vec<usize>>) {
        let mut left = vec![Vec::new(); self.column.len()];
        let mut right = left.clone();
        for &(from, to) in self.parts.keys() {
            left[to].push(from);
            right[from].push(to);
        }
        (left, right)
    }
}

/// Cuts a graph of `nodes` nodes into columns.
pub fn layers(nodes: usize, edges: &[(usize, usize)]) -> Layers {
    let mut right = vec![Vec::new(); nodes];
    for &(from, to) in edges {
        right[from].push(to);
    }
    let order = order(&right);
    let mut rank = vec![0; nodes];
    for (at, &node) in order.iter().enumerate() {
        rank[node] = at;
    }
    let ahead = |&(f, t): &(usize, usize)| if rank[f] > rank[t] { (t, f) } else { (f, t) };
    let forward: Vec<(usize, usize)> = edges.iter().map(ahead).collect();
    let mut layers = Layers {
        column: columns(&order, &forward),
        parts: BTreeMap::new(),
    };
    let mut passed = BTreeMap::new();
    for (edge, &(from, to)) in edges.iter().zip(&forward) {
        layers.cut(from, to, *edge != (from, to), &mut passed);
    }
    layers
}

/// The nodes so that all edges lead ahead but those that close a circle: reversed order of leaving them, depth first.
fn order(right: &[Vec<usize>]) -> Vec<usize> {
    let mut left_behind = Vec::new();
    let mut seen = vec![false; right.len()];
    for start in 0..right.len() {
        let mut open = vec![(start, 0)];
        if std::mem::replace(&mut seen[start], true) {
            continue;
        }
        while let Some((node, next)) = open.last_mut() {
            if let Some(&to) = right[*node].get(*next) {
                *next += 1;
                if !std::mem::replace(&mut seen[to], true) {
                    open.push((to, 0));
                }
            } else {
                left_behind.push(*node);
                open.pop();
            }
        }
    }
    left_behind.reverse();
    left_behind
}

fn columns(order: &[usize], edges: &[(usize, usize)]) -> Vec<usize> {
    let mut left = vec![Vec::new(); order.len()];
    let mut right = left.clone();
    for &(from, to) in edges {
        left[to].push(from);
        right[from].push(to);
    }
    let mut column = vec![0; order.len()];
    for &node in order {
        column[node] = left[node].iter().map(|l| column[*l] + 1).max().unwrap_or(0);
    }
    // With at least as many readers as inputs, edges are never longer beside the first reader, and often shorter.
    for &node in order.iter().rev() {
        let nearest = right[node].iter().map(|r| column[*r] - 1).min();
        if let Some(nearest) = nearest.filter(|_| right[node].len() >= left[node].len()) {
            column[node] = nearest;
        }
    }
    column
}
