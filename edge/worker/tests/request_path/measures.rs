//! What the request path counts of itself.

use lifecycle::exposition;
use policy::{change::Edit, object::Kind};

use crate::{
    edge::{PROJECT, Setup},
    provider::{Provider, json},
};

#[tokio::test]
async fn requests_refusals_and_tokens_are_counted_and_no_label_tells_who_or_what_a_client_wrote() {
    let metrics = exposition::install();
    let provider = Provider::start().await;
    let setup = Setup {
        records_max: 1,
        ..Setup::default()
    };
    let mut edge = setup.start(&[provider.base_url()]);
    let used = r#"{"usage":{"prompt_tokens":4,"completion_tokens":6,"total_tokens":10}}"#;
    for _ in 0..2 {
        let mut client = edge.chat(r#"{"model":"chat"}"#).await;
        provider.answer(json("200 OK", "", used)).await;
        assert_eq!(client.response().await.status, 200);
    }
    for hostile in 0..200 {
        let body = format!(r#"{{"model":"hostile-{hostile}\"}} 1\nx"}}"#);
        assert_eq!(edge.chat(&body).await.response().await.status, 404);
    }
    let key = PROJECT.as_bytes().to_vec();
    edge.edit_rules(Edit::Delete {
        kind: Kind::Project,
        key,
    });
    let response = edge.chat("{}").await.response().await;
    assert_eq!(response.status, 503);
    let text = metrics.render();
    for line in [
        r#"sluice_request_total{endpoint="chat_completions",dialect="openai",class="2xx"}"#,
        r#"sluice_request_total{endpoint="chat_completions",dialect="openai",class="4xx"}"#,
        r#"sluice_request_total{endpoint="chat_completions",dialect="openai",class="5xx"}"#,
        r#"sluice_model_request_total{model="chat",provider="provider-0",class="2xx"}"#,
        r#"sluice_model_tokens_total{model="chat",provider="provider-0",kind="output"}"#,
        r#"sluice_model_duration_seconds_count{model="chat",provider="provider-0"}"#,
        r#"sluice_attempt_total{provider="provider-0",outcome="answered"}"#,
        r#"sluice_organization_request_total{organization="acme",class="2xx"}"#,
        r#"sluice_organization_tokens_total{organization="acme",direction="input"}"#,
        "sluice_request_overhead_seconds_count",
        r#"sluice_refusal_total{code="config_dangling_reference"}"#,
        r#"sluice_tokens_total{kind="input"}"#,
        r#"sluice_tokens_total{kind="output"}"#,
        "sluice_config_dangling_reference_total",
        "sluice_record_lost_total",
        "sluice_request_in_flight",
        "sluice_request_duration_seconds_count",
        "sluice_request_first_byte_seconds_count",
    ] {
        let value = text
            .lines()
            .find_map(|it| it.strip_prefix(line)?.strip_prefix(' '));
        let value = value.unwrap_or_else(|| panic!("{line} is missing from\n{text}"));
        let moves = line == "sluice_request_in_flight" || value.parse::<f64>().unwrap() > 0.0;
        assert!(moves, "{line} {value}");
    }
    for secret in ["chat@v1", &edge.key.key_id, "hostile"] {
        assert!(!text.contains(secret), "{secret} is in\n{text}");
    }
}
