//! Rollouts: starting one, following it to its end, and stepping in.
//!
//! Where a model is named, its rollout that is under way is meant, or else its newest. How a rollout that was waited for
//! ended is the exit code, for CI.

use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use proto::admin::{
    ForceStartRolloutRequest, GetRolloutRequest, Rollout, RolloutEvidence, RolloutMetric,
    RolloutState, StartRolloutRequest,
};

use crate::{
    admin::{
        meant::meant,
        rollout_spec::{Gate, Step, Sticky},
    },
    connection::ANSWER_WITHIN,
    failure::{Exit, Failure},
    moment::{self, span},
    noun,
    output::{self, Format},
    session::{Session, set},
    verb::List,
};

/// How often a rollout that is waited for is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// For how long a control plane may be away while a rollout is waited for.
const AWAY_MAX: Duration = Duration::from_mins(10);

/// What can be done with rollouts.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Start one
    Start(Start),
    /// Show where one stands
    Status(Which),
    /// Show those of a model
    List(ListOf),
    /// Wait until one has ended; exits 8 when it was taken back, 9 when it was aborted
    Wait(Waited),
    /// Keep one at its step
    Pause(Act),
    /// Let a paused one go on
    Resume(Act),
    /// Approve of leaving the step at which one stands
    Approve(Act),
    /// Make the candidate the stable version now
    Promote(Act),
    /// Take one back now
    Abort(Act),
    /// Let one go on in spite of freezes, for a reason
    Force(Act),
}

/// A new one.
#[derive(Debug, Clone, Args)]
pub struct Start {
    /// The model's id or whole name
    model: String,
    /// The version that is to become the stable one
    #[arg(long = "to", value_name = "VERSION")]
    to: String,
    /// A step, as PERCENT:TIME:REQUESTS, such as 5%:10m:200; with :approve behind it, it is left only when somebody approves;
    /// repeat it
    #[arg(long = "step", required = true, value_name = "STEP")]
    steps: Vec<Step>,
    /// What the candidate is held to, as METRIC:TOLERANCE:MARGIN, such as error-rate or total-time:5%:30%; METRIC is
    /// error-rate, first-byte-time, total-time, cost, truncation-rate, refusal-rate, tool-call-error-rate or feedback-score; repeat
    /// it
    #[arg(long = "gate", value_name = "GATE")]
    gates: Vec<Gate>,
    /// What keeps a client with the version that it met first
    #[arg(long, value_enum, default_value_t = Sticky::EndUser)]
    sticky: Sticky,
    /// Its id; without one it is counted
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Start it in spite of a freeze, and let it heed none, for this reason, which stands in the audit trail
    #[arg(long, value_name = "REASON")]
    force: Option<String>,
    /// Wait until it has ended; exits 8 when it was taken back, 9 when it was aborted, 7 when it takes longer
    #[arg(
        long,
        value_name = "TIMEOUT",
        value_parser = span,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "365d",
        conflicts_with = "validate_only",
    )]
    wait: Option<Duration>,
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
    /// The model, MODEL@ROLLOUT, or a rollout's whole name
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

/// Which one to wait for.
#[derive(Debug, Clone, Args)]
pub struct Waited {
    #[command(flatten)]
    which: Which,
    /// For how long
    #[arg(long, value_name = "TIMEOUT", value_parser = span, default_value = "365d")]
    within: Duration,
}

/// Which one to do something with.
#[derive(Debug, Clone, Args)]
pub struct Act {
    #[command(flatten)]
    which: Which,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

/// Runs a command.
pub async fn run(command: Command, session: &mut Session) -> Result<(), Failure> {
    let (verb, act) = match command {
        Command::Start(start) => return begin(start, session).await,
        Command::Status(which) => {
            let rollout = found(&which, session).await?;
            return show(&rollout, session);
        }
        Command::List(ListOf { model, list }) => {
            let parent = session.place.name(noun::MODEL.collections, &model)?;
            return session.list(&noun::ROLLOUT, &parent, list.max).await;
        }
        Command::Wait(waited) => {
            let rollout = found(&waited.which, session).await?;
            return follow(rollout, waited.within, session).await;
        }
        Command::Pause(act) => ("Pause", act),
        Command::Resume(act) => ("Resume", act),
        Command::Approve(act) => ("Approve", act),
        Command::Promote(act) => ("Promote", act),
        Command::Abort(act) => ("Abort", act),
        Command::Force(act) => ("Force", act),
    };
    let name = found(&act.which, session).await?.name;
    let mut request = session.connection.message(&noun::ROLLOUT.request(verb))?;
    let text = prost_reflect::Value::String;
    set(&mut request, "name", text(name))?;
    set(&mut request, "reason", text(act.reason))?;
    let path = noun::ROLLOUT.method(verb);
    let rollout = session.connection.call_for(&path, &request, ANSWER_WITHIN);
    let rollout = rollout.await?;
    show(&rollout, session)
}

async fn begin(start: Start, session: &mut Session) -> Result<(), Failure> {
    let parent = session.place.name(noun::MODEL.collections, &start.model)?;
    let candidate = session.place.version(&parent, &start.to)?;
    let rollout_id = start.id.unwrap_or_default();
    let request_id = start.request_id.unwrap_or_default();
    let validate_only = start.validate_only;
    let wanted = Some(Rollout {
        candidate_version: candidate,
        steps: start.steps.into_iter().map(|Step(it)| it).collect(),
        gates: start.gates.into_iter().map(|Gate(it)| it).collect(),
        stickiness: start.sticky.wire().into(),
        ..Default::default()
    });
    let connection = &mut session.connection;
    let rollout: Rollout = if let Some(reason) = start.force {
        let request = ForceStartRolloutRequest {
            parent,
            rollout_id,
            rollout: wanted,
            reason,
            request_id,
            validate_only,
        };
        let path = noun::ROLLOUT.method("ForceStart");
        connection.call_for(&path, &request, ANSWER_WITHIN).await?
    } else {
        let request = StartRolloutRequest {
            parent,
            rollout_id,
            rollout: wanted,
            request_id,
            validate_only,
        };
        let path = noun::ROLLOUT.method("Start");
        connection.call_for(&path, &request, ANSWER_WITHIN).await?
    };
    if let Some(within) = start.wait {
        return follow(rollout, within, session).await;
    }
    show(&rollout, session)?;
    if validate_only {
        output::remark("nothing was written: it was only checked");
    }
    Ok(())
}

/// The rollout that is meant.
async fn found(which: &Which, session: &mut Session) -> Result<Rollout, Failure> {
    meant(&noun::ROLLOUT, &which.name, session).await
}

async fn read(name: &str, session: &mut Session) -> Result<Rollout, Failure> {
    let request = GetRolloutRequest {
        name: name.to_owned(),
    };
    let path = noun::ROLLOUT.method("Get");
    let connection = &mut session.connection;
    connection.call_for(&path, &request, ANSWER_WITHIN).await
}

/// Tells how a rollout gets on until it has ended. A control plane that is away for a while is waited for.
async fn follow(
    mut rollout: Rollout,
    within: Duration,
    session: &mut Session,
) -> Result<(), Failure> {
    let since = Instant::now();
    let mut heard = Instant::now();
    let mut said = String::new();
    while rollout.end_time.is_none() {
        let says = progress(&rollout);
        if says != said {
            output::remark(&says);
            said = says;
        }
        if since.elapsed() >= within {
            show(&rollout, session)?;
            let sentence = format!("{} is still under way", rollout.name);
            let advice = "`sluice rollouts wait` waits on";
            return Err(Failure::new(Exit::Behind, sentence).with_advice(advice));
        }
        tokio::time::sleep(LOOK_EVERY).await;
        match read(&rollout.name, session).await {
            Ok(now) => {
                rollout = now;
                heard = Instant::now();
            }
            Err(why) => {
                let away = matches!(why.exit(), Exit::Unavailable | Exit::Behind);
                if !away || heard.elapsed() > AWAY_MAX {
                    return Err(why);
                }
            }
        }
    }
    show(&rollout, session)?;
    let why = || format!("{}: {}", rollout.name, rollout.reason);
    match rollout.state() {
        RolloutState::Promoted => Ok(()),
        RolloutState::RolledBack => Err(Failure::new(
            Exit::TakenBack,
            format!("the rollout was taken back: {}", why()),
        )),
        _ => Err(Failure::new(
            Exit::Aborted,
            format!("the rollout was aborted: {}", why()),
        )),
    }
}

fn progress(rollout: &Rollout) -> String {
    let (step, steps) = (rollout.step, rollout.steps.len());
    let at = usize::try_from(step - 1).unwrap_or(0);
    let share = rollout.steps.get(at).map_or(0, |it| it.basis_points);
    let state = match rollout.state() {
        RolloutState::Paused => "paused, ",
        _ => "",
    };
    let frozen = rollout.frozen_until.as_ref();
    let frozen = frozen.map_or_else(String::new, |until| {
        let until = moment::written(until.seconds);
        format!("frozen until {until}, ")
    });
    format!(
        "{frozen}{state}step {step} of {steps}, {} %: waits for {}",
        f64::from(share) / 100.0,
        rollout.waits_for
    )
}

/// Shows one: as JSON, or in lines for people with a table of what is known of its gates.
fn show(rollout: &Rollout, session: &Session) -> Result<(), Failure> {
    if session.format == Format::Json {
        return session.show_typed("Rollout", rollout);
    }
    let state = rollout.state().as_str_name();
    let state = state.trim_start_matches("ROLLOUT_STATE_").to_lowercase();
    let at = |at: Option<prost_types::Timestamp>| at.map(|it| moment::written(it.seconds));
    let share = |at: i32| {
        let step = usize::try_from(at - 1).ok();
        let step = step.and_then(|at| rollout.steps.get(at));
        step.map_or(0.0, |it| f64::from(it.basis_points) / 100.0)
    };
    let mut lines = vec![
        ("name", rollout.name.clone()),
        ("state", state.replace('_', " ")),
        ("reason", rollout.reason.clone()),
        ("candidate", rollout.candidate_version.clone()),
        ("stable", rollout.stable_version.clone()),
        (
            "step",
            format!(
                "{} of {}, {} %",
                rollout.step,
                rollout.steps.len(),
                share(rollout.step)
            ),
        ),
        ("frozen until", at(rollout.frozen_until).unwrap_or_default()),
        ("frozen for", rollout.freeze_reason.clone()),
        ("forced for", rollout.forced_reason.clone()),
        ("waits for", rollout.waits_for.clone()),
        (
            "requests",
            format!(
                "{} of the candidate, {} of the stable version",
                rollout.candidate_requests, rollout.stable_requests
            ),
        ),
        ("started", at(rollout.create_time).unwrap_or_default()),
        ("ended", at(rollout.end_time).unwrap_or_default()),
    ];
    lines.retain(|(_, value)| !value.is_empty());
    let lines: Vec<_> = lines
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    output::line(output::listing(&lines))?;
    if rollout.evidence.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = rollout.evidence.iter().map(row).collect();
    let heads = ["GATE", "CANDIDATE", "STABLE", "SAMPLES", "HARM", "CLEAR"];
    output::line(format!("\n{}", output::table(&heads, &rows)))
}

fn row(evidence: &RolloutEvidence) -> Vec<String> {
    let metric = evidence.metric();
    let shown = |mean: f64| match metric {
        RolloutMetric::ErrorRate
        | RolloutMetric::TruncationRate
        | RolloutMetric::RefusalRate
        | RolloutMetric::ToolCallErrorRate => {
            format!("{:.2} %", mean * 100.0)
        }
        RolloutMetric::Cost => format!("${mean:.6}"),
        RolloutMetric::FeedbackScore => format!("{mean:.2}"),
        _ => format!("{:.0} ms", mean * 1e3),
    };
    let name = metric.as_str_name();
    let name = name.trim_start_matches("ROLLOUT_METRIC_").to_lowercase();
    vec![
        name.replace('_', " "),
        shown(evidence.candidate_mean),
        shown(evidence.stable_mean),
        format!(
            "{} and {}",
            evidence.candidate_samples, evidence.stable_samples
        ),
        format!("{:.1} of {:.0}", evidence.harm, evidence.harm_limit),
        if evidence.is_cleared {
            "yes"
        } else {
            "not yet"
        }
        .to_owned(),
    ]
}
