//! What can be told at once: models, and what a server of tensors says of itself.
//!
//! Knows how each family of clients reads that; asks nobody.

use std::{num::NonZeroU32, sync::Arc};

use dialect::{
    inference::server,
    listing::{self, Ending, Shown},
    neutral::Family,
};
use policy::{
    capability::{ABILITIES, Capabilities},
    deprecation::sooner,
    model::Model,
    rules::Rules,
};

use crate::{
    authorize,
    identify::Caller,
    label::of,
    request::endpoint::{Listed, Server},
};

/// What is known that a model can do, as it is listed.
struct Able {
    tokens_max: (Option<u32>, Option<u32>),
    abilities: Vec<(&'static str, bool)>,
}

/// What a server of tensors says of itself.
pub(super) fn about_server(what: Server) -> Vec<u8> {
    match what {
        Server::Metadata => server::metadata("sluice", env!("CARGO_PKG_VERSION")),
        Server::Live => server::live(),
        Server::Ready => server::ready(),
    }
}

/// The models that a caller may use at this time.
pub(super) fn list_models(
    (rules, now_ms): (&Rules, u64),
    caller: &Caller,
    listed: &Listed,
) -> Vec<u8> {
    let models = authorize::models(rules, caller, now_ms);
    let at = (rules, now_ms);
    let able: Vec<_> = models.iter().map(|model| able(rules, model)).collect();
    let all = models.iter().zip(&able);
    let all: Vec<_> = all.map(|(model, able)| shown(at, (model, able))).collect();
    match listed.family {
        Family::Messages => listing::messages(&all, &listed.page),
        Family::Gemini => listing::gemini(&all, &listed.page),
        _ => listing::openai(&all, owner(rules, caller)),
    }
}

/// One of them.
pub(super) fn one_model(
    (rules, now_ms): (&Rules, u64),
    caller: Caller,
    (name, family): &(String, Family),
) -> Result<Vec<u8>, authorize::Refusal> {
    let grant = authorize::grant(rules, caller, name)?;
    let model = grant.model();
    if let Some(it) = model.deprecation().filter(|it| it.is_over(now_ms)) {
        return Err(authorize::Refusal::Retired {
            name: of(model, &model.name),
            deprecation: Arc::clone(it),
        });
    }
    let able = able(rules, model);
    let shown = shown((rules, now_ms), (model, &able));
    Ok(match family {
        Family::Messages => listing::messages_one(&shown),
        Family::Gemini => listing::gemini_one(&shown),
        _ => listing::openai_one(&shown, owner(rules, grant.caller())),
    })
}

/// What is known that a model can do: by any of the targets of its stable version.
fn able(rules: &Rules, model: &Model) -> Able {
    let version = model.stable.and_then(|id| rules.version(id));
    let targets = version.map_or(&[][..], |it| it.targets.as_slice());
    let each = targets.iter().filter_map(|it| {
        let kind = rules.provider(it.provider)?.kind;
        Some(it.capable.all(kind, &it.provider_model))
    });
    let all = each.reduce(Capabilities::with_another).unwrap_or_default();
    let (can, cannot) = all.abilities();
    let said = ABILITIES.into_iter().filter_map(|it| match it {
        it if can.holds(it) => Some((it.word(), true)),
        it => cannot.holds(it).then_some((it.word(), false)),
    });
    Able {
        tokens_max: (
            all.context_tokens.map(NonZeroU32::get),
            all.output_tokens_max.map(NonZeroU32::get),
        ),
        abilities: said.collect(),
    }
}

fn shown<'a>((rules, now_ms): (&'a Rules, u64), (model, able): (&'a Model, &'a Able)) -> Shown<'a> {
    let version = model.stable.and_then(|id| rules.version(id));
    let of_version = model.stable.and_then(|id| model.deprecation_of(id));
    let ending = sooner(model.deprecation(), of_version);
    Shown {
        name: model.called(),
        version: version.map_or("", |version| version.name.as_str()),
        created_seconds: model.created_seconds,
        ending: ending.map(|it| Ending {
            from_seconds: it.from_seconds,
            has_begun: it.has_begun(now_ms),
            sunset_seconds: it.sunset_seconds,
            successor: &it.successor,
        }),
        tokens_max: able.tokens_max,
        abilities: &able.abilities,
    }
}

fn owner<'a>(rules: &'a Rules, caller: &Caller) -> &'a str {
    rules
        .organization(caller.key().organization)
        .map_or("", |it| it.name.as_str())
}
