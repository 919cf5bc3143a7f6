//! `sluice reprice`: pricing settled usage anew.

use clap::{Args, ValueEnum};
use policy::money;
use proto::admin::{PriceBook, RepriceUsageRequest, RepriceUsageResponse};

use crate::{
    connection::ANSWER_WITHIN,
    failure::Failure,
    moment::{Moment, moment},
    output::{self, Format},
    session::Session,
};

/// What to price.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    /// From when: a span such as 7d back from now, or a time
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    since: Moment,
    /// Until when, at most 31 days later; without it, until now
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    until: Option<Moment>,
    /// By which prices
    #[arg(long, value_enum, default_value_t = Book::Then)]
    book: Book,
    /// Count what would change, and change nothing
    #[arg(long, help_heading = "Writing")]
    validate_only: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Book {
    /// Those that were valid when each request came
    Then,
    /// Those that are valid now
    Now,
}

/// Prices it, in as many calls as it takes, and says what changed.
pub async fn run(arguments: &Arguments, session: &mut Session) -> Result<(), Failure> {
    let book = match arguments.book {
        Book::Then => PriceBook::Then,
        Book::Now => PriceBook::Now,
    };
    let until = arguments.until.unwrap_or(Moment::At(session.now));
    let mut request = RepriceUsageRequest {
        parent: session.place.organization()?,
        start_time: Some(arguments.since.past(session.now)),
        end_time: Some(until.past(session.now)),
        book: book.into(),
        validate_only: arguments.validate_only,
        ..Default::default()
    };
    let mut sum = RepriceUsageResponse::default();
    loop {
        let path = "UsageService/RepriceUsage";
        let said: RepriceUsageResponse = session
            .connection
            .call_for(path, &request, ANSWER_WITHIN * 10)
            .await?;
        sum.records += said.records;
        sum.changed += said.changed;
        sum.unpriced += said.unpriced;
        sum.difference_nano = sum.difference_nano.saturating_add(said.difference_nano);
        // Where a call would begin as the last one did it cannot get on.
        if said.next_start_time.is_none() || said.next_start_time == request.start_time {
            break;
        }
        request.start_time = said.next_start_time;
    }
    match session.format {
        Format::Json => session.show_typed("RepriceUsageResponse", &sum),
        Format::Table => output::line(sentence(&sum, arguments.validate_only)),
    }
}

fn sentence(sum: &RepriceUsageResponse, validate_only: bool) -> String {
    let change = if validate_only {
        "would change"
    } else {
        "changed"
    };
    let sign = if sum.difference_nano < 0 { "-" } else { "+" };
    let difference = money::dollars(sum.difference_nano.unsigned_abs());
    format!(
        "{} of {} records {change} ({sign}${difference}), {} have no price",
        sum.changed, sum.records, sum.unpriced
    )
}
