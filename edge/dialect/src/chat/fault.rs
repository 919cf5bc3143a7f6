//! What an error says in any of the shapes that providers of this family give it.
//!
//! Owns the shapes. What kind of error it is follows in `error`. Must never echo a key: some providers repeat what
//! they were sent.

use std::borrow::Cow;

use payload::{
    object::{self, Object},
    scalar,
};

use crate::{chat::own, neutral::Extra};

/// The longest message that is told. Full: the rest is cut off.
const MESSAGE_BYTES_MAX: usize = 4_096;
/// What providers' keys begin with.
const KEYS: [&str; 6] = ["sk-", "sk_", "gsk_", "xai-", "AIza", "hf_"];

/// What an error says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Fault {
    /// For people.
    pub(crate) message: String,
    /// Its type.
    pub(crate) kind: String,
    /// Its code, where that is a word.
    pub(crate) code: Option<String>,
    /// Its code, where that is a status.
    pub(crate) status: Option<u16>,
    /// Which member of the request is meant.
    pub(crate) param: Option<String>,
    /// What else is said.
    pub(crate) extra: Vec<Extra>,
}

// === impl Fault ===

impl Fault {
    /// Reads a body or a chunk. `None` if it says nothing of an error.
    pub(crate) fn read(raw: &str) -> Option<Self> {
        let raw = raw.trim();
        if raw.starts_with('[') {
            return Self::read(object::elements(raw).ok()?.first()?);
        }
        let mut body = Object::parse(raw).ok()?;
        if let Some(inner) = body.raw("error").ok()? {
            if object::is_text(inner) {
                return Self::of_text(inner, body);
            }
            return Object::parse(inner)
                .ok()
                .filter(|inner| !inner.is_empty())
                .map(Self::of);
        }
        if let Some(detail) = body.raw("detail").ok()? {
            return Self::of_detail(detail);
        }
        let says = body.has("message") && !body.has("choices");
        says.then(|| Self::of(body))
    }

    /// `{"error":"words","code":"word"}`.
    fn of_text(words: &str, mut body: Object<'_>) -> Option<Self> {
        let message = scalar::string(words).filter(|words| !words.is_empty())?;
        let mut fault = Self {
            message: told(&message),
            ..Self::default()
        };
        fault.take_code(&mut body);
        Some(fault)
    }

    /// `{"detail":"words"}`, or what was found wrong by whom: `{"detail":[{"loc":["body","n"],"msg":"words"}]}`.
    fn of_detail(detail: &str) -> Option<Self> {
        let (mut fault, mut message) = (Self::default(), scalar::string(detail));
        if let Some(first) = object::elements(detail)
            .ok()
            .and_then(|all| all.first().copied())
        {
            let mut first = Object::parse(first).ok()?;
            message = first.text("msg").ok().flatten();
            let path = first.array("loc").ok().flatten().unwrap_or_default();
            let path: Vec<_> = path
                .into_iter()
                .map(|step| scalar::string(step).unwrap_or(Cow::Borrowed(step)))
                .filter(|step| step != "body")
                .collect();
            fault.param = Some(path.join(".")).filter(|path| !path.is_empty());
        }
        fault.message = told(&message?);
        Some(fault)
    }

    fn of(mut error: Object<'_>) -> Self {
        let text = |error: &mut Object<'_>, name| {
            let raw = error.raw(name).ok().flatten()?;
            Some(scalar::string(raw)?.into_owned())
        };
        let mut fault = Self {
            message: told(&text(&mut error, "message").unwrap_or_default()),
            kind: text(&mut error, "type").unwrap_or_default(),
            param: text(&mut error, "param"),
            ..Self::default()
        };
        fault.take_code(&mut error);
        for name in ["status_code", "raw_status_code"] {
            let status = error.count(name).ok().flatten();
            fault.status = fault
                .status
                .or(status.and_then(|status| u16::try_from(status).ok()));
        }
        let _ = error.raw("object");
        own::keep(error, "", &mut fault.extra);
        fault
    }

    fn take_code(&mut self, object: &mut Object<'_>) {
        let Some(raw) = object.raw("code").ok().flatten() else {
            return;
        };
        let word = scalar::string(raw).unwrap_or(Cow::Borrowed(raw));
        match word.parse::<u16>() {
            Ok(status @ 400..600) => self.status = Some(status),
            Err(_) if object::is_text(raw) && !word.is_empty() => {
                self.code = Some(word.into_owned());
            }
            Ok(_) | Err(_) => {}
        }
    }
}

/// A message as it may be told: not too long, and without keys.
pub(crate) fn told(message: &str) -> String {
    let end = message.floor_char_boundary(MESSAGE_BYTES_MAX);
    let message = message.get(..end).unwrap_or_default();
    let secret = |word: &str| {
        let word =
            word.trim_start_matches(|first: char| !first.is_ascii_alphanumeric() && first != '*');
        word.contains("****") || (word.len() > 12 && KEYS.iter().any(|key| word.starts_with(key)))
    };
    if !message.split(char::is_whitespace).any(secret) {
        return message.to_owned();
    }
    let words = message
        .split(' ')
        .map(|word| if secret(word) { "[key]" } else { word });
    words.collect::<Vec<_>>().join(" ")
}
