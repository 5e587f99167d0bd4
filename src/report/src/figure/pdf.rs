//! The figure as PDF, for papers: a page as large as the figure, pictures without losses, texts as text.
//! Unaware of where things stand.
//!
//! Texts are in Helvetica and Symbol, which every reader of PDF has: no font is looked for on this machine, so the same figure has the
//! same bytes everywhere. Letters that its encoding (`WinAnsiEncoding`, Western European) lacks are question marks.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::ZlibEncoder;
use pdf_writer::{Content, Filter, Finish, Name, Pdf, Rect, Ref, Str};
use pixels::Rgb8;

use super::layout::{Item, Layout};

/// Points of the page for a pixel of the layout: three quarters, as browsers print.
const POINTS: f32 = 0.75;
/// Size of letters, in pixels of the layout.
const LETTERS: f32 = 13.0;

/// Numbers of the parts that every such file has; pictures have those behind.
const CATALOG: i32 = 1;
const PAGES: i32 = 2;
const PAGE: i32 = 3;
const CONTENT: i32 = 4;
const PLAIN: i32 = 5;
const BOLD: i32 = 6;
const SYMBOL: i32 = 7;
const FIRST: i32 = 8;

/// The bytes of a `.pdf` file.
pub(super) fn pdf(layout: &Layout<'_>) -> io::Result<Vec<u8>> {
    let pictures: Vec<&Rgb8> = layout.items.iter().filter_map(picture).collect();
    let number = |n: usize| Ref::new(FIRST + n as i32);
    let names: Vec<String> = (0..pictures.len()).map(|n| format!("P{n}")).collect();
    let mut pdf = Pdf::new();
    pdf.catalog(Ref::new(CATALOG)).pages(Ref::new(PAGES));
    pdf.pages(Ref::new(PAGES)).kids([Ref::new(PAGE)]).count(1);
    let mut page = pdf.page(Ref::new(PAGE));
    let size = [layout.width, layout.height].map(|side| side as f32 * POINTS);
    page.media_box(Rect::new(0.0, 0.0, size[0], size[1]));
    page.parent(Ref::new(PAGES)).contents(Ref::new(CONTENT));
    let mut resources = page.resources();
    let mut fonts = resources.fonts();
    fonts.pair(Name(b"Plain"), Ref::new(PLAIN));
    fonts.pair(Name(b"Bold"), Ref::new(BOLD));
    fonts.pair(Name(b"Symbol"), Ref::new(SYMBOL));
    fonts.finish();
    let mut objects = resources.x_objects();
    for (n, name) in names.iter().enumerate() {
        objects.pair(Name(name.as_bytes()), number(n));
    }
    objects.finish();
    resources.finish();
    page.finish();
    for (at, name) in [(PLAIN, "Helvetica"), (BOLD, "Helvetica-Bold")] {
        let mut font = pdf.type1_font(Ref::new(at));
        font.base_font(Name(name.as_bytes()));
        font.encoding_predefined(Name(b"WinAnsiEncoding"));
    }
    pdf.type1_font(Ref::new(SYMBOL)).base_font(Name(b"Symbol"));
    for (n, picture) in pictures.iter().enumerate() {
        let data = deflated(&picture.data)?;
        let mut object = pdf.image_xobject(number(n), &data);
        object.filter(Filter::FlateDecode);
        object
            .width(picture.width as i32)
            .height(picture.height as i32);
        object.color_space().device_rgb();
        object.bits_per_component(8);
    }
    let content = deflated(&drawn(layout, &names))?;
    pdf.stream(Ref::new(CONTENT), &content)
        .filter(Filter::FlateDecode);
    Ok(pdf.finish())
}

fn picture<'a>(item: &Item<'a>) -> Option<&'a Rgb8> {
    match item {
        Item::Picture { picture, .. } => Some(picture),
        Item::Text { .. } | Item::Outline(_) => None,
    }
}

fn deflated(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// What is drawn, in pixels from the top left as the layout counts.
fn drawn(layout: &Layout<'_>, names: &[String]) -> Vec<u8> {
    let mut content = Content::new();
    let mut names = names.iter();
    // Points, and down is up: what is drawn is turned back.
    let tall = layout.height as f32 * POINTS;
    content.transform([POINTS, 0.0, 0.0, -POINTS, 0.0, tall]);
    for item in &layout.items {
        match item {
            Item::Text {
                at,
                bold,
                content: text,
            } => {
                content.begin_text();
                content.set_text_matrix([1.0, 0.0, 0.0, -1.0, at.0 as f32, at.1 as f32]);
                for (is_symbol, letters) in runs(text) {
                    let font = match (is_symbol, bold) {
                        (true, _) => "Symbol",
                        (false, true) => "Bold",
                        (false, false) => "Plain",
                    };
                    content
                        .set_font(Name(font.as_bytes()), LETTERS)
                        .show(Str(&letters));
                }
                content.end_text();
            }
            Item::Picture { at, size, .. } => {
                let Some(name) = names.next() else { continue };
                let (width, height) = (size.0 as f32, size.1 as f32);
                content.save_state();
                content.transform([width, 0.0, 0.0, -height, at.0 as f32, at.1 as f32 + height]);
                content.x_object(Name(name.as_bytes())).restore_state();
            }
            Item::Outline(place) => {
                let [x, y, width, height] = place.map(|v| v as f32);
                content
                    .set_stroke_rgb(0.902, 0.624, 0.0)
                    .set_line_width(2.0);
                content.rect(x, y, width, height).stroke();
            }
        }
    }
    content.finish().to_vec()
}

/// A text in parts of one font each: whether that is Symbol, which has Greek letters, and the letters in its encoding.
fn runs(text: &str) -> Vec<(bool, Vec<u8>)> {
    let mut runs: Vec<(bool, Vec<u8>)> = Vec::new();
    for letter in text.chars() {
        let symbol = GREEK.iter().find(|(greek, _)| *greek == letter);
        let byte = symbol.map_or_else(|| latin(letter), |(_, byte)| *byte);
        match runs.last_mut() {
            Some((is_symbol, letters)) if *is_symbol == symbol.is_some() => letters.push(byte),
            _ => runs.push((symbol.is_some(), vec![byte])),
        }
    }
    runs
}

/// What Symbol has of what figures say, in its own encoding.
const GREEK: [(char, u8); 5] = [
    ('Δ', b'D'),
    ('α', b'a'),
    ('μ', b'm'),
    ('σ', b's'),
    ('−', b'-'),
];

/// A letter in `WinAnsiEncoding`.
fn latin(letter: char) -> u8 {
    match letter {
        ' '..='~' | '\u{a1}'..='\u{ff}' => u8::try_from(u32::from(letter)).unwrap_or(b'?'),
        '–' => 0x96,
        '…' => 0x85,
        _ => b'?',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_that_the_encoding_lacks_are_question_marks() {
        assert_eq!(runs("8×8 µé漢"), [(false, b"8\xd78 \xb5\xe9?".to_vec())]);
        let parts = [
            (false, b"|".to_vec()),
            (true, b"D".to_vec()),
            (false, b"|".to_vec()),
        ];
        assert_eq!(runs("|Δ|"), parts);
    }
}
