//! `sluice route explain`: where a key's requests for a model would go, and what becomes of every target.
//!
//! Knows the reply and its table; that edges are asked, and what they say, is the control plane's.

use clap::{Args, Subcommand};
use prost_reflect::DynamicMessage;
use proto::admin::ExplainRouteRequest;

use crate::{
    admin::{
        ability::{Ability, numbers},
        model_version,
        regions::{self, Table, messages},
    },
    failure::Failure,
    noun, output,
    session::Session,
    wording,
};

/// What can be asked of routes.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Show where a key's requests for a model would go, and what becomes of every target
    Explain(Explain),
}

/// Whose requests.
#[derive(Debug, Clone, Args)]
pub struct Explain {
    /// The key's id or whole name
    #[arg(long, value_name = "KEY")]
    key: String,
    /// The model that it asks for, or an alias
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
    /// The session that the client names; without one, requests that name none
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    session: String,
    /// A header that the client sends, as NAME=VALUE, for conditions that ask for it; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = model_version::pair)]
    header: Vec<(String, String)>,
    /// A tag that the client sends, as NAME=VALUE, for conditions that ask for `data_class`; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = model_version::pair)]
    tag: Vec<(String, String)>,
    /// How many tokens go in, for conditions that ask for it
    #[arg(long, value_name = "COUNT", default_value_t = 1_000)]
    input_tokens: i64,
    /// How many tokens are to come out at most; zero where the client does not say
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = 0,
        hide_default_value = true
    )]
    output_tokens_max: i64,
    /// What the request demands of the model, such as image-input; may be repeated, or several with commas between them
    #[arg(long, value_name = "ABILITY", value_delimiter = ',')]
    demand: Vec<Ability>,
    /// What the client prefers, as JSON: `{"models": […], "provider": {…}}`, as in the header `x-sluice-preferences`
    #[arg(
        long,
        value_name = "JSON",
        default_value = "",
        hide_default_value = true
    )]
    preferences: String,
    /// Only as an edge of this region sees it; unless given, an edge of each region is asked
    #[arg(long, default_value = "", hide_default_value = true)]
    region: String,
}

/// The rule by which a target is asked beside the first one: after so long, and not for so long.
pub const HEDGE: &str = "hedge";

const TABLE: Table<'static> = Table {
    rows: "targets",
    columns: &[
        ("ASKED", "place"),
        ("PROVIDER", "provider"),
        ("ITS MODEL", "provider_model"),
        ("WEIGHT", "weight"),
        ("UNDER WAY", "under_way"),
        ("BEGINS IN", "first_byte"),
        ("TOKENS/S", "tokens_per_second"),
        ("WHY", "notes"),
    ],
    cell,
};

/// Runs a command.
pub async fn run(command: Command, session: &mut Session) -> Result<(), Failure> {
    match command {
        Command::Explain(explain) => run_explain(explain, session).await,
    }
}

/// Asks, and shows what is said.
async fn run_explain(explain: Explain, session: &mut Session) -> Result<(), Failure> {
    let request = ExplainRouteRequest {
        key: session.place.name(noun::KEY.collections, &explain.key)?,
        model: session
            .place
            .name(noun::MODEL.collections, &explain.model)?,
        end_user: explain.end_user,
        session: explain.session,
        region: explain.region,
        headers: explain.header.into_iter().collect(),
        tags: explain.tag.into_iter().collect(),
        input_tokens: explain.input_tokens,
        preferences: explain.preferences,
        abilities: numbers(&explain.demand),
        output_tokens_max: explain.output_tokens_max,
    };
    let asked = ("ModelService/ExplainRoute", &request);
    regions::show(asked, TABLE, remark_on, session).await
}

/// What the table does not say.
fn remark_on(region: &DynamicMessage) {
    let field = |name| wording::field(region, name);
    let name = field("region");
    if !matches!(field("problem").as_str(), "unspecified" | "") {
        let why = field("why");
        if !why.is_empty() {
            output::remark(format!("{name}: {why}"));
        }
        return;
    }
    let version = label(&field("version"));
    let why = match field("rule").as_str() {
        "0" | "" => String::new(),
        rule => format!(", by rule {rule} of the model"),
    };
    let stands_for = field("stands_for");
    if let Some(model) = stands_for.rsplit('/').next().filter(|it| !it.is_empty()) {
        output::remark(format!("{name}: it is asked for by an alias of {model}"));
    }
    output::remark(format!("{name}: version {version} serves{why}"));
    let targets = messages(region, "targets");
    if targets.iter().all(|it| wording::field(it, "place") == "0") {
        output::remark(format!(
            "{name}: no target is left, and requests are refused"
        ));
    }
    for other in messages(region, "others") {
        output::remark(format!("{name}: then {}", then(&other)));
    }
}

/// `model@version`.
fn label(version: &str) -> String {
    let version = version.split("/models/").last().unwrap_or_default();
    version.replacen("/versions/", "@", 1)
}

/// Another model, and who would be asked for it.
fn then(other: &DynamicMessage) -> String {
    let field = |name| wording::field(other, name);
    let problem = field("problem");
    if !matches!(problem.as_str(), "unspecified" | "") {
        return format!("{} is passed over: {problem}", field("model"));
    }
    let targets = messages(other, "targets").into_iter().map(|it| {
        let (provider, place) = (cell(&it, "provider"), cell(&it, "place"));
        let why = cell(&it, "notes");
        match place.as_str() {
            "no" => format!("not {provider} ({why})"),
            _ => provider,
        }
    });
    let targets: Vec<String> = targets.collect();
    format!("{}: {}", label(&field("version")), targets.join(", "))
}

fn cell(target: &DynamicMessage, field: &str) -> String {
    if field == "notes" {
        let notes = messages(target, field);
        let notes: Vec<String> = notes.iter().map(note).collect();
        return notes.join(", ");
    }
    let text = wording::field(target, field);
    match field {
        "place" if text == "0" => "no".to_owned(),
        "provider" => text.rsplit('/').next().unwrap_or_default().to_owned(),
        "weight" if text == "0" => String::new(),
        "weight" => match wording::field(target, "weight_now").parse::<f64>() {
            Ok(now) => format!("{text}, now {now:.1}"),
            Err(_) => text,
        },
        _ => text,
    }
}

fn note(note: &DynamicMessage) -> String {
    let (rule, lasts) = (wording::field(note, "rule"), wording::field(note, "lasts"));
    if lasts.is_empty() {
        return rule;
    }
    let word = if rule == HEDGE { "after" } else { "for" };
    format!("{rule} {word} {lasts}")
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use prost_reflect::DescriptorPool;
    use proto::admin::{ExplainRouteResponse, RegionRoute, RouteNote, RouteRule, RouteTarget};

    use super::*;

    #[test]
    fn the_table_has_a_line_for_each_target_and_says_why() {
        let aside = RouteNote {
            rule: RouteRule::SetAside.into(),
            lasts: Some(prost_types::Duration {
                seconds: 12,
                nanos: 0,
            }),
        };
        let target = |place, rule: Vec<RouteNote>| RouteTarget {
            provider: format!("organizations/acme/providers/p{place}"),
            provider_model: "gpt".to_owned(),
            place,
            notes: rule,
            ..RouteTarget::default()
        };
        let key = RouteNote {
            rule: RouteRule::Key.into(),
            lasts: None,
        };
        let reply = ExplainRouteResponse {
            regions: vec![RegionRoute {
                region: "here".to_owned(),
                targets: vec![target(2, vec![aside]), target(0, vec![key])],
                ..RegionRoute::default()
            }],
        };
        let pool = DescriptorPool::decode(proto::DESCRIPTORS).unwrap();
        let name = "sluice.admin.v1.ExplainRouteResponse";
        let descriptor = pool.get_message_by_name(name).unwrap();
        let bytes = reply.encode_to_vec();
        let text = TABLE.of(&DynamicMessage::decode(descriptor, &bytes[..]).unwrap());
        let lines: Vec<String> = text
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(lines[1], "here 2 p2 gpt 0 set-aside for 12s");
        assert_eq!(lines[2], "here no p0 gpt 0 key");
    }
}
