//! The plot as SVG: frames, grids, curves, legend.
//! Unaware of browsers; it is light or dark as the reader's system is.

use super::scale::{Scale, log_ticks, shown};
use super::{Curve, Frame, Plot};
use crate::xml::escaped;

const WIDTH: f64 = 760.0;
/// Height of a frame that curves are in.
const FRAME: f64 = 260.0;
/// Between two frames: ticks.
const BETWEEN: f64 = 38.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 52.0;
/// Between the last frame and the legend: ticks and the name of the axis.
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
        let xs = self.frames.iter().flat_map(|f| f.values(|(x, _)| x));
        let across = Scale {
            low: 0.0,
            high: xs.fold(1.0, f64::max),
            from: LEFT,
            to: WIDTH - RIGHT,
        };
        let (mut frames, mut cut, mut top) = (String::new(), false, TOP);
        for (n, frame) in self.frames.iter().enumerate() {
            frames += &frame.drawn(n, top, across, &names, &mut cut);
            top += FRAME + BETWEEN;
        }
        let axis = top - BETWEEN;
        let notes = self.lines(cut);
        let legend = axis + AXIS;
        let below = legend + LINE * names.len() as f64;
        let bottom = below + LINE * notes.len() as f64 + 8.0;
        let mut out = self.head(bottom) + &frames;
        let middle = f64::midpoint(LEFT, WIDTH - RIGHT);
        out += &text("", middle, axis + 38.0, "middle", &self.x);
        for (n, name) in names.iter().enumerate() {
            out += &self.legend(name, n, legend + LINE * n as f64);
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
        for curve in self.frames.iter().flat_map(|frame| &frame.curves) {
            if !names.contains(&curve.name.as_str()) {
                names.push(&curve.name);
            }
        }
        names
    }

    fn head(&self, height: f64) -> String {
        let title = escaped(&self.title);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
             viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n\
             <rect class=\"page\" width=\"{WIDTH}\" height=\"{height}\"/>\n{}",
            text("title", LEFT, 28.0, "start", &self.title)
        )
    }

    /// A line of the legend: the name, and the best of each of its curves in the first frame.
    fn legend(&self, name: &str, at: usize, y: f64) -> String {
        let first = self.frames.first().map_or(&[][..], |frame| &frame.curves);
        let own = first.iter().filter(|c| c.name == name);
        let best = own.filter_map(|c| {
            let best = c.points.iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
            Some(format!("best {:.4} at {}", best.1, best.0))
        });
        let best: Vec<String> = best.collect();
        let name = if best.is_empty() {
            name.to_owned()
        } else {
            format!("{name}: {}", best.join("; "))
        };
        format!(
            "<line class=\"curve\" {} x1=\"{LEFT}\" y1=\"{1}\" x2=\"{2}\" y2=\"{1}\"/>\n{3}",
            stroke(at),
            y - 4.0,
            LEFT + 28.0,
            text("", LEFT + 38.0, y, "start", &name)
        )
    }
}

impl Frame {
    fn values(&self, pick: fn((f64, f64)) -> f64) -> Vec<f64> {
        let points = self.curves.iter().flat_map(|c| &c.points);
        points.map(|p| pick(*p)).collect()
    }

    /// The values as the axis has them.
    fn heights(&self) -> Vec<f64> {
        let values = self.values(|(_, y)| y).into_iter();
        values.map(|y| self.height(y)).collect()
    }

    fn height(&self, y: f64) -> f64 {
        if self.is_log { y.log10() } else { y }
    }

    /// The frame, its axes and curves; says whether low values are cut off.
    fn drawn(&self, n: usize, top: f64, across: Scale, names: &[&str], cut: &mut bool) -> String {
        let heights = self.heights();
        let (low, high) = if self.is_log {
            let ends = heights.iter().fold((0.0_f64, f64::MIN), |(low, high), v| {
                (low.min(*v), high.max(*v))
            });
            if heights.is_empty() {
                (-1.0, 0.0)
            } else {
                (ends.0.min(ends.1 - 0.1), ends.1 + 0.05)
            }
        } else {
            let (low, high, is_cut) = shown(&heights);
            *cut |= is_cut;
            (low, high)
        };
        let up = Scale {
            low,
            high,
            from: top + FRAME,
            to: top,
        };
        let id = format!("frame{n}");
        let mut out = format!(
            "<defs><clipPath id=\"{id}\"><rect x=\"{LEFT}\" y=\"{top}\" width=\"{}\" height=\"{FRAME}\"/></clipPath></defs>\n",
            WIDTH - LEFT - RIGHT,
        );
        out += &self.axes(top, across, up);
        for curve in &self.curves {
            let at = names.iter().position(|n| *n == curve.name).unwrap_or(0);
            out += &self.curve(curve, at, &id, top, across, up);
        }
        out
    }

    fn axes(&self, top: f64, across: Scale, up: Scale) -> String {
        let mut out = String::new();
        for tick in across.whole_ticks(8) {
            let x = across.place(tick);
            out += &line(x, top, x, top + FRAME);
            out += &text("", x, top + FRAME + 18.0, "middle", &format!("{tick:.0}"));
        }
        let ticks = if self.is_log {
            log_ticks(up)
        } else {
            let (ticks, decimals) = up.ticks(7);
            let ticks = ticks.into_iter();
            ticks.map(|t| (t, format!("{t:.decimals$}"))).collect()
        };
        for (tick, label) in ticks {
            let y = up.place(tick);
            out += &line(LEFT, y, WIDTH - RIGHT, y);
            out += &text("", LEFT - 8.0, y + 4.0, "end", &label);
        }
        out += &format!(
            "<text x=\"18\" y=\"{0}\" text-anchor=\"middle\" transform=\"rotate(-90 18 {0})\">{1}</text>\n",
            top + FRAME / 2.0,
            escaped(&self.y)
        );
        out + &format!(
            "<rect class=\"frame\" x=\"{LEFT}\" y=\"{top}\" width=\"{}\" height=\"{FRAME}\"/>\n",
            WIDTH - LEFT - RIGHT
        )
    }

    fn curve(
        &self,
        curve: &Curve,
        color: usize,
        id: &str,
        top: f64,
        across: Scale,
        up: Scale,
    ) -> String {
        let place = |(x, y): &(f64, f64)| (across.place(*x), up.place(self.height(*y)));
        let points = curve.points.iter().map(place);
        let points: Vec<String> = points.map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let stroke = stroke(color);
        let mut out = format!(
            "<g clip-path=\"url(#{id})\"><polyline class=\"curve\" {stroke} points=\"{}\"/></g>\n",
            points.join(" ")
        );
        let marked = curve.points.iter().find(|(x, _)| Some(*x) == curve.marked);
        if let Some((x, y)) = marked
            .map(place)
            .filter(|(_, y)| (top..=top + FRAME).contains(y))
        {
            out += &format!(
                "<circle class=\"mark\" {stroke} cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4.5\"/>\n"
            );
        }
        out
    }
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
