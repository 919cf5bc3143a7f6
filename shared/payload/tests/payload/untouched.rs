//! Rules as properties: over random payloads, what no rule names keeps its bytes, and nothing ever panics.
//!
//! Judged by another JSON reader, and by looking for the bytes themselves.

use fastrand::Rng;
use payload::{family::Family, value::Json};
use payload::{
    jq::Program,
    transform::{Fault, Rule, Transform},
};
use serde_json::Value;

use crate::generated;

fn rules(rng: &mut Rng) -> Vec<Rule> {
    (0..rng.usize(1..5)).map(|_| rule(rng)).collect()
}

fn rule(rng: &mut Rng) -> Rule {
    let path = path(rng);
    match rng.u8(..8) {
        0 => Rule::Set {
            path,
            value: Json::of(&generated::value(rng, 2)),
        },
        1 => Rule::Default {
            path,
            value: Json::of(&generated::value(rng, 2)),
        },
        2 => Rule::Clamp {
            path,
            min: Some(Json::of("-5.0")),
            max: Some(Json::of("7")),
        },
        3 => Rule::Rename {
            from: path,
            to: self::path(rng),
        },
        4 | 5 => Rule::Remove { path },
        6 => Rule::PrependSystem("P".to_owned()),
        _ => Rule::AppendSystem("A".to_owned()),
    }
}

fn path(rng: &mut Rng) -> String {
    let mut path = ["a", "b", "messages", "system", "new"][rng.usize(..5)].to_owned();
    for _ in 0..rng.usize(..3) {
        path += [".a", ".content", "[0]", "[-1]", "[\"ü\"]", "[\"\"]", ".new"][rng.usize(..7)];
    }
    path
}

#[test]
fn what_no_rule_names_keeps_its_bytes_and_its_order() {
    let mut applied = 0;
    for seed in 0..generated::ROUNDS {
        let mut rng = Rng::with_seed(seed);
        let untouched = format!("\"kept\" :{}", generated::value(&mut rng, 4));
        let body = generated::object(&mut rng, 3);
        // In front, or behind what the rules may touch.
        let inner = &body[1..body.len() - 1];
        let comma = if inner.trim().is_empty() { "" } else { "," };
        let body = if rng.bool() {
            format!("{{{untouched}{comma}{inner}}}")
        } else {
            format!("{{{inner}{comma}{untouched}}}")
        };
        let rules = rules(&mut rng);
        let Ok(transform) = Transform::compile(&rules) else {
            continue;
        };
        let family = Family::ALL[rng.usize(..6)];
        let became = match transform.apply(family, body.as_bytes()) {
            Ok(became) => String::from_utf8(became).unwrap(),
            Err(fault) => {
                assert!(fault.is_clients(), "seed {seed}: {fault:?}");
                continue;
            }
        };
        applied += 1;
        assert!(
            became.contains(&untouched),
            "seed {seed}: {rules:?}\n{body}\n{became}"
        );
        let after: Value = serde_json::from_str(&became)
            .unwrap_or_else(|error| panic!("seed {seed}: {error}: {rules:?}\n{body}\n{became}"));
        let before: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(before["kept"], after["kept"], "seed {seed}");
        let again = transform.apply(family, body.as_bytes()).unwrap();
        assert_eq!(
            again,
            became.as_bytes(),
            "seed {seed}: the same payload becomes the same"
        );
    }
    assert!(
        applied > generated::ROUNDS / 3,
        "only {applied} rules applied"
    );
}

#[test]
fn each_rule_does_what_another_reader_sees() {
    for seed in 0..generated::ROUNDS {
        let mut rng = Rng::with_seed(seed);
        let body = generated::object(&mut rng, 3);
        let before: Value = serde_json::from_str(&body).unwrap();
        let value = generated::value(&mut rng, 2);
        let name = generated::NAMES[rng.usize(..6)];
        let apply = |rule: Rule| {
            let became = Transform::compile(&[rule])
                .unwrap()
                .apply(Family::Chat, body.as_bytes());
            serde_json::from_slice::<Value>(&became.unwrap()).unwrap()
        };
        let path = name.to_owned();
        let set = apply(Rule::Set {
            path: path.clone(),
            value: Json::of(&value),
        });
        let mut expected = before.clone();
        expected[name] = serde_json::from_str(&value).unwrap();
        assert_eq!(set, expected, "seed {seed}: set {name} in {body}");

        let default = apply(Rule::Default {
            path: path.clone(),
            value: Json::of(&value),
        });
        let kept = before.get(name).is_some_and(|it| !it.is_null());
        assert_eq!(
            default,
            if kept { before.clone() } else { expected },
            "seed {seed}"
        );

        let removed = apply(Rule::Remove { path: path.clone() });
        let mut expected = before.clone();
        expected.as_object_mut().unwrap().remove(name);
        assert_eq!(removed, expected, "seed {seed}: remove {name} from {body}");

        let renamed = apply(Rule::Rename {
            from: path,
            to: "other".to_owned(),
        });
        if let Some(value) = before.get(name) {
            expected["other"] = value.clone();
        }
        assert_eq!(renamed, expected, "seed {seed}: rename {name} in {body}");
    }
}

#[test]
fn arbitrary_bytes_and_rules_never_panic() {
    for seed in 0..2 * generated::ROUNDS {
        let mut rng = Rng::with_seed(seed);
        let rules = rules(&mut rng);
        let body = generated::object(&mut rng, 3);
        let body = generated::mutated(&mut rng, &body);
        if let Ok(transform) = Transform::compile(&rules)
            && let Ok(became) = transform.apply(Family::ALL[rng.usize(..6)], &body)
        {
            let read = serde_json::from_slice::<Value>(&became);
            // Another reader may know less of what is valid: numbers beyond all bounds.
            assert!(
                read.is_ok() || String::from_utf8_lossy(&became).contains('e'),
                "seed {seed}"
            );
        }
        let text = Rule::write_all(&rules);
        assert_eq!(
            Rule::parse_all(&text).as_ref(),
            Ok(&rules),
            "seed {seed}: {text}"
        );
        let broken = generated::mutated(&mut rng, &text);
        if let Ok(broken) = String::from_utf8(broken)
            && let Ok(rules) = Rule::parse_all(&broken)
        {
            let _ = Transform::compile(&rules);
        }
    }
}

#[test]
fn programs_of_arbitrary_bytes_never_panic_and_the_identity_keeps_every_value() {
    const PIECES: [&str; 24] = [
        ".", ".a", "|", ",", "[", "]", "{", "}", "(", ")", "\"", "map", "as $x", "$x", "if",
        "then", "end", "def f:", ";", "1", "+", "|=", "//", "?",
    ];
    let identity = Program::compile(".").unwrap();
    for seed in 0..generated::ROUNDS / 4 {
        let mut rng = Rng::with_seed(seed);
        let body = generated::value(&mut rng, 4);
        let same = identity.run(body.as_bytes()).unwrap();
        let values =
            [body.as_bytes(), &same].map(|it| serde_json::from_slice::<Value>(it).unwrap());
        assert_eq!(values[0], values[1], "seed {seed}: {body}");
        let _ = identity.run(&generated::mutated(&mut rng, &body));

        let source: String = (0..rng.usize(..12))
            .flat_map(|_| [PIECES[rng.usize(..PIECES.len())], " "])
            .collect();
        let source = String::from_utf8_lossy(&generated::mutated(&mut rng, &source)).into_owned();
        if let Ok(program) = Program::compile(&source) {
            let ran = program.run(body.as_bytes());
            assert_ne!(
                ran,
                Err(payload::jq::Fault::Broken),
                "seed {seed}: {source}"
            );
        }
    }
}

#[test]
fn what_is_compiled_can_be_shared_by_threads() {
    fn shared<T: Send + Sync + Clone>() {}
    shared::<Program>();
    shared::<Transform>();
}

#[test]
fn a_fault_says_whose_it_is() {
    assert!(!Fault::TooManyRules.is_clients());
}
