//! `sluice usage erase`: forgets an end user.
//!
//! Says how much was forgotten, and never the name.

use clap::Args;
use proto::admin::{EraseUsageRequest, EraseUsageResponse};

use crate::{
    connection::ANSWER_WITHIN,
    failure::Failure,
    output::{self, Format},
    session::Session,
};

/// Who is to be forgotten.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    /// The end user, as records tell the name
    #[arg(long, value_name = "NAME")]
    end_user: String,
    /// Count what would be forgotten, and forget nothing
    #[arg(long, help_heading = "Writing")]
    validate_only: bool,
}

/// Forgets, in as many calls as it takes, and says how much.
pub async fn run(arguments: &Arguments, session: &mut Session) -> Result<(), Failure> {
    let request = EraseUsageRequest {
        parent: session.place.organization()?,
        end_user: arguments.end_user.clone(),
        validate_only: arguments.validate_only,
        ..Default::default()
    };
    let mut sum = EraseUsageResponse::default();
    loop {
        let path = "UsageService/EraseUsage";
        let said: EraseUsageResponse = session
            .connection
            .call_for(path, &request, ANSWER_WITHIN * 10)
            .await?;
        sum.contents += said.contents;
        sum.records += said.records;
        sum.sums += said.sums;
        // What is only counted is there again.
        sum.more = said.more && arguments.validate_only;
        if !said.more || arguments.validate_only {
            break;
        }
    }
    match session.format {
        Format::Json => session.show_typed("EraseUsageResponse", &sum),
        Format::Table => output::line(sentence(&sum, arguments.validate_only)),
    }
}

fn sentence(sum: &EraseUsageResponse, validate_only: bool) -> String {
    let verb = if validate_only { "would be" } else { "are" };
    let more = if sum.more { "at least " } else { "" };
    let EraseUsageResponse {
        contents,
        records,
        sums,
        ..
    } = sum;
    format!(
        "{more}{contents} contents {verb} deleted; {records} records and {sums} sums {verb} without the name"
    )
}
