//! The admin API refuses what it cannot mean, and writes the rest once.

use harness::{
    provider::Provider,
    site::{Plan, Site},
    tenant::Tenant,
};
use proto::admin::{
    CreateKeyRequest, CreateLimitRequest, CreateOrganizationRequest, CreateProviderRequest,
    DeleteOrganizationRequest, GetOrganizationRequest, Key, Limit, LimitUnit, LimitWindow,
    ListOrganizationsRequest, Organization, Provider as ProviderResource, UpdateOrganizationRequest,
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
        organization: Some(Organization { display_name: id.to_owned(), ..Default::default() }),
        ..Default::default()
    }
}

async fn no_edges() -> Site {
    Site::start(Plan { edges: Vec::new(), control_planes: 2, ..Plan::default() }).await
}

#[tokio::test]
async fn every_mistake_is_named_at_once_and_nothing_is_half_written() {
    let site = no_edges().await;
    let admin = site.admin();
    admin.organizations().create_organization(create("acme")).await.expect("it is made");

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
    let refused = admin.providers().create_provider(request).await.expect_err("it is refused");
    assert_eq!(refused.code(), Code::InvalidArgument);
    let details = refused.get_details_bad_request().expect("the details say which fields");
    let fields: Vec<&str> = details.field_violations.iter().map(|it| it.field.as_str()).collect();
    for field in ["provider_id", "provider.kind", "provider.base_url", "provider.regions[0]"] {
        assert!(fields.contains(&field), "{field} is not among {fields:?}");
    }

    let limit = |scope: &str, amount| CreateLimitRequest {
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
    };
    let dangling = limit("organizations/acme/projects/nobody", 10);
    let refused = admin.limits().create_limit(dangling).await.expect_err("it is refused");
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused:?}");
    let details = refused.get_details_bad_request().expect("the details say which field");
    assert_eq!(details.field_violations[0].field, "limit.scope");
    let zero = admin.limits().create_limit(limit("organizations/acme", 0)).await;
    assert_eq!(zero.expect_err("it is refused").code(), Code::InvalidArgument);
    admin.limits().create_limit(limit("organizations/acme", 10)).await.expect("nothing stands there");

    let request = CreateKeyRequest {
        parent: "organizations/acme/projects/nobody".to_owned(),
        key: Some(Key::default()),
        ..Default::default()
    };
    let refused = admin.keys().create_key(request).await.expect_err("it is refused");
    assert_eq!(refused.code(), Code::NotFound);

    let request = DeleteOrganizationRequest { name: "organizations/acme".to_owned(), ..Default::default() };
    let refused = admin.organizations().delete_organization(request).await.expect_err("it is refused");
    assert_eq!(refused.code(), Code::FailedPrecondition, "it still has a limit");

    let again = admin.organizations().create_organization(create("acme")).await;
    assert_eq!(again.expect_err("it is refused").code(), Code::AlreadyExists);

    let mut dry = create("dry");
    dry.validate_only = true;
    admin.organizations().create_organization(dry).await.expect("it would be made");
    let request = GetOrganizationRequest { name: "organizations/dry".to_owned() };
    let absent = admin.organizations().get_organization(request).await.expect_err("it was not made");
    assert_eq!(absent.code(), Code::NotFound);
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
        assert!(refused.message().contains("99"), "it names the field: {refused:?}");
    }
    let request = ListOrganizationsRequest::default();
    let listed = site.admin().organizations().list_organizations(request).await;
    assert!(listed.expect("it answers").into_inner().organizations.is_empty());
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
        let replies = calls.join_all().await.into_iter();
        let replies: Vec<Organization> =
            replies.map(|it| it.expect("the same reply").into_inner()).collect();
        assert!(replies.iter().all(|it| *it == replies[0]), "{replies:?}");
        request.organization_id = "other".to_owned();
        let reused = site.admin().organizations().create_organization(request).await;
        assert_eq!(reused.expect_err("it is refused").code(), Code::InvalidArgument);

        let mut calls = tokio::task::JoinSet::new();
        for at in 0..2 {
            let mut organization = replies[0].clone();
            organization.display_name = format!("renamed by {at}");
            let request = UpdateOrganizationRequest {
                organization: Some(organization),
                update_mask: Some(prost_types::FieldMask { paths: vec!["display_name".to_owned()] }),
                ..Default::default()
            };
            let mut client = site.admin_of(at).organizations();
            calls.spawn(async move { client.update_organization(request).await });
        }
        let replies = calls.join_all().await;
        let (done, refused): (Vec<_>, Vec<_>) = replies.into_iter().partition(Result::is_ok);
        assert_eq!((done.len(), refused.len()), (1, 1), "{refused:?}");
        let code = refused.into_iter().next().and_then(Result::err).expect("one").code();
        assert_eq!(code, Code::Aborted);
    }
    let request = ListOrganizationsRequest { page_size: 2, ..Default::default() };
    let first = site.admin().organizations().list_organizations(request).await;
    let first = first.expect("it answers").into_inner();
    assert_eq!(first.organizations.len(), 2);
    let token = first.next_page_token;
    let request = ListOrganizationsRequest { page_size: 10, page_token: token };
    let rest = site.admin().organizations().list_organizations(request).await;
    let rest = rest.expect("it answers").into_inner();
    assert_eq!((rest.organizations.len(), rest.next_page_token.as_str()), (3, ""));
    let request = ListOrganizationsRequest { page_token: "made up".to_owned(), ..Default::default() };
    let refused = site.admin().organizations().list_organizations(request).await;
    assert_eq!(refused.expect_err("it is refused").code(), Code::InvalidArgument);
}

#[tokio::test]
async fn nobody_without_the_operators_key_is_answered() {
    let site = no_edges().await;
    for key in ["", "slo_wrong", "Bearer"] {
        let stranger = harness::admin::Admin::new(site.control_planes[0].admin, key);
        let request = ListOrganizationsRequest::default();
        let listed = stranger.organizations().list_organizations(request).await;
        assert_eq!(listed.expect_err("it is refused").code(), Code::Unauthenticated);
    }
}

#[tokio::test]
async fn wait_for_propagation_names_the_edge_that_is_behind() {
    let provider = Provider::start(openai::answer).await;
    let mut site = Site::start(Plan { edges: vec!["here", "there"], ..Plan::default() }).await;
    site.propagated().await;
    site.edges[1].process.signal(nix::sys::signal::Signal::SIGSTOP);
    Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let request = proto::admin::WaitForPropagationRequest {
        timeout: Some(prost_types::Duration { seconds: 1, nanos: 0 }),
        ..Default::default()
    };
    let reply = site.admin().edges().wait_for_propagation(request).await;
    let reply = reply.expect("it answers").into_inner();
    assert!(!reply.reached);
    assert_eq!(reply.edges_reached, 1);
    let names: Vec<&str> = reply.stragglers.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["edges/edge-1"]);
    assert_eq!(reply.stragglers[0].region, "there");
    site.edges[1].process.signal(nix::sys::signal::Signal::SIGCONT);
    site.propagated().await;
    site.edges[1].process.kill();
}
