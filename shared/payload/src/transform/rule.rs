//! One change to a payload, as it was written down.
//!
//! Plain data: whether it makes sense is found out when it is compiled.

use crate::{family::Family, value::Json};

/// A change to a payload. Paths are written like `temperature`, `metadata.team`, `messages[0].content`,
/// `messages[-1].content` or `metadata["a.b"]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// Makes the value at a path this one, whatever stands there. Objects on the way are made where they are missing;
    /// elements of arrays are not.
    Set {
        /// Where.
        path: String,
        /// What.
        value: Json,
    },
    /// The same where nothing stands there, or null.
    Default {
        /// Where.
        path: String,
        /// What.
        value: Json,
    },
    /// Brings a number into bounds. Nothing and null are left alone; what is no number is refused.
    Clamp {
        /// Where.
        path: String,
        /// The least, a number.
        min: Option<Json>,
        /// The most, a number.
        max: Option<Json>,
    },
    /// Gives a member another name, or moves it. What stands at the new place already stays, and the old member goes:
    /// whoever sends both means the new one.
    Rename {
        /// Where it stands.
        from: String,
        /// Where it shall stand.
        to: String,
    },
    /// Removes a member or an element.
    Remove {
        /// Where.
        path: String,
    },
    /// Puts instructions in front of those of the client, where the dialect has them.
    PrependSystem(String),
    /// Puts instructions behind those of the client, where the dialect has them.
    AppendSystem(String),
    /// Makes the payload what a program makes of it. It is written anew then, without white space, and the same way for
    /// the same payload.
    Jq(String),
    /// A rule for clients of these dialects alone.
    Only(Vec<Family>, Box<Self>),
}
