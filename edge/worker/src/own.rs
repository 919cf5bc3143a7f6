//! What a client may ask of itself, in the words of OpenRouter: one of its project's requests, and its key; and what it says of an answer.
//!
//! Knows the members of those answers. What was used comes from `recall`; what is left of the key's limits is asked the way
//! operators ask it, by `explain`. A request of another project does not exist here.

use std::{fmt, net::IpAddr, sync::Arc};

use hyper::body::Incoming;
use payload::writer::Writer;
use policy::{calendar::Period, key::Key, limit::Unit, money, rules::Rules};
use proto::sync::ExplainedLimit;
use proto::usage::{Finish, Outcome, RecallResponse, RecallSpendingResponse};

use crate::{
    authorize, explain,
    feedback::{self, Unfit},
    identify::{self, Caller, Identify},
    recall::{NoAnswer, Recall},
    record::line::moment,
    request::{
        self, Bounds, Head,
        endpoint::{Endpoint, Own as Asked},
    },
};

/// For how long after it came a request that nobody knows may still be under way or on its way to the control plane, in
/// milliseconds.
const MAY_COME_MS: u64 = 15 * 60_000;

/// Answers what is asked. One for each core.
pub struct Own {
    recall: Recall,
    explainer: explain::Lens,
}

/// Why nothing is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody was identified.
    Identify(identify::Refusal),
    /// The key is held to other addresses.
    Address,
    /// There is no such request of this project.
    Unknown,
    /// There may be one, and its record is not there yet.
    NotYet,
    /// The control plane cannot be asked now.
    Away,
    /// Enough others ask.
    Busy,
    /// The body of what is said did not come.
    Body(request::Refusal),
    /// What is said is no feedback.
    Unfit(Unfit),
    /// Another score of this name stands.
    Stands,
    /// There are too many names.
    Full,
}

// === impl Own ===

impl Own {
    /// Asks these.
    pub const fn new(recall: Recall, explainer: explain::Lens) -> Self {
        Self { recall, explainer }
    }

    /// The answer to what this head asks.
    pub async fn tell(
        &self,
        identify: &Identify,
        rules: Arc<Rules>,
        (head, client): (Head, Option<IpAddr>),
        (body, bounds): (Incoming, &Bounds),
    ) -> Result<Vec<u8>, Refusal> {
        let mut caller = identify.caller(&rules, head.proof());
        if let Err(why) = caller
            && why.may_turn()
            && identify.awaited(why, head.proof().text).await
        {
            caller = identify.caller(&rules, head.proof());
        }
        let caller: Caller = caller.map_err(Refusal::Identify)?;
        let key = caller.key();
        authorize::come_from(key, client).map_err(|_| Refusal::Address)?;
        match head.endpoint() {
            Endpoint::Own(Asked::Generation(id)) => self.generation(key, *id).await,
            Endpoint::Own(Asked::Feedback) => {
                let body = head.with_small_body((body, feedback::BYTES_MAX), bounds);
                let body = body.await.map_err(Refusal::Body)?;
                self.feedback(key, &body).await
            }
            _ => self.key(&rules, key).await,
        }
    }

    async fn generation(&self, key: &Key, id: uuid::Uuid) -> Result<Vec<u8>, Refusal> {
        match self.recall.record(key, id).await {
            Ok(record) => Ok(generation(id, &record)),
            Err(NoAnswer::Nothing) => Err(self.missing(id)),
            Err(NoAnswer::Away) => Err(Refusal::Away),
            Err(NoAnswer::Busy) => Err(Refusal::Busy),
        }
    }

    /// The first score of a name stands; said again, it stands still.
    #[expect(
        clippy::float_cmp,
        reason = "what was sent is compared with what was sent before, to the last bit"
    )]
    async fn feedback(&self, key: &Key, body: &[u8]) -> Result<Vec<u8>, Refusal> {
        let said = feedback::read(body).map_err(Refusal::Unfit)?;
        match self.recall.feedback(key, &said).await {
            Ok(kept) if kept.full => Err(Refusal::Full),
            Ok(kept) if kept.score != said.score => Err(Refusal::Stands),
            Ok(_) => Ok(said.told()),
            Err(NoAnswer::Nothing) => Err(self.missing(said.id)),
            Err(NoAnswer::Away) => Err(Refusal::Away),
            Err(NoAnswer::Busy) => Err(Refusal::Busy),
        }
    }

    /// A request's id tells when it came; a record comes when the request has ended, and a moment later.
    fn missing(&self, id: uuid::Uuid) -> Refusal {
        let came_ms = id.as_bytes().iter().take(6);
        let came_ms = came_ms.fold(0, |ms, byte| ms << 8 | u64::from(*byte));
        if self.explainer.now_ms().abs_diff(came_ms) < MAY_COME_MS {
            Refusal::NotYet
        } else {
            Refusal::Unknown
        }
    }

    async fn key(&self, rules: &Rules, key: &Key) -> Result<Vec<u8>, Refusal> {
        let spent = self.recall.spending(key).await;
        let spent = spent.map_err(|why| match why {
            NoAnswer::Busy => Refusal::Busy,
            NoAnswer::Nothing | NoAnswer::Away => Refusal::Away,
        })?;
        let limits = self.explainer.of_key(rules, key).await;
        Ok(of_key(key, &limits, &spent))
    }
}

/// An amount of nano-dollars as a number.
fn dollars(writer: &mut Writer, name: &str, nano: u64) {
    writer.key(name).raw(&money::dollars(nano));
}

fn text_or_null(writer: &mut Writer, name: &str, text: &str) {
    writer.key(name);
    if text.is_empty() {
        writer.null();
    } else {
        writer.text(text);
    }
}

/// One request.
fn generation(id: uuid::Uuid, it: &RecallResponse) -> Vec<u8> {
    let mut writer = Writer::with_capacity(1_024);
    writer.open().key("data").open();
    writer.key("id").text(&id.to_string());
    writer.key("upstream_id").null();
    // Unknown is not zero.
    for name in ["total_cost", "usage"] {
        if it.cost_known {
            dollars(&mut writer, name, it.cost_nano);
        } else {
            writer.key(name).null();
        }
    }
    let at = it.at.as_ref().map(|at| {
        let seconds = u64::try_from(at.seconds).unwrap_or(0);
        seconds * 1_000 + u64::try_from(at.nanos).unwrap_or(0) / 1_000_000
    });
    writer.key("created_at").text(&moment(at.unwrap_or(0)));
    writer.key("model").text(&it.model);
    text_or_null(&mut writer, "provider_name", &it.provider);
    writer.key("streamed").flag(it.streamed);
    let gone = it.outcome() == Outcome::ClientGone;
    writer.key("cancelled").flag(gone);
    text_or_null(&mut writer, "finish_reason", finish(it.finish()));
    writer.key("native_finish_reason").null();
    let first_us = if it.first_byte_us > 0 {
        it.first_byte_us
    } else {
        it.duration_us
    };
    writer.key("latency").number(first_us / 1_000);
    let rest_us = it.duration_us.saturating_sub(first_us);
    writer.key("generation_time").number(rest_us / 1_000);
    writer.key("moderation_latency").null();
    let input = it.input_tokens.saturating_add(it.cached_input_tokens);
    let output = it.output_tokens.saturating_add(it.reasoning_tokens);
    for (name, count) in [
        ("tokens_prompt", input),
        ("tokens_completion", output),
        ("native_tokens_prompt", input),
        ("native_tokens_completion", output),
        ("native_tokens_reasoning", it.reasoning_tokens),
        ("native_tokens_cached", it.cached_input_tokens),
    ] {
        writer.key(name).number(count);
    }
    let api = match it.endpoint.as_str() {
        "/v1/chat/completions" | "/v1/completions" => "completions",
        "/v1/embeddings" => "embeddings",
        _ => "",
    };
    text_or_null(&mut writer, "api_type", api);
    text_or_null(&mut writer, "external_user", &it.end_user);
    writer.key("is_byok").flag(false);
    for name in [
        "app_id",
        "cache_discount",
        "native_tokens_completion_images",
        "num_media_completion",
        "num_media_prompt",
        "num_search_results",
        "origin",
        "router",
        "upstream_inference_cost",
    ] {
        writer.key(name).null();
    }
    writer.close().close();
    writer.into_bytes()
}

const fn finish(finish: Finish) -> &'static str {
    match finish {
        Finish::Whole => "stop",
        Finish::Miscalled => "tool_calls",
        Finish::Truncated => "length",
        Finish::Refused => "content_filter",
        Finish::Unspecified => "",
    }
}

/// A key, with the limit on money of which least is left, and the rate of requests of which least is left.
fn of_key(key: &Key, limits: &[ExplainedLimit], spent: &RecallSpendingResponse) -> Vec<u8> {
    let least = |unit: Unit, rate: bool| {
        let those = limits.iter().filter(|it| it.unit == unit as u32);
        let those = those.filter(|it| !rate || it.window_ms > 0);
        those.min_by_key(|it| it.remaining.unwrap_or(i64::MAX))
    };
    let mut writer = Writer::with_capacity(1_024);
    writer.open().key("data").open();
    writer.key("label").text(&key.key_id);
    let money = least(Unit::MicroDollars, false);
    let nano = |micro: u64| micro.saturating_mul(1_000);
    match money {
        Some(limit) => {
            dollars(&mut writer, "limit", nano(limit.amount));
            let left = u64::try_from(limit.remaining.unwrap_or(0)).unwrap_or(0);
            dollars(&mut writer, "limit_remaining", nano(left));
        }
        None => {
            writer.key("limit").null().key("limit_remaining").null();
        }
    }
    let reset = money.map_or("", |it| reset(it.period));
    text_or_null(&mut writer, "limit_reset", reset);
    writer.key("include_byok_in_limit").flag(false);
    dollars(&mut writer, "usage", spent.all_nano);
    dollars(&mut writer, "usage_daily", spent.day_nano);
    dollars(&mut writer, "usage_weekly", spent.week_nano);
    dollars(&mut writer, "usage_monthly", spent.month_nano);
    for name in [
        "byok_usage",
        "byok_usage_daily",
        "byok_usage_weekly",
        "byok_usage_monthly",
    ] {
        writer.key(name).number(0);
    }
    for name in ["is_free_tier", "is_management_key", "is_provisioning_key"] {
        writer.key(name).flag(false);
    }
    let expires = key.expires_at_ms.map(moment).unwrap_or_default();
    text_or_null(&mut writer, "expires_at", &expires);
    writer.key("creator_user_id").null();
    writer.key("rate_limit");
    match least(Unit::Requests, true) {
        Some(rate) => {
            writer.open().key("requests").number(rate.amount);
            let interval = interval(rate.window_ms);
            writer.key("interval").text(&interval).close();
        }
        None => {
            writer.null();
        }
    }
    writer.close().close();
    writer.into_bytes()
}

/// When a budget begins anew, in OpenRouter's words.
const fn reset(period: u32) -> &'static str {
    const DAY: u32 = Period::Day as u32;
    const WEEK: u32 = Period::Week as u32;
    const MONTH: u32 = Period::Month as u32;
    match period {
        DAY => "daily",
        WEEK => "weekly",
        MONTH => "monthly",
        _ => "",
    }
}

fn interval(window_ms: u64) -> String {
    if window_ms.is_multiple_of(1_000) {
        format!("{}s", window_ms / 1_000)
    } else {
        format!("{window_ms}ms")
    }
}

// === impl Refusal ===

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identify(why) => return why.fmt(f),
            Self::Address => return authorize::Refusal::Address.fmt(f),
            Self::Unknown => "this project has no request with this id",
            Self::NotYet => {
                "the request is under way or its record is not stored yet; ask again in a second"
            }
            Self::Away => "what was used cannot be looked up now; ask again in a second",
            Self::Busy => "enough others ask what they used; ask again in a second",
            Self::Body(why) => return why.fmt(f),
            Self::Unfit(why) if why.member.is_empty() => {
                return write!(f, "the body {}", why.wants);
            }
            Self::Unfit(why) => return write!(f, "`{}` {}", why.member, why.wants),
            Self::Stands => {
                "this request has another score of this name, which stands: send another name"
            }
            Self::Full => {
                "this request has scores of 8 other names, or its model of 16: use one of those"
            }
        })
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unknown_is_null_and_money_is_exact() {
        let mut record = RecallResponse {
            cost_nano: 12,
            outcome: Outcome::Completed.into(),
            ..RecallResponse::default()
        };
        let id = uuid::Uuid::nil();
        let text = |it: &RecallResponse| String::from_utf8(generation(id, it)).unwrap();
        assert!(text(&record).contains(r#""total_cost":null,"usage":null"#));
        record.cost_known = true;
        assert!(text(&record).contains(r#""total_cost":0.000000012"#));
        assert_eq!(
            (interval(10_000), interval(1)),
            ("10s".into(), "1ms".into())
        );
    }
}
