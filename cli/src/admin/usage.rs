//! `sluice usage`: what was used.

use clap::{Args, Subcommand};
use policy::money;
use proto::admin::{QueryUsageRequest, QueryUsageResponse, UsageDimension, UsageRow};

use crate::{
    admin::{usage_content, usage_erase, usage_export, usage_feedback, usage_query, usage_record},
    connection::ANSWER_WITHIN,
    failure::Failure,
    moment::{Moment, moment},
    output::{self, Format},
    session::Session,
};

/// What to sum, by days unless told otherwise; or another question.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    sums: Sums,
}

/// Questions about usage.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Sums, divided, grouped and filtered as asked, with percentiles of durations
    Query(usage_query::Arguments),
    /// One request, with its failed attempts and what it cost
    Get(usage_record::Arguments),
    /// What one request and its answer said, where its project keeps that; reading it stands in the audit trail
    Content(usage_content::Arguments),
    /// Forget an end user: what was said is deleted, and the name goes from records and sums
    Erase(usage_erase::Arguments),
    /// Every record, as JSON lines, CSV or Parquet
    Export(usage_export::Arguments),
    /// What clients said of a model's answers, by version
    Feedback(usage_feedback::Arguments),
}

/// What to sum.
#[derive(Debug, Clone, Args)]
struct Sums {
    /// By what to group: day (in UTC), project, key, model, provider, and at most one tag:KEY
    #[arg(long, value_delimiter = ',', default_values = ["day", "project", "model"], value_name = "DIMENSIONS", value_parser = dimension)]
    by: Vec<Dimension>,
    /// From when: a span such as 7d back from now, or a time
    #[arg(long, value_name = "WHEN", value_parser = moment, default_value = "30d")]
    since: Moment,
    /// Until when; without it, until now
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    until: Option<Moment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Dimension {
    Day,
    Project,
    Key,
    Model,
    Provider,
    /// The value of this tag.
    Tag(String),
}

fn dimension(text: &str) -> Result<Dimension, String> {
    Ok(match text {
        "day" => Dimension::Day,
        "project" => Dimension::Project,
        "key" => Dimension::Key,
        "model" => Dimension::Model,
        "provider" => Dimension::Provider,
        _ => match text.strip_prefix("tag:") {
            Some(key) if !key.is_empty() => Dimension::Tag(key.to_owned()),
            _ => return Err("write day, project, key, model, provider or tag:KEY".to_owned()),
        },
    })
}

/// Answers.
pub async fn run(arguments: &Arguments, session: &mut Session) -> Result<(), Failure> {
    match &arguments.command {
        None => sums(&arguments.sums, session).await,
        Some(Command::Query(arguments)) => usage_query::run(arguments, session).await,
        Some(Command::Get(arguments)) => usage_record::run(arguments, session).await,
        Some(Command::Content(arguments)) => usage_content::run(arguments, session).await,
        Some(Command::Erase(arguments)) => usage_erase::run(arguments, session).await,
        Some(Command::Export(arguments)) => usage_export::run(arguments, session).await,
        Some(Command::Feedback(arguments)) => usage_feedback::run(arguments, session).await,
    }
}

/// Shows the sums.
async fn sums(arguments: &Sums, session: &mut Session) -> Result<(), Failure> {
    let by = &arguments.by;
    let tags = by.iter().filter_map(Dimension::tag_key);
    let tags: Vec<&str> = tags.collect();
    if tags.len() > 1 {
        return Err(Failure::usage("--by takes one tag:KEY"));
    }
    let request = QueryUsageRequest {
        parent: session.place.organization()?,
        start_time: Some(arguments.since.past(session.now)),
        end_time: arguments.until.map(|until| until.past(session.now)),
        group_by: by
            .iter()
            .filter_map(|it| it.wire().map(Into::into))
            .collect(),
        tag_key: tags.concat(),
        ..Default::default()
    };
    let path = "UsageService/QueryUsage";
    let reply: QueryUsageResponse = session
        .connection
        .call_for(path, &request, ANSWER_WITHIN)
        .await?;
    match session.format {
        Format::Json => session.show_typed("QueryUsageResponse", &reply)?,
        Format::Table => output::line(table(by, &reply.rows))?,
    }
    if reply.truncated {
        output::remark("there are more than 10,000 rows; narrow --since and --until");
    }
    Ok(())
}

fn table(by: &[Dimension], rows: &[UsageRow]) -> String {
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
    let heads: Vec<String> = by
        .iter()
        .map(Dimension::head)
        .chain(sums.map(str::to_owned))
        .collect();
    let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
    let line = |row: &UsageRow| {
        let numbers = [
            row.requests,
            row.input_tokens,
            row.cached_input_tokens,
            row.output_tokens,
            row.reasoning_tokens,
            row.estimated_requests,
            row.unpriced_requests,
        ];
        let cost = money::dollars(u64::try_from(row.cost_nano).unwrap_or(0));
        let groups = by.iter().map(|it| it.of(row).to_owned());
        groups
            .chain(numbers.map(|number| number.to_string()))
            .chain([cost])
            .collect()
    };
    output::table(&heads, &rows.iter().map(line).collect::<Vec<_>>())
}

// === impl Dimension ===

impl Dimension {
    fn wire(&self) -> Option<UsageDimension> {
        Some(match self {
            Self::Day => UsageDimension::Day,
            Self::Project => UsageDimension::Project,
            Self::Key => UsageDimension::Key,
            Self::Model => UsageDimension::Model,
            Self::Provider => UsageDimension::Provider,
            Self::Tag(_) => return None,
        })
    }

    fn tag_key(&self) -> Option<&str> {
        match self {
            Self::Tag(key) => Some(key),
            _ => None,
        }
    }

    fn head(&self) -> String {
        let word = match self {
            Self::Tag(key) => return format!("TAG {key}"),
            Self::Day => "DAY",
            Self::Project => "PROJECT",
            Self::Key => "KEY",
            Self::Model => "MODEL",
            Self::Provider => "PROVIDER",
        };
        word.to_owned()
    }

    fn of<'a>(&self, row: &'a UsageRow) -> &'a str {
        match self {
            Self::Tag(_) => &row.tag,
            Self::Day => &row.day,
            Self::Project => &row.project,
            Self::Key => &row.key,
            Self::Model => &row.model,
            Self::Provider => &row.provider,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_a_column_for_each_dimension_and_each_sum() {
        let row = UsageRow {
            day: "2026-11-22".to_owned(),
            model: "demo".to_owned(),
            requests: 3,
            input_tokens: 40,
            cost_nano: 3_500_000,
            unpriced_requests: 2,
            ..Default::default()
        };
        let text = table(&[Dimension::Day, Dimension::Model], &[row]);
        let lines: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(lines[0][..4], ["DAY", "MODEL", "REQUESTS", "INPUT"]);
        assert_eq!(
            lines[1],
            [
                "2026-11-22",
                "demo",
                "3",
                "40",
                "0",
                "0",
                "0",
                "0",
                "2",
                "0.0035"
            ]
        );
    }
}
