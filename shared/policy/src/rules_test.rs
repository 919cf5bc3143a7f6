//! What is in force after an edit, and what is not.

use payload::transform::Recipe;

use super::*;
use crate::{
    id::{ModelId, ProjectId},
    limit::{Allowance, Of, Rate, Scope, Terms, Unit},
};

fn limit(of: Of) -> Object {
    Object::Limit(Box::new(Limit {
        id: LimitId::from_bytes([1; 16]),
        organization: OrganizationId::from_bytes([2; 16]),
        name: "rpm".to_owned(),
        scope: Scope::all(of),
        unit: Unit::Requests,
        allowance: Allowance::Rate(Rate::new(10, 1_000, 1).unwrap()),
        terms: Terms::default(),
        counted_from_ms: 0,
    }))
}

fn asking(project: u8, key_id: &str) -> Asking<'_> {
    Asking {
        organization: OrganizationId::from_bytes([2; 16]),
        project: ProjectId::from_bytes([project; 16]),
        key_id,
        model: Some(ModelId::from_bytes([9; 16])),
        end_user: Some(""),
        now_ms: 0,
    }
}

#[test]
fn an_unreadable_limit_closes_its_organization_until_it_is_readable() {
    let organization = Organization {
        id: OrganizationId::from_bytes([2; 16]),
        name: "acme".to_owned(),
        zone: Zone::UTC,
        audit_access: AuditAccess::None,
    };
    let mut rules = Rules::default();
    rules.apply(Edit::Upsert(Object::Organization(organization.clone())));
    rules.close(LimitId::from_bytes([1; 16]), organization.id);
    assert!(rules.organization(organization.id).is_none());
    assert!(
        rules
            .object(Kind::Organization, organization.id.as_bytes())
            .is_some()
    );
    rules.apply(Edit::Upsert(limit(Of::Key("it".to_owned()))));
    assert!(rules.organization(organization.id).is_some());
}

#[test]
fn what_is_told_of_access_is_what_the_organization_says_last() {
    let id = OrganizationId::from_bytes([2; 16]);
    let mut rules = Rules::default();
    for which in [AuditAccess::All, AuditAccess::Denied, AuditAccess::None] {
        rules.apply(Edit::Upsert(Object::Organization(Organization {
            id,
            name: "acme".to_owned(),
            zone: Zone::UTC,
            audit_access: which,
        })));
        assert_eq!(rules.audit_access(id), which);
        let other = rules.audit_access(OrganizationId::from_bytes([3; 16]));
        assert_eq!(other, AuditAccess::None);
    }
    assert_eq!(rules.auditing, 0);
}

#[test]
fn a_limit_that_moves_leaves_nothing_behind() {
    let mut rules = Rules::default();
    let count = |rules: &Rules| {
        let here = rules.limits(&asking(3, "here")).len();
        (here, rules.limits(&asking(4, "there")).len())
    };
    let here = Of::Project(ProjectId::from_bytes([3; 16]));
    rules.apply(Edit::Upsert(limit(here)));
    assert_eq!(count(&rules), (1, 0));
    rules.apply(Edit::Upsert(limit(Of::Key("there".to_owned()))));
    assert_eq!(count(&rules), (0, 1));
    rules.apply(Edit::Delete {
        kind: Kind::Limit,
        key: vec![1; 16],
    });
    assert_eq!(count(&rules), (0, 0));
}

#[test]
fn it_is_known_whether_any_version_copies_headers() {
    let version = |id, header_rules| {
        let recipe = Recipe::read("", header_rules).unwrap();
        Object::Version(Version {
            id: VersionId::from_bytes([id; 16]),
            model: ModelId::from_bytes([9; 16]),
            name: "v".to_owned(),
            targets: Vec::new(),
            recipe: Some(Arc::new(recipe)),
            routing: crate::routing::Routing::default(),
        })
    };
    let mut rules = Rules::default();
    rules.apply(Edit::Upsert(version(1, r#"[{"remove":"user-agent"}]"#)));
    assert!(!rules.copies_headers());
    let copying = version(2, r#"[{"copy":"x-trace"}]"#);
    for _ in 0..2 {
        rules.apply(Edit::Upsert(copying.clone()));
    }
    assert!(rules.copies_headers());
    rules.apply(Edit::Delete {
        kind: Kind::Version,
        key: copying.key(),
    });
    assert!(!rules.copies_headers());
}
