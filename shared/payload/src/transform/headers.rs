//! What a model version changes in the headers of a request to its provider.
//!
//! Owns which headers nobody may touch: those that say who asks, to whom, how a body is framed, and what the gateway
//! itself says. Names and values are plain text; whoever sends them knows the transport.

use std::borrow::Cow;

use crate::{
    object::{self, Misfit, Object},
    transform::{fault::Fault, notation::each},
    writer::Writer,
};

/// The most header rules of one version. Full: they are refused.
pub const HEADERS_MAX: usize = 32;

/// The most bytes of a header's name. Full: the rule is refused.
pub const NAME_BYTES_MAX: usize = 128;

/// The most bytes of a header's value. Full: the rule is refused; what a client sent is not copied.
pub const VALUE_BYTES_MAX: usize = 4_096;

/// The most bytes of a text of header rules. Full: it is refused.
const RULES_BYTES_MAX: usize = 256 << 10;

/// A change to the headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderRule {
    /// Sets a header.
    Set {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
    /// Sends none of this name.
    Remove(String),
    /// Sends what the client sent under this name, if it did.
    Copy(String),
}

/// Header rules that can be applied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers {
    /// Each with a name in small letters.
    rules: Vec<HeaderRule>,
}

/// One thing to do to the headers of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edit<'a> {
    /// Set this header to this value, in the place of any other.
    Set(&'a str, &'a str),
    /// Remove every header of this name.
    Remove(&'a str),
}

/// Headers that no rule may name, beside those that begin with one of [`UNTOUCHABLE_PREFIXES`].
const UNTOUCHABLE: [&str; 34] = [
    // Who asks.
    "authorization",
    "proxy-authorization",
    "proxy-authenticate",
    "www-authenticate",
    "cookie",
    "cookie2",
    "set-cookie",
    "x-api-key",
    "api-key",
    "apikey",
    "x-goog-api-key",
    "x-goog-user-project",
    "x-auth-token",
    "x-access-token",
    // To whom.
    "host",
    "forwarded",
    "via",
    "x-real-ip",
    "x-original-url",
    "x-rewrite-url",
    "x-http-method-override",
    // Between two neighbours only, and how a body is framed.
    "connection",
    "proxy-connection",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
    "expect",
    "content-length",
    "content-encoding",
    "content-type",
    "accept-encoding",
];

/// How the names of headers begin that no rule may name.
const UNTOUCHABLE_PREFIXES: [&str; 5] = ["x-amz-", "x-forwarded-", "x-sluice-", "sec-", "proxy-"];

// === impl Headers ===

impl Headers {
    /// Checks rules.
    pub fn compile(rules: &[HeaderRule]) -> Result<Self, Fault> {
        if rules.len() > HEADERS_MAX {
            return Err(Fault::TooManyRules);
        }
        let mut checked: Vec<HeaderRule> = Vec::with_capacity(rules.len());
        for (index, rule) in rules.iter().enumerate() {
            let rule = rule.checked().map_err(|why| Fault::Rule { index, why })?;
            if checked.iter().any(|other| other.name() == rule.name()) {
                let why = format!("{} is named by two rules", rule.name());
                return Err(Fault::Rule { index, why });
            }
            checked.push(rule);
        }
        Ok(Self { rules: checked })
    }

    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether a rule copies what a client sent.
    pub fn copy_any(&self) -> bool {
        let copies = |rule: &HeaderRule| matches!(rule, HeaderRule::Copy(_));
        self.rules.iter().any(copies)
    }

    /// What to do, in order. `client` gives the value that the client sent under a name in small letters.
    pub fn edits<'a>(
        &'a self,
        client: impl Fn(&str) -> Option<&'a str>,
    ) -> impl Iterator<Item = Edit<'a>> {
        self.rules.iter().filter_map(move |rule| match rule {
            HeaderRule::Set { name, value } => Some(Edit::Set(name, value)),
            HeaderRule::Remove(name) => Some(Edit::Remove(name)),
            HeaderRule::Copy(name) => {
                let value = client(name).filter(|value| is_value(value))?;
                Some(Edit::Set(name, value))
            }
        })
    }
}

// === impl HeaderRule ===

impl HeaderRule {
    /// Reads rules: `[{"set":{"name":"x-team","value":"a"}},{"remove":"user-agent"},{"copy":"x-request-id"}]`.
    pub fn parse_all(json: &str) -> Result<Vec<Self>, Misfit> {
        each(json, RULES_BYTES_MAX, Self::parse)
    }

    /// Writes rules as [`HeaderRule::parse_all`] reads them.
    pub fn write_all(rules: &[Self]) -> String {
        let mut writer = Writer::default();
        writer.open_array();
        for rule in rules {
            writer.open();
            match rule {
                Self::Set { name, value } => {
                    writer.key("set").open().key("name").text(name);
                    writer.key("value").text(value).close();
                }
                Self::Remove(name) => {
                    writer.key("remove").text(name);
                }
                Self::Copy(name) => {
                    writer.key("copy").text(name);
                }
            }
            writer.close();
        }
        writer.close_array();
        String::from_utf8(writer.into_bytes()).unwrap_or_default()
    }

    fn parse(raw: &str) -> Result<Self, Misfit> {
        let mut members = Object::parse(raw)?.rest();
        let (Some((kind, raw)), None) = (members.next(), members.next()) else {
            return Err(Misfit::new(
                "must be an object of one member: the kind of rule",
            ));
        };
        let text = || object::text(raw).map(Cow::into_owned);
        let rule = match kind.as_ref() {
            "set" => Self::parse_set(raw),
            "remove" => text().map(Self::Remove),
            "copy" => text().map(Self::Copy),
            _ => Err(Misfit::new("is no rule that we know")),
        };
        rule.map_err(|misfit| misfit.within(&kind))
    }

    fn parse_set(raw: &str) -> Result<Self, Misfit> {
        let mut members = Object::parse(raw)?;
        let mut needed = |name: &str| {
            let text = members.text(name)?.map(Cow::into_owned);
            text.ok_or_else(|| Misfit::new("is missing").within(name))
        };
        let (name, value) = (needed("name")?, needed("value")?);
        match members.rest().next() {
            None => Ok(Self::Set { name, value }),
            Some((name, _)) => Err(Misfit::new("is no member of this rule").within(&name)),
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Set { name, .. } | Self::Remove(name) | Self::Copy(name) => name,
        }
    }

    /// The same rule with its name in small letters, if it can be applied.
    fn checked(&self) -> Result<Self, String> {
        let name = self.name().to_ascii_lowercase();
        if !is_name(&name) {
            return Err("that is no name of a header".to_owned());
        }
        let prefixed = UNTOUCHABLE_PREFIXES.iter().any(|it| name.starts_with(it));
        if prefixed || UNTOUCHABLE.contains(&name.as_str()) {
            return Err(format!("{name} is the gateway's own: no rule may name it"));
        }
        Ok(match self {
            Self::Set { value, .. } if !is_value(value) => {
                return Err(format!(
                    "the value of {name} is too long, or not plain text in one line"
                ));
            }
            Self::Set { value, .. } => Self::Set {
                name,
                value: value.clone(),
            },
            Self::Remove(_) => Self::Remove(name),
            Self::Copy(_) => Self::Copy(name),
        })
    }
}

fn is_name(name: &str) -> bool {
    let letter = |it: u8| it.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&it);
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(letter)
}

/// Whether this is visible ASCII and spaces, none of them at an end.
fn is_value(value: &str) -> bool {
    let visible = |it: u8| matches!(it, b' '..=b'~' | b'\t');
    value.len() <= VALUE_BYTES_MAX && value.trim_ascii() == value && value.bytes().all(visible)
}
