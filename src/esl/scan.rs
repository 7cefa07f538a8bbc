//! Finds the line ends and colons of a header block, 64 bytes at a time.
//!
//! An event has some 65 lines of 38 bytes: a call of `memchr` for each spends more on starting than
//! on searching. Here a block of 64 bytes becomes one word with a bit for each `:` and LF, and the
//! bits are walked. What the lines mean is `grammar`'s business.

use wide::u8x16;

/// Bytes that are searched at once.
const BLOCK: usize = 64;

/// Walks the `:` and LF of a byte string from left to right.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delimiters<'a> {
    bytes: &'a [u8],
    /// Where the block of `bits` begins.
    block: usize,
    /// One bit per delimiter of the block that has not been handed out.
    bits: u64,
}

impl<'a> Delimiters<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, block: 0, bits: delimiters(bytes) }
    }

    /// The bytes that are walked.
    pub(super) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The offset of the next `:` or LF.
    #[inline(always)]
    pub(super) fn next(&mut self) -> Option<usize> {
        while self.bits == 0 {
            self.block += BLOCK;
            if self.block >= self.bytes.len() {
                self.block = self.bytes.len();
                return None;
            }
            self.bits = delimiters(&self.bytes[self.block..]);
        }
        let at = self.block + self.bits.trailing_zeros() as usize;
        self.bits &= self.bits - 1;
        Some(at)
    }
}

/// The delimiters in the first 64 bytes, lowest bit first.
#[inline(always)]
fn delimiters(bytes: &[u8]) -> u64 {
    match bytes.first_chunk::<BLOCK>() {
        Some(block) => delimiters_of_block(block),
        None => {
            let mut block = [0; BLOCK];
            block[..bytes.len()].copy_from_slice(bytes);
            delimiters_of_block(&block)
        }
    }
}

#[inline(always)]
fn delimiters_of_block(block: &[u8; BLOCK]) -> u64 {
    let lane = |at: usize| {
        let bytes = u8x16::new(std::array::from_fn(|i| block[at + i]));
        let found = bytes.simd_eq(u8x16::splat(b'\n')) | bytes.simd_eq(u8x16::splat(b':'));
        u64::from(found.to_bitmask())
    };
    lane(0) | lane(16) << 16 | lane(32) << 32 | lane(48) << 48
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn finds_what_a_plain_search_finds(bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b':'), any::<u8>()], 0..400)) {
            let expected: Vec<usize> = bytes.iter().enumerate().filter(|(_, b)| matches!(b, b'\n' | b':')).map(|(i, _)| i).collect();
            let mut walk = Delimiters::new(&bytes);
            let found: Vec<usize> = std::iter::from_fn(|| walk.next()).collect();
            prop_assert_eq!(found, expected);
            prop_assert_eq!(walk.next(), None);
        }
    }
}
