//! What can be said of an issuer of clients' tokens.

use std::time::Duration;

use clap::Args;
use proto::admin::Issuer;

use crate::{
    admin::field::{Change, Mask, Wanted, Which},
    failure::Failure,
    moment::{self, span},
    noun,
    place::Place,
    session::Session,
};

/// A new one.
#[derive(Debug, Clone, Args)]
pub struct New {
    /// What tokens say in `iss`, to the letter
    #[arg(long, value_name = "URL")]
    issuer_url: String,
    #[command(flatten)]
    fields: Box<Fields>,
}

/// A change of one.
#[derive(Debug, Clone, Args)]
pub struct Edit {
    #[command(flatten)]
    fields: Box<Fields>,
    /// Take its tokens again
    #[arg(long, conflicts_with = "disabled")]
    enabled: bool,
    /// Hold its tokens to no models, endpoints, providers, addresses and numbers of tokens
    #[arg(long)]
    no_scope: bool,
}

#[derive(Debug, Clone, Args)]
struct Fields {
    /// What people call it
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    /// Where its public keys are; empty for where its discovery document says
    #[arg(long, value_name = "URL")]
    keys_url: Option<String>,
    /// What tokens must be for: what stands in `aud`; may be repeated
    #[arg(long, value_name = "TEXT")]
    audience: Vec<String>,
    /// How tokens may be signed, such as RS256; may be repeated
    #[arg(long, value_name = "ALGORITHM")]
    algorithm: Vec<String>,
    /// What `typ` of a token may say, such as at+jwt; may be repeated
    #[arg(long, value_name = "TYPE")]
    token_type: Vec<String>,
    /// How much clocks may differ, at most 60s
    #[arg(long, value_name = "SPAN", value_parser = span)]
    leeway: Option<Duration>,
    /// The project of all its tokens; empty where an expression says it
    #[arg(long, value_name = "PROJECT")]
    to_project: Option<String>,
    /// The name of the project, in CEL: 'claims.team'
    #[arg(long, value_name = "CEL")]
    project_expression: Option<String>,
    /// What must be true of a token, in CEL: '"inference" in claims.roles'
    #[arg(long, value_name = "CEL")]
    condition: Option<String>,
    /// For whom a token asks, in CEL: 'claims.sub'
    #[arg(long, value_name = "CEL")]
    end_user_expression: Option<String>,
    /// A list of patterns of models that a token may ask for, in CEL: 'claims.models'
    #[arg(long, value_name = "CEL")]
    models_expression: Option<String>,
    /// The most tokens that one request may be expected to use, in CEL
    #[arg(long, value_name = "CEL")]
    request_tokens_max_expression: Option<String>,
    /// Models that its tokens may ask for, such as 'gpt-4*'; may be repeated
    #[arg(long, value_name = "PATTERN", help_heading = "Scope")]
    model_pattern: Vec<String>,
    /// What its tokens may ask, such as embeddings; may be repeated
    #[arg(long, value_name = "ENDPOINT", help_heading = "Scope")]
    endpoint: Vec<String>,
    /// Where requests may go; may be repeated
    #[arg(long, value_name = "PROVIDER", help_heading = "Scope")]
    provider: Vec<String>,
    /// Where requests may come from: an address or a range; may be repeated
    #[arg(long, value_name = "RANGE", help_heading = "Scope")]
    ip_range: Vec<String>,
    /// The most tokens that one request may be expected to use
    #[arg(long, value_name = "COUNT", help_heading = "Scope")]
    request_tokens_max: Option<i64>,
    /// Refuse its tokens for now
    #[arg(long)]
    disabled: bool,
}

impl Wanted for New {
    type Resource = Issuer;

    fn wanted(self, session: &Session) -> Result<Issuer, Failure> {
        let it = *self.fields;
        Ok(Issuer {
            issuer_url: self.issuer_url,
            project: project(it.to_project.as_deref(), &session.place)?.unwrap_or_default(),
            providers: providers(&it.provider, &session.place)?,
            display_name: it.display_name.unwrap_or_default(),
            keys_url: it.keys_url.unwrap_or_default(),
            audiences: it.audience,
            algorithms: it.algorithm,
            token_types: it.token_type,
            leeway: it.leeway.map(moment::wire_span),
            project_expression: it.project_expression.unwrap_or_default(),
            condition: it.condition.unwrap_or_default(),
            end_user_expression: it.end_user_expression.unwrap_or_default(),
            models_expression: it.models_expression.unwrap_or_default(),
            request_tokens_max_expression: it.request_tokens_max_expression.unwrap_or_default(),
            model_patterns: it.model_pattern,
            endpoints: it.endpoint,
            ip_ranges: it.ip_range,
            request_tokens_max: it.request_tokens_max.unwrap_or_default(),
            disabled: it.disabled,
            ..Default::default()
        })
    }
}

impl Change for Edit {
    type Resource = Issuer;

    fn change(&self, which: Which, session: &Session) -> Result<(Issuer, Mask), Failure> {
        let (it, place) = (&*self.fields, &session.place);
        let (mut mask, emptied) = (Mask::default(), self.no_scope);
        let providers = providers(&it.provider, place)?;
        let disabled = it
            .disabled
            .then_some(true)
            .or(self.enabled.then_some(false));
        let tokens = it.request_tokens_max.or(emptied.then_some(0));
        let issuer = Issuer {
            name: which.name,
            etag: which.etag,
            project: mask.take("project", project(it.to_project.as_deref(), place)?),
            display_name: mask.take("display_name", it.display_name.clone()),
            keys_url: mask.take("keys_url", it.keys_url.clone()),
            audiences: mask.take_list("audiences", &it.audience, false),
            algorithms: mask.take_list("algorithms", &it.algorithm, false),
            token_types: mask.take_list("token_types", &it.token_type, false),
            leeway: mask.take("leeway", it.leeway.map(|it| Some(moment::wire_span(it)))),
            project_expression: mask.take("project_expression", it.project_expression.clone()),
            condition: mask.take("condition", it.condition.clone()),
            end_user_expression: mask.take("end_user_expression", it.end_user_expression.clone()),
            models_expression: mask.take("models_expression", it.models_expression.clone()),
            request_tokens_max_expression: mask.take(
                "request_tokens_max_expression",
                it.request_tokens_max_expression.clone(),
            ),
            model_patterns: mask.take_list("model_patterns", &it.model_pattern, emptied),
            endpoints: mask.take_list("endpoints", &it.endpoint, emptied),
            providers: mask.take_list("providers", &providers, emptied),
            ip_ranges: mask.take_list("ip_ranges", &it.ip_range, emptied),
            request_tokens_max: mask.take("request_tokens_max", tokens),
            disabled: mask.take("disabled", disabled),
            ..Default::default()
        };
        Ok((issuer, mask))
    }
}

/// The whole name of the project that was given; none at all where it was given as empty.
fn project(given: Option<&str>, place: &Place) -> Result<Option<String>, Failure> {
    match given {
        None => Ok(None),
        Some("") => Ok(Some(String::new())),
        Some(text) => place.name(noun::PROJECT.collections, text).map(Some),
    }
}

fn providers(given: &[String], place: &Place) -> Result<Vec<String>, Failure> {
    let names = given
        .iter()
        .map(|text| place.name(noun::PROVIDER.collections, text));
    names.collect()
}
