//! What each rule does to a payload, byte for byte, and what is refused.

use payload::{family::Family, value::Json};
use payload::{
    object::Misfit,
    transform::{
        Fault, PROGRAMS_MAX, RULES_MAX, Recipe, Rule, Sample, TEXT_BYTES_MAX, Transform, Unusable,
        VALUE_BYTES_MAX,
    },
};

use crate::cases::cases;

fn transform(rules: &str) -> Transform {
    let rules = Rule::parse_all(rules).unwrap_or_else(|misfit| panic!("{rules}: {misfit}"));
    Transform::compile(&rules).unwrap_or_else(|fault| panic!("{rules:?}: {fault}"))
}

fn apply(rules: &str, body: &str) -> Result<String, Fault> {
    applied(Family::Chat, rules, body)
}

fn applied(family: Family, rules: &str, body: &str) -> Result<String, Fault> {
    let body = transform(rules).apply(family, body.as_bytes())?;
    Ok(String::from_utf8(body).unwrap())
}

fn named(family: &str) -> Family {
    let mut all = Family::ALL.into_iter();
    all.find(|it| format!("{it:?}") == family).unwrap()
}

#[test]
fn rules_change_what_they_name_and_no_other_byte() {
    for case in cases(include_str!("../fixtures/rules.txt")) {
        let [rules, body, becomes] = case.lines(["rules", "body", "becomes"]);
        let (rules, body, becomes) = (rules.as_str(), body.as_str(), becomes.as_str());
        assert_eq!(
            apply(rules, body).as_deref(),
            Ok(becomes),
            "{rules} on {body}"
        );
        // A second time nothing changes, unless an element is removed again.
        if rules.contains("\"remove\":{\"path\":\"m[") {
            continue;
        }
        assert_eq!(
            apply(rules, becomes).as_deref(),
            Ok(becomes),
            "{rules} again on {becomes}"
        );
    }
}

#[test]
fn instructions_go_where_each_dialect_has_them() {
    for case in cases(include_str!("../fixtures/instructions.txt")) {
        let [family, rules, body, becomes] = case.lines(["family", "rules", "body", "becomes"]);
        let (family, becomes) = (named(&family), becomes.as_str());
        assert_eq!(
            applied(family, &rules, &body).as_deref(),
            Ok(becomes),
            "{family}: {rules} on {body}"
        );
    }
}

#[test]
fn what_a_payload_has_in_the_wrong_shape_is_the_clients_error() {
    for case in cases(include_str!("../fixtures/misfits.txt")) {
        let [family, rules, body, says] = case.lines(["family", "rules", "body", "says"]);
        let family = named(&family);
        let fault = applied(family, &rules, &body).unwrap_err();
        assert!(fault.is_clients(), "{fault:?}");
        assert_eq!(fault.to_string(), says, "{rules} on {body}");
    }
    let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(63), "]".repeat(63));
    let fault = apply(r#"[{"rename":{"from":"a","to":"b.c"}}]"#, &deep).unwrap_err();
    assert_eq!(fault.to_string(), "a is nested too deeply");
    assert!(apply(r#"[{"rename":{"from":"a","to":"b"}}]"#, &deep).is_ok());
    let broken = transform("[]")
        .apply(Family::Chat, b"{\"a\":\"\xff\"}")
        .unwrap_err();
    assert!(broken.is_clients());
}

#[test]
fn a_program_that_fails_is_not_the_clients_error() {
    for (program, says) in [
        (
            ".a.b",
            "rules[0]: the program raised an error: the output is not an object",
        ),
        (
            "empty",
            "rules[0]: the program gave no output: it must give exactly one",
        ),
        (
            "., .",
            "rules[0]: the program gave several outputs: it must give exactly one",
        ),
        (
            "repeat(.) | empty",
            "rules[0]: the program took too many steps",
        ),
        ("error(\"no\")", "rules[0]: the program raised an error: no"),
    ] {
        let rules = [Rule::Jq(program.to_owned())];
        let fault = Transform::compile(&rules)
            .unwrap()
            .apply(Family::Chat, b"{}")
            .unwrap_err();
        assert!(!fault.is_clients());
        assert_eq!(fault.to_string(), says, "{program}");
    }
}

#[test]
fn rules_that_make_no_sense_are_refused_before_any_payload() {
    let fault = |rules: &str| {
        let rules = Rule::parse_all(rules).unwrap();
        Transform::compile(&rules).unwrap_err().to_string()
    };
    for (rules, says) in [
        (
            r#"[{"remove":{"path":"a"}},{"remove":{"path":"a..b"}}]"#,
            "rules[1]: the path `a..b` has an empty name",
        ),
        (
            r#"[{"clamp":{"path":"a"}}]"#,
            "rules[0]: name a bound: min, max or both",
        ),
        (
            r#"[{"clamp":{"path":"a","min":2,"max":1}}]"#,
            "rules[0]: min is more than max",
        ),
        (
            r#"[{"clamp":{"path":"a","min":1e999}}]"#,
            "rules[0]: a bound must be a number",
        ),
        (
            r#"[{"rename":{"from":"a[0]","to":"b"}}]"#,
            "rules[0]: only members have names: elements of arrays cannot be renamed",
        ),
        (
            r#"[{"rename":{"from":"a","to":"a.b"}}]"#,
            "rules[0]: one of the paths leads through the other",
        ),
        (
            r#"[{"rename":{"from":"a","to":"a"}}]"#,
            "rules[0]: one of the paths leads through the other",
        ),
        (
            r#"[{"prepend_system":""}]"#,
            "rules[0]: instructions must not be empty",
        ),
        (
            r#"[{"set":{"path":"Model","value":"x"}}]"#,
            "rules[0]: the model is told by the targets of the version: no rule may name it",
        ),
        (
            r#"[{"rename":{"from":"engine","to":"model"}}]"#,
            "rules[0]: the model is told by the targets of the version: no rule may name it",
        ),
        (
            r#"[{"jq":".a |"}]"#,
            "rules[0]: line 1, column 5: there should be term",
        ),
        (
            r#"[{"jq":"env"}]"#,
            "rules[0]: line 1, column 1: there is no `env`",
        ),
    ] {
        assert_eq!(fault(rules), says);
    }
}

#[test]
fn values_and_instructions_are_held_to_their_bounds() {
    let compile = |rule: Rule| Transform::compile(&[rule]);
    let set = |raw: &str| {
        compile(Rule::Set {
            path: "a".to_owned(),
            value: Json::of(raw),
        })
    };
    for raw in ["", "{", "1 2", "nul", "\"a", "1,", "]"] {
        assert!(set(raw).is_err(), "{raw}");
    }
    assert!(set(" {\"a\": 1} ").is_ok());
    assert!(set(&format!("{}{}", "[".repeat(32), "]".repeat(32))).is_ok());
    assert!(set(&format!("{}{}", "[".repeat(33), "]".repeat(33))).is_err());
    assert!(set(&format!("\"{}\"", "a".repeat(VALUE_BYTES_MAX))).is_err());
    assert!(compile(Rule::AppendSystem("a".repeat(TEXT_BYTES_MAX + 1))).is_err());
    let many = vec![Rule::AppendSystem("a".to_owned()); RULES_MAX + 1];
    assert_eq!(Transform::compile(&many), Err(Fault::TooManyRules));
}

#[test]
fn a_rule_may_be_for_clients_of_some_dialects_alone() {
    let text = r#"[{"set":{"path":"a","value":1},"dialects":["chat","gemini"]},{"jq":".b = 2","dialects":["messages"]}]"#;
    let rules = Rule::parse_all(text).unwrap();
    assert_eq!(Rule::write_all(&rules), text);
    let becomes = |family| applied(family, text, "{}").unwrap();
    assert_eq!(becomes(Family::Chat), r#"{"a":1}"#);
    assert_eq!(becomes(Family::Gemini), r#"{"a":1}"#);
    assert_eq!(becomes(Family::Messages), r#"{"b":2}"#);
    assert_eq!(becomes(Family::Responses), "{}");
    for (text, says) in [
        (
            r#"[{"jq":".","dialects":[]}]"#,
            "[0].dialects must name a dialect, or be left away",
        ),
        (
            r#"[{"jq":".","dialects":["chat","cohere"]}]"#,
            "[0].dialects[1] must be `chat`, `responses`, `messages` or `gemini`",
        ),
        (
            r#"[{"jq":".","dialects":"chat"}]"#,
            "[0].dialects must be an array",
        ),
    ] {
        assert_eq!(Rule::parse_all(text).unwrap_err().to_string(), says);
    }
}

#[test]
fn programs_are_few_and_a_recipe_is_short() {
    let programs = |count| vec![Rule::Jq(".".to_owned()); count];
    assert!(Transform::compile(&programs(PROGRAMS_MAX)).is_ok());
    let many = Transform::compile(&programs(PROGRAMS_MAX + 1));
    assert_eq!(many, Err(Fault::TooManyPrograms));
    let long = vec![Rule::AppendSystem("a".repeat(TEXT_BYTES_MAX)); 2];
    assert_eq!(Recipe::compile(&long, &[]), Err(Unusable::TooLong));
    let recipe = Recipe::compile(&long[..1], &[]).unwrap();
    assert_eq!(Recipe::read(recipe.rules(), ""), Ok(recipe));
    assert!(Recipe::read("", "").unwrap().is_empty());
    assert!(Recipe::read("[{}]", "").is_err());
}

#[test]
fn rules_are_written_as_they_are_read() {
    let text = r#"[{"set":{"path":"a","value":{"b": 1.0}}},{"default":{"path":"a","value":null}},{"clamp":{"path":"t","min":0,"max":1e2}},{"clamp":{"path":"t","max":1}},{"rename":{"from":"a","to":"b"}},{"remove":{"path":"m[0]"}},{"prepend_system":"\u000a\""},{"append_system":"b"},{"jq":". | .a"}]"#;
    let rules = Rule::parse_all(text).unwrap();
    assert_eq!(rules.len(), 9);
    assert_eq!(Rule::write_all(&rules), text);
    assert_eq!(Rule::write_all(&[]), "[]");
}

#[test]
fn what_is_not_known_in_rules_is_refused() {
    let misfit = |text: &str| Rule::parse_all(text).unwrap_err().to_string();
    for (text, says) in [
        ("{}", "the body must be an array"),
        ("[1]", "[0] must be an object"),
        (
            "[{}]",
            "[0] must be an object of one member: the kind of rule",
        ),
        (
            r#"[{"jq":".","jq":"."}]"#,
            "[0] must be an object of one member: the kind of rule",
        ),
        (
            r#"[{"drop":{"path":"a"}}]"#,
            "[0].drop is no rule that we know",
        ),
        (r#"[{"jq":1}]"#, "[0].jq must be a string"),
        (r#"[{"set":{"path":"a"}}]"#, "[0].set.value is missing"),
        (r#"[{"set":{"value":1}}]"#, "[0].set.path is missing"),
        (
            r#"[{"set":{"path":"a","value":1,"when":2}}]"#,
            "[0].set.when is no member of this rule",
        ),
        (
            r#"[{"set":{"path":"a","value":1,"value":2}}]"#,
            "[0].set.value stands there twice: send it once",
        ),
        (
            r#"[{"clamp":{"path":"a","min":"1"}}]"#,
            "[0].clamp.min must be a number",
        ),
        (r#"[{"remove":"a"}]"#, "[0].remove must be an object"),
    ] {
        assert_eq!(misfit(text), says, "{text}");
    }
    assert_eq!(
        Rule::parse_all(&" ".repeat(2 << 20)),
        Err(Misfit::new("is too long"))
    );
}

#[test]
fn samples_are_written_as_they_are_read() {
    let text = r#"[{"dialect":"gemini","body":{ "a" : 1.0 }},{"dialect":"chat","body":{},"becomes":{"b":1}}]"#;
    let samples = Sample::parse_all(text).unwrap();
    assert_eq!(samples[0].body, r#"{ "a" : 1.0 }"#);
    assert_eq!(Sample::write_all(&samples), text);
    for (text, says) in [
        ("[{}]", "[0].dialect is missing"),
        (r#"[{"dialect":"chat"}]"#, "[0].body is missing"),
        (
            r#"[{"dialect":"cohere","body":{}}]"#,
            "[0].dialect must be `chat`, `responses`, `messages` or `gemini`",
        ),
        (
            r#"[{"dialect":"chat","body":{},"expected":{}}]"#,
            "[0].expected is no member of a sample",
        ),
    ] {
        assert_eq!(Sample::parse_all(text).unwrap_err().to_string(), says);
    }
}

#[test]
fn samples_say_which_of_them_fails() {
    let transform = transform(r#"[{"set":{"path":"m[0]","value":1}}]"#);
    let sample = |body, becomes| Sample {
        family: Family::Chat,
        body,
        becomes,
    };
    let fine = sample(r#"{"m":[0]}"#, Some(r#"{"m":[1]}"#));
    assert_eq!(
        transform.check(&[fine.clone(), sample(r#"{"m":[1]}"#, None)]),
        Ok(vec![r#"{"m":[1]}"#.to_owned(); 2])
    );
    let spaced = sample(
        r#"{"m":[0],"t":"a \" b"}"#,
        Some(r#"{ "m": [1], "t": "a \" b" }"#),
    );
    assert!(transform.check(&[spaced]).is_ok());
    let other_text = sample(r#"{"m":[0],"t":"a b"}"#, Some(r#"{"m":[1],"t":"ab"}"#));
    assert!(transform.check(&[other_text]).is_err());
    let other = transform
        .check(&[fine.clone(), sample(r#"{"m":[0]}"#, Some("{}"))])
        .unwrap_err();
    assert_eq!(other.to_string(), r#"samples[1]: becomes {"m":[1]}"#);
    let broken = transform.check(&[sample("{}", None)]).unwrap_err();
    assert_eq!(broken.to_string(), "samples[0]: m[0] is not there");
}
