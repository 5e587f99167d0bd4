//! A part of a file as a stream, read at explicit places: nobody else's reading moves it.
//! Unaware of what is in it.

use std::io::{self, Read};
use std::rc::Rc;

use files::Data;

#[derive(Debug)]
pub(crate) struct Section {
    file: Rc<Data>,
    at: u64,
    end: u64,
}

impl Section {
    /// The bytes from `begin` to `end`, as far as the file has them.
    pub fn new(file: &Rc<Data>, begin: u64, end: u64) -> Self {
        Self {
            file: Rc::clone(file),
            at: begin,
            end,
        }
    }

    /// Where in the file the next byte is.
    pub fn at(&self) -> u64 {
        self.at
    }

    pub fn seek(&mut self, at: u64) {
        self.at = at;
    }
}

impl Read for Section {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.end.saturating_sub(self.at);
        let length = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let read = self.file.read_at(&mut buffer[..length], self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}
