//! What can be said of a discount.

use clap::{Args, Subcommand};
use proto::admin::Discount;

use crate::{
    admin::{field::Wanted, plain::run_standing, rate::For},
    failure::Failure,
    noun,
    session::Session,
    verb::{Create, Standing},
};

/// What can be done with discounts.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Make one; it never changes, a new one that begins later takes its place
    Create(Create<New>),
    /// What stands.
    #[command(flatten)]
    Standing(Standing),
}

/// A new one.
#[derive(Debug, Clone, Args)]
pub struct New {
    #[command(flatten)]
    whom: For,
    /// What is off every price, such as 12.5; 0 takes a wider discount away
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    percent: i32,
    /// What people call it
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
}

/// Hundredths of a percent.
fn percent(text: &str) -> Result<i32, String> {
    let wrong = || "write 0 to 100, with at most two digits behind the point".to_owned();
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    if part.len() > 2 || whole.len() > 3 || !digits(whole) || !digits(part) {
        return Err(wrong());
    }
    let points = format!("{whole}{part:0<2}").parse().ok();
    points.filter(|points| *points <= 10_000).ok_or_else(wrong)
}

impl Wanted for New {
    type Resource = Discount;

    fn wanted(self, session: &Session) -> Result<Discount, Failure> {
        Ok(Discount {
            display_name: self.display_name.unwrap_or_default(),
            provider: self.whom.provider(session)?,
            provider_kind: self.whom.kind(),
            valid_from: self.whom.valid_from(session),
            provider_model: self.whom.model,
            basis_points: self.percent,
            ..Default::default()
        })
    }
}

/// Runs a command.
pub async fn run(command: Command, session: &mut Session) -> Result<(), Failure> {
    let noun = &noun::DISCOUNT;
    match command {
        Command::Create(create) => {
            let name = session.place.name(noun.collections, &create.name)?;
            let discount = create.fields.wanted(session)?;
            let reply = session
                .create(noun, &name, &discount, &create.write)
                .await?;
            session.finish(&reply, &create.write).await
        }
        Command::Standing(standing) => run_standing(noun, &standing, session).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_read_to_its_hundredth() {
        for (text, points) in [("0", 0), ("12.5", 1_250), ("7.25", 725), ("100", 10_000)] {
            assert_eq!(percent(text), Ok(points), "{text}");
        }
        for text in ["", "-1", "100.01", "1.234", "5%", ".5", "1000"] {
            assert!(percent(text).is_err(), "{text}");
        }
    }
}
