//! Training states filed under trajectories.
//! Unaware of training.

use std::fs;

use store::{Consumed, Digest, GcRequest};

use crate::room::{Room, count, fill, key};

fn consumed(images: &str) -> Consumed {
    Consumed::from([("images".to_owned(), Digest::of(images.as_bytes()))])
}

#[test]
fn states_are_found_by_iteration_with_what_they_were_made_from() {
    let room = Room::new();
    let (trajectory, files) = (key("trajectory"), room.path("state"));
    assert_eq!(room.store.states(&trajectory), []);
    for (iteration, images) in [(2_000, "a"), (500, "b"), (500, "a")] {
        let text = format!("{iteration} {images}");
        fill(&files, &[("weights", &text), ("deep/rng", "r")]);
        let place = room
            .store
            .save_state(&trajectory, iteration, &consumed(images), &files)
            .unwrap();
        fs::write(files.join("weights"), "the run goes on").unwrap();
        assert_eq!(fs::read_to_string(place.join("weights")).unwrap(), text);
    }
    let states = room.reopened().states(&trajectory);
    let iterations: Vec<u64> = states.iter().map(|state| state.iteration).collect();
    assert_eq!(iterations, [500, 500, 2_000]);
    for images in ["a", "b"] {
        let of = |state: &&store::FiledState| state.consumed == consumed(images);
        let folder = &states.iter().find(of).unwrap().folder;
        let text = fs::read_to_string(folder.join("weights")).unwrap();
        assert_eq!(text, format!("500 {images}"));
        assert!(folder.join("deep/rng").is_file());
    }
    assert_eq!(room.store.states(&key("other")), []);
}

#[test]
fn a_damaged_state_is_not_offered_and_can_be_filed_again() {
    let room = Room::new();
    let (trajectory, files) = (key("trajectory"), room.path("state"));
    fill(&files, &[("weights", "good")]);
    let save = || {
        room.store
            .save_state(&trajectory, 7, &consumed("a"), &files)
            .unwrap()
    };
    let place = save();
    for (path, bytes) in [("weights", "evil"), ("../state.json", "{}\n")] {
        fs::write(place.join(path), bytes).unwrap();
        assert_eq!(room.store.states(&trajectory), [], "{path}");
        save();
        assert_eq!(room.store.states(&trajectory).len(), 1);
    }
    assert_eq!(count(&room.store.root().join("damaged")), 2);
    // One that lies where another belongs is neither.
    let folder = place.parent().unwrap();
    fs::rename(folder, folder.with_file_name("8-0123456789abcdef")).unwrap();
    assert_eq!(room.store.states(&trajectory), []);
}

#[test]
fn a_clean_up_keeps_states_of_kept_trajectories() {
    let room = Room::new();
    fill(&room.path("state"), &[("weights", "w")]);
    for trajectory in ["kept", "gone"] {
        room.store
            .save_state(&key(trajectory), 1, &consumed("a"), &room.path("state"))
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
