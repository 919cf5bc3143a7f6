//! The spans of one request that is traced: its own, and one for each attempt.
//!
//! Knows names, times and counts, by the conventions for generative AI; never content, keys' texts or credentials. A
//! request that is not traced has none of this.

use std::{sync::Arc, time::Instant};

use http::{HeaderMap, HeaderName, HeaderValue};
use policy::{
    cost::Cost,
    provider::{Provider, ProviderKind},
};
use spans::{Context, Kind, Span, Tracer, Value, context::TRACEPARENT};

use crate::{
    record::{
        attempt::Missed,
        finished::Record,
        outcome::{Outcome, UsageSource},
        told::Opening,
    },
    request::Arrival,
};

/// A traced request.
pub(super) struct Trace {
    tracer: Tracer,
    context: Context,
    started: Instant,
    start_ns: u64,
    operation: &'static str,
    model: String,
    /// What kept targets from their places.
    route: Option<String>,
    attempts: u64,
    /// The attempt that is under way.
    current: Option<Asked>,
}

/// An attempt that is under way.
pub(super) struct Asked {
    context: Context,
    begun: Instant,
    /// Which one of the request it is, 1 the first.
    number: u64,
    provider: Arc<Provider>,
    model: String,
}

/// What is done, by the path that was asked.
fn operation(endpoint: &str) -> &'static str {
    match endpoint {
        "/v1/chat/completions" | "/v1/responses" | "/v1/messages" => "chat",
        "/v1/completions" => "text_completion",
        "/v1/embeddings" => "embeddings",
        _ if endpoint.ends_with("enerateContent") => "generate_content",
        _ if endpoint.ends_with("ount_tokens") || endpoint.ends_with("countTokens") => {
            "count_tokens"
        }
        _ if endpoint.ends_with("/infer") => "infer",
        _ if endpoint.ends_with(":invoke") => "invoke",
        _ => "pass_through",
    }
}

/// The name of a kind, as the conventions have it where they do.
const fn provider_name(kind: ProviderKind) -> &'static str {
    match kind {
        ProviderKind::OpenAi => "openai",
        ProviderKind::OpenAiCompatible => "openai_compatible",
        ProviderKind::Vllm => "vllm",
        ProviderKind::Ollama => "ollama",
        ProviderKind::LlamaCpp => "llama_cpp",
        ProviderKind::Mistral => "mistral_ai",
        ProviderKind::Groq => "groq",
        ProviderKind::DeepSeek => "deepseek",
        ProviderKind::Xai => "x_ai",
        ProviderKind::Together => "together",
        ProviderKind::OpenRouter => "openrouter",
        ProviderKind::Anthropic => "anthropic",
        ProviderKind::Gemini => "gcp.gemini",
        ProviderKind::Cohere => "cohere",
        ProviderKind::AzureOpenAi => "azure.ai.openai",
        ProviderKind::Bedrock => "aws.bedrock",
        ProviderKind::Vertex => "gcp.vertex_ai",
        ProviderKind::OpenInference => "open_inference",
        ProviderKind::Custom => "custom",
    }
}

/// The host of a base URL.
fn host(base_url: &str) -> &str {
    let rest = base_url.split_once("://").map_or(base_url, |(_, it)| it);
    rest.split('/').next().unwrap_or_default()
}

/// Why a request failed, in one word. What was wrong with the request itself is no failure of ours.
fn failed(record: &Record) -> Option<&'static str> {
    let last = record.attempts.last().map(|it| it.code);
    match record.outcome {
        Outcome::Cut => Some("cut"),
        Outcome::ProviderFailed if record.status >= 500 => Some(last.unwrap_or("provider_failed")),
        Outcome::ProviderFailed if record.status < 400 => Some("provider_failed"),
        _ => None,
    }
}

// === impl Trace ===

impl Trace {
    /// Begins where the request is traced. Boxed: rare beside the accounts that carry it.
    pub(super) fn begin(
        tracer: &Tracer,
        arrival: &Arrival,
        record: &Record,
        opening: &Opening<'_>,
    ) -> Option<Box<Self>> {
        let context = arrival.trace?;
        Some(Box::new(Self {
            tracer: tracer.clone(),
            context,
            started: arrival.started,
            start_ns: arrival.at_ms.saturating_mul(1_000_000),
            operation: operation(record.endpoint),
            model: opening.model_name.to_owned(),
            route: opening.route.map(str::to_owned),
            attempts: 0,
            current: None,
        }))
    }

    /// An attempt begins. Its provider is told of it, where that is wished.
    pub(super) fn attempt(
        &mut self,
        (provider, model): (&Arc<Provider>, &str),
        headers: Option<&mut HeaderMap>,
    ) {
        let context = self.context.within();
        if let (true, Some(headers)) = (self.tracer.tells_providers(), headers)
            && let Some(header) = context.header()
        {
            headers.insert(HeaderName::from_static(TRACEPARENT), header);
        }
        self.attempts += 1;
        self.current = Some(Asked {
            context,
            begun: Instant::now(),
            number: self.attempts,
            provider: Arc::clone(provider),
            model: model.to_owned(),
        });
    }

    /// The attempt that is under way is this one, which began then beside another.
    pub(super) fn takes(
        &mut self,
        (provider, model): (&Arc<Provider>, &str),
        (context, begun): (Context, Instant),
    ) {
        self.attempts += 1;
        self.current = Some(Asked {
            context,
            begun,
            number: self.attempts,
            provider: Arc::clone(provider),
            model: model.to_owned(),
        });
    }

    /// Takes the attempt that is under way out of sight, for [`Trace::resume`] to bring back.
    pub(super) const fn set_aside(&mut self) -> Option<Asked> {
        self.current.take()
    }

    /// It is under way again.
    pub(super) fn resume(&mut self, asked: Option<Asked>) {
        self.current = asked;
    }

    /// A span for an attempt beside another, and what hands it on where that is wished.
    pub(super) fn beside(&self) -> (Context, Option<HeaderValue>) {
        let context = self.context.within();
        let tells = self.tracer.tells_providers();
        (context, tells.then(|| context.header()).flatten())
    }

    /// Whether an attempt is under way.
    pub(super) const fn asks(&self) -> bool {
        self.current.is_some()
    }

    /// The attempt that is under way has ended: this came of it where it gave no answer.
    pub(super) fn ended(&mut self, missed: Option<&Missed<'_>>, failed: Option<&'static str>) {
        let Some(asked) = self.current.take() else {
            return;
        };
        let Asked {
            context,
            begun,
            number,
            provider,
            model,
        } = asked;
        let failed = missed.map(|it| it.code).or(failed);
        let host = host(&provider.base_url).to_owned();
        let mut attributes: Vec<(&'static str, Value)> = vec![
            ("gen_ai.operation.name", self.operation.into()),
            ("gen_ai.provider.name", provider_name(provider.kind).into()),
            ("server.address", host.into()),
            ("sluice.provider", provider.name.clone().into()),
            ("sluice.attempt", number.into()),
        ];
        if let Some(status) = missed.map(|it| it.status).filter(|it| *it > 0) {
            attributes.push(("http.response.status_code", status.into()));
        }
        if let Some(code) = failed {
            attributes.push(("error.type", code.into()));
        }
        let name = self.name(&model);
        if !model.is_empty() {
            attributes.push(("gen_ai.request.model", model.into()));
        }
        self.tracer.post(Span {
            context,
            name,
            kind: Kind::Client,
            start_ns: self.at(begun),
            end_ns: self.at(Instant::now()),
            failed,
            attributes,
        });
    }

    /// All is known.
    pub(super) fn finished(mut self, record: &Record) {
        let failed = failed(record);
        self.ended(None, failed);
        let attributes = self.attributes(record, failed);
        let end_ns = self.start_ns + record.duration_us.saturating_mul(1_000);
        self.tracer.post(Span {
            context: self.context,
            name: self.name(&self.model),
            kind: Kind::Server,
            start_ns: self.start_ns,
            end_ns,
            failed,
            attributes,
        });
    }

    fn attributes(
        &self,
        record: &Record,
        failed: Option<&'static str>,
    ) -> Vec<(&'static str, Value)> {
        let tokens = &record.tokens;
        let id = uuid::Uuid::from_bytes(record.id).to_string();
        let source = match record.usage_source {
            UsageSource::Provider => "provider",
            UsageSource::Estimated => "estimated",
            UsageSource::Partial => "partial",
        };
        let cached_anew = tokens.cache_write.saturating_add(tokens.cache_write_hour);
        let mut attributes: Vec<(&'static str, Value)> = vec![
            ("gen_ai.operation.name", self.operation.into()),
            ("gen_ai.request.stream", record.streamed.into()),
            ("gen_ai.usage.input_tokens", tokens.input_total().into()),
            ("gen_ai.usage.output_tokens", tokens.output_total().into()),
            (
                "gen_ai.usage.cache_read.input_tokens",
                tokens.cached_input.into(),
            ),
            (
                "gen_ai.usage.cache_creation.input_tokens",
                cached_anew.into(),
            ),
            (
                "gen_ai.usage.reasoning.output_tokens",
                tokens.reasoning.into(),
            ),
            ("http.route", record.endpoint.into()),
            ("sluice.request.id", id.into()),
            (
                "sluice.organization.id",
                record.organization.to_string().into(),
            ),
            ("sluice.project.id", record.project.to_string().into()),
            ("sluice.key.id", record.key_id.clone().into()),
            ("sluice.outcome", record.outcome.word().into()),
            ("sluice.usage.source", source.into()),
            ("sluice.attempts", self.attempts.into()),
            ("sluice.revision", record.revision.0.into()),
        ];
        if !self.model.is_empty() {
            attributes.push(("gen_ai.request.model", self.model.clone().into()));
        }
        if let Some(route) = &self.route {
            attributes.push(("sluice.route", route.clone().into()));
        }
        if !record.provider_model.is_empty() {
            let served = record.provider_model.clone();
            attributes.push(("gen_ai.response.model", served.into()));
        }
        if record.first_byte_us > 0 {
            let seconds = std::time::Duration::from_micros(record.first_byte_us).as_secs_f64();
            attributes.push(("gen_ai.response.time_to_first_chunk", seconds.into()));
        }
        if record.status > 0 {
            attributes.push(("http.response.status_code", record.status.into()));
        }
        if let Cost::Known(nano) = record.cost {
            attributes.push(("sluice.cost.nanodollars", nano.into()));
        }
        if let Some(code) = failed {
            attributes.push(("error.type", code.into()));
        }
        attributes
    }

    /// What is done, and with which model.
    fn name(&self, model: &str) -> String {
        if model.is_empty() {
            return self.operation.to_owned();
        }
        format!("{} {model}", self.operation)
    }

    fn at(&self, moment: Instant) -> u64 {
        let since = moment.saturating_duration_since(self.started).as_nanos();
        self.start_ns + u64::try_from(since).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_that_is_accounted_has_an_operation() {
        for (path, expected) in [
            ("/v1/chat/completions", "chat"),
            ("/v1/messages/count_tokens", "count_tokens"),
            ("/v1beta/models/{model}:countTokens", "count_tokens"),
            (
                "/v1beta/models/{model}:streamGenerateContent",
                "generate_content",
            ),
            ("/v1beta/models/{model}:generateContent", "generate_content"),
            ("/v2/models/{model}/infer", "infer"),
            ("/models/{model}:invoke", "invoke"),
            ("files", "pass_through"),
        ] {
            assert_eq!(operation(path), expected, "{path}");
        }
        assert_eq!(host("https://api.example.com/v1"), "api.example.com");
        assert_eq!(host("http://127.0.0.1:9/v1"), "127.0.0.1:9");
    }
}
