//! The stages that are asked for, with the results that they have.
//! Unaware of what is done with these.

use std::cell::OnceCell;

use engine::session::Session;
use plan::{Plan, Verdict};
use store::Key;

use super::fatal::Fatal;
use super::say::say;
use super::why;

/// Names and keys of the wanted stages, all of which must have a result: on the device of this session, or on the other
/// kind of device where none was asked for.
pub fn finished(session: &Session) -> Result<Vec<(String, Key)>, Fatal> {
    let plan = session.plan();
    let wanted: Vec<usize> = session.wanted.iter().copied().collect();
    let other = OnceCell::new();
    wanted
        .into_iter()
        .map(|at| {
            let name = session.pipeline.stages[at].name.clone();
            let of_other = || {
                let other = other.get_or_init(|| session.plan_of_other_device());
                let (device, plan) = other.as_ref()?;
                let key = key_of(plan, at).ok()?;
                say(&format!("note: `{name}`: its result on {device}"));
                Some(key)
            };
            key_of(&plan, at)
                .or_else(|why| of_other().ok_or(why))
                .map(|key| (name.clone(), key))
                .map_err(|why| {
                    let command = session.command("run", std::slice::from_ref(&name));
                    let hint = format!("`{command}` computes it");
                    Fatal::failed(format!("`{name}` has no result: {why}"), hint)
                })
        })
        .collect()
}

fn key_of(plan: &Plan, at: usize) -> Result<Key, String> {
    let planned = plan.get(at).ok_or("it is not in the plan")?;
    match (&planned.verdict, planned.key) {
        (Verdict::Fresh, Some(key)) => Ok(key),
        (verdict, _) => Err(why::details(verdict).join("; ")),
    }
}
