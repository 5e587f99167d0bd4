//! `pipeline init`.
//! Stub.
use super::args::InitArgs;
use super::{Exit, Fatal};
pub fn init(_args: &InitArgs) -> Result<Exit, Fatal> {
    todo!()
}
