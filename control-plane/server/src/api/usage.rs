//! `UsageService`: sums of settled usage, and its pricing anew.

use domain::{name::OrganizationName, violation::Violations};
use lifecycle::clock::Clock;
use proto::admin::{self, UsageDimension, usage_service_server::UsageService};
use store::usage::{self, GroupBy, Query, Sum};
use tonic::{Request, Response, Status};

use crate::{
    api::{
        desk::{Begun, Call, Desk},
        moment,
        reprice::Asked,
    },
    status,
};

/// The service.
#[derive(Clone)]
pub(crate) struct Usages {
    desk: Desk,
    clock: Clock,
}

/// How far back sums go when the caller names no start.
const RANGE_DEFAULT_MS: u64 = 30 * 24 * 3_600_000;

/// The longest key of a tag, in bytes.
const TAG_KEY_BYTES_MAX: usize = 32;

// === impl Usages ===

impl Usages {
    /// The service before this desk; `clock` tells until when, where the caller does not.
    pub(crate) fn new(desk: Desk, clock: Clock) -> Self {
        Self { desk, clock }
    }
}

#[tonic::async_trait]
impl UsageService for Usages {
    async fn query_usage(
        &self,
        request: Request<admin::QueryUsageRequest>,
    ) -> Result<Response<admin::QueryUsageResponse>, Status> {
        let asked = read(request.get_ref(), self.clock.now_ms());
        let (parent, query) = asked.map_err(status::invalid)?;
        let sums = usage::query(self.desk.store(), &parent, &query)
            .await
            .map_err(status::store)?;
        Ok(Response::new(admin::QueryUsageResponse {
            rows: sums.rows.into_iter().map(wire).collect(),
            truncated: sums.truncated,
        }))
    }

    async fn reprice_usage(
        &self,
        request: Request<admin::RepriceUsageRequest>,
    ) -> Result<Response<admin::RepriceUsageResponse>, Status> {
        let now_ms = self.clock.now_ms();
        let (call, asked) = Call::open("RepriceUsage", request, |it| Asked::read(&it, now_ms))?;
        let draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        // Page by page and beside the draft, so that ingest never waits for all of it.
        let said = asked.run(self.desk.store()).await;
        let said = said.map_err(status::store)?;
        draft.finish(|_| said).await
    }
}

fn read(
    asked: &admin::QueryUsageRequest,
    now_ms: u64,
) -> Result<(OrganizationName, Query), Violations> {
    let mut violations = Violations::new();
    let parent = violations.take("parent", OrganizationName::parse(&asked.parent));
    let end_ms = asked.end_time.as_ref().map_or(Ok(now_ms), moment::millis);
    let end_ms = violations.take("end_time", end_ms);
    let default_ms = end_ms.unwrap_or(now_ms).saturating_sub(RANGE_DEFAULT_MS);
    let start_ms = asked
        .start_time
        .as_ref()
        .map_or(Ok(default_ms), moment::millis);
    let start_ms = violations.take("start_time", start_ms);
    if let (Some(start_ms), Some(end_ms)) = (start_ms, end_ms)
        && start_ms >= end_ms
    {
        violations.add("start_time", "must be before `end_time`");
    }
    let by = group_by(&asked.group_by, &mut violations);
    if asked.tag_key.len() > TAG_KEY_BYTES_MAX || asked.tag_key.contains('\0') {
        violations.add("tag_key", "must be at most 32 bytes");
    }
    let (Some(parent), Some(start_ms), Some(end_ms), true) =
        (parent, start_ms, end_ms, violations.is_empty())
    else {
        return Err(violations);
    };
    Ok((
        parent,
        Query {
            start_ms,
            end_ms,
            by,
            tag_key: asked.tag_key.clone(),
        },
    ))
}

fn group_by(numbers: &[i32], violations: &mut Violations) -> GroupBy {
    let mut by = GroupBy::default();
    for (at, number) in numbers.iter().enumerate() {
        let field = format!("group_by[{at}]");
        let flag = match UsageDimension::try_from(*number) {
            Ok(UsageDimension::Day) => &mut by.day,
            Ok(UsageDimension::Project) => &mut by.project,
            Ok(UsageDimension::Key) => &mut by.key,
            Ok(UsageDimension::Model) => &mut by.model,
            Ok(UsageDimension::Provider) => &mut by.provider,
            Ok(UsageDimension::Unspecified) | Err(_) => {
                violations.add(field, "is not a dimension");
                continue;
            }
        };
        if std::mem::replace(flag, true) {
            violations.add(field, "stands there twice");
        }
    }
    by
}

fn wire(sum: Sum) -> admin::UsageRow {
    admin::UsageRow {
        // ISO 8601, which is how a date prints.
        day: sum.day.map(|day| day.to_string()).unwrap_or_default(),
        project: sum.project.unwrap_or_default(),
        key: sum.key.unwrap_or_default(),
        model: sum.model.unwrap_or_default(),
        provider: sum.provider.unwrap_or_default(),
        requests: sum.requests,
        input_tokens: sum.input_tokens,
        cached_input_tokens: sum.cached_input_tokens,
        output_tokens: sum.output_tokens,
        reasoning_tokens: sum.reasoning_tokens,
        estimated_requests: sum.estimated_requests,
        cost_nano: sum.cost_nano,
        unpriced_requests: sum.unpriced_requests,
        tag: sum.tag.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: u64 = 24 * 3_600_000;

    fn asked(group_by: &[UsageDimension]) -> admin::QueryUsageRequest {
        admin::QueryUsageRequest {
            parent: "organizations/acme".into(),
            group_by: group_by.iter().map(|it| i32::from(*it)).collect(),
            ..Default::default()
        }
    }

    #[test]
    fn without_times_the_last_thirty_days_are_meant() {
        let (_, query) = read(&asked(&[]), 100 * DAY_MS).unwrap();
        assert_eq!((query.start_ms, query.end_ms), (70 * DAY_MS, 100 * DAY_MS));
    }

    #[test]
    fn every_violation_is_named() {
        let dimensions = [
            UsageDimension::Day,
            UsageDimension::Unspecified,
            UsageDimension::Day,
        ];
        let mut asked = asked(&dimensions);
        asked.parent = "acme".into();
        asked.start_time = Some(prost_types::Timestamp {
            seconds: 2_000_000_000,
            nanos: 0,
        });
        let violations = read(&asked, DAY_MS).unwrap_err().into_vec();
        let fields: Vec<_> = violations.into_iter().map(|it| it.field).collect();
        assert_eq!(
            fields,
            ["parent", "start_time", "group_by[1]", "group_by[2]"]
        );
    }
}
