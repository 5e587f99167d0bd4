//! The graph as a picture that needs no other program: columns from left to right, curved edges, a legend.
//! Unaware of browsers; it is light or dark as the reader's system is.

use super::build::{Graph, Node, State};
use super::layers::{Tips, layers};
use super::order::order;
use super::place::{Sizes, place};
use crate::xml::escaped;

/// Height of a node.
const NODE: f64 = 44.0;
/// Between columns: room for edges to cross.
const LANE: f64 = 72.0;
/// Around everything.
const MARGIN: f64 = 24.0;
/// Title above the graph, and legend below it.
const HEAD: f64 = 56.0;
const FOOT: f64 = 44.0;
/// Width of a letter of the two sizes of text: fonts of one width differ little, so that text fits its box anywhere.
const LETTER: f64 = 7.9;
const SMALL: f64 = 6.7;
/// Longer names are cut, the whole stands in the tooltip.
const LONGEST: usize = 40;

/// Colours twice: for light pages, and for readers whose system is dark. Shapes and words say the same as colours.
const STYLE: &str = "\
    text { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace; }
    .page { fill: #ffffff; } .title { font-size: 15px; font-weight: 600; } .name { font-size: 13px; font-weight: 600; }
    .title, .name { fill: #1d2329; } .note { font-size: 11px; fill: #59626e; }
    .edge { fill: none; stroke: #a3abb5; stroke-width: 1.4; } .tip { fill: #7c8590; }
    .node { stroke-width: 1.4; } .back { opacity: 0.35; }
    .node.fresh { fill: #e4f5e8; stroke: #3f9a57; } .part.fresh { fill: #3f9a57; }
    .node.stale { fill: #fff3d1; stroke: #c08a1e; } .part.stale { fill: #d79b21; }
    .node.blocked { fill: #fde3e0; stroke: #c8483c; } .part.blocked { fill: #c8483c; }
    @media (prefers-color-scheme: dark) {
      .page { fill: #14181d; } .title, .name { fill: #e8ebef; } .note { fill: #a2acb8; }
      .edge { stroke: #566170; } .tip { fill: #7b8797; }
      .node.fresh { fill: #16321f; } .node.stale { fill: #3a2d0c; } .node.blocked { fill: #411a17; }
    }
";

#[derive(Clone, Copy)]
struct Point {
    x: f64,
    y: f64,
}

/// Where everything stands.
struct Drawing {
    /// Top left corner and width of each node.
    boxes: Vec<(Point, f64)>,
    /// The parts of edges: attributes of their tips, and the curve.
    parts: Vec<(&'static str, String)>,
    width: f64,
    height: f64,
}

/// The text of an `.svg` file.
pub fn svg(graph: &Graph) -> String {
    let drawing = draw(graph);
    let (legend, legend_width) = legend(graph, drawing.height + MARGIN + HEAD + 28.0);
    let title = format!("{}: {}", graph.title, summary(graph));
    let width = (drawing.width.max(legend_width).max(wide(&title, 9.1)) + 2.0 * MARGIN).ceil();
    let height = (drawing.height + 2.0 * MARGIN + HEAD + FOOT - 16.0).ceil();
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\">\n\
         <title>{}</title>\n<style>\n{STYLE}</style>\n",
        escaped(&title)
    );
    out += "<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" \
            markerUnits=\"userSpaceOnUse\" orient=\"auto-start-reverse\"><path class=\"tip\" d=\"M0 0.8 8 4 0 7.2z\"/></marker></defs>\n";
    out += &format!("<rect class=\"page\" width=\"{width}\" height=\"{height}\"/>\n");
    out += &text("title", MARGIN, MARGIN + 12.0, &title);
    for (tips, curve) in &drawing.parts {
        out += &format!("<path class=\"edge\"{tips} d=\"{curve}\"/>\n");
    }
    for (node, (at, width)) in graph.nodes.iter().zip(&drawing.boxes) {
        out += &node_text(node, *at, *width);
    }
    out + &legend + "</svg>\n"
}

/// `22 stages: 1 fresh, 21 to run`.
fn summary(graph: &Graph) -> String {
    let counts = graph.counts();
    match counts.total() {
        1 => format!("1 stage, {}", counts.words()),
        n => format!("{n} stages, {}", counts.words()),
    }
}

fn draw(graph: &Graph) -> Drawing {
    let nodes = graph.nodes.len();
    let layers = layers(nodes, &graph.edges);
    let columns = order(&layers);
    let sizes = Sizes {
        node: NODE,
        edge: 6.0,
        gap: 16.0,
    };
    let (middle, height) = place(&layers, &columns, nodes, &sizes);
    let (lefts, widths) = columns_across(graph, &columns);
    let at = |item: usize, x: f64| Point {
        x,
        y: middle[item] + MARGIN + HEAD - 16.0,
    };
    let enter = |item: usize| at(item, lefts[layers.column[item]]);
    let leave = |item: usize| {
        at(
            item,
            lefts[layers.column[item]] + widths[layers.column[item]],
        )
    };
    let part = |(&(from, to), tips): (&(usize, usize), &Tips)| {
        let mut curve = curve(leave(from), enter(to));
        if to >= nodes {
            // The edge goes on: straight across the column it passes.
            let Point { x, y } = leave(to);
            curve += &format!("L{x:.1} {y:.1}");
        }
        (marks(*tips), curve)
    };
    let parts = layers.parts.iter().map(part).collect();
    let corner = |node: usize| {
        let Point { x, y } = enter(node);
        (
            Point {
                x,
                y: y - NODE / 2.0,
            },
            widths[layers.column[node]],
        )
    };
    let ends = lefts.iter().zip(&widths).map(|(l, w)| l + w);
    Drawing {
        parts,
        boxes: (0..nodes).map(corner).collect(),
        width: ends.fold(MARGIN, f64::max) - MARGIN,
        height,
    }
}

/// The left end and the width of each column.
fn columns_across(graph: &Graph, columns: &[Vec<usize>]) -> (Vec<f64>, Vec<f64>) {
    let width = |column: &Vec<usize>| {
        let nodes = column.iter().filter_map(|item| graph.nodes.get(*item));
        nodes.map(node_width).fold(0.0, f64::max)
    };
    let widths: Vec<f64> = columns.iter().map(width).collect();
    let mut x = MARGIN;
    let mut lefts = Vec::new();
    for width in &widths {
        lefts.push(x);
        x += width + LANE;
    }
    (lefts, widths)
}

fn node_width(node: &Node) -> f64 {
    let name = wide(&shortened(&node.title()), LETTER);
    let note = wide(&note(node), SMALL);
    (name.max(note) + 28.0).ceil()
}

fn wide(text: &str, letter: f64) -> f64 {
    text.chars().count() as f64 * letter
}

fn shortened(name: &str) -> String {
    if name.chars().count() <= LONGEST {
        return name.to_owned();
    }
    let head: String = name.chars().take(LONGEST - 1).collect();
    head + "…"
}

fn note(node: &Node) -> String {
    format!("{} · {}", node.kind, node.counts.words())
}

/// From column to column along a curve that leaves and arrives level.
fn curve(from: Point, to: Point) -> String {
    let half = f64::midpoint(from.x, to.x);
    format!(
        "M{:.1} {:.1}C{half:.1} {:.1} {half:.1} {:.1} {:.1} {:.1}",
        from.x, from.y, from.y, to.y, to.x, to.y
    )
}

const fn marks(tips: Tips) -> &'static str {
    match (tips.left, tips.right) {
        (false, false) => "",
        (false, true) => " marker-end=\"url(#tip)\"",
        (true, false) => " marker-start=\"url(#tip)\"",
        (true, true) => " marker-start=\"url(#tip)\" marker-end=\"url(#tip)\"",
    }
}

fn node_text(node: &Node, at: Point, width: f64) -> String {
    let state = node.counts.worst().class();
    let Point { x, y } = at;
    // A sweep looks like a pile.
    let back = if node.swept {
        rect(&format!("node {state} back"), x + 4.0, y + 4.0, width)
    } else {
        String::new()
    };
    let tooltip = format!("{} ({})", node.title(), note(node));
    format!(
        "<g><title>{}</title>\n{back}{}{}{}{}</g>\n",
        escaped(&tooltip),
        rect(&format!("node {state}"), x, y, width),
        text("name", x + 14.0, y + 19.0, &shortened(&node.title())),
        text("note", x + 14.0, y + 35.0, &note(node)),
        states(node, x, y),
    )
}

fn rect(class: &str, x: f64, y: f64, width: f64) -> String {
    format!(
        "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{NODE}\" rx=\"6\"/>\n"
    )
}

/// A bar down the left side, divided as the members are: the states without reading.
fn states(node: &Node, x: f64, y: f64) -> String {
    let inner = NODE - 12.0;
    let share = inner / node.counts.total().max(1) as f64;
    let mut top = y + 6.0;
    let mut out = String::new();
    for state in State::ALL {
        let height = share * node.counts.of(state) as f64;
        if height > 0.0 {
            out += &format!(
                "<rect class=\"part {}\" x=\"{:.1}\" y=\"{top:.1}\" width=\"3\" height=\"{height:.1}\"/>\n",
                state.class(),
                x + 5.0
            );
        }
        top += height;
    }
    out
}

/// What the colours mean, with numbers; and its width.
fn legend(graph: &Graph, y: f64) -> (String, f64) {
    let counts = graph.counts();
    let mut x = MARGIN;
    let mut out = String::new();
    for state in State::ALL {
        let words = format!("{} {}", counts.of(state), state.words());
        out += &format!(
            "<rect class=\"node {}\" x=\"{x:.1}\" y=\"{:.1}\" width=\"14\" height=\"14\" rx=\"3\"/>\n",
            state.class(),
            y - 11.0
        );
        out += &text("note", x + 20.0, y, &words);
        x += 20.0 + wide(&words, SMALL) + 22.0;
    }
    (out, x - MARGIN)
}

fn text(class: &str, x: f64, y: f64, content: &str) -> String {
    let content = escaped(content);
    format!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{content}</text>\n")
}
