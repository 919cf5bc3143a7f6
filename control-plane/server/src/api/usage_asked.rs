//! What is asked of usage: from the request of the wire to a question for the store.
//!
//! Knows every bound of a question and what to do about it; knows no rows.

use domain::{
    grain::Bucketing,
    name::{OrganizationName, ProjectName},
    violation::Violations,
};
use policy::calendar::Zone;
use proto::admin::{self, UsageBucket, UsageDimension, UsageFilter};
use store::usage_query::{Facet, Filter, GroupBy, Query, ROWS_MAX, Whose};

use crate::api::moment;

/// How far back sums go when the caller names no start.
const RANGE_DEFAULT_MS: u64 = 30 * 24 * 3_600_000;

/// The longest key of a tag, in bytes.
const TAG_KEY_BYTES_MAX: usize = 32;

/// The most values of one filter.
const VALUES_MAX: usize = 100;

/// The longest value of a filter, in bytes.
const VALUE_BYTES_MAX: usize = 512;

/// A question, and which part of the answer is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) query: Query,
    /// Whether rows are called by their day.
    pub(crate) day: bool,
    /// The most rows of a page.
    pub(crate) size: usize,
}

/// Whose usage `parent` names; all of it only where `everybody` may be.
pub(crate) fn whose(parent: &str, everybody: bool, violations: &mut Violations) -> Option<Whose> {
    if everybody && parent == "organizations/-" {
        return Some(Whose::Everybody);
    }
    if let Ok(name) = ProjectName::parse(parent) {
        return Some(Whose::Project(name));
    }
    let name = violations.take("parent", OrganizationName::parse(parent));
    name.map(Whose::Organization)
}

// === impl Asked ===

impl Asked {
    /// Reads a request.
    pub(crate) fn read(asked: &admin::QueryUsageRequest, now_ms: u64) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let whose = whose(&asked.parent, true, &mut violations);
        let range = range(asked, now_ms, &mut violations);
        let (by, day, users) = group_by(&asked.group_by, &mut violations);
        let bucketing = bucketing(asked, day, &mut violations);
        let mut filter = Filter::default();
        let filtered = filters(&asked.filters, &mut filter, &mut violations);
        let facet = facet(asked, users || filtered.users, &mut violations);
        if filtered.tags && asked.tag_key.is_empty() {
            violations.add("tag_key", "is required where a filter names tags");
        }
        if filtered.second_tags && asked.second_tag_key.is_empty() {
            violations.add("second_tag_key", "is required where a filter names it");
        }
        if whose == Some(Whose::Everybody) && !asked.second_tag_key.is_empty() {
            violations.add(
                "second_tag_key",
                "is for one organization, which names its pairs of tags",
            );
        }
        let size = match usize::try_from(asked.page_size) {
            Ok(0) => ROWS_MAX,
            Ok(size) => size.min(ROWS_MAX),
            Err(_) => {
                violations.add("page_size", "must not be negative");
                ROWS_MAX
            }
        };
        let (Some(whose), Some(range), Some(bucketing), true) =
            (whose, range, bucketing, violations.is_empty())
        else {
            return Err(violations);
        };
        Ok(Self {
            query: Query {
                whose,
                range,
                bucketing,
                by,
                facet,
                filter,
                percentiles: asked.percentiles,
                unreached: asked.include_unreached,
            },
            day,
            size,
        })
    }
}

fn range(
    asked: &admin::QueryUsageRequest,
    now_ms: u64,
    violations: &mut Violations,
) -> Option<(u64, u64)> {
    let end_ms = asked.end_time.as_ref().map_or(Ok(now_ms), moment::millis);
    let end_ms = violations.take("end_time", end_ms);
    let default_ms = end_ms.unwrap_or(now_ms).saturating_sub(RANGE_DEFAULT_MS);
    let start_ms = asked
        .start_time
        .as_ref()
        .map_or(Ok(default_ms), moment::millis);
    let start_ms = violations.take("start_time", start_ms);
    let (start_ms, end_ms) = start_ms.zip(end_ms)?;
    if start_ms >= end_ms {
        violations.add("start_time", "must be before `end_time`");
    }
    Some(Bucketing::counted(start_ms, end_ms))
}

/// The dimensions, whether days are among them, and whether end users are.
fn group_by(numbers: &[i32], violations: &mut Violations) -> (GroupBy, bool, bool) {
    let (mut by, mut day, mut users) = (GroupBy::default(), false, false);
    for (at, number) in numbers.iter().enumerate() {
        let field = format!("group_by[{at}]");
        let flag = match UsageDimension::try_from(*number) {
            Ok(UsageDimension::Day) => &mut day,
            Ok(UsageDimension::Project) => &mut by.project,
            Ok(UsageDimension::Key) => &mut by.key,
            Ok(UsageDimension::Model) => &mut by.model,
            Ok(UsageDimension::Provider) => &mut by.provider,
            Ok(UsageDimension::Version) => &mut by.version,
            Ok(UsageDimension::Status) => &mut by.status,
            Ok(UsageDimension::EndUser) => &mut users,
            Ok(UsageDimension::Organization) => &mut by.organization,
            Ok(UsageDimension::Tag | UsageDimension::SecondTag) => {
                violations.add(
                    field,
                    "is for filters; to group by a tag, name it in `tag_key` or `second_tag_key`",
                );
                continue;
            }
            Ok(UsageDimension::Unspecified) | Err(_) => {
                violations.add(field, "is not a dimension");
                continue;
            }
        };
        if std::mem::replace(flag, true) {
            violations.add(field, "stands there twice");
        }
    }
    (by, day, users)
}

fn bucketing(
    asked: &admin::QueryUsageRequest,
    day: bool,
    violations: &mut Violations,
) -> Option<Bucketing> {
    let zone = match asked.time_zone.as_str() {
        "" => Some(Zone::UTC),
        name => violations.take("time_zone", Zone::parse(name)),
    };
    let bucket = UsageBucket::try_from(asked.bucket);
    if day && bucket != Ok(UsageBucket::Unspecified) {
        violations.add(
            "bucket",
            "divides the range already: leave the day out of `group_by`",
        );
    }
    let zone = zone?;
    match bucket {
        Ok(UsageBucket::Unspecified) if day => Some(Bucketing::Days(Zone::UTC)),
        Ok(UsageBucket::Unspecified) => Some(Bucketing::Whole),
        Ok(UsageBucket::Hour) => Some(Bucketing::Hours),
        Ok(UsageBucket::Day) => Some(Bucketing::Days(zone)),
        Ok(UsageBucket::Month) => Some(Bucketing::Months(zone)),
        Err(_) => {
            violations.add("bucket", "is not known");
            None
        }
    }
}

fn facet(asked: &admin::QueryUsageRequest, users: bool, violations: &mut Violations) -> Facet {
    let key = &asked.tag_key;
    if key.len() > TAG_KEY_BYTES_MAX || key.contains('\0') {
        violations.add("tag_key", "must be at most 32 bytes");
    }
    let second = &asked.second_tag_key;
    if second.len() > TAG_KEY_BYTES_MAX || second.contains('\0') {
        violations.add("second_tag_key", "must be at most 32 bytes");
    }
    if !second.is_empty() && (key.is_empty() || key == second) {
        violations.add("second_tag_key", "needs another one in `tag_key`");
    }
    match (users, key.is_empty()) {
        (false, true) => Facet::None,
        (true, true) => Facet::EndUser,
        (false, false) if second.is_empty() => Facet::Tag(key.clone()),
        (false, false) => Facet::Tags(key.clone(), second.clone()),
        (true, false) => {
            violations.add(
                "tag_key",
                "does not go together with end users: take one of them, or export the records",
            );
            Facet::None
        }
    }
}

/// Which facets are filtered by.
#[derive(Default)]
struct Filtered {
    users: bool,
    tags: bool,
    second_tags: bool,
}

fn filters(asked: &[UsageFilter], filter: &mut Filter, violations: &mut Violations) -> Filtered {
    let mut filtered = Filtered::default();
    let mut seen = Vec::new();
    for (at, it) in asked.iter().enumerate() {
        let field = format!("filters[{at}]");
        if seen.contains(&it.dimension) {
            violations.add(format!("{field}.dimension"), "stands there twice");
        }
        seen.push(it.dimension);
        let fits = |value: &String| value.len() <= VALUE_BYTES_MAX && !value.contains('\0');
        if it.values.is_empty() || it.values.len() > VALUES_MAX || !it.values.iter().all(fits) {
            let values = "must be 1 to 100 values of at most 512 bytes";
            violations.add(format!("{field}.values"), values);
        }
        let last = |text: &String| text.rsplit('/').next().unwrap_or_default().to_owned();
        let names = || it.values.iter().map(last).collect();
        match UsageDimension::try_from(it.dimension) {
            Ok(UsageDimension::Project) => filter.projects = names(),
            Ok(UsageDimension::Key) => filter.keys = names(),
            Ok(UsageDimension::Model) => filter.models = names(),
            Ok(UsageDimension::Version) => filter.versions = names(),
            Ok(UsageDimension::Provider) => filter.providers = names(),
            Ok(UsageDimension::Status) => {
                let statuses = it.values.iter().map(|it| it.parse());
                match statuses.collect() {
                    Ok(statuses) => filter.statuses = statuses,
                    Err(_) => violations.add(format!("{field}.values"), "must be statuses"),
                }
            }
            Ok(UsageDimension::EndUser) => {
                filtered.users = true;
                filter.labels.clone_from(&it.values);
            }
            Ok(UsageDimension::Tag) => {
                filtered.tags = true;
                filter.labels.clone_from(&it.values);
            }
            Ok(UsageDimension::SecondTag) => {
                filtered.second_tags = true;
                filter.second.clone_from(&it.values);
            }
            _ => violations.add(
                format!("{field}.dimension"),
                "is not one that a filter takes; narrow days by `start_time` and `end_time`, and an organization by `parent`",
            ),
        }
    }
    filtered
}

#[cfg(test)]
mod tests {
    use domain::grain::Grain;

    use super::*;

    const DAY_MS: u64 = Grain::Day.length_ms();

    fn asked(group_by: &[UsageDimension]) -> admin::QueryUsageRequest {
        admin::QueryUsageRequest {
            parent: "organizations/acme".into(),
            group_by: group_by.iter().map(|it| i32::from(*it)).collect(),
            ..Default::default()
        }
    }

    fn fields(asked: &admin::QueryUsageRequest) -> Vec<String> {
        let violations = Asked::read(asked, DAY_MS).unwrap_err().into_vec();
        violations.into_iter().map(|it| it.field).collect()
    }

    #[test]
    fn without_times_the_last_thirty_days_are_meant() {
        let query = Asked::read(&asked(&[]), 100 * DAY_MS).unwrap().query;
        assert_eq!(query.range, (70 * DAY_MS, 100 * DAY_MS));
    }

    #[test]
    fn every_violation_is_named() {
        let dimensions = [
            UsageDimension::Day,
            UsageDimension::Unspecified,
            UsageDimension::Day,
            UsageDimension::EndUser,
        ];
        let mut asked = asked(&dimensions);
        asked.parent = "acme".into();
        asked.start_time = Some(prost_types::Timestamp {
            seconds: 2_000_000_000,
            nanos: 0,
        });
        asked.bucket = UsageBucket::Hour.into();
        asked.tag_key = "team".into();
        asked.filters = vec![UsageFilter {
            dimension: UsageDimension::Day.into(),
            values: Vec::new(),
        }];
        let expected = [
            "parent",
            "start_time",
            "group_by[1]",
            "group_by[2]",
            "bucket",
            "filters[0].values",
            "filters[0].dimension",
            "tag_key",
        ];
        assert_eq!(fields(&asked), expected);
    }

    #[test]
    fn two_tags_are_two_and_of_one_organization() {
        let two = |parent: &str, first: &str, second: &str| {
            let mut asked = asked(&[]);
            asked.parent = parent.into();
            asked.tag_key = first.into();
            asked.second_tag_key = second.into();
            asked
        };
        let acme = "organizations/acme";
        let query = Asked::read(&two(acme, "team", "env"), DAY_MS)
            .unwrap()
            .query;
        assert_eq!(query.facet, Facet::Tags("team".into(), "env".into()));
        for (parent, first, second) in [
            (acme, "", "env"),
            (acme, "env", "env"),
            ("organizations/-", "team", "env"),
        ] {
            let asked = two(parent, first, second);
            assert_eq!(fields(&asked), ["second_tag_key"], "{parent} {first}");
        }
    }

    #[test]
    fn a_filter_takes_whole_names_and_their_ends() {
        let mut asked = asked(&[UsageDimension::Status]);
        asked.parent = "organizations/acme/projects/chat".into();
        asked.filters = vec![
            UsageFilter {
                dimension: UsageDimension::Key.into(),
                values: vec![
                    "organizations/acme/projects/chat/keys/aaa".into(),
                    "bbb".into(),
                ],
            },
            UsageFilter {
                dimension: UsageDimension::Status.into(),
                values: vec!["200".into()],
            },
        ];
        let query = Asked::read(&asked, DAY_MS).unwrap().query;
        assert_eq!(query.filter.keys, ["aaa", "bbb"]);
        assert_eq!(query.filter.statuses, [200]);
        assert!(matches!(query.whose, Whose::Project(_)));
    }
}
