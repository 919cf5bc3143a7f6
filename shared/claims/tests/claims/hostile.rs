//! What is taken, and everything that is not.

use aws_lc_rs::hmac;
use claims::{
    check::Unproved,
    token::{BYTES_MAX, Token, is_shaped},
};
use policy::issuer::Algorithm;
use serde_json::{Value, json};

use crate::world::{NOW, World, claims, encode, issuer};

#[test]
fn every_algorithm_that_is_trusted_is_taken_and_by_its_own_key_alone() {
    let world = World::new();
    let all = [
        ("rsa", "RS256"),
        ("rsa", "PS256"),
        ("p256", "ES256"),
        ("p384", "ES384"),
        ("ed", "EdDSA"),
    ];
    for (id, algorithm) in all {
        for (named, other) in all {
            // Signed by one, said to be signed by another.
            let head = json!({"alg": other, "kid": named});
            let token = world.written((id, algorithm), &head.to_string(), &claims().to_string());
            let proved = world.check(&token);
            let right = (id, algorithm) == (named, other);
            assert_eq!(proved.is_ok(), right, "{algorithm} as {other}");
        }
    }
    let mut narrow = issuer();
    narrow.algorithms = vec![Algorithm::Rs256];
    let refused = world.check_by(&narrow, &world.token(&claims()));
    assert_eq!(refused.unwrap_err(), Some(Unproved::Algorithm));
}

#[test]
fn no_signature_and_a_secret_made_of_a_public_key_prove_nothing() {
    let world = World::new();
    let body = encode(claims().to_string().as_bytes());
    for head in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"None"}"#,
        r#"{"alg":""}"#,
        r#"{"alg":null}"#,
        "{}",
    ] {
        for end in ["", ".", ".AAAA"] {
            let text = format!("{}.{body}{end}", encode(head.as_bytes()));
            assert!(world.check(&text).is_err(), "{head} {end}");
        }
    }
    let head = encode(br#"{"alg":"HS256","kid":"rsa"}"#);
    let signed = format!("{head}.{body}");
    let secret = hmac::Key::new(hmac::HMAC_SHA256, &world.modulus);
    let tag = hmac::sign(&secret, signed.as_bytes());
    let text = format!("{signed}.{}", encode(tag.as_ref()));
    assert_eq!(world.check(&text).unwrap_err(), None);
}

#[test]
fn what_a_head_says_of_keys_is_not_looked_at_and_what_it_asks_for_is_refused() {
    let (world, other) = (World::new(), World::new());
    let body = claims().to_string();
    let mut head = json!({"alg": "ES256", "kid": "p256"});
    for name in ["jwk", "jku", "x5u", "x5c", "x5t"] {
        head[name] = json!({"kty": "EC"});
    }
    let by = ("p256", "ES256");
    assert!(
        world
            .check(&world.written(by, &head.to_string(), &body))
            .is_ok()
    );
    // With its own key inside, signed by that key.
    let forged = other.written(by, &head.to_string(), &body);
    assert_eq!(world.check(&forged).unwrap_err(), Some(Unproved::Forged));
    for extra in [
        r#""crit":["exp"]"#,
        r#""crit":[]"#,
        r#""b64":false"#,
        r#""kid":"rsa""#,
        r#""alg":"ES256""#,
        r#""typ":7"#,
    ] {
        let head = format!(r#"{{"alg":"ES256","kid":"p256",{extra}}}"#);
        assert!(
            world.check(&world.written(by, &head, &body)).is_err(),
            "{extra}"
        );
    }
    for kid in [
        json!("nobody"),
        json!(""),
        json!("../p256"),
        json!("p256' OR 1=1"),
        json!("k".repeat(300)),
        json!(["p256"]),
    ] {
        let head = json!({"alg": "ES256", "kid": kid}).to_string();
        assert!(
            world.check(&world.written(by, &head, &body)).is_err(),
            "{kid}"
        );
    }
    assert!(
        world
            .check(&world.written(by, r#"{"alg":"ES256"}"#, &body))
            .is_ok()
    );
}

#[test]
fn types_are_those_of_the_issuer() {
    let world = World::new();
    let typed = |kind: &str| {
        let head = json!({"alg": "ES256", "kid": "p256", "typ": kind}).to_string();
        world.written(("p256", "ES256"), &head, &claims().to_string())
    };
    for kind in ["JWT", "jwt", "at+jwt", "application/at+jwt"] {
        assert!(world.check(&typed(kind)).is_ok(), "{kind}");
    }
    for kind in [
        "",
        "logout+jwt",
        "id+jwt",
        "application/",
        "application/jose",
        "JWTé",
    ] {
        assert_eq!(
            world.check(&typed(kind)).unwrap_err(),
            Some(Unproved::Type),
            "{kind}"
        );
    }
    let mut strict = issuer();
    strict.types = vec!["at+JWT".to_owned()];
    assert!(world.check_by(&strict, &typed("AT+jwt")).is_ok());
    assert!(world.check_by(&strict, &typed("JWT")).is_err());
    assert!(world.check_by(&strict, &world.token(&claims())).is_err());
}

#[test]
fn each_claim_must_be_what_it_should_be() {
    let world = World::new();
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        world
            .check(&world.token(&claims))
            .map(|it| it.subject().to_owned())
    };
    for (name, value, outcome) in [
        ("aud", json!("Sluice"), Unproved::Audience),
        ("aud", json!([]), Unproved::Audience),
        ("aud", json!(["a", 7, null]), Unproved::Audience),
        ("aud", json!({"sluice": 1}), Unproved::Audience),
        ("aud", Value::Null, Unproved::Audience),
        ("iss", json!("https://id.example/"), Unproved::Claim("iss")),
        ("iss", json!(["https://id.example"]), Unproved::Claim("iss")),
        ("exp", json!(NOW - 30), Unproved::Expired),
        ("exp", json!(0), Unproved::Expired),
        (
            "exp",
            json!((NOW + 300).to_string()),
            Unproved::Claim("exp"),
        ),
        ("exp", Value::Null, Unproved::Claim("exp")),
        ("exp", json!(-1), Unproved::Claim("exp")),
        ("exp", json!(1e300), Unproved::Claim("exp")),
        ("nbf", json!(NOW + 31), Unproved::NotYet),
        ("nbf", json!("0"), Unproved::Claim("nbf")),
        ("iat", json!(NOW + 31), Unproved::NotYet),
        ("iat", json!(true), Unproved::Claim("iat")),
        ("sub", json!(""), Unproved::Claim("sub")),
        ("sub", json!(7), Unproved::Claim("sub")),
        ("sub", json!("a\nb"), Unproved::Claim("sub")),
        ("sub", json!("s".repeat(256)), Unproved::Claim("sub")),
    ] {
        assert_eq!(
            with(name, value.clone()),
            Err(Some(outcome)),
            "{name} {value}"
        );
    }
    for (name, value) in [
        ("aud", json!(["a", "other"])),
        ("exp", json!(NOW - 29)),
        ("exp", json!(1_800_000_000.5)),
        ("exp", json!(u64::MAX)),
        ("nbf", json!(NOW + 30)),
    ] {
        assert_eq!(
            with(name, value.clone()),
            Ok("alice".to_owned()),
            "{name} {value}"
        );
    }
    let mut machine = claims();
    machine.as_object_mut().unwrap().remove("sub");
    assert_eq!(
        world.check(&world.token(&machine)).unwrap_err(),
        Some(Unproved::Claim("sub"))
    );
    machine["client_id"] = json!("batch");
    assert_eq!(
        world.check(&world.token(&machine)).unwrap().subject(),
        "batch"
    );
}

#[test]
fn a_text_that_is_not_the_one_way_to_write_a_token_is_none() {
    let world = World::new();
    let good = world.token(&claims());
    assert!(world.check(&good).is_ok() && is_shaped(&good));
    let (signed, signature) = good.rsplit_once('.').unwrap();
    for text in [
        format!("{good}="),
        format!("{good}."),
        format!(" {good}"),
        format!("{signed}.{signature}A"),
        format!("{signed}.{}", &signature[1..]),
        signed.to_owned(),
        format!("{good}.{signature}"),
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
    ] {
        assert!(world.check(&text).is_err(), "{text}");
    }
    let by = ("p256", "ES256");
    let head = r#"{"alg":"ES256","kid":"p256"}"#;
    for body in [
        r#"{"iss":"https://id.example","aud":"sluice","sub":"a","exp":9999999999,"sub":"b"}"#,
        r#"{"iss":"https://id.example","aud":"sluice","sub":"a","exp":1,"\u0065xp":9999999999}"#,
        "[]",
        "null",
        "7",
        "",
        "{\"sub\":\"\u{0}",
    ] {
        assert_eq!(
            world.check(&world.written(by, head, body)).err(),
            Some(None),
            "{body}"
        );
    }
    let deep = format!(r#"{{"a":{}1{}}}"#, "[".repeat(200), "]".repeat(200));
    assert!(world.check(&world.written(by, head, &deep)).is_err());
    let mut large = claims();
    large["groups"] = json!("g".repeat(BYTES_MAX));
    assert!(Token::read(&world.token(&large)).is_err());
}

#[test]
fn a_token_of_which_one_byte_is_another_is_refused() {
    let world = World::new();
    let good = world.token(&claims());
    for at in 0..good.len() {
        let mut bytes = good.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let text = String::from_utf8(bytes).unwrap();
        assert!(world.check(&text).is_err(), "byte {at}");
    }
}
