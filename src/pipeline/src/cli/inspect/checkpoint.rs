//! What the worker says of a file of weights, as JSON and as lines.
//! Unaware of file formats and of networks.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::lines::{Lines, line};
use crate::cli::Fatal;
use diagnostics::shown::counted;
use engine::worker;

/// Tensors that are listed in lines; JSON has all.
const LISTED: usize = 24;

pub(super) fn checkpoint(path: &Path) -> Result<(Value, Lines), Fatal> {
    let said = ask(path)?;
    let lines = lines(&said);
    Ok((said, lines))
}

fn ask(path: &Path) -> Result<Value, Fatal> {
    let program = worker::find()?;
    worker::facts(&program)?;
    // A name that begins with a dash is no option.
    let is_dashed = path.as_os_str().as_encoded_bytes().starts_with(b"-");
    let path = if is_dashed {
        Path::new(".").join(path)
    } else {
        path.to_path_buf()
    };
    let output = Command::new(&program)
        .arg("--inspect")
        .arg(&path)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| Fatal::failed(format!("cannot start `{}`: {e}", program.display()), ""))?;
    let said: Value = serde_json::from_slice(&output.stdout).map_err(|_| {
        Fatal::failed(
            format!("the worker ended without a result ({})", output.status),
            "memory may have run out",
        )
    })?;
    match said["error"].as_str() {
        Some(message) => Err(Fatal::failed(
            message,
            said["hint"].as_str().unwrap_or_default(),
        )),
        None => Ok(with_totals(said)),
    }
}

/// Adds what follows from the list of tensors.
fn with_totals(mut said: Value) -> Value {
    let tensors = said["tensors"].as_array().map_or(&[][..], Vec::as_slice);
    let numbers: u64 = tensors.iter().map(count).sum();
    let not_finite: Vec<&Value> = tensors
        .iter()
        .filter(|tensor| tensor["not_finite"].as_u64() != Some(0))
        .map(|tensor| &tensor["name"])
        .collect();
    let not_finite = json!(not_finite);
    said["numbers"] = numbers.into();
    said["not_finite"] = not_finite;
    said
}

fn count(tensor: &Value) -> u64 {
    let sides = tensor["shape"].as_array().into_iter().flatten();
    sides.filter_map(Value::as_u64).fold(1, u64::saturating_mul)
}

fn lines(said: &Value) -> Lines {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let tensors = said["tensors"].as_array().map_or(&[][..], Vec::as_slice);
    let mut lines = vec![line("checkpoint", text(&said["container"]))];
    let network = &said["network"];
    if network.is_null() {
        lines.push(line("network", "none that this program knows"));
    } else {
        lines.push(line("network", text(&network["title"])));
        match network["fits"].as_str() {
            Some(fits) => lines.push(line("", format!("`{fits}` has its names and shapes"))),
            None => lines.push(line("", "no configuration has its names and shapes")),
        }
        let rest = [&network["remark"], &network["note"]];
        lines.extend(
            rest.into_iter()
                .filter_map(Value::as_str)
                .filter(|t| !t.is_empty())
                .map(|t| line("", t)),
        );
        lines.push(line("input", text(&network["input"])));
    }
    lines.push(line(
        "tensors",
        kinds(tensors, said["numbers"].as_u64().unwrap_or(0)),
    ));
    lines.push(line("not finite", names(&said["not_finite"])));
    lines.push(line("code", code(said)));
    let listed = tensors.iter().take(LISTED).map(|tensor| {
        let shape: Vec<String> = tensor["shape"]
            .as_array()
            .into_iter()
            .flatten()
            .map(Value::to_string)
            .collect();
        line(
            "",
            format!(
                "{} {} [{}]",
                text(&tensor["name"]),
                text(&tensor["dtype"]),
                shape.join(", ")
            ),
        )
    });
    lines.extend(listed);
    if let Some(rest) = tensors.len().checked_sub(LISTED).filter(|rest| *rest > 0) {
        lines.push(line("", format!("and {rest} more; --json has all")));
    }
    lines
}

/// How many tensors of each type.
fn kinds(tensors: &[Value], numbers: u64) -> String {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for tensor in tensors {
        *kinds
            .entry(tensor["dtype"].as_str().unwrap_or_default())
            .or_default() += 1;
    }
    let each: Vec<String> = kinds
        .iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    match each.as_slice() {
        [] => "none".to_owned(),
        _ => format!("{} ({}), {numbers} numbers", tensors.len(), each.join(", ")),
    }
}

fn names(list: &Value) -> String {
    let all: Vec<&str> = list
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    match all.as_slice() {
        [] => "none".to_owned(),
        [first @ .., _] if first.len() >= 8 => format!(
            "{}: `{}`, …",
            counted(all.len(), "tensor"),
            all[..8].join("`, `")
        ),
        _ => format!("`{}`", all.join("`, `")),
    }
}

fn code(said: &Value) -> String {
    match (
        names(&said["foreign"]).as_str(),
        names(&said["unused"]).as_str(),
    ) {
        ("none", "none") => "none that weights do not need".to_owned(),
        ("none", unused) => {
            format!("its pickle names {unused}, which no weights need; nothing is run")
        }
        (foreign, _) => {
            format!("{foreign} stands among its values, so the file is refused; nothing is run")
        }
    }
}
