//! The verbs that most nouns have, run: make, change, show, list, delete.
//!
//! Knows the shape that they share; knows no noun.

use prost::Message;

use crate::{
    admin::field::{self, Change, Wanted},
    failure::Failure,
    noun::Noun,
    session::Session,
    verb::{Standing, Verb},
};

/// Runs one of them.
pub async fn run_verb<R: Message, C: Wanted<Resource = R>, U: Change<Resource = R>>(
    noun: &Noun,
    verb: Verb<C, U>,
    session: &mut Session,
) -> Result<(), Failure> {
    match verb {
        Verb::Create(create) => {
            let name = session.place.name(noun.collections, &create.name)?;
            let resource = create.fields.wanted(session)?;
            let reply = session
                .create(noun, &name, &resource, &create.write)
                .await?;
            session.finish(&reply, &create.write).await
        }
        Verb::Update(update) => field::update(noun, &update, session).await,
        Verb::Standing(standing) => run_standing(noun, &standing, session).await,
    }
}

/// Runs one of those of anything that stands.
pub async fn run_standing(
    noun: &Noun,
    standing: &Standing,
    session: &mut Session,
) -> Result<(), Failure> {
    match standing {
        Standing::Get(get) => session.get(noun, &get.name).await,
        Standing::Delete(delete) => session.delete(noun, delete).await,
        Standing::List(list) => {
            let parent = session.place.parent(noun.collections)?;
            session.list(noun, &parent, list.max).await
        }
    }
}
