//! The graph for Mermaid, which GitHub and GitLab show in Markdown.
//! Unaware of layout: Mermaid does it.

use super::build::{Graph, State};

/// The text of a `.mmd` file.
pub fn mermaid(graph: &Graph) -> String {
    let mut out = String::from("flowchart LR\n");
    for (i, node) in graph.nodes.iter().enumerate() {
        let class = node.counts.worst().class();
        out += &format!(
            "  n{i}[\"{}<br/><small>{}: {}</small>\"]:::{class}\n",
            escaped(&node.title()),
            escaped(&node.kind),
            node.counts.words(),
        );
    }
    for (from, to) in &graph.edges {
        out += &format!("  n{from} --> n{to}\n");
    }
    for state in State::ALL {
        out += &format!("  classDef {} {}\n", state.class(), style(state));
    }
    out
}

/// Dark text on a light fill: readable whatever the page's theme is.
const fn style(state: State) -> &'static str {
    match state {
        State::Fresh => "fill:#d9f0dd,stroke:#2f8f46,color:#1d2329",
        State::Stale => "fill:#fdeec3,stroke:#b7791f,color:#1d2329",
        State::Blocked => "fill:#fbdcd9,stroke:#c0392b,color:#1d2329",
    }
}

/// Anything that could end a label or begin a tag or an entity, as an entity.
fn escaped(text: &str) -> String {
    let special = |c: char| matches!(c, '"' | '#' | '&' | '<' | '>' | '`' | '\\' | '\n');
    let one = |c: char| {
        if special(c) {
            format!("#{};", u32::from(c))
        } else {
            c.into()
        }
    };
    text.chars().map(one).collect()
}
