//! Experiments: starting one, reading what is known of it, and ending it.
//!
//! Where a model is named, its experiment that is under way is meant, or else its newest.

use std::{str::FromStr, time::Duration};

use clap::{Args, Subcommand, ValueEnum};
use prost::Message;
use proto::admin::{
    ConcludeExperimentRequest, Experiment, ExperimentAllocation, ExperimentAllocationMethod,
    ExperimentArm, ExperimentGuard, ExperimentMeasure, RolloutMetric, StartExperimentRequest,
    StopExperimentRequest,
};

use crate::{
    admin::{
        meant::meant,
        rollout_spec::{Gate, Sticky, basis_points},
    },
    connection::ANSWER_WITHIN,
    failure::Failure,
    moment, noun,
    output::{self, Format},
    session::Session,
    verb::List,
};

/// What can be done with experiments.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Start one
    Start(Start),
    /// Show what is known of one, in words and figures
    Report(Which),
    /// Show those of a model
    List(ListOf),
    /// End one: the first arm gets all
    Stop(Stop),
    /// End one, and make the version of an arm the stable one
    Conclude(Conclude),
}

/// A new one.
#[derive(Debug, Clone, Args)]
pub struct Start {
    /// The model's id or whole name
    model: String,
    /// An arm beside the stable version, as VERSION:PERCENT, such as v2:30%; repeat it
    #[arg(long = "arm", required = true, value_name = "ARM")]
    arms: Vec<Arm>,
    /// What every arm is held to, as METRIC:TOLERANCE, such as error-rate:1%, with the metrics of rollouts' gates; repeat it
    #[arg(long = "guard", value_name = "GUARD")]
    guards: Vec<Gate>,
    /// How the arms' shares come about
    #[arg(long, value_enum, default_value_t = Allocate::Fixed)]
    allocate: Allocate,
    /// What shares follow: error-rate, first-byte-time, cost or feedback-score
    #[arg(long, value_name = "METRIC", help_heading = "Shares that follow")]
    goal: Option<Gate>,
    /// What each arm keeps, a whole percent; 5% without one
    #[arg(long, value_name = "PERCENT", value_parser = basis_points, help_heading = "Shares that follow")]
    floor: Option<i32>,
    /// By how much a share changes at most at once, a whole percent; 10% without one
    #[arg(long, value_name = "PERCENT", value_parser = basis_points, help_heading = "Shares that follow")]
    step: Option<i32>,
    /// How long shares stay at least, such as 1h; 10m without one
    #[arg(long, value_name = "SPAN", value_parser = moment::span, help_heading = "Shares that follow")]
    every: Option<Duration>,
    /// What keeps a client with its arm
    #[arg(long, value_enum, default_value_t = Sticky::EndUser)]
    sticky: Sticky,
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

/// How shares come about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Allocate {
    /// They stay as they are given
    Fixed,
    /// Each arm gets as much as the chance that it is the best (Thompson sampling)
    Thompson,
}

/// An arm: `v2:30%`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arm {
    version: String,
    basis_points: i32,
}

/// Which one.
#[derive(Debug, Clone, Args)]
pub struct Which {
    /// The model, MODEL@EXPERIMENT, or an experiment's whole name
    name: String,
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

/// Which one to conclude, and how.
#[derive(Debug, Clone, Args)]
pub struct Conclude {
    #[command(flatten)]
    which: Which,
    /// The version that becomes the stable one
    #[arg(long, value_name = "VERSION")]
    to: String,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

/// Runs a command.
pub async fn run(command: Command, session: &mut Session) -> Result<(), Failure> {
    match command {
        Command::Start(start) => begin(start, session).await,
        Command::Report(which) => {
            let experiment = found(&which, session).await?;
            show(&experiment, session)
        }
        Command::List(ListOf { model, list }) => {
            let parent = session.place.name(noun::MODEL.collections, &model)?;
            session.list(&noun::EXPERIMENT, &parent, list.max).await
        }
        Command::Stop(Stop { which, reason }) => {
            let request = StopExperimentRequest {
                name: found(&which, session).await?.name,
                reason,
                ..Default::default()
            };
            end("Stop", &request, session).await
        }
        Command::Conclude(Conclude { which, to, reason }) => {
            let name = found(&which, session).await?.name;
            let model = name.split("/experiments/").next().unwrap_or_default();
            let request = ConcludeExperimentRequest {
                version: session.place.version(model, &to)?,
                name,
                reason,
                ..Default::default()
            };
            end("Conclude", &request, session).await
        }
    }
}

/// Ends one, by this method.
async fn end(verb: &str, request: &impl Message, session: &mut Session) -> Result<(), Failure> {
    let path = noun::EXPERIMENT.method(verb);
    let ended = session.connection.call_for(&path, request, ANSWER_WITHIN);
    let ended = ended.await?;
    show(&ended, session)
}

async fn begin(start: Start, session: &mut Session) -> Result<(), Failure> {
    let parent = session.place.name(noun::MODEL.collections, &start.model)?;
    let arms = start.arms.iter().map(|it| {
        Ok(ExperimentArm {
            version: session.place.version(&parent, &it.version)?,
            basis_points: it.basis_points,
            ..Default::default()
        })
    });
    let arms = arms.collect::<Result<Vec<_>, Failure>>()?;
    if start
        .guards
        .iter()
        .any(|Gate(it)| it.margin_basis_points > 0)
    {
        return Err(Failure::usage("a guard is METRIC or METRIC:TOLERANCE"));
    }
    let guards = start.guards.iter().map(|Gate(it)| ExperimentGuard {
        metric: it.metric,
        tolerance_basis_points: it.tolerance_basis_points,
    });
    let guards = guards.collect();
    let request = StartExperimentRequest {
        experiment: Some(Experiment {
            allocation: allocation(&start)?,
            arms,
            guards,
            stickiness: start.sticky.wire().into(),
            ..Default::default()
        }),
        parent,
        experiment_id: start.id.unwrap_or_default(),
        request_id: start.request_id.unwrap_or_default(),
        validate_only: start.validate_only,
    };
    let path = noun::EXPERIMENT.method("Start");
    let experiment: Experiment = session
        .connection
        .call_for(&path, &request, ANSWER_WITHIN)
        .await?;
    show(&experiment, session)?;
    if start.validate_only {
        output::remark("nothing was written: it was only checked");
    }
    Ok(())
}

/// How shares are to follow what is known; `None`: they stay.
fn allocation(start: &Start) -> Result<Option<ExperimentAllocation>, Failure> {
    let (goal, floor, step) = (start.goal.as_ref(), start.floor, start.step);
    if start.allocate == Allocate::Fixed {
        let is_said = goal.is_some() || floor.is_some() || step.is_some() || start.every.is_some();
        return if is_said {
            let why = "--goal, --floor, --step and --every go with --allocate thompson";
            Err(Failure::usage(why))
        } else {
            Ok(None)
        };
    }
    if goal.is_some_and(|Gate(it)| it.tolerance_basis_points + it.margin_basis_points > 0) {
        return Err(Failure::usage("a goal is METRIC"));
    }
    Ok(Some(ExperimentAllocation {
        method: ExperimentAllocationMethod::Thompson.into(),
        goal: goal.map_or(0, |Gate(it)| it.metric),
        floor_basis_points: floor.unwrap_or_default(),
        step_basis_points: step.unwrap_or_default(),
        period: start.every.map(moment::wire_span),
    }))
}

/// The experiment that is meant.
async fn found(which: &Which, session: &mut Session) -> Result<Experiment, Failure> {
    meant(&noun::EXPERIMENT, &which.name, session).await
}

/// Shows one: as JSON, or in lines for people with what is known in words and a table of figures.
fn show(experiment: &Experiment, session: &Session) -> Result<(), Failure> {
    if session.format == Format::Json {
        return session.show_typed("Experiment", experiment);
    }
    let state = experiment.state().as_str_name();
    let state = state.trim_start_matches("EXPERIMENT_STATE_").to_lowercase();
    let at = |at: Option<prost_types::Timestamp>| at.map(|it| moment::written(it.seconds));
    let mut lines = vec![
        ("name", experiment.name.clone()),
        ("state", state),
        ("reason", experiment.reason.clone()),
        ("started", at(experiment.create_time).unwrap_or_default()),
        ("ended", at(experiment.end_time).unwrap_or_default()),
    ];
    let out = experiment
        .arms
        .iter()
        .filter(|it| !it.out_reason.is_empty());
    lines.extend(out.map(|it| ("out", it.out_reason.clone())));
    lines.extend(experiment.findings.iter().map(|it| ("known", it.clone())));
    lines.retain(|(_, value)| !value.is_empty());
    let lines: Vec<_> = lines
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    output::line(output::listing(&lines))?;
    let rows: Vec<_> = experiment.arms.iter().map(row).collect();
    let heads = [
        "ARM", "SHARE", "REQUESTS", "CLIENTS", "ERRORS", "BEGINS", "COSTS", "SCORE",
    ];
    output::line(format!("\n{}", output::table(&heads, &rows)))?;
    if !experiment.weights.is_empty() {
        output::line(format!("\n{}", weights(experiment)))?;
    }
    output::remark("each interval holds at all times at once, save one in twenty");
    Ok(())
}

/// The shares that the arms have had, the newest first.
fn weights(experiment: &Experiment) -> String {
    let arms = experiment.arms.iter();
    let arms = arms.map(|it| it.version.rsplit('/').next().unwrap_or_default());
    let heads: Vec<&str> = ["SINCE"].into_iter().chain(arms).chain(["WHY"]).collect();
    let rows = experiment.weights.iter().map(|it| {
        let since = it.start_time.map(|at| moment::written(at.seconds));
        let mut row = vec![since.unwrap_or_default()];
        row.extend(it.basis_points.iter().enumerate().map(|(arm, share)| {
            let share = format!("{} %", f64::from(*share) / 100.0);
            match it.chances.get(arm) {
                Some(chance) => format!("{share} (best: {:.1} %)", chance * 100.0),
                None => share,
            }
        }));
        row.push(it.reason.clone());
        row
    });
    output::table(&heads, &rows.collect::<Vec<_>>())
}

fn row(arm: &ExperimentArm) -> Vec<String> {
    let version = arm.version.rsplit('/').next().unwrap_or_default();
    let mut row = vec![
        version.to_owned(),
        format!("{} %", f64::from(arm.basis_points) / 100.0),
        arm.requests.to_string(),
        arm.clients.to_string(),
    ];
    row.extend(arm.measures.iter().map(measure));
    row
}

/// Such as `1.20 % (0.80 % to 2.10 %)`.
fn measure(it: &ExperimentMeasure) -> String {
    let shown = |mean: f64| match it.metric() {
        RolloutMetric::Cost => format!("${mean:.6}"),
        RolloutMetric::FeedbackScore => format!("{mean:.2}"),
        RolloutMetric::FirstByteTime | RolloutMetric::TotalTime => format!("{:.0} ms", mean * 1e3),
        _ => format!("{:.2} %", mean * 100.0),
    };
    match (it.samples, it.low.zip(it.high)) {
        (0, _) => "-".to_owned(),
        (_, None) => shown(it.mean),
        (_, Some((low, high))) => format!("{} ({} to {})", shown(it.mean), shown(low), shown(high)),
    }
}

// === impl Arm ===

impl FromStr for Arm {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (version, share) = text
            .rsplit_once(':')
            .filter(|(version, _)| !version.is_empty())
            .ok_or("write VERSION:PERCENT, such as v2:30%")?;
        Ok(Self {
            version: version.to_owned(),
            basis_points: basis_points(share)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arm_is_a_version_and_its_share() {
        let arm = "v2:12.5%".parse::<Arm>();
        let read = arm.map(|it| (it.version, it.basis_points));
        assert_eq!(read, Ok(("v2".to_owned(), 1_250)));
        for wrong in ["v2", ":5%", "v2:", "v2:five"] {
            assert!(wrong.parse::<Arm>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_not_known_is_not_shown_as_if_it_were() {
        let mut cost = ExperimentMeasure {
            metric: RolloutMetric::Cost.into(),
            ..Default::default()
        };
        assert_eq!(measure(&cost), "-");
        (cost.samples, cost.mean) = (3, 0.5);
        assert_eq!(measure(&cost), "$0.500000");
        (cost.low, cost.high) = (Some(0.25), Some(1.0));
        assert_eq!(measure(&cost), "$0.500000 ($0.250000 to $1.000000)");
    }
}
