//! What is drawn: nodes with the states of their stages, and edges between them.
//! Unaware of how it is drawn.

use std::collections::{BTreeMap, BTreeSet};

use spec::Pipeline;

/// Whether a stage is to be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Its result is there.
    Fresh,
    /// It is to be run.
    Stale,
    /// Something is missing that it needs.
    Blocked,
}

impl State {
    /// All states, the most urgent last.
    pub const ALL: [Self; 3] = [Self::Fresh, Self::Stale, Self::Blocked];

    /// In words, behind a number.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Stale => "to run",
            Self::Blocked => "blocked",
        }
    }

    /// The name in styles.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Stale => "stale",
            Self::Blocked => "blocked",
        }
    }
}

/// How many stages are in which state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts([usize; 3]);

impl Counts {
    /// One more in this state.
    pub fn add(&mut self, state: State) {
        self.0[state as usize] += 1;
    }

    /// How many in this state.
    pub const fn of(&self, state: State) -> usize {
        self.0[state as usize]
    }

    /// How many in all.
    pub fn total(&self) -> usize {
        self.0.iter().sum()
    }

    /// The most urgent state that occurs.
    pub fn worst(&self) -> State {
        let occurs = |state: &State| self.of(*state) > 0;
        State::ALL
            .into_iter()
            .rev()
            .find(occurs)
            .unwrap_or(State::Fresh)
    }

    /// `1 fresh, 3 to run`; the word alone for a single stage.
    pub fn words(&self) -> String {
        if self.total() == 1 {
            return self.worst().words().into();
        }
        let occurring = State::ALL.into_iter().filter(|s| self.of(*s) > 0);
        let parts: Vec<String> = occurring
            .map(|s| format!("{} {}", self.of(s), s.words()))
            .collect();
        parts.join(", ")
    }
}

/// A stage, or all members of a swept one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// Whether it stands for the members of a sweep.
    pub swept: bool,
    /// Their states.
    pub counts: Counts,
}

impl Node {
    /// The name, with the number of members of a sweep.
    pub fn title(&self) -> String {
        if self.swept {
            format!("{} × {}", self.name, self.counts.total())
        } else {
            self.name.clone()
        }
    }
}

/// Nodes and edges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    /// What it is the graph of: a file's name.
    pub title: String,
    /// In the order of the file.
    pub nodes: Vec<Node>,
    /// From an input to what reads it, by index, sorted; none from a node to itself.
    pub edges: Vec<(usize, usize)>,
}

impl Graph {
    /// The states of all stages together.
    pub fn counts(&self) -> Counts {
        let mut all = Counts::default();
        for node in &self.nodes {
            for (sum, n) in all.0.iter_mut().zip(node.counts.0) {
                *sum += n;
            }
        }
        all
    }
}

/// The graph of the stages that have a state. A swept stage is one node unless `full`.
pub fn build(
    title: &str,
    pipeline: &Pipeline,
    states: &BTreeMap<usize, State>,
    full: bool,
) -> Graph {
    let mut nodes: Vec<Node> = Vec::new();
    let mut named: BTreeMap<&str, usize> = BTreeMap::new();
    let mut node_of: BTreeMap<usize, usize> = BTreeMap::new();
    for (&at, &state) in states {
        let stage = &pipeline.stages[at];
        let name = if full { &stage.name } else { &stage.base };
        let node = *named.entry(name).or_insert_with(|| {
            nodes.push(Node {
                name: name.clone(),
                kind: stage.kind.name().into(),
                swept: !full && !stage.axes.is_empty(),
                counts: Counts::default(),
            });
            nodes.len() - 1
        });
        nodes[node].counts.add(state);
        node_of.insert(at, node);
    }
    let mut edges = BTreeSet::new();
    for (at, to) in &node_of {
        let inputs = pipeline.stages[*at].inputs.iter();
        let from = inputs.filter_map(|edge| node_of.get(&edge.stage));
        edges.extend(from.filter(|f| *f != to).map(|f| (*f, *to)));
    }
    Graph {
        title: title.into(),
        nodes,
        edges: edges.into_iter().collect(),
    }
}
