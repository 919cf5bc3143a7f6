//! `ShadowService`: wire to command, store, wire.

use domain::{
    name::{ModelName, ShadowName},
    shadow::State,
};
use lifecycle::clock::Clock;
use policy::revision::Revision;
use proto::admin::{self, shadow_service_server::ShadowService};
use store::shadow as rows;
use tonic::{Request, Response, Status};

use crate::{
    api::{
        desk::{self, Begun, Call, Desk},
        page::List,
        shadow_wire::{compared, new, which, wire},
    },
    status,
};

/// The service.
#[derive(Clone)]
pub(crate) struct Shadows {
    desk: Desk,
    clock: Clock,
}

// === impl Shadows ===

impl Shadows {
    /// The service before this desk.
    pub(crate) fn new(desk: Desk, clock: Clock) -> Self {
        Self { desk, clock }
    }
}

#[tonic::async_trait]
impl ShadowService for Shadows {
    async fn start_shadow(
        &self,
        request: Request<admin::StartShadowRequest>,
    ) -> Result<Response<admin::Shadow>, Status> {
        let now_ms = self.clock.now_ms();
        let (call, wanted) = Call::open("StartShadow", request, |it| new(it, now_ms))?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let row = rows::start(draft.write(), wanted).await;
        let row = row.map_err(status::store)?;
        draft.finish(|revision| wire(&row, revision)).await
    }

    async fn get_shadow(
        &self,
        request: Request<admin::GetShadowRequest>,
    ) -> Result<Response<admin::Shadow>, Status> {
        let name = desk::readable("name", ShadowName::parse(&request.get_ref().name))?;
        let store = self.desk.store();
        let row = rows::get(store, &name).await.map_err(status::store)?;
        let comparison = store.compare_shadow(row.id).await;
        let comparison = comparison.map_err(status::store)?;
        Ok(Response::new(compared(&row, &comparison)))
    }

    async fn list_shadows(
        &self,
        request: Request<admin::ListShadowsRequest>,
    ) -> Result<Response<admin::ListShadowsResponse>, Status> {
        let asked = request.into_inner();
        let list = List {
            method: "ListShadows",
            parent: &asked.parent,
        };
        let parent = ModelName::parse(&asked.parent);
        let asked = (asked.page_size, asked.page_token.as_str());
        let (parent, page) = self.desk.page(list, asked, parent)?;
        let listed = rows::list(self.desk.store(), &parent, &page).await;
        let listed = listed.map_err(status::store)?;
        let all = listed.rows.iter();
        Ok(Response::new(admin::ListShadowsResponse {
            next_page_token: self.desk.next(list, &listed.next_page_token),
            shadows: all.map(|row| wire(row, Revision(0))).collect(),
        }))
    }

    async fn stop_shadow(
        &self,
        request: Request<admin::StopShadowRequest>,
    ) -> Result<Response<admin::Shadow>, Status> {
        let (call, asked) = Call::open("StopShadow", request, which)?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let stood = rows::lock(draft.write(), &asked.name, &asked.etag).await;
        let stood = stood.map_err(status::store)?;
        draft.before("Shadow", &wire(&stood, Revision(0)));
        let ended = (State::Stopped, asked.reason.as_str());
        let row = rows::end(draft.write(), &stood, ended).await;
        let row = row.map_err(status::store)?;
        draft.finish(|revision| wire(&row, revision)).await
    }
}
