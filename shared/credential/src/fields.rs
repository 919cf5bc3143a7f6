//! The members of a form, taken one by one.
//!
//! Knows JSON and lengths; knows nothing of what a member means.

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::{endpoint::Endpoint, invalid::Invalid};

/// What has not been taken yet.
pub(crate) struct Fields(Map<String, Value>);

/// The longest of the texts that are no keys, in bytes.
const WORD_BYTES_MAX: usize = 2_048;

// === impl Fields ===

impl Fields {
    /// Reads an object.
    pub(crate) fn read(text: &str) -> Result<Self, Invalid> {
        match serde_json::from_str(text) {
            Ok(Value::Object(members)) => Ok(Self(members)),
            _ => Err(Invalid::NotJson),
        }
    }

    /// A member that may be absent, and is a secret.
    pub(crate) fn secret_maybe(
        &mut self,
        name: &'static str,
    ) -> Result<Option<Zeroizing<String>>, Invalid> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(Zeroizing::new(text))),
            Some(_) => Err(Invalid::Member(name, "must be a text that is not empty")),
        }
    }

    /// A member that must be there, and is a secret.
    pub(crate) fn secret(&mut self, name: &'static str) -> Result<Zeroizing<String>, Invalid> {
        self.secret_maybe(name)?.ok_or(Invalid::Missing(name))
    }

    /// A member that may be absent: visible ASCII.
    pub(crate) fn word_maybe(&mut self, name: &'static str) -> Result<Option<String>, Invalid> {
        let Some(mut text) = self.secret_maybe(name)? else {
            return Ok(None);
        };
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        if !visible || text.len() > WORD_BYTES_MAX {
            return Err(Invalid::Member(
                name,
                "must be visible ASCII of at most 2048 characters",
            ));
        }
        Ok(Some(std::mem::take(&mut *text)))
    }

    /// A member that must be there: visible ASCII.
    pub(crate) fn word(&mut self, name: &'static str) -> Result<String, Invalid> {
        self.word_maybe(name)?.ok_or(Invalid::Missing(name))
    }

    /// A member that may be absent: a URL.
    pub(crate) fn url_maybe(&mut self, name: &'static str) -> Result<Option<Endpoint>, Invalid> {
        let Some(text) = self.word_maybe(name)? else {
            return Ok(None);
        };
        let endpoint = Endpoint::read(&text);
        let endpoint = endpoint.ok_or(Invalid::Member(name, "must be a plain URL"))?;
        Ok(Some(endpoint))
    }

    /// A member that must be there: the whole path of a file.
    pub(crate) fn path(&mut self, name: &'static str) -> Result<String, Invalid> {
        let path = self.word(name)?;
        if path.starts_with('/') && !path.split('/').any(|part| part == "..") {
            Ok(path)
        } else {
            Err(Invalid::Member(
                name,
                "must be the whole path of a file, beginning with /",
            ))
        }
    }

    /// A member that may be absent: a whole number.
    pub(crate) fn number_maybe(&mut self, name: &'static str) -> Result<Option<u64>, Invalid> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                let number = value.as_u64();
                let number = number.ok_or(Invalid::Member(name, "must be a whole number"))?;
                Ok(Some(number))
            }
        }
    }

    /// A member that may be absent: an object.
    pub(crate) fn object_maybe(&mut self, name: &'static str) -> Result<Option<Self>, Invalid> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(members)) => Ok(Some(Self(members))),
            Some(_) => Err(Invalid::Member(name, "must be an object")),
        }
    }

    /// Every member, by name: texts.
    pub(crate) fn texts(self, within: &'static str) -> Result<Vec<(String, String)>, Invalid> {
        let text = |(name, value): (String, Value)| match value {
            Value::String(text) => Ok((name, text)),
            _ => Err(Invalid::Member(within, "must hold texts alone")),
        };
        self.0.into_iter().map(text).collect()
    }

    /// Nothing may be left. `known` names what may be there.
    pub(crate) fn done(self, known: &'static str) -> Result<(), Invalid> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Invalid::Unknown(known))
        }
    }
}
