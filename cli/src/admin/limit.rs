//! What can be said of a limit.

use clap::{Args, Subcommand, ValueEnum};
use policy::money;
use proto::admin::{
    Limit, LimitMember, LimitMode, LimitOnStoreLoss, LimitOverride, LimitUnit, LimitWindow,
};

use crate::{
    admin::{
        explained::{self, Explain},
        field::{Change, Mask, Wanted, Which},
        plain::run_verb,
    },
    failure::Failure,
    moment::{Moment, moment},
    noun,
    place::Collections,
    session::Session,
    verb::{Verb, Write},
};

/// What can be done with limits.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Make one, change one, and what stands.
    #[command(flatten)]
    Plain(Verb<New, Edit>),
    /// Give a key, an end user or everybody other numbers, for a time or for good
    Override(Override),
    /// Show which limits concern a key's requests for a model, and how much of each is left
    Explain(Explain),
}

/// Other numbers.
#[derive(Debug, Clone, Args)]
pub struct Override {
    /// The limit's id or whole name
    name: String,
    /// For this key only, whose id or whole name it is
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// For this end user only
    #[arg(long, value_name = "TEXT")]
    end_user: Option<String>,
    /// How much each window adds then or each period holds, or how many requests may be under way at once
    #[arg(long, value_name = "COUNT", required_unless_present_any = ["remove", "dollars"])]
    amount: Option<i64>,
    /// The amount of a limit on money, such as 250.50
    #[arg(long, value_name = "DOLLARS", value_parser = micro_dollars, conflicts_with = "amount")]
    dollars: Option<i64>,
    /// How much may be used at once from rest; a tenth of the amount unless given
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = 0,
        hide_default_value = true
    )]
    burst: i64,
    /// When it ends: in a span such as 2h, or at a time; for good unless given
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    until: Option<Moment>,
    /// Take it away
    #[arg(long, conflicts_with_all = ["amount", "dollars", "burst", "until"])]
    remove: bool,
    #[command(flatten)]
    write: Write,
}

/// How a limit is held.
#[derive(Debug, Clone, Args)]
struct Held {
    /// What happens to a request that does not fit
    #[arg(long)]
    mode: Option<Mode>,
    /// What happens while Redis cannot be asked
    #[arg(long, value_name = "WHAT")]
    on_store_loss: Option<Loss>,
}

/// A new one.
#[derive(Debug, Clone, Args)]
pub struct New {
    /// Whose use is counted: organization, project, keys/ID, projects/ID, or a whole name
    #[arg(long, value_name = "SCOPE")]
    scope: String,
    /// Count requests for this model only
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Count what this provider serves only
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,
    /// Count requests for this end user only, as clients name it
    #[arg(long, value_name = "TEXT")]
    end_user: Option<String>,
    /// Give each of these a count of its own, such as each key of the project
    #[arg(long, value_delimiter = ',', value_name = "MEMBER")]
    each: Vec<Member>,
    /// Let these regions hold it together, so that all of them admit no more than the amount; each by itself unless given
    #[arg(long, value_delimiter = ',', value_name = "REGION")]
    regions: Vec<String>,
    /// What is counted
    #[arg(long)]
    unit: Unit,
    /// How much each window adds or each period holds, or how many requests may be under way at once
    #[arg(long, value_name = "COUNT", required_unless_present = "dollars")]
    amount: Option<i64>,
    /// The amount of a limit on money, such as 250.50
    #[arg(long, value_name = "DOLLARS", value_parser = micro_dollars, conflicts_with = "amount")]
    dollars: Option<i64>,
    /// The window; from a day on a quota, which starts again in the organization's time zone. What counts concurrent requests
    /// has none
    #[arg(long, required_if_eq_any(WINDOWED))]
    window: Option<Window>,
    /// How much may be used at once from rest; a tenth of the amount unless given
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = 0,
        hide_default_value = true
    )]
    burst: i64,
    #[command(flatten)]
    held: Held,
    /// What people call it
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
}

/// A change of one.
#[derive(Debug, Clone, Args)]
pub struct Edit {
    /// How much each window adds or each period holds, or how many requests may be under way at once
    #[arg(long, value_name = "COUNT")]
    amount: Option<i64>,
    /// The amount of a limit on money, such as 250.50
    #[arg(long, value_name = "DOLLARS", value_parser = micro_dollars, conflicts_with = "amount")]
    dollars: Option<i64>,
    /// The window
    #[arg(long)]
    window: Option<Window>,
    /// How much may be used at once from rest; 0 is a tenth of the amount
    #[arg(long, value_name = "COUNT")]
    burst: Option<i64>,
    #[command(flatten)]
    held: Held,
    /// What people call it
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Unit {
    Requests,
    /// Input and output together
    Tokens,
    InputTokens,
    OutputTokens,
    /// Requests that are under way at once
    ConcurrentRequests,
    /// What requests cost; give `--dollars`
    Money,
}

/// What needs a window.
const WINDOWED: [(&str, &str); 5] = [
    ("unit", "money"),
    ("unit", "requests"),
    ("unit", "tokens"),
    ("unit", "input-tokens"),
    ("unit", "output-tokens"),
];

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Mode {
    /// It is refused
    Hard,
    /// It is served and its client warned
    Soft,
    /// It is served, and only the records and metrics tell
    Shadow,
    /// It is refused, and what fits is held to what was reserved for it
    Strict,
}

/// What happens while nobody knows what is left.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Loss {
    /// Each edge admits its share
    LocalShare,
    /// Nothing is admitted
    Deny,
    /// Everything is admitted, and counted afterwards
    Allow,
}

/// What each of is counted by itself.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Member {
    Project,
    Key,
    EndUser,
    Model,
    Provider,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Window {
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Lifetime,
}

/// Millionths of a dollar, of an amount in dollars.
pub(super) fn micro_dollars(text: &str) -> Result<i64, &'static str> {
    let micro = money::micro(text).filter(|micro| *micro > 0);
    let micro = micro.and_then(|micro| i64::try_from(micro).ok());
    micro.ok_or(
        "must be an amount in dollars such as 250.50, with at most six digits behind the point",
    )
}

impl Wanted for New {
    type Resource = Limit;

    fn wanted(self, session: &Session) -> Result<Limit, Failure> {
        let unit = match self.unit {
            Unit::Requests => LimitUnit::Requests,
            Unit::Tokens => LimitUnit::Tokens,
            Unit::InputTokens => LimitUnit::InputTokens,
            Unit::OutputTokens => LimitUnit::OutputTokens,
            Unit::ConcurrentRequests => LimitUnit::ConcurrentRequests,
            Unit::Money => LimitUnit::MicroDollars,
        };
        let is_money = unit == LimitUnit::MicroDollars;
        if is_money != self.dollars.is_some() {
            return Err(Failure::usage(
                "a limit on money takes --dollars, and every other one takes --amount",
            ));
        }
        let named = |collection: Collections, name: Option<String>| match name {
            Some(name) => session.place.name(collection, &name),
            None => Ok(String::new()),
        };
        Ok(Limit {
            model: named(noun::MODEL.collections, self.model)?,
            provider: named(noun::PROVIDER.collections, self.provider)?,
            end_user: self.end_user.unwrap_or_default(),
            each: self.each.into_iter().map(Member::wire).collect(),
            regions: self.regions,
            scope: session.place.scope(&self.scope)?,
            unit: unit.into(),
            amount: self.dollars.or(self.amount).unwrap_or_default(),
            window: self.window.map(Window::wire).unwrap_or_default(),
            burst: self.burst,
            mode: self.held.mode.map(Mode::wire).unwrap_or_default(),
            on_store_loss: self.held.on_store_loss.map(Loss::wire).unwrap_or_default(),
            display_name: self.display_name.unwrap_or_default(),
            ..Default::default()
        })
    }
}

impl Change for Edit {
    type Resource = Limit;

    fn change(&self, it: Which, _: &Session) -> Result<(Limit, Mask), Failure> {
        let mut mask = Mask::default();
        let limit = Limit {
            name: it.name,
            etag: it.etag,
            amount: mask.take("amount", self.dollars.or(self.amount)),
            window: mask.take("window", self.window.map(Window::wire)),
            burst: mask.take("burst", self.burst),
            mode: mask.take("mode", self.held.mode.map(Mode::wire)),
            on_store_loss: mask.take("on_store_loss", self.held.on_store_loss.map(Loss::wire)),
            display_name: mask.take("display_name", self.display_name.clone()),
            ..Default::default()
        };
        Ok((limit, mask))
    }
}

/// Runs a command.
pub async fn run(command: Command, session: &mut Session) -> Result<(), Failure> {
    match command {
        Command::Plain(verb) => run_verb(&noun::LIMIT, verb, session).await,
        Command::Override(other) => set_override(other, session).await,
        Command::Explain(explain) => explained::run(explain, session).await,
    }
}

/// Reads the limit, puts the override in front of the others or in the place of the one for the same, and leaves out those
/// that have ended. Refused when somebody else wrote in between.
async fn set_override(other: Override, session: &mut Session) -> Result<(), Failure> {
    let noun = &noun::LIMIT;
    let name = session.place.name(noun.collections, &other.name)?;
    let key = match &other.key {
        Some(key) => session.place.name(noun::KEY.collections, key)?,
        None => String::new(),
    };
    let end_user = other.end_user.clone().unwrap_or_default();
    let stands = session.call_by_name(noun, "Get", &name).await?;
    let stands: Limit = stands.transcode_to().map_err(Failure::broken)?;
    let now = session.now.unix_timestamp();
    let mut overrides = stands.overrides;
    overrides.retain(|it| {
        let ended = it.expire_time.as_ref().is_some_and(|at| at.seconds <= now);
        !ended && (it.key != key || it.end_user != end_user)
    });
    if !other.remove {
        let it = LimitOverride {
            key,
            end_user,
            amount: other.dollars.or(other.amount).unwrap_or_default(),
            burst: other.burst,
            expire_time: other.until.map(|at| at.future(session.now)),
        };
        // Those for everybody come last, so that they hide none for somebody.
        let everybody = it.key.is_empty() && it.end_user.is_empty();
        overrides.insert(if everybody { overrides.len() } else { 0 }, it);
    }
    let limit = Limit {
        name,
        etag: stands.etag,
        overrides,
        ..Default::default()
    };
    let reply = session
        .update(noun, &limit, vec!["overrides"], &other.write)
        .await?;
    session.finish(&reply, &other.write).await
}

// === impl Mode ===

impl Mode {
    fn wire(self) -> i32 {
        match self {
            Self::Hard => LimitMode::Hard,
            Self::Soft => LimitMode::Soft,
            Self::Shadow => LimitMode::Shadow,
            Self::Strict => LimitMode::Strict,
        }
        .into()
    }
}

// === impl Loss ===

impl Loss {
    /// As the contract has it.
    pub(super) fn wire(self) -> i32 {
        match self {
            Self::LocalShare => LimitOnStoreLoss::LocalShare,
            Self::Deny => LimitOnStoreLoss::Deny,
            Self::Allow => LimitOnStoreLoss::Allow,
        }
        .into()
    }
}

// === impl Member ===

impl Member {
    /// As the contract has it.
    pub(super) fn wire(self) -> i32 {
        match self {
            Self::Project => LimitMember::Project,
            Self::Key => LimitMember::Key,
            Self::EndUser => LimitMember::EndUser,
            Self::Model => LimitMember::Model,
            Self::Provider => LimitMember::Provider,
        }
        .into()
    }
}

// === impl Window ===

impl Window {
    fn wire(self) -> i32 {
        match self {
            Self::Second => LimitWindow::Second,
            Self::Minute => LimitWindow::Minute,
            Self::Hour => LimitWindow::Hour,
            Self::Day => LimitWindow::Day,
            Self::Week => LimitWindow::Week,
            Self::Month => LimitWindow::Month,
            Self::Lifetime => LimitWindow::Lifetime,
        }
        .into()
    }
}
