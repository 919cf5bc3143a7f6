//! What an issuer may say of a token that only it can read, and what is made of it.

use claims::check::{NEVER_MS, Unproved, introspected};
use policy::issuer::Issuer;
use serde_json::{Value, json};

use crate::world::{NOW, issuer};

fn judged(issuer: &Issuer, said: Value) -> Result<(String, u64), Unproved> {
    let Value::Object(said) = said else {
        panic!("an object is said")
    };
    let claims = introspected(&said, issuer, NOW * 1_000)?;
    Ok((claims.subject().to_owned(), claims.expires_at_ms()))
}

/// What is said of a good token, with these members over it; null takes one out.
fn said(over: Value) -> Value {
    let mut said = json!({
        "active": true, "iss": "https://id.example", "aud": "sluice", "sub": "alice", "client_id": "batch",
        "token_type": "Bearer", "iat": NOW, "exp": NOW + 300, "scope": "inference",
    });
    let Value::Object(over) = over else {
        panic!("members are laid over")
    };
    for (name, value) in over {
        if value.is_null() {
            said.as_object_mut().unwrap().remove(&name);
        } else {
            said[name] = value;
        }
    }
    said
}

#[test]
fn a_token_is_good_when_its_issuer_says_so_in_so_many_words() {
    let good = judged(&issuer(), said(json!({})));
    assert_eq!(good, Ok(("alice".to_owned(), (NOW + 330) * 1_000)));
    for active in [
        json!(false),
        json!("true"),
        json!(1),
        json!({}),
        Value::Null,
    ] {
        let judged = judged(&issuer(), said(json!({ "active": active })));
        assert_eq!(judged, Err(Unproved::Inactive));
    }
    assert_eq!(judged(&issuer(), json!({})), Err(Unproved::Inactive));
}

#[test]
fn what_an_issuer_need_not_say_may_be_missing_and_must_be_right_where_it_is_said() {
    let issuer = issuer();
    let missing = said(json!({"iss": null, "exp": null, "iat": null, "token_type": null}));
    assert_eq!(judged(&issuer, missing), Ok(("alice".to_owned(), NEVER_MS)));
    let by_client = judged(&issuer, said(json!({"sub": null})));
    assert_eq!(by_client.unwrap().0, "batch");
    for (over, why) in [
        (
            json!({"iss": "https://other.example"}),
            Unproved::Claim("iss"),
        ),
        (json!({"iss": 7}), Unproved::Claim("iss")),
        (json!({"exp": NOW - 31}), Unproved::Expired),
        (json!({"exp": "soon"}), Unproved::Claim("exp")),
        (json!({"nbf": NOW + 31}), Unproved::NotYet),
        (json!({"exp": null, "nbf": NOW + 31}), Unproved::NotYet),
        (json!({"token_type": "DPoP"}), Unproved::Type),
        (json!({"cnf": {"jkt": "x"}}), Unproved::Bound),
        (
            json!({"sub": null, "client_id": null}),
            Unproved::Claim("sub"),
        ),
    ] {
        assert_eq!(judged(&issuer, said(over.clone())), Err(why), "{over}");
    }
}

#[test]
fn a_token_for_nobody_in_particular_is_for_us_only_where_a_condition_must_be_true() {
    let mut issuer = issuer();
    for aud in [json!("sluice"), json!(["mail", "other"])] {
        assert!(judged(&issuer, said(json!({ "aud": aud }))).is_ok());
    }
    for aud in [
        json!("mail"),
        json!(["mail"]),
        json!([]),
        json!(7),
        json!("Sluice"),
        Value::Null,
    ] {
        let judged = judged(&issuer, said(json!({ "aud": aud })));
        assert_eq!(judged, Err(Unproved::Audience), "{aud}");
    }
    issuer.mapping.condition = "claims.client_id == 'batch'".to_owned();
    assert!(judged(&issuer, said(json!({"aud": null}))).is_ok());
    let other = judged(&issuer, said(json!({"aud": "mail"})));
    assert_eq!(other, Err(Unproved::Audience));
}
