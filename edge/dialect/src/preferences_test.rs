//! What a client prefers: every member that is read, every one that is refused, and what is left of a body.

use super::*;

fn provider_of(members: &str) -> Result<Preferences, Unclear> {
    read(&format!("{{\"provider\":{{{members}}}}}"))
}

fn refused(text: &str) -> &'static str {
    read(text).expect_err(text).member
}

#[test]
fn every_member_is_read_and_null_and_what_is_usual_say_nothing() {
    let wanted = read(
        r#"{"models":["b","c","b"],"session_id":"s","provider":{
            "order":["one","two"],"only":["one"],"ignore":["three"],"quantizations":["fp8"],
            "allow_fallbacks":false,"require_parameters":true,"data_collection":"deny","zdr":true,
            "sort":{"by":"latency","partition":"model"},"preferred_min_throughput":{"p50":40},
            "preferred_max_latency":0.5,"max_price":{"prompt":"1.5","completion":2},
            "enforce_distillable_text":false}}"#,
    )
    .unwrap();
    assert_eq!(wanted.models, ["b", "c"]);
    assert_eq!(wanted.order, ["one", "two"]);
    assert_eq!(wanted.sort, Some(Sort::Latency));
    assert_eq!(wanted.preferred.throughput_min, Some(40.0));
    assert_eq!(
        wanted.preferred.latency_max,
        Some(Duration::from_millis(500))
    );
    let price = (wanted.max_price.prompt, wanted.max_price.completion);
    assert_eq!(price, (Some(1.5), Some(2.0)));
    assert_eq!(wanted.said().count(), 13);

    let nothing = read(
        r#"{"models":null,"session_id":"","provider":{"order":[],"only":null,"allow_fallbacks":true,
            "require_parameters":false,"data_collection":"allow","zdr":false,"max_price":{}}}"#,
    );
    assert_eq!(nothing.unwrap(), Preferences::default());
    assert_eq!(read("{}").unwrap().said().count(), 0);
}

#[test]
fn what_cannot_be_read_or_kept_is_refused_by_its_name() {
    for (text, member) in [
        ("", "preferences"),
        ("[]", "preferences"),
        (r#"{"model":"a"}"#, "preferences"),
        (r#"{"models":["a"],"models":["b"]}"#, "preferences"),
        (r#"{"models":"a"}"#, "models"),
        (r#"{"models":[1]}"#, "models"),
        (r#"{"models":[""]}"#, "models"),
        (r#"{"models":["\ud800"]}"#, "models"),
        (r#"{"session_id":7}"#, "session_id"),
        (r#"{"provider":[]}"#, "provider"),
        (r#"{"provider":{"sticky":true}}"#, "provider"),
        (r#"{"provider":{"zdr":true,"zd\u0072":false}}"#, "provider"),
    ] {
        assert_eq!(refused(text), member, "{text}");
    }
    for (members, member) in [
        (r#""order":"one""#, "provider.order"),
        (r#""only":[["one"]]"#, "provider.only"),
        (r#""ignore":{}"#, "provider.ignore"),
        (r#""quantizations":[true]"#, "provider.quantizations"),
        (r#""allow_fallbacks":"no""#, "provider.allow_fallbacks"),
        (r#""require_parameters":1"#, "provider.require_parameters"),
        (r#""data_collection":"never""#, "provider.data_collection"),
        (r#""zdr":"true""#, "provider.zdr"),
        (r#""sort":"quality""#, "provider.sort"),
        (
            r#""sort":{"by":"price","partition":"none"}"#,
            "provider.sort",
        ),
        (r#""sort":{}"#, "provider.sort"),
        (r#""max_price":{"image":1}"#, "provider.max_price"),
        (r#""max_price":{"prompt":-1}"#, "provider.max_price.prompt"),
        (
            r#""max_price":{"completion":"NaN"}"#,
            "provider.max_price.completion",
        ),
        (
            r#""max_price":{"completion":1e9}"#,
            "provider.max_price.completion",
        ),
        (
            r#""preferred_max_latency":{"p99":1}"#,
            "provider.preferred_max_latency",
        ),
        (
            r#""preferred_min_throughput":"fast""#,
            "provider.preferred_min_throughput",
        ),
        (
            r#""enforce_distillable_text":true"#,
            "provider.enforce_distillable_text",
        ),
    ] {
        assert_eq!(provider_of(members).expect_err(members).member, member);
    }
}

#[test]
fn what_is_long_or_deep_ends_soon() {
    let many = |count: usize| vec!["\"p\""; count].join(",");
    // The same one is one.
    assert_eq!(
        provider_of(&format!("\"order\":[{}]", many(1_000)))
            .unwrap()
            .order,
        ["p"]
    );
    let each = |count: usize| {
        let all: Vec<_> = (0..count).map(|it| format!("\"p{it}\"")).collect();
        all.join(",")
    };
    assert!(provider_of(&format!("\"only\":[{}]", each(NAMES_MAX))).is_ok());
    for text in [
        format!("{{\"provider\":{{\"only\":[{}]}}}}", each(NAMES_MAX + 1)),
        format!("{{\"models\":[{}]}}", each(MODELS_MAX + 1)),
        format!("{{\"models\":[\"{}\"]}}", "m".repeat(NAME_BYTES_MAX + 1)),
        format!(
            "{{\"session_id\":\"{}\"}}",
            "s".repeat(SESSION_BYTES_MAX + 1)
        ),
        format!(
            "{{\"provider\":{}1{}}}",
            "{\"a\":".repeat(9_999),
            "}".repeat(9_999)
        ),
        format!("{{\"models\":{}{}}}", "[".repeat(9_999), "]".repeat(9_999)),
    ] {
        assert!(read(&text).is_err(), "{}", &text[..40]);
    }
}

#[test]
fn a_body_loses_what_was_read_of_it_and_nothing_else() {
    let body = r#"{"model":"a", "models" : ["b"],"provider":{"zdr":true},"x":{"provider":1},"sess\u0069on_id":"s"}"#;
    let (wanted, rest) = take(body).unwrap();
    assert_eq!(rest, r#"{"model":"a", "x":{"provider":1}}"#);
    assert_eq!(wanted.models, ["b"]);
    assert_eq!(wanted.session.as_deref(), Some("s"));
    assert!(wanted.data.zero_retention);
    let (none, rest) = take(r#"{"provider":null}"#).unwrap();
    assert_eq!((none, rest.as_str()), (Preferences::default(), "{}"));
    assert_eq!(take(r#"{"provider":7}"#).unwrap_err().member, "provider");
}

#[test]
fn a_suffix_is_one_of_two() {
    assert_eq!(suffixed("a:nitro"), Some(("a", Sort::Throughput)));
    assert_eq!(suffixed("a:b:floor"), Some(("a:b", Sort::Price)));
    for name in ["a", "a:free", "floor", "a:floor:b"] {
        assert_eq!(suffixed(name), None, "{name}");
    }
}
