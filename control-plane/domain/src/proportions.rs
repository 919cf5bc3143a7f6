//! Whether arms get the clients that their weights say, by a test that may be looked at after every one of them.
//!
//! The sequential multinomial test of Lindon and Malek, "Anytime-valid inference for multinomial count data" (NIPS 2022): how much
//! likelier what came is under proportions drawn from a Dirichlet distribution around the weights than under the weights themselves. Where
//! those hold, that fortune cannot grow on average, so that it ever reaches *c* with a chance of at most 1/*c*. Weights may be others for each
//! client: what is expected of the next one is its weights, tilted as far as what came before is off what was due; that is the same test
//! where they stay, and a fortune that cannot grow where they do not. Pure.

/// How often, of experiments whose arms get what they should, one is said not to.
pub const FALSE_MISMATCH: f64 = 0.01;

/// How closely the other proportions are expected around the weights: as if so many clients had been seen. Fortunes are mixed, so that what
/// is far off is seen at once, and what is near sooner or later.
const CONCENTRATIONS: [f64; 3] = [10.0, 100.0, 1_000.0];

/// How many fortunes are mixed.
const MANY: f64 = 3.0;

/// The logarithm of the largest fortune.
// Full: it grows no further, and has said what it can.
const LOG_MAX: f64 = 600.0;

/// What has come.
#[derive(Debug, Clone, PartialEq)]
pub struct Proportions {
    /// How many clients each arm got.
    pub counts: Vec<f64>,
    /// How many it should have got: the sum of its weights.
    pub due: Vec<f64>,
    logarithms: [f64; CONCENTRATIONS.len()],
    peak: f64,
}

// === impl Proportions ===

impl Proportions {
    /// Of so many arms.
    pub fn new(arms: usize) -> Self {
        Self {
            counts: vec![0.0; arms],
            due: vec![0.0; arms],
            logarithms: [0.0; CONCENTRATIONS.len()],
            peak: 0.0,
        }
    }

    /// Takes one more client of this arm, of arms that had these weights when it came, which add up to one.
    pub fn take(&mut self, arm: usize, weights: &[f64]) {
        let all = self.counts.iter().zip(&self.due).zip(weights);
        for (logarithm, near) in self.logarithms.iter_mut().zip(CONCENTRATIONS) {
            let tilt = |((count, due), weight): ((&f64, &f64), &f64)| {
                (near * weight + count) / (near * weight + due)
            };
            let tilted = all.clone().filter(|it| *it.1 > 0.0);
            let whole: f64 = tilted.map(|it| it.1 * tilt(it)).sum();
            let own = all.clone().nth(arm).filter(|it| *it.1 > 0.0);
            // Who comes to an arm that gets nobody has said it all.
            let growth = own.map_or(LOG_MAX, |it| (tilt(it) / whole).ln());
            *logarithm = (*logarithm + growth).min(LOG_MAX);
        }
        if let Some(count) = self.counts.get_mut(arm) {
            *count += 1.0;
        }
        for (due, weight) in self.due.iter_mut().zip(weights) {
            *due += weight;
        }
        let fortunes = self.logarithms.iter().map(|it| it.exp());
        self.peak = self.peak.max(fortunes.sum::<f64>() / MANY);
    }

    /// Whether the arms are shown not to get what their weights say.
    pub fn is_mismatch(&self) -> bool {
        self.peak >= 1.0 / FALSE_MISMATCH
    }

    /// As numbers, to be kept, save what was due.
    pub fn numbers(&self) -> impl Iterator<Item = f64> {
        let counts = self.counts.iter().copied();
        counts.chain(self.logarithms).chain([self.peak])
    }

    /// Puts back what was kept, save what was due; `None` where there are too few numbers.
    pub fn restore(&mut self, numbers: &mut impl Iterator<Item = f64>) -> Option<()> {
        for count in &mut self.counts {
            *count = numbers.next()?;
        }
        for logarithm in &mut self.logarithms {
            *logarithm = numbers.next()?;
        }
        self.peak = numbers.next()?;
        Some(())
    }
}

#[cfg(test)]
#[path = "proportions_test.rs"]
mod tests;
