//! Header rules: what they give, and what they may not name.

use payload::transform::headers::{Edit, HeaderRule, Headers, VALUE_BYTES_MAX};

#[test]
fn headers_are_set_removed_and_copied() {
    let text = r#"[{"set":{"name":"X-Team","value":"a b"}},{"remove":"User-Agent"},{"copy":"x-trace"},{"copy":"x-none"},{"copy":"x-odd"}]"#;
    let rules = HeaderRule::parse_all(text).unwrap();
    assert_eq!(HeaderRule::write_all(&rules), text);
    let headers = Headers::compile(&rules).unwrap();
    let edits: Vec<_> = headers
        .edits(|name| match name {
            "x-trace" => Some("t1"),
            "x-odd" => Some("a\r\nb: c"),
            _ => None,
        })
        .collect();
    let expected = [
        Edit::Set("x-team", "a b"),
        Edit::Remove("user-agent"),
        Edit::Set("x-trace", "t1"),
    ];
    assert_eq!(edits, expected);
}

#[test]
fn what_is_the_gateways_own_cannot_be_named() {
    for name in [
        "Authorization",
        "COOKIE",
        "set-cookie",
        "host",
        "Content-Length",
        "content-type",
        "transfer-encoding",
        "connection",
        "keep-alive",
        "te",
        "trailer",
        "upgrade",
        "proxy-authorization",
        "proxy-anything",
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "x-amz-date",
        "x-forwarded-for",
        "x-sluice-model",
        "forwarded",
        "expect",
        "accept-encoding",
        "sec-fetch-site",
        "",
        "a b",
        "a:b",
        "ü",
        "a\r\nb",
        &"a".repeat(200),
    ] {
        let name = name.to_owned();
        let value = "v".to_owned();
        for rule in [
            HeaderRule::Set {
                name: name.clone(),
                value,
            },
            HeaderRule::Remove(name.clone()),
            HeaderRule::Copy(name.clone()),
        ] {
            assert!(Headers::compile(&[rule]).is_err(), "{name}");
        }
    }
    let set = |value: &str| {
        Headers::compile(&[HeaderRule::Set {
            name: "x-a".to_owned(),
            value: value.to_owned(),
        }])
    };
    for value in [
        "a\nb",
        "a\0",
        "ü",
        " a",
        "a ",
        &"a".repeat(VALUE_BYTES_MAX + 1),
    ] {
        assert!(set(value).is_err(), "{value:.20}");
    }
    assert!(set("").is_ok());
    let twice = ["x-a", "X-A"].map(|name| HeaderRule::Copy(name.to_owned()));
    assert_eq!(
        Headers::compile(&twice).unwrap_err().to_string(),
        "rules[1]: x-a is named by two rules"
    );
    assert!(Headers::compile(&vec![HeaderRule::Copy("x-a".to_owned()); 33]).is_err());
}

#[test]
fn what_is_not_known_in_header_rules_is_refused() {
    for (text, says) in [
        (r#"[{"add":"x"}]"#, "[0].add is no rule that we know"),
        (r#"[{"set":{"name":"a"}}]"#, "[0].set.value is missing"),
        (
            r#"[{"set":{"name":"a","value":"b","x":1}}]"#,
            "[0].set.x is no member of this rule",
        ),
        (r#"[{"copy":1}]"#, "[0].copy must be a string"),
        (
            "[{}]",
            "[0] must be an object of one member: the kind of rule",
        ),
    ] {
        assert_eq!(HeaderRule::parse_all(text).unwrap_err().to_string(), says);
    }
}
