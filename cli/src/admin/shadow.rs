//! Shadows: starting one, seeing how its copies compare with what clients got, and ending it.
//!
//! Where a model is named, its shadow that is under way is meant, or else its newest.

use clap::{Args, Subcommand};
use policy::money;
use proto::admin::{
    GetShadowRequest, Shadow, ShadowOne, ShadowPair, ShadowSide, StartShadowRequest,
    StopShadowRequest,
};

use crate::{
    admin::{limit::micro_dollars, meant::meant, rollout_spec::basis_points},
    connection::ANSWER_WITHIN,
    failure::Failure,
    moment::{self, Moment, moment},
    noun,
    output::{self, Format},
    session::Session,
    verb::List,
};

/// What can be done with shadows.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Start one: a sample of the model's requests is copied to another version
    Start(Start),
    /// Show how the copies compare with what clients got
    Show(Show),
    /// Show those of a model
    List(ListOf),
    /// End one: nothing more is copied
    Stop(Stop),
}

/// A new one.
#[derive(Debug, Clone, Args)]
pub struct Start {
    /// The model's id or whole name
    model: String,
    /// The version that gets the copies
    #[arg(long, value_name = "VERSION")]
    to: String,
    /// Which share of the model's requests is copied, such as 5%
    #[arg(long, value_name = "PERCENT", value_parser = basis_points)]
    percent: i32,
    /// How much the copies may cost until it ends by itself, such as 25.50; any amount unless given
    #[arg(long, value_name = "DOLLARS", value_parser = micro_dollars)]
    dollars: Option<i64>,
    /// How much the copies may cost in a day, by UTC, until it rests until the next one; any amount unless given
    #[arg(long, value_name = "DOLLARS", value_parser = micro_dollars)]
    dollars_a_day: Option<i64>,
    /// When it ends by itself, such as 2026-12-19 or 12h from now
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<Moment>,
    /// How many copies an edge may have under way; 16 unless given
    #[arg(
        long,
        value_name = "COPIES",
        default_value_t = 0,
        hide_default_value = true
    )]
    concurrent: i32,
    /// Its id; without one it is counted
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// A UUID: the same call with the same one again changes nothing and gives the same reply, for a day
    #[arg(long, value_name = "UUID", help_heading = "Writing")]
    request_id: Option<String>,
    /// Check everything, write nothing
    #[arg(long, help_heading = "Writing")]
    validate_only: bool,
}

/// Which one.
#[derive(Debug, Clone, Args)]
pub struct Which {
    /// The model, MODEL@SHADOW, or a shadow's whole name
    name: String,
}

/// Which one to show, and how much of it.
#[derive(Debug, Clone, Args)]
pub struct Show {
    #[command(flatten)]
    which: Which,
    /// Show the newest requests one by one, too, each before its copy
    #[arg(long)]
    pairs: bool,
}

/// Those of one model.
#[derive(Debug, Clone, Args)]
pub struct ListOf {
    /// The model's id or whole name
    model: String,
    #[command(flatten)]
    list: List,
}

/// Which one to stop.
#[derive(Debug, Clone, Args)]
pub struct Stop {
    #[command(flatten)]
    which: Which,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

/// Runs a command.
pub async fn run(command: Command, session: &mut Session) -> Result<(), Failure> {
    match command {
        Command::Start(start) => begin(start, session).await,
        Command::Show(Show { which, pairs }) => {
            let name = found(&which, session).await?.name;
            let shadow = get(name, session).await?;
            show(&shadow, session)?;
            if pairs && session.format != Format::Json {
                show_pairs(&shadow.newest)?;
            }
            Ok(())
        }
        Command::List(ListOf { model, list }) => {
            let parent = session.place.name(noun::MODEL.collections, &model)?;
            session.list(&noun::SHADOW, &parent, list.max).await
        }
        Command::Stop(Stop { which, reason }) => {
            let request = StopShadowRequest {
                name: found(&which, session).await?.name,
                reason,
                ..Default::default()
            };
            let path = noun::SHADOW.method("Stop");
            let connection = &mut session.connection;
            let stopped = connection.call_for(&path, &request, ANSWER_WITHIN).await?;
            show(&stopped, session)
        }
    }
}

async fn begin(start: Start, session: &mut Session) -> Result<(), Failure> {
    let parent = session.place.name(noun::MODEL.collections, &start.model)?;
    let request = StartShadowRequest {
        shadow_id: start.id.unwrap_or_default(),
        shadow: Some(Shadow {
            version: session.place.version(&parent, &start.to)?,
            basis_points: start.percent,
            concurrent_max: start.concurrent,
            expire_time: start.until.map(|it| it.future(session.now)),
            cost_max_micro_dollars: start.dollars.unwrap_or(0),
            day_cost_max_micro_dollars: start.dollars_a_day.unwrap_or(0),
            ..Default::default()
        }),
        parent,
        request_id: start.request_id.unwrap_or_default(),
        validate_only: start.validate_only,
    };
    let path = noun::SHADOW.method("Start");
    let connection = &mut session.connection;
    let shadow: Shadow = connection.call_for(&path, &request, ANSWER_WITHIN).await?;
    show(&shadow, session)?;
    if start.validate_only {
        output::remark("nothing was written: it was only checked");
    }
    Ok(())
}

async fn get(name: String, session: &mut Session) -> Result<Shadow, Failure> {
    let path = noun::SHADOW.method("Get");
    let request = GetShadowRequest { name };
    let connection = &mut session.connection;
    connection.call_for(&path, &request, ANSWER_WITHIN).await
}

/// The shadow that is meant, without what is compared where a model is named.
async fn found(which: &Which, session: &mut Session) -> Result<Shadow, Failure> {
    meant(&noun::SHADOW, &which.name, session).await
}

/// Shows one: as JSON, or in lines for people with what is compared in a table.
fn show(shadow: &Shadow, session: &Session) -> Result<(), Failure> {
    if session.format == Format::Json {
        return session.show_typed("Shadow", shadow);
    }
    let state = shadow.state().as_str_name();
    let state = state.trim_start_matches("SHADOW_STATE_").to_lowercase();
    let at = |at: Option<prost_types::Timestamp>| at.map(|it| moment::written(it.seconds));
    let most = u64::try_from(shadow.cost_max_micro_dollars).unwrap_or(0);
    let mut lines = vec![
        ("name", shadow.name.clone()),
        ("state", state),
        ("reason", shadow.reason.clone()),
        ("copies to", last(&shadow.version)),
        ("share", percent(shadow.basis_points)),
        ("started", at(shadow.create_time).unwrap_or_default()),
        ("until", at(shadow.expire_time).unwrap_or_default()),
        ("ended", at(shadow.end_time).unwrap_or_default()),
        ("copies", shadow.copies.to_string()),
        ("cost", dollars(shadow.cost_nano)),
    ];
    if shadow.unpriced_copies > 0 {
        lines.push(("without a price", shadow.unpriced_copies.to_string()));
    }
    if most > 0 {
        lines.push(("may cost", format!("${}", money::micro_dollars(most))));
    }
    let a_day = u64::try_from(shadow.day_cost_max_micro_dollars).unwrap_or(0);
    if a_day > 0 {
        let a_day = money::micro_dollars(a_day);
        lines.push(("may cost a day", format!("${a_day}")));
        lines.push(("cost today", dollars(shadow.day_cost_nano)));
        lines.push(("rests until", at(shadow.rest_time).unwrap_or_default()));
    }
    lines.retain(|(_, value)| !value.is_empty());
    let lines: Vec<_> = lines
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    output::line(output::listing(&lines))?;
    let Some((original, copy)) = shadow.original.as_ref().zip(shadow.copy.as_ref()) else {
        return Ok(());
    };
    let heads = ["OF THE SAME REQUESTS", "CLIENTS", "COPIES", "DIFFERENCE"];
    let rows = compared(original, copy);
    output::line(format!("\n{}", output::table(&heads, &rows)))?;
    output::remark(
        "compared are measures of requests whose copies were answered, and nothing that was said",
    );
    Ok(())
}

/// A measure: its name, where it stands, and how it is shown.
type Measure = (&'static str, fn(&ShadowSide) -> i64, fn(i64) -> String);

/// One row for each measure.
fn compared(original: &ShadowSide, copy: &ShadowSide) -> Vec<Vec<String>> {
    let rows: [Measure; 14] = [
        ("requests", |it| it.requests, count),
        ("errors", |it| it.errors, count),
        ("first byte p50", |it| it.first_byte_p50_us, milliseconds),
        ("first byte p95", |it| it.first_byte_p95_us, milliseconds),
        ("total p50", |it| it.total_p50_us, milliseconds),
        ("total p95", |it| it.total_p95_us, milliseconds),
        ("input tokens", |it| it.input_tokens, count),
        ("output tokens", |it| it.output_tokens, count),
        ("cost", |it| it.cost_nano, dollars),
        ("without a price", |it| it.unpriced, count),
        ("ended whole", |it| it.whole, count),
        ("truncated", |it| it.truncated, count),
        ("refused", |it| it.refused, count),
        ("miscalled", |it| it.miscalled, count),
    ];
    let row = |(name, pick, shown): Measure| {
        let (before, after) = (pick(original), pick(copy));
        vec![
            name.to_owned(),
            shown(before),
            shown(after),
            difference(before, after),
        ]
    };
    rows.into_iter().map(row).collect()
}

/// Shows requests one by one, each before its copy.
fn show_pairs(pairs: &[ShadowPair]) -> Result<(), Failure> {
    let heads = [
        "REQUEST",
        "VERSION",
        "PROVIDER",
        "STATUS",
        "FINISH",
        "FIRST BYTE",
        "TOTAL",
        "IN",
        "OUT",
        "COST",
    ];
    let row = |(what, it): (&str, &ShadowOne)| {
        vec![
            format!("{what}{}", it.id),
            last(&it.version),
            it.provider.clone(),
            it.status.to_string(),
            it.finish.clone(),
            milliseconds(it.first_byte_us),
            milliseconds(it.total_us),
            it.input_tokens.to_string(),
            it.output_tokens.to_string(),
            it.cost_nano.map_or_else(|| "?".to_owned(), dollars),
        ]
    };
    let both = |pair: &ShadowPair| {
        let (original, copy) = (pair.original.clone(), pair.copy.clone());
        let sides = [
            ("", original.unwrap_or_default()),
            ("└ ", copy.unwrap_or_default()),
        ];
        sides.map(|(what, it)| row((what, &it)))
    };
    let rows: Vec<_> = pairs.iter().flat_map(both).collect();
    output::line(format!("\n{}", output::table(&heads, &rows)))
}

fn last(name: &str) -> String {
    name.rsplit('/').next().unwrap_or_default().to_owned()
}

fn percent(basis_points: i32) -> String {
    format!("{} %", f64::from(basis_points) / 100.0)
}

fn count(number: i64) -> String {
    number.to_string()
}

fn milliseconds(us: i64) -> String {
    format!("{}.{} ms", us / 1_000, us % 1_000 / 100)
}

fn dollars(nano: i64) -> String {
    format!("${}", money::dollars(u64::try_from(nano).unwrap_or(0)))
}

/// How much more or less the copies have, as a part of what clients have.
#[expect(
    clippy::cast_precision_loss,
    reason = "it is shown to a tenth of a percent"
)]
fn difference(before: i64, after: i64) -> String {
    match (before, after) {
        (before, after) if before == after => "0 %".to_owned(),
        (0, _) => "-".to_owned(),
        (before, after) => {
            let part = (after - before) as f64 / before as f64;
            format!("{:+.1} %", part * 100.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_a_part_of_what_clients_got() {
        for (before, after, expected) in [
            (100, 150, "+50.0 %"),
            (200, 150, "-25.0 %"),
            (7, 7, "0 %"),
            (0, 3, "-"),
        ] {
            assert_eq!(difference(before, after), expected);
        }
    }

    #[test]
    fn every_measure_has_a_row() {
        let copy = ShadowSide {
            requests: 2,
            first_byte_p50_us: 1_250,
            cost_nano: 1_500_000_000,
            ..Default::default()
        };
        let rows = compared(&ShadowSide::default(), &copy);
        assert_eq!(rows.len(), 14);
        assert_eq!(rows[2], ["first byte p50", "0.0 ms", "1.2 ms", "-"]);
        assert_eq!(rows[8][2], format!("${}", money::dollars(1_500_000_000)));
    }
}
