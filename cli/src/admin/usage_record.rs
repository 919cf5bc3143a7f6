//! `sluice usage get`: one request, with its attempts and what it cost.

use clap::Args;
use policy::money;
use proto::admin::{GetUsageRecordRequest, UsageRecord};

use crate::{
    admin::usage_decided,
    connection::ANSWER_WITHIN,
    failure::Failure,
    moment::written,
    output::{self, Format},
    session::Session,
};

/// Which request.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    /// Its id, as x-sluice-request-id told it
    #[arg(value_name = "ID")]
    id: String,
}

/// Shows it.
pub async fn run(arguments: &Arguments, session: &mut Session) -> Result<(), Failure> {
    let request = GetUsageRecordRequest {
        parent: session.place.organization()?,
        record_id: arguments.id.clone(),
    };
    let path = "UsageService/GetUsageRecord";
    let record: UsageRecord = session
        .connection
        .call_for(path, &request, ANSWER_WITHIN)
        .await?;
    match session.format {
        Format::Json => session.show_typed("UsageRecord", &record),
        Format::Table => output::line(output::listing(&lines(&record))),
    }
}

/// Dollars, or that they are not known.
fn cost(record: &UsageRecord) -> String {
    if record.cost_known {
        money::dollars(u64::try_from(record.cost_nano).unwrap_or(0))
    } else {
        "unknown".to_owned()
    }
}

fn lines(record: &UsageRecord) -> Vec<(String, String)> {
    let number = |it: i64| it.to_string();
    let time = record.time.as_ref().map(|at| written(at.seconds));
    let mut lines: Vec<(String, String)> = [
        ("id", record.id.clone()),
        ("time", time.unwrap_or_default()),
        ("key", record.key.clone()),
        ("model", record.model.clone()),
        ("version", record.version.clone()),
        ("experiment", record.experiment.clone()),
        ("provider", record.provider.clone()),
        ("provider model", record.provider_model.clone()),
        ("endpoint", record.endpoint.clone()),
        ("outcome", record.outcome.clone()),
        ("status", record.status.to_string()),
        ("usage from", record.usage_source.clone()),
        ("input", number(record.input_tokens)),
        ("cached input", number(record.cached_input_tokens)),
        ("output", number(record.output_tokens)),
        ("reasoning", number(record.reasoning_tokens)),
        ("cost $", cost(record)),
        ("took us", number(record.duration_us)),
        ("first byte us", number(record.first_byte_us)),
        ("own part us", number(record.overhead_us)),
        ("waited us", number(record.queue_us)),
        ("each token us", number(record.output_token_us)),
        ("trace", record.trace_id.clone()),
        ("finish", record.finish.clone()),
        ("end user", record.end_user.clone()),
        ("edge", record.edge.clone()),
        ("region", record.region.clone()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec();
    let mut tags: Vec<_> = record.tags.iter().collect();
    tags.sort();
    for (key, value) in tags {
        lines.push((format!("tag {key}"), value.clone()));
    }
    lines.extend(record.decision.iter().flat_map(usage_decided::lines));
    for it in &record.feedback {
        lines.push((format!("feedback {}", it.name), it.score.to_string()));
    }
    for it in &record.attempts {
        let status = match it.status {
            0 => String::new(),
            status => format!(" ({status})"),
        };
        let value = format!("{} {}: {}{status}", it.provider, it.provider_model, it.code);
        lines.push(("failed attempt".to_owned(), value));
    }
    for charge in &record.charges {
        for it in &charge.counts {
            let cost = money::dollars(u64::try_from(it.cost_nano).unwrap_or(0));
            let value = format!(
                "{} {}: {} for {cost}",
                charge.provider, it.counter, it.count
            );
            lines.push(("charge".to_owned(), value));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use proto::admin::UsageAttempt;

    use super::*;

    #[test]
    fn failed_attempts_are_listed_and_an_unknown_cost_is_not_zero() {
        let record = UsageRecord {
            attempts: vec![UsageAttempt {
                provider: "organizations/a/providers/p".to_owned(),
                provider_model: "m".to_owned(),
                code: "upstream_error".to_owned(),
                status: 503,
                tokens: 0,
            }],
            ..UsageRecord::default()
        };
        let text = output::listing(&lines(&record));
        assert!(text.contains("organizations/a/providers/p m: upstream_error (503)"));
        assert!(text.contains("unknown"));
    }
}
