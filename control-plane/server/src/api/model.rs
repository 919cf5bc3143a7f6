//! `ModelService`: wire to command, store, wire. Where requests would go, edges are asked.

use domain::{
    model::{self as domain_model, Rule, stable_version},
    name::{ModelName, OrganizationName, VersionName},
    segment::ModelSlug,
    text,
    violation::Violations,
};
use policy::{id::ModelId, revision::Revision};
use proto::admin::{self, model_service_server::ModelService};
use store::{
    deprecation, id,
    model::{self, New, Row},
};
use tonic::{Request, Response, Status};

use crate::{
    api::{
        deprecation_wire,
        desk::{self, Begun, Call, Desk},
        mask::{Field, Mask, Update},
        moment,
        page::List,
        route_explained::Asked,
    },
    inquiry::Inquiry,
    status,
};

/// The service.
#[derive(Clone)]
pub(crate) struct Models {
    desk: Desk,
    inquiry: Inquiry,
}

struct Change {
    name: ModelName,
    etag: String,
    display_name: Update<String>,
    stable: Update<Option<VersionName>>,
    rules: Update<Option<Vec<Rule>>>,
}

const STABLE: &str = "model.stable_version";

// === impl Models ===

impl Models {
    /// The service before this desk, which asks edges by `inquiry`.
    pub(crate) fn new(desk: Desk, inquiry: Inquiry) -> Self {
        Self { desk, inquiry }
    }
}

#[tonic::async_trait]
impl ModelService for Models {
    async fn create_model(
        &self,
        request: Request<admin::CreateModelRequest>,
    ) -> Result<Response<admin::Model>, Status> {
        let (call, new) = Call::open("CreateModel", request, new)?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let row = model::create(draft.write(), new)
            .await
            .map_err(status::store)?;
        draft.finish(|revision| wire(row, revision)).await
    }

    async fn get_model(
        &self,
        request: Request<admin::GetModelRequest>,
    ) -> Result<Response<admin::Model>, Status> {
        let name = name(&request.get_ref().name)?;
        let row = model::get(self.desk.store(), &name)
            .await
            .map_err(status::store)?;
        Ok(Response::new(wire(row, Revision(0))))
    }

    async fn list_models(
        &self,
        request: Request<admin::ListModelsRequest>,
    ) -> Result<Response<admin::ListModelsResponse>, Status> {
        let asked = request.into_inner();
        let list = List {
            method: "ListModels",
            parent: &asked.parent,
        };
        let parent = OrganizationName::parse(&asked.parent);
        let asked = (asked.page_size, asked.page_token.as_str());
        let (parent, page) = self.desk.page(list, asked, parent)?;
        let listed = model::list(self.desk.store(), &parent, &page).await;
        let listed = listed.map_err(status::store)?;
        Ok(Response::new(admin::ListModelsResponse {
            next_page_token: self.desk.next(list, &listed.next_page_token),
            models: listed
                .rows
                .into_iter()
                .map(|row| wire(row, Revision(0)))
                .collect(),
        }))
    }

    async fn update_model(
        &self,
        request: Request<admin::UpdateModelRequest>,
    ) -> Result<Response<admin::Model>, Status> {
        let (call, change) = Call::open("UpdateModel", request, change)?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let locked = model::lock(draft.write(), &change.name, &change.etag).await;
        let mut row = locked.map_err(status::store)?;
        draft.before("Model", &wire(row.clone(), Revision(0)));
        row.display_name = change.display_name.or(row.display_name);
        row.stable = change.stable.or(row.stable);
        let rules = change.rules.or(None);
        let row = model::update(draft.write(), &row, rules.as_deref())
            .await
            .map_err(status::store)?;
        draft.finish(|revision| wire(row, revision)).await
    }

    async fn deprecate_model(
        &self,
        request: Request<admin::DeprecateModelRequest>,
    ) -> Result<Response<admin::Model>, Status> {
        let (call, (name, etag, deprecation)) = Call::open("DeprecateModel", request, |asked| {
            let name = desk::named("name", ModelName::parse(&asked.name))?;
            let given = asked.deprecation.as_ref();
            let read = deprecation_wire::read(&name.organization, &asked.name, given)?;
            Ok((name, asked.etag, read))
        })?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let row = model::lock(draft.write(), &name, &etag).await;
        let row = row.map_err(status::store)?;
        draft.before("Model", &wire(row.clone(), Revision(0)));
        let row = deprecation::of_model(draft.write(), &row, deprecation.as_ref()).await;
        let row = row.map_err(status::store)?;
        draft.finish(|revision| wire(row, revision)).await
    }

    async fn explain_route(
        &self,
        request: Request<admin::ExplainRouteRequest>,
    ) -> Result<Response<admin::ExplainRouteResponse>, Status> {
        let asked = Asked::read(request.get_ref()).map_err(status::invalid)?;
        let of = asked.about.organization(&self.desk).await?;
        let question = asked.question();
        let told = self
            .inquiry
            .ask((of, &question), asked.about.region.as_ref());
        let regions = told.await.into_iter().map(|told| asked.shown(told));
        Ok(Response::new(admin::ExplainRouteResponse {
            regions: regions.collect(),
        }))
    }

    async fn delete_model(
        &self,
        request: Request<admin::DeleteModelRequest>,
    ) -> Result<Response<admin::DeleteModelResponse>, Status> {
        let (call, (name, etag)) = Call::open("DeleteModel", request, |asked| {
            desk::named("name", ModelName::parse(&asked.name)).map(|name| (name, asked.etag))
        })?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let stood = model::lock(draft.write(), &name, &etag).await;
        let stood = wire(stood.map_err(status::store)?, Revision(0));
        draft.before("Model", &stood);
        model::delete(draft.write(), &name, &etag)
            .await
            .map_err(status::store)?;
        let reply = |revision| desk::latest(Revision(0), revision);
        draft
            .finish(|revision| admin::DeleteModelResponse {
                revision: reply(revision),
            })
            .await
    }
}

fn name(text: &str) -> Result<ModelName, Status> {
    desk::readable("name", ModelName::parse(text))
}

fn new(asked: admin::CreateModelRequest) -> Result<New, Violations> {
    let given = asked.model.unwrap_or_default();
    let mut violations = Violations::new();
    let parent = violations.take("parent", OrganizationName::parse(&asked.parent));
    let slug = violations.take("model_id", ModelSlug::parse(&asked.model_id));
    let display_name = text::display_name(&given.display_name);
    let display_name = violations.take("model.display_name", display_name);
    let (Some(parent), Some(model), Some(display_name)) = (parent, slug, display_name) else {
        return Err(violations);
    };
    let name = ModelName {
        organization: parent.organization,
        model,
    };
    let stable = violations.take(STABLE, stable_version(&name, &given.stable_version));
    let rules = rules(&name, &given.rules, &mut violations);
    violations.done()?;
    let id = ModelId::from_bytes(id::draw());
    Ok(New {
        id,
        name,
        display_name,
        stable: stable.flatten(),
        rules,
    })
}

fn rules(name: &ModelName, given: &[admin::ModelRule], violations: &mut Violations) -> Vec<Rule> {
    let asked = given
        .iter()
        .map(|it| (it.condition.as_str(), it.version.as_str()));
    let asked: Vec<_> = asked.collect();
    let rules = domain_model::rules(&name.organization, &asked);
    let rules = rules.map_err(|others| violations.append(others));
    rules.unwrap_or_default()
}

fn change(asked: admin::UpdateModelRequest) -> Result<Change, Violations> {
    let given = desk::required(asked.model, "model")?;
    let fields = [
        Field::changes("display_name", !given.display_name.is_empty()),
        Field::changes("stable_version", !given.stable_version.is_empty()),
        Field::changes("rules", !given.rules.is_empty()),
    ];
    let mut violations = Violations::new();
    let mask = Mask::read(asked.update_mask, &fields, &mut violations);
    let name = violations.take("model.name", ModelName::parse(&given.name));
    let display_name = text::display_name(&given.display_name);
    let display_name = violations.take("model.display_name", display_name);
    let stable = name
        .as_ref()
        .map(|name| stable_version(name, &given.stable_version));
    let stable = stable.and_then(|read| violations.take(STABLE, read));
    let rules = name
        .as_ref()
        .map(|name| rules(name, &given.rules, &mut violations));
    let (Some(mask), Some(name), Some(display_name), Some(stable), true) =
        (mask, name, display_name, stable, violations.is_empty())
    else {
        return Err(violations);
    };
    let display_name = mask.pick("display_name", display_name);
    let stable = mask.pick("stable_version", stable);
    Ok(Change {
        name,
        etag: given.etag,
        display_name,
        stable,
        rules: mask.pick("rules", rules),
    })
}

fn wire(row: Row, written: Revision) -> admin::Model {
    admin::Model {
        name: row.name.to_string(),
        uid: row.id.to_string(),
        etag: row.etag(),
        create_time: Some(moment::to_wire(row.created_at)),
        update_time: Some(moment::to_wire(row.updated_at)),
        revision: desk::latest(row.revision, written),
        display_name: row.display_name,
        stable_version: row.stable.map(|name| name.to_string()).unwrap_or_default(),
        rules: row.rules.into_iter().map(|(it, _)| rule(it)).collect(),
        deprecation: row.deprecation.as_ref().map(deprecation_wire::wire),
    }
}

fn rule(it: Rule) -> admin::ModelRule {
    admin::ModelRule {
        version: it.version.to_string(),
        condition: it.condition,
    }
}
