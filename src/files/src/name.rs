//! Names of files as a message may show them.
//! Unaware of messages.

use std::fmt::{self, Write};
use std::path::Path;

/// A path in one line: a name may hold line ends and control characters.
#[derive(Clone, Copy, Debug)]
pub struct Name<'a>(pub &'a Path);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_line(f, &self.0.to_string_lossy())
    }
}

/// Writes a text whose control characters are escaped.
///
/// # Errors
/// Those of the formatter.
pub fn write_line(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    for c in text.chars() {
        if c.is_control() {
            write!(f, "{}", c.escape_default())?;
        } else {
            f.write_char(c)?;
        }
    }
    Ok(())
}
