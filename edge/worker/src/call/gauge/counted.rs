//! What is counted of a stream that is watched, and what is written of one.
//!
//! Knows counts and bytes; knows nothing of which stream is read how.

use bytes::Bytes;
use dialect::{
    Finish, Tokens,
    crossing::{stream::Stream, watch::Watch},
};

use crate::record::Tally;

/// What a stream used that was ended because it brought more than it may, if it was: all that it may bring, whatever its
/// provider said before the end.
pub(super) fn ended_at(stream: &Stream) -> Option<Tally> {
    let most = stream.ended_at()?;
    let tokens = stream.watch().tokens();
    let told = tokens.map(|told| Tokens {
        output: most.saturating_sub(told.reasoning.saturating_add(told.audio_output)),
        ..told
    });
    Some(Tally {
        tokens: told,
        output_tokens: most,
        finish: Finish::Truncated,
    })
}

/// Lets something be written, and gives it on if it is anything.
pub(super) fn give(out: &mut Vec<Bytes>, write: impl FnOnce(&mut Vec<u8>)) {
    let mut said = Vec::new();
    write(&mut said);
    if !said.is_empty() {
        out.push(said.into());
    }
}

/// What has been seen of a stream that is watched.
pub(super) const fn watched(watch: &Watch) -> Tally {
    Tally {
        tokens: watch.tokens(),
        output_tokens: watch.output_estimate(),
        finish: Finish::Unseen,
    }
}
