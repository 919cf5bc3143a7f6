//! `sluice usage feedback`: what clients said of a model's answers, by version.

use clap::Args;
use proto::admin::{FeedbackSum, SumFeedbackRequest, SumFeedbackResponse};

use crate::{
    connection::ANSWER_WITHIN,
    failure::Failure,
    moment::{Moment, moment},
    noun,
    output::{self, Format},
    session::Session,
};

/// Of which model, and when.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    /// The model
    #[arg(value_name = "MODEL")]
    model: String,
    /// From when: a span such as 7d back from now, or a time; whole days count
    #[arg(long, value_name = "WHEN", value_parser = moment, default_value = "30d")]
    since: Moment,
    /// Until when; without it, until now
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    until: Option<Moment>,
}

/// Shows it.
pub async fn run(arguments: &Arguments, session: &mut Session) -> Result<(), Failure> {
    let request = SumFeedbackRequest {
        parent: session
            .place
            .name(noun::MODEL.collections, &arguments.model)?,
        start_time: Some(arguments.since.past(session.now)),
        end_time: arguments.until.map(|until| until.past(session.now)),
    };
    let path = "UsageService/SumFeedback";
    let sums: SumFeedbackResponse = session
        .connection
        .call_for(path, &request, ANSWER_WITHIN)
        .await?;
    match session.format {
        Format::Json => session.show_typed("SumFeedbackResponse", &sums),
        Format::Table => {
            let rows: Vec<_> = sums.rows.iter().map(row).collect();
            output::line(output::table(&["NAME", "VERSION", "SCORES", "MEAN"], &rows))
        }
    }
}

fn row(sum: &FeedbackSum) -> Vec<String> {
    vec![
        sum.name.clone(),
        sum.version.clone(),
        sum.count.to_string(),
        format!("{:.3}", sum.mean),
    ]
}
