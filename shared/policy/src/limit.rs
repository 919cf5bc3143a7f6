//! A limit: how much of something a scope may use, as a rate, as a quota, or at once.
//!
//! The arithmetic is in integers so that the Lua script, which has doubles, and the in-process twin give the
//! same replies: every intermediate stays below 2^53. Knows nothing of where levels are kept.

mod unit;

use crate::{
    calendar::Period,
    id::{LimitId, ModelId, OrganizationId, ProjectId, ProviderId},
    region::Region,
};

pub use self::unit::Unit;

/// The most that a rate's `amount` and `burst` or one reservation can be, and how deep a level can fall into debt. With
/// the longest window, (cap + debt) · window stays below 2^53.
pub const UNITS_MAX: u64 = 1_000_000_000;

/// The most that a quota can be. Nothing is multiplied with it, and it is exact in a double.
pub const QUOTA_MAX: u64 = 1_000_000_000_000_000;

/// The most requests that can be allowed at once.
pub const AT_ONCE_MAX: u64 = 1_000_000;

/// The longest window: an hour, in milliseconds.
pub const WINDOW_MS_MAX: u64 = 3_600_000;

/// The most regions that hold one limit together.
pub const REGIONS_MAX: usize = 16;

/// A limit, as edges know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Its id.
    pub id: LimitId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// The last segment of its name.
    pub name: String,
    /// Whose use is counted.
    pub scope: Scope,
    /// What is counted.
    pub unit: Unit,
    /// The numbers.
    pub allowance: Allowance,
    /// How it is held.
    pub terms: Terms,
    /// Of a quota, from when on use is counted, milliseconds since 1970: what was used before it was one is not. Zero where that
    /// is not told.
    pub counted_from_ms: u64,
}

/// How a limit is held.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    /// What happens to a request that does not fit.
    pub mode: Mode,
    /// What happens while the shared counts cannot be asked.
    pub on_store_loss: OnStoreLoss,
    /// Other numbers for some, or for a time; the first that fits.
    pub overrides: Vec<Override>,
    /// The regions that hold it together, at most [`REGIONS_MAX`]; none means that each holds it by itself.
    pub regions: Vec<Region>,
}

/// What happens to a request that does not fit. The numbers are those of the wire and of the database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Mode {
    /// It is refused.
    #[default]
    Hard = 1,
    /// It is served, not counted, and its client warned.
    Soft = 2,
    /// It is served and not counted, and only the operator hears of it.
    Shadow = 3,
    /// It is refused, and one that fits is held to what was reserved for it.
    Strict = 4,
}

/// What happens while the shared counts cannot be asked. The numbers are those of the wire and of the database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum OnStoreLoss {
    /// Each edge admits its share.
    #[default]
    LocalShare = 1,
    /// Nothing is admitted.
    Deny = 2,
    /// Everything is admitted, and counted afterwards.
    Allow = 3,
}

/// Other numbers for some members of a scope, or for all for a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// For this key alone.
    pub key_id: Option<String>,
    /// For this end user alone.
    pub end_user: Option<String>,
    /// The numbers.
    pub allowance: Allowance,
    /// When it ends, milliseconds since 1970.
    pub until_ms: Option<u64>,
}

/// Whose use a limit counts: that of requests to which all of this applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Whose requests.
    pub of: Of,
    /// For this model alone.
    pub model: Option<ModelId>,
    /// As far as this provider alone serves them.
    pub provider: Option<ProviderId>,
    /// Of this end user alone.
    pub end_user: Option<String>,
    /// Of which each one has a count of its own.
    pub each: Members,
}

/// Whose requests a limit counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Of {
    /// An organization's.
    Organization(OrganizationId),
    /// A project's.
    Project(ProjectId),
    /// A key's, by its key id.
    Key(String),
}

/// What a scope can have many of. The numbers are bits of the wire and of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Member {
    /// A project.
    Project = 1,
    /// A key.
    Key = 2,
    /// An end user: whom the client names.
    EndUser = 4,
    /// A model.
    Model = 8,
    /// A provider.
    Provider = 16,
}

/// A set of [`Member`]s.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Members(u8);

/// The numbers of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Allowance {
    /// Refills all the time.
    Rate(Rate),
    /// Starts again at the end of its period.
    Quota(Quota),
    /// Is free again when a request ends.
    AtOnce(AtOnce),
}

/// How many requests may be under way at once, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AtOnce(u64);

/// The numbers of a rate, checked: what is admitted in any interval of t milliseconds is at most
/// `amount` · t / `window_ms` + `burst`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    amount: u64,
    window_ms: u64,
    burst: u64,
}

/// The numbers of a quota, checked: what is admitted in each period is at most `amount`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Quota {
    amount: u64,
    period: Period,
}

/// Why numbers are not a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidRate {
    /// `amount` is zero or above [`UNITS_MAX`].
    Amount,
    /// `window_ms` is zero or above [`WINDOW_MS_MAX`].
    Window,
    /// `burst` is zero or above [`UNITS_MAX`].
    Burst,
}

/// A quota's `amount` is zero or above [`QUOTA_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidQuota;

/// How many may be under way at once is zero or above [`AT_ONCE_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidAtOnce;

// === impl Limit ===

impl Limit {
    /// Whether it matters which end user a request is for.
    pub fn asks_end_user(&self) -> bool {
        let mut overrides = self.terms.overrides.iter();
        self.scope.asks_end_user() || overrides.any(|it| it.end_user.is_some())
    }

    /// Whether regions hold it together, so that each has a share of it.
    pub const fn is_shared(&self) -> bool {
        !self.terms.regions.is_empty()
    }

    /// The numbers for this key and end user now.
    pub fn allowance_of(&self, key_id: &str, end_user: &str, now_ms: u64) -> &Allowance {
        let fits = |it: &&Override| {
            it.until_ms.is_none_or(|until_ms| now_ms < until_ms)
                && it.key_id.as_ref().is_none_or(|it| it == key_id)
                && it.end_user.as_ref().is_none_or(|it| it == end_user)
        };
        let mut overrides = self.terms.overrides.iter();
        overrides
            .find(fits)
            .map_or(&self.allowance, |it| &it.allowance)
    }
}

// === impl Mode ===

impl Mode {
    /// The mode with this number.
    pub fn from_number(number: u32) -> Option<Self> {
        [Self::Hard, Self::Soft, Self::Shadow, Self::Strict]
            .into_iter()
            .find(|mode| *mode as u32 == number)
    }

    /// Whether a request that does not fit is refused.
    pub const fn refuses(self) -> bool {
        matches!(self, Self::Hard | Self::Strict)
    }

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Hard => "hard",
            Self::Soft => "soft",
            Self::Shadow => "shadow",
            Self::Strict => "strict",
        }
    }
}

// === impl OnStoreLoss ===

impl OnStoreLoss {
    /// The one with this number.
    pub fn from_number(number: u32) -> Option<Self> {
        [Self::LocalShare, Self::Deny, Self::Allow]
            .into_iter()
            .find(|it| *it as u32 == number)
    }
}

// === impl Scope ===

impl Scope {
    /// All requests of these, counted together.
    pub const fn all(of: Of) -> Self {
        Self {
            of,
            model: None,
            provider: None,
            end_user: None,
            each: Members::NONE,
        }
    }

    /// Whether it matters which provider serves a request, which is not known before it is tried.
    pub const fn asks_provider(&self) -> bool {
        self.provider.is_some() || self.each.has(Member::Provider)
    }

    /// Whether it matters which end user a request is for.
    pub const fn asks_end_user(&self) -> bool {
        self.end_user.is_some() || self.each.has(Member::EndUser)
    }
}

// === impl Member ===

impl Member {
    /// Every member, once.
    pub const ALL: [Self; 5] = [
        Self::Project,
        Self::Key,
        Self::EndUser,
        Self::Model,
        Self::Provider,
    ];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::Key => "key",
            Self::EndUser => "end user",
            Self::Model => "model",
            Self::Provider => "provider",
        }
    }
}

// === impl Members ===

impl Members {
    /// None.
    pub const NONE: Self = Self(0);

    /// The set with these bits; `None` when one of them is no member.
    pub fn from_bits(bits: u32) -> Option<Self> {
        let known = Member::ALL.iter().fold(0, |known, it| known | *it as u8);
        u8::try_from(bits)
            .ok()
            .filter(|bits| bits & !known == 0)
            .map(Self)
    }

    /// The bits of the set.
    pub const fn bits(self) -> u32 {
        self.0 as u32
    }

    /// The set with this one more.
    pub const fn with(self, member: Member) -> Self {
        Self(self.0 | member as u8)
    }

    /// Whether this one is in it.
    pub const fn has(self, member: Member) -> bool {
        self.0 & member as u8 != 0
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// All of them, in one order.
    pub fn iter(self) -> impl Iterator<Item = Member> {
        Member::ALL.into_iter().filter(move |it| self.has(*it))
    }
}

// === impl Allowance ===

impl Allowance {
    /// How much each window adds or each period holds, or how many may be under way at once.
    pub const fn amount(&self) -> u64 {
        match self {
            Self::Rate(rate) => rate.amount,
            Self::Quota(quota) => quota.amount,
            Self::AtOnce(most) => most.0,
        }
    }
}

// === impl Rate ===

impl Rate {
    /// Checks the numbers. `window_ms` is in milliseconds, the others in the limit's unit.
    pub const fn new(amount: u64, window_ms: u64, burst: u64) -> Result<Self, InvalidRate> {
        if amount == 0 || amount > UNITS_MAX {
            return Err(InvalidRate::Amount);
        }
        if window_ms == 0 || window_ms > WINDOW_MS_MAX {
            return Err(InvalidRate::Window);
        }
        if burst == 0 || burst > UNITS_MAX {
            return Err(InvalidRate::Burst);
        }
        Ok(Self {
            amount,
            window_ms,
            burst,
        })
    }

    /// The burst when the operator names none: a tenth of `amount`, at least one.
    pub const fn default_burst(amount: u64) -> u64 {
        if amount < 10 { 1 } else { amount / 10 }
    }

    /// How much each window adds.
    pub const fn amount(&self) -> u64 {
        self.amount
    }

    /// The window, in milliseconds.
    pub const fn window_ms(&self) -> u64 {
        self.window_ms
    }

    /// How much may be used at once from rest.
    pub const fn burst(&self) -> u64 {
        self.burst
    }
}

// === impl Quota ===

impl Quota {
    /// Checks the number, which is in the limit's unit.
    pub const fn new(amount: u64, period: Period) -> Result<Self, InvalidQuota> {
        if amount == 0 || amount > QUOTA_MAX {
            return Err(InvalidQuota);
        }
        Ok(Self { amount, period })
    }

    /// How much each period holds.
    pub const fn amount(&self) -> u64 {
        self.amount
    }

    /// When it starts again.
    pub const fn period(&self) -> Period {
        self.period
    }
}

// === impl AtOnce ===

impl AtOnce {
    /// Checks the number.
    pub const fn new(most: u64) -> Result<Self, InvalidAtOnce> {
        if most == 0 || most > AT_ONCE_MAX {
            return Err(InvalidAtOnce);
        }
        Ok(Self(most))
    }

    /// How many.
    pub const fn most(&self) -> u64 {
        self.0
    }
}

impl std::fmt::Display for InvalidRate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Amount => "amount must be 1 to 1,000,000,000",
            Self::Window => "window must be 1 to 3,600,000 milliseconds",
            Self::Burst => "burst must be 1 to 1,000,000,000",
        })
    }
}

impl std::error::Error for InvalidRate {}

impl std::fmt::Display for InvalidQuota {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("amount must be 1 to 1,000,000,000,000,000")
    }
}

impl std::error::Error for InvalidQuota {}

impl std::fmt::Display for InvalidAtOnce {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("amount must be 1 to 1,000,000")
    }
}

impl std::error::Error for InvalidAtOnce {}
