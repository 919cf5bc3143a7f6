//! Sources of versions between the wire and the store: what is wanted, what is shown, and which registry is asked.
//!
//! A credential passes through inward, and comes out only as what is presented to a registry, which nobody can print.

use std::mem;

use domain::{
    name::{OrganizationName, VersionSourceName},
    rollout::Plan,
    segment::Slug,
    source::{self, Asked, CA_PEM_BYTES_MAX, Origin, Terms},
    violation::Violations,
};
use proto::admin;
use registries::Registry;
use seal::Ring;
use store::{
    id,
    version_source::{New, Row},
};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{
    api::{desk, moment, rollout_wire, span},
    sealed,
};

/// A source as an operator wants it, checked.
pub(crate) struct Wanted {
    name: VersionSourceName,
    terms: Terms,
    ca_pem: String,
    credential: Zeroizing<String>,
    plan: Option<Plan>,
}

/// Reads a request for a new one.
pub(crate) fn wanted(asked: admin::CreateVersionSourceRequest) -> Result<Wanted, Violations> {
    let mut given = desk::required(asked.version_source, "version_source")?;
    let credential = Zeroizing::new(mem::take(&mut given.credential));
    let mut violations = Violations::new();
    let parent = violations.take("parent", OrganizationName::parse(&asked.parent));
    let slug = Slug::parse(&asked.version_source_id);
    let slug = violations.take("version_source_id", slug);
    check_authorities(&given.ca_pem, &mut violations);
    let plan = given.rollout.as_ref().map(|it| {
        let plan = rollout_wire::plan((&it.steps, &it.gates), it.stickiness);
        plan.map_err(|others| {
            for it in others.into_vec() {
                violations.add(format!("version_source.{}", it.field), it.description);
            }
        })
    });
    let Some(parent) = parent else {
        return Err(violations);
    };
    let terms = source::check(&parent, read(&given, &credential), labels(&given));
    let terms = terms.map_err(|others| violations.append(others)).ok();
    match (slug, terms, plan.transpose(), violations.is_empty()) {
        (Some(version_source), Some(terms), Ok(plan), true) => Ok(Wanted {
            name: VersionSourceName {
                organization: parent.organization,
                version_source,
            },
            terms,
            ca_pem: given.ca_pem,
            credential,
            plan,
        }),
        _ => Err(violations),
    }
}

fn read<'a>(given: &'a admin::VersionSource, credential: &'a str) -> Asked<'a> {
    let mlflow = given.mlflow.as_ref().map(|it| {
        let (model, alias) = (it.registered_model.as_str(), it.alias.as_str());
        (model, alias, it.username.as_str())
    });
    let kserve = given.kserve.as_ref();
    Asked {
        model: &given.model,
        url: &given.url,
        mlflow,
        kserve: kserve.map(|it| (it.namespace.as_str(), it.inference_service.as_str())),
        credential,
        interval_ms: given.interval.map_or(Some(0), |it| span::millis(it).ok()),
        provider: &given.provider,
        provider_model: &given.provider_model,
    }
}

fn labels(given: &admin::VersionSource) -> impl Iterator<Item = (&str, &str)> {
    let labels = given.labels.iter();
    labels.map(|(name, value)| (name.as_str(), value.as_str()))
}

fn check_authorities(ca_pem: &str, violations: &mut Violations) {
    const FIELD: &str = "version_source.ca_pem";
    if ca_pem.len() > CA_PEM_BYTES_MAX {
        violations.add(FIELD, "must be at most 64 KiB");
    } else if !ca_pem.is_empty()
        && let Err(why) = registries::is_trusted(ca_pem)
    {
        violations.add(FIELD, format!("must be PEM with certificates: {why}"));
    }
}

/// The source as it is shown, without its credential.
pub(crate) fn wire(row: &Row) -> admin::VersionSource {
    let terms = &row.terms;
    let (mlflow, kserve) = match terms.origin.clone() {
        Origin::Mlflow {
            registered_model,
            alias,
            username,
        } => {
            let mlflow = admin::MlflowAlias {
                registered_model,
                alias,
                username,
            };
            (Some(mlflow), None)
        }
        Origin::Kserve {
            namespace,
            inference_service,
        } => {
            let kserve = admin::KserveService {
                namespace,
                inference_service,
            };
            (None, Some(kserve))
        }
    };
    admin::VersionSource {
        name: row.name.to_string(),
        uid: Uuid::from_bytes(row.id).simple().to_string(),
        model: terms.model.to_string(),
        url: terms.url.clone(),
        mlflow,
        kserve,
        credential: String::new(),
        credential_set: row.credential_sealed.is_some(),
        ca_pem: row.ca_pem.clone(),
        interval: Some(span::to_wire(terms.interval_ms)),
        provider: terms.provider.to_string(),
        provider_model: terms.provider_model.as_str().to_owned(),
        labels: terms.labels.iter().cloned().collect(),
        rollout: row.plan.as_ref().map(rollout),
        status: Some(known(row)),
        etag: row.etag(),
        create_time: Some(moment::to_wire(row.created_at)),
    }
}

fn rollout(plan: &Plan) -> admin::SourceRollout {
    admin::SourceRollout {
        steps: plan.steps.iter().map(rollout_wire::step).collect(),
        gates: plan.gates.iter().copied().map(rollout_wire::gate).collect(),
        stickiness: i32::from(plan.sticky as u8),
    }
}

fn known(row: &Row) -> admin::SourceStatus {
    let known = &row.known;
    let text = |name: Option<String>| name.unwrap_or_default();
    admin::SourceStatus {
        look_time: known.looked_at.map(moment::to_wire),
        answer_time: known.answered_at.map(moment::to_wire),
        problem: known.problem.clone(),
        registry_version: known.registry_version.clone(),
        model_version: text(known.version.as_ref().map(ToString::to_string)),
        owes_rollout: known.owed.is_some(),
        rollout_waits_for: known.owed_why.clone(),
        last_rollout: text(known.rollout.as_ref().map(ToString::to_string)),
    }
}

/// The registry of a source; `None` where its credential cannot be opened.
pub(crate) fn registry<'a>(row: &'a Row, key: &Ring) -> Option<Registry<'a>> {
    let opened = match &row.credential_sealed {
        Some(sealed) => sealed::open_source_credential(key, &row.id, sealed).ok()?,
        None => Zeroizing::default(),
    };
    Some(Registry {
        url: &row.terms.url,
        origin: &row.terms.origin,
        credential: Zeroizing::new(str::from_utf8(&opened).ok()?.to_owned()),
        ca_pem: &row.ca_pem,
    })
}

// === impl Wanted ===

impl Wanted {
    /// The row to make.
    pub(crate) fn into_new(self, key: &Ring) -> New {
        let id = id::draw();
        let clear = self.credential.as_bytes();
        let sealed = || sealed::seal_source_credential(key, &id, clear);
        let credential_sealed = (!clear.is_empty()).then(sealed);
        New {
            id,
            name: self.name,
            terms: self.terms,
            ca_pem: self.ca_pem,
            credential_sealed,
            plan: self.plan,
        }
    }
}
