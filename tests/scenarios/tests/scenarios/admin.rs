//! The admin API refuses what it cannot mean, and writes the rest once.

use harness::{
    admin::Admin,
    provider::Provider,
    site::{Plan, Site},
    tenant::Tenant,
};
use proto::admin::{
    CreateKeyRequest, CreateLimitRequest, CreateOrganizationRequest, CreateProviderRequest,
    DeleteOrganizationRequest, GetOrganizationRequest, Key, Limit, LimitUnit, LimitWindow,
    ListOrganizationsRequest, Organization, Provider as ProviderResource,
    UpdateOrganizationRequest,
};
use scenarios::openai;
use tonic::{
    Code, Request,
    codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
};
use tonic_types::StatusExt;

fn create(id: &str) -> CreateOrganizationRequest {
    CreateOrganizationRequest {
        organization_id: id.to_owned(),
        organization: Some(Organization {
            display_name: id.to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    }
}

async fn no_edges() -> Site {
    Site::start(Plan {
        edges: Vec::new(),
        control_planes: 2,
        ..Plan::default()
    })
    .await
}

#[tokio::test]
async fn every_mistake_is_named_at_once_and_nothing_is_half_written() {
    let site = no_edges().await;
    let admin = site.admin();
    admin
        .organizations()
        .create_organization(create("acme"))
        .await
        .expect("it is made");
    all_violations_of_a_provider_are_named(&admin).await;
    what_does_not_exist_cannot_be_named(&admin).await;
    what_is_used_or_exists_stays(&admin).await;

    let mut dry = create("dry");
    dry.validate_only = true;
    let would = admin.organizations().create_organization(dry).await;
    would.expect("it would be made");
    let name = "organizations/dry".to_owned();
    let absent = admin
        .organizations()
        .get_organization(GetOrganizationRequest { name })
        .await;
    assert_eq!(code(absent), Code::NotFound);
}

fn code<T: std::fmt::Debug>(reply: Result<T, tonic::Status>) -> Code {
    reply.expect_err("it is refused").code()
}

async fn all_violations_of_a_provider_are_named(admin: &Admin) {
    let provider = ProviderResource {
        base_url: "ftp://nowhere/?x=1".to_owned(),
        regions: vec!["Not A Region".to_owned()],
        ..Default::default()
    };
    let request = CreateProviderRequest {
        parent: "organizations/acme".to_owned(),
        provider_id: "Main!".to_owned(),
        provider: Some(provider),
        ..Default::default()
    };
    let reply = admin.providers().create_provider(request).await;
    let refused = reply.expect_err("it is refused");
    assert_eq!(refused.code(), Code::InvalidArgument);
    let details = refused.get_details_bad_request().expect("details");
    let fields: Vec<&str> = details
        .field_violations
        .iter()
        .map(|it| it.field.as_str())
        .collect();
    for field in [
        "provider_id",
        "provider.kind",
        "provider.base_url",
        "provider.regions[0]",
    ] {
        assert!(fields.contains(&field), "{field} is not among {fields:?}");
    }
}

fn limit(scope: &str, amount: i64) -> CreateLimitRequest {
    CreateLimitRequest {
        parent: "organizations/acme".to_owned(),
        limit_id: "rpm".to_owned(),
        limit: Some(Limit {
            scope: scope.to_owned(),
            unit: LimitUnit::Requests.into(),
            amount,
            window: LimitWindow::Minute.into(),
            ..Default::default()
        }),
        ..Default::default()
    }
}

async fn what_does_not_exist_cannot_be_named(admin: &Admin) {
    let dangling = limit("organizations/acme/projects/nobody", 10);
    let reply = admin.limits().create_limit(dangling).await;
    let refused = reply.expect_err("it is refused");
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused:?}");
    let details = refused.get_details_bad_request().expect("details");
    assert_eq!(details.field_violations[0].field, "limit.scope");
    let zero = limit("organizations/acme", 0);
    let zero = admin.limits().create_limit(zero).await;
    assert_eq!(code(zero), Code::InvalidArgument);
    let good = limit("organizations/acme", 10);
    let made = admin.limits().create_limit(good).await;
    made.expect("nothing stands there");

    let request = CreateKeyRequest {
        parent: "organizations/acme/projects/nobody".to_owned(),
        key: Some(Key::default()),
        ..Default::default()
    };
    assert_eq!(code(admin.keys().create_key(request).await), Code::NotFound);
}

async fn what_is_used_or_exists_stays(admin: &Admin) {
    let request = DeleteOrganizationRequest {
        name: "organizations/acme".to_owned(),
        ..Default::default()
    };
    let reply = admin.organizations().delete_organization(request).await;
    assert_eq!(
        code(reply),
        Code::FailedPrecondition,
        "it still has a limit"
    );
    let mut client = admin.organizations();
    let again = client.create_organization(create("acme")).await;
    assert_eq!(code(again), Code::AlreadyExists);
}

/// Sends bytes as they are, so that a test can say what no generated code would.
#[derive(Clone, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = tonic::Status;

    fn encode(&mut self, item: Vec<u8>, to: &mut EncodeBuf<'_>) -> Result<(), tonic::Status> {
        bytes::BufMut::put_slice(to, &item);
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::default()
    }
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = tonic::Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, tonic::Status> {
        let mut bytes = vec![0; bytes::Buf::remaining(from)];
        bytes::Buf::copy_to_slice(from, &mut bytes);
        Ok(Some(bytes))
    }
}

#[tokio::test]
async fn a_field_that_nobody_knows_is_refused_at_any_depth() {
    let site = no_edges().await;
    let mut channel = tonic::client::Grpc::new(site.admin().channel());
    // organization_id = "acme", organization = { field 99 = 1 }
    let nested = [&[0x0a, 4][..], b"acme", &[0x12, 3, 0x98, 0x06, 0x01]].concat();
    let top = [&[0x0a, 4][..], b"acme", &[0x98, 0x06, 0x01]].concat();
    for bytes in [nested, top] {
        channel.ready().await.expect("the control plane is there");
        let path = "/sluice.admin.v1.OrganizationService/CreateOrganization";
        let path = http::uri::PathAndQuery::from_static(path);
        let reply = channel.unary(Request::new(bytes), path, Raw).await;
        let refused = reply.expect_err("it is refused");
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(
            refused.message().contains("99"),
            "it names the field: {refused:?}"
        );
    }
    let request = ListOrganizationsRequest::default();
    let listed = site
        .admin()
        .organizations()
        .list_organizations(request)
        .await;
    assert!(
        listed
            .expect("it answers")
            .into_inner()
            .organizations
            .is_empty()
    );
}

#[tokio::test]
async fn concurrent_writes_with_one_request_id_or_one_etag_happen_once() {
    let site = no_edges().await;
    for round in 0..5 {
        let mut request = create(&format!("acme-{round}"));
        request.request_id = format!("0197a1de-0000-7000-8000-00000000000{round}");
        let mut calls = tokio::task::JoinSet::new();
        for at in 0..6 {
            let (mut client, request) = (site.admin_of(at % 2).organizations(), request.clone());
            calls.spawn(async move { client.create_organization(request).await });
        }
        let replies: Vec<Organization> = calls
            .join_all()
            .await
            .into_iter()
            .map(|it| it.expect("the same reply").into_inner())
            .collect();
        assert!(replies.iter().all(|it| *it == replies[0]), "{replies:?}");
        request.organization_id = "other".to_owned();
        let mut client = site.admin().organizations();
        let reused = client.create_organization(request).await;
        assert_eq!(code(reused), Code::InvalidArgument);
        one_of_two_writes_with_an_etag_is_aborted(&site, &replies[0]).await;
    }
}

async fn one_of_two_writes_with_an_etag_is_aborted(site: &Site, from: &Organization) {
    let mut calls = tokio::task::JoinSet::new();
    for at in 0..2 {
        let mut organization = from.clone();
        organization.display_name = format!("renamed by {at}");
        let paths = vec!["display_name".to_owned()];
        let request = UpdateOrganizationRequest {
            organization: Some(organization),
            update_mask: Some(prost_types::FieldMask { paths }),
            ..Default::default()
        };
        let mut client = site.admin_of(at).organizations();
        calls.spawn(async move { client.update_organization(request).await });
    }
    let (done, stale): (Vec<_>, Vec<_>) =
        calls.join_all().await.into_iter().partition(Result::is_ok);
    assert_eq!((done.len(), stale.len()), (1, 1), "{stale:?}");
    for reply in stale {
        assert_eq!(code(reply), Code::Aborted);
    }
}

#[tokio::test]
async fn pages_follow_each_other_and_their_tokens_cannot_be_made_up() {
    let site = no_edges().await;
    let mut client = site.admin().organizations();
    for round in 0..5 {
        let made = client.create_organization(create(&format!("acme-{round}")));
        made.await.expect("it is made");
    }
    let page = |page_size, page_token: &str| ListOrganizationsRequest {
        page_size,
        page_token: page_token.to_owned(),
    };
    let first = client.list_organizations(page(2, "")).await;
    let first = first.expect("it answers").into_inner();
    assert_eq!(first.organizations.len(), 2);
    let rest = client.list_organizations(page(10, &first.next_page_token));
    let rest = rest.await.expect("it answers").into_inner();
    let end = rest.next_page_token.as_str();
    assert_eq!((rest.organizations.len(), end), (3, ""));
    let made_up = client.list_organizations(page(2, "made up")).await;
    assert_eq!(code(made_up), Code::InvalidArgument);
}

#[tokio::test]
async fn nobody_without_the_operators_key_is_answered() {
    let site = no_edges().await;
    for key in ["", "slo_wrong", "Bearer"] {
        let stranger = harness::admin::Admin::new(site.control_planes[0].admin, key);
        let request = ListOrganizationsRequest::default();
        let listed = stranger.organizations().list_organizations(request).await;
        assert_eq!(
            listed.expect_err("it is refused").code(),
            Code::Unauthenticated
        );
    }
}

#[tokio::test]
async fn wait_for_propagation_names_the_edge_that_is_behind() {
    let provider = Provider::start(openai::answer).await;
    let mut site = Site::start(Plan {
        edges: vec!["here", "there"],
        ..Plan::default()
    })
    .await;
    site.propagated().await;
    site.edges[1]
        .process
        .signal(nix::sys::signal::Signal::SIGSTOP);
    Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let request = proto::admin::WaitForPropagationRequest {
        timeout: Some(prost_types::Duration {
            seconds: 1,
            nanos: 0,
        }),
        ..Default::default()
    };
    let reply = site.admin().edges().wait_for_propagation(request).await;
    let reply = reply.expect("it answers").into_inner();
    assert!(!reply.reached);
    assert_eq!(reply.edges_reached, 1);
    let names: Vec<&str> = reply.stragglers.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["edges/edge-1"]);
    assert_eq!(reply.stragglers[0].region, "there");
    site.edges[1]
        .process
        .signal(nix::sys::signal::Signal::SIGCONT);
    site.propagated().await;
    site.edges[1].process.kill();
}
