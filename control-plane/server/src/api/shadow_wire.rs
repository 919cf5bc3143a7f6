//! Shadows between the wire and the store.

use domain::{
    name::{ModelName, ShadowName, VersionName},
    segment::Slug,
    shadow::{self, Wanted},
    text,
    violation::Violations,
};
use policy::{id::ShadowId, revision::Revision};
use proto::{admin, usage::Finish};
use store::{
    id,
    shadow::{New, Row},
    shadow_record::{Comparison, One, Side},
};

use crate::api::{desk, moment};

/// How many nano-dollars a millionth of a dollar is.
const NANO_A_MICRO: u64 = 1_000;

/// Which shadow, in which state, and why it ends.
pub(crate) struct Which {
    /// Its name.
    pub(crate) name: ShadowName,
    /// The state that its caller has seen; empty means any.
    pub(crate) etag: String,
    /// Why.
    pub(crate) reason: String,
}

/// What is asked to be started, at this time.
pub(crate) fn new(asked: admin::StartShadowRequest, now_ms: u64) -> Result<New, Violations> {
    let given = desk::required(asked.shadow, "shadow")?;
    let mut violations = Violations::new();
    let parent = violations.take("parent", ModelName::parse(&asked.parent));
    let slug = match asked.shadow_id.as_str() {
        "" => None,
        text => violations.take("shadow_id", Slug::parse(text)),
    };
    let version = violations.take("shadow.version", VersionName::parse(&given.version));
    let both = parent.as_ref().zip(version.as_ref());
    if both.is_some_and(|(parent, version)| version.parent() != *parent) {
        violations.add("shadow.version", "must be a version of this model");
    }
    let ends_ms = given.expire_time.as_ref().map(moment::millis);
    let ends_ms = ends_ms.and_then(|it| violations.take("shadow.expire_time", it));
    let wanted = Wanted {
        share: given.basis_points,
        concurrent_max: given.concurrent_max,
        ends_ms,
        cost_max_micro: given.cost_max_micro_dollars,
        day_cost_max_micro: given.day_cost_max_micro_dollars,
    };
    let plan = shadow::check(wanted, now_ms);
    let plan = plan.map_err(|others| violations.append(others)).ok();
    match (parent, version, plan, violations.is_empty()) {
        (Some(parent), Some(version), Some(plan), true) => Ok(New {
            id: ShadowId::from_bytes(id::draw()),
            parent,
            slug,
            version,
            plan,
        }),
        _ => Err(violations),
    }
}

/// Which one is to end.
pub(crate) fn which(asked: admin::StopShadowRequest) -> Result<Which, Violations> {
    let mut violations = Violations::new();
    let name = violations.take("name", ShadowName::parse(&asked.name));
    let reason = violations.take("reason", text::display_name(&asked.reason));
    match (name, reason, violations.is_empty()) {
        (Some(name), Some(reason), true) => Ok(Which {
            name,
            etag: asked.etag,
            reason,
        }),
        _ => Err(violations),
    }
}

/// The shadow as the wire has it, without what is compared.
pub(crate) fn wire(row: &Row, written: Revision) -> admin::Shadow {
    let number = |it: u64| i64::try_from(it).unwrap_or(i64::MAX);
    let ends = row.plan.ends_ms.map(moment::from_millis);
    let ends = ends.and_then(Result::ok).map(moment::to_wire);
    admin::Shadow {
        name: row.name.to_string(),
        uid: row.id.to_string(),
        version: row.version.to_string(),
        basis_points: row.plan.share.into(),
        concurrent_max: row.plan.concurrent_max.into(),
        expire_time: ends,
        cost_max_micro_dollars: number(row.plan.cost_max_nano.unwrap_or(0) / NANO_A_MICRO),
        day_cost_max_micro_dollars: number(row.plan.day_cost_max_nano.unwrap_or(0) / NANO_A_MICRO),
        day_cost_nano: number(row.used.day_cost_nano),
        rest_time: row.rests_until.map(moment::to_wire),
        state: i32::from(row.state as u8),
        reason: row.reason.clone(),
        copies: number(row.used.copies),
        cost_nano: number(row.used.cost_nano),
        unpriced_copies: number(row.used.unpriced),
        etag: row.etag(),
        create_time: Some(moment::to_wire(row.created_at)),
        update_time: Some(moment::to_wire(row.updated_at)),
        end_time: row.ended_at.map(moment::to_wire),
        revision: desk::latest(row.revision, written),
        ..Default::default()
    }
}

/// The same with what is compared.
pub(crate) fn compared(row: &Row, comparison: &Comparison) -> admin::Shadow {
    let model = row.name.parent();
    let pairs = comparison.newest.chunks_exact(2).filter_map(|pair| {
        let [own, copy] = pair else { return None };
        Some(admin::ShadowPair {
            original: Some(one(&model, own)),
            copy: Some(one(&model, copy)),
        })
    });
    admin::Shadow {
        original: Some(side(&comparison.original)),
        copy: Some(side(&comparison.copy)),
        newest: pairs.collect(),
        ..wire(row, Revision(0))
    }
}

fn side(it: &Side) -> admin::ShadowSide {
    let [whole, truncated, refused, miscalled] = it.finishes;
    admin::ShadowSide {
        requests: it.requests,
        errors: it.errors,
        first_byte_p50_us: it.first_byte_us.0,
        first_byte_p95_us: it.first_byte_us.1,
        total_p50_us: it.total_us.0,
        total_p95_us: it.total_us.1,
        input_tokens: it.input_tokens,
        output_tokens: it.output_tokens,
        cost_nano: it.cost_nano,
        unpriced: it.unpriced,
        whole,
        truncated,
        refused,
        miscalled,
    }
}

fn one(model: &ModelName, it: &One) -> admin::ShadowOne {
    let finish = match Finish::try_from(i32::from(it.finish)) {
        Ok(Finish::Whole) => "whole",
        Ok(Finish::Truncated) => "truncated",
        Ok(Finish::Refused) => "refused",
        Ok(Finish::Miscalled) => "miscalled",
        _ => "",
    };
    let version = it.version.as_ref();
    admin::ShadowOne {
        id: uuid::Uuid::from_bytes(it.id).to_string(),
        version: version.map_or_else(String::new, |(_, name)| format!("{model}/versions/{name}")),
        provider: it.provider.clone().unwrap_or_default(),
        provider_model: it.provider_model.clone(),
        status: it.status,
        error: it.is_error,
        finish: finish.to_owned(),
        first_byte_us: it.first_byte_us,
        total_us: it.duration_us,
        input_tokens: it.input_tokens,
        output_tokens: it.output_tokens,
        cost_nano: it.cost_nano,
    }
}
