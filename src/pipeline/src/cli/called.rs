//! How this program was called, for the commands that it prints: `pipeline` may not be found on the PATH.
//! Unaware of what the commands do.

use std::borrow::Cow;

use diagnostics::{Diagnostic, Diagnostics};
use engine::invocation::quoted;

/// The name by which messages call the program.
const NAME: &str = "pipeline";

/// The program's name or path as it was called.
pub fn program() -> String {
    let first = std::env::args_os().next();
    first.map_or_else(
        || NAME.to_owned(),
        |word| word.to_string_lossy().into_owned(),
    )
}

/// The diagnostics with the program in the commands of their hints as it was called.
pub fn as_called(diagnostics: &Diagnostics) -> Diagnostics {
    let renamed = |diagnostic: &Diagnostic| Diagnostic {
        hint: in_hint(&diagnostic.hint).into_owned(),
        ..diagnostic.clone()
    };
    Diagnostics {
        first: diagnostics.first.iter().map(renamed).collect(),
        ..diagnostics.clone()
    }
}

/// A hint whose commands (`` `pipeline doctor` says … ``) begin with the program as it was called.
pub fn in_hint(hint: &str) -> Cow<'_, str> {
    with_program(hint, &quoted(&program()))
}

fn with_program<'h>(hint: &'h str, program: &str) -> Cow<'h, str> {
    let begin = format!("`{NAME} ");
    if program == NAME || !hint.contains(&begin) {
        return Cow::Borrowed(hint);
    }
    Cow::Owned(hint.replace(&begin, &format!("`{program} ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_in_hints_name_the_program_as_it_was_called() {
        let hint = "`pipeline doctor` says why; a pipeline file is another thing";
        assert_eq!(
            with_program(hint, "target/release/pipeline"),
            "`target/release/pipeline doctor` says why; a pipeline file is another thing"
        );
        assert_eq!(with_program(hint, "pipeline"), hint);
    }
}
