//! Each member of what a client prefers, read of its raw text. Null is as good as absent, and so is what is usual anyway.

use std::{ops::RangeInclusive, time::Duration};

use payload::{json, scalar};

use crate::preferences::{
    DOLLARS_MAX, MODELS_MAX, MaxPrice, NAME_BYTES_MAX, NAMES_MAX, Preferences, SESSION_BYTES_MAX,
    Sort, Unclear,
};

/// The members of `provider`.
const PROVIDER: [&str; 13] = [
    "order",
    "only",
    "ignore",
    "quantizations",
    "allow_fallbacks",
    "require_parameters",
    "data_collection",
    "zdr",
    "sort",
    "preferred_min_throughput",
    "preferred_max_latency",
    "max_price",
    "enforce_distillable_text",
];

/// The longest wait for an answer to begin that may be preferred, in seconds, and the most tokens a second.
const SPEED_MAX: f64 = 1e6;

const LIST: &str = "must be a list of at most 32 texts of at most 128 bytes";
const TRUTH: &str = "must be true or false";
const PRICE: &str = "must be a number of dollars a million tokens, from 0 to 100000000";
const MEDIAN: &str = "must be a number from 0 to 1000000, or an object with `p50` alone, since only medians are measured here";

/// Gives each member of an object that is not null, by its name, which must be one of `known`.
pub(super) fn members(
    raw: &str,
    (member, known): (&'static str, &[&'static str]),
    mut each: impl FnMut(&'static str, &str) -> Result<(), Unclear>,
) -> Result<(), Unclear> {
    let object = unclear(member, "must be one JSON object, and not nested deeply");
    if !raw.trim_start().starts_with('{') {
        return Err(object);
    }
    let mut seen = 0_u32;
    // What is wrong with the text itself is told of this member.
    json::members(raw, |key, place| {
        let name = scalar::string(key);
        let at = known.iter().position(|it| name.as_deref() == Some(*it));
        let Some((at, name)) = at.and_then(|at| Some((at, known.get(at)?))) else {
            return Err(Trouble::Unclear(unclear(
                member,
                "holds a member that is not known here: docs/routing.md names those that are",
            )));
        };
        if seen & 1 << at != 0 {
            return Err(Trouble::Unclear(unclear(member, "holds a member twice")));
        }
        seen |= 1 << at;
        match &raw[place] {
            "null" => Ok(()),
            value => each(name, value).map_err(Trouble::Unclear),
        }
    })
    .map(drop)
    .map_err(|trouble| match trouble {
        Trouble::Unclear(why) => why,
        Trouble::NotJson => object,
    })
}

/// The models to ask in turn.
pub(super) fn models(raw: &str) -> Result<Vec<String>, Unclear> {
    let why = "must be a list of at most 8 names of models";
    names(raw, ("models", why), MODELS_MAX)
}

/// The session.
pub(super) fn session(raw: &str) -> Result<Option<String>, Unclear> {
    if raw == "null" {
        return Ok(None);
    }
    let text = scalar::string(raw).filter(|it| it.len() <= SESSION_BYTES_MAX);
    let text = text.ok_or(unclear("session_id", "must be a text of at most 256 bytes"))?;
    Ok(Some(text.into_owned()).filter(|it| !it.is_empty()))
}

/// All that stands in `provider`.
pub(super) fn provider(raw: &str, wanted: &mut Preferences) -> Result<(), Unclear> {
    if raw == "null" {
        return Ok(());
    }
    members(raw, ("provider", &PROVIDER), |name, raw| {
        match name {
            "order" => wanted.order = names(raw, ("provider.order", LIST), NAMES_MAX)?,
            "only" => wanted.only = names(raw, ("provider.only", LIST), NAMES_MAX)?,
            "ignore" => wanted.ignore = names(raw, ("provider.ignore", LIST), NAMES_MAX)?,
            "quantizations" => {
                wanted.quantizations = names(raw, ("provider.quantizations", LIST), NAMES_MAX)?;
            }
            "allow_fallbacks" => {
                wanted.no_fallbacks = !truth(raw, "provider.allow_fallbacks")?;
            }
            "require_parameters" => {
                wanted.require_parameters = truth(raw, "provider.require_parameters")?;
            }
            "data_collection" => wanted.data.deny_collection = is_denied(raw)?,
            "zdr" => wanted.data.zero_retention = truth(raw, "provider.zdr")?,
            "sort" => wanted.sort = Some(sort(raw)?),
            "preferred_min_throughput" => {
                let median = median(raw, "provider.preferred_min_throughput")?;
                wanted.preferred.throughput_min = median;
            }
            "preferred_max_latency" => {
                let median = median(raw, "provider.preferred_max_latency")?;
                wanted.preferred.latency_max = median.map(Duration::from_secs_f64);
            }
            "max_price" => wanted.max_price = max_price(raw)?,
            _ if raw == "false" => {}
            _ => {
                return Err(unclear(
                    "provider.enforce_distillable_text",
                    "is not known of any model here: leave it out",
                ));
            }
        }
        Ok(())
    })
}

fn is_denied(raw: &str) -> Result<bool, Unclear> {
    match scalar::string(raw).as_deref() {
        Some("allow") => Ok(false),
        Some("deny") => Ok(true),
        _ => Err(unclear("provider.data_collection", "must be allow or deny")),
    }
}

/// By a word, or by an object with `by` and a partition, which is each model for itself.
fn sort(raw: &str) -> Result<Sort, Unclear> {
    let unknown = unclear(
        "provider.sort",
        "must be price, throughput or latency, or an object with one of them in `by` and `model` in `partition`",
    );
    let word = |raw: &str| match scalar::string(raw).as_deref() {
        Some("price") => Ok(Sort::Price),
        Some("throughput") => Ok(Sort::Throughput),
        Some("latency") => Ok(Sort::Latency),
        _ => Err(unknown),
    };
    if !raw.starts_with('{') {
        return word(raw);
    }
    let mut by = Err(unknown);
    members(raw, ("provider.sort", &["by", "partition"]), |name, raw| {
        match name {
            "by" => by = word(raw),
            _ if raw == "\"model\"" => {}
            _ => return Err(unknown),
        }
        Ok(())
    })?;
    by
}

fn max_price(raw: &str) -> Result<MaxPrice, Unclear> {
    let mut most = MaxPrice::default();
    let known = ["prompt", "completion", "image", "audio", "request"];
    members(raw, ("provider.max_price", &known), |name, raw| {
        let dollars = |member| {
            // Some clients write sums of money as texts.
            let text = scalar::string(raw);
            number(text.as_deref().unwrap_or(raw), 0.0..=DOLLARS_MAX).ok_or(unclear(member, PRICE))
        };
        match name {
            "prompt" => most.prompt = Some(dollars("provider.max_price.prompt")?),
            "completion" => most.completion = Some(dollars("provider.max_price.completion")?),
            _ => {
                return Err(unclear(
                    "provider.max_price",
                    "is known of `prompt` and `completion` alone: leave the others out",
                ));
            }
        }
        Ok(())
    })?;
    Ok(most)
}

/// A number, or an object that says which percentile it is of.
fn median(raw: &str, member: &'static str) -> Result<Option<f64>, Unclear> {
    let read = |raw: &str| number(raw, 0.0..=SPEED_MAX).ok_or(unclear(member, MEDIAN));
    if !raw.starts_with('{') {
        return read(raw).map(Some);
    }
    let mut found = None;
    let known = ["p50", "p75", "p90", "p99"];
    members(raw, (member, &known), |name, raw| {
        if name != "p50" {
            return Err(unclear(member, MEDIAN));
        }
        found = Some(read(raw)?);
        Ok(())
    })?;
    Ok(found)
}

fn names(
    raw: &str,
    (member, why): (&'static str, &'static str),
    most: usize,
) -> Result<Vec<String>, Unclear> {
    let mut names = Vec::new();
    if raw == "null" {
        return Ok(names);
    }
    let wrong = unclear(member, why);
    if !raw.starts_with('[') {
        return Err(wrong);
    }
    json::elements(raw, |place| {
        let name = scalar::string(&raw[place]);
        let fits = |it: &str| (1..=NAME_BYTES_MAX).contains(&it.len());
        let name = name.filter(|it| fits(it)).ok_or(Trouble::Unclear(wrong))?;
        if names.len() == most {
            return Err(Trouble::Unclear(wrong));
        }
        if !names.iter().any(|it: &String| *it == name) {
            names.push(name.into_owned());
        }
        Ok(())
    })
    .map(|_| names)
    .map_err(|_| wrong)
}

fn truth(raw: &str, member: &'static str) -> Result<bool, Unclear> {
    match raw {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(unclear(member, TRUTH)),
    }
}

fn number(raw: &str, within: RangeInclusive<f64>) -> Option<f64> {
    let number: f64 = raw.parse().ok()?;
    within.contains(&number).then_some(number)
}

const fn unclear(member: &'static str, why: &'static str) -> Unclear {
    Unclear { member, why }
}

/// What ends a walk.
enum Trouble {
    /// Something that is said is refused.
    Unclear(Unclear),
    /// The text is no JSON.
    NotJson,
}

// === impl Trouble ===

impl From<json::Fault> for Trouble {
    fn from(_: json::Fault) -> Self {
        Self::NotJson
    }
}
