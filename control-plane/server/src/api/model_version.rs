//! `ModelVersionService`: wire to command, store, wire.
//!
//! Rules are tried with their samples away from the threads that serve, one version at a time.

use std::{collections::BTreeSet, sync::Arc};

use domain::{
    name::{ModelName, VersionName},
    recipe::{self, Checked},
    routing::{self, Adapting, Hedging},
    segment::Slug,
    version,
    violation::Violations,
};
use policy::{
    adapt::Adapt, hedge::Hedge, id::VersionId, revision::Revision, routing::FailureClasses,
};
use proto::admin::{self, model_version_service_server::ModelVersionService};
use store::{
    deprecation, id,
    version::{self as rows, New, Row},
};
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status};

use crate::{
    api::{
        capability_wire, deprecation_wire,
        desk::{self, Begun, Call, Desk},
        moment,
        page::List,
        recipe_wire, span,
    },
    status,
};

/// How many versions are tried at once: programs take a core each, for seconds at worst.
// Full: the others wait.
const TRIALS: usize = 1;

/// The service.
#[derive(Clone)]
pub(crate) struct ModelVersions {
    desk: Desk,
    trials: Arc<Semaphore>,
}

/// A version to make, and what its samples became.
struct Wanted {
    new: New,
    becomes: Vec<String>,
}

// === impl ModelVersions ===

impl ModelVersions {
    /// The service before this desk.
    pub(crate) fn new(desk: Desk) -> Self {
        let trials = Arc::new(Semaphore::new(TRIALS));
        Self { desk, trials }
    }

    /// Takes a request for a version apart, and tries its rules.
    async fn open(
        &self,
        request: Request<admin::CreateModelVersionRequest>,
    ) -> Result<(Call, Wanted), Status> {
        let given = request.get_ref().model_version.as_ref();
        let is_plain =
            given.is_none_or(|it| it.transform_rules.is_empty() && it.samples.is_empty());
        if is_plain {
            return Call::open("CreateModelVersion", request, wanted);
        }
        let place = Arc::clone(&self.trials).acquire_owned().await;
        let place = place.map_err(|why| status::broken("a trial has no place", &why))?;
        let tried = tokio::task::spawn_blocking(move || {
            let _place = place;
            Call::open("CreateModelVersion", request, wanted)
        });
        tried
            .await
            .map_err(|why| status::broken("a trial did not end", &why))?
    }
}

#[tonic::async_trait]
impl ModelVersionService for ModelVersions {
    async fn create_model_version(
        &self,
        request: Request<admin::CreateModelVersionRequest>,
    ) -> Result<Response<admin::ModelVersion>, Status> {
        let (call, Wanted { new, becomes }) = self.open(request).await?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let row = rows::create(draft.write(), new)
            .await
            .map_err(status::store)?;
        draft.finish(|revision| wire(row, becomes, revision)).await
    }

    async fn get_model_version(
        &self,
        request: Request<admin::GetModelVersionRequest>,
    ) -> Result<Response<admin::ModelVersion>, Status> {
        let name = name(&request.get_ref().name)?;
        let row = rows::get(self.desk.store(), &name)
            .await
            .map_err(status::store)?;
        Ok(Response::new(wire(row, Vec::new(), Revision(0))))
    }

    async fn list_model_versions(
        &self,
        request: Request<admin::ListModelVersionsRequest>,
    ) -> Result<Response<admin::ListModelVersionsResponse>, Status> {
        let asked = request.into_inner();
        let list = List {
            method: "ListModelVersions",
            parent: &asked.parent,
        };
        let parent = ModelName::parse(&asked.parent);
        let asked = (asked.page_size, asked.page_token.as_str());
        let (parent, page) = self.desk.page(list, asked, parent)?;
        let listed = rows::list(self.desk.store(), &parent, &page).await;
        let listed = listed.map_err(status::store)?;
        Ok(Response::new(admin::ListModelVersionsResponse {
            next_page_token: self.desk.next(list, &listed.next_page_token),
            model_versions: listed
                .rows
                .into_iter()
                .map(|row| wire(row, Vec::new(), Revision(0)))
                .collect(),
        }))
    }

    async fn deprecate_model_version(
        &self,
        request: Request<admin::DeprecateModelVersionRequest>,
    ) -> Result<Response<admin::ModelVersion>, Status> {
        let (call, (name, deprecation)) = Call::open("DeprecateModelVersion", request, |asked| {
            let name = desk::named("name", VersionName::parse(&asked.name))?;
            let given = asked.deprecation.as_ref();
            let read = deprecation_wire::read(&name.organization, &asked.name, given)?;
            Ok((name, read))
        })?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let row = deprecation::lock_version(draft.write(), &name).await;
        let row = row.map_err(status::store)?;
        let stood = wire(row.clone(), Vec::new(), Revision(0));
        draft.before("ModelVersion", &stood);
        let row = deprecation::of_version(draft.write(), &row, deprecation.as_ref()).await;
        let row = row.map_err(status::store)?;
        draft
            .finish(|revision| wire(row, Vec::new(), revision))
            .await
    }

    async fn delete_model_version(
        &self,
        request: Request<admin::DeleteModelVersionRequest>,
    ) -> Result<Response<admin::DeleteModelVersionResponse>, Status> {
        let (call, (name, etag)) = Call::open("DeleteModelVersion", request, |asked| {
            desk::named("name", VersionName::parse(&asked.name)).map(|name| (name, asked.etag))
        })?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        rows::delete(draft.write(), &name, &etag)
            .await
            .map_err(status::store)?;
        let reply = |revision| desk::latest(Revision(0), revision);
        draft
            .finish(|revision| admin::DeleteModelVersionResponse {
                revision: reply(revision),
            })
            .await
    }
}

fn name(text: &str) -> Result<VersionName, Status> {
    desk::readable("name", VersionName::parse(text))
}

fn wanted(asked: admin::CreateModelVersionRequest) -> Result<Wanted, Violations> {
    let given = desk::required(asked.model_version, "model_version")?;
    let mut violations = Violations::new();
    let parent = violations.take("parent", ModelName::parse(&asked.parent));
    let slug = violations.take("model_version_id", Slug::parse(&asked.model_version_id));
    let Some(parent) = parent else {
        return Err(violations);
    };
    let targets = given.targets.iter().map(|it| {
        let (provider, model) = (it.provider.as_str(), it.provider_model.as_str());
        (provider, model, it.weight, capability_wire::said(it))
    });
    let targets: Vec<_> = targets.collect();
    let entries = given
        .provenance
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let checked = version::check(&parent.organization, &targets, entries);
    let checked = checked.map_err(|others| violations.append(others)).ok();
    let asked_on = (&given.fallback_on[..], &given.no_fallback_on[..]);
    let adapting = given.adapt.map(|it| Adapting {
        by: it.by,
        low: it.low_percent,
        high: it.high_percent,
        weighed: given.targets.iter().filter(|it| it.weight > 0).count(),
    });
    let hedging = hedging(&given, &mut violations);
    let routing = routing::check(given.balance, asked_on, adapting, hedging);
    let routing = routing.map_err(|others| violations.append(others)).ok();
    let recipe = tried(
        (given.transform_rules, given.header_rules),
        given.samples,
        &mut violations,
    );
    let (Some(version), Some(checked), Some(recipe), Some(routing)) =
        (slug, checked, recipe, routing)
    else {
        return Err(violations);
    };
    let name = VersionName {
        organization: parent.organization,
        model: parent.model,
        version,
    };
    let id = VersionId::from_bytes(id::draw());
    let new = New {
        id,
        name,
        targets: checked.targets,
        provenance: checked.provenance,
        recipe: recipe.recipe,
        samples: recipe.samples,
        routing,
    };
    Ok(Wanted {
        new,
        becomes: recipe.becomes,
    })
}

/// The rules, tried with the samples.
fn tried(
    (rules, header_rules): (Vec<admin::TransformRule>, Vec<admin::HeaderRule>),
    samples: Vec<admin::TransformSample>,
    violations: &mut Violations,
) -> Option<Checked> {
    let rules = recipe_wire::rules(rules, violations);
    let header_rules = recipe_wire::header_rules(header_rules, violations);
    let samples = recipe_wire::samples(samples, violations);
    let checked = recipe::check(&rules?, &header_rules?, samples?);
    checked.map_err(|others| violations.append(others)).ok()
}

/// When a second target is to be asked, and of how many providers there are targets.
fn hedging(given: &admin::ModelVersion, violations: &mut Violations) -> Hedging {
    let after = given.hedge_after.map(span::millis).transpose();
    let providers: BTreeSet<_> = given.targets.iter().map(|it| &it.provider).collect();
    Hedging {
        after_ms: violations
            .take("model_version.hedge_after", after)
            .flatten(),
        percentile: given.hedge_percentile,
        providers: providers.len(),
    }
}

fn adaptation(it: Adapt) -> admin::TargetAdaptation {
    let (low, high) = it.percents();
    admin::TargetAdaptation {
        by: i32::from(it.by as u8),
        low_percent: low.into(),
        high_percent: high.into(),
    }
}

/// The version as the wire has it, and what its samples became.
pub(crate) fn wire(row: Row, becomes: Vec<String>, written: Revision) -> admin::ModelVersion {
    let target = |target: version::Target| admin::Target {
        provider: target.provider.to_string(),
        provider_model: target.provider_model,
        weight: target.weight.into(),
        capabilities: capability_wire::wire(&target.capabilities),
    };
    let classes = |of: FailureClasses| of.all().map(|class| class as i32).collect();
    let mut becomes = becomes.into_iter();
    let (hedge_after_ms, hedge_percentile) = Hedge::numbers(row.routing.hedge);
    let samples = row.samples.into_iter();
    let samples = samples.map(|it| recipe_wire::sample_wire(it, becomes.next()));
    admin::ModelVersion {
        name: row.name.to_string(),
        uid: row.id.to_string(),
        create_time: Some(moment::to_wire(row.created_at)),
        revision: desk::latest(row.revision, written),
        targets: row.targets.into_iter().map(target).collect(),
        provenance: row.provenance.into_iter().collect(),
        transform_rules: (row.transform_rules.into_iter())
            .map(proto::recipe::rule_wire)
            .collect(),
        header_rules: (row.header_rules.into_iter())
            .map(proto::recipe::header_rule_wire)
            .collect(),
        samples: samples.collect(),
        balance: routing::balance_number(row.routing.balance),
        fallback_on: classes(row.routing.fallback_on),
        no_fallback_on: classes(row.routing.no_fallback_on),
        deprecation: row.deprecation.as_ref().map(deprecation_wire::wire),
        adapt: row.routing.adapt.map(adaptation),
        hedge_after: (hedge_after_ms > 0).then(|| span::to_wire(hedge_after_ms.into())),
        hedge_percentile: i32::try_from(hedge_percentile).unwrap_or(0),
    }
}
