//! Training states filed under trajectories.
//! Unaware of training.

use std::fs;

use store::GcRequest;

use crate::room::{Room, count, fill, key};

#[test]
fn states_are_found_by_iteration_and_copied_back() {
    let room = Room::new();
    let (trajectory, files) = (key("trajectory"), room.path("state"));
    assert_eq!(room.store.states(&trajectory), []);
    for iteration in [2_000, 500] {
        fill(
            &files,
            &[("weights", &iteration.to_string()), ("deep/rng", "r")],
        );
        let place = room
            .store
            .save_state(&trajectory, iteration, &files)
            .unwrap();
        fs::write(files.join("weights"), "the run goes on").unwrap();
        assert_eq!(
            fs::read_to_string(place.join("weights")).unwrap(),
            iteration.to_string()
        );
    }
    let states = room.reopened().states(&trajectory);
    let iterations: Vec<u64> = states.iter().map(|(iteration, _)| *iteration).collect();
    assert_eq!(iterations, [500, 2_000]);
    assert!(states[0].1.join("deep/rng").is_file());
    let dest = room.path("dest");
    assert_eq!(
        room.store
            .take_state(&trajectory, 500, &dest)
            .unwrap()
            .len(),
        2
    );
    assert_eq!(fs::read_to_string(dest.join("weights")).unwrap(), "500");
    assert_eq!(room.store.states(&key("other")), []);
}

#[test]
fn a_damaged_state_is_not_offered_and_can_be_filed_again() {
    let room = Room::new();
    let (trajectory, files) = (key("trajectory"), room.path("state"));
    fill(&files, &[("weights", "good")]);
    let place = room.store.save_state(&trajectory, 7, &files).unwrap();
    for (path, bytes) in [("weights", "evil"), ("../state.json", "{}\n")] {
        fs::write(place.join(path), bytes).unwrap();
        assert_eq!(room.store.states(&trajectory), [], "{path}");
        assert!(
            room.store
                .take_state(&trajectory, 7, &room.path("dest"))
                .is_err()
        );
        room.store.save_state(&trajectory, 7, &files).unwrap();
        assert_eq!(room.store.states(&trajectory).len(), 1);
    }
    assert_eq!(count(&room.store.root().join("damaged")), 2);
}

#[test]
fn a_clean_up_keeps_states_of_kept_trajectories() {
    let room = Room::new();
    fill(&room.path("state"), &[("weights", "w")]);
    for trajectory in ["kept", "gone"] {
        room.store
            .save_state(&key(trajectory), 1, &room.path("state"))
            .unwrap();
    }
    let request = GcRequest {
        keep: [key("kept")].into(),
        keep_younger_than: None,
        now: std::time::SystemTime::now(),
        dry_run: false,
    };
    let report = room.store.gc(&request).unwrap();
    assert_eq!(
        (report.freed.len(), report.freed[0].key),
        (1, Some(key("gone")))
    );
    assert_eq!(room.store.states(&key("kept")).len(), 1);
    assert_eq!(room.store.states(&key("gone")), []);
}
