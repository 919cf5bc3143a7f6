//! Every method of the contract × every role × own organization, foreign organization and everything.

use domain::{
    access::{Binding, Bindings, Bound, OwnRole, Permissions, Role},
    methods::METHODS,
    name::{OrganizationName, RoleName},
};
use prost::Message;
use prost_reflect::{DynamicMessage, Value};

use super::*;

fn actor(role: Bound, at: &str) -> Actor {
    let at = Place::of(at).unwrap();
    Actor {
        key_id: "one".to_owned(),
        bindings: Arc::new(Bindings(vec![Binding { role, at }])),
        source: Arc::from(""),
    }
}

/// All that are built in, and for each permission a role of acme's own that holds nothing else.
fn roles() -> Vec<Bound> {
    let own = Permission::ALL.iter().map(|it| {
        Bound::Own(OwnRole {
            name: RoleName::parse("organizations/acme/roles/one").unwrap(),
            permissions: Permissions::all_of([*it]),
        })
    });
    let built_in = Role::ALL.iter().map(|it| Bound::BuiltIn(*it));
    built_in.chain(own).collect()
}

/// A request of the method at `path` that names something in this place.
fn request(contract: &Contract, path: &str, field: &str, name: &str) -> Vec<u8> {
    let mut parts: Vec<&str> = field.split('.').collect();
    let last = parts.pop().unwrap();
    let descriptor = contract.request_of(path).unwrap();
    let mut outer = DynamicMessage::new(descriptor);
    if field.is_empty() {
        return outer.encode_to_vec();
    }
    match parts.as_slice() {
        [] => outer.set_field_by_name(last, Value::String(name.to_owned())),
        [part] => {
            let inner = outer.get_field_by_name(part).unwrap().into_owned();
            let Value::Message(mut inner) = inner else {
                panic!("{path}: {part} is no message")
            };
            inner.set_field_by_name(last, Value::String(name.to_owned()));
            outer.set_field_by_name(part, Value::Message(inner));
        }
        _ => panic!("{path}: {field} is too deep"),
    }
    outer.encode_to_vec()
}

#[test]
fn every_method_of_the_contract_stands_in_the_table_and_no_other() {
    let contract = Contract::load().unwrap();
    let paths = contract.admin_methods();
    for path in &paths {
        assert!(
            methods::need(path).is_some(),
            "{path} is allowed to nobody: give it a row"
        );
    }
    assert_eq!(
        paths.len(),
        METHODS.len(),
        "the table has rows for no method"
    );
}

#[test]
fn the_database_is_reached_as_far_as_the_place_that_was_judged() {
    let contract = Contract::load().unwrap();
    let above = actor(roles()[0].clone(), "");
    let mut narrow = 0;
    for path in contract.admin_methods() {
        let reach = |name| {
            let field = match methods::need(&path) {
                Some(Need::In(_, field)) => field,
                _ => "",
            };
            let message = request(&contract, &path, field, name);
            allowed(&contract, &above, &path, &message)
        };
        let Some(Need::In(permission, field)) = methods::need(&path) else {
            assert_eq!(reach(""), Ok(Reach::Everywhere), "{path}");
            continue;
        };
        if !roles()[0].holds(permission) {
            continue;
        }
        let acme = OrganizationName::parse("organizations/acme").unwrap();
        let own = match field {
            "" => Reach::Everywhere,
            _ => Reach::Organization(acme),
        };
        narrow += usize::from(own != Reach::Everywhere);
        for name in [
            "organizations/acme",
            "organizations/acme/projects/web/keys/x",
        ] {
            assert_eq!(reach(name), Ok(own.clone()), "{path}");
        }
    }
    assert!(narrow > 100, "{narrow}");
}

#[test]
fn every_method_is_allowed_to_its_roles_in_their_own_place_and_to_nobody_else() {
    let contract = Contract::load().unwrap();
    let (mut cells, mut open) = (0, 0);
    for path in contract.admin_methods() {
        let Some(Need::In(permission, field)) = methods::need(&path) else {
            continue;
        };
        let own = request(
            &contract,
            &path,
            field,
            "organizations/acme/projects/web/keys/x",
        );
        let beside = request(&contract, &path, field, "organizations/acme/projects/other");
        let foreign = request(&contract, &path, field, "organizations/evil/projects/web");
        let nothing = request(&contract, &path, field, "");
        for role in &roles() {
            for at in ["", "organizations/acme", "organizations/acme/projects/web"] {
                let actor = actor(role.clone(), at);
                let may = |message: &[u8]| allowed(&contract, &actor, &path, message).is_ok();
                let holds = role.holds(permission);
                let above = at.is_empty();
                let named = !field.is_empty();
                assert_eq!(may(&own), holds && (above || named), "{role:?} {at} {path}");
                let there = above || named && at == "organizations/acme";
                assert_eq!(may(&beside), holds && there, "{role:?} {at} {path}");
                assert_eq!(may(&foreign), holds && above, "{role:?} {at} {path} abroad");
                assert_eq!(
                    may(&nothing),
                    holds && above,
                    "{role:?} {at} {path} nowhere"
                );
                cells += 4;
                open += usize::from(may(&own));
            }
        }
        let nobody = Actor {
            key_id: "none".to_owned(),
            bindings: Arc::default(),
            source: Arc::from(""),
        };
        assert!(allowed(&contract, &nobody, &path, &own).is_err(), "{path}");
    }
    println!("{cells} cells, {open} open");
    assert!(open > 100);
}

#[test]
fn a_name_that_hides_another_place_opens_nothing() {
    let contract = Contract::load().unwrap();
    let path = "/sluice.admin.v1.KeyService/GetKey";
    let owner = actor(Role::Owner.into(), "organizations/acme");
    for name in [
        "organizations/acme/../evil/projects/web/keys/x",
        "organizations/ACME/projects/web/keys/x",
        " organizations/acme/projects/web/keys/x",
        "projects/web/keys/x",
        "organizations//acme",
    ] {
        let message = request(&contract, path, "name", name);
        let may = allowed(&contract, &owner, path, &message).is_ok();
        // The first is one of acme's by its place, and no name of anything by its form.
        assert_eq!(may, name.starts_with("organizations/acme/"), "{name}");
    }
}
