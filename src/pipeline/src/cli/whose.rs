//! Whether what lies under a stage's key now is what a run had there: another run may have made it again since.
//! Unaware of what it is. A record says which run made it, and when, to the second.

use engine::history::{Past, StageEnd};
use serde_json::Value;
use store::Facts;

/// Whose a result is, as a run sees it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// The run made it, took it over, or found it when it began.
    Own,
    /// A later run made it.
    OfLater(String),
    /// It was made when the run was over, or had got past the stage; nobody knows by whom, or an earlier run that went on.
    OfOther,
}

/// Whose the result of a stage is, with these facts. Where a run had it and the bytes that lie there now are the same, made
/// again, nothing tells that: journals have no digests.
pub(super) fn whose(facts: &Facts, past: &Past, stage: &str) -> Whose {
    let text = |name| facts.get(name).and_then(Value::as_str);
    let (by, id) = (text("run"), past.header.id.as_str());
    match by {
        Some(by) if by == id => Whose::Own,
        _ if had(facts, past, stage) => Whose::Own,
        Some(by) if by > id => Whose::OfLater(by.to_owned()),
        _ => Whose::OfOther,
    }
}

/// Whether the run had it, though another one made it.
fn had(facts: &Facts, past: &Past, stage: &str) -> bool {
    let text = |name| facts.get(name).and_then(Value::as_str);
    let (by, finished) = (text("run"), text("finished").unwrap_or_default());
    if past
        .end
        .as_ref()
        .is_some_and(|end| finished > end.ended.as_str())
    {
        return false;
    }
    // Names of runs begin with the time, to the millisecond.
    let is_earlier = by.is_none_or(|by| by < past.header.id.as_str());
    // Then its facts are those of the stage that ran, under another key.
    let is_taken_over = facts.source().is_some();
    let is_whole = past
        .end
        .as_ref()
        .is_some_and(|end| end.failed + end.not_run == 0);
    let line = past.stages.iter().rev().find(|line| line.name == stage);
    match line.map(|line| line.end) {
        Some(StageEnd::Done) => by.is_none(),
        Some(StageEnd::ByOther) => true,
        Some(StageEnd::SameInputs) => is_taken_over,
        None if is_whole => is_earlier,
        Some(StageEnd::Failed | StageEnd::Stopped) | None => {
            let started = past.header.started.as_str();
            // Within one second only the names tell which was first.
            let was_there = finished < started || (finished == started && by.is_some());
            is_earlier && !is_taken_over && was_there
        }
    }
}

#[cfg(test)]
mod tests {
    use engine::history::{End, Header, RunStatus, StageLine};

    use super::*;

    const STARTED: &str = "2026-11-29T10:00:05Z";
    const EARLIER: &str = "20261129-100004-99900";
    const OWN: &str = "20261129-100005-50000";
    const LATER: &str = "20261129-100005-70000";

    /// A run of two seconds in which so many stages failed, and how `s` ended.
    fn past(failed: usize, end: Option<StageEnd>) -> Past {
        let line = |end| StageLine {
            name: "s".to_owned(),
            kind: "evaluate".to_owned(),
            end,
            seconds: 1.0,
            iterations: None,
            message: String::new(),
        };
        Past {
            header: Header {
                id: OWN.to_owned(),
                started: STARTED.to_owned(),
                ..Header::default()
            },
            stages: end.map(line).into_iter().collect(),
            end: Some(End {
                ended: "2026-11-29T10:00:07Z".to_owned(),
                failed,
                ..End::default()
            }),
            status: RunStatus::Ended(0),
            damaged: 0,
        }
    }

    fn made(by: &str, second: u32) -> Facts {
        let facts = Facts::new().with("finished", format!("2026-11-29T10:00:{second:02}Z"));
        match by {
            "" => facts,
            by => facts.with("run", by),
        }
    }

    #[test]
    fn a_result_of_the_second_in_which_a_run_began_is_told_by_who_made_it() {
        let failed = past(1, None);
        for (by, second, expected) in [
            (EARLIER, 4, Whose::Own),
            (EARLIER, 5, Whose::Own),
            (EARLIER, 6, Whose::OfOther),
            ("", 4, Whose::Own),
            ("", 5, Whose::OfOther),
            (LATER, 5, Whose::OfLater(LATER.to_owned())),
            (OWN, 6, Whose::Own),
        ] {
            assert_eq!(
                whose(&made(by, second), &failed, "s"),
                expected,
                "{by} {second}"
            );
        }
    }

    #[test]
    fn what_was_made_again_is_not_the_runs_whatever_became_of_it() {
        let ends = [
            Some(StageEnd::Done),
            Some(StageEnd::ByOther),
            Some(StageEnd::SameInputs),
            Some(StageEnd::Failed),
            None,
        ];
        for (failed, end) in [0, 1].into_iter().flat_map(|n| ends.map(|end| (n, end))) {
            let later = whose(&made(LATER, 8), &past(failed, end), "s");
            assert_eq!(later, Whose::OfLater(LATER.to_owned()), "{end:?}");
        }
    }

    #[test]
    fn what_another_run_made_in_time_is_the_runs_where_it_waited_or_found_it() {
        let had = |failed, end, facts: &Facts| whose(facts, &past(failed, end), "s") == Whose::Own;
        let taken_over = made(EARLIER, 1).copied_from(&store::Key::of_manifest("m"));
        assert!(had(1, Some(StageEnd::ByOther), &made(LATER, 6)));
        assert!(had(1, Some(StageEnd::SameInputs), &taken_over));
        assert!(had(0, None, &taken_over) && !had(1, None, &taken_over));
        // A clock that went ahead on the machine that made it.
        assert!(had(0, None, &made(EARLIER, 6)) && !had(0, None, &made(LATER, 6)));
        assert!(had(0, Some(StageEnd::Done), &made("", 6)));
    }
}
