//! Payloads that rules are tried with, as one array of JSON, read and written.
//!
//! Owns the names of their members. A body keeps its bytes; what is not known is refused.

use crate::{
    family::Family,
    object::{self, Misfit, Object},
    writer::Writer,
};

/// The most bytes of a text of samples. Full: it is refused.
pub const SAMPLES_BYTES_MAX: usize = 1 << 20;

/// A payload that a version was given to be tried with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample<'a> {
    /// Its dialect.
    pub family: Family,
    /// The payload.
    pub body: &'a str,
    /// What it must become, byte for byte save white space between tokens; absent if it must only become something.
    pub becomes: Option<&'a str>,
}

// === impl Sample ===

impl<'a> Sample<'a> {
    /// Reads samples: `[{"dialect":"chat","body":{"model":"m"},"becomes":{"model":"m","n":1}}]`.
    pub fn parse_all(json: &'a str) -> Result<Vec<Self>, Misfit> {
        if json.len() > SAMPLES_BYTES_MAX {
            return Err(Misfit::new("is too long"));
        }
        let samples = object::elements(json)?.into_iter().enumerate();
        samples
            .map(|(at, raw)| Self::parse(raw).map_err(|misfit| misfit.within_element(at)))
            .collect()
    }

    /// Writes samples as [`Sample::parse_all`] reads them. Bodies must be JSON.
    pub fn write_all(samples: &[Self]) -> String {
        let mut writer = Writer::default();
        writer.open_array();
        for sample in samples {
            writer.open();
            if let Some(word) = sample.family.word() {
                writer.key("dialect").text(word);
            }
            writer.key("body").raw(sample.body.trim_ascii());
            if let Some(becomes) = sample.becomes {
                writer.key("becomes").raw(becomes.trim_ascii());
            }
            writer.close();
        }
        writer.close_array();
        String::from_utf8(writer.into_bytes()).unwrap_or_default()
    }

    fn parse(raw: &'a str) -> Result<Self, Misfit> {
        let mut members = Object::parse(raw)?;
        let missing = |name: &str| Misfit::new("is missing").within(name);
        let word = members.text("dialect")?.ok_or_else(|| missing("dialect"))?;
        let family = Family::of_word(&word).ok_or_else(|| {
            Misfit::new("must be `chat`, `responses`, `messages` or `gemini`").within("dialect")
        })?;
        let body = members.raw("body")?.ok_or_else(|| missing("body"))?;
        let becomes = members.raw("becomes")?;
        match members.rest().next() {
            None => Ok(Self {
                family,
                body,
                becomes,
            }),
            Some((name, _)) => Err(Misfit::new("is no member of a sample").within(&name)),
        }
    }
}
