//! `sluice models users`: which keys still use a model, or a version of it, by the sums of usage.

use std::collections::BTreeMap;

use clap::Args;
use policy::money;
use proto::admin::{QueryUsageRequest, UsageBucket, UsageDimension, UsageFilter, UsageRow};

use crate::{
    admin::usage_pages,
    failure::Failure,
    moment::{Moment, moment, written},
    noun,
    output::{self, Format},
    place::split,
    session::Session,
};

/// Whose use.
#[derive(Debug, Clone, Args)]
pub struct Users {
    /// The model's id or whole name, or MODEL@VERSION
    name: String,
    /// From when: a span such as 7d back from now, or a time
    #[arg(long, value_name = "WHEN", value_parser = moment, default_value = "7d")]
    since: Moment,
}

/// What a key has used.
#[derive(Debug, Clone, Default)]
struct Use {
    requests: i64,
    cost_nano: u64,
    /// The last day on which it did, seconds since 1970.
    last_day: i64,
}

/// Shows who uses one.
pub async fn run(users: &Users, session: &mut Session) -> Result<(), Failure> {
    let collections = noun::model_or_version(&users.name).collections;
    let name = session.place.name(collections, &users.name)?;
    let (model, version) = if name.contains("/versions/") {
        let (model, version) = split(&name);
        (model, Some(version))
    } else {
        (name.as_str(), None)
    };
    let (organization, id) = split(model);
    let filter = |dimension: UsageDimension, value: &str| UsageFilter {
        dimension: dimension.into(),
        values: vec![value.to_owned()],
    };
    let mut filters = vec![filter(UsageDimension::Model, id)];
    filters.extend(version.map(|it| filter(UsageDimension::Version, it)));
    let request = QueryUsageRequest {
        parent: organization.to_owned(),
        start_time: Some(users.since.past(session.now)),
        group_by: vec![UsageDimension::Project.into(), UsageDimension::Key.into()],
        bucket: UsageBucket::Day.into(),
        filters,
        page_size: usage_pages::PAGE,
        ..Default::default()
    };
    let reply = usage_pages::all(request, session).await?;
    match session.format {
        Format::Json => session.show_typed("QueryUsageResponse", &reply)?,
        Format::Table => output::line(table(&reply.rows))?,
    }
    if reply.truncated {
        output::remark("there are more than 10,000 rows; narrow --since");
    }
    Ok(())
}

/// One line for each key, those first that use it most.
fn table(rows: &[UsageRow]) -> String {
    let mut by_key: BTreeMap<(&str, &str), Use> = BTreeMap::new();
    for row in rows {
        let key = if row.key.is_empty() {
            "(others)"
        } else {
            &row.key
        };
        let used = by_key.entry((&row.project, key)).or_default();
        used.requests = used.requests.saturating_add(row.requests);
        let cost = u64::try_from(row.cost_nano).unwrap_or(0);
        used.cost_nano = used.cost_nano.saturating_add(cost);
        let day = row.bucket_time.as_ref().map_or(0, |at| at.seconds);
        used.last_day = used.last_day.max(day);
    }
    let mut all: Vec<_> = by_key.into_iter().collect();
    all.sort_by_key(|(_, used)| std::cmp::Reverse(used.requests));
    let line = |((project, key), used): ((&str, &str), Use)| {
        let day = written(used.last_day);
        vec![
            project.to_owned(),
            key.to_owned(),
            used.requests.to_string(),
            money::dollars(used.cost_nano),
            day.split('T').next().unwrap_or_default().to_owned(),
        ]
    };
    let lines: Vec<_> = all.into_iter().map(line).collect();
    output::table(
        &["PROJECT", "KEY", "REQUESTS", "COST $", "LAST DAY"],
        &lines,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_one_line_and_the_busiest_comes_first() {
        let row = |key: &str, day: i64, requests| UsageRow {
            project: "web".to_owned(),
            key: key.to_owned(),
            requests,
            bucket_time: Some(prost_types::Timestamp {
                seconds: day * 86_400,
                nanos: 0,
            }),
            ..Default::default()
        };
        let shown = table(&[row("quiet", 3, 2), row("busy", 2, 5), row("busy", 1, 4)]);
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines.len(), 3, "{shown}");
        assert!(lines[1].contains("busy") && lines[1].contains('9'));
        assert!(lines[1].ends_with("1970-01-03"), "{shown}");
        assert!(lines[2].contains("quiet"));
    }
}
