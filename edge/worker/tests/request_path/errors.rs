//! What a provider says went wrong, as clients of every API hear it: one row for each thing that a provider may say.

use dialect::neutral::Class;
use policy::provider::{ProviderKind, Speaks};

use crate::{
    edge::Setup,
    errors_said::ROWS,
    provider::Provider,
    stream::{ALL, Api, CHAT},
};

/// The status and the word that a client of this API gets for a kind of error.
fn expected(api: &Api, class: Class) -> (u16, &'static str) {
    let (status, chat, messages, gemini) = match class {
        Class::InvalidRequest => (400, "", "invalid_request_error", "INVALID_ARGUMENT"),
        Class::ContextTooLong => (
            400,
            "context_length_exceeded",
            "invalid_request_error",
            "INVALID_ARGUMENT",
        ),
        Class::ContentFiltered => (
            400,
            "content_filter",
            "invalid_request_error",
            "INVALID_ARGUMENT",
        ),
        Class::NotFound => (404, "", "not_found_error", "NOT_FOUND"),
        Class::TooLarge => (
            413,
            "request_too_large",
            "request_too_large",
            "INVALID_ARGUMENT",
        ),
        Class::RateLimited => (
            429,
            "rate_limit_exceeded",
            "rate_limit_error",
            "RESOURCE_EXHAUSTED",
        ),
        Class::QuotaExhausted => (
            429,
            "insufficient_quota",
            "billing_error",
            "RESOURCE_EXHAUSTED",
        ),
        Class::Overloaded => (503, "", "overloaded_error", "UNAVAILABLE"),
        Class::Timeout => (504, "", "timeout_error", "DEADLINE_EXCEEDED"),
        Class::Provider => (502, "", "api_error", "INTERNAL"),
        Class::Authentication | Class::Permission => {
            (502, "upstream_auth_failed", "api_error", "INTERNAL")
        }
    };
    match (api.kind, class) {
        (ProviderKind::Anthropic, Class::QuotaExhausted) => (402, messages),
        (ProviderKind::Anthropic, Class::Overloaded) => (529, messages),
        (ProviderKind::Anthropic, _) => (status, messages),
        (ProviderKind::Gemini, Class::Provider) => (500, gemini),
        (ProviderKind::Gemini, _) => (status, gemini),
        _ => (status, chat),
    }
}

const fn is_same(kind: ProviderKind, api: &Api) -> bool {
    match kind.speaks() {
        Speaks::OpenAi { responses } => {
            matches!(api.kind, ProviderKind::OpenAi)
                && (responses || api.path.len() == CHAT.path.len())
        }
        Speaks::Messages => matches!(api.kind, ProviderKind::Anthropic),
        // On Vertex, the models of these tests are not Claude.
        Speaks::Gemini | Speaks::Vertex => matches!(api.kind, ProviderKind::Gemini),
        Speaks::Cohere | Speaks::Bedrock | Speaks::Inference | Speaks::Mapped => false,
    }
}

#[tokio::test]
async fn every_error_of_every_provider_is_one_of_the_clients_own_api() {
    for (kind, status, headers, body, class, retry_after) in ROWS {
        let provider = Provider::start().await;
        let mut edge = Setup {
            kinds: vec![*kind],
            ..Setup::default()
        }
        .start(&[provider.base_url()]);
        for api in ALL {
            let at = format!("{kind:?} {status} {body} for {}", api.path);
            let path = api
                .path
                .replace("streamGenerateContent?alt=sse", "generateContent");
            let question = api
                .body
                .replace(r#""stream":true,"#, "")
                .replace(r#""stream_options":{"include_usage":true},"#, "");
            let mut client = edge.ask(&path, &question).await;
            // Neither who asked nor the connection says anything about the error.
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status}\r\ncontent-type: text/event-stream\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
            );
            provider.answer(answer).await;
            let response = client.response().await;
            let ours = matches!(class, Class::Authentication | Class::Permission);
            let (expected, word) = expected(&api, *class);
            if is_same(*kind, &api) && !ours {
                assert_eq!(
                    (response.status.to_string().as_str(), response.text()),
                    (&status[..3], *body),
                    "{at}"
                );
            } else {
                assert_eq!(response.status, expected, "{at}: {}", response.text());
                let named = api.named(response.text());
                // A provider's own code may say more, where no client waits for a certain one.
                assert!(
                    word.is_empty() || named == word,
                    "{at}: {named} is not {word}"
                );
            }
            assert!(!response.text().contains("sk-1234"), "{at}");
            assert_eq!(
                response.header("retry-after").map(str::to_owned),
                retry_after.map(|it| it.to_string()),
                "{at}"
            );
            let waits = response.status == 429 || response.status >= 500;
            let told_not_to = response.header("x-should-retry") == Some("false");
            assert_eq!(told_not_to, waits && !class.is_retryable(), "{at}");
            assert_eq!(edge.record().await.tokens.total(), 0, "{at}");
        }
    }
}
