//! The tests of the cache through its public doors: commits, crashes, damage, locks, the memo, clean-ups, archives, disks.
//! Unaware of the crate's inside. `PIPELINE_SOAK=1` runs the long form of the tests in `soak`.

#[cfg(test)]
mod archive;
#[cfg(test)]
mod clean;
#[cfg(test)]
mod commit;
#[cfg(test)]
mod copies;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod decoded;
#[cfg(test)]
#[path = "../../../../tests/dice.rs"]
mod dice;
#[cfg(test)]
mod disk;
#[cfg(test)]
mod format;
#[cfg(test)]
mod format_1;
#[cfg(test)]
mod group_commit;
#[cfg(test)]
mod kinds;
#[cfg(test)]
mod locks;
#[cfg(test)]
mod memo;
#[cfg(test)]
mod room;
#[cfg(test)]
#[path = "../../../../tests/rounds.rs"]
mod rounds;
#[cfg(test)]
mod soak;
#[cfg(test)]
mod states;
#[cfg(test)]
mod verify;
