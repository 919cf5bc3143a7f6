//! What can be said of a limit.

use clap::{Args, ValueEnum};
use proto::admin::{Limit, LimitMember, LimitUnit, LimitWindow};

use crate::{
    admin::field::{Change, Mask, Wanted, Which},
    failure::Failure,
    noun,
    place::Collections,
    session::Session,
};

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
    /// What is counted
    #[arg(long)]
    unit: Unit,
    /// How much each window adds, or each period holds
    #[arg(long, value_name = "COUNT")]
    amount: i64,
    /// The window; from a day on a quota, which starts again in the organization's time zone
    #[arg(long)]
    window: Window,
    /// How much may be used at once from rest; a tenth of the amount unless given
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = 0,
        hide_default_value = true
    )]
    burst: i64,
    /// What people call it
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
}

/// A change of one.
#[derive(Debug, Clone, Args)]
pub struct Edit {
    /// How much each window adds
    #[arg(long, value_name = "COUNT")]
    amount: Option<i64>,
    /// The window
    #[arg(long)]
    window: Option<Window>,
    /// How much may be used at once from rest; 0 is a tenth of the amount
    #[arg(long, value_name = "COUNT")]
    burst: Option<i64>,
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
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Member {
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

impl Wanted for New {
    type Resource = Limit;

    fn wanted(self, session: &Session) -> Result<Limit, Failure> {
        let unit = match self.unit {
            Unit::Requests => LimitUnit::Requests,
            Unit::Tokens => LimitUnit::Tokens,
            Unit::InputTokens => LimitUnit::InputTokens,
            Unit::OutputTokens => LimitUnit::OutputTokens,
        };
        let named = |collection: Collections, name: Option<String>| match name {
            Some(name) => session.place.name(collection, &name),
            None => Ok(String::new()),
        };
        Ok(Limit {
            model: named(noun::MODEL.collections, self.model)?,
            provider: named(noun::PROVIDER.collections, self.provider)?,
            end_user: self.end_user.unwrap_or_default(),
            each: self.each.into_iter().map(Member::wire).collect(),
            scope: session.place.scope(&self.scope)?,
            unit: unit.into(),
            amount: self.amount,
            window: self.window.wire(),
            burst: self.burst,
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
            amount: mask.take("amount", self.amount),
            window: mask.take("window", self.window.map(Window::wire)),
            burst: mask.take("burst", self.burst),
            display_name: mask.take("display_name", self.display_name.clone()),
            ..Default::default()
        };
        Ok((limit, mask))
    }
}

// === impl Member ===

impl Member {
    fn wire(self) -> i32 {
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
