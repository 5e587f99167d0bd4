//! Whether a file of weights looks like a `DnCNN` by KAIR's names: convolutions `model.0`, `model.2`, … and nothing else.
//! Unaware of other networks.

use tch::nn::Path;

use super::recognised::{Build, Recognised, all_numbers, count, size, unless};
use crate::nn::checkpoint::Shapes;
use crate::nn::dncnn::{Config, Dncnn};

/// The noise level that it was trained for shows in no weight.
pub(super) fn dncnn(found: &Shapes) -> Option<Recognised> {
    let depth = count(found, |i| format!("model.{}.weight", 2 * i));
    let last = format!("model.{}.weight", 2 * depth.checked_sub(1)?);
    let (width, input) = (
        size(found, "model.0.weight", 0)?,
        size(found, "model.0.weight", 1)?,
    );
    let output = size(found, &last, 0)?;
    let is_square = |shape: &Vec<i64>| matches!(shape[..], [_, _, 3, 3]);
    let is_chain = found.get("model.0.weight").is_some_and(is_square) && depth > 2;
    if !is_chain || found.len() != 2 * depth || input != output {
        return None;
    }
    if input != 3 {
        let remark =
            format!("it takes {input} channel(s), and this program has the colour network");
        return Some(Recognised::unknown("DnCNN", remark));
    }
    let config = Config {
        nc: width,
        nb: depth as i64,
        ..Config::COLOR
    };
    let build = |p: &Path<'_>| Dncnn::new(p, &config).into();
    let is_known =
        (1..=1024).contains(&width) && (8..=98).contains(&depth) && (depth - 2).is_multiple_of(6);
    let numbers = (depth as i64 - 2) * 9 * width * width;
    Some(Recognised::checked(
        "DnCNN for denoising",
        &format!(
            "dncnn: {{{}}}",
            [unless("width", &width, &64), unless("depth", &depth, &20)]
                .concat()
                .trim_start_matches(", ")
        ),
        (is_known && numbers <= all_numbers(found)).then_some(&build as Build<'_>),
        found,
        "its noise level shows in no weight".to_owned(),
    ))
}
