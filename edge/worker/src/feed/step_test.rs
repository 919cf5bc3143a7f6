//! What a change becomes, taken and refused.

use policy::{
    calendar::Zone,
    limit::{Allowance, Limit, Of, Rate, Scope, Terms, Unit},
    organization::Organization,
};

use super::*;

fn organization(byte: u8) -> Object {
    Object::Organization(Organization {
        id: OrganizationId::from_bytes([byte; 16]),
        name: "acme".to_owned(),
        zone: Zone::UTC,
        audit_access: policy::audit_access::AuditAccess::None,
    })
}

fn change(object: &Object) -> wire::Change {
    wire::Change {
        kind: object.kind() as u32,
        operation: Operation::Upsert as i32,
        key: object.key(),
        revision: 1,
        value: object::encode(object),
        must_understand: true,
    }
}

fn refusal(lane: Lane, change: wire::Change) -> String {
    match Step::read(lane, change).act {
        Act::Refuse { why, .. } => why,
        taken => panic!("{taken:?}"),
    }
}

#[test]
fn a_whole_object_is_put_and_a_foreign_one_refused() {
    let good = change(&organization(1));
    assert!(matches!(
        Step::read(Lane::Config, good.clone()).act,
        Act::Put(_)
    ));
    assert!(refusal(Lane::Keys, good.clone()).contains("lane"));
    let other = wire::Change {
        key: vec![2; 16],
        ..good.clone()
    };
    assert!(refusal(Lane::Config, other).contains("another object"));
    let torn = wire::Change {
        value: vec![0xff; 3],
        ..good.clone()
    };
    assert!(refusal(Lane::Config, torn).contains("not such a message"));
    let large = wire::Change {
        value: vec![0; VALUE_BYTES_MAX + 1],
        ..good.clone()
    };
    assert!(refusal(Lane::Config, large).contains("more than"));
    let revoked = wire::Change {
        operation: Operation::Revoke as i32,
        ..good
    };
    assert!(refusal(Lane::Config, revoked).contains("only keys"));
}

#[test]
fn a_version_whose_rules_cannot_be_used_is_refused_whole() {
    let version = |transform_rules: &str, header_rules: &str| wire::Change {
        kind: Kind::Version as u32,
        key: vec![7; 16],
        value: message::encode(&wire::VersionPolicy {
            id: vec![7; 16],
            model_id: vec![8; 16],
            name: "v1".to_owned(),
            targets: vec![wire::TargetPolicy {
                provider_id: vec![9; 16],
                provider_model: "m".to_owned(),
                weight: 0,
                ..wire::TargetPolicy::default()
            }],
            transform_rules: transform_rules.to_owned(),
            header_rules: header_rules.to_owned(),
            ..Default::default()
        }),
        ..change(&organization(1))
    };
    let recipe = |change| match Step::read(Lane::Config, change).act {
        Act::Put(Object::Version(version)) => version.recipe,
        other => panic!("{other:?}"),
    };
    assert!(recipe(version("", "")).is_none());
    assert!(recipe(version("[]", "[]")).is_none());
    let read = recipe(version(r#"[{"jq":"."}]"#, r#"[{"copy":"x-a"}]"#)).unwrap();
    assert!(read.transform().runs_programs() && read.headers().copy_any());
    for (rules, headers) in [
        ("[", ""),
        (r#"[{"jq":"env"}]"#, ""),
        (r#"[{"of_a_newer_build":1}]"#, ""),
        ("", r#"[{"copy":"authorization"}]"#),
    ] {
        let why = refusal(Lane::Config, version(rules, headers));
        assert_eq!(why, "its rules cannot be used by this build");
    }
}

#[test]
fn an_unknown_kind_is_passed_over_unless_it_must_be_understood() {
    let strange = wire::Change {
        kind: 200,
        ..change(&organization(1))
    };
    assert!(refusal(Lane::Config, strange.clone()).contains("must be"));
    let optional = wire::Change {
        must_understand: false,
        ..strange
    };
    let step = Step::read(Lane::Config, optional);
    assert!(matches!(step.act, Act::PassOver { gone: false }));
    assert_eq!(step.name.0, 200);
}

#[test]
fn a_limit_that_cannot_be_read_names_the_organization_it_would_have_limited() {
    let limit = Object::Limit(Box::new(Limit {
        id: LimitId::from_bytes([1; 16]),
        organization: OrganizationId::from_bytes([2; 16]),
        name: "rpm".to_owned(),
        scope: Scope::all(Of::Organization(OrganizationId::from_bytes([2; 16]))),
        unit: Unit::Requests,
        allowance: Allowance::Rate(Rate::new(1, 1, 1).unwrap()),
        terms: Terms::default(),
        counted_from_ms: 0,
    }));
    let mut strange = change(&limit);
    let mut read: wire::LimitPolicy = message::decode(&strange.value).unwrap();
    read.unit = 99;
    strange.value = message::encode(&read);
    let Act::Refuse { closes, .. } = Step::read(Lane::Config, strange).act else {
        panic!()
    };
    let expected = (
        LimitId::from_bytes([1; 16]),
        OrganizationId::from_bytes([2; 16]),
    );
    assert_eq!(closes, Some(expected));
}
