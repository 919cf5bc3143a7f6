//! What a client prefers among targets and models, in OpenRouter's form: read of a body or of a header, and taken out of the body.
//!
//! Owns what each member may be and how much of it. Knows nothing of which targets there are, or of who may prefer what. A member
//! that is not known, or that cannot be kept, is refused: nobody is to believe that it was heeded.

mod read;

use std::{fmt, time::Duration};

use payload::{json, scalar};

use crate::without::without;

use self::read::{members, models, provider, session};

/// The members of a body that say what its client prefers. No provider gets them.
pub const MEMBERS: [&str; 3] = ["models", "provider", "session_id"];

/// The most models that a client may name beside the first.
// Full: the request is refused.
pub const MODELS_MAX: usize = 8;

/// The most entries of a list of providers or of quantizations.
// Full: the request is refused.
pub const NAMES_MAX: usize = 32;

/// The longest entry of a list, in bytes.
pub const NAME_BYTES_MAX: usize = 128;

/// The longest session, in bytes.
pub const SESSION_BYTES_MAX: usize = 256;

/// The highest price that may be named, in dollars a million tokens.
pub const DOLLARS_MAX: f64 = 1e8;

/// What a client prefers. What it does not say is empty.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Preferences {
    /// The models to ask after the one that the request names, in order.
    pub models: Vec<String>,
    /// The session that the request belongs to.
    pub session: Option<String>,
    /// The providers to ask first, in order.
    pub order: Vec<String>,
    /// The providers that may be asked; empty means: every one.
    pub only: Vec<String>,
    /// The providers that may not.
    pub ignore: Vec<String>,
    /// The quantizations that may serve; empty means: every one.
    pub quantizations: Vec<String>,
    /// Whether nobody is asked beyond those in `order`, or beyond the best one.
    pub no_fallbacks: bool,
    /// Whether only those are asked that can be told all that the request says.
    pub require_parameters: bool,
    /// What is wanted of who gets the data.
    pub data: Data,
    /// By what the targets are put in order.
    pub sort: Option<Sort>,
    /// Who is asked before the others.
    pub preferred: Preferred,
    /// How much it may cost.
    pub max_price: MaxPrice,
}

/// What is wanted of who gets the data.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Data {
    /// Whether it must not be collected.
    pub deny_collection: bool,
    /// Whether nothing of it may be retained.
    pub zero_retention: bool,
}

/// By what targets are put in order, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// What a request costs.
    Price,
    /// How many tokens a second come.
    Throughput,
    /// How soon an answer begins.
    Latency,
}

/// How well a target should do; one that does worse is asked after the others.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Preferred {
    /// So many tokens a second at least, by the median.
    pub throughput_min: Option<f64>,
    /// An answer begins so soon at the latest, by the median.
    pub latency_max: Option<Duration>,
}

/// The highest prices, in dollars a million tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct MaxPrice {
    /// Of what goes in.
    pub prompt: Option<f64>,
    /// Of what comes out.
    pub completion: Option<f64>,
}

/// Why what a client prefers is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unclear {
    /// The member, as clients write it.
    pub member: &'static str,
    /// What is wrong with it, and what it may be.
    pub why: &'static str,
}

/// What is said in a body, which was seen to be one object with none of these members twice, and the body without it.
pub fn take(body: &str) -> Result<(Preferences, String), Unclear> {
    let mut wanted = Preferences::default();
    json::members(body, |key, place| {
        let raw = &body[place];
        match scalar::string(key).as_deref() {
            Some("models") => wanted.models = models(raw)?,
            Some("provider") => provider(raw, &mut wanted)?,
            Some("session_id") => wanted.session = session(raw)?,
            _ => {}
        }
        Ok::<_, Unclear>(())
    })?;
    let mut rest = body.to_owned();
    for name in MEMBERS {
        if let Some(without) = without(&rest, name) {
            rest = without;
        }
    }
    Ok((wanted, rest))
}

/// What is said in the text of a header: an object with the same members and no others.
pub fn read(text: &str) -> Result<Preferences, Unclear> {
    let mut wanted = Preferences::default();
    members(text, ("preferences", &MEMBERS), |name, raw| {
        match name {
            "models" => wanted.models = models(raw)?,
            "provider" => provider(raw, &mut wanted)?,
            _ => wanted.session = session(raw)?,
        }
        Ok(())
    })?;
    Ok(wanted)
}

/// The model that a name with a suffix stands for, and by what its targets are put in order.
pub fn suffixed(name: &str) -> Option<(&str, Sort)> {
    let (model, suffix) = name.rsplit_once(':')?;
    let sort = match suffix {
        "nitro" => Sort::Throughput,
        "floor" => Sort::Price,
        _ => return None,
    };
    Some((model, sort))
}

// === impl Preferences ===

impl Preferences {
    /// The names of the preferences that it holds.
    pub fn said(&self) -> impl Iterator<Item = &'static str> {
        let all = [
            ("models", !self.models.is_empty()),
            ("session_id", self.session.is_some()),
            ("order", !self.order.is_empty()),
            ("only", !self.only.is_empty()),
            ("ignore", !self.ignore.is_empty()),
            ("quantizations", !self.quantizations.is_empty()),
            ("allow_fallbacks", self.no_fallbacks),
            ("require_parameters", self.require_parameters),
            ("data_collection", self.data.deny_collection),
            ("zdr", self.data.zero_retention),
            ("sort", self.sort.is_some()),
            ("preferred", self.preferred != Preferred::default()),
            ("max_price", self.max_price != MaxPrice::default()),
        ];
        let said = all.into_iter().filter(|(_, is_said)| *is_said);
        said.map(|(name, _)| name)
    }
}

// === impl Unclear ===

impl From<json::Fault> for Unclear {
    fn from(_: json::Fault) -> Self {
        Self {
            member: "preferences",
            why: "must be one JSON object, and not nested deeply",
        }
    }
}

impl fmt::Display for Unclear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.member, self.why)
    }
}

impl std::error::Error for Unclear {}

#[cfg(test)]
#[path = "preferences_test.rs"]
mod tests;
