//! Which column a node stands in: longest paths from the left, then as near to its readers as it can be.
//! Unaware of sizes and of the order within a column.

/// A graph cut into columns: edges that span several get a place in each column between.
pub struct Layers {
    /// The column of each item; the first items are the nodes, the others are places that edges pass.
    pub column: Vec<usize>,
    /// For each edge, the items it passes, from left to right.
    pub chains: Vec<Vec<usize>>,
    /// For each edge, whether it runs from right to left: it closes a circle.
    pub backwards: Vec<bool>,
}

impl Layers {
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
        for pair in self.chains.iter().flat_map(|c| c.windows(2)) {
            left[pair[1]].push(pair[0]);
            right[pair[0]].push(pair[1]);
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
    let backwards: Vec<bool> = edges.iter().map(|(f, t)| rank[*f] > rank[*t]).collect();
    let ahead = |&(f, t): &(usize, usize)| if rank[f] > rank[t] { (t, f) } else { (f, t) };
    let forward: Vec<(usize, usize)> = edges.iter().map(ahead).collect();
    let mut column = columns(&order, &forward);
    let chains = forward
        .iter()
        .map(|&(from, to)| chain(from, to, &mut column))
        .collect();
    Layers {
        column,
        chains,
        backwards,
    }
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
            match right[*node].get(*next) {
                Some(&to) => {
                    *next += 1;
                    if !std::mem::replace(&mut seen[to], true) {
                        open.push((to, 0));
                    }
                }
                None => {
                    left_behind.push(*node);
                    open.pop();
                }
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

/// The items of one edge; makes those between its ends.
fn chain(from: usize, to: usize, column: &mut Vec<usize>) -> Vec<usize> {
    let between = column[from] + 1..column[to];
    let mut items = vec![from];
    for place in between {
        items.push(column.len());
        column.push(place);
    }
    items.push(to);
    items
}
