//! `pipeline schema`: the JSON Schema of pipeline files, for editors.
//! Unaware of what is in it.

use std::path::Path;

use super::args::SchemaArgs;
use super::{Exit, Fatal, print, say};

/// Prints the schema, or writes it to a file.
pub fn schema(args: &SchemaArgs) -> Result<Exit, Fatal> {
    let text = if args.reference {
        spec::reference()
    } else {
        format!("{:#}\n", spec::schema())
    };
    deliver(args.output.as_deref(), &text)?;
    Ok(Exit::Done)
}

/// Writes `text` to a file and says so, or prints it where none is named.
pub fn deliver(file: Option<&Path>, text: &str) -> Result<(), Fatal> {
    let Some(file) = file else {
        print(text);
        return Ok(());
    };
    store::write_atomic(file, text.as_bytes())?;
    say(&format!("wrote {}", file.display()));
    Ok(())
}
