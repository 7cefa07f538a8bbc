//! The sim's randomness: a seeded sequence, the same on every machine and in every version.
//!
//! It owns ids and small chances; it is no good for secrets. Nothing in the sim draws from anywhere else,
//! so a seed printed by a test is enough to see the same run again.

/// A seeded sequence of numbers (splitmix64).
#[derive(Debug, Clone)]
pub struct Dice {
    state: u64,
}

impl Dice {
    /// Dice that always fall the same way for the same seed.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next number.
    pub fn roll(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`; 0 when `limit` is 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        if limit == 0 { 0 } else { self.roll() % limit }
    }

    /// True `share` times of 1 (0.0 never, 1.0 always).
    pub fn chance(&mut self, share: f64) -> bool {
        share > 0.0 && (self.roll() >> 11) as f64 / ((1u64 << 53) as f64) < share
    }

    /// A random UUID (version 4) in its usual spelling.
    pub fn uuid(&mut self) -> String {
        let high = (self.roll() & 0xffff_ffff_ffff_0fff) | 0x4000;
        let low = (self.roll() & 0x3fff_ffff_ffff_ffff) | 0x8000_0000_0000_0000;
        format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xffff,
            low >> 48,
            low & 0xffff_ffff_ffff
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Dice;

    #[test]
    fn one_seed_gives_one_sequence() {
        let (mut a, mut b) = (Dice::new(7), Dice::new(7));
        assert_eq!((a.roll(), a.uuid()), (b.roll(), b.uuid()));
        assert_ne!(Dice::new(8).uuid(), Dice::new(7).uuid());
    }

    #[test]
    fn a_uuid_says_that_it_is_random() {
        let uuid = Dice::new(1).uuid();
        assert_eq!(uuid.len(), 36);
        assert_eq!(&uuid[14..15], "4");
        assert!("89ab".contains(&uuid[19..20]), "{uuid}");
    }
}
