//! Roles and places: what covers what, and that nobody gives what they do not have.

use super::*;

fn binding(role: Role, at: &str) -> Binding {
    let at = Place::of(at).unwrap();
    Binding {
        role: role.into(),
        at,
    }
}

fn own(permissions: Permissions) -> Bound {
    let name = RoleName::parse("organizations/acme/roles/triage").unwrap();
    Bound::Own(OwnRole { name, permissions })
}

#[test]
fn a_place_covers_what_stands_in_it_and_nothing_beside_it() {
    let of = |text| Place::of(text).unwrap();
    let (everywhere, acme) = (of(""), of("organizations/acme"));
    let web = of("organizations/acme/projects/web/keys/0aZ9bY8cX7dW");
    assert_eq!(of("joinTokens/x"), Place::Everywhere);
    assert_eq!(of("organizations/acme/models/chat/versions/v1"), acme);
    assert!(everywhere.covers(&acme) && acme.covers(&web) && web.covers(&web));
    assert!(!acme.covers(&everywhere) && !web.covers(&acme));
    assert!(!acme.covers(&of("organizations/acme-2")));
    assert!(!web.covers(&of("organizations/acme/projects/we")));
    for text in [
        "organizations/",
        "organizations/Acme",
        "organizations/acme/projects/",
    ] {
        assert_eq!(Place::of(text), Err(InvalidPlace), "{text}");
    }
}

#[test]
fn nobody_gives_what_they_do_not_have() {
    let owner = Bindings(vec![binding(Role::Owner, "organizations/acme")]);
    for role in Role::ALL {
        assert!(owner.may_give(&binding(*role, "organizations/acme/projects/web")));
        assert!(!owner.may_give(&binding(*role, "organizations/evil")));
        assert!(!owner.may_give(&binding(*role, "")));
    }
    let admin = Bindings(vec![binding(
        Role::ProjectAdmin,
        "organizations/acme/projects/web",
    )]);
    assert!(admin.may_give(&binding(Role::KeyIssuer, "organizations/acme/projects/web")));
    assert!(!admin.may_give(&binding(Role::Viewer, "organizations/acme/projects/web")));
    assert!(!admin.may_give(&binding(Role::KeyIssuer, "organizations/acme")));
}

#[test]
fn whoever_changes_something_is_no_auditor() {
    use Permission as P;
    for permission in P::ALL {
        let reads = permission
            .word()
            .split_once('.')
            .is_some_and(|it| it.1 == "read");
        assert_eq!(Role::Auditor.holds(*permission), reads, "{permission:?}");
        assert!(reads || !Role::Viewer.holds(*permission), "{permission:?}");
        assert!(Role::Owner.holds(*permission));
    }
    assert!(!Role::Viewer.holds(P::AuditRead) && !Role::Viewer.holds(P::OperatorsRead));
}

#[test]
fn a_role_of_ones_own_holds_what_it_says_and_is_given_by_whoever_holds_all_of_it() {
    use Permission as P;
    let at = Place::of("organizations/acme/projects/web").unwrap();
    let role = own(Permissions::all_of([P::KeysRead, P::KeysRevoke]));
    let given = Binding { role, at };
    let holder = Bindings(vec![given.clone()]);
    assert!(holder.allow(P::KeysRevoke, &given.at) && !holder.allow(P::KeysIssue, &given.at));
    let above = Place::of("organizations/acme").unwrap();
    assert!(!holder.allow(P::KeysRevoke, &above));
    assert!(holder.may_give(&given));
    let viewer = Bindings(vec![binding(Role::Viewer, "organizations/acme")]);
    assert!(!viewer.may_give(&given));
    assert!(Bindings(vec![binding(Role::KeyIssuer, "organizations/acme")]).may_give(&given));
}

#[test]
fn what_is_not_known_of_a_role_opens_nothing_and_is_given_by_nobody() {
    let words = ["keys.read".to_owned(), "keys.juggle".to_owned()];
    for permissions in [Permissions::default(), Permissions::of_words(&words)] {
        let at = Place::of("organizations/acme").unwrap();
        let role = own(permissions);
        assert!(!role.holds(Permission::KeysIssue));
        let owner = Bindings(vec![binding(Role::Owner, "")]);
        assert!(!owner.may_give(&Binding { role, at }));
    }
}
