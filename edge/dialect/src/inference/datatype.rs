//! The types of a tensor's elements.
//!
//! Owns their names and what JSON each of them may be. Knows nothing of shapes.

/// The type of a tensor's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Datatype {
    /// `true` or `false`, or 0 and 1.
    Bool,
    /// A whole number of so many bits; not negative, if it is not signed.
    Integer {
        /// Whether it has a sign.
        signed: bool,
        /// 8, 16, 32 or 64.
        bits: u8,
    },
    /// A number of so many bits.
    Float {
        /// 16, 32 or 64.
        bits: u8,
    },
    /// A number of 16 bits, more of them for the exponent.
    Bfloat,
    /// Bytes, written as a string.
    Bytes,
}

/// The names, and what they mean.
const NAMES: [(&str, Datatype); 14] = [
    ("BOOL", Datatype::Bool),
    ("UINT8", integer(false, 8)),
    ("UINT16", integer(false, 16)),
    ("UINT32", integer(false, 32)),
    ("UINT64", integer(false, 64)),
    ("INT8", integer(true, 8)),
    ("INT16", integer(true, 16)),
    ("INT32", integer(true, 32)),
    ("INT64", integer(true, 64)),
    ("FP16", Datatype::Float { bits: 16 }),
    ("FP32", Datatype::Float { bits: 32 }),
    ("FP64", Datatype::Float { bits: 64 }),
    ("BF16", Datatype::Bfloat),
    ("BYTES", Datatype::Bytes),
];

const fn integer(signed: bool, bits: u8) -> Datatype {
    Datatype::Integer { signed, bits }
}

// === impl Datatype ===

impl Datatype {
    /// The type of this name.
    pub fn named(name: &str) -> Option<Self> {
        let found = NAMES.iter().find(|(known, _)| *known == name);
        found.map(|(_, datatype)| *datatype)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        let found = NAMES.iter().find(|(_, datatype)| *datatype == self);
        found.map_or("", |(name, _)| *name)
    }

    /// How many bytes an element takes that is no text; `None` where each says it for itself.
    pub(crate) fn bytes(self) -> Option<u64> {
        match self {
            Self::Bool => Some(1),
            Self::Integer { bits, .. } | Self::Float { bits } => Some(u64::from(bits / 8)),
            Self::Bfloat => Some(2),
            Self::Bytes => None,
        }
    }

    /// Whether an element may be written like this. Only the kind of value is looked at: how large a number may be, the
    /// server says in its own words.
    pub(crate) fn takes(self, raw: &str) -> bool {
        match (self, raw.as_bytes().first()) {
            (Self::Bytes, Some(b'"')) => true,
            (Self::Bool, _) => matches!(raw, "true" | "false" | "0" | "1"),
            (Self::Integer { signed, .. }, Some(first)) => {
                first.is_ascii_digit() || signed && *first == b'-'
            }
            // Some servers write what is no number as null or as a word.
            (Self::Float { .. } | Self::Bfloat, Some(first)) => {
                first.is_ascii_digit() || *first == b'-' || raw == "null" || is_word(raw)
            }
            _ => false,
        }
    }
}

/// What stands for a float that JSON has no number for.
fn is_word(raw: &str) -> bool {
    matches!(raw, "\"NaN\"" | "\"Infinity\"" | "\"-Infinity\"")
}
