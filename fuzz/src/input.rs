//! How the bytes of an input are taken apart: a few that choose, and texts behind them.
//!
//! It is plain, so that inputs can be written by hand, made of fixtures ([`crate::seeds`]) and read when one has found something.

/// Ends a text, where another follows.
pub const END: u8 = 0x1e;

/// The rest of an input.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    /// All of it.
    pub const fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    /// The next byte; 0 where there is none.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    /// A number below `count`, by the next byte.
    pub fn below(&mut self, count: usize) -> usize {
        usize::from(self.byte()) % count
    }

    /// What comes before the next [`END`], or all that is left.
    pub fn part(&mut self) -> &'a [u8] {
        let at = self.0.iter().position(|byte| *byte == END);
        let (part, rest) = match at {
            Some(at) => (&self.0[..at], &self.0[at + 1..]),
            None => (self.0, &[][..]),
        };
        self.0 = rest;
        part
    }

    /// The same as text; what is no UTF-8 is replaced.
    pub fn text(&mut self) -> String {
        String::from_utf8_lossy(self.part()).into_owned()
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    /// Whether nothing is left.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
