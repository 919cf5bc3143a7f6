//! A provider that speaks no dialect of ours: programs say how its payloads are made and read.
//!
//! Owns what the programs must give, and how many steps each may take. Must never know the provider. Without a program, a
//! payload goes on as it came.

mod error;
pub mod invoke;

use std::borrow::Cow;

use payload::{
    counts,
    jq::{Fault, PAYLOAD_STEPS_MAX, Program},
    object::Misfit,
};

use crate::{Tokens, neutral::Error, tokens::Tier};

pub use self::error::encode;

/// How payloads become those of the provider, and back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mapping {
    /// What the provider gets, of what the client sends.
    pub request: Option<Program>,
    /// What the client gets, of what the provider answers.
    pub response: Option<Program>,
    /// What went wrong, of the body of an answer that is an error: `{"code":"…","message":"…"}`.
    pub error: Option<Program>,
    /// What was used, of what the provider answers: [`counts`], or null where it does not say.
    pub usage: Option<Program>,
}

/// Why there is no usage, though there is a program for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unread {
    /// The program failed.
    Program(Fault),
    /// What it gave is no usage.
    Usage(Misfit),
}

// === impl Mapping ===

impl Mapping {
    /// What the provider gets.
    pub fn request<'a>(&self, body: &'a [u8]) -> Result<Cow<'a, [u8]>, Fault> {
        mapped(self.request.as_ref(), body)
    }

    /// What the client gets.
    pub fn response<'a>(&self, body: &'a [u8]) -> Result<Cow<'a, [u8]>, Fault> {
        mapped(self.response.as_ref(), body)
    }

    /// What went wrong. A program that fails, or gives no message, leaves what can be told without it.
    pub fn error(&self, status: u16, body: &[u8]) -> Error {
        error::decode(status, body, self.error.as_ref())
    }

    /// What was used. `None` where no program tells it, or the answer does not say.
    pub fn usage(&self, body: &[u8]) -> Result<Option<Tokens>, Unread> {
        let Some(program) = &self.usage else {
            return Ok(None);
        };
        let output = program.run_within(PAYLOAD_STEPS_MAX, body);
        let output = output.map_err(Unread::Program)?;
        let counts = counts::read(&String::from_utf8_lossy(&output)).map_err(Unread::Usage)?;
        Ok(counts.map(tokens))
    }
}

fn mapped<'a>(program: Option<&Program>, body: &'a [u8]) -> Result<Cow<'a, [u8]>, Fault> {
    match program {
        None => Ok(Cow::Borrowed(body)),
        Some(program) => program.run_within(PAYLOAD_STEPS_MAX, body).map(Cow::Owned),
    }
}

/// Counts in the order of their names.
const fn tokens(counts: [u64; counts::NAMES.len()]) -> Tokens {
    let [
        input,
        cached_input,
        cache_write,
        cache_write_hour,
        audio_input,
        output,
        reasoning,
        audio_output,
        images,
        units,
    ] = counts;
    Tokens {
        input,
        cached_input,
        cache_write,
        cache_write_hour,
        audio_input,
        output,
        reasoning,
        audio_output,
        images,
        units,
        tier: Tier::Standard,
    }
}

// === impl Unread ===

impl std::fmt::Display for Unread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Program(fault) => fault.fmt(f),
            Self::Usage(misfit) if misfit.at.is_empty() => write!(f, "the usage {}", misfit.wants),
            Self::Usage(misfit) => misfit.fmt(f),
        }
    }
}

impl std::error::Error for Unread {}
