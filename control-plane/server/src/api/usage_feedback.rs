//! What clients said of answers, between the wire and the store.

use domain::{name::ModelName, violation::Violations};
use proto::admin;
use store::feedback::{Given, Sum};
use time::Date;

use crate::api::moment;

/// Whose sums are asked for, of which days.
pub(crate) fn asked(
    asked: &admin::SumFeedbackRequest,
    now_ms: u64,
) -> Result<(ModelName, (Date, Date)), Violations> {
    let mut violations = Violations::new();
    let parent = violations.take("parent", ModelName::parse(&asked.parent));
    let start = asked.start_time.as_ref().map_or(Ok(0), moment::millis);
    let start = violations.take("start_time", start.and_then(moment::from_millis));
    let end = asked.end_time.as_ref().map_or(Ok(now_ms), moment::millis);
    let end = violations.take("end_time", end.and_then(moment::from_millis));
    match (parent, start, end, violations.is_empty()) {
        (Some(parent), Some(start), Some(end), true) => Ok((parent, (start.date(), end.date()))),
        _ => Err(violations),
    }
}

/// A sum as the wire has it.
pub(crate) fn sum(it: Sum) -> admin::FeedbackSum {
    admin::FeedbackSum {
        name: it.name,
        version: it.version,
        count: it.count,
        mean: it.mean,
    }
}

/// What was said of one request.
pub(crate) fn given(it: Given) -> admin::UsageFeedback {
    admin::UsageFeedback {
        name: it.name,
        score: it.score,
        time: Some(moment::to_wire(it.at)),
    }
}
