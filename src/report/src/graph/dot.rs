//! The graph for Graphviz.
//! Unaware of layout: `dot` does it.

use super::build::{Graph, Node, State};

/// Fill and line of a state.
const fn colours(state: State) -> (&'static str, &'static str) {
    match state {
        State::Fresh => ("#d9f0dd", "#2f8f46"),
        State::Stale => ("#fdeec3", "#b7791f"),
        State::Blocked => ("#fbdcd9", "#c0392b"),
    }
}

/// The text of a `.dot` file.
pub fn dot(graph: &Graph) -> String {
    let mut out = format!("digraph {} {{\n", quoted(&graph.title));
    out += "  rankdir=LR;\n  bgcolor=transparent;\n";
    out += "  node [shape=box, style=\"rounded,filled\", fontname=\"Helvetica\", fontsize=11];\n";
    out += "  edge [color=\"#8a8f98\", arrowsize=0.7];\n";
    for (i, node) in graph.nodes.iter().enumerate() {
        out += &format!("  n{i} [{}];\n", attributes(node));
    }
    for (from, to) in &graph.edges {
        out += &format!("  n{from} -> n{to};\n");
    }
    out + "}\n"
}

fn attributes(node: &Node) -> String {
    let (fill, line) = colours(node.counts.worst());
    let label = format!("{}\n{}: {}", node.title(), node.kind, node.counts.words());
    format!(
        "label={}, fillcolor=\"{fill}\", color=\"{line}\"",
        quoted(&label)
    )
}

/// A string of the language: quotes and backslashes escaped, lines by `\n`.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", escaped.replace('\n', "\\n"))
}
