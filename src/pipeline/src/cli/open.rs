//! Opening a session whose notices are printed.
//! Unaware of what is done with it.

use std::path::Path;

use diagnostics::Diagnostic;
use engine::error::Error;
use engine::session::{Access, Session};

use super::common_args::PipelineArgs;
use super::fatal::Fatal;
use super::near;
use super::say::{json_of, print_json, say_all};

/// Opens a session that says what it has to say on standard error; for programs as lines of JSON, too.
pub(crate) fn open(args: &PipelineArgs, access: Access) -> Result<Session, Fatal> {
    let is_json = args.json;
    let tell = move |notice: &Diagnostic| {
        if is_json {
            print_json(&format!("{}\n", json_of(notice)));
        }
        say_all(&notice.clone().into());
    };
    let opened = Session::open(&args.options(), access, Box::new(tell));
    Ok(opened.map_err(|error| with_near_file(error, &args.file))?)
}

/// An error of a pipeline file that is not there names the one that may have been meant.
fn with_near_file(mut error: Error, file: &Path) -> Error {
    let near = (!file.exists()).then(|| near::meant(file)).flatten();
    if let (Some(near), Some(first)) = (near, error.diagnostics.first.first_mut()) {
        first.hint = format!("did you mean `{}`?", files::Name(&near));
    }
    error
}
