//! Edges that serve one organization: what they are given, what they may ask, and what they say that counts.

use std::collections::BTreeSet;

use harness::{
    client,
    provider::Provider,
    site::{Plan, Site},
    tenant::Tenant,
    wait,
};
use policy::object::Kind;
use proto::{
    admin::{CreateJoinTokenRequest, JoinToken, Limit, LimitUnit, LimitWindow, RevokeEdgeRequest},
    message::{decode, timestamp},
    sync::{
        FetchSnapshotRequest, Lane, LedgerCount, ReadLedgerRequest, SnapshotData,
        sync_service_client::SyncServiceClient,
    },
    usage::{
        Deposit, DepositRequest, GiveFeedbackRequest, Outcome, RecallRequest,
        RecallSpendingRequest, Record, ReportRequest, UsageSource,
        usage_service_client::UsageServiceClient,
    },
};
use scenarios::openai;
use tonic::{Code, Request, Status, transport::Channel};

use crate::{command_line::Shell, membership};

/// Two organizations with a key each, in a project and with a provider of their own.
async fn two(site: &Site, provider: &Provider) -> [(Tenant, String); 2] {
    let one = async |name| {
        let tenant = Tenant::make(&site.admin(), name, &provider.base_url()).await;
        let (_, key) = tenant.key().await;
        (tenant, key)
    };
    [one("acme").await, one("globex").await]
}

/// An installation of both that has no edges, and who answers for them.
async fn without_edges() -> (Site, [(Tenant, String); 2], Provider) {
    let plan = Plan {
        edges: Vec::new(),
        ..Plan::default()
    };
    let site = Site::start(plan).await;
    let provider = Provider::start(openai::answer).await;
    let made = two(&site, &provider).await;
    (site, made, provider)
}

/// A bearer of a join token, as an edge is one that goes its own ways.
struct Bearer {
    channel: Channel,
    token: String,
}

impl Bearer {
    /// Of a token that serves this organization, or everybody.
    async fn of(site: &Site, organization: &str) -> Self {
        let join_token = Some(JoinToken {
            region: "eu".to_owned(),
            organization: organization.to_owned(),
            ..Default::default()
        });
        let asked = CreateJoinTokenRequest {
            join_token,
            ..Default::default()
        };
        let made = site.admin().edges().create_join_token(asked).await;
        let made = made.expect("a join token is made").into_inner();
        let shown = made.join_token.expect("the reply holds the token");
        assert_eq!(shown.organization, organization);
        let address = format!("http://{}", site.control_planes[0].edges);
        let endpoint = tonic::transport::Endpoint::from_shared(address);
        Self {
            channel: endpoint.expect("an address").connect_lazy(),
            token: made.text,
        }
    }

    fn asking<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let value = format!("Bearer {}", self.token).parse();
        let value = value.expect("a token is ASCII");
        request.metadata_mut().insert("authorization", value);
        request
    }

    /// The objects of a lane that it is given: kinds and keys.
    async fn given(&self, lane: Lane) -> BTreeSet<(u32, Vec<u8>)> {
        let asked = FetchSnapshotRequest {
            lane: lane.into(),
            ..Default::default()
        };
        let mut sync = SyncServiceClient::new(self.channel.clone());
        let fetched = sync.fetch_snapshot(self.asking(asked)).await;
        let mut chunks = fetched.expect("a snapshot is given").into_inner();
        let mut given = BTreeSet::new();
        while let Some(chunk) = chunks.message().await.expect("it comes whole") {
            let data: SnapshotData = decode(&chunk.data).expect("a chunk holds changes");
            let changes = data.changes.into_iter();
            given.extend(changes.map(|it| (it.kind, it.key)));
        }
        given
    }

    async fn everything(&self) -> BTreeSet<(u32, Vec<u8>)> {
        let mut given = BTreeSet::new();
        for lane in [Lane::Config, Lane::Keys, Lane::Secrets] {
            given.extend(self.given(lane).await);
        }
        given
    }
}

/// A thousand requests a day.
fn quota() -> Limit {
    Limit {
        unit: LimitUnit::Requests.into(),
        amount: 1_000,
        window: LimitWindow::Day.into(),
        ..Default::default()
    }
}

/// The key of the one object of this kind.
fn only(given: &BTreeSet<(u32, Vec<u8>)>, kind: Kind) -> Vec<u8> {
    let of_kind: Vec<_> = given.iter().filter(|it| it.0 == kind as u32).collect();
    assert_eq!(of_kind.len(), 1, "{of_kind:?}");
    of_kind[0].1.clone()
}

#[tokio::test]
async fn a_bearer_that_serves_one_organization_is_given_its_objects_alone() {
    let (site, made, _provider) = without_edges().await;
    for (tenant, _) in &made {
        tenant.limit_like("few", quota()).await;
    }
    let everybodys = Bearer::of(&site, "").await.everything().await;
    let [acmes, globexs] = [
        Bearer::of(&site, "organizations/acme")
            .await
            .everything()
            .await,
        Bearer::of(&site, "organizations/globex")
            .await
            .everything()
            .await,
    ];
    // Nothing is left out, and nothing is had by both but what is the installation's.
    let both: BTreeSet<_> = acmes.intersection(&globexs).cloned().collect();
    assert!(
        both.iter().all(|it| it.0 == Kind::Pepper as u32),
        "{both:?}"
    );
    assert!(!both.is_empty());
    let together: BTreeSet<_> = acmes.union(&globexs).cloned().collect();
    assert_eq!(together, everybodys);
    for given in [&acmes, &globexs] {
        for kind in [Kind::Organization, Kind::Key, Kind::Credential, Kind::Limit] {
            only(given, kind);
        }
    }
}

/// An organization and its project, by their ids.
struct Whose {
    organization: Vec<u8>,
    project: Vec<u8>,
}

impl Whose {
    fn among(given: &BTreeSet<(u32, Vec<u8>)>) -> Self {
        Self {
            organization: only(given, Kind::Organization),
            project: only(given, Kind::Project),
        }
    }

    fn record(&self, id: u8) -> Record {
        Record {
            id: vec![id; 16],
            at: Some(timestamp(1_700_000_000_000)),
            organization_id: self.organization.clone(),
            project_id: self.project.clone(),
            key_id: "aaaaaaaaaaaa".to_owned(),
            model_id: vec![1; 16],
            version_id: vec![2; 16],
            endpoint: "/v1/chat/completions".to_owned(),
            outcome: Outcome::Completed.into(),
            usage_source: UsageSource::Provider.into(),
            status: 200,
            ..Default::default()
        }
    }
}

/// What a bearer is answered that asks for a client of theirs, and brings something for one.
async fn asks(bearer: &Bearer, of: &Whose) -> [Result<(), Status>; 4] {
    let mut usage = UsageServiceClient::new(bearer.channel.clone());
    let (organization_id, project_id) = (of.organization.clone(), of.project.clone());
    let (edge_id, record_id) = ("edge-1".to_owned(), vec![2; 16]);
    let record = RecallRequest {
        edge_id: edge_id.clone(),
        organization_id: organization_id.clone(),
        project_id: project_id.clone(),
        record_id: record_id.clone(),
    };
    let spending = RecallSpendingRequest {
        edge_id: edge_id.clone(),
        organization_id: organization_id.clone(),
        project_id: project_id.clone(),
        key_id: "aaaaaaaaaaaa".to_owned(),
    };
    let feedback = GiveFeedbackRequest {
        edge_id: edge_id.clone(),
        organization_id: organization_id.clone(),
        project_id: project_id.clone(),
        record_id: record_id.clone(),
        name: "good".to_owned(),
        score: 1.0,
    };
    let deposits = vec![Deposit {
        record_id,
        organization_id,
        project_id,
        ..Default::default()
    }];
    let deposit = DepositRequest { edge_id, deposits };
    let spending = usage.recall_spending(bearer.asking(spending)).await;
    [
        usage.recall(bearer.asking(record)).await.map(drop),
        spending.map(drop),
        usage.give_feedback(bearer.asking(feedback)).await.map(drop),
        usage.deposit(bearer.asking(deposit)).await.map(drop),
    ]
}

#[tokio::test]
async fn what_an_edge_of_one_organization_says_of_another_counts_for_nothing() {
    let (site, made, _provider) = without_edges().await;
    made[1].0.limit_like("few", quota()).await;
    let acmes = Bearer::of(&site, "organizations/acme").await;
    let globexs = Bearer::of(&site, "organizations/globex").await;
    let ours = Whose::among(&acmes.everything().await);
    let theirs = Whose::among(&globexs.everything().await);

    let report = ReportRequest {
        edge_id: "edge-1".to_owned(),
        records: vec![ours.record(1), theirs.record(2)],
        ..Default::default()
    };
    let mut usage = UsageServiceClient::new(acmes.channel.clone());
    let told = usage.report(acmes.asking(report)).await.unwrap();
    let told = told.into_inner();
    assert_eq!((told.stored, told.refused), (1, 1));
    for answered in asks(&acmes, &theirs).await {
        assert_eq!(answered.unwrap_err().code(), Code::PermissionDenied);
    }
    for answered in asks(&acmes, &ours).await {
        let answered = answered.map_or_else(|why| why.code(), |()| Code::Ok);
        assert!(
            matches!(answered, Code::Ok | Code::NotFound),
            "{answered:?}"
        );
    }

    // Nor is it told what is left of a limit that is not its business.
    let limit_id = only(&globexs.everything().await, Kind::Limit);
    for (bearer, is_told) in [(&acmes, false), (&globexs, true)] {
        let counts = vec![LedgerCount {
            limit_id: limit_id.clone(),
            ..Default::default()
        }];
        let asked = ReadLedgerRequest { counts };
        let mut sync = SyncServiceClient::new(bearer.channel.clone());
        let told = sync.read_ledger(bearer.asking(asked)).await.unwrap();
        assert_eq!(told.into_inner().levels[0].known, is_told);
    }
}

#[tokio::test]
async fn an_edge_that_is_invited_for_one_organization_serves_that_one_alone() {
    let mut site = membership::certifying(3_600_000).await;
    let provider = Provider::start(openai::answer).await;
    let [(own, ours), (other, theirs)] = two(&site, &provider).await;
    let invite = "edges invite --region eu-1 --serves acme --expires 10m --text-only";
    let invited = Shell::new(&site).run(invite);
    assert_eq!(invited.code, 0, "{}", invited.err);
    site.add_edge_with(invited.out.trim(), &membership::addresses(&site))
        .await;
    site.ready(0).await;
    site.propagated().await;
    assert!(membership::serves(&site, 0, &ours).await);
    let body = r#"{"model":"chat","messages":[{"role":"user","content":"hello"}]}"#;
    let refused = client::post(&site.url(0), &theirs, "/v1/chat/completions", body).await;
    assert_eq!(refused.status, 401, "its key is not known here");

    // What is written for the other is not waited for, and does not come.
    let (_, another) = other.key().await;
    site.propagated().await;
    assert!(!membership::serves(&site, 0, &another).await);
    let (_, more) = own.key().await;
    site.propagated().await;
    assert!(membership::serves(&site, 0, &more).await);

    // It is found again where it was after a restart, and operators see whom it serves.
    site.restart_edge(0).await;
    site.ready(0).await;
    assert!(membership::serves(&site, 0, &ours).await);
    assert!(!membership::serves(&site, 0, &theirs).await);
    let seen = async || {
        membership::edge(&site, "edge-0")
            .await
            .filter(|it| it.connected)
    };
    let (edge, _) = wait::until("the edge is connected again", seen).await;
    assert_eq!(
        (edge.region.as_str(), edge.organization.as_str()),
        ("eu-1", "organizations/acme")
    );
    assert_eq!(
        site.count(0, "sluice_config_state_hash_mismatch_total", "")
            .await,
        0
    );

    // Invited anew and for everybody, it is given the rest.
    let name = "edges/edge-0".to_owned();
    let revoked = site
        .admin()
        .edges()
        .revoke_edge(RevokeEdgeRequest {
            name,
            ..Default::default()
        })
        .await;
    revoked.expect("the edge is revoked");
    let text = membership::invitation(&site, "eu-1").await;
    site.set_edge(0, "SLUICE_CONTROL_PLANE__JOIN_TOKEN", &text);
    site.restart_edge(0).await;
    for key in [&ours, &more, &theirs, &another] {
        let served = async || membership::serves(&site, 0, key).await.then_some(());
        wait::until("it serves everybody", served).await;
    }
}
