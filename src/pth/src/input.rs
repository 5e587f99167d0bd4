//! The arguments of opcodes, read from a stream that may claim any length.
//! Unaware of what an opcode means.

use std::io::{self, BufRead, BufReader, Read};

use crate::Error;
use crate::budget::Budget;
use crate::section::Section;

/// A stream of opcodes.
pub(crate) struct Input<R> {
    reader: BufReader<R>,
}

impl<R: Read> Input<R> {
    pub fn new(reader: R) -> Self {
        Self {
            reader: BufReader::with_capacity(1 << 16, reader),
        }
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    pub fn byte(&mut self) -> Result<u8, Error> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// A number of `N` bytes, little-endian.
    pub fn number<const N: usize>(&mut self) -> Result<u64, Error> {
        let mut wide = [0; 8];
        wide[..N].copy_from_slice(&self.array::<N>()?);
        Ok(u64::from_le_bytes(wide))
    }

    /// `length` bytes. They are paid for before they are read, and read before more room is made.
    pub fn bytes(&mut self, length: u64, budget: &Budget) -> Result<Vec<u8>, Error> {
        budget.take(length)?;
        let mut bytes = Vec::new();
        Read::by_ref(&mut self.reader)
            .take(length)
            .read_to_end(&mut bytes)?;
        if bytes.len() as u64 != length {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        Ok(bytes)
    }

    /// Passes `length` bytes that nobody loads.
    pub fn skip(&mut self, length: u64, budget: &Budget) -> Result<(), Error> {
        budget.take(length)?;
        let mut part = Read::by_ref(&mut self.reader).take(length);
        if io::copy(&mut part, &mut io::sink())? != length {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        Ok(())
    }

    /// The bytes before the next line's end.
    pub fn line(&mut self, budget: &Budget) -> Result<Vec<u8>, Error> {
        let mut line = Vec::new();
        let most = budget.left().saturating_add(1);
        Read::by_ref(&mut self.reader)
            .take(most)
            .read_until(b'\n', &mut line)?;
        budget.take(line.len() as u64)?;
        if line.pop() != Some(b'\n') {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(line)
    }
}

impl Input<Section> {
    /// Where in the file the next byte is.
    pub fn position(&self) -> u64 {
        self.reader.get_ref().at() - self.reader.buffer().len() as u64
    }

    /// Goes on at another place of the file.
    pub fn seek(&mut self, at: u64) {
        let buffered = self.reader.buffer().len();
        self.reader.consume(buffered);
        self.reader.get_mut().seek(at);
    }
}
