//! Decides what a caller may use: a [`Caller`] and a model name become a [`Grant`].
//!
//! Pure, given the rules. A model that does not exist and one that the key may not use are the same refusal,
//! so that nobody can learn the names of others' models.

use std::{fmt, net::IpAddr, sync::Arc};

use dialect::preferences::{self, Preferences, Sort};
use policy::{
    calendar,
    deprecation::Deprecation,
    id::{ModelId, ProviderId},
    key::Key,
    model::Model,
    preference::Preference,
    provider::Provider,
    rules::Rules,
};

use crate::identify::Caller;

/// Proof that a caller may use a model.
#[derive(Debug, Clone)]
pub struct Grant {
    caller: Caller,
    model: Arc<Model>,
}

/// What lasts, such as a socket, so that it can be asked again whether it may.
#[derive(Debug, Clone, Copy)]
pub struct UnderWay {
    /// From where it came; `None` when that could not be told.
    pub client: Option<IpAddr>,
    /// The word for what was asked.
    pub word: &'static str,
    /// The model, where there is one, and the provider that serve it.
    pub serving: (Option<ModelId>, ProviderId),
}

/// Why the caller may not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such model for this caller. The name is the client's own.
    Model(String),
    /// What is asked for has had its time.
    Retired {
        /// What: `model`, or `model@version`.
        name: String,
        /// When that was, and what is to be used instead.
        deprecation: Arc<Deprecation>,
    },
    /// The key is held to other endpoints.
    Endpoint,
    /// The key is held to other addresses.
    Address,
    /// The key is held to other providers.
    Provider,
    /// The key's project does not let clients prefer this.
    Preference(&'static str),
    /// The request is expected to use more tokens than the key may with one.
    TooLarge {
        /// How many it is expected to use.
        tokens: u64,
        /// How many it may.
        max: u64,
    },
}

/// Whether a key may be used from there, if only to ask about itself.
pub fn come_from(key: &Key, client: Option<IpAddr>) -> Result<(), Refusal> {
    match key.scope.as_deref() {
        Some(scope) if !scope.takes_address(client) => Err(Refusal::Address),
        _ => Ok(()),
    }
}

/// Whether a key may be used for what this word means from there, whatever the model. Costs one without a scope nothing.
pub fn enter(key: &Key, client: Option<IpAddr>, word: &str) -> Result<(), Refusal> {
    let Some(scope) = key.scope.as_deref() else {
        return Ok(());
    };
    come_from(key, client)?;
    if !scope.takes_endpoint(word) {
        return Err(Refusal::Endpoint);
    }
    Ok(())
}

/// Whether a key may still be used for what is under way with it: it was let in by what the key was held to before.
pub fn remain(rules: &Rules, key: &Key, under_way: &UnderWay) -> Result<(), Refusal> {
    enter(key, under_way.client, under_way.word)?;
    let (model, provider) = under_way.serving;
    let scope = key.scope.as_deref();
    if scope.is_some_and(|it| !it.takes_provider(provider)) {
        return Err(Refusal::Provider);
    }
    if key.takes_all_models() {
        return Ok(());
    }
    // What is passed through to a provider could be for any model.
    let mut models = rules.models(key.organization);
    let model = models.find(|it| Some(it.id) == model);
    if model.is_some_and(|it| key.takes_model(it)) {
        return Ok(());
    }
    Err(Refusal::Model(String::new()))
}

/// Whether the caller may use so much at once; `tokens` is asked only of a key that is held to a number.
pub fn weigh(caller: &Caller, tokens: impl FnOnce() -> u64) -> Result<(), Refusal> {
    let scope = caller.key().scope.as_deref();
    let Some(max) = scope.and_then(|it| it.request_tokens_max) else {
        return Ok(());
    };
    let tokens = tokens();
    if tokens > max {
        return Err(Refusal::TooLarge { tokens, max });
    }
    Ok(())
}

/// The caller may not pass anything through to a provider of this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed;

/// The name of the model that is asked for, and by what its targets are put in order: a suffix says so where no model of the
/// caller's organization is called like that itself.
pub fn suffixed<'a>(rules: &Rules, key: &Key, name: &'a str) -> (&'a str, Option<Sort>) {
    let Some((model, sort)) = preferences::suffixed(name) else {
        return (name, None);
    };
    match rules.model(key.organization, name) {
        Some(_) => (name, None),
        None => (model, Some(sort)),
    }
}

/// Whether the key's project lets its clients prefer so. Costs whoever prefers nothing a look.
pub fn prefer(
    rules: &Rules,
    key: &Key,
    (wanted, sort): (Option<&Preferences>, Option<Sort>),
) -> Result<(), Refusal> {
    if wanted.is_none() && sort.is_none() {
        return Ok(());
    }
    let Some(guard) = rules.guard(key.project) else {
        return Ok(());
    };
    let said = wanted.into_iter().flat_map(Preferences::said);
    let mut said = said.chain(sort.map(|_| "sort"));
    let is_forbidden = |word: &&str| {
        let preference = Preference::named(word);
        preference.is_none_or(|it| guard.forbidden.holds(it))
    };
    said.find(is_forbidden)
        .map_or(Ok(()), |word| Err(Refusal::Preference(word)))
}

/// The provider of this name, if its operators let requests be passed through to it and the caller may do that. A key
/// that is held to some models, by name or by pattern, may not: which of them a path of the provider's would reach is
/// not known.
pub fn passage(rules: &Rules, caller: &Caller, name: &str) -> Result<Arc<Provider>, Closed> {
    let key = caller.key();
    let provider = rules.provider_named(key.organization, name);
    let goes_there = |it: &Provider| {
        let (scope, guard) = (key.scope.as_deref(), rules.guard(key.project));
        scope.is_none_or(|scope| scope.takes_provider(it.id))
            && guard.is_none_or(|guard| guard.demanded.takes(&it.handling))
    };
    let open = provider.filter(|it| it.passthrough && key.takes_all_models() && goes_there(it));
    open.map(Arc::clone).ok_or(Closed)
}

/// Whether the caller may use the model of this name. By an alias it is the model that is asked for, and that the key must take.
pub fn grant(rules: &Rules, caller: Caller, name: &str) -> Result<Grant, Refusal> {
    let model = rules.model(caller.key().organization, name);
    match model.filter(|model| is_usable(&caller, model)) {
        Some(model) => Ok(Grant {
            model: Arc::clone(model),
            caller,
        }),
        None => Err(Refusal::Model(name.to_owned())),
    }
}

/// Every model that the caller may use at this time, and once more by each of its aliases, by what they are called.
pub fn models(rules: &Rules, caller: &Caller, now_ms: u64) -> Vec<Arc<Model>> {
    let usable = rules
        .models_called(caller.key().organization)
        .filter(|model| is_usable(caller, model))
        .filter(|model| model.deprecation().is_none_or(|it| !it.is_over(now_ms)));
    let mut models: Vec<_> = usable.map(Arc::clone).collect();
    models.sort_by(|one, other| one.called().cmp(other.called()));
    models
}

fn is_usable(caller: &Caller, model: &Model) -> bool {
    model.stable.is_some() && caller.key().takes_model(model)
}

// === impl Grant ===

impl Grant {
    /// Who.
    pub const fn caller(&self) -> &Caller {
        &self.caller
    }

    /// What.
    pub const fn model(&self) -> &Arc<Model> {
        &self.model
    }
}

// === impl Closed ===

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "there is no such provider, it is not open for passing through, the key is held to models or to other \
             providers, or its project demands more of providers",
        )
    }
}

impl std::error::Error for Closed {}

// === impl Refusal ===

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model(_) => f.write_str("the model does not exist, or the key may not use it"),
            Self::Retired { name, deprecation } => {
                let at_ms = deprecation
                    .sunset_seconds
                    .unwrap_or(0)
                    .saturating_mul(1_000);
                write!(f, "`{name}` was retired at {}", calendar::written(at_ms))?;
                match deprecation.successor.as_str() {
                    "" => Ok(()),
                    successor => write!(f, ": use `{successor}` instead"),
                }
            }
            Self::Endpoint => f.write_str("the key may not be used for this endpoint"),
            Self::Address => f.write_str("the key may not be used from this address"),
            Self::Provider => f.write_str("the key may not be used with this provider"),
            Self::Preference(name) => write!(
                f,
                "the key's project does not let clients prefer `{name}`: leave it out"
            ),
            Self::TooLarge { tokens, max } => write!(
                f,
                "the request may use {tokens} tokens and the key at most {max} with one: shorten it, or lower the \
                 most output that it asks for"
            ),
        }
    }
}

impl std::error::Error for Refusal {}
