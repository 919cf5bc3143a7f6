//! Rules as one array of JSON, read and written.
//!
//! Owns the names of rules and their members; beside its kind a rule may name the dialects it is for. What it does not know is refused: a rule that is read half would do
//! something else than what was meant.

use std::borrow::Cow;

use crate::{
    family::Family,
    object::{self, Misfit, Object},
    transform::rule::Rule,
    value::Json,
    writer::Writer,
};

/// The most bytes of a text of rules. Full: it is refused.
pub const RULES_BYTES_MAX: usize = 1 << 20;

/// Every rule of an array that is at most so long, read alike; a misfit says which.
pub(crate) fn each<T>(
    json: &str,
    bytes_max: usize,
    parse: impl Fn(&str) -> Result<T, Misfit>,
) -> Result<Vec<T>, Misfit> {
    if json.len() > bytes_max {
        return Err(Misfit::new("is too long"));
    }
    let rules = object::elements(json)?.into_iter().enumerate();
    rules
        .map(|(at, raw)| parse(raw).map_err(|misfit| misfit.within_element(at)))
        .collect()
}

// === impl Rule ===

impl Rule {
    /// Reads rules, such as `[{"set":{"path":"temperature","value":0.2}},{"append_system":"Be brief."}]`.
    pub fn parse_all(json: &str) -> Result<Vec<Self>, Misfit> {
        each(json, RULES_BYTES_MAX, Self::parse)
    }

    /// Writes rules as [`Rule::parse_all`] reads them.
    pub fn write_all(rules: &[Self]) -> String {
        let mut writer = Writer::default();
        writer.open_array();
        for rule in rules {
            rule.write(&mut writer);
        }
        writer.close_array();
        String::from_utf8(writer.into_bytes()).unwrap_or_default()
    }

    fn parse(raw: &str) -> Result<Self, Misfit> {
        let mut whole = Object::parse(raw)?;
        let dialects = whole.array("dialects")?.map(|it| families(&it)).transpose();
        let dialects = dialects.map_err(|misfit| misfit.within("dialects"))?;
        let mut members = whole.rest();
        let (Some((name, raw)), None) = (members.next(), members.next()) else {
            return Err(Misfit::new(
                "must be an object of one member: the kind of rule",
            ));
        };
        let rule = Self::parse_kind(&name, raw).map_err(|misfit| misfit.within(&name))?;
        Ok(match dialects {
            Some(dialects) => Self::Only(dialects, Box::new(rule)),
            None => rule,
        })
    }

    fn parse_kind(name: &str, raw: &str) -> Result<Self, Misfit> {
        let text = || object::text(raw).map(Cow::into_owned);
        match name {
            "prepend_system" => text().map(Self::PrependSystem),
            "append_system" => text().map(Self::AppendSystem),
            "jq" => text().map(Self::Jq),
            kind => Self::parse_object(kind, raw),
        }
    }

    fn parse_object(kind: &str, raw: &str) -> Result<Self, Misfit> {
        if !matches!(kind, "set" | "default" | "clamp" | "rename" | "remove") {
            return Err(Misfit::new("is no rule that we know"));
        }
        let mut members = Object::parse(raw)?;
        let rule = match kind {
            "set" => Self::Set {
                path: needed(&mut members, "path")?,
                value: value(&mut members)?,
            },
            "default" => Self::Default {
                path: needed(&mut members, "path")?,
                value: value(&mut members)?,
            },
            "clamp" => Self::Clamp {
                path: needed(&mut members, "path")?,
                min: members.number("min")?.map(Json::of),
                max: members.number("max")?.map(Json::of),
            },
            "rename" => Self::Rename {
                from: needed(&mut members, "from")?,
                to: needed(&mut members, "to")?,
            },
            _ => Self::Remove {
                path: needed(&mut members, "path")?,
            },
        };
        match members.rest().next() {
            None => Ok(rule),
            Some((name, _)) => Err(Misfit::new("is no member of this rule").within(&name)),
        }
    }

    fn write(&self, writer: &mut Writer) {
        writer.open();
        self.write_kind(writer);
        if let Self::Only(families, _) = self {
            writer.key("dialects").open_array();
            for word in families.iter().filter_map(|it| it.word()) {
                writer.text(word);
            }
            writer.close_array();
        }
        writer.close();
    }

    fn write_kind(&self, writer: &mut Writer) {
        match self {
            Self::Only(_, rule) => rule.write_kind(writer),
            Self::Set { path, value } => {
                writer.key("set").open().key("path").text(path);
                writer.key("value").raw(value.as_str()).close();
            }
            Self::Default { path, value } => {
                writer.key("default").open().key("path").text(path);
                writer.key("value").raw(value.as_str()).close();
            }
            Self::Clamp { path, min, max } => {
                writer.key("clamp").open().key("path").text(path);
                for (name, bound) in [("min", min), ("max", max)] {
                    if let Some(bound) = bound {
                        writer.key(name).raw(bound.as_str());
                    }
                }
                writer.close();
            }
            Self::Rename { from, to } => {
                writer.key("rename").open().key("from").text(from);
                writer.key("to").text(to).close();
            }
            Self::Remove { path } => {
                writer.key("remove").open().key("path").text(path).close();
            }
            Self::PrependSystem(text) => {
                writer.key("prepend_system").text(text);
            }
            Self::AppendSystem(text) => {
                writer.key("append_system").text(text);
            }
            Self::Jq(program) => {
                writer.key("jq").text(program);
            }
        }
    }
}

/// The dialects that a rule names. There must be one, else it would be for nobody.
fn families(raw: &[&str]) -> Result<Vec<Family>, Misfit> {
    if raw.is_empty() {
        return Err(Misfit::new("must name a dialect, or be left away"));
    }
    let family = |(at, raw): (usize, &&str)| {
        let family = object::text(raw).map(|word| Family::of_word(&word));
        let family = family.ok().flatten().ok_or_else(|| {
            Misfit::new("must be `chat`, `responses`, `messages` or `gemini`").within_element(at)
        })?;
        Ok(family)
    };
    raw.iter().enumerate().map(family).collect()
}

fn needed(members: &mut Object<'_>, name: &str) -> Result<String, Misfit> {
    let text = members.text(name)?.map(Cow::into_owned);
    text.ok_or_else(|| Misfit::new("is missing").within(name))
}

/// The value of a rule, which may be null but not missing.
fn value(members: &mut Object<'_>) -> Result<Json, Misfit> {
    if !members.has("value") {
        return Err(Misfit::new("is missing").within("value"));
    }
    Ok(Json::of(members.raw("value")?.unwrap_or("null")))
}
