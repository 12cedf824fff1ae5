//! How long to wait before a restart.

use std::time::Duration;

use super::time::scale;

/// Bounds of an exponential backoff.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Backoff {
    pub(crate) min: Duration,
    pub(crate) max: Duration,
}

impl Backoff {
    pub(crate) const DEFAULT: Self = Self { min: Duration::from_millis(100), max: Duration::from_secs(10) };

    /// The pause before restart number `attempt`, counted from zero.
    ///
    /// The ceiling doubles with each attempt, up to `max`; the pause is drawn evenly between `min`
    /// and the ceiling. This is the "full jitter" of Marc Brooker's *Exponential Backoff And Jitter*,
    /// except for its floor: with `100ms..10s` no restart comes sooner than after 100 ms.
    pub(crate) fn pause(self, attempt: u32, jitter: &mut Jitter) -> Duration {
        let doubled = 2_u32.saturating_pow(attempt.saturating_add(1));
        let ceiling = self.min.saturating_mul(doubled).min(self.max);
        let spread = ceiling.saturating_sub(self.min);
        self.min.saturating_add(scale(spread, jitter.next_fraction()).min(spread))
    }
}

/// The source of jitter: a SplitMix64 generator (Steele, Lea and Flood, 2014), seeded by the control plane.
///
/// Restarts need to be spread, not to be secret. A fixed seed makes a test repeat.
#[derive(Clone, Debug)]
pub(crate) struct Jitter(u64);

impl Jitter {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number, from 0 up to but without 1.
    pub(crate) fn next_fraction(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        // The upper 53 bits are as many as an f64 holds exactly.
        (z >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_stays_between_the_bounds_and_its_ceiling_doubles() {
        let backoff = Backoff { min: Duration::from_millis(100), max: Duration::from_secs(10) };
        let mut jitter = Jitter::seeded(7);
        for attempt in 0..40 {
            let ceiling = (backoff.min * 2_u32.saturating_pow(attempt + 1).min(1 << 20)).min(backoff.max);
            for _ in 0..1_000 {
                let pause = backoff.pause(attempt, &mut jitter);
                assert!(pause >= backoff.min && pause <= ceiling, "{attempt}: {pause:?}");
            }
        }
    }

    /// The numbers of SplitMix64 for this seed, which its author published.
    #[test]
    fn the_fractions_are_those_of_splitmix64() {
        let mut jitter = Jitter::seeded(1_234_567);
        for number in [6_457_827_717_110_365_317_u64, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423] {
            assert_eq!(jitter.next_fraction(), (number / 2_048) as f64 / 2_f64.powi(53));
        }
    }

    #[test]
    fn equal_bounds_leave_no_room_for_jitter() {
        let second = Duration::from_secs(1);
        let backoff = Backoff { min: second, max: second };
        assert_eq!(backoff.pause(0, &mut Jitter::seeded(1)), second);
        assert_eq!(backoff.pause(u32::MAX, &mut Jitter::seeded(2)), second);
    }
}
