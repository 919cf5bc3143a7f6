//! What can be told at once: models, and what a server of tensors says of itself.
//!
//! Knows how each family of clients reads that; asks nobody.

use dialect::{
    inference::server,
    listing::{self, Shown},
    neutral::Family,
};
use policy::{model::Model, rules::Rules};

use crate::{
    authorize,
    identify::Caller,
    request::endpoint::{Listed, Server},
};

/// What a server of tensors says of itself.
pub(super) fn about_server(what: Server) -> Vec<u8> {
    match what {
        Server::Metadata => server::metadata("sluice", env!("CARGO_PKG_VERSION")),
        Server::Live => server::live(),
        Server::Ready => server::ready(),
    }
}

/// The models that a caller may use.
pub(super) fn list_models(rules: &Rules, caller: &Caller, listed: &Listed) -> Vec<u8> {
    let models = authorize::models(rules, caller);
    let all = || -> Vec<_> { models.iter().map(|model| shown(rules, model)).collect() };
    match listed.family {
        Family::Messages => listing::messages(&all(), &listed.page),
        Family::Gemini => listing::gemini(&all(), &listed.page),
        _ => {
            let owner = owner(rules, caller);
            let facts = models
                .iter()
                .map(|model| (model.name.as_str(), model.created_seconds, owner));
            dialect::openai::models::list(facts)
        }
    }
}

/// One of them.
pub(super) fn one_model(
    rules: &Rules,
    caller: Caller,
    (name, family): &(String, Family),
) -> Result<Vec<u8>, authorize::Refusal> {
    let grant = authorize::grant(rules, caller, name)?;
    let model = grant.model();
    Ok(match family {
        Family::Messages => listing::messages_one(&shown(rules, model)),
        Family::Gemini => listing::gemini_one(&shown(rules, model)),
        _ => dialect::openai::models::one(
            &model.name,
            model.created_seconds,
            owner(rules, grant.caller()),
        ),
    })
}

fn shown<'a>(rules: &'a Rules, model: &'a Model) -> Shown<'a> {
    let version = model.stable.and_then(|id| rules.version(id));
    Shown {
        name: &model.name,
        version: version.map_or("", |version| version.name.as_str()),
        created_seconds: model.created_seconds,
    }
}

fn owner<'a>(rules: &'a Rules, caller: &Caller) -> &'a str {
    rules
        .organization(caller.key().organization)
        .map_or("", |it| it.name.as_str())
}
