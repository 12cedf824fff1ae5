//! Rounds in which all contestants take turns.

use std::fmt;

/// A contestant: takes samples, each of `FIGURES` figures, of one way.
pub struct Contestant<'a, const FIGURES: usize> {
    /// Its name in a table.
    pub name: &'static str,
    /// Takes one sample.
    pub sample: Box<dyn FnMut() -> [f64; FIGURES] + 'a>,
}

/// All samples, by contestant and by round.
pub struct Samples<const FIGURES: usize>(Vec<Vec<[f64; FIGURES]>>);

/// Takes one sample of each contestant in every round. Each round starts with another one, so that none always runs
/// after the same.
pub fn interleave<const FIGURES: usize>(
    rounds: usize,
    contestants: &mut [Contestant<'_, FIGURES>],
) -> Samples<FIGURES> {
    let count = contestants.len();
    let mut samples = vec![Vec::with_capacity(rounds); count];
    // The first round warms up caches, the allocator and everything that is created once.
    for round in 0..=rounds {
        for turn in 0..count {
            let index = (round + turn) % count;
            let sample = (contestants[index].sample)();
            if round > 0 {
                samples[index].push(sample);
            }
        }
    }
    Samples(samples)
}

impl<const FIGURES: usize> Samples<FIGURES> {
    /// Adds the rounds of another measurement of the same contestants.
    pub fn append(&mut self, others: Self) {
        for (samples, more) in self.0.iter_mut().zip(others.0) {
            samples.extend(more);
        }
    }

    /// The median of a contestant's figure.
    pub fn median(&self, contestant: usize, figure: usize) -> Summary {
        Summary::of(self.0[contestant].iter().map(|sample| sample[figure]).collect())
    }

    /// A contestant's figure as a ratio to that of the first one, round by round.
    pub fn ratio(&self, contestant: usize, figure: usize) -> Summary {
        let rounds = self.0[contestant].iter().zip(&self.0[0]);
        Summary::of(rounds.map(|(sample, floor)| sample[figure] / floor[figure]).collect())
    }
}

/// The median of some values, and their spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Half of the values are below it.
    pub median: f64,
    /// Half the interquartile range.
    pub spread: f64,
}

impl Summary {
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let quantile = |part: f64| values[((values.len() - 1) as f64 * part).round() as usize];
        Self { median: quantile(0.5), spread: (quantile(0.75) - quantile(0.25)) / 2.0 }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { median, spread } = self;
        if *median < 10.0 { write!(f, "{median:.3} ± {spread:.3}") } else { write!(f, "{median:.1} ± {spread:.1}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_that_is_slow_for_all_does_not_change_the_ratio() {
        let samples = Samples(vec![vec![[1.0], [10.0], [1.0]], vec![[2.0], [20.0], [2.0]]]);
        assert_eq!(samples.ratio(1, 0), Summary { median: 2.0, spread: 0.0 });
        assert_eq!(samples.median(1, 0), Summary { median: 2.0, spread: 9.0 });
    }

    #[test]
    fn each_is_first_in_some_round_and_the_warm_up_is_dropped() {
        let order = std::cell::RefCell::new(Vec::new());
        let order = &order;
        let mut contestants = ["a", "b", "c"].map(|name| Contestant {
            name,
            sample: Box::new(move || {
                order.borrow_mut().push(name);
                [order.borrow().len() as f64]
            }),
        });
        let samples = interleave(2, &mut contestants);
        assert_eq!(order.borrow().concat(), "abc".to_owned() + "bca" + "cab");
        assert_eq!(samples.0[0], [[6.0], [8.0]]);
    }
}
