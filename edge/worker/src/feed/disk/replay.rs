//! Reading a lane back from disk: the best generation that opens, and the journals after it.
//!
//! Knows nothing of what the changes mean; a caller gives what is to be made of them. Changes that do not
//! join on to what came before end the reading, so that what is read was true once.

use std::io;

use policy::object::Lane;
use proto::{message, sync as wire};
use seal::file::{self, ReadError};
use zeroize::Zeroizing;

use crate::feed::disk::{
    Directory, Generation, context,
    generation::{self, Place},
};

/// A lane, read back.
pub struct Read<S> {
    /// What the caller made of the changes.
    pub state: S,
    /// Where it is.
    pub place: Place,
    /// From which generation.
    pub from: Generation,
}

/// Reads a lane into what `empty` makes. `None`: there is nothing that opens.
pub fn lane<S>(
    directory: &Directory,
    lane: Lane,
    empty: impl Fn() -> S,
    step: impl Fn(&mut S, wire::Change),
) -> Option<Read<S>> {
    let mut read = [Generation::Current, Generation::Previous]
        .into_iter()
        .find_map(|from| whole(directory, lane, from, (empty(), &step)))?;
    for since in [Generation::Previous, Generation::Current] {
        for batch in batches(directory, lane, since) {
            join(&mut read, batch, &step);
        }
    }
    Some(read)
}

/// The key ids of all revocations that were ever kept.
pub fn revoked(directory: &Directory) -> Vec<String> {
    let frames = directory
        .revoked()
        .and_then(|mut journal| journal.read_all());
    let frames = frames.unwrap_or_else(|why| {
        tracing::warn!(%why, "the journal of revocations cannot be read");
        Vec::new()
    });
    let texts = frames
        .iter()
        .filter_map(|frame| std::str::from_utf8(frame).ok());
    texts.flat_map(str::lines).map(str::to_owned).collect()
}

fn whole<S>(
    directory: &Directory,
    lane: Lane,
    from: Generation,
    (mut state, step): (S, &impl Fn(&mut S, wire::Change)),
) -> Option<Read<S>> {
    let path = directory.generation_path(lane, from);
    let word = lane.word();
    let plain = match file::read(&path, directory.key(), &context(&format!("{word} whole"))) {
        Ok(plain) => plain,
        Err(ReadError::Missing) => return None,
        Err(why) => {
            tracing::warn!(lane = word, %why, "the {} generation on disk is passed over", from.word());
            return None;
        }
    };
    let Ok(place) = generation::decode(lane, &plain, |change| step(&mut state, change)) else {
        tracing::warn!(
            lane = word,
            "the {} generation on disk is damaged inside",
            from.word()
        );
        return None;
    };
    Some(Read { state, place, from })
}

fn batches(directory: &Directory, lane: Lane, since: Generation) -> Vec<wire::Batch> {
    if !directory.changes_path(lane, since).exists() {
        return Vec::new();
    }
    let read: io::Result<_> = directory
        .changes(lane, since)
        .and_then(|mut journal| journal.read_all());
    match read {
        Ok(frames) => {
            let frames = frames.into_iter().map(Zeroizing::new);
            frames
                .filter_map(|frame| message::decode(&frame).ok())
                .collect()
        }
        Err(why) => {
            tracing::warn!(lane = lane.word(), %why, "a journal of changes cannot be read");
            Vec::new()
        }
    }
}

fn join<S>(read: &mut Read<S>, batch: wire::Batch, step: &impl Fn(&mut S, wire::Change)) {
    let here = read.place.revision.0;
    let joins = batch.epoch == read.place.epoch.as_bytes()
        && batch.previous_revision <= here
        && here < batch.revision;
    if joins {
        let news = batch
            .changes
            .into_iter()
            .filter(|change| change.revision > here);
        news.for_each(|change| step(&mut read.state, change));
        read.place.revision.0 = batch.revision;
    }
}
