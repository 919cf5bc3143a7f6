//! The members of one object, in either of the two spellings that Google takes: `mimeType` and `mime_type`.
//!
//! Knows spellings and the forms that Google's readers take for each other. Must never know what a member means.

use std::borrow::Cow;

use payload::{
    object::{self, Misfit, Object},
    scalar,
};

use crate::neutral::{Extra, Family};

/// An object that is taken apart by names in camel case.
#[derive(Debug)]
pub(crate) struct Members<'a> {
    object: Object<'a>,
}

// === impl Members ===

impl<'a> Members<'a> {
    /// Takes one object apart.
    pub(crate) fn parse(raw: &'a str) -> Result<Self, Misfit> {
        let object = Object::parse(raw)?;
        Ok(Self { object })
    }

    /// A member as it stands. Null is as good as absent.
    pub(crate) fn raw(&mut self, name: &str) -> Result<Option<&'a str>, Misfit> {
        let name = self.spelled(name)?;
        self.object.raw(&name)
    }

    /// A member that must be a string.
    pub(crate) fn text(&mut self, name: &str) -> Result<Option<Cow<'a, str>>, Misfit> {
        let name = self.spelled(name)?;
        self.object.text(&name)
    }

    /// A member that must be `true` or `false`.
    pub(crate) fn flag(&mut self, name: &str) -> Result<Option<bool>, Misfit> {
        let name = self.spelled(name)?;
        self.object.flag(&name)
    }

    /// A member that must be a number, as it is written.
    pub(crate) fn number(&mut self, name: &str) -> Result<Option<&'a str>, Misfit> {
        let name = self.spelled(name)?;
        self.object.number(&name)
    }

    /// A member that must be a whole number. Google's readers take one in quotes, too.
    pub(crate) fn count(&mut self, name: &str) -> Result<Option<u64>, Misfit> {
        let raw = self.raw(name)?;
        raw.map(|raw| {
            whole(raw).ok_or_else(|| Misfit::new("must be a number of at least 0").within(name))
        })
        .transpose()
    }

    /// A member that must be an object.
    pub(crate) fn members(&mut self, name: &str) -> Result<Option<Self>, Misfit> {
        let raw = self.raw(name)?;
        raw.map(|raw| Self::parse(raw).map_err(|misfit| misfit.within(name)))
            .transpose()
    }

    /// A member that must be an array, by its elements. Google's readers take one object for an array of it.
    pub(crate) fn list(&mut self, name: &str) -> Result<Option<Vec<&'a str>>, Misfit> {
        let raw = self.raw(name)?;
        raw.map(|raw| {
            if raw.starts_with('{') {
                return Ok(vec![raw]);
            }
            object::elements(raw).map_err(|misfit| misfit.within(name))
        })
        .transpose()
    }

    /// Whether a member is there and has not been taken.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.object.has(name) || self.has_in_snake(name)
    }

    /// Whether nothing is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.object.is_empty()
    }

    /// What nobody has asked for, as extras under `path`, which is empty or ends with a dot. A name with a dot would
    /// be taken for a path when it is written back, and no field of Google has one.
    pub(crate) fn rest(self, path: &str, extra: &mut Vec<Extra>) -> Result<(), Misfit> {
        for (name, raw) in self.object.rest() {
            if raw == "null" {
                continue;
            }
            if name.contains('.') {
                return Err(Misfit::new("is no field of this API").within(&name));
            }
            extra.push(Extra::new(Family::Gemini, format!("{path}{name}"), raw));
        }
        Ok(())
    }

    /// How `name`, which is in camel case, is spelled here.
    fn spelled<'n>(&self, name: &'n str) -> Result<Cow<'n, str>, Misfit> {
        if !self.has_in_snake(name) {
            return Ok(Cow::Borrowed(name));
        }
        if self.object.has(name) {
            return Err(Misfit::new("stands there in two spellings: send it once").within(name));
        }
        Ok(Cow::Owned(snake(name)))
    }

    /// Whether a name of more than one word is there in snake case. Most are not, and cost no allocation.
    fn has_in_snake(&self, name: &str) -> bool {
        name.bytes().any(|letter| letter.is_ascii_uppercase())
            && self.object.names().any(|other| is_snake_of(other, name))
    }
}

/// Whether `other` is `name`, which is in camel case, in snake case.
fn is_snake_of(other: &str, name: &str) -> bool {
    let mut others = other.bytes();
    let mut next = |letter| others.next() == Some(letter);
    let same = name.bytes().all(|letter| {
        (!letter.is_ascii_uppercase() || next(b'_')) && next(letter.to_ascii_lowercase())
    });
    same && others.next().is_none()
}

/// A whole number, in quotes or not.
pub(crate) fn whole(raw: &str) -> Option<u64> {
    match scalar::string(raw) {
        Some(text) => text.parse().ok(),
        None => scalar::whole_number(raw),
    }
}

/// A name in snake case, given in camel case.
fn snake(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_spelling_is_read_and_both_are_refused() {
        let mut members = Members::parse(r#"{"mime_type":"a","fileUri":"b","topK":"7"}"#).unwrap();
        assert_eq!(members.text("mimeType").unwrap().as_deref(), Some("a"));
        assert_eq!(members.text("fileUri").unwrap().as_deref(), Some("b"));
        assert_eq!(members.count("topK"), Ok(Some(7)));
        for (other, same) in [
            ("mime_type", true),
            ("mime_typ", false),
            ("mime_types", false),
        ] {
            assert_eq!(is_snake_of(other, "mimeType"), same, "{other}");
            assert_eq!(snake("mimeType") == other, same, "{other}");
        }
        let mut both = Members::parse(r#"{"mime_type":"a","mimeType":"b"}"#).unwrap();
        assert_eq!(both.raw("mimeType").unwrap_err().at, "mimeType");
    }

    #[test]
    fn a_name_that_would_become_a_path_is_refused() {
        let members = Members::parse(r#"{"generationConfig.maxOutputTokens":9}"#).unwrap();
        assert!(members.rest("", &mut Vec::new()).is_err());
    }
}
