//! The page's text: a frame that says what can be said without a script, the data, the styles, the scripts.
//! Unaware of what the scripts do. All texts of others are escaped by the template or as JSON inside a script.

use maud::{DOCTYPE, PreEscaped, html};

use crate::data::Data;
use crate::model::Page;

const STYLE: &str = include_str!("assets/page.css");

/// In this order: each uses what those before it define.
const SCRIPTS: [&str; 7] = [
    include_str!("assets/base.js"),
    include_str!("assets/pictures.js"),
    include_str!("assets/gains.js"),
    include_str!("assets/crops.js"),
    include_str!("assets/compare.js"),
    include_str!("assets/tables.js"),
    include_str!("assets/curves.js"),
];

/// The last one, which starts all others.
const START: &str = include_str!("assets/stages.js");

/// Stages above which the list of them is closed at first.
const FEW: usize = 80;

/// The text of `index.html`.
pub fn page(page: &Page, data: &Data<'_>) -> String {
    let measured = page
        .sets
        .iter()
        .any(|set| !set.blind && !set.methods.is_empty());
    let evaluated = data.sets.iter().any(|set| !set.methods.is_empty());
    let text = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="no-referrer";
                @if page.going_on { noscript { meta http-equiv="refresh" content="20"; } }
                title { (page.file) }
                link rel="icon" href="data:,";
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (page.file) @if page.going_on { " (running)" } }
                dl {
                    @for (word, text) in &page.facts {
                        dt { (word) }
                        dd { (text) }
                    }
                }
                nav aria-label="sections" {
                    @if evaluated {
                        a href="#" data-to="compare" { "Compare" }
                        @if measured { a href="#" data-to="gains" { "Where it helps" } }
                        a href="#" data-to="crops" { "Crop" }
                    }
                    @if !data.tables.is_empty() { a href="#" data-to="tables" { "Tables" } }
                    @if !page.figures.is_empty() { a href="#" data-to="figures" { "Figures" } }
                    @if !data.curves.is_empty() { a href="#" data-to="curves" { "Curves" } }
                    @if !data.stages.is_empty() { a href="#" data-to="stages" { "Stages" } }
                }
                noscript { p { "This page needs its script. The tables lie beside it as text." } }
                main {
                    section id="compare" hidden[!evaluated] { h2 { "Compare" } }
                    section id="gains" hidden[!measured] { h2 { "Where it helps" } }
                    section id="crops" hidden[!evaluated] { h2 { "Crop" } }
                    section id="tables" hidden[data.tables.is_empty()] { h2 { "Tables" } }
                    @if !page.figures.is_empty() {
                        section id="figures" {
                            h2 { "Figures" }
                            @for figure in &page.figures {
                                h3 { (figure.name) }
                                img class="figure" src=(address(&figure.file)) alt=(figure.name) loading="lazy";
                                @for line in figure.caption.lines() { p class="note" { (line) } }
                            }
                        }
                    }
                    section id="curves" hidden[data.curves.is_empty()] { h2 { "Curves" } }
                    section id="stages" hidden[data.stages.is_empty()] {
                        h2 { "Stages" }
                        details open[data.stages.len() <= FEW] {
                            summary { (data.stages.len()) " stages" }
                            div id="stage-list" {}
                        }
                        @if !page.graph.is_empty() { div class="graph" {
                            object type="image/svg+xml" data="img/graph.svg" { "The graph of stages lies in img/graph.svg." }
                        } }
                    }
                }
                script type="application/json" id="data" { (PreEscaped(json(data))) }
                @for script in SCRIPTS {
                    script { (PreEscaped(script)) }
                }
                script { (PreEscaped(START)) }
            }
        }
    };
    text.into_string()
}

/// JSON that does not end the script it stands in, whatever it says.
fn json(data: &Data<'_>) -> String {
    in_script(&serde_json::to_string(data).unwrap_or_else(|_| "{}".into()))
}

/// JSON as it stands in a script.
pub fn in_script(text: &str) -> String {
    text.replace('<', "\\u003c")
        .replace("\u{2028}", "\\u2028")
        .replace("\u{2029}", "\\u2029")
}

/// A file beside the page as a relative address.
pub fn address(file: &str) -> String {
    let mut out = String::from("./");
    for byte in file.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/' => {
                out.push(char::from(byte));
            }
            other => out += &format!("%{other:02X}"),
        }
    }
    out
}
