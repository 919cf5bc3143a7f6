//! A price: what the counters of a request cost, where, and from when on; and what is off it.
//!
//! Money is in nano-dollars, integers all the way. Knows nothing of how a price is found or of what is computed with it.

use std::{fmt, sync::Arc};

use crate::{
    glob::Glob,
    id::{DiscountId, OrganizationId, PriceId, ProviderId},
    provider::ProviderKind,
    usage::Counter,
};

/// The highest rate, in nano-dollars a million: a hundred dollars apiece.
pub const RATE_MAX: u64 = 100_000_000_000_000_000;

/// How many make a million, which rates are for.
pub const MILLION: u64 = 1_000_000;

/// The most prices of one organization.
// Full: a new one is refused.
pub const PRICES_MAX: usize = 1_000;

/// The most discounts of one organization.
// Full: a new one is refused.
pub const DISCOUNTS_MAX: usize = 200;

/// How a provider served a request, where it has several ways at prices of their own. The numbers are those of the wire
/// and of the database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Tier {
    /// As usual.
    #[default]
    Standard = 1,
    /// Sooner, and dearer.
    Priority = 2,
    /// When there is room, and cheaper.
    Flex = 3,
    /// Within a day, in a batch.
    Batch = 4,
    /// In a way that this build has no name for: only a price for every tier is a price for it.
    Other = 5,
}

/// Whom a price or a discount is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// Every provider.
    Any,
    /// Every provider of this kind.
    Kind(ProviderKind),
    /// This provider.
    Provider(ProviderId),
}

/// Nano-dollars a million, of each counter that has a rate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rates([Option<u64>; Counter::ALL.len()]);

/// One row of a price book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What records call it: of an organization's own price its id, of a published one what is published.
    pub reference: String,
    /// Whether it is an organization's own.
    pub own: bool,
    /// Whom it is for.
    pub of: Of,
    /// The provider's names of the models that it is for.
    pub model: Glob,
    /// The provider's regions that it is for; `None` means: all.
    pub region: Option<Glob>,
    /// The tier that it is for; `None` means: all.
    pub tier: Option<Tier>,
    /// It is for requests with more input tokens than this.
    pub above_input_tokens: u64,
    /// From when on, milliseconds since 1970.
    pub valid_from_ms: u64,
    /// The rates.
    pub rates: Rates,
}

/// An organization's own price, as edges know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// Its id.
    pub id: PriceId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// The last segment of its name.
    pub name: String,
    /// What it says.
    pub row: Arc<Row>,
}

/// Hundredths of a percent, at most all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct BasisPoints(u16);

/// What an organization has negotiated, as edges know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discount {
    /// Its id.
    pub id: DiscountId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// The last segment of its name.
    pub name: String,
    /// Whom it is for.
    pub of: Of,
    /// The provider's names of the models that it is for.
    pub model: Glob,
    /// What is off every rate.
    pub off: BasisPoints,
    /// From when on, milliseconds since 1970.
    pub valid_from_ms: u64,
}

/// A rate is higher than [`RATE_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateTooHigh;

// === impl Tier ===

impl Tier {
    /// Every tier, once.
    pub const ALL: [Self; 5] = [
        Self::Standard,
        Self::Priority,
        Self::Flex,
        Self::Batch,
        Self::Other,
    ];

    /// The tier with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|it| *it as u8 == number)
    }

    /// The word for it in files and tables.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Priority => "priority",
            Self::Flex => "flex",
            Self::Batch => "batch",
            Self::Other => "other",
        }
    }

    /// The tier that files call so.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.word() == word)
    }
}

// === impl Of ===

impl Of {
    /// Whether it is for a provider of this id and kind.
    pub fn includes(self, provider: ProviderId, kind: ProviderKind) -> bool {
        match self {
            Self::Any => true,
            Self::Kind(it) => it == kind,
            Self::Provider(it) => it == provider,
        }
    }

    /// Who speaks before whom: the narrower first.
    pub(crate) const fn rank(self) -> u8 {
        match self {
            Self::Any => 0,
            Self::Kind(_) => 1,
            Self::Provider(_) => 2,
        }
    }
}

// === impl Rates ===

impl Rates {
    /// The rate of a counter. Who has no rate for reasoning takes it for output, and who has none for what a cache served
    /// for input: that is how providers bill where they do not say otherwise. A request has no fee unless there is one.
    pub fn of(&self, counter: Counter) -> Option<u64> {
        let rate = |it: Counter| self.0.get(it.at()).copied().flatten();
        rate(counter).or_else(|| match counter {
            Counter::Reasoning => rate(Counter::Output),
            Counter::CachedInput => rate(Counter::Input),
            Counter::Requests => Some(0),
            _ => None,
        })
    }

    /// The same, with this rate.
    pub fn with(mut self, counter: Counter, rate: u64) -> Result<Self, RateTooHigh> {
        if rate > RATE_MAX {
            return Err(RateTooHigh);
        }
        if let Some(slot) = self.0.get_mut(counter.at()) {
            *slot = Some(rate);
        }
        Ok(self)
    }

    /// The rates that it has, as they were given.
    pub fn given(&self) -> impl Iterator<Item = (Counter, u64)> + '_ {
        let rates = Counter::ALL.into_iter().zip(self.0);
        rates.filter_map(|(counter, rate)| Some((counter, rate?)))
    }
}

// === impl BasisPoints ===

impl BasisPoints {
    /// All of it.
    pub const ALL: u16 = 10_000;

    /// So many, at most [`Self::ALL`].
    pub fn new(points: u16) -> Option<Self> {
        (points <= Self::ALL).then_some(Self(points))
    }

    /// How many.
    pub const fn points(self) -> u16 {
        self.0
    }

    /// What is left, in hundredths of a percent.
    pub(crate) const fn left(self) -> u16 {
        Self::ALL - self.0
    }
}

// === impl RateTooHigh ===

impl fmt::Display for RateTooHigh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be at most 100,000,000 dollars a million, which is 100 dollars apiece")
    }
}

impl std::error::Error for RateTooHigh {}
