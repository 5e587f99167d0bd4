//! Where a training may start: from the state that a shorter one with the same settings ended with.
//! Unaware of what a state holds. Whatever goes wrong here costs time only: the training then starts at the beginning.

use std::path::PathBuf;

use spec::{Event, Job, Kind};
use store::{Facts, Key, Store, Ticket};

use super::executor::OnEvent;

/// The folder of the longest state that is a beginning of this training.
///
/// Offered to trainings of a fixed number of iterations: under `until: converged` the shorter one may have gone on where
/// this one would have stopped. The last iteration of a training is always validated; where it would not be validated in
/// the longer one, its state is not what that one has there.
pub(super) fn start(store: &Store, kind: &Kind, trajectory: &Key) -> Option<PathBuf> {
    let schedule = kind.schedule()?;
    let total = schedule.iterations?;
    let on_the_way = |n: u64| {
        let validated_alike = schedule
            .validate
            .as_ref()
            .is_none_or(|v| n == total || n.is_multiple_of(v.every));
        n <= total && validated_alike
    };
    let mut states = store.states(trajectory).into_iter();
    states
        .rfind(|(n, _)| on_the_way(*n))
        .map(|(_, folder)| folder)
}

/// Files the state that a training ended with, and says where that fails.
pub(super) fn keep(
    store: &Store,
    trajectory: &Key,
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
    if let Err(error) = store.save_state(trajectory, iterations, &folder) {
        let message = format!("longer trainings cannot start from this one: {error}");
        on_event(Event::Note { message });
    }
}
