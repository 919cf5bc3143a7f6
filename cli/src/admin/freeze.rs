//! `sluice freezes`: when no rollout starts or goes on.

use clap::{Args, Subcommand, ValueEnum};
use proto::admin::{FreezeWindow, OnceFreeze, WeeklyFreeze};

use crate::{
    admin::{field::Wanted, plain::run_standing},
    failure::Failure,
    moment::{Moment, moment},
    noun,
    session::Session,
    verb::{Create, Standing},
};

/// What can be done with windows.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Make one; it never changes
    Create(Box<Create<New>>),
    /// What stands.
    #[command(flatten)]
    Standing(Standing),
}

/// A day of the week. The numbers are those of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "days need no words")]
pub enum Day {
    Mon = 1,
    Tue = 2,
    Wed = 3,
    Thu = 4,
    Fri = 5,
    Sat = 6,
    Sun = 7,
}

/// A new one.
#[derive(Debug, Clone, Args)]
pub struct New {
    /// Why, as whoever waits for a rollout is told
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The days of each week on which it begins
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        required_unless_present = "start"
    )]
    days: Vec<Day>,
    /// At what time of these days it begins, such as 18:00
    #[arg(long, value_name = "HH:MM", value_parser = minute, default_value = "00:00")]
    from: i32,
    /// At what time it ends, such as 24:00; on the next day where that is not after its beginning
    #[arg(long, value_name = "HH:MM", value_parser = minute, default_value = "24:00")]
    until: i32,
    /// By the clocks of this zone, such as Europe/Berlin; the organization's unless given
    #[arg(long, value_name = "ZONE", requires = "days")]
    time_zone: Option<String>,
    /// Of one that comes once: when it begins, such as 2026-12-19 or 1h from now
    #[arg(long, value_name = "TIME", value_parser = moment, requires = "end", conflicts_with = "days")]
    start: Option<Moment>,
    /// Of one that comes once: when it is over
    #[arg(long, value_name = "TIME", value_parser = moment, requires = "start")]
    end: Option<Moment>,
}

/// Reads a time of day: the minute, up to 1440.
fn minute(text: &str) -> Result<i32, String> {
    let wrong = || "write hours and minutes, such as 18:00, up to 24:00".to_owned();
    let (hours, minutes) = text.split_once(':').ok_or_else(wrong)?;
    let number = |text: &str| {
        let digits = text.len() == 2 && text.bytes().all(|it| it.is_ascii_digit());
        text.parse::<i32>().ok().filter(|_| digits)
    };
    let (hours, minutes) = number(hours).zip(number(minutes)).ok_or_else(wrong)?;
    let minute = hours * 60 + minutes;
    if minutes < 60 && minute <= 24 * 60 {
        Ok(minute)
    } else {
        Err(wrong())
    }
}

impl Wanted for New {
    type Resource = FreezeWindow;

    fn wanted(self, session: &Session) -> Result<FreezeWindow, Failure> {
        let now = session.now;
        let once = self.start.zip(self.end).map(|(start, end)| OnceFreeze {
            start_time: Some(start.future(now)),
            end_time: Some(end.future(now)),
        });
        let weekly = once.is_none().then(|| WeeklyFreeze {
            days: self.days.iter().map(|day| *day as i32).collect(),
            start_minute: self.from,
            end_minute: self.until,
            time_zone: self.time_zone.unwrap_or_default(),
        });
        Ok(FreezeWindow {
            reason: self.reason,
            weekly,
            once,
            ..Default::default()
        })
    }
}

/// Runs a command.
pub async fn run(command: Command, session: &mut Session) -> Result<(), Failure> {
    let noun = &noun::FREEZE_WINDOW;
    match command {
        Command::Create(create) => {
            let name = session.place.name(noun.collections, &create.name)?;
            let (fields, write) = (create.fields, create.write);
            let window = fields.wanted(session)?;
            let reply = session.create(noun, &name, &window, &write).await?;
            session.finish(&reply, &write).await
        }
        Command::Standing(standing) => run_standing(noun, &standing, session).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_is_hours_and_minutes() {
        assert_eq!(minute("00:00"), Ok(0));
        assert_eq!(minute("18:30"), Ok(1_110));
        assert_eq!(minute("24:00"), Ok(1_440));
        for wrong in ["", "18", "1800", "7:00", "24:01", "12:60", "-1:00", "+1:00"] {
            assert!(minute(wrong).is_err(), "{wrong}");
        }
    }
}
