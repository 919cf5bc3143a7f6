//! Roles of an organization's own: they open what they say where they are bound, and nobody reaches beyond what they hold by one.

use harness::{
    admin::Admin,
    provider::Provider,
    site::{Plan, Site},
    tenant::Tenant,
};
use proto::admin::{
    CreateKeyRequest, CreateOperatorKeyRequest, CreateRoleRequest, CreateTrustRequest,
    DeleteRoleRequest, Key, ListKeysRequest, OperatorKey, RevokeKeyRequest,
    RevokeOperatorKeyRequest, Role, RoleBinding, Trust, TrustGrant, UpdateOperatorKeyRequest,
    UpdateRoleRequest,
};
use scenarios::openai;
use tonic::{Code, Status};

use crate::command_line::Shell;

fn role(permissions: &[&str]) -> Role {
    Role {
        permissions: permissions.iter().map(|it| (*it).to_owned()).collect(),
        ..Default::default()
    }
}

async fn make(
    admin: &Admin,
    parent: &str,
    id: &str,
    permissions: &[&str],
) -> Result<String, Status> {
    let request = CreateRoleRequest {
        parent: parent.to_owned(),
        role_id: id.to_owned(),
        role: Some(role(permissions)),
        ..Default::default()
    };
    let made = admin.roles().create_role(request).await?;
    Ok(made.into_inner().name)
}

async fn change(admin: &Admin, name: &str, permissions: &[&str]) -> Result<Role, Code> {
    let request = UpdateRoleRequest {
        role: Some(Role {
            name: name.to_owned(),
            ..role(permissions)
        }),
        ..Default::default()
    };
    let changed = admin.roles().update_role(request).await;
    changed
        .map(tonic::Response::into_inner)
        .map_err(|why| why.code())
}

async fn delete(admin: &Admin, name: &str) -> Result<(), Status> {
    let request = DeleteRoleRequest {
        name: name.to_owned(),
        ..Default::default()
    };
    admin.roles().delete_role(request).await.map(drop)
}

/// An operator of `parent` who holds this role there: their key's name, and the admin API as they see it.
async fn operator(
    (site, admin): (&Site, &Admin),
    parent: &str,
    (role, scope): (&str, &str),
) -> Result<(String, Admin), Code> {
    let bindings = vec![RoleBinding {
        role: role.to_owned(),
        scope: scope.to_owned(),
    }];
    let request = CreateOperatorKeyRequest {
        parent: parent.to_owned(),
        operator_key: Some(OperatorKey {
            bindings,
            ..Default::default()
        }),
        ..Default::default()
    };
    let reply = admin.operator_keys().create_operator_key(request).await;
    let reply = reply.map_err(|why| why.code())?.into_inner();
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

async fn list(admin: &Admin, project: &str) -> Code {
    let request = ListKeysRequest {
        parent: project.to_owned(),
        ..Default::default()
    };
    let listed = admin.keys().list_keys(request).await;
    listed.map_or_else(|why| why.code(), |_| Code::Ok)
}

async fn site() -> (Provider, Site, Admin, Tenant) {
    let provider = Provider::start(openai::answer).await;
    let site = Site::start(Plan {
        edges: Vec::new(),
        ..Plan::default()
    })
    .await;
    let root = site.admin();
    let acme = Tenant::make(&root, "acme", &provider.base_url()).await;
    (provider, site, root, acme)
}

#[tokio::test]
async fn a_role_of_ones_own_opens_what_it_says_and_is_deleted_when_nobody_holds_it() {
    let (_provider, site, root, acme) = site().await;
    let name = make(
        &root,
        &acme.organization,
        "triage",
        &["keys.read", "keys.revoke"],
    )
    .await;
    let name = name.expect("the role is made");
    assert_eq!(name, "organizations/acme/roles/triage");
    let held = (name.as_str(), acme.project.as_str());
    let made = operator((&site, &root), &acme.organization, held).await;
    let (key_name, holder) = made.expect("an owner binds it");

    let minted = mint(&root, &acme.project).await.expect("it is minted");
    assert_eq!(list(&holder, &acme.project).await, Code::Ok);
    assert_eq!(
        mint(&holder, &acme.project).await,
        Err(Code::PermissionDenied)
    );
    let request = RevokeKeyRequest {
        name: minted,
        ..Default::default()
    };
    let revoked = holder.keys().revoke_key(request).await;
    revoked.expect("the role says so");

    // From the next call on.
    let changed = change(&root, &name, &["keys.issue"]).await;
    assert_eq!(changed.expect("it is changed").permissions, ["keys.issue"]);
    assert_eq!(list(&holder, &acme.project).await, Code::PermissionDenied);
    assert!(mint(&holder, &acme.project).await.is_ok());

    // An etag guards it, and so does whoever holds it.
    let stale = DeleteRoleRequest {
        name: name.clone(),
        etag: "stale".to_owned(),
        ..Default::default()
    };
    let refused = root.roles().delete_role(stale).await;
    assert_eq!(refused.expect_err("it is stale").code(), Code::Aborted);
    let held = delete(&root, &name).await.expect_err("somebody holds it");
    assert_eq!(held.code(), Code::FailedPrecondition);
    assert!(held.message().contains("operator-keys list"), "{held}");
    let request = RevokeOperatorKeyRequest {
        name: key_name,
        ..Default::default()
    };
    let revoked = root.operator_keys().revoke_operator_key(request).await;
    revoked.expect("it is revoked");
    delete(&root, &name).await.expect("nobody holds it");
    let gone = change(&root, &name, &["keys.read"]).await;
    assert_eq!(gone.err(), Some(Code::NotFound));
}

#[tokio::test]
async fn nobody_reaches_beyond_what_they_hold_by_a_role_of_their_own() {
    let (provider, site, root, acme) = site().await;
    let evil = Tenant::make(&root, "evil", &provider.base_url()).await;
    let staff = ["operators.read", "operators.write", "keys.read"];
    let staff = make(&root, &acme.organization, "staff", &staff).await;
    let staff = staff.expect("the role is made");
    let strong = make(&root, &acme.organization, "strong", &["keys.issue"]).await;
    let strong = strong.expect("the role is made");
    let held = (staff.as_str(), acme.organization.as_str());
    let made = operator((&site, &root), &acme.organization, held).await;
    let (mine, holder) = made.expect("an owner binds it");

    let denied = Some(Code::PermissionDenied);
    let made = make(&holder, &acme.organization, "mine", &["keys.issue"]).await;
    assert_eq!(made.err().map(|why| why.code()), denied);
    // Neither into the role that they hold, nor out of one that they do not.
    let all = [
        "operators.read",
        "operators.write",
        "keys.read",
        "keys.issue",
    ];
    assert_eq!(change(&holder, &staff, &all).await.err(), denied);
    assert_eq!(change(&holder, &strong, &["keys.read"]).await.err(), denied);
    let held = (strong.as_str(), acme.organization.as_str());
    let made = operator((&site, &holder), &acme.organization, held).await;
    assert_eq!(made.err(), denied);
    let request = UpdateOperatorKeyRequest {
        operator_key: Some(OperatorKey {
            name: mine,
            bindings: vec![RoleBinding {
                role: strong.clone(),
                scope: acme.organization.clone(),
            }],
            ..Default::default()
        }),
        ..Default::default()
    };
    let taken = holder.operator_keys().update_operator_key(request).await;
    assert_eq!(taken.err().map(|why| why.code()), denied);
    assert_eq!(trust(&holder, &acme, &strong).await.err(), denied);
    // What they do hold, they give.
    let made = make(&holder, &acme.organization, "weak", &["keys.read"]).await;
    let weak = made.expect("they hold it");
    let held = (weak.as_str(), acme.project.as_str());
    let made = operator((&site, &holder), &acme.organization, held).await;
    assert!(made.is_ok());
    assert!(trust(&holder, &acme, &weak).await.is_ok());
    let held = delete(&root, &weak).await.expect_err("a trust holds it");
    assert_eq!(held.code(), Code::FailedPrecondition);

    // A role is its organization's, and holds nothing that is nobody's.
    let made = operator((&site, &root), "", (strong.as_str(), &evil.organization)).await;
    assert_eq!(made.err(), Some(Code::InvalidArgument));
    let made = operator((&site, &root), "", (strong.as_str(), "")).await;
    assert_eq!(made.err(), Some(Code::InvalidArgument));
    let made = make(&holder, &evil.organization, "mine", &["keys.read"]).await;
    assert_eq!(made.err().map(|why| why.code()), denied);
    for word in ["edges.read", "organizations.create", "keys.juggle"] {
        let made = make(&root, &acme.organization, "high", &[word]).await;
        let why = made.expect_err("it is refused").code();
        assert_eq!(why, Code::InvalidArgument, "{word}");
    }
}

async fn trust(admin: &Admin, acme: &Tenant, role: &str) -> Result<(), Code> {
    let request = CreateTrustRequest {
        parent: acme.organization.clone(),
        trust_id: "forge".to_owned(),
        trust: Some(Trust {
            issuer_url: "https://forge.example".to_owned(),
            audiences: vec!["sluice".to_owned()],
            subject: "repo:acme/chat:**".to_owned(),
            grants: vec![TrustGrant {
                role: role.to_owned(),
                scope: acme.organization.clone(),
                ..Default::default()
            }],
            ..Default::default()
        }),
        ..Default::default()
    };
    let made = admin.trusts().create_trust(request).await;
    made.map(drop).map_err(|why| why.code())
}

#[tokio::test]
async fn the_command_line_makes_shows_and_binds_roles() {
    let (_provider, site, _root, _acme) = site().await;
    let shell = Shell::new(&site);
    let table = shell.done("roles permissions");
    assert!(table.contains("keys.revoke") && table.contains("project-admin"));
    shell.done("roles create triage --permission keys.read,keys.revoke");
    let made = shell.json("roles get triage");
    let etag = made["etag"].as_str().expect("it has one");
    shell.done(&format!(
        "roles update triage --permission keys.read --etag {etag}"
    ));
    let stale = shell.run(&format!(
        "roles update triage --display-name x --etag {etag}"
    ));
    assert_eq!(stale.code, 4, "{}", stale.err);
    assert!(shell.done("roles list").contains("keys.read"));
    let key = shell.json("operator-keys create --role roles/triage@project");
    let bound = &key["operatorKey"]["bindings"][0];
    assert_eq!(bound["role"], "organizations/acme/roles/triage");
    let told = shell.done("audit list");
    assert!(
        told.contains("CreateRole") && told.contains("UpdateRole"),
        "{told}"
    );
    let held = shell.run("roles delete triage");
    assert!(held.err.contains("take it from them"), "{}", held.err);
}
