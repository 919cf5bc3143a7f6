//! Which of several arms is the best, by what is known of their means.
//!
//! A belief about a mean is a normal distribution around what was seen, as wide as what was seen is scattered. Each value counts as often as its
//! arm was rare when it came: what all arms have alike at some time then says nothing of any of them, however their shares were. The chance of an
//! arm is that of its mean being the least. Values go from 0 to 1, and less is better. Pure; its state is numbers that can be kept.

/// How many numbers one is kept in.
pub const NUMBERS: usize = 6;

/// The smallest share that a value counts by, so that none counts more than a hundred times.
const SHARE_MIN: f64 = 0.01;

/// How far around its centre a distribution is looked at, in deviations, and at how many places on each side.
const REACH: f64 = 6.0;
const PLACES: i32 = 120;

/// What is known of an arm's mean.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Belief {
    /// How many values.
    pub count: f64,
    // Sums over values: of what each counts, and of that times the value; then of the square of what it counts, times the value's powers.
    weight: f64,
    sum: f64,
    squares: [f64; 3],
}

/// A normal distribution.
#[derive(Debug, Clone, Copy)]
struct Normal {
    mean: f64,
    deviation: f64,
}

/// The chance of each arm to be the one with the least mean; zero of those that are out of it (`None`).
pub fn chances(beliefs: &[Option<Belief>]) -> Vec<f64> {
    let count = beliefs.iter().flatten().count();
    let arms = f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    let believed: Vec<Option<Normal>> = beliefs
        .iter()
        .map(|it| it.map(|it| it.normal(arms)))
        .collect();
    let mut chances: Vec<f64> = (0..believed.len())
        .map(|arm| least(&believed, arm))
        .collect();
    let all: f64 = chances.iter().sum();
    if all > 0.0 {
        for chance in &mut chances {
            *chance /= all;
        }
    }
    chances
}

/// The chance that the mean of this arm is below those of all others, summed over where it may be.
fn least(believed: &[Option<Normal>], arm: usize) -> f64 {
    let Some(own) = believed.get(arm).copied().flatten() else {
        return 0.0;
    };
    let others = believed.iter().enumerate().filter(|(at, _)| *at != arm);
    let others: Vec<Normal> = others.filter_map(|(_, it)| *it).collect();
    let places = (-PLACES..=PLACES).map(|at| {
        let away = f64::from(at) / f64::from(PLACES) * REACH;
        let mean = own.mean + own.deviation * away;
        let above: f64 = others.iter().map(|it| it.above(mean)).product();
        let density = (-0.5 * away * away).exp();
        (density, density * above)
    });
    let (all, won) = places.fold((0.0, 0.0), |(all, won), (density, above)| {
        (all + density, won + above)
    });
    won / all
}

// === impl Belief ===

impl Belief {
    /// Takes one more value of an arm that had this share, from 0 to 1, when it came.
    pub fn take(&mut self, value: f64, share: f64) {
        let counts = 1.0 / share.max(SHARE_MIN);
        self.count += 1.0;
        self.weight += counts;
        self.sum += counts * value;
        for (at, square) in (0..).zip(&mut self.squares) {
            *square += counts * counts * value.powi(at);
        }
    }

    /// Where the mean may be, among so many arms. To begin with it is as if one value had come, halfway and of any scatter.
    fn normal(&self, arms: f64) -> Normal {
        let weight = self.weight + arms;
        let mean = f64::midpoint(2.0 * self.sum, arms) / weight;
        let [ones, values, squares] = self.squares;
        let scattered = squares - 2.0 * mean * values + mean * mean * ones;
        let before = arms * arms * (0.25 + (0.5 - mean).powi(2));
        Normal {
            mean,
            deviation: (scattered.max(0.0) + before).sqrt() / weight,
        }
    }

    /// As numbers, to be kept.
    pub const fn numbers(&self) -> [f64; NUMBERS] {
        let [ones, values, squares] = self.squares;
        [self.count, self.weight, self.sum, ones, values, squares]
    }

    /// What was kept.
    pub const fn from_numbers(numbers: [f64; NUMBERS]) -> Self {
        let [count, weight, sum, ones, values, squares] = numbers;
        Self {
            count,
            weight,
            sum,
            squares: [ones, values, squares],
        }
    }
}

// === impl Normal ===

impl Normal {
    /// The chance of being above this.
    fn above(self, place: f64) -> f64 {
        let away = (place - self.mean) / (self.deviation * std::f64::consts::SQRT_2);
        let beyond = 0.5 * tail(away.abs());
        if away > 0.0 { beyond } else { 1.0 - beyond }
    }
}

/// The complementary error function of what is not below zero, to seven digits: Abramowitz and Stegun, 7.1.26.
fn tail(x: f64) -> f64 {
    let t = 1.0 / x.mul_add(0.327_591_1, 1.0);
    let factors = [
        1.061_405_429,
        -1.453_152_027,
        1.421_413_741,
        -0.284_496_736,
        0.254_829_592,
    ];
    let polynomial = factors.iter().fold(0.0, |sum, it| (sum + it) * t);
    polynomial * (-x * x).exp()
}

#[cfg(test)]
#[path = "belief_test.rs"]
mod tests;
