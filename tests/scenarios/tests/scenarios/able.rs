//! What a model is said not to be able to do is refused before anybody is asked, in errors that the official SDKs raise as their own; lists,
//! versions and `route explain` tell the same.

use harness::{
    provider::Provider,
    site::{Plan, Site},
    tenant::Tenant,
};
use scenarios::{openai, sdk};
use serde_json::json;

use crate::command_line::Shell;

const CANNOT: &str = "image-input,tools,json-schema";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sdks_hear_what_a_model_cannot_and_operators_see_why() {
    let provider = Provider::start(openai::answer).await;
    let site = Site::start(Plan::default()).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let (name, key) = tenant.key().await;
    let shell = Shell::new(&site);
    let flags =
        format!("--context-tokens 8000 --output-tokens-max 1000 --can streaming --cannot {CANNOT}");
    shell.done(&format!(
        "versions create chat@v2 --target main=small {flags} --stable"
    ));
    site.propagated().await;

    let said = sdk::able(&site.url(0), &key).await;
    let capabilities =
        json!({"image_input": false, "tools": false, "json_schema": false, "streaming": true});
    let expected = json!({
        "plain": true,
        "tools": ["unsupported_parameter", "tools"],
        "image": ["unsupported_value", "messages"],
        "schema": ["unsupported_value", "response_format"],
        "output": ["unsupported_value", "max_tokens",
            "max_tokens is too large: 5000. This model supports at most 1000 completion tokens, whereas you provided 5000."],
        "context": ["context_length_exceeded", "messages"],
        "messages_plain": true,
        "messages_tools": ["invalid_request_error", "This model calls no tools: leave it out, or ask a model that can."],
        "messages_output": ["invalid_request_error",
            "max_tokens: 5000 > 1000, which is the maximum allowed number of output tokens for this model"],
        "messages_context": "prompt is too long",
        "listed": [8_000, 1_000, capabilities],
        "limits": [8_000, 1_000],
    });
    assert_eq!(said, expected);
    assert_eq!(provider.count(), 2, "only what it can was sent");

    let explain =
        |more: &str| shell.done(&format!("route explain --key {name} --model chat {more}"));
    assert!(explain("--demand tools").contains("tools"));
    for (more, rule) in [
        ("--demand tools", "tools"),
        ("--demand image-input", "modality"),
        ("--demand json-schema", "structured_output"),
        ("--output-tokens-max 1001", "output_length"),
        ("--input-tokens 8001", "context_length"),
    ] {
        let told = explain(more);
        let row = told
            .lines()
            .find(|line| line.contains("main"))
            .expect("a row");
        let no = row.split_whitespace().nth(1);
        assert_eq!(no, Some("no"), "{told}");
        assert!(row.replace('-', "_").contains(rule), "{told}");
    }
    let taken =
        explain("--demand streaming,reasoning --output-tokens-max 1000 --input-tokens 8000");
    let row = taken
        .lines()
        .find(|line| line.contains("main"))
        .expect("a row");
    assert_eq!(row.split_whitespace().nth(1), Some("1"), "{taken}");
    let shown = shell.done("versions get chat@v2 -o json");
    let lower = shown.to_lowercase();
    assert!(
        lower.contains("8000") && lower.contains("json_schema"),
        "{shown}"
    );
    tells_apart(&shell);
}

/// What the version can do is told apart from one of which nothing is said.
fn tells_apart(shell: &Shell) {
    let differ = shell.run("versions diff chat@v1 chat@v2 --detailed-exitcode");
    assert_eq!(differ.code, 10, "{}", differ.err);
    for said in [
        "context tokens",
        "8000",
        "json-schema",
        "not said",
        "cannot",
    ] {
        assert!(differ.out.contains(said), "{}", differ.out);
    }
    let same = shell.run("versions diff chat@v2 chat@v2 --detailed-exitcode");
    assert_eq!((same.code, same.out.as_str()), (0, ""));
}
