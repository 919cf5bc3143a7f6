//! `sluice usage query`: sums of usage, divided, grouped and filtered as asked.

use clap::{Args, ValueEnum};
use policy::money;
use proto::admin::{
    QueryUsageRequest, UsageBucket, UsageDimension, UsageFilter, UsagePercentiles, UsageRow,
};

use crate::{
    admin::usage_pages,
    failure::Failure,
    moment::{Moment, moment, written},
    output::{self, Format},
    session::Session,
};

/// What to sum.
#[derive(Debug, Clone, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a set of flags, each given or not"
)]
pub struct Arguments {
    /// By what to group: organization, project, key, model, version, provider, status, and end-user, one tag:KEY, or two that are a
    /// --tag-pair of the organization
    #[arg(long, value_delimiter = ',', value_name = "DIMENSIONS", value_parser = dimension)]
    group_by: Vec<Dimension>,
    /// Into what the range is divided
    #[arg(long, value_enum, value_name = "BUCKET")]
    by: Option<Bucket>,
    /// In which time zone days and months are counted, such as Europe/Berlin; without it, in UTC
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// Only this: DIMENSION=VALUE, such as model=gpt-4o, status=429 or tag:team=search; values of one dimension add up
    #[arg(long = "where", value_name = "DIMENSION=VALUE", value_parser = condition)]
    conditions: Vec<(Dimension, String)>,
    /// From when: a span such as 7d back from now, or a time
    #[arg(long, value_name = "WHEN", value_parser = moment, default_value = "30d")]
    since: Moment,
    /// Until when; without it, until now
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    until: Option<Moment>,
    /// Show percentiles of the whole time, of the time to the first byte and of the gateway's own part, in milliseconds
    #[arg(long)]
    percentiles: bool,
    /// Count requests, too, that reached no provider
    #[arg(long)]
    include_unreached: bool,
    /// Of all organizations
    #[arg(long)]
    everywhere: bool,
    /// Show JSON, as `--output json` does
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Bucket {
    Hour,
    Day,
    Month,
}

/// A dimension.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Dimension {
    Plain(UsageDimension),
    /// The value of this tag.
    Tag(String),
}

const WORDS: [(&str, UsageDimension); 8] = [
    ("organization", UsageDimension::Organization),
    ("project", UsageDimension::Project),
    ("key", UsageDimension::Key),
    ("model", UsageDimension::Model),
    ("version", UsageDimension::Version),
    ("provider", UsageDimension::Provider),
    ("status", UsageDimension::Status),
    ("end-user", UsageDimension::EndUser),
];

fn dimension(text: &str) -> Result<Dimension, String> {
    if let Some(key) = text.strip_prefix("tag:").filter(|key| !key.is_empty()) {
        return Ok(Dimension::Tag(key.to_owned()));
    }
    let found = WORDS.iter().find(|(word, _)| *word == text);
    found
        .map(|(_, dimension)| Dimension::Plain(*dimension))
        .ok_or_else(|| {
            let words = WORDS.map(|(word, _)| word).join(", ");
            format!("write {words} or tag:KEY")
        })
}

fn condition(text: &str) -> Result<(Dimension, String), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| "write DIMENSION=VALUE, such as model=gpt-4o".to_owned())?;
    Ok((dimension(name)?, value.to_owned()))
}

/// Shows the sums.
pub async fn run(arguments: &Arguments, session: &mut Session) -> Result<(), Failure> {
    let reply = usage_pages::all(request(arguments, session)?, session).await?;
    if arguments.json {
        session.format = Format::Json;
    }
    match session.format {
        Format::Json => session.show_typed("QueryUsageResponse", &reply)?,
        Format::Table => output::line(table(arguments, &reply.rows))?,
    }
    if reply.truncated {
        output::remark("there are more than 10,000 rows; narrow --since and --until");
    }
    Ok(())
}

fn request(arguments: &Arguments, session: &Session) -> Result<QueryUsageRequest, Failure> {
    let tags = tags(arguments);
    if tags.len() > 2 {
        return Err(Failure::usage(
            "only two of tag:KEY can be asked for at a time",
        ));
    }
    let mut filters: Vec<UsageFilter> = Vec::new();
    for (dimension, value) in &arguments.conditions {
        let second = dimension.tag_key().is_some() && dimension.tag_key() != tags.first().copied();
        let tag = if second {
            UsageDimension::SecondTag
        } else {
            UsageDimension::Tag
        };
        let number = i32::from(dimension.wire().unwrap_or(tag));
        match filters.iter_mut().find(|it| it.dimension == number) {
            Some(filter) => filter.values.push(value.clone()),
            None => filters.push(UsageFilter {
                dimension: number,
                values: vec![value.clone()],
            }),
        }
    }
    let bucket = match arguments.by {
        None => UsageBucket::Unspecified,
        Some(Bucket::Hour) => UsageBucket::Hour,
        Some(Bucket::Day) => UsageBucket::Day,
        Some(Bucket::Month) => UsageBucket::Month,
    };
    Ok(QueryUsageRequest {
        parent: if arguments.everywhere {
            "organizations/-".to_owned()
        } else {
            session.place.organization()?
        },
        start_time: Some(arguments.since.past(session.now)),
        end_time: arguments.until.map(|until| until.past(session.now)),
        group_by: arguments
            .group_by
            .iter()
            .filter_map(|it| it.wire().map(Into::into))
            .collect(),
        tag_key: tags.first().copied().unwrap_or_default().to_owned(),
        second_tag_key: tags.get(1).copied().unwrap_or_default().to_owned(),
        bucket: bucket.into(),
        time_zone: arguments.time_zone.clone().unwrap_or_default(),
        filters,
        percentiles: arguments.percentiles,
        include_unreached: arguments.include_unreached,
        page_size: usage_pages::PAGE,
        page_token: String::new(),
    })
}

/// The tags that are asked for, each once, in their order.
fn tags(arguments: &Arguments) -> Vec<&str> {
    let conditions = arguments.conditions.iter().map(|(it, _)| it);
    let named = arguments.group_by.iter().chain(conditions);
    let mut tags: Vec<&str> = Vec::new();
    for tag in named.filter_map(Dimension::tag_key) {
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    tags
}

fn table(arguments: &Arguments, rows: &[UsageRow]) -> String {
    let mut heads: Vec<String> = Vec::new();
    if arguments.by.is_some() {
        heads.push("TIME".to_owned());
    }
    heads.extend(arguments.group_by.iter().map(Dimension::head));
    let sums = [
        "REQUESTS",
        "INPUT",
        "CACHED INPUT",
        "OUTPUT",
        "REASONING",
        "ESTIMATED",
        "UNPRICED",
        "COST $",
    ];
    heads.extend(sums.map(str::to_owned));
    if arguments.percentiles {
        let heads_of = |what| ["P50", "P90", "P95", "P99"].map(|it| format!("{what} {it}"));
        heads.extend(["MS", "FIRST", "OWN"].into_iter().flat_map(heads_of));
    }
    let tags = tags(arguments);
    let line = |row: &UsageRow| {
        let mut cells: Vec<String> = Vec::new();
        if arguments.by.is_some() {
            let time = row.bucket_time.as_ref().map(|at| written(at.seconds));
            cells.push(time.unwrap_or_default());
        }
        let of = |it: &Dimension| it.of(row, &tags);
        cells.extend(arguments.group_by.iter().map(of));
        let numbers = [
            row.requests,
            row.input_tokens,
            row.cached_input_tokens,
            row.output_tokens,
            row.reasoning_tokens,
            row.estimated_requests,
            row.unpriced_requests,
        ];
        cells.extend(numbers.map(|it| it.to_string()));
        cells.push(money::dollars(u64::try_from(row.cost_nano).unwrap_or(0)));
        if arguments.percentiles {
            cells.extend(millis(row.duration.as_ref()));
            cells.extend(millis(row.first_byte.as_ref()));
            cells.extend(millis(row.overhead.as_ref()));
        }
        cells
    };
    let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
    output::table(&heads, &rows.iter().map(line).collect::<Vec<_>>())
}

fn millis(of: Option<&UsagePercentiles>) -> [String; 4] {
    let of = of.copied().unwrap_or_default();
    [of.p50_us, of.p90_us, of.p95_us, of.p99_us].map(|us| {
        let tenths = us / 100;
        format!("{}.{}", tenths / 10, tenths % 10)
    })
}

// === impl Dimension ===

impl Dimension {
    fn wire(&self) -> Option<UsageDimension> {
        match self {
            Self::Plain(dimension) => Some(*dimension),
            Self::Tag(_) => None,
        }
    }

    fn tag_key(&self) -> Option<&str> {
        match self {
            Self::Tag(key) => Some(key),
            Self::Plain(_) => None,
        }
    }

    fn head(&self) -> String {
        let word = |it: &UsageDimension| WORDS.iter().find(|(_, known)| known == it);
        match self {
            Self::Tag(key) => format!("TAG {key}"),
            Self::Plain(it) => {
                let word = word(it).map_or("", |(word, _)| *word);
                word.to_uppercase().replace('-', " ")
            }
        }
    }

    /// Its cell of a row, of a question for these tags.
    fn of(&self, row: &UsageRow, tags: &[&str]) -> String {
        let apart = |text: &str| {
            if text.is_empty() && row.other {
                "(others)".to_owned()
            } else {
                text.to_owned()
            }
        };
        match self {
            Self::Tag(key) if tags.first() == Some(&key.as_str()) => apart(&row.tag),
            Self::Tag(_) => apart(&row.second_tag),
            Self::Plain(UsageDimension::EndUser) => apart(&row.end_user),
            Self::Plain(UsageDimension::Key) => apart(&row.key),
            Self::Plain(UsageDimension::Organization) => row.organization.clone(),
            Self::Plain(UsageDimension::Project) => row.project.clone(),
            Self::Plain(UsageDimension::Model) => row.model.clone(),
            Self::Plain(UsageDimension::Version) => row.version.clone(),
            Self::Plain(UsageDimension::Provider) => row.provider.clone(),
            Self::Plain(UsageDimension::Status) => row.status.to_string(),
            Self::Plain(_) => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_names_a_dimension_and_a_value() {
        let tag = Dimension::Tag("team".to_owned());
        assert_eq!(condition("tag:team=a=b"), Ok((tag, "a=b".to_owned())));
        assert!(condition("model").is_err());
        assert!(condition("moon=1").is_err());
    }

    #[test]
    fn percentiles_are_shown_in_milliseconds() {
        let of = UsagePercentiles {
            count: 1,
            p50_us: 1_250,
            p99_us: 90,
            ..UsagePercentiles::default()
        };
        assert_eq!(millis(Some(&of)), ["1.2", "0.0", "0.0", "0.0"]);
    }
}
