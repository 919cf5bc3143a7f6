//! Intervals of means that may be looked at after every value.
//!
//! Of values from 0 to 1, whatever their distribution. The empirical-Bernstein confidence sequence of Waudby-Smith and Ramdas, "Estimating
//! means of bounded random variables by betting" (JRSS B 86, 2024), theorem 2: a fortune that cannot grow on average is wagered on the mean
//! being elsewhere, and by Ville's inequality it ever grows to 2/α times its start with a chance of at most α/2 on each side. So all
//! intervals of one sequence together miss with a chance of at most α. Where the mean moves they are about its weighted mean so far. What is
//! wagered hangs on what came before alone, and on no α. Pure; its state is numbers that can be kept.

/// The most that is wagered of a fortune.
const STAKE_MAX: f64 = 0.5;

/// For which α stakes are best; the intervals hold for any.
const STAKED_FOR: f64 = 0.05;

/// How many numbers one is kept in.
pub const NUMBERS: usize = 6;

/// What is known of a mean.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Interval {
    count: f64,
    sum: f64,
    squares: f64,
    stakes: f64,
    wagered: f64,
    variance: f64,
}

/// Between which two numbers a mean is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// At least.
    pub low: f64,
    /// At most.
    pub high: f64,
}

// === impl Interval ===

impl Interval {
    /// Takes one more value, from 0 to 1.
    pub fn take(&mut self, value: f64) {
        let value = value.clamp(0.0, 1.0);
        let turn = self.count + 1.0;
        // Of what came before: the guess of the mean, and of the variance.
        let (guess, spread) = ((0.5 + self.sum) / turn, (0.25 + self.squares) / turn);
        let wanted = 2.0 * (2.0 / STAKED_FOR).ln() / (spread * turn * turn.ln_1p());
        let stake = wanted.sqrt().min(STAKE_MAX);
        self.stakes += stake;
        self.wagered += stake * value;
        self.variance += (value - guess).powi(2) * (-(-stake).ln_1p() - stake);
        self.count = turn;
        self.sum += value;
        let mean = (0.5 + self.sum) / (turn + 1.0);
        self.squares += (value - mean).powi(2);
    }

    /// Between which numbers the mean is, save with a chance of `alpha` over all times at which this is asked.
    pub fn bounds(&self, alpha: f64) -> Bounds {
        if self.stakes <= 0.0 {
            return Bounds {
                low: 0.0,
                high: 1.0,
            };
        }
        let centre = self.wagered / self.stakes;
        let half = ((2.0 / alpha).ln() + self.variance) / self.stakes;
        Bounds {
            low: (centre - half).max(0.0),
            high: (centre + half).min(1.0),
        }
    }

    /// The mean of what came; zero where nothing has.
    pub fn mean(&self) -> f64 {
        if self.count > 0.0 {
            self.sum / self.count
        } else {
            0.0
        }
    }

    /// As numbers, to be kept.
    pub const fn numbers(&self) -> [f64; NUMBERS] {
        [
            self.count,
            self.sum,
            self.squares,
            self.stakes,
            self.wagered,
            self.variance,
        ]
    }

    /// What was kept.
    pub const fn from_numbers(numbers: [f64; NUMBERS]) -> Self {
        let [count, sum, squares, stakes, wagered, variance] = numbers;
        Self {
            count,
            sum,
            squares,
            stakes,
            wagered,
            variance,
        }
    }
}

#[cfg(test)]
#[path = "interval_test.rs"]
mod tests;
