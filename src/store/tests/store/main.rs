//! The tests of the cache through its public doors: commits, crashes, damage, locks, the memo, full and read-only disks.
//! Unaware of the crate's inside. `cargo test -p store --release -- --ignored --nocapture` prints times.

#[cfg(test)]
mod commit;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod disk;
#[cfg(test)]
mod format;
#[cfg(test)]
mod locks;
#[cfg(test)]
mod memo;
#[cfg(test)]
mod room;
#[cfg(test)]
mod speed;
