//! Writes a sheet for the terminal, as Markdown and as LaTeX.
//! Unaware of where the numbers come from.

use tabled::builder::Builder;
use tabled::settings::object::{Columns, Rows};
use tabled::settings::{Alignment, Style};

use diagnostics::shown::line;

use super::escape::{self, tex};
use super::sheet::{Sheet, Text};

/// For the terminal: the best value of a group carries a star.
pub(crate) fn text(sheet: &Sheet) -> String {
    let mut builder = Builder::default();
    builder.push_record(sheet.headings.iter().map(|h| line(h)));
    let star = |c: &Text| format!("{}{}", line(&c.text), if c.best { "*" } else { "" });
    for cells in &sheet.lines {
        builder.push_record(cells.iter().map(star));
    }
    let mut table = builder.build();
    table.with(Style::rounded());
    table.modify(Columns::new(sheet.labels..), Alignment::right());
    table.modify(Rows::first(), Alignment::center());
    let best = sheet.lines.iter().flatten().any(|c| c.best);
    let own = |text: &String| line(text).into_owned();
    let mut lines = vec![own(&sheet.caption), table.to_string()];
    lines.extend(sheet.notes.iter().map(own));
    if let Some(protocol) = lines.get_mut(2).filter(|_| best) {
        protocol.push_str(" * best");
    }
    lines.retain(|line| !line.is_empty());
    lines.join("\n") + "\n"
}

/// GitHub's Markdown; best values bold.
pub(crate) fn markdown(sheet: &Sheet) -> String {
    let bold = |c: &Text| {
        let mark = if c.best { "**" } else { "" };
        format!("{mark}{}{mark}", escape::markdown(&c.text))
    };
    let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut out = String::new();
    if !sheet.caption.is_empty() {
        out += &format!("**{}**\n\n", escape::markdown(&sheet.caption));
    }
    out += &row(sheet.headings.iter().map(|h| escape::markdown(h)).collect());
    let rule = |at: usize| if at < sheet.labels { "---" } else { "---:" };
    out += &row((0..sheet.headings.len())
        .map(rule)
        .map(String::from)
        .collect());
    for line in &sheet.lines {
        out += &row(line.iter().map(bold).collect());
    }
    let notes: Vec<String> = sheet.notes.iter().map(|n| escape::sentence(n)).collect();
    format!("{out}\n{}\n", notes.join("\n"))
}

/// A booktabs table; best values bold.
pub(crate) fn latex(sheet: &Sheet) -> String {
    let bold = |c: &Text| {
        let text = tex(&c.text);
        if c.best {
            format!("\\textbf{{{text}}}")
        } else {
            text
        }
    };
    // Behind the end of a row `[` and `*` would belong to it.
    let opens = |cell: &String| cell.starts_with(['[', '*']);
    let row = |cells: Vec<String>| {
        let guard = if cells.first().is_some_and(opens) {
            "{}"
        } else {
            ""
        };
        format!("    {guard}{} \\\\\n", cells.join(" & "))
    };
    let mut out = String::from("% needs \\usepackage{booktabs}\n\\begin{table}\n  \\centering\n");
    if !sheet.caption.is_empty() {
        out += &format!("  \\caption{{{}}}\n", tex(&sheet.caption));
    }
    let columns = "l".repeat(sheet.labels) + &"r".repeat(sheet.headings.len() - sheet.labels);
    out += &format!("  \\begin{{tabular}}{{{columns}}}\n    \\toprule\n");
    out += &row(sheet.headings.iter().map(|h| tex(h)).collect());
    out += "    \\midrule\n";
    for line in &sheet.lines {
        out += &row(line.iter().map(bold).collect());
    }
    out += "    \\bottomrule\n  \\end{tabular}\n";
    out + &format!(
        "  \\par\\smallskip\\footnotesize {}\n\\end{{table}}\n",
        tex(&sheet.notes.join(" "))
    )
}
