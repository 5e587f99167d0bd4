//! A plot's text: what must be in it, and that it is well formed.
//! Unaware of how it looks.

use super::{Curve, Frame, Plot};

fn plot() -> Plot {
    let curve = |name: &str, points: &[(f64, f64)], marked| Curve {
        name: name.into(),
        points: points.to_vec(),
        marked,
    };
    Plot {
        title: "Schemes <5>".into(),
        x: "iterations".into(),
        notes: vec!["Circle: kept.".into(), "long ".repeat(40)],
        frames: vec![
            Frame {
                y: "PSNR (dB)".into(),
                is_log: false,
                curves: vec![
                    curve(
                        "SPT",
                        &[(0.0, 8.0), (100.0, 29.1), (200.0, 29.3)],
                        Some(200.0),
                    ),
                    curve(
                        "SPT",
                        &[(0.0, 9.0), (100.0, 29.2), (200.0, 29.25)],
                        Some(100.0),
                    ),
                    curve("full", &[(0.0, 29.0), (100.0, 29.15)], None),
                ],
            },
            Frame {
                y: "loss".into(),
                is_log: true,
                curves: vec![curve("full", &[(1.0, 0.05), (100.0, 0.02)], None)],
            },
        ],
    }
}

#[test]
fn curves_share_axes_and_seeds_share_a_colour() {
    let svg = plot().svg();
    assert_eq!(svg.matches("<polyline").count(), 4);
    assert_eq!(svg.matches("<circle").count(), 2);
    assert_eq!(svg.matches("points=").count(), 4);
    assert!(svg.contains(">0.02<") && svg.contains(">0.05<"), "{svg}");
    let colour = |n: usize| {
        let part = svg
            .split("<polyline class=\"curve\" stroke=\"")
            .nth(n + 1)
            .unwrap();
        part[..7].to_owned()
    };
    assert_eq!(colour(0), colour(1));
    assert_ne!(colour(0), colour(2));
    assert_eq!(
        colour(2),
        colour(3),
        "a training has one colour in all frames"
    );
    assert!(
        svg.contains("SPT: best 29.3000 at 200; best 29.2500 at 200"),
        "{svg}"
    );
    assert!(svg.contains("Schemes &lt;5&gt;"));
    let notes: Vec<&str> = svg.split("class=\"note\"").skip(1).collect();
    assert_eq!(notes.len(), 1 + 3 + 1, "{svg}");
    assert!(notes[0].contains(">Circle: kept.<"));
    assert!(notes[4].contains(">Lower values are cut off.<"));
    assert!(svg.contains(">29.0<") || svg.contains(">29.00<"), "{svg}");
}

#[test]
fn nothing_to_show_is_still_a_picture() {
    let svg = Plot {
        frames: plot()
            .frames
            .into_iter()
            .map(|frame| Frame {
                curves: Vec::new(),
                ..frame
            })
            .collect(),
        ..plot()
    }
    .svg();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    assert!(!svg.contains("NaN"), "{svg}");
}
