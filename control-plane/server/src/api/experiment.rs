//! `ExperimentService`: wire to command, store, wire.

use domain::{
    experiment::State,
    name::{ExperimentName, ModelName},
    violation::Violations,
};
use policy::revision::Revision;
use proto::admin::{self, experiment_service_server::ExperimentService};
use store::experiment;
use tonic::{Request, Response, Status};

use crate::{
    api::{
        desk::{self, Asked, Begun, Call, Desk},
        experiment_wire::{Which, new, which, wire},
        page::List,
    },
    status,
};

/// The service.
#[derive(Clone)]
pub(crate) struct Experiments {
    desk: Desk,
}

// === impl Experiments ===

impl Experiments {
    /// The service before this desk.
    pub(crate) fn new(desk: Desk) -> Self {
        Self { desk }
    }

    /// Ends one.
    async fn end<T: Asked>(
        &self,
        (method, state): (&'static str, State),
        request: Request<T>,
        read: impl FnOnce(T) -> Result<Which, Violations>,
    ) -> Result<Response<admin::Experiment>, Status> {
        let (call, asked) = Call::open(method, request, read)?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let stood = experiment::lock(draft.write(), &asked.name, &asked.etag).await;
        let stood = stood.map_err(status::store)?;
        draft.before("Experiment", &wire(&stood, Revision(0)));
        let ended = (state, asked.reason.as_str());
        let row = experiment::end(draft.write(), &stood, ended, asked.chosen.as_ref()).await;
        let row = row.map_err(status::store)?;
        draft.finish(|revision| wire(&row, revision)).await
    }
}

#[tonic::async_trait]
impl ExperimentService for Experiments {
    async fn start_experiment(
        &self,
        request: Request<admin::StartExperimentRequest>,
    ) -> Result<Response<admin::Experiment>, Status> {
        let (call, wanted) = Call::open("StartExperiment", request, new)?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let row = experiment::start(draft.write(), wanted).await;
        let row = row.map_err(status::store)?;
        draft.finish(|revision| wire(&row, revision)).await
    }

    async fn get_experiment(
        &self,
        request: Request<admin::GetExperimentRequest>,
    ) -> Result<Response<admin::Experiment>, Status> {
        let name = desk::readable("name", ExperimentName::parse(&request.get_ref().name))?;
        let row = experiment::get(self.desk.store(), &name).await;
        let row = row.map_err(status::store)?;
        Ok(Response::new(wire(&row, Revision(0))))
    }

    async fn list_experiments(
        &self,
        request: Request<admin::ListExperimentsRequest>,
    ) -> Result<Response<admin::ListExperimentsResponse>, Status> {
        let asked = request.into_inner();
        let list = List {
            method: "ListExperiments",
            parent: &asked.parent,
        };
        let parent = ModelName::parse(&asked.parent);
        let asked = (asked.page_size, asked.page_token.as_str());
        let (parent, page) = self.desk.page(list, asked, parent)?;
        let listed = experiment::list(self.desk.store(), &parent, &page).await;
        let listed = listed.map_err(status::store)?;
        let rows = listed.rows.iter();
        Ok(Response::new(admin::ListExperimentsResponse {
            next_page_token: self.desk.next(list, &listed.next_page_token),
            experiments: rows.map(|row| wire(row, Revision(0))).collect(),
        }))
    }

    async fn stop_experiment(
        &self,
        request: Request<admin::StopExperimentRequest>,
    ) -> Result<Response<admin::Experiment>, Status> {
        self.end(("StopExperiment", State::Stopped), request, |it| {
            which((&it.name, it.etag, &it.reason), None)
        })
        .await
    }

    async fn conclude_experiment(
        &self,
        request: Request<admin::ConcludeExperimentRequest>,
    ) -> Result<Response<admin::Experiment>, Status> {
        self.end(("ConcludeExperiment", State::Concluded), request, |it| {
            which((&it.name, it.etag, &it.reason), Some(&it.version))
        })
        .await
    }
}
