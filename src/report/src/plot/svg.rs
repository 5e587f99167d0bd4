//! The plot as SVG: frame, grid, curves, legend.
//! Unaware of browsers; it is light or dark as the reader's system is.

use super::scale::{Scale, shown};
use super::{Curve, Plot};
use crate::xml::escaped;

const WIDTH: f64 = 760.0;
/// Height of the frame that the curves are in.
const FRAME: f64 = 340.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 52.0;
/// Between the frame and the legend: ticks and the name of the axis.
const AXIS: f64 = 64.0;
/// A line of the legend.
const LINE: f64 = 20.0;
/// Letters of a note that fit across.
const WIDEST: usize = 95;

/// Okabe and Ito's colours, which people with colour blindness tell apart; the last ones again dashed.
const COLORS: [&str; 7] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#777777",
];

const STYLE: &str = "\
    text { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace; font-size: 12px; fill: #1d2329; }
    .page { fill: #ffffff; } .title { font-size: 15px; font-weight: 600; } .note { font-size: 11px; fill: #59626e; }
    .grid { stroke: #e3e7eb; } .frame { fill: none; stroke: #7c8590; } .curve { fill: none; stroke-width: 1.8; }
    .mark { fill: #ffffff; stroke-width: 2; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e8ebef; } .page { fill: #14181d; } .note { fill: #a2acb8; } .grid { stroke: #2b323a; } .mark { fill: #14181d; }
    }
";

impl Plot {
    /// The text of an `.svg` file.
    pub fn svg(&self) -> String {
        let names = self.names();
        let (low, high, cut) = shown(&self.values(|(_, y)| y));
        let notes = self.lines(cut);
        let below = TOP + FRAME + AXIS + LINE * names.len() as f64;
        let bottom = below + LINE * notes.len() as f64 + 8.0;
        let end = self.values(|(x, _)| x).into_iter().fold(1.0, f64::max);
        let across = Scale {
            low: 0.0,
            high: end,
            from: LEFT,
            to: WIDTH - RIGHT,
        };
        let up = Scale {
            low,
            high,
            from: TOP + FRAME,
            to: TOP,
        };
        let mut out = self.head(bottom);
        out += &axes(across, up, self);
        for curve in &self.curves {
            let at = names.iter().position(|n| *n == curve.name).unwrap_or(0);
            out += &drawn(curve, at, across, up);
        }
        for (n, name) in names.iter().enumerate() {
            out += &self.legend(name, n, TOP + FRAME + AXIS + LINE * n as f64);
        }
        for (n, note) in notes.iter().enumerate() {
            out += &text("note", LEFT, below + LINE * n as f64 + 4.0, "start", note);
        }
        out + "</svg>\n"
    }

    /// The notes, in lines that fit the picture.
    fn lines(&self, cut: bool) -> Vec<String> {
        let mut lines = Vec::new();
        let cut = cut.then_some("Lower values are cut off.");
        for note in self.notes.iter().map(String::as_str).chain(cut) {
            let mut line = String::new();
            for word in note.split_whitespace() {
                if !line.is_empty() && line.chars().count() + word.chars().count() >= WIDEST {
                    lines.push(std::mem::take(&mut line));
                }
                line += if line.is_empty() { "" } else { " " };
                line += word;
            }
            lines.push(line);
        }
        lines
    }

    /// The names of the legend, each once.
    fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for curve in &self.curves {
            if !names.contains(&curve.name.as_str()) {
                names.push(&curve.name);
            }
        }
        names
    }

    fn values(&self, pick: fn((f64, f64)) -> f64) -> Vec<f64> {
        let points = self.curves.iter().flat_map(|c| &c.points);
        points.map(|p| pick(*p)).collect()
    }

    fn head(&self, height: f64) -> String {
        let title = escaped(&self.title);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
             viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n\
             <defs><clipPath id=\"frame\"><rect x=\"{LEFT}\" y=\"{TOP}\" width=\"{}\" height=\"{FRAME}\"/></clipPath></defs>\n\
             <rect class=\"page\" width=\"{WIDTH}\" height=\"{height}\"/>\n{}",
            WIDTH - LEFT - RIGHT,
            text("title", LEFT, 28.0, "start", &self.title)
        )
    }

    /// A line of the legend: the name, and the best of each of its curves.
    fn legend(&self, name: &str, at: usize, y: f64) -> String {
        let own = self.curves.iter().filter(|c| c.name == name);
        let best = own.filter_map(|c| {
            let best = c.points.iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
            Some(format!("best {:.4} at {}", best.1, best.0))
        });
        let best: Vec<String> = best.collect();
        format!(
            "<line class=\"curve\" {} x1=\"{LEFT}\" y1=\"{1}\" x2=\"{2}\" y2=\"{1}\"/>\n{3}",
            stroke(at),
            y - 4.0,
            LEFT + 28.0,
            text(
                "",
                LEFT + 38.0,
                y,
                "start",
                &format!("{name}: {}", best.join("; "))
            )
        )
    }
}

fn axes(across: Scale, up: Scale, plot: &Plot) -> String {
    let mut out = String::new();
    let (ticks, decimals) = across.ticks(8);
    for tick in ticks {
        let x = across.place(tick);
        out += &line(x, TOP, x, TOP + FRAME);
        out += &text(
            "",
            x,
            TOP + FRAME + 18.0,
            "middle",
            &format!("{tick:.decimals$}"),
        );
    }
    let (ticks, decimals) = up.ticks(7);
    for tick in ticks {
        let y = up.place(tick);
        out += &line(LEFT, y, WIDTH - RIGHT, y);
        out += &text(
            "",
            LEFT - 8.0,
            y + 4.0,
            "end",
            &format!("{tick:.decimals$}"),
        );
    }
    let middle = f64::midpoint(LEFT, WIDTH - RIGHT);
    out += &text("", middle, TOP + FRAME + 38.0, "middle", &plot.x);
    out += &format!(
        "<text x=\"18\" y=\"{0}\" text-anchor=\"middle\" transform=\"rotate(-90 18 {0})\">{1}</text>\n",
        TOP + FRAME / 2.0,
        escaped(&plot.y)
    );
    out + &format!(
        "<rect class=\"frame\" x=\"{LEFT}\" y=\"{TOP}\" width=\"{}\" height=\"{FRAME}\"/>\n",
        WIDTH - LEFT - RIGHT
    )
}

fn drawn(curve: &Curve, color: usize, across: Scale, up: Scale) -> String {
    let place = |(x, y): &(f64, f64)| (across.place(*x), up.place(*y));
    let points = curve.points.iter().map(place);
    let points: Vec<String> = points.map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let stroke = stroke(color);
    let mut out = format!(
        "<g clip-path=\"url(#frame)\"><polyline class=\"curve\" {stroke} points=\"{}\"/></g>\n",
        points.join(" ")
    );
    let marked = curve.points.iter().find(|(x, _)| Some(*x) == curve.marked);
    if let Some((x, y)) = marked
        .map(place)
        .filter(|(_, y)| (TOP..=TOP + FRAME).contains(y))
    {
        out +=
            &format!("<circle class=\"mark\" {stroke} cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4.5\"/>\n");
    }
    out
}

fn stroke(at: usize) -> String {
    let dash = match at / COLORS.len() {
        0 => "",
        1 => " stroke-dasharray=\"7 4\"",
        _ => " stroke-dasharray=\"2 3\"",
    };
    format!("stroke=\"{}\"{dash}", COLORS[at % COLORS.len()])
}

fn line(x1: f64, y1: f64, x2: f64, y2: f64) -> String {
    format!("<line class=\"grid\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>\n")
}

fn text(class: &str, x: f64, y: f64, anchor: &str, content: &str) -> String {
    let content = escaped(content);
    format!(
        "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{content}</text>\n"
    )
}
