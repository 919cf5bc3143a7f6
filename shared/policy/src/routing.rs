//! How a version chooses among its targets, and after which failures the next one is asked.
//!
//! Knows words and numbers; knows nothing of how targets fare.

use crate::{adapt::Adapt, hedge::Hedge};

/// How the first of several targets of one priority is chosen. The numbers are those of the wire and of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum Balance {
    /// By their weights.
    #[default]
    Weighted = 0,
    /// Of two that are drawn, the one that answers sooner, by what is under way there.
    LeastLatency = 1,
    /// The one at which a request costs least.
    LowestCost = 2,
    /// The one whose answers begin soonest, by the median of the last minutes.
    LowestLatency = 3,
    /// The one that generates fastest, by the median of the last minutes.
    HighestThroughput = 4,
    /// The same for all requests of a session.
    Session = 5,
    /// The same for all requests of an end user.
    EndUser = 6,
    /// The same for all requests that begin alike.
    Prefix = 7,
}

/// What can go wrong with an attempt. The numbers are those of the wire; the database and edges hold bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum FailureClass {
    /// The provider says: too much, too fast.
    RateLimited = 1,
    /// The provider has no room.
    Overloaded = 2,
    /// The provider did not begin in time.
    Timeout = 3,
    /// Our credential was refused, or could not be had.
    Credential = 4,
    /// The provider failed in any other way.
    Provider = 5,
    /// The conversation is longer than the model can take.
    ContextTooLong = 6,
    /// A filter took the request.
    ContentFiltered = 7,
    /// The request is wrong in another way.
    InvalidRequest = 8,
}

/// Some classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FailureClasses(u16);

/// How a version routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Routing {
    /// How it chooses among targets of one priority.
    pub balance: Balance,
    /// After these failures the next target is asked, though usually it is not.
    pub fallback_on: FailureClasses,
    /// After these it is not, though usually it is.
    pub no_fallback_on: FailureClasses,
    /// How weights follow how targets do; `None`: they stay.
    pub adapt: Option<Adapt>,
    /// After how long a second target is asked for embeddings beside the first; `None`: none is.
    pub hedge: Option<Hedge>,
}

/// Every way to choose.
const BALANCES: [Balance; 8] = [
    Balance::Weighted,
    Balance::LeastLatency,
    Balance::LowestCost,
    Balance::LowestLatency,
    Balance::HighestThroughput,
    Balance::Session,
    Balance::EndUser,
    Balance::Prefix,
];

/// Every class.
const CLASSES: [FailureClass; 8] = [
    FailureClass::RateLimited,
    FailureClass::Overloaded,
    FailureClass::Timeout,
    FailureClass::Credential,
    FailureClass::Provider,
    FailureClass::ContextTooLong,
    FailureClass::ContentFiltered,
    FailureClass::InvalidRequest,
];

// === impl Balance ===

impl Balance {
    /// The one with this number.
    pub fn from_number(number: u32) -> Option<Self> {
        let mut all = BALANCES.into_iter();
        all.find(|it| u32::from(*it as u8) == number)
    }

    /// Whether it asks whose a request is.
    pub const fn asks_whose(self) -> bool {
        matches!(self, Self::Session | Self::EndUser)
    }
}

// === impl FailureClass ===

impl FailureClass {
    /// The one with this number.
    pub fn from_number(number: u32) -> Option<Self> {
        let mut all = CLASSES.into_iter();
        all.find(|it| u32::from(*it as u8) == number)
    }

    /// Whether the next target is usually asked after it: not where it is the request that is wrong.
    pub const fn usually_falls_back(self) -> bool {
        !matches!(
            self,
            Self::ContextTooLong | Self::ContentFiltered | Self::InvalidRequest
        )
    }

    const fn bit(self) -> u16 {
        1 << (self as u8 - 1)
    }
}

// === impl FailureClasses ===

impl FailureClasses {
    /// Those of these bits, of which the lowest is that of number 1; `None` where a bit is nobody's.
    pub fn from_bits(bits: u32) -> Option<Self> {
        let all = CLASSES.iter().fold(0, |all, it| all | it.bit());
        let bits = u16::try_from(bits).ok()?;
        (bits & !all == 0).then_some(Self(bits))
    }

    /// Their bits.
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// Whether this one is among them.
    pub const fn holds(self, class: FailureClass) -> bool {
        self.0 & class.bit() != 0
    }

    /// All of them, by number.
    pub fn all(self) -> impl Iterator<Item = FailureClass> {
        CLASSES.into_iter().filter(move |it| self.holds(*it))
    }
}

impl FromIterator<FailureClass> for FailureClasses {
    fn from_iter<I: IntoIterator<Item = FailureClass>>(all: I) -> Self {
        Self(all.into_iter().fold(0, |bits, it| bits | it.bit()))
    }
}

// === impl Routing ===

impl Routing {
    /// Whether the next target is asked after this.
    pub const fn falls_back(&self, class: FailureClass) -> bool {
        let is_told = self.fallback_on.holds(class);
        (is_told || class.usually_falls_back()) && !self.no_fallback_on.holds(class)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_bits_are_read_as_they_were_written_and_foreign_ones_are_not() {
        for balance in BALANCES {
            assert_eq!(Balance::from_number(balance as u32), Some(balance));
        }
        assert_eq!(Balance::from_number(8), None);
        for class in CLASSES {
            let one: FailureClasses = [class].into_iter().collect();
            assert_eq!(FailureClasses::from_bits(one.bits().into()), Some(one));
            assert_eq!(one.all().collect::<Vec<_>>(), [class]);
        }
        assert_eq!(FailureClasses::from_bits(1 << 8), None);
        assert_eq!(FailureClasses::from_bits(1 << 16), None);
    }

    #[test]
    fn what_a_version_says_of_a_failure_counts_and_else_what_is_usual() {
        let routing = Routing {
            fallback_on: [FailureClass::ContextTooLong].into_iter().collect(),
            no_fallback_on: [FailureClass::RateLimited].into_iter().collect(),
            ..Routing::default()
        };
        let falls_back: Vec<_> = CLASSES.map(|it| routing.falls_back(it)).into();
        assert_eq!(
            falls_back,
            [false, true, true, true, true, true, false, false]
        );
    }
}
