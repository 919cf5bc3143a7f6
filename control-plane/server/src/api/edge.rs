//! `EdgeService`: who carries the traffic, how far each has come, and how one joins.

use std::time::Duration;

use domain::{
    name::{EdgeName, JoinTokenName},
    violation::Violations,
};
use keys::Family;
use lifecycle::clock::Clock;
use policy::{region::Region, revision::Revision};
use proto::admin::{self, edge_service_server::EdgeService};
use serde_json::Value;
use store::{
    audit::{CHANGES, Stamp},
    edge::{self, Row},
    edge_identity, join_token as tokens,
};
use tokio::{sync::watch, time::Instant};
use tonic::{Request, Response, Status};

use crate::{
    api::{
        desk::{self, Begun, Call, Desk},
        join_token, moment,
        page::List,
        propagation::{self, Goal},
    },
    audit_entry::{self, Deed},
    authn::Actor,
    status,
};

/// The service.
#[derive(Clone)]
pub(crate) struct Edges {
    desk: Desk,
    clock: Clock,
    bells: watch::Receiver<u64>,
    authority: Option<String>,
}

/// How long a wait is when the caller names no time.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);

/// The longest wait.
const TIMEOUT_MAX: Duration = Duration::from_mins(1);

const EDGES: List<'static> = List {
    method: "ListEdges",
    parent: "",
};
const JOIN_TOKENS: List<'static> = List {
    method: "ListJoinTokens",
    parent: "",
};

// === impl Edges ===

impl Edges {
    /// The service before this desk. `bells` changes whenever an edge reported something; `authority` is the fingerprint
    /// of whoever certifies edges, if they are certified.
    pub(crate) fn new(
        desk: Desk,
        clock: Clock,
        bells: watch::Receiver<u64>,
        authority: Option<String>,
    ) -> Self {
        Self {
            desk,
            clock,
            bells,
            authority,
        }
    }

    /// The revision to wait for: the one named, which must exist, or the newest.
    async fn goal(&self, asked: i64) -> Result<Revision, Status> {
        let newest = self
            .desk
            .store()
            .head()
            .await
            .map_err(status::store)?
            .revision;
        match u64::try_from(asked) {
            Ok(0) => Ok(newest),
            Ok(asked) if asked <= newest.0 => Ok(Revision(asked)),
            _ => {
                let description = format!("must be 0 to {newest}, the newest revision there is");
                Err(status::invalid_field("revision", &description))
            }
        }
    }
}

#[tonic::async_trait]
impl EdgeService for Edges {
    async fn get_edge(
        &self,
        request: Request<admin::GetEdgeRequest>,
    ) -> Result<Response<admin::Edge>, Status> {
        let name = desk::readable("name", EdgeName::parse(&request.get_ref().name))?;
        let row = edge::get(self.desk.store(), &name)
            .await
            .map_err(status::store)?;
        Ok(Response::new(wire(row)))
    }

    async fn list_edges(
        &self,
        request: Request<admin::ListEdgesRequest>,
    ) -> Result<Response<admin::ListEdgesResponse>, Status> {
        let asked = request.into_inner();
        let asked = (asked.page_size, asked.page_token.as_str());
        let page = self.desk.root_page(EDGES, asked)?;
        let listed = edge::list(self.desk.store(), &page)
            .await
            .map_err(status::store)?;
        Ok(Response::new(admin::ListEdgesResponse {
            next_page_token: self.desk.next(EDGES, &listed.next_page_token),
            edges: listed.rows.into_iter().map(wire).collect(),
        }))
    }

    async fn delete_edge(
        &self,
        request: Request<admin::DeleteEdgeRequest>,
    ) -> Result<Response<admin::DeleteEdgeResponse>, Status> {
        let name = desk::readable("name", EdgeName::parse(&request.get_ref().name))?;
        let actor = request.extensions().get::<Actor>();
        let deed = Deed {
            actor: actor.map_or_else(String::new, |it| it.key_id.clone()),
            source: actor.map_or_else(String::new, |it| it.source.to_string()),
            method: "DeleteEdge".to_owned(),
            object: name.to_string(),
        };
        edge::delete(self.desk.store(), &name)
            .await
            .map_err(status::store)?;
        let changed = audit_entry::Result::Changed {
            revision: 0,
            before: Value::Null,
            after: Value::Null,
        };
        let told = (deed.about(), |stamp: Stamp<'_>| deed.text(&changed, stamp));
        let told = self.desk.store().audit(CHANGES, [told]).await;
        told.map_err(status::store)?;
        Ok(Response::new(admin::DeleteEdgeResponse {}))
    }

    async fn wait_for_propagation(
        &self,
        request: Request<admin::WaitForPropagationRequest>,
    ) -> Result<Response<admin::WaitForPropagationResponse>, Status> {
        let started = Instant::now();
        let asked = request.into_inner();
        let (region, timeout) = wait_of(&asked).map_err(status::invalid)?;
        let revision = self.goal(asked.revision).await?;
        let goal = Goal { revision, region };
        let bells = self.bells.clone();
        let seen = propagation::wait(self.desk.store(), bells, &goal, started + timeout).await;
        let seen = seen.map_err(status::store)?;
        Ok(Response::new(admin::WaitForPropagationResponse {
            reached: seen.stragglers.is_empty(),
            revision: desk::latest(Revision(0), revision),
            edges_reached: i32::try_from(seen.reached).unwrap_or(i32::MAX),
            stragglers: seen.stragglers.into_iter().map(wire).collect(),
        }))
    }

    async fn create_join_token(
        &self,
        request: Request<admin::CreateJoinTokenRequest>,
    ) -> Result<Response<admin::CreateJoinTokenResponse>, Status> {
        let (call, wanted) = Call::open("CreateJoinToken", request, join_token::wanted)?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        wanted.check(self.clock.now_ms()).map_err(status::invalid)?;
        let single_use = wanted.single_use();
        if single_use && self.authority.is_none() {
            let description = "needs edges.tls in the settings of the control plane: without it nobody is certified";
            return Err(status::invalid_field("join_token.single_use", description));
        }
        let minted = keys::mint(Family::Join);
        let new = wanted
            .into_new(&minted)
            .map_err(|why| status::broken("a minted key id is not a key id", &why))?;
        let row = tokens::create(draft.write(), new)
            .await
            .map_err(status::store)?;
        // A token that is not kept must not look like one that works.
        let text = match (draft.validate_only(), &self.authority) {
            (true, _) => String::new(),
            // Who is invited knows by it whom to believe.
            (false, Some(authority)) if single_use => {
                format!("{}.{authority}", minted.text.as_str())
            }
            (false, _) => minted.text.as_str().to_owned(),
        };
        let join_token = Some(join_token::wire(row));
        draft
            .finish(|_| admin::CreateJoinTokenResponse { join_token, text })
            .await
    }

    async fn list_join_tokens(
        &self,
        request: Request<admin::ListJoinTokensRequest>,
    ) -> Result<Response<admin::ListJoinTokensResponse>, Status> {
        let asked = request.into_inner();
        let asked = (asked.page_size, asked.page_token.as_str());
        let page = self.desk.root_page(JOIN_TOKENS, asked)?;
        let listed = tokens::list(self.desk.store(), &page)
            .await
            .map_err(status::store)?;
        Ok(Response::new(admin::ListJoinTokensResponse {
            next_page_token: self.desk.next(JOIN_TOKENS, &listed.next_page_token),
            join_tokens: listed.rows.into_iter().map(join_token::wire).collect(),
        }))
    }

    async fn revoke_edge(
        &self,
        request: Request<admin::RevokeEdgeRequest>,
    ) -> Result<Response<admin::RevokeEdgeResponse>, Status> {
        let (call, name) = Call::open("RevokeEdge", request, |asked| {
            desk::named("name", EdgeName::parse(&asked.name))
        })?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let revoked = edge_identity::revoke(draft.write(), &name)
            .await
            .map_err(status::store)?;
        let revoke_time = Some(moment::to_wire(revoked));
        let name = name.to_string();
        draft
            .finish(|_| admin::RevokeEdgeResponse { name, revoke_time })
            .await
    }

    async fn revoke_join_token(
        &self,
        request: Request<admin::RevokeJoinTokenRequest>,
    ) -> Result<Response<admin::RevokeJoinTokenResponse>, Status> {
        let (call, name) = Call::open("RevokeJoinToken", request, |asked| {
            desk::named("name", JoinTokenName::parse(&asked.name))
        })?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let row = tokens::revoke(draft.write(), &name)
            .await
            .map_err(status::store)?;
        let join_token = Some(join_token::wire(row));
        draft
            .finish(|_| admin::RevokeJoinTokenResponse { join_token })
            .await
    }
}

/// For whose edges to wait, and how long.
fn wait_of(
    asked: &admin::WaitForPropagationRequest,
) -> Result<(Option<Region>, Duration), Violations> {
    let mut violations = Violations::new();
    let region = (!asked.region.is_empty()).then(|| Region::try_from(asked.region.as_str()));
    let region = region.and_then(|read| violations.take("region", read));
    let timeout = asked
        .timeout
        .map_or(Ok(TIMEOUT_DEFAULT), Duration::try_from);
    let timeout = timeout.unwrap_or(Duration::MAX);
    if asked.revision < 0 {
        violations.add("revision", "must not be negative");
    }
    if timeout > TIMEOUT_MAX {
        violations.add("timeout", "must be 0 to 60 seconds");
    }
    violations.done().map(|()| (region, timeout))
}

fn wire(row: Row) -> admin::Edge {
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let lane = |(lane, applied, durable): (policy::object::Lane, u64, u64)| admin::LaneProgress {
        lane: lane.word().to_owned(),
        applied_revision: number(applied),
        durable_revision: number(durable),
    };
    let age = Duration::from_millis(row.age_ms);
    admin::Edge {
        name: row.name.to_string(),
        region: row.region.to_string(),
        build: row.build,
        connected: row.connected,
        lanes: row.lanes.into_iter().map(lane).collect(),
        last_seen_time: Some(moment::to_wire(row.last_seen_at)),
        // Too long for the wire it cannot be: that would be 10,000 years.
        age: prost_types::Duration::try_from(age).ok(),
        boot: row.boot.to_owned(),
        last_rejection: row.last_rejection,
        organization: row
            .organization
            .map_or_else(String::new, |it| it.to_string()),
    }
}
