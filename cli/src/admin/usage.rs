//! `sluice usage`: what was used.

use clap::{Args, ValueEnum};
use proto::admin::{QueryUsageRequest, QueryUsageResponse, UsageDimension, UsageRow};

use crate::{
    connection::ANSWER_WITHIN,
    failure::Failure,
    moment::{Moment, moment},
    output::{self, Format},
    session::Session,
};

/// What to sum.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    /// By what to group
    #[arg(long, value_delimiter = ',', default_values = ["day", "project", "model"], value_name = "DIMENSIONS")]
    by: Vec<Dimension>,
    /// From when: a span such as 7d back from now, or a time
    #[arg(long, value_name = "WHEN", value_parser = moment, default_value = "30d")]
    since: Moment,
    /// Until when; without it, until now
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    until: Option<Moment>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Dimension {
    /// The day, in UTC
    Day,
    Project,
    Key,
    /// The public model
    Model,
    /// The provider that served
    Provider,
}

/// Shows the sums.
pub async fn run(arguments: &Arguments, session: &mut Session) -> Result<(), Failure> {
    let by = &arguments.by;
    let request = QueryUsageRequest {
        parent: session.place.organization()?,
        start_time: Some(arguments.since.past(session.now)),
        end_time: arguments.until.map(|until| until.past(session.now)),
        group_by: by.iter().map(|dimension| dimension.wire().into()).collect(),
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
    ];
    let heads: Vec<&str> = by.iter().map(|it| it.head()).chain(sums).collect();
    let line = |row: &UsageRow| {
        let numbers = [
            row.requests,
            row.input_tokens,
            row.cached_input_tokens,
            row.output_tokens,
            row.reasoning_tokens,
            row.estimated_requests,
        ];
        let groups = by.iter().map(|it| it.of(row).to_owned());
        groups
            .chain(numbers.map(|number| number.to_string()))
            .collect()
    };
    output::table(&heads, &rows.iter().map(line).collect::<Vec<_>>())
}

// === impl Dimension ===

impl Dimension {
    const fn wire(self) -> UsageDimension {
        match self {
            Self::Day => UsageDimension::Day,
            Self::Project => UsageDimension::Project,
            Self::Key => UsageDimension::Key,
            Self::Model => UsageDimension::Model,
            Self::Provider => UsageDimension::Provider,
        }
    }

    const fn head(self) -> &'static str {
        match self {
            Self::Day => "DAY",
            Self::Project => "PROJECT",
            Self::Key => "KEY",
            Self::Model => "MODEL",
            Self::Provider => "PROVIDER",
        }
    }

    fn of(self, row: &UsageRow) -> &str {
        match self {
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
            ["2026-11-22", "demo", "3", "40", "0", "0", "0", "0"]
        );
    }
}
