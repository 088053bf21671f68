//! Chance from a seed: the same numbers on every machine.

/// A stream of numbers that its seed and name fully determine.
#[derive(Clone, Debug)]
pub(crate) struct Chance {
    reader: blake3::OutputReader,
}

impl Chance {
    /// The stream `name` of `seed`. Streams of different names are independent, so that one
    /// agent more does not change what another does.
    pub(crate) fn new(seed: u64, name: &str) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("remuda/sim/chance/1");
        hasher.update(&seed.to_le_bytes()).update(name.as_bytes());
        Self { reader: hasher.finalize_xof() }
    }

    /// 32 bytes: the seed of a key.
    pub(crate) fn bytes(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.reader.fill(&mut bytes);
        bytes
    }

    /// A number below `bound`, every one equally likely; 0 when `bound` is 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let mut bytes = [0; 8];
        self.reader.fill(&mut bytes);
        // 64 random bits times a bound: the bias is below bound / 2^64.
        let wide = u128::from(u64::from_le_bytes(bytes)) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or_default()
    }

    /// A number from 0 up to, not including, 1.
    pub(crate) fn unit(&mut self) -> f64 {
        // 53 bits: exactly what the type holds.
        self.below(1 << 53) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_and_a_name_give_one_stream() {
        let draw = |seed, name| {
            let mut chance = Chance::new(seed, name);
            (0..4).map(|_| chance.below(1_000)).collect::<Vec<_>>()
        };
        assert_eq!(draw(1, "a"), draw(1, "a"));
        assert_ne!(draw(1, "a"), draw(1, "b"));
        assert_ne!(draw(1, "a"), draw(2, "a"));
        assert_eq!(Chance::new(1, "a").below(0), 0);
        assert!((0.0..1.0).contains(&Chance::new(1, "a").unit()));
    }
}
