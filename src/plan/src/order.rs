//! The order in which stages can run.
//! Unaware of what they do.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use spec::Pipeline;

/// The wanted stages and all they depend on, inputs first, else as they stand in the file; every stage when none is
/// named.
///
/// `spec` has refused cycles, so each stage comes out once.
pub(super) fn order(pipeline: &Pipeline, wanted: &BTreeSet<usize>) -> Vec<usize> {
    let graph = graph(pipeline);
    let needed = needed(&graph, wanted);
    let mut missing: Vec<usize> = pipeline.stages.iter().map(|s| s.inputs.len()).collect();
    let first = (0..missing.len()).filter(|&at| missing[at] == 0);
    let mut ready: BinaryHeap<Reverse<usize>> = first.map(Reverse).collect();
    let mut order = Vec::with_capacity(graph.node_count());
    while let Some(Reverse(at)) = ready.pop() {
        if wanted.is_empty() || needed.contains(&at) {
            order.push(at);
        }
        for reader in graph.neighbors_directed(NodeIndex::new(at), Direction::Outgoing) {
            let left = &mut missing[reader.index()];
            *left -= 1;
            if *left == 0 {
                ready.push(Reverse(reader.index()));
            }
        }
    }
    order
}

fn graph(pipeline: &Pipeline) -> DiGraph<(), (), u32> {
    let mut graph = DiGraph::with_capacity(pipeline.stages.len(), 2 * pipeline.stages.len());
    for _ in &pipeline.stages {
        graph.add_node(());
    }
    for (at, stage) in pipeline.stages.iter().enumerate() {
        for edge in &stage.inputs {
            graph.add_edge(NodeIndex::new(edge.stage), NodeIndex::new(at), ());
        }
    }
    graph
}

fn needed(graph: &DiGraph<(), ()>, wanted: &BTreeSet<usize>) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut next: Vec<usize> = wanted.iter().copied().collect();
    while let Some(at) = next.pop() {
        if found.insert(at) {
            let inputs = graph.neighbors_directed(NodeIndex::new(at), Direction::Incoming);
            next.extend(inputs.map(NodeIndex::index));
        }
    }
    found
}
