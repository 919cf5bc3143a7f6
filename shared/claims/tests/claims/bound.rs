//! Tokens that are bound to a certificate, and what a certificate itself says.

use claims::check::{Unproved, certified, introspected};
use serde_json::{Value, json};

use crate::world::{NOW, World, claims, encode, issuer};

const DIGEST: [u8; 32] = [7; 32];

#[test]
fn a_token_says_which_certificate_it_is_bound_to_and_any_other_bond_refuses_it() {
    let world = World::new();
    let with = |bond: Value| {
        let mut claims = claims();
        claims["cnf"] = bond;
        claims
    };
    let right = json!({"x5t#S256": encode(&DIGEST)});
    let proved = world.check(&world.token(&with(right.clone()))).unwrap();
    assert_eq!(proved.bound_to(), Some(&DIGEST));
    let proved = world.check(&world.token(&claims())).unwrap();
    assert_eq!(proved.bound_to(), None);
    for wrong in [
        json!({"jkt": "x"}),
        json!({"x5t#S256": encode(&DIGEST), "jkt": "x"}),
        json!({"x5t#S256": encode(&DIGEST[1..])}),
        json!({"x5t#S256": format!("{}=", encode(&DIGEST))}),
        json!({"x5t#S256": 7}),
        json!({}),
        json!("x"),
        Value::Null,
    ] {
        let refused = world.check(&world.token(&with(wrong.clone())));
        assert_eq!(refused.unwrap_err(), Some(Unproved::Bound), "{wrong}");
    }
    let mut said = with(right);
    said["active"] = json!(true);
    let said = said.as_object().unwrap().clone();
    let judged = introspected(&said, &issuer(), NOW * 1_000).unwrap();
    assert_eq!(judged.bound_to(), Some(&DIGEST));
}

#[test]
fn what_a_certificate_says_is_good_through_its_last_second_and_names_somebody() {
    let said = |subject: Value| {
        let said = json!({"sub": subject, "nbf": NOW - 10, "exp": NOW});
        said.as_object().unwrap().clone()
    };
    let at = |now_ms| certified(said(json!("CN=batch")), now_ms);
    let judged = at(NOW * 1_000 + 999).unwrap();
    assert_eq!(judged.expires_at_ms(), (NOW + 1) * 1_000);
    assert_eq!(judged.subject(), "CN=batch");
    assert_eq!(at((NOW + 1) * 1_000).unwrap_err(), Unproved::Expired);
    assert_eq!(at((NOW - 11) * 1_000).unwrap_err(), Unproved::NotYet);
    for nobody in [
        json!(""),
        json!("a\nb"),
        json!("x".repeat(256)),
        Value::Null,
    ] {
        let refused = certified(said(nobody.clone()), NOW * 1_000);
        assert_eq!(refused.unwrap_err(), Unproved::Claim("sub"), "{nobody}");
    }
}
