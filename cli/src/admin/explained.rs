//! `sluice limits explain`: which limits concern a key's requests for a model, and how much of each is left.
//!
//! Knows the reply and its table; that edges are asked, and what they say, is the control plane's.

use clap::Args;
use policy::money;
use prost_reflect::DynamicMessage;
use proto::admin::ExplainLimitsRequest;

use crate::{
    admin::regions::{self, Table},
    failure::Failure,
    noun, output,
    session::Session,
    wording,
};

/// Whose requests.
#[derive(Debug, Clone, Args)]
pub struct Explain {
    /// The key's id or whole name
    #[arg(long, value_name = "KEY")]
    key: String,
    /// The model that it asks for
    #[arg(long, value_name = "NAME")]
    model: String,
    /// The end user whom the client names; without one, requests that name none
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    end_user: String,
    /// Only as an edge of this region sees it; unless given, an edge of each region is asked
    #[arg(long, default_value = "", hide_default_value = true)]
    region: String,
}

const TABLE: Table<'static> = Table {
    rows: "limits",
    columns: &[
        ("LIMIT", "limit"),
        ("AT PROVIDER", "provider"),
        ("UNIT", "unit"),
        ("AMOUNT", "amount"),
        ("SHARE", "share_millionths"),
        ("WINDOW", "window"),
        ("BURST", "burst"),
        ("LEFT", "remaining"),
        ("WHOLE AGAIN IN", "reset"),
        ("MODE", "mode"),
    ],
    cell,
};

/// Asks, and shows what is said.
pub async fn run(explain: Explain, session: &mut Session) -> Result<(), Failure> {
    let request = ExplainLimitsRequest {
        key: session.place.name(noun::KEY.collections, &explain.key)?,
        model: session
            .place
            .name(noun::MODEL.collections, &explain.model)?,
        end_user: explain.end_user,
        region: explain.region,
    };
    let asked = ("LimitService/ExplainLimits", &request);
    regions::show(asked, TABLE, remark_on, session).await
}

/// What the table does not say.
fn remark_on(region: &DynamicMessage) {
    let field = |name| wording::field(region, name);
    let (name, edge) = (field("region"), field("edge"));
    if field("local_share") == "yes" {
        output::remark(format!(
            "{name}: {edge} cannot ask Redis; what is left is left of its own share"
        ));
    }
    if field("truncated") == "yes" {
        output::remark(format!("{name}: there are more limits than are shown"));
    }
}

/// Only a rate has a burst, and a name is shown by its last segment. Concurrent requests have no window and are never reset; an edge
/// of an earlier version does not tell how many of them are left.
fn cell(limit: &DynamicMessage, field: &str) -> String {
    let text = wording::field(limit, field);
    let in_money = wording::field(limit, "unit") == "micro-dollars";
    let is_left_told = || !wording::field(limit, "remaining").is_empty();
    let has_window = || wording::field(limit, "window") != "unspecified";
    match field {
        "limit" | "provider" => text.rsplit('/').next().unwrap_or_default().to_owned(),
        "burst" if text == "0" => String::new(),
        "window" if text == "unspecified" => String::new(),
        "remaining" if text.is_empty() => "untold".to_owned(),
        "reset" if text.is_empty() && is_left_told() && has_window() => "never".to_owned(),
        "unit" if in_money => "money".to_owned(),
        "amount" | "burst" | "remaining" if in_money => dollars(&text),
        "share_millionths" => percent(&text),
        _ => text,
    }
}

/// Millionths as percent; what is no number stays.
fn percent(millionths: &str) -> String {
    let number = millionths.parse::<u32>();
    number.map_or_else(
        |_| millionths.to_owned(),
        |it| format!("{}.{}%", it / 10_000, it / 1_000 % 10),
    )
}

/// Millionths of a dollar in dollars; what is no number stays.
fn dollars(micro: &str) -> String {
    let amount = micro.parse().map(money::micro_dollars);
    amount.map_or_else(|_| micro.to_owned(), |amount| format!("${amount}"))
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use prost_reflect::DescriptorPool;
    use proto::admin::{
        AppliedLimit, ExplainLimitsResponse, LimitMode, LimitUnit, LimitWindow, RegionLimits,
    };

    use super::*;

    /// A quota, a rate and one on concurrent requests.
    fn limits() -> Vec<AppliedLimit> {
        let quota = AppliedLimit {
            limit: "organizations/acme/limits/monthly".to_owned(),
            unit: LimitUnit::OutputTokens.into(),
            mode: LimitMode::Hard.into(),
            amount: 5_000,
            window: LimitWindow::Lifetime.into(),
            remaining: Some(-12),
            ..AppliedLimit::default()
        };
        let rate = AppliedLimit {
            limit: "organizations/acme/limits/rpm".to_owned(),
            provider: "organizations/acme/providers/main".to_owned(),
            unit: LimitUnit::Requests.into(),
            mode: LimitMode::Soft.into(),
            share_millionths: Some(612_500),
            amount: 60,
            window: LimitWindow::Minute.into(),
            burst: 6,
            remaining: Some(5),
            reset: Some(prost_types::Duration {
                seconds: 1,
                nanos: 0,
            }),
        };
        let at_once = AppliedLimit {
            limit: "organizations/acme/limits/at-once".to_owned(),
            unit: LimitUnit::ConcurrentRequests.into(),
            mode: LimitMode::Hard.into(),
            amount: 4,
            ..AppliedLimit::default()
        };
        vec![quota, rate, at_once]
    }

    #[test]
    fn the_table_has_a_line_for_each_limit_of_each_region() {
        let reply = ExplainLimitsResponse {
            regions: vec![RegionLimits {
                region: "here".to_owned(),
                limits: limits(),
                ..RegionLimits::default()
            }],
        };
        let pool = DescriptorPool::decode(proto::DESCRIPTORS).unwrap();
        let name = "sluice.admin.v1.ExplainLimitsResponse";
        let descriptor = pool.get_message_by_name(name).unwrap();
        let bytes = reply.encode_to_vec();
        let text = TABLE.of(&DynamicMessage::decode(descriptor, &bytes[..]).unwrap());
        let lines: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(
            lines[1],
            [
                "here",
                "monthly",
                "output-tokens",
                "5000",
                "lifetime",
                "-12",
                "never",
                "hard"
            ]
        );
        assert_eq!(
            lines[2],
            [
                "here", "rpm", "main", "requests", "60", "61.2%", "minute", "6", "5", "1s", "soft"
            ]
        );
        assert_eq!(
            lines[3],
            [
                "here",
                "at-once",
                "concurrent-requests",
                "4",
                "untold",
                "hard"
            ]
        );
    }
}
