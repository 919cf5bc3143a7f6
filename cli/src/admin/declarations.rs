//! Declarations: files that say what an organization should be, what it would take to make it so, and doing that.
//!
//! `folder` reads what is declared, `plan` compares that with what is `standing`, `apply` writes the difference. None of them knows
//! a noun by itself: `kind` has them, and the contract has their fields.

use std::{
    io::{self, BufRead as _, IsTerminal as _, Read as _},
    path::PathBuf,
    time::Duration,
};

use clap::Args;
use prost_reflect::ReflectMessage;

use crate::{
    failure::{Exit, Failure},
    moment::span,
    output::{self, Format},
    session::Session,
    verb::Write,
};

pub mod usual;
pub mod names;
pub mod kind;
pub mod value;
pub mod document;
pub mod folder;
pub mod standing;
pub mod difference;
pub mod plan;
pub mod shown;
pub mod apply;

use kind::Kind;
use plan::Plan;

/// What is compared with what stands.
#[derive(Debug, Clone, Args)]
pub struct Declarations {
    /// The folder of declarations: TOML files, those of folders in it, too; or one such file
    #[arg(short, long, value_name = "DIR")]
    file: PathBuf,
    /// Delete what stands and is not declared, of these kinds alone: project, provider, model, alias, limit; may be repeated
    #[arg(long, value_delimiter = ',', value_name = "KIND", value_parser = kind::kind)]
    prune: Vec<&'static Kind>,
}

/// What is looked at.
#[derive(Debug, Clone, Args)]
pub struct Look {
    #[command(flatten)]
    declarations: Declarations,
    /// Exit with 10 where there is something to do
    #[arg(long)]
    detailed_exitcode: bool,
}

/// What is done.
#[derive(Debug, Clone, Args)]
pub struct Apply {
    #[command(flatten)]
    declarations: Declarations,
    /// Write without asking; needed where nobody can be asked
    #[arg(long)]
    yes: bool,
    /// Wait until every edge has it; exits 7 and names those that have not
    #[arg(
        long,
        value_name = "TIMEOUT",
        value_parser = span,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "10s"
    )]
    wait: Option<Duration>,
}

/// The longest answer that is read.
// Full: the rest is left, and it is no yes.
const ANSWER_BYTES_MAX: u64 = 64;

/// Shows what there is to do.
pub async fn look(look: &Look, session: &mut Session) -> Result<(), Failure> {
    let plan = compared(&look.declarations, session).await?;
    match session.format {
        Format::Table => output::line(shown::text(&plan))?,
        Format::Json => output::line(shown::document(&plan, None)?)?,
    }
    if look.detailed_exitcode && !plan.steps.is_empty() {
        let many = plan.steps.len();
        let why = format!("there is something to do: {many} of what is declared or pruned differs");
        return Err(Failure::new(Exit::Differs, why));
    }
    Ok(())
}

/// Does it.
pub async fn apply(apply: &Apply, session: &mut Session) -> Result<(), Failure> {
    let plan = compared(&apply.declarations, session).await?;
    if session.format == Format::Table {
        output::line(shown::text(&plan))?;
    }
    let credentials = apply::credentials(&plan)?;
    if !plan.steps.is_empty() && !apply.yes {
        ask()?;
    }
    let written = apply::write(&plan, &credentials, session).await;
    if session.format == Format::Json {
        output::line(shown::document(&plan, Some(written.done))?)?;
    }
    if let Some(failure) = written.failure {
        return Err(failure);
    }
    match written.reply {
        Some(reply) => {
            let write = Write {
                wait: apply.wait,
                ..Write::default()
            };
            session.settle(&reply, &write).await
        }
        None => Ok(()),
    }
}

async fn compared(declarations: &Declarations, session: &mut Session) -> Result<Plan, Failure> {
    let message = session.connection.message("Project")?;
    let pool = message.descriptor().parent_pool().clone();
    let folder = folder::read(&declarations.file, &session.place, &pool)?;
    let prune = &declarations.prune;
    let standing = standing::read(&folder, prune, session).await?;
    Plan::of(folder.declared, standing, prune)
}

/// Goes on after a yes alone.
fn ask() -> Result<(), Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::usage("nobody can be asked here").with_advice(
            "--yes writes without asking; `sluice plan` only shows what it would be",
        ));
    }
    output::remark("write this? `yes` and nothing else does");
    let mut answer = String::new();
    let read = io::stdin()
        .lock()
        .take(ANSWER_BYTES_MAX)
        .read_line(&mut answer);
    read.map_err(|error| Failure::system("read the answer", &error))?;
    if answer.trim() == "yes" {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Refused,
        "nothing was written: the answer was no yes",
    ))
}
