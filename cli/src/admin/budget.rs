//! What can be said of a budget.

use clap::{Args, Subcommand, ValueEnum};
use proto::admin::{Budget, BudgetEnd, BudgetPeriod, GetBudgetStatusRequest};

use crate::{
    admin::{
        field::{Change, Mask, Wanted, Which},
        limit::{Loss, Member, micro_dollars},
        plain::run_verb,
    },
    connection::ANSWER_WITHIN,
    failure::Failure,
    noun,
    session::Session,
    verb::Verb,
};

/// What can be done with budgets.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Make one, change one, and what stands.
    #[command(flatten)]
    Plain(Verb<New, Edit>),
    /// Show what was spent of one, what is left, and where it will end at this rate
    Status(Status),
}

/// Which one.
#[derive(Debug, Clone, Args)]
pub struct Status {
    /// The budget's id or whole name
    name: String,
    /// Of a budget that counts each key, which one: its id or whole name
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Of a budget that counts each end user, which one
    #[arg(long, value_name = "TEXT")]
    end_user: Option<String>,
}

/// What can change, too.
#[derive(Debug, Clone, Args)]
struct Held {
    /// At which parts somebody should look, in percent
    #[arg(long, value_delimiter = ',', value_name = "PERCENT")]
    thresholds: Vec<i32>,
    /// What happens to a request that does not fit any more
    #[arg(long, value_name = "WHAT")]
    at_end: Option<End>,
    /// What happens while nobody knows what is left
    #[arg(long, value_name = "WHAT")]
    on_store_loss: Option<Loss>,
    /// What people call it
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
}

/// A new one.
#[derive(Debug, Clone, Args)]
pub struct New {
    /// Whose spending is counted: organization, project, keys/ID, projects/ID, or a whole name
    #[arg(long, value_name = "SCOPE")]
    owner: String,
    /// How much each period holds, such as 250.50
    #[arg(long, value_name = "DOLLARS", value_parser = micro_dollars)]
    dollars: i64,
    /// When it starts again, in the organization's time zone
    #[arg(long)]
    period: Period,
    /// Give each of these a budget of its own, such as each key of the project
    #[arg(long, value_delimiter = ',', value_name = "MEMBER")]
    each: Vec<Member>,
    /// Count requests for this model only
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Let these regions hold it together; each by itself unless given
    #[arg(long, value_delimiter = ',', value_name = "REGION")]
    regions: Vec<String>,
    #[command(flatten)]
    held: Held,
}

/// A change of one.
#[derive(Debug, Clone, Args)]
pub struct Edit {
    /// How much each period holds, such as 250.50
    #[arg(long, value_name = "DOLLARS", value_parser = micro_dollars)]
    dollars: Option<i64>,
    /// When it starts again
    #[arg(long)]
    period: Option<Period>,
    #[command(flatten)]
    held: Held,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Period {
    Day,
    Week,
    Month,
    Lifetime,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum End {
    /// It is refused
    Refuse,
    /// It is served and its client warned
    Warn,
    /// It is served, and only the records and metrics tell
    Watch,
    /// It is refused, and what fits is held to what was reserved for it
    Hold,
}

impl Wanted for New {
    type Resource = Budget;

    fn wanted(self, session: &Session) -> Result<Budget, Failure> {
        let model = match self.model {
            Some(name) => session.place.name(noun::MODEL.collections, &name)?,
            None => String::new(),
        };
        Ok(Budget {
            owner: session.place.scope(&self.owner)?,
            micro_dollars: self.dollars,
            period: self.period.wire(),
            each: self.each.into_iter().map(Member::wire).collect(),
            model,
            regions: self.regions,
            thresholds: self.held.thresholds,
            at_end: self.held.at_end.map(End::wire).unwrap_or_default(),
            on_store_loss: self.held.on_store_loss.map(Loss::wire).unwrap_or_default(),
            display_name: self.held.display_name.unwrap_or_default(),
            ..Default::default()
        })
    }
}

impl Change for Edit {
    type Resource = Budget;

    fn change(&self, it: Which, _: &Session) -> Result<(Budget, Mask), Failure> {
        let mut mask = Mask::default();
        let held = &self.held;
        let thresholds = (!held.thresholds.is_empty()).then(|| held.thresholds.clone());
        let budget = Budget {
            name: it.name,
            etag: it.etag,
            micro_dollars: mask.take("micro_dollars", self.dollars),
            period: mask.take("period", self.period.map(Period::wire)),
            thresholds: mask.take("thresholds", thresholds),
            at_end: mask.take("at_end", held.at_end.map(End::wire)),
            on_store_loss: mask.take("on_store_loss", held.on_store_loss.map(Loss::wire)),
            display_name: mask.take("display_name", held.display_name.clone()),
            ..Default::default()
        };
        Ok((budget, mask))
    }
}

/// Runs a command.
pub async fn run(command: Command, session: &mut Session) -> Result<(), Failure> {
    match command {
        Command::Plain(verb) => run_verb(&noun::BUDGET, verb, session).await,
        Command::Status(status) => show(status, session).await,
    }
}

async fn show(status: Status, session: &mut Session) -> Result<(), Failure> {
    let name = session.place.name(noun::BUDGET.collections, &status.name)?;
    let key = match &status.key {
        Some(key) => session.place.name(noun::KEY.collections, key)?,
        None => String::new(),
    };
    let request = GetBudgetStatusRequest {
        name,
        key,
        end_user: status.end_user.unwrap_or_default(),
    };
    let path = "BudgetService/GetBudgetStatus";
    let reply = session.connection.call(path, &request, ANSWER_WITHIN);
    let reply = reply.await?;
    session.show(&reply)
}

// === impl Period ===

impl Period {
    fn wire(self) -> i32 {
        match self {
            Self::Day => BudgetPeriod::Day,
            Self::Week => BudgetPeriod::Week,
            Self::Month => BudgetPeriod::Month,
            Self::Lifetime => BudgetPeriod::Lifetime,
        }
        .into()
    }
}

// === impl End ===

impl End {
    fn wire(self) -> i32 {
        match self {
            Self::Refuse => BudgetEnd::Refuse,
            Self::Warn => BudgetEnd::Warn,
            Self::Watch => BudgetEnd::Watch,
            Self::Hold => BudgetEnd::Hold,
        }
        .into()
    }
}
