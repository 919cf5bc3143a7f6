//! `sluice sealing`: under which keys secrets rest, and the pepper of key tags.

use std::time::Duration;

use clap::{Args, Subcommand};
use proto::admin::{GetSealingRequest, PepperState, RotatePepperRequest, SealedUnder, Sealing};

use crate::{
    connection::ANSWER_WITHIN,
    failure::Failure,
    moment::{self, span},
    output::{self, Format},
    session::Session,
};

/// What can be done.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Show how many values rest under which key, how many are left to be brought under the one that seals, and the peppers
    Show,
    /// Make another pepper: keys are tagged anew under it, and the one before goes
    RotatePepper(RotatePepper),
}

/// How.
#[derive(Debug, Clone, Args)]
pub struct RotatePepper {
    /// How long the one before stays after the last key has left it, for edges that were away; a day unless told
    #[arg(long, value_name = "SPAN", value_parser = span)]
    overlap: Option<Duration>,
    /// A UUID: the same call with the same one again changes nothing and gives the same reply, for a day
    #[arg(long, value_name = "UUID", help_heading = "Writing")]
    request_id: Option<String>,
    /// Check everything, write nothing
    #[arg(long, help_heading = "Writing")]
    validate_only: bool,
}

/// Runs a command.
pub async fn run(command: Command, session: &mut Session) -> Result<(), Failure> {
    match command {
        Command::Show => show(session).await,
        Command::RotatePepper(asked) => rotate(asked, session).await,
    }
}

async fn show(session: &mut Session) -> Result<(), Failure> {
    let asked = GetSealingRequest {};
    let path = "SealingService/GetSealing";
    let sealing = session.connection.call_for(path, &asked, ANSWER_WITHIN);
    let sealing: Sealing = sealing.await?;
    if session.format == Format::Json {
        return session.show_typed("Sealing", &sealing);
    }
    output::line(format!("The key {} seals.", sealing.key_id))?;
    let opens = match sealing.open_key_ids.as_slice() {
        [] => "No other key is there.".to_owned(),
        some if sealing.left == 0 => format!(
            "Nothing rests under {}: take it from seal.open_key_files when every control plane says so.",
            some.join(", ")
        ),
        some => format!(
            "{} only opens; {} values are left to be brought under the one that seals.",
            some.join(", "),
            sealing.left
        ),
    };
    output::line(&opens)?;
    let under = |it: SealedUnder| match it {
        SealedUnder::SealingKey => "seals",
        SealedUnder::OpenKey => "only opens",
        SealedUnder::MissingKey => "is not here: add it to seal.open_key_files",
        SealedUnder::UnnamedKey | SealedUnder::Unspecified => "",
    };
    let rows: Vec<Vec<String>> = sealing
        .values
        .iter()
        .map(|it| {
            let id = match it.key_id.as_str() {
                "" => "(not named)",
                id => id,
            };
            let (place, count) = (it.place.clone(), it.count.to_string());
            vec![place, id.to_owned(), under(it.under()).to_owned(), count]
        })
        .collect();
    output::line(output::table(&["WHERE", "KEY", "WHICH", "VALUES"], &rows))?;
    peppers(&sealing.peppers)
}

fn peppers(peppers: &[PepperState]) -> Result<(), Failure> {
    let newest = peppers.last().map(|it| it.version);
    let rows: Vec<Vec<String>> = peppers
        .iter()
        .map(|it| {
            let state = match (it.use_time, it.leave_time) {
                (None, _) => "waits for every edge to have it",
                (Some(_), _) if Some(it.version) == newest => "is used",
                (Some(_), None) => "is being left",
                (Some(_), Some(_)) => {
                    "is left, and goes when its overlap is over and every edge knows"
                }
            };
            vec![
                it.version.to_string(),
                state.to_owned(),
                it.secrets.to_string(),
            ]
        })
        .collect();
    output::line(output::table(&["PEPPER", "STATE", "SECRETS"], &rows))
}

async fn rotate(asked: RotatePepper, session: &mut Session) -> Result<(), Failure> {
    let asked = RotatePepperRequest {
        overlap: asked.overlap.map(moment::wire_span),
        request_id: asked.request_id.unwrap_or_default(),
        validate_only: asked.validate_only,
    };
    let path = "SealingService/RotatePepper";
    let made = session.connection.call_for(path, &asked, ANSWER_WITHIN);
    let made: PepperState = made.await?;
    if session.format == Format::Json {
        return session.show_typed("PepperState", &made);
    }
    output::line(format!(
        "Pepper {} is made; `sluice sealing show` tells how far it is.",
        made.version
    ))
}
