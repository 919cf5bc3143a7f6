//! Expressions: what they may say, what they cost at most, and that one without a result opens nothing.

use std::time::{Duration, Instant};

use claims::{
    expression::{BYTES_MAX, Expression, VALUES_MAX},
    mapping::{
        CONDITION, END_USER, MODELS, Mapped, Mapping, PROJECT, REQUEST_TOKENS_MAX, Unmapped,
    },
};
use policy::{glob::Glob, issuer};
use serde_json::{Map, Value, json};

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(object) = value else {
        panic!("an object")
    };
    object
}

fn mapping(spoil: impl FnOnce(&mut issuer::Mapping)) -> Mapping {
    let mut texts = issuer::Mapping::default();
    spoil(&mut texts);
    Mapping::compile(&texts).unwrap()
}

fn condition(text: &str, claims: Value) -> bool {
    mapping(|it| text.clone_into(&mut it.condition))
        .apply(&object(claims))
        .is_ok()
}

#[test]
fn claims_mean_what_expressions_say() {
    let all = mapping(|it| {
        it.condition =
            r#"claims.realm.roles.exists(it, it == "inference") && claims.level >= 2"#.to_owned();
        it.project =
            r#"claims.email.endsWith("@acme.example") ? claims.team : "guests""#.to_owned();
        it.end_user = "has(claims.preferred) ? claims.preferred : claims.sub".to_owned();
        it.models = r#"claims.models.map(it, it + "*")"#.to_owned();
        it.request_tokens_max = "int(claims.tokens)".to_owned();
    });
    let mut claims = object(json!({
        "sub": "alice", "email": "alice@acme.example", "team": "web", "level": 2, "tokens": "4000",
        "realm": {"roles": ["a", "inference"]}, "models": ["gpt-", "o"],
    }));
    let mapped = all.apply(&claims).unwrap();
    let globs = ["gpt-*", "o*"].map(|it| Glob::parse(it).unwrap());
    let expected = Mapped {
        project: Some("web".to_owned()),
        end_user: Some("alice".to_owned()),
        models: Some(globs.to_vec()),
        request_tokens_max: Some(4_000),
    };
    assert_eq!(mapped, expected);
    claims.insert("level".to_owned(), json!(1));
    assert_eq!(all.apply(&claims), Err(Unmapped(CONDITION)));
}

#[test]
fn an_expression_without_a_result_refuses_the_token() {
    let apply = |spoil: fn(&mut issuer::Mapping)| {
        mapping(spoil)
            .apply(&object(json!({"a": 1, "n": null})))
            .unwrap_err()
    };
    assert_eq!(
        apply(|it| it.condition = "claims.missing".to_owned()),
        Unmapped(CONDITION)
    );
    assert_eq!(
        apply(|it| it.condition = "claims.a".to_owned()),
        Unmapped(CONDITION)
    );
    assert_eq!(
        apply(|it| it.condition = "claims.a / 0 == 1".to_owned()),
        Unmapped(CONDITION)
    );
    assert_eq!(
        apply(|it| it.project = "claims.missing".to_owned()),
        Unmapped(PROJECT)
    );
    assert_eq!(
        apply(|it| it.project = "claims.n".to_owned()),
        Unmapped(PROJECT)
    );
    assert_eq!(
        apply(|it| it.end_user = "claims.a".to_owned()),
        Unmapped(END_USER)
    );
    assert_eq!(apply(|it| it.models = "[]".to_owned()), Unmapped(MODELS));
    assert_eq!(
        apply(|it| it.models = r#"["a b"]"#.to_owned()),
        Unmapped(MODELS)
    );
    assert_eq!(
        apply(|it| it.models = "claims".to_owned()),
        Unmapped(MODELS)
    );
    assert_eq!(
        apply(|it| it.request_tokens_max = "-1".to_owned()),
        Unmapped(REQUEST_TOKENS_MAX)
    );
}

#[test]
fn texts_are_compared_as_they_are() {
    assert!(condition(r#"claims.sub == "a""#, json!({"sub": "a"})));
    assert!(!condition(r#"claims.sub == "a""#, json!({"sub": ["a"]})));
    assert!(!condition(
        r#""a" in claims.groups"#,
        json!({"groups": "abc"})
    ));
    assert!(condition(
        r#"claims["https://x.example/roles"].size() == 2"#,
        json!({"https://x.example/roles": [1, 2]})
    ));
}

#[test]
fn what_is_no_expression_is_refused_and_told_where() {
    let wrong = |text: &str| Expression::compile(text).unwrap_err().to_string();
    assert!(
        wrong("claims.a ==").contains("1:"),
        "{}",
        wrong("claims.a ==")
    );
    assert!(wrong("token.sub").contains("`token`"));
    assert!(wrong("claims.all(it, other)").contains("`other`"));
    assert!(wrong("frobnicate(claims)").contains("`frobnicate`"));
    assert!(wrong(r#"claims.sub.matches("(a+)+$")"#).contains("`matches`"));
    let nested = "claims.a.all(x, claims.a.all(y, x == y))";
    assert!(
        wrong(nested).contains("loop in a loop"),
        "{}",
        wrong(nested)
    );
    assert!(wrong(&"a".repeat(BYTES_MAX + 1)).contains("longer"));
    for text in [
        "(",
        ")",
        "[",
        "{",
        "!",
        "-",
        "'",
        "\"",
        "\u{0}",
        "a.b.",
        "1 +",
        "claims.a ? 1",
        "x{y: 1}",
    ] {
        assert!(Expression::compile(text).is_err(), "{text:?}");
    }
}

#[test]
fn no_expression_nests_too_deeply_to_be_read_or_runs_for_long() {
    // On a stack as small as those of the threads that serve.
    let tried = std::thread::Builder::new().stack_size(2 << 20).spawn(|| {
        for (open, middle, close) in [
            ("(", "1", ")"),
            ("[", "1", "]"),
            ("!", "true", ""),
            ("-", "1", ""),
            ("true?1:", "1", ""),
            ("true?", "1", ":1"),
            ("1+", "1", ""),
            ("true&&", "true", ""),
            ("1<", "2", ""),
            ("", "claims", ".a"),
            ("", "claims", "[0]"),
            ("size(", "claims", ")"),
            ("{1:", "1", "}"),
        ] {
            let times = (BYTES_MAX - middle.len()) / (open.len() + close.len());
            let text = format!("{}{middle}{}", open.repeat(times), close.repeat(times));
            drop(Expression::compile(&text));
            let times = times.min(20);
            let text = format!("{}{middle}{}", open.repeat(times), close.repeat(times));
            drop(Expression::compile(&text));
        }
    });
    tried.unwrap().join().expect("no text overflows the stack");

    let many: Vec<usize> = (0..VALUES_MAX - 2).collect();
    let since = Instant::now();
    let loops = ["claims.a.map(it, it * 2).size() > 0"; 8].join(" && ");
    assert!(condition(&loops, json!({"a": many})));
    assert!(
        since.elapsed() < Duration::from_secs(5),
        "{:?}",
        since.elapsed()
    );
    assert!(!condition("true", json!({"a": vec![0; VALUES_MAX]})));
}
