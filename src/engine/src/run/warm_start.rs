//! Where a training may start: from the state that a shorter one with the same settings and inputs ended with.
//! Unaware of what a state holds. Whatever goes wrong here costs time only: the training then starts at the beginning.

use std::path::PathBuf;

use spec::{Event, Job, Kind};
use store::{Consumed, Facts, FiledState, Key, Store, Ticket};

use super::executor::OnEvent;

/// The folder of the longest state that is a beginning of this training, which consumes this. Says so where there is one
/// that was made from other bytes of the same inputs.
///
/// Offered to trainings of a fixed number of iterations: under `until: converged` the shorter one may have gone on where
/// this one would have stopped. The last iteration of a training is always validated; where it would not be validated in
/// the longer one, its state is not what that one has there.
pub(super) fn start(
    store: &Store,
    kind: &Kind,
    trajectory: &Key,
    consumed: &Consumed,
    on_event: &OnEvent<'_>,
) -> Option<PathBuf> {
    let schedule = kind.schedule()?;
    let total = schedule.iterations?;
    let on_the_way = |n: u64| {
        let validated_alike = schedule
            .validate
            .as_ref()
            .is_none_or(|v| n == total || n.is_multiple_of(v.every));
        n <= total && validated_alike
    };
    let mut states = store.states(trajectory);
    states.retain(|state| on_the_way(state.iteration));
    let is_of_these = |state: &&FiledState| state.consumed == *consumed;
    let found = states.iter().rfind(is_of_these);
    if let (None, Some(other)) = (found, states.last()) {
        let message = of_other_bytes(other, consumed);
        on_event(Event::Note { message });
    }
    found.map(|state| state.folder.clone())
}

/// Why a state is no beginning, although it was made with the same settings.
fn of_other_bytes(state: &FiledState, consumed: &Consumed) -> String {
    let differs = |role: &&String| state.consumed.get(*role) != consumed.get(*role);
    let roles = consumed.keys().filter(differs);
    let roles = roles.map(|role| format!("`{role}`")).collect::<Vec<_>>();
    format!(
        "a shorter training with the same settings ended at iteration {}, but was made from other bytes of {}; starting \
         from the beginning",
        state.iteration,
        roles.join(", ")
    )
}

/// Files the state that a training ended with, and says where that fails.
pub(super) fn keep(
    store: &Store,
    trajectory: &Key,
    consumed: &Consumed,
    ticket: &Ticket,
    facts: &Facts,
    on_event: &OnEvent<'_>,
) {
    let folder = ticket.state().join(Job::LAST);
    let iterations = facts
        .get("iterations_run")
        .and_then(serde_json::Value::as_u64);
    let (Some(iterations), true) = (iterations, folder.is_dir()) else {
        return;
    };
    if let Err(error) = store.save_state(trajectory, iterations, consumed, &folder) {
        let message = format!("longer trainings cannot start from this one: {error}");
        on_event(Event::Note { message });
    }
}
