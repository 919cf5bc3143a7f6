//! Which one is meant where something that a model goes through is named: that one, or of a model the one that is under way,
//! or else its newest.
//!
//! Knows when one began and whether it has ended; knows nothing else of what it is.

use prost::Message;
use prost_reflect::{DynamicMessage, Value};
use prost_types::Timestamp;

use crate::{
    failure::{Exit, Failure},
    noun::{self, Noun},
    session::Session,
};

/// The one that `text` means: the model, MODEL@ID, or a whole name.
pub async fn meant<T: Message + Default>(
    noun: &Noun,
    text: &str,
    session: &mut Session,
) -> Result<T, Failure> {
    let collection = noun.collections.last().unwrap_or(&"");
    if text.contains('@') || text.contains(&format!("/{collection}/")) {
        let name = session.place.name(noun.collections, text)?;
        let found = session.call_by_name(noun, "Get", &name).await?;
        return found.transcode_to().map_err(Failure::broken);
    }
    let parent = session.place.name(noun::MODEL.collections, text)?;
    let (all, _) = session.all(noun, &parent, usize::MAX).await?;
    let all = all.iter().filter_map(Value::as_message);
    let none = || {
        Failure::new(
            Exit::NotFound,
            format!("{parent} has had no {}", noun.field),
        )
    };
    let newest = all.max_by_key(|it| age(it)).ok_or_else(none)?;
    newest.transcode_to().map_err(Failure::broken)
}

/// Whether it is under way, and when it began: the greatest is meant.
fn age(it: &DynamicMessage) -> (bool, (i64, i32)) {
    let began = it.get_field_by_name("create_time");
    let began = began.and_then(|it| it.as_message()?.transcode_to::<Timestamp>().ok());
    let began = began.map_or((0, 0), |it| (it.seconds, it.nanos));
    (!it.has_field_by_name("end_time"), began)
}
