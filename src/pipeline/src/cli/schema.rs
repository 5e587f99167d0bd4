//! `pipeline schema`: the JSON Schema of pipeline files, for editors.
//! Unaware of what is in it.

use super::args::SchemaArgs;
use super::deliver::Delivery;
use super::{Exit, Fatal};

/// Prints the schema, or writes it to a file.
pub fn schema(args: &SchemaArgs) -> Result<Exit, Fatal> {
    let text = if args.reference {
        spec::reference()
    } else {
        format!("{:#}\n", spec::schema())
    };
    let first = text.lines().next().unwrap_or_default();
    let is_former = |former: &str| {
        former.lines().next() == Some(first) && (args.reference || former.contains("\"$defs\""))
    };
    let delivery = Delivery {
        file: args.output.as_deref(),
        overwrite: args.overwrite,
        sources: &[],
        is_former: &is_former,
    };
    delivery.deliver(&text)?;
    Ok(Exit::Done)
}
