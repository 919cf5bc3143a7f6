//! Marks that a prompt cache should end at a part: `cache_control`, and `OpenAI`'s `prompt_cache_breakpoint`.
//!
//! Knows both spellings and how long each can last.

use std::fmt;

use payload::object::{Misfit, Object};

use crate::{
    chat::{draft::Draft, target::CacheMarks},
    neutral::Cache,
};

const CONTROL: &str = "cache_control";
const BREAKPOINT: &str = "prompt_cache_breakpoint";

/// Takes the mark of a part, a tool or a message, if it has one.
pub(crate) fn take(object: &mut Object<'_>) -> Result<Option<Cache>, Misfit> {
    let mut cache = None;
    for name in [CONTROL, BREAKPOINT] {
        if let Some(mut mark) = object.object(name)? {
            let ttl = mark.text("ttl").map_err(|misfit| misfit.within(name))?;
            cache = Some(Cache {
                ttl: ttl.map(Into::into),
            });
        }
    }
    Ok(cache)
}

/// Writes the mark into the object that is open, or notes that it was left out.
pub(crate) fn write(cache: Option<&Cache>, at: impl fmt::Display, draft: &mut Draft<'_>) {
    let Some(cache) = cache else {
        return;
    };
    let ttl = cache.ttl.as_deref();
    match draft.target.cache {
        CacheMarks::None => draft.note(at, CONTROL),
        CacheMarks::Control => {
            draft.writer.key(CONTROL).open();
            draft.writer.key("type").text("ephemeral");
            // An hour is the longest that is known there, and five minutes are what is meant without a word.
            write_ttl(draft, ttl.filter(|ttl| *ttl != "30m"), ["12h", "1h"]);
        }
        CacheMarks::Breakpoint => {
            draft.writer.key(BREAKPOINT).open();
            draft.writer.key("mode").text("explicit");
            write_ttl(draft, ttl.filter(|ttl| *ttl != "5m"), ["1h", "12h"]);
        }
    }
}

fn write_ttl(draft: &mut Draft<'_>, ttl: Option<&str>, [from, to]: [&str; 2]) {
    if let Some(ttl) = ttl {
        draft
            .writer
            .key("ttl")
            .text(if ttl == from { to } else { ttl });
    }
    draft.writer.close();
}
