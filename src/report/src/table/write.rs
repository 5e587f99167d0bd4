//! Writes a sheet for the terminal, as Markdown and as LaTeX.
//! Unaware of where the numbers come from.

use tabled::builder::Builder;
use tabled::settings::object::{Columns, Rows};
use tabled::settings::{Alignment, Style};

use diagnostics::shown::line;
use spec::kinds::LatexWidth;

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
    let bold = |(at, c): (usize, &Text)| {
        let text = tex(&c.text);
        let text = if at < sheet.labels {
            text
        } else {
            minus(&text)
        };
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
    let packages = match sheet.latex {
        LatexWidth::Resize => "% needs \\usepackage{booktabs} and \\usepackage{graphicx}",
        LatexWidth::Natural | LatexWidth::Small => "% needs \\usepackage{booktabs}",
    };
    let mut out = format!("{packages}\n\\begin{{table}}\n  \\centering\n");
    if !sheet.caption.is_empty() {
        out += &format!("  \\caption{{{}}}\n", tex(&sheet.caption));
    }
    let columns = "l".repeat(sheet.labels) + &"r".repeat(sheet.headings.len() - sheet.labels);
    out += match sheet.latex {
        LatexWidth::Natural => "  ",
        LatexWidth::Small => "  \\footnotesize\\setlength{\\tabcolsep}{4pt}\n  ",
        LatexWidth::Resize => "  \\resizebox{\\linewidth}{!}{%\n  ",
    };
    out += &format!("\\begin{{tabular}}{{{columns}}}\n    \\toprule\n");
    out += &row(sheet.headings.iter().map(|h| tex(h)).collect());
    out += "    \\midrule\n";
    for line in &sheet.lines {
        out += &row(line.iter().enumerate().map(bold).collect());
    }
    out += "    \\bottomrule\n  \\end{tabular}";
    out += match sheet.latex {
        LatexWidth::Resize => "}\n",
        LatexWidth::Natural | LatexWidth::Small => "\n",
    };
    out + &format!(
        "  \\par\\smallskip\\footnotesize {}\n\\end{{table}}\n",
        tex(&sheet.notes.join(" "))
    )
}

/// Numbers with a real minus sign: a hyphen before a digit that belongs to no word.
fn minus(text: &str) -> String {
    let mut out = String::new();
    let mut before = ' ';
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let is_sign = letter == '-'
            && matches!(before, ' ' | '[' | '(')
            && letters.peek().is_some_and(char::is_ascii_digit);
        if is_sign {
            out += "$-$";
        } else {
            out.push(letter);
        }
        before = letter;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet(latex: LatexWidth) -> Sheet {
        let cell = |text: &str| Text {
            text: text.into(),
            best: false,
        };
        Sheet {
            caption: String::new(),
            labels: 1,
            latex,
            headings: vec!["name".into(), "Δ".into()],
            lines: vec![vec![cell("x -1"), cell("[-0.5, +0.1] (-2)")]],
            notes: Vec::new(),
        }
    }

    #[test]
    fn numbers_have_a_real_minus_and_labels_their_hyphen() {
        let tex = latex(&sheet(LatexWidth::Natural));
        assert!(
            tex.contains("    x -1 & [$-$0.5, +0.1] ($-$2) \\\\\n"),
            "{tex}"
        );
        assert!(
            !tex.contains("resizebox") && !tex.contains("tabcolsep"),
            "{tex}"
        );
    }

    #[test]
    fn a_table_fits_its_column_as_it_is_asked_to() {
        let tex = latex(&sheet(LatexWidth::Resize));
        assert!(tex.starts_with("% needs \\usepackage{booktabs} and \\usepackage{graphicx}\n"));
        assert!(tex.contains("  \\resizebox{\\linewidth}{!}{%\n  \\begin{tabular}{lr}\n"));
        assert!(tex.contains("\\end{tabular}}\n"), "{tex}");
        assert_eq!(tex.matches('{').count(), tex.matches('}').count());
        let tex = latex(&sheet(LatexWidth::Small));
        assert!(tex.contains("\\footnotesize\\setlength{\\tabcolsep}{4pt}\n  \\begin{tabular}"));
    }
}
