//! Within which bounds the weights of a version's targets follow how those do.

/// What weights follow. The numbers are those of the wire and of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Measure {
    /// How soon answers begin.
    Latency = 1,
    /// How many attempts fail.
    Errors = 2,
    /// What answers cost.
    Cost = 3,
}

/// How weights follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Adapt {
    /// What.
    pub by: Measure,
    low: u16,
    high: u16,
}

/// Bounds that do not hold 100 % between them, or are too far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidAdapt;

/// The largest that a weight becomes, in percents of itself.
pub const PERCENT_MAX: u16 = 1_000;

// === impl Measure ===

impl Measure {
    /// The one with this number.
    pub fn from_number(number: u32) -> Option<Self> {
        let mut all = [Self::Latency, Self::Errors, Self::Cost].into_iter();
        all.find(|it| u32::from(*it as u8) == number)
    }
}

// === impl Adapt ===

impl Adapt {
    /// Weights that follow this, from so many to so many percents of themselves.
    pub fn new(by: Measure, low: u16, high: u16) -> Result<Self, InvalidAdapt> {
        let holds = (1..=100).contains(&low) && (100..=PERCENT_MAX).contains(&high) && low < high;
        holds.then_some(Self { by, low, high }).ok_or(InvalidAdapt)
    }

    /// The least and the most that a weight becomes, in percents of itself.
    pub const fn percents(&self) -> (u16, u16) {
        (self.low, self.high)
    }

    /// The same as parts of itself.
    pub fn bounds(&self) -> (f64, f64) {
        (f64::from(self.low) / 100.0, f64::from(self.high) / 100.0)
    }
}

impl std::fmt::Display for InvalidAdapt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "must go from 1 % to 100 % at least, and from 100 % to {PERCENT_MAX} % at most, and not be 100 % both"
        )
    }
}

impl std::error::Error for InvalidAdapt {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_hold_the_weight_itself() {
        for (low, high) in [(0, 200), (101, 200), (50, 99), (100, 100), (50, 1_001)] {
            assert_eq!(Adapt::new(Measure::Latency, low, high), Err(InvalidAdapt));
        }
        let adapt = Adapt::new(Measure::Errors, 25, 100).unwrap();
        assert_eq!(adapt.bounds(), (0.25, 1.0));
        assert_eq!(Measure::from_number(1), Some(Measure::Latency));
        assert_eq!(Measure::from_number(3), Some(Measure::Cost));
        assert_eq!(Measure::from_number(4), None);
    }
}
