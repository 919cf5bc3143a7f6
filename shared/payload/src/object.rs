//! An object of JSON taken apart by name: what was asked for, and what nobody asked for.
//!
//! Knows the grammar through `json`; knows nothing of what a member means. What is not taken is still there at the
//! end, so that a reader can carry it on or say that it was dropped. A member that stands there twice is refused when
//! it is taken: another reader could have read the other one.

use std::{borrow::Cow, fmt};

use crate::{
    json::{self, Fault},
    scalar,
};

/// The most members that one object may have. Full: the object is refused.
pub const MEMBERS_MAX: usize = 4_096;

/// The members of one object, in the order in which they came.
#[derive(Debug, Clone, Default)]
pub struct Object<'a> {
    members: Vec<(Cow<'a, str>, &'a str)>,
}

/// A value is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// Where, such as `messages[2].content`; empty for the whole.
    pub at: String,
    /// What should be there, such as `must be a string`.
    pub wants: Cow<'static, str>,
}

/// The elements of an array, as they stand in the text.
pub fn elements(raw: &str) -> Result<Vec<&str>, Misfit> {
    let mut elements = Vec::new();
    json::elements(raw, |place| {
        elements.push(&raw[place]);
        Ok::<_, Fault>(())
    })
    .map_err(|_| Misfit::new("must be an array"))?;
    Ok(elements)
}

/// What a string says.
pub fn text(raw: &str) -> Result<Cow<'_, str>, Misfit> {
    scalar::string(raw).ok_or_else(|| Misfit::new("must be a string"))
}

/// Whether a raw value is a string.
pub fn is_text(raw: &str) -> bool {
    raw.starts_with('"')
}

// === impl Object ===

impl<'a> Object<'a> {
    /// Takes one object apart. Every byte of `raw` is checked to be JSON.
    pub fn parse(raw: &'a str) -> Result<Self, Misfit> {
        let mut members = Vec::new();
        let walked = json::members(raw, |key, place| {
            if members.len() == MEMBERS_MAX {
                return Err(Fault::Malformed { at: place.start });
            }
            // A key that is not valid Unicode is none of ours to any reader.
            if let Some(key) = scalar::string(key) {
                members.push((key, &raw[place]));
            }
            Ok(())
        });
        match walked {
            Ok(_) => Ok(Self { members }),
            Err(Fault::TooDeep { .. }) => Err(Misfit::new("is nested too deeply")),
            Err(Fault::Malformed { .. }) => Err(Misfit::new("must be an object")),
        }
    }

    /// The raw value of a member, which is then no longer among the rest. Null is as good as absent.
    pub fn raw(&mut self, name: &str) -> Result<Option<&'a str>, Misfit> {
        let Some(at) = self.members.iter().position(|(key, _)| key == name) else {
            return Ok(None);
        };
        let (_, value) = self.members.remove(at);
        if self.members.iter().any(|(key, _)| key == name) {
            return Err(Misfit::new("stands there twice: send it once").within(name));
        }
        Ok((value != "null").then_some(value))
    }

    /// A member that must be a string.
    pub fn text(&mut self, name: &str) -> Result<Option<Cow<'a, str>>, Misfit> {
        let raw = self.raw(name)?;
        raw.map(|raw| text(raw).map_err(|misfit| misfit.within(name)))
            .transpose()
    }

    /// A member that must be `true` or `false`.
    pub fn flag(&mut self, name: &str) -> Result<Option<bool>, Misfit> {
        match self.raw(name)? {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(Misfit::new("must be true or false").within(name)),
        }
    }

    /// A member that must be a number that is not negative; rounded up to a whole one.
    pub fn count(&mut self, name: &str) -> Result<Option<u64>, Misfit> {
        let raw = self.raw(name)?;
        raw.map(|raw| {
            scalar::whole_number(raw)
                .ok_or_else(|| Misfit::new("must be a number of at least 0").within(name))
        })
        .transpose()
    }

    /// A member that must be a number, as it is written.
    pub fn number(&mut self, name: &str) -> Result<Option<&'a str>, Misfit> {
        let raw = self.raw(name)?;
        raw.map(|raw| match raw.as_bytes().first() {
            Some(b'-' | b'0'..=b'9') => Ok(raw),
            _ => Err(Misfit::new("must be a number").within(name)),
        })
        .transpose()
    }

    /// A member that must be an object.
    pub fn object(&mut self, name: &str) -> Result<Option<Object<'a>>, Misfit> {
        let raw = self.raw(name)?;
        raw.map(|raw| Object::parse(raw).map_err(|misfit| misfit.within(name)))
            .transpose()
    }

    /// A member that must be an array, by its elements.
    pub fn array(&mut self, name: &str) -> Result<Option<Vec<&'a str>>, Misfit> {
        let raw = self.raw(name)?;
        raw.map(|raw| elements(raw).map_err(|misfit| misfit.within(name)))
            .transpose()
    }

    /// The raw value of a member, which stays among the rest. Null is as good as absent.
    pub fn peek(&self, name: &str) -> Option<&'a str> {
        let member = self.members.iter().find(|(key, _)| key == name);
        member.map(|(_, value)| *value).filter(|it| *it != "null")
    }

    /// Whether a member is there and has not been taken, be it null.
    pub fn has(&self, name: &str) -> bool {
        self.members.iter().any(|(key, _)| key == name)
    }

    /// The names of what has not been taken.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|(key, _)| key.as_ref())
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// What nobody has asked for, in its order: names and raw values.
    pub fn rest(self) -> impl Iterator<Item = (Cow<'a, str>, &'a str)> {
        self.members.into_iter()
    }
}

// === impl Misfit ===

impl Misfit {
    /// A misfit of the value at hand.
    pub fn new(wants: impl Into<Cow<'static, str>>) -> Self {
        Self {
            at: String::new(),
            wants: wants.into(),
        }
    }

    /// The same, seen from the object that holds the value as `name`.
    pub fn within(mut self, name: &str) -> Self {
        let dot = if self.at.is_empty() || self.at.starts_with('[') {
            ""
        } else {
            "."
        };
        self.at = format!("{name}{dot}{}", self.at);
        self
    }

    /// The same, seen from the array that holds the value as its element number `index`.
    pub fn within_element(mut self, index: usize) -> Self {
        let dot = if self.at.is_empty() || self.at.starts_with('[') {
            ""
        } else {
            "."
        };
        self.at = format!("[{index}]{dot}{}", self.at);
        self
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = if self.at.is_empty() {
            "the body"
        } else {
            &self.at
        };
        write!(f, "{at} {}", self.wants)
    }
}

impl std::error::Error for Misfit {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_gone_and_the_rest_keeps_its_order() {
        let mut object = Object::parse(r#"{"z":1,"a":"x","n":null,"b":[1, 2],"t":true}"#).unwrap();
        assert_eq!(object.text("a").unwrap().as_deref(), Some("x"));
        assert_eq!(object.raw("n"), Ok(None));
        assert_eq!(object.array("b").unwrap().unwrap(), ["1", "2"]);
        assert_eq!(object.flag("t"), Ok(Some(true)));
        let rest: Vec<_> = object.rest().collect();
        assert_eq!(rest, [(Cow::Borrowed("z"), "1")]);
    }

    #[test]
    fn a_misfit_says_where_it_stands() {
        let mut object = Object::parse(r#"{"a":1,"b":1,"b":2}"#).unwrap();
        let misfit = object.text("a").unwrap_err();
        let misfit = misfit.within_element(3).within("messages");
        assert_eq!(misfit.to_string(), "messages[3].a must be a string");
        assert_eq!(object.raw("b").unwrap_err().at, "b");
        assert_eq!(
            Object::parse("[]").unwrap_err().to_string(),
            "the body must be an object"
        );
    }
}
