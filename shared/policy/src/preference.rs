//! What a client may prefer among targets and models, and which of that is forbidden.
//!
//! Knows words and numbers; what a preference does stands where requests are routed.

/// What a client may prefer. The numbers are those of the wire; the database and edges hold bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Preference {
    /// Other models to ask where the first gives no answer.
    Models = 1,
    /// The session to which a request belongs.
    SessionId = 2,
    /// The providers to ask first.
    Order = 3,
    /// The providers that may be asked.
    Only = 4,
    /// The providers that may not.
    Ignore = 5,
    /// The quantizations that may serve.
    Quantizations = 6,
    /// That nobody else is asked.
    AllowFallbacks = 7,
    /// That only those are asked that take all that the request says.
    RequireParameters = 8,
    /// That nothing is collected.
    DataCollection = 9,
    /// That nothing is retained.
    Zdr = 10,
    /// By what targets are put in order, also by a suffix of the model's name.
    Sort = 11,
    /// How fast a target should be.
    Preferred = 12,
    /// How much it may cost.
    MaxPrice = 13,
}

/// Some of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Preferences(u16);

/// Each, with the word that clients and documents have for it.
const ALL: [(Preference, &str); 13] = [
    (Preference::Models, "models"),
    (Preference::SessionId, "session_id"),
    (Preference::Order, "order"),
    (Preference::Only, "only"),
    (Preference::Ignore, "ignore"),
    (Preference::Quantizations, "quantizations"),
    (Preference::AllowFallbacks, "allow_fallbacks"),
    (Preference::RequireParameters, "require_parameters"),
    (Preference::DataCollection, "data_collection"),
    (Preference::Zdr, "zdr"),
    (Preference::Sort, "sort"),
    (Preference::Preferred, "preferred"),
    (Preference::MaxPrice, "max_price"),
];

// === impl Preference ===

impl Preference {
    /// The one with this number.
    pub fn from_number(number: u32) -> Option<Self> {
        let mut all = ALL.into_iter();
        let found = all.find(|(it, _)| u32::from(*it as u8) == number);
        found.map(|(it, _)| it)
    }

    /// The one that clients call so.
    pub fn named(word: &str) -> Option<Self> {
        let found = ALL.into_iter().find(|(_, name)| *name == word);
        found.map(|(it, _)| it)
    }

    const fn bit(self) -> u16 {
        1 << (self as u8 - 1)
    }
}

// === impl Preferences ===

impl Preferences {
    /// Those of these bits, of which the lowest is that of number 1; `None` where a bit is nobody's.
    pub fn from_bits(bits: u32) -> Option<Self> {
        let all = ALL.iter().fold(0, |all, (it, _)| all | it.bit());
        let bits = u16::try_from(bits).ok()?;
        (bits & !all == 0).then_some(Self(bits))
    }

    /// Their bits.
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether this one is among them.
    pub const fn holds(self, one: Preference) -> bool {
        self.0 & one.bit() != 0
    }

    /// All of them, by number.
    pub fn all(self) -> impl Iterator<Item = Preference> {
        let all = ALL.into_iter().map(|(it, _)| it);
        all.filter(move |it| self.holds(*it))
    }
}

impl FromIterator<Preference> for Preferences {
    fn from_iter<I: IntoIterator<Item = Preference>>(all: I) -> Self {
        Self(all.into_iter().fold(0, |bits, it| bits | it.bit()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_numbers_and_bits_are_read_as_they_were_written_and_foreign_ones_are_not() {
        for (one, word) in ALL {
            assert_eq!(Preference::named(word), Some(one));
            assert_eq!(Preference::from_number(one as u32), Some(one));
            let some: Preferences = [one].into_iter().collect();
            assert_eq!(Preferences::from_bits(some.bits().into()), Some(some));
            assert_eq!(some.all().collect::<Vec<_>>(), [one]);
        }
        assert_eq!(Preference::named("quality"), None);
        assert_eq!(Preference::from_number(0), None);
        assert_eq!(Preferences::from_bits(1 << 13), None);
    }
}
