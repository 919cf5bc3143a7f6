//! What is no trust, and what a trust opens to whom.

use super::*;
use crate::{
    access::{Place, Role},
    name::OrganizationName,
    segment::Slug,
};

fn grant(role: Role) -> Grant {
    let organization = Slug::parse("acme").unwrap();
    let at = Place::Organization(OrganizationName { organization });
    Grant {
        binding: Binding {
            role: role.into(),
            at,
        },
        claims: Vec::new(),
    }
}

fn fields(spoil: impl Fn(&mut Wanted<'_>)) -> Vec<String> {
    let audiences = ["sluice".to_owned()];
    let mut wanted = Wanted {
        display_name: "",
        url: "https://token.actions.githubusercontent.com",
        keys_url: "",
        audiences: &audiences,
        subject: "repo:acme/chat:**",
        claims: Vec::new(),
        grants: vec![grant(Role::ModelPublisher)],
        lifetime_ms: None,
        client_id: "",
        scopes: &[],
    };
    spoil(&mut wanted);
    let mut violations = Violations::new();
    let checked = wanted.check(&mut violations);
    assert_eq!(checked.is_some(), violations.is_empty());
    let all = violations.into_vec();
    all.into_iter().map(|it| it.field).collect()
}

fn pattern(claim: &str, pattern: &str) -> ClaimPattern {
    ClaimPattern {
        claim: claim.to_owned(),
        pattern: Pattern::read(pattern).unwrap(),
    }
}

#[test]
fn each_field_that_is_wrong_is_named() {
    assert_eq!(fields(|_| {}), [""; 0]);
    for url in ["http://id.example", "id.example", "https://id.example/?x=1"] {
        assert_eq!(fields(|it| it.url = url), ["trust.issuer_url"], "{url}");
    }
    assert_eq!(fields(|it| it.keys_url = "ftp://a"), ["trust.keys_url"]);
    assert_eq!(fields(|it| it.audiences = &[]), ["trust.audiences"]);
    assert_eq!(fields(|it| it.grants = Vec::new()), ["trust.grants"]);
    let people = fields(|it| {
        it.audiences = &[];
        it.client_id = "sluice-cli";
    });
    assert_eq!(people, [""; 0], "their tokens are for the client");
    let two = ["a b".to_owned()];
    let scopes = fields(|it| it.scopes = Box::leak(Box::new(two.clone())));
    assert_eq!(scopes, ["trust.scopes[0]"]);
    for ms in [0, 59_999, 3_600_001] {
        assert_eq!(fields(|it| it.lifetime_ms = Some(ms)), ["trust.lifetime"]);
    }
}

#[test]
fn a_trust_in_whoever_gets_a_token_is_refused() {
    for subject in ["", "*", "**", "*:ref:refs/heads/main"] {
        assert_eq!(
            fields(|it| it.subject = subject),
            ["trust.subject"],
            "{subject}"
        );
        let held = fields(|it| {
            it.subject = subject;
            it.claims = vec![pattern("repository", "acme/chat")];
        });
        assert_eq!(held, [""; 0], "{subject}");
        let loose = fields(|it| {
            it.subject = subject;
            it.claims = vec![pattern("repository", "*/chat")];
        });
        assert_eq!(loose, ["trust.subject"], "{subject}");
        let granted = fields(|it| {
            it.subject = subject;
            for grant in &mut it.grants {
                grant.claims = vec![pattern("groups", "admins")];
            }
        });
        assert_eq!(granted, [""; 0], "{subject}");
    }
}

#[test]
fn patterns_of_claims_are_bounded_and_named() {
    let mut violations = Violations::new();
    let given = [("ref", "refs/heads/main"), ("", "x"), ("a", "")];
    let read = claims("trust.claims", given.into_iter(), &mut violations);
    assert_eq!(read, [pattern("ref", "refs/heads/main")]);
    let named: Vec<_> = violations
        .into_vec()
        .into_iter()
        .map(|it| it.field)
        .collect();
    assert_eq!(named, ["trust.claims[1].claim", "trust.claims[2].pattern"]);
    let mut violations = Violations::new();
    claims("trust.claims", [("a", "b"); 9].into_iter(), &mut violations);
    assert!(!violations.is_empty());
}
