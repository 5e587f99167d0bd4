//! What can be said of a result: whether it is there as its record says, and how much it is.
//! Unaware of how that is found out.

/// What [`Status::Damaged`] names when it is the record that is damaged.
pub const DAMAGED_RECORD: &str = "(record)";

/// How a committed key is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// No record: the key was never committed, or was set aside.
    Absent,
    /// All outputs are as the record says; [`crate::Store::record`] reads it.
    Fresh(Amount),
    /// These outputs are gone, the others are fine.
    Missing(Vec<String>),
    /// These outputs, or [`DAMAGED_RECORD`], are not what was committed.
    Damaged(Vec<String>),
}

/// Files and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// Files, and links.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
}

impl std::ops::AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        self.files += other.files;
        self.bytes += other.bytes;
    }
}

impl std::iter::Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |mut sum, one| {
            sum += one;
            sum
        })
    }
}
