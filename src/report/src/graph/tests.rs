//! Golden texts of the three forms, and what the layout promises.
//! Unaware of pipeline files.

use super::build::{Counts, Graph, Node, State};
use super::layers::{Tips, layers};
use super::order::{crossings, order};
use super::place::{Sizes, place};
use super::{dot, mermaid, svg};

const SIZES: Sizes = Sizes {
    node: 44.0,
    edge: 6.0,
    gap: 16.0,
};

fn node(name: &str, kind: &str, states: &[State]) -> Node {
    let mut counts = Counts::default();
    for state in states {
        counts.add(*state);
    }
    Node {
        name: name.into(),
        kind: kind.into(),
        swept: states.len() > 1,
        counts,
    }
}

/// Four nodes, one of them a sweep with names that every form has to escape.
fn small() -> Graph {
    use State::{Blocked, Fresh, Stale};
    Graph {
        title: "a & \"b\".yaml".into(),
        nodes: vec![
            node("pairs", "prepare", &[Fresh]),
            node("masks[k=<\"x\">]", "mask", &[Blocked]),
            node("tuned", "tune", &[Fresh, Stale, Stale, Stale]),
            node("score", "evaluate", &[Stale]),
        ],
        edges: vec![(0, 1), (0, 2), (0, 3), (1, 2), (2, 3)],
    }
}

#[test]
fn dot_is_as_written_down() {
    let expected = r##"digraph "a & \"b\".yaml" {
  rankdir=LR;
  bgcolor=transparent;
  node [shape=box, style="rounded,filled", fontname="Helvetica", fontsize=11];
  edge [color="#8a8f98", arrowsize=0.7];
  n0 [label="pairs\nprepare: fresh", fillcolor="#d9f0dd", color="#2f8f46"];
  n1 [label="masks[k=<\"x\">]\nmask: blocked", fillcolor="#fbdcd9", color="#c0392b"];
  n2 [label="tuned × 4\ntune: 1 fresh, 3 to run", fillcolor="#fdeec3", color="#b7791f"];
  n3 [label="score\nevaluate: to run", fillcolor="#fdeec3", color="#b7791f"];
  n0 -> n1;
  n0 -> n2;
  n0 -> n3;
  n1 -> n2;
  n2 -> n3;
}
"##;
    assert_eq!(dot(&small()), expected);
}

#[test]
fn mermaid_is_as_written_down() {
    let expected = r#"flowchart LR
  n0["pairs<br/><small>prepare: fresh</small>"]:::fresh
  n1["masks[k=#60;#34;x#34;#62;]<br/><small>mask: blocked</small>"]:::blocked
  n2["tuned × 4<br/><small>tune: 1 fresh, 3 to run</small>"]:::stale
  n3["score<br/><small>evaluate: to run</small>"]:::stale
  n0 --> n1
  n0 --> n2
  n0 --> n3
  n1 --> n2
  n2 --> n3
  classDef fresh fill:#d9f0dd,stroke:#2f8f46,color:#1d2329
  classDef stale fill:#fdeec3,stroke:#b7791f,color:#1d2329
  classDef blocked fill:#fbdcd9,stroke:#c0392b,color:#1d2329
"#;
    assert_eq!(mermaid(&small()), expected);
}

/// `RENEW_GOLDEN=1` writes the picture anew; look at it before committing it.
#[test]
fn svg_is_as_written_down() {
    let now = svg(&small());
    if std::env::var_os("RENEW_GOLDEN").is_some() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/report/graph/golden.svg");
        std::fs::write(file, &now).unwrap();
    } else {
        assert_eq!(include_str!("golden.svg"), now);
    }
}

/// Whether all tags of an XML text are closed in order and no character stands raw that may not.
fn well_formed(xml: &str) -> bool {
    let mut open: Vec<&str> = Vec::new();
    for piece in xml.split('<').skip(1) {
        let Some((tag, content)) = piece.split_once('>') else {
            return false;
        };
        if content.contains('>') && !content.contains("style") && open.last() != Some(&"style") {
            return false;
        }
        let name = tag.split([' ', '\n']).next().unwrap_or_default();
        match name.strip_prefix('/') {
            Some(closed) if open.pop() != Some(closed) => return false,
            None if !tag.ends_with('/') => open.push(name),
            _ => {}
        }
    }
    open.is_empty()
        && !xml
            .replace("&amp;", "")
            .replace("&lt;", "")
            .replace("&gt;", "")
            .replace("&quot;", "")
            .contains('&')
}

#[test]
fn svg_is_xml_whatever_the_names_are() {
    assert!(!well_formed("<a><b></a></b>") && !well_formed("<a>&</a>"));
    let mut graph = small();
    assert!(well_formed(&svg(&graph)));
    graph.nodes[0].name = "]]><script>&\"'\u{1}\u{202e}".repeat(9);
    let text = svg(&graph);
    assert!(
        well_formed(&text) && !text.contains("<script") && !text.contains('\u{1}'),
        "{text}"
    );
    graph.nodes.clear();
    graph.edges.clear();
    assert!(well_formed(&svg(&graph)));
}

#[test]
fn edges_lead_right_and_circles_are_cut() {
    let edges = [(0, 1), (1, 2), (2, 0), (2, 3), (0, 3), (4, 3)];
    let layers = layers(5, &edges);
    for (from, to) in layers.parts.keys() {
        assert_eq!(layers.column[*from] + 1, layers.column[*to]);
    }
    let tips = |pick: fn(&Tips) -> bool| layers.parts.values().filter(|t| pick(t)).count();
    assert_eq!((tips(|t| t.left), tips(|t| t.right)), (1, 5));
    // A lone input stands beside its reader.
    assert_eq!(layers.column[4] + 1, layers.column[3]);
}

#[test]
fn edges_from_a_node_share_the_places_they_pass() {
    let layers = layers(
        6,
        &[
            (0, 1),
            (1, 2),
            (2, 3),
            (2, 4),
            (2, 5),
            (0, 3),
            (0, 4),
            (0, 5),
        ],
    );
    assert_eq!(layers.column.len(), 6 + 2);
}

#[test]
fn crossings_that_need_not_be_are_removed() {
    // Three pairs, wired crosswise: 0 reads the last, 2 the first.
    let edges = [(0, 5), (1, 4), (2, 3), (0, 4), (2, 4)];
    let layers = layers(6, &edges);
    let (_, right) = layers.neighbours();
    assert!(crossings(&layers.columns(), &right) > 0);
    assert_eq!(crossings(&order(&layers), &right), 0);
}

#[test]
fn items_of_a_column_never_overlap() {
    let mut edges = Vec::new();
    for from in 0..8 {
        for to in 8..16 {
            if (from * 7 + to * 5) % 3 == 0 {
                edges.push((from, to));
            }
        }
        edges.push((from, 16));
    }
    let layers = layers(17, &edges);
    let columns = order(&layers);
    let (middle, height) = place(&layers, &columns, 17, &SIZES);
    let tall = |item: usize| if item < 17 { 44.0 } else { 6.0 };
    for column in &columns {
        for pair in column.windows(2) {
            let (upper, lower) = (pair[0], pair[1]);
            let apart = middle[lower] - middle[upper];
            assert!(apart + 1e-6 >= 16.0 + f64::midpoint(tall(upper), tall(lower)));
        }
        for &item in column {
            assert!(middle[item] >= 0.0 && middle[item] <= height);
        }
    }
}

#[test]
fn a_chain_is_drawn_straight() {
    let layers = layers(4, &[(0, 1), (1, 2), (2, 3)]);
    let (middle, _) = place(&layers, &order(&layers), 4, &SIZES);
    assert!(
        middle.iter().all(|y| (y - middle[0]).abs() < 1e-6),
        "{middle:?}"
    );
}

#[test]
fn counts_are_said_in_words() {
    let words = |states: &[State]| node("n", "mask", states).counts.words();
    assert_eq!(words(&[State::Fresh]), "fresh");
    assert_eq!(
        words(&[State::Stale, State::Fresh, State::Stale]),
        "1 fresh, 2 to run"
    );
    assert_eq!(
        node("n", "mask", &[State::Fresh, State::Stale]).title(),
        "n × 2"
    );
}
