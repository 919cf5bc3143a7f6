//! An operator may do what their roles say, where they hold them, from one call to the next.

use harness::{
    admin::Admin,
    provider::Provider,
    site::{Plan, Site},
    tenant::Tenant,
};
use proto::admin::{
    CreateKeyRequest, CreateOperatorKeyRequest, CreateOrganizationRequest, GetKeyRequest,
    GetOrganizationRequest, Key, ListOperatorKeysRequest, ListOrganizationsRequest, OperatorKey,
    RevokeKeyRequest, RevokeOperatorKeyRequest, RoleBinding, UpdateOperatorKeyRequest,
};
use scenarios::openai;
use tonic::{Code, Status};

fn binding(role: &str, scope: &str) -> RoleBinding {
    RoleBinding {
        role: role.to_owned(),
        scope: scope.to_owned(),
    }
}

/// Has `admin` mint an operator key: its name, and the admin API as its owner sees it.
async fn operator(
    site: &Site,
    admin: &Admin,
    parent: &str,
    bindings: Vec<RoleBinding>,
) -> Result<(String, Admin), Status> {
    let request = CreateOperatorKeyRequest {
        parent: parent.to_owned(),
        operator_key: Some(OperatorKey {
            bindings,
            ..Default::default()
        }),
        ..Default::default()
    };
    let reply = admin.operator_keys().create_operator_key(request).await?;
    let reply = reply.into_inner();
    let name = reply.operator_key.expect("the reply holds the key").name;
    Ok((name, Admin::new(site.control_planes[0].admin, &reply.text)))
}

async fn mint(admin: &Admin, project: &str) -> Result<String, Code> {
    let request = CreateKeyRequest {
        parent: project.to_owned(),
        key: Some(Key::default()),
        ..Default::default()
    };
    let made = admin.keys().create_key(request).await;
    let made = made.map_err(|why| why.code())?.into_inner();
    Ok(made.key.expect("the reply holds the key").name)
}

async fn see(admin: &Admin, name: &str) -> Code {
    let request = GetOrganizationRequest {
        name: name.to_owned(),
    };
    let seen = admin.organizations().get_organization(request).await;
    seen.map_or_else(|why| why.code(), |_| Code::Ok)
}

#[tokio::test]
async fn an_organization_keeps_its_operators_and_is_a_wall_to_others() {
    let provider = Provider::start(openai::answer).await;
    let site = Site::start(Plan {
        edges: Vec::new(),
        ..Plan::default()
    })
    .await;
    let root = site.admin();
    let acme = Tenant::make(&root, "acme", &provider.base_url()).await;
    let evil = Tenant::make(&root, "evil", &provider.base_url()).await;
    let (evils, _) = evil.key().await;
    let bindings = vec![binding("owner", &acme.organization)];
    let made = operator(&site, &root, &acme.organization, bindings).await;
    let (_, owner) = made.expect("an owner of acme is made");

    assert!(mint(&owner, &acme.project).await.is_ok());
    assert_eq!(
        mint(&owner, &evil.project).await,
        Err(Code::PermissionDenied)
    );
    assert_eq!(see(&owner, &acme.organization).await, Code::Ok);
    // Whether something stands elsewhere is not told.
    for name in [&evil.organization, "organizations/nobody"] {
        assert_eq!(see(&owner, name).await, Code::PermissionDenied);
    }
    let get = owner.keys().get_key(GetKeyRequest { name: evils }).await;
    assert_eq!(
        get.expect_err("it is refused").code(),
        Code::PermissionDenied
    );
    let listed = owner.organizations();
    let listed = { listed }
        .list_organizations(ListOrganizationsRequest::default())
        .await;
    let listed = listed.expect("it answers").into_inner().organizations;
    let names: Vec<&str> = listed.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, [acme.organization.as_str()]);
    let request = CreateOrganizationRequest {
        organization_id: "mine".to_owned(),
        ..Default::default()
    };
    let made = owner.organizations().create_organization(request).await;
    assert_eq!(
        made.expect_err("it is refused").code(),
        Code::PermissionDenied
    );

    // What an owner of acme gives stays in acme.
    let key_issuer = vec![binding("key-issuer", &acme.project)];
    let made = operator(&site, &owner, &acme.organization, key_issuer).await;
    let (issuer_name, issuer) = made.expect("an owner gives what they have");
    for (parent, scope) in [
        (acme.organization.as_str(), ""),
        (acme.organization.as_str(), evil.organization.as_str()),
        ("", acme.organization.as_str()),
        (evil.organization.as_str(), evil.organization.as_str()),
    ] {
        let made = operator(&site, &owner, parent, vec![binding("viewer", scope)]).await;
        let why = made.expect_err("it is refused").code();
        assert!(
            matches!(why, Code::PermissionDenied | Code::InvalidArgument),
            "{parent} {scope}"
        );
    }
    issued(&issuer, &acme).await;
    changed(&owner, (&issuer_name, &issuer), &acme).await;
}

/// A key issuer issues and revokes keys, and nothing else.
async fn issued(issuer: &Admin, acme: &Tenant) {
    let name = mint(issuer, &acme.project).await.expect("it issues keys");
    let request = RevokeKeyRequest {
        name,
        ..Default::default()
    };
    issuer
        .keys()
        .revoke_key(request)
        .await
        .expect("it revokes keys");
    assert_eq!(
        see(issuer, &acme.organization).await,
        Code::PermissionDenied
    );
    let request = ListOperatorKeysRequest {
        parent: acme.organization.clone(),
        ..Default::default()
    };
    let listed = issuer.operator_keys().list_operator_keys(request).await;
    assert_eq!(
        listed.expect_err("it is refused").code(),
        Code::PermissionDenied
    );
}

/// A role that is changed or revoked is so from the next call on.
async fn changed(owner: &Admin, (name, issuer): (&str, &Admin), acme: &Tenant) {
    let request = UpdateOperatorKeyRequest {
        operator_key: Some(OperatorKey {
            name: name.to_owned(),
            bindings: vec![binding("viewer", &acme.organization)],
            ..Default::default()
        }),
        ..Default::default()
    };
    let updated = owner.operator_keys().update_operator_key(request).await;
    updated.expect("the role is changed");
    assert_eq!(see(issuer, &acme.organization).await, Code::Ok);
    assert_eq!(
        mint(issuer, &acme.project).await,
        Err(Code::PermissionDenied)
    );
    let request = RevokeOperatorKeyRequest {
        name: name.to_owned(),
        ..Default::default()
    };
    let revoked = owner.operator_keys().revoke_operator_key(request).await;
    revoked.expect("it is revoked");
    assert_eq!(see(issuer, &acme.organization).await, Code::Unauthenticated);
}

#[tokio::test]
async fn the_last_owner_of_everything_stays() {
    let site = Site::start(Plan {
        edges: Vec::new(),
        ..Plan::default()
    })
    .await;
    let root = site.admin();
    let listed = root
        .operator_keys()
        .list_operator_keys(ListOperatorKeysRequest::default())
        .await;
    let listed = listed.expect("it answers").into_inner().operator_keys;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].bindings, [binding("owner", "")]);
    let revoke = |admin: &Admin| {
        let request = RevokeOperatorKeyRequest {
            name: listed[0].name.clone(),
            ..Default::default()
        };
        let mut keys = admin.operator_keys();
        async move {
            keys.revoke_operator_key(request)
                .await
                .map_err(|why| why.code())
        }
    };
    assert_eq!(revoke(&root).await.err(), Some(Code::FailedPrecondition));
    let made = operator(&site, &root, "", vec![binding("owner", "")]).await;
    let (_, other) = made.expect("another owner is made");
    assert!(revoke(&other).await.is_ok());
    assert_eq!(revoke(&root).await.err(), Some(Code::Unauthenticated));
}
