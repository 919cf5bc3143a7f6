//! How a noun's own arguments become its message, and an update its mask.
//!
//! Knows the shape; each noun's file fills it. A mask names exactly what was said on the command line.

use clap::Args;
use prost::Message;

use crate::{failure::Failure, noun::Noun, session::Session, verb::Update};

/// Arguments that say what to make.
pub trait Wanted: Args {
    /// The noun's message.
    type Resource: Message;

    /// The noun as it is wanted.
    fn wanted(self, session: &Session) -> Result<Self::Resource, Failure>;
}

/// Arguments that say what to change.
pub trait Change: Args {
    /// The noun's message.
    type Resource: Message;

    /// The noun with this name and etag, its new values, and the fields that they are for.
    fn change(&self, it: Which, session: &Session) -> Result<(Self::Resource, Mask), Failure>;
}

/// Which one is changed.
#[derive(Debug, Clone)]
pub struct Which {
    /// Its whole name.
    pub name: String,
    /// Its etag, or nothing.
    pub etag: String,
}

/// The fields that change.
#[derive(Debug, Default)]
pub struct Mask(pub Vec<&'static str>);

/// Changes one.
pub async fn update<U: Change>(
    noun: &Noun,
    update: &Update<U>,
    session: &mut Session,
) -> Result<(), Failure> {
    let name = session.place.name(noun.collections, &update.name)?;
    let which = Which {
        name,
        etag: update.etag.clone().unwrap_or_default(),
    };
    let (resource, mask) = update.fields.change(which, session)?;
    let reply = session
        .update(noun, &resource, mask.0, &update.write)
        .await?;
    session.finish(&reply, &update.write).await
}

// === impl Mask ===

impl Mask {
    /// The value that was given for a field, which is then named; else the field's nothing.
    pub fn take<T: Default>(&mut self, field: &'static str, given: Option<T>) -> T {
        given.inspect(|_| self.0.push(field)).unwrap_or_default()
    }

    /// The list that was given for a field, or none at all where `emptied`.
    pub fn take_list(
        &mut self,
        field: &'static str,
        given: &[String],
        emptied: bool,
    ) -> Vec<String> {
        self.take(
            field,
            (emptied || !given.is_empty()).then(|| given.to_vec()),
        )
    }
}
