//! What another family's request loses on the way to Bedrock: told by name, or refused.

use dialect::{
    converse::request::Target,
    neutral::{
        Content, Extra, Family, Format, Json, Media, Part, Request, Role, Source, Tool, ToolChoice,
        Turn,
    },
};
use serde_json::json;

use crate::converse::{
    pitfalls::{CLAUDE, LLAMA, body, refused, says, tool},
    requests::encode,
};

#[test]
fn p25_what_changes_the_meaning_is_refused_and_never_dropped() {
    let at = |change: &dyn Fn(&mut Request)| {
        let mut request = says("x");
        change(&mut request);
        refused(&request, LLAMA).at
    };
    let schema = || Format::JsonSchema {
        name: None,
        description: None,
        schema: Json::of("{}"),
        strict: None,
    };
    let image = |source, kind: &str| {
        Part::new(Content::Image(Media {
            source,
            media_type: kind.to_owned(),
            name: None,
            detail: None,
        }))
    };
    let url = || Source::Url("https://x/y.png".to_owned());
    assert_eq!(at(&|it| it.choices = Some(2)), "n");
    assert_eq!(at(&|it| it.sampling.logprobs = Some(true)), "logprobs");
    assert_eq!(at(&|it| it.format = Format::JsonObject), "response_format");
    assert_eq!(at(&|it| it.format = schema()), "response_format");
    assert_eq!(
        at(&|it| it.tool_choice = Some(ToolChoice::Required)),
        "tool_choice"
    );
    assert_eq!(
        at(&|it| it.turns[0].parts.push(image(url(), "image/png"))),
        "messages[0].content[1]"
    );
    let bytes = || Source::Base64("AA==".to_owned());
    assert_eq!(
        at(&|it| it.turns[0].parts.push(image(bytes(), "image/tiff"))),
        "messages[0].content[1]"
    );
    let other = || Part::other(Extra::new(Family::Messages, "server_tool_use", "{}"));
    assert_eq!(
        at(&|it| it.turns[0].parts.push(other())),
        "messages[0].content[1]"
    );
    let own = || Tool {
        name: String::new(),
        extra: vec![Extra::new(Family::Messages, "computer", "{}")],
        ..tool("")
    };
    assert_eq!(at(&|it| it.tools.push(own())), "tools[0]");
    let forced = |it: &mut Request| {
        it.tools = vec![tool("t")];
        it.tool_choice = Some(ToolChoice::Required);
    };
    assert_eq!(at(&forced), "tool_choice");
}

#[test]
fn nothing_is_left_out_without_its_name() {
    let mut request = says("x");
    request.sampling.seed = Some(Json::of("7"));
    request.sampling.presence_penalty = Some(Json::of("1"));
    request.sampling.frequency_penalty = Some(Json::of("1"));
    request.sampling.stop = vec!["a".to_owned(), " ".to_owned()];
    request.end_user = Some("u".to_owned());
    request.service_tier = Some("scale".to_owned());
    request.extra = vec![Extra::new(Family::Chat, "logit_bias", "{}")];
    request.tools = vec![tool("t")];
    request.tools[0].extra = vec![Extra::new(Family::Messages, "defer_loading", "true")];
    request.tools[0].strict = Some(true);
    request.parallel_tools = Some(false);
    request.turns[0].name = Some("n".to_owned());
    request.turns[0].extra = vec![Extra::new(Family::Chat, "t", "1")];
    request.turns[0].parts[0].extra = vec![Extra::new(Family::Messages, "citations", "[]")];
    request
        .turns
        .push(Turn::new(Role::Developer, vec![Part::text("late")]));
    let (body, dropped) = encode(&request, &Target::new(LLAMA));
    let expected = [
        "messages[0].name",
        "messages[0].t",
        "messages[1].role",
        "messages[0].content[0].citations",
        "stop",
        "parallel_tool_calls",
        "tools[0].function.strict",
        "tools[0].defer_loading",
        "service_tier",
        "logit_bias",
        "seed",
        "presence_penalty",
        "frequency_penalty",
        "user",
    ];
    assert_eq!(dropped, expected);
    assert_eq!(body["system"], json!([{"text":"late"}]));
    let spec = json!({"name":"t","inputSchema":{"json":{"type":"object","properties":{}}}});
    assert_eq!(body["toolConfig"]["tools"], json!([{"toolSpec":spec}]));
}

#[test]
fn allowed_tools_are_the_only_ones_that_are_sent() {
    let mut request = says("x");
    request.tools = vec![tool("a"), tool("b"), tool("c")];
    let choose = |request: &mut Request, names: &[&str], required| {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        request.tool_choice = Some(ToolChoice::Allowed { names, required });
        let body = body(request, CLAUDE);
        let tools = body["toolConfig"]["tools"].as_array().unwrap().len();
        (tools, body["toolConfig"]["toolChoice"].clone())
    };
    assert_eq!(
        choose(&mut request, &["a", "c"], false),
        (2, json!({"auto":{}}))
    );
    assert_eq!(
        choose(&mut request, &["a", "c"], true),
        (2, json!({"any":{}}))
    );
    assert_eq!(
        choose(&mut request, &["b"], true),
        (1, json!({"tool":{"name":"b"}}))
    );
}

#[test]
fn documents_have_names_that_bedrock_takes_and_no_two_alike() {
    let document = |name: Option<&str>, kind: &str| {
        Part::new(Content::Document(Media {
            source: Source::Base64("AA==".to_owned()),
            media_type: kind.to_owned(),
            name: name.map(str::to_owned),
            detail: None,
        }))
    };
    let mut request = says("x");
    request.turns[0].parts.extend([
        document(Some("Übersicht_2025.pdf"), "application/pdf"),
        document(Some("Übersicht 2025.pdf"), "application/pdf"),
        document(Some("a\u{a0}  b"), "text/plain; charset=utf-8"),
        document(None, "text/csv"),
        document(None, "text/csv"),
        document(Some("by-name.docx"), "application/octet-stream"),
    ]);
    let body = body(&request, CLAUDE);
    let names: Vec<_> = (1..7)
        .map(|at| {
            let document = &body["messages"][0]["content"][at]["document"];
            (
                document["name"].as_str().unwrap(),
                document["format"].as_str().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("-bersicht-2025-pdf", "pdf"),
        ("-bersicht 2025-pdf", "pdf"),
        ("a b", "txt"),
        ("Document", "csv"),
        ("Document 2", "csv"),
        ("by-name-docx", "docx"),
    ];
    assert_eq!(names, expected);
}
