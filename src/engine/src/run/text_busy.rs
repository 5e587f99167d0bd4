//! Starts a program whose file somebody still holds open for writing (ETXTBSY).
//! Unaware of which program it is.
//!
//! The file may have been written by this process a moment ago: what another thread starts meanwhile inherits the open
//! file until it executes its own program, however soon this process has closed it.

use std::io;
use std::thread::sleep;
use std::time::Duration;

/// Milliseconds before the next try: four seconds in all, nearly always one.
const PAUSES: [u64; 12] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048];

/// What `start` gives, tried again for a while where the program's file is busy.
pub(crate) fn start_when_free<T>(mut start: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for pause in PAUSES {
        match start() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {
                sleep(Duration::from_millis(pause));
            }
            started => return started,
        }
    }
    start()
}
