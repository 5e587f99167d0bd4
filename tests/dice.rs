//! Numbers that look random and are the same in each run (xorshift, Marsaglia 2003); several test programs include this.
//! Unaware of what they decide.

/// The state, never zero.
pub struct Dice(pub u64);

impl Dice {
    /// A number from 0 to `below - 1`.
    pub fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}
