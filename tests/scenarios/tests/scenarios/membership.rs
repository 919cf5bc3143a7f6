//! Edges prove who they are by certificates: from an invitation, through renewals, to a revocation.

use std::time::{Duration, Instant};

use harness::{
    authority::Authority,
    client,
    provider::Provider,
    site::{Plan, Site},
    tenant::Tenant,
    wait,
};
use proto::{
    admin::{CreateJoinTokenRequest, Edge, JoinToken, ListEdgesRequest, RevokeEdgeRequest},
    sync::{
        EnrolRequest, FetchSnapshotRequest, RenewRequest,
        enrolment_service_client::EnrolmentServiceClient, sync_service_client::SyncServiceClient,
    },
    usage::{ReportRequest, usage_service_client::UsageServiceClient},
};
use scenarios::openai;
use tonic::{
    Code, Request,
    transport::{Channel, Endpoint},
};

use crate::command_line::Shell;

/// A control plane that knows edges by certificates, which last for so long, and no edge yet.
pub(crate) async fn certifying(life_ms: u64) -> Site {
    let control_plane_settings = vec![
        ("SLUICE_EDGES__TLS", "true".to_owned()),
        ("SLUICE_EDGES__CERTIFICATE_LIFE_MS", life_ms.to_string()),
    ];
    Site::start(Plan {
        edges: Vec::new(),
        control_plane_settings,
        ..Plan::default()
    })
    .await
}

/// The text of an invitation to a region.
pub(crate) async fn invitation(site: &Site, region: &str) -> String {
    let request = CreateJoinTokenRequest {
        join_token: Some(JoinToken {
            region: region.to_owned(),
            single_use: true,
            ..Default::default()
        }),
        ..Default::default()
    };
    let reply = site.admin().edges().create_join_token(request).await;
    reply.expect("an invitation is made").into_inner().text
}

/// Where edges reach the control plane, as a setting.
pub(crate) fn addresses(site: &Site) -> Vec<(&'static str, String)> {
    let port = site.control_planes[0].edges.port();
    let addresses = format!("[\"https://localhost:{port}\"]");
    vec![("SLUICE_CONTROL_PLANE__ADDRESSES", addresses)]
}

/// Whether the edge at this place serves a request.
pub(crate) async fn serves(site: &Site, at: usize, key: &str) -> bool {
    let body = r#"{"model":"chat","messages":[{"role":"user","content":"hello"}]}"#;
    let reply = client::post(&site.url(at), key, "/v1/chat/completions", body).await;
    reply.status.is_success()
}

/// An edge, as operators see it.
pub(crate) async fn edge(site: &Site, id: &str) -> Option<Edge> {
    let listed = site
        .admin()
        .edges()
        .list_edges(ListEdgesRequest::default())
        .await;
    let mut edges = listed
        .expect("edges are listed")
        .into_inner()
        .edges
        .into_iter();
    edges.find(|it| it.name == format!("edges/{id}"))
}

/// Its region and its state.
async fn seen(site: &Site, id: &str) -> Option<(String, bool)> {
    let edge = edge(site, id).await?;
    Some((edge.region, edge.connected))
}

async fn said(site: &Site, at: usize, words: &str) {
    let said = async || site.edges[at].process.said().contains(words).then_some(());
    wait::until(words, said).await;
}

#[tokio::test]
async fn an_edge_enrols_by_an_invitation_that_is_good_once_and_serves_after_a_restart_without_it() {
    let mut site = certifying(3_600_000).await;
    let provider = Provider::start(openai::answer).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let (_, key) = tenant.key().await;
    // As an operator gets it.
    let invited = Shell::new(&site).run("edges invite --region eu-1 --expires 10m --text-only");
    assert_eq!(invited.code, 0, "{}", invited.err);
    let text = invited.out.trim().to_owned();
    site.add_edge_with(&text, &addresses(&site)).await;
    site.ready(0).await;
    site.propagated().await;
    assert!(serves(&site, 0, &key).await);
    // Its region is the invitation's.
    // Sightings are written together, a little later.
    let noted = async || seen(&site, "edge-0").await;
    let (noted, _) = wait::until("the edge is listed", noted).await;
    assert_eq!(noted, ("eu-1".to_owned(), true));

    // Once used, an invitation is good for nobody.
    site.add_edge_with(&text, &addresses(&site)).await;
    said(&site, 1, "the invitation is not known here, or used").await;
    assert_eq!(seen(&site, "edge-1").await, None);
    site.edges[1].process.kill();

    // Nor does another edge get a name that is taken.
    let second = invitation(&site, "us-1").await;
    let mut more = addresses(&site);
    more.push(("SLUICE_EDGE__ID", "edge-0".to_owned()));
    site.add_edge_with(&second, &more).await;
    said(&site, 2, "an edge called edge-0 has enrolled").await;
    site.edges[2].process.kill();

    site.unset_edge(0, "SLUICE_CONTROL_PLANE__JOIN_TOKEN");
    site.restart_edge(0).await;
    site.ready(0).await;
    assert!(serves(&site, 0, &key).await);
    let connected = async || (seen(&site, "edge-0").await?.1).then_some(());
    wait::until("the edge is connected again", connected).await;
    // The key lies sealed in the state directory, for its user alone.
    let kept = site.folder().join("edge-0-state").join("membership");
    let bytes = std::fs::read(&kept).unwrap();
    assert!(!bytes.windows(11).any(|it| it == b"PRIVATE KEY"));
    let rights = std::os::unix::fs::PermissionsExt::mode(&kept.metadata().unwrap().permissions());
    assert_eq!(rights & 0o777, 0o600);
}

#[tokio::test]
async fn a_certificate_renews_in_time_and_a_revoked_edge_is_cut_off_within_a_second() {
    let mut site = certifying(6_000).await;
    let provider = Provider::start(openai::answer).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let (_, key) = tenant.key().await;
    let text = invitation(&site, "eu-1").await;
    site.add_edge_with(&text, &addresses(&site)).await;
    site.ready(0).await;
    // Renewed twice, the edge has lived longer than its first certificate, and follows.
    let renewed = async || {
        let said = site.edges[0].process.said();
        (said.matches("this edge's certificate is renewed").count() >= 2).then_some(())
    };
    wait::until("the certificate is renewed", renewed).await;
    let connected = async || (seen(&site, "edge-0").await?.1).then_some(());
    wait::until("the edge is connected", connected).await;
    site.propagated().await;

    let request = RevokeEdgeRequest {
        name: "edges/edge-0".to_owned(),
        ..Default::default()
    };
    let since = Instant::now();
    site.admin()
        .edges()
        .revoke_edge(request.clone())
        .await
        .unwrap();
    let gone = async || {
        let streams = harness::site::metric(
            site.control_planes[0].ops,
            "sluice_control_plane_streams",
            "",
        );
        (streams.await == 0.0).then_some(())
    };
    wait::until("the stream is closed", gone).await;
    assert!(
        since.elapsed() < Duration::from_secs(1),
        "{:?}",
        since.elapsed()
    );
    said(
        &site,
        0,
        "the identity of this edge was revoked; invite it anew",
    )
    .await;
    said(&site, 0, "this edge's certificate cannot be renewed").await;
    // It still serves what it has; nothing new reaches it.
    assert!(serves(&site, 0, &key).await);
    let again = site.admin().edges().revoke_edge(request).await;
    assert_eq!(again.unwrap_err().code(), Code::NotFound);

    // Invited anew, it is another identity, and follows.
    let text = invitation(&site, "us-1").await;
    site.set_edge(0, "SLUICE_CONTROL_PLANE__JOIN_TOKEN", &text);
    site.restart_edge(0).await;
    let there =
        async || (seen(&site, "edge-0").await == Some(("us-1".to_owned(), true))).then_some(());
    wait::until("the edge follows in its new region", there).await;
}

/// A connection for gRPC that shows no certificate and does not look at the other's.
async fn unknown(site: &Site) -> Channel {
    let address = site.control_planes[0].edges;
    let connector = tower::service_fn(move |_| async move {
        let stream = Authority::connect_to_anybody(address).await?;
        Ok::<_, std::io::Error>(hyper_util::rt::TokioIo::new(stream))
    });
    let endpoint = Endpoint::from_static("http://localhost");
    let connected = endpoint.connect_with_connector(connector).await;
    connected.expect("the listener takes anybody's hand")
}

#[tokio::test]
async fn who_shows_no_certificate_is_refused_whatever_it_asks() {
    let site = certifying(3_600_000).await;
    let channel = unknown(&site).await;
    let invited = invitation(&site, "eu-1").await;
    let token = site.join_token("eu-1").await;
    let (invited, _) = invited.split_once('.').unwrap();
    // Neither a join token nor an invitation proves anything here.
    for text in [token.as_str(), invited, ""] {
        fn bearing<T>(text: &str, message: T) -> Request<T> {
            let mut request = Request::new(message);
            if !text.is_empty() {
                let value = format!("Bearer {text}").parse().unwrap();
                request.metadata_mut().insert("authorization", value);
            }
            request
        }
        let mut sync = SyncServiceClient::new(channel.clone());
        let followed = sync.sync(bearing(text, tokio_stream::empty())).await;
        let fetched = sync.fetch_snapshot(bearing(text, FetchSnapshotRequest::default()));
        let mut usage = UsageServiceClient::new(channel.clone());
        let reported = usage.report(bearing(text, ReportRequest::default()));
        let mut enrolment = EnrolmentServiceClient::new(channel.clone());
        let renewed = enrolment.renew(bearing(text, RenewRequest::default()));
        let refusals = [
            followed.unwrap_err(),
            fetched.await.unwrap_err(),
            reported.await.unwrap_err(),
            renewed.await.unwrap_err(),
        ];
        for refusal in refusals {
            assert_eq!(refusal.code(), Code::Unauthenticated);
            assert!(
                refusal.message().contains("none of an edge was shown"),
                "{refusal:?}"
            );
        }
    }
    // A join token is no invitation.
    let mut enrolment = EnrolmentServiceClient::new(channel);
    let mut request = Request::new(EnrolRequest::default());
    let value = format!("Bearer {token}").parse().unwrap();
    request.metadata_mut().insert("authorization", value);
    let refusal = enrolment.enrol(request).await.unwrap_err();
    assert_eq!(refusal.code(), Code::Unauthenticated);
    // Plaintext reaches nothing.
    let plain = Endpoint::from_shared(format!("http://{}", site.control_planes[0].edges));
    let plain = plain.unwrap().connect_lazy();
    let asked = UsageServiceClient::new(plain)
        .report(ReportRequest::default())
        .await;
    assert_ne!(asked.unwrap_err().code(), Code::Unauthenticated);
}
