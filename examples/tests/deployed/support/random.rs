//! Reproducible random numbers.

use std::time::{SystemTime, UNIX_EPOCH};

const SEED: &str = "CANSTOP_SEED";

/// Marsaglia's xorshift generator, with a printed seed.
pub(crate) struct Random(u64);

impl Random {
    /// Takes the seed from the environment, or from the clock.
    pub(crate) fn new() -> Self {
        let seed: u64 = match std::env::var(SEED) {
            Ok(seed) => {
                seed.parse().unwrap_or_else(|_| panic!("{SEED}={seed} is not a number; write one, as {SEED}=7"))
            }
            Err(_) => {
                SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970").subsec_nanos().into()
            }
        };
        println!("{SEED}={seed}");
        // From zero the generator returns only zeros.
        Self(seed ^ 0x9e37_79b9_7f4a_7c15)
    }

    /// A number from 0 up to `end`, exclusive.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}
