//! What stands around a conversation: model, version, limit, and who asks.
//!
//! Owns what each host wants in the body and what it wants elsewhere.

use std::borrow::Cow;

use payload::object;

use crate::{
    messages::{
        draft::{Draft, Purpose},
        extras,
        target::Hosting,
    },
    neutral::{Extra, Request, Unsupported},
};

const VERSION: &str = "anthropic_version";
const BETA: &str = "anthropic_beta";
/// Members that lie within others, which whoever writes those writes.
const INNER: [&str; 3] = ["metadata.", "tool_choice.", "output_config."];
/// Members of our own that a count takes.
const COUNTED: [&str; 4] = [
    "cache_control",
    "context_management",
    "mcp_servers",
    "speed",
];

/// The most tokens to generate, which must be said.
pub(crate) fn output_tokens_max(request: &Request, draft: &Draft<'_>) -> Result<u64, Unsupported> {
    let limit = request
        .output_tokens_max
        .or(draft.target.output_tokens_default);
    match draft.purpose {
        Purpose::Count => Ok(limit.unwrap_or(u64::MAX)),
        Purpose::Answer => limit.ok_or_else(|| Unsupported {
            at: "max_tokens".to_owned(),
            why: "is required: it is not known how much this model can generate".to_owned(),
        }),
    }
}

/// Writes what stands first.
pub(crate) fn write_head(request: &Request, output_tokens_max: u64, draft: &mut Draft<'_>) {
    let target = draft.target;
    let counts = draft.purpose == Purpose::Count;
    let writer = &mut draft.writer;
    let (in_path, version) = match target.hosting {
        Hosting::Anthropic => (false, None),
        Hosting::Vertex { version } => (!counts, Some(version)),
        Hosting::Bedrock { version, .. } => (true, Some(version)),
    };
    if let Some(version) = version {
        writer.key(VERSION).text(version);
    }
    if !in_path {
        writer.key("model").text(target.model);
    }
    if let Hosting::Bedrock { betas, .. } = target.hosting {
        let mut all: Vec<Cow<'_, str>> = betas.iter().map(|beta| Cow::Borrowed(*beta)).collect();
        for beta in own_betas(&request.extra) {
            if !all.contains(&beta) {
                all.push(beta);
            }
        }
        if !all.is_empty() {
            writer.key(BETA).open_array();
            for beta in all {
                writer.text(&beta);
            }
            writer.close_array();
        }
    }
    if counts {
        return;
    }
    writer.key("max_tokens").number(output_tokens_max);
    if request.stream && !matches!(target.hosting, Hosting::Bedrock { .. }) {
        writer.key("stream").flag(true);
    }
}

/// Writes what stands last.
pub(crate) fn write_tail(request: &Request, draft: &mut Draft<'_>) {
    if draft.purpose == Purpose::Answer {
        write_metadata(request, draft);
        write_tier(request, draft);
    }
    for extra in &request.extra {
        if extras::is_own(extra) && INNER.iter().any(|prefix| extra.name.starts_with(prefix)) {
            continue;
        }
        let elsewhere = extras::is_own(extra) && matches!(extra.name.as_str(), VERSION | BETA);
        if elsewhere {
            if draft.target.hosting == Hosting::Anthropic {
                draft.dropped.note(extra.name.as_str());
            }
        } else if draft.purpose == Purpose::Count && !COUNTED.contains(&extra.name.as_str()) {
            draft.dropped.note(extra.name.as_str());
        } else if draft.keeps(extra, "") {
            draft.writer.key(&extra.name).raw(extra.value.as_str());
        }
    }
    let foreign = request
        .reasoning
        .iter()
        .flat_map(|reasoning| &reasoning.extra);
    for extra in foreign.filter(|extra| !extras::is_own(extra)) {
        draft.dropped.note(extra.name.as_str());
    }
}

/// The user is told if that is a word of the client's own for them, never an address of theirs.
fn write_metadata(request: &Request, draft: &mut Draft<'_>) {
    let user = request.end_user.as_deref();
    let opaque = user.filter(|user| !user.contains('@'));
    if user.is_some() && opaque.is_none() {
        draft.dropped.note("user");
    }
    let members = draft.under(&request.extra, "metadata.");
    if opaque.is_none() && members.is_empty() {
        return;
    }
    let writer = &mut draft.writer;
    writer.key("metadata").open();
    if let Some(user) = opaque {
        writer.key("user_id").text(user);
    }
    extras::write(writer, members.into_iter());
    writer.close();
}

fn write_tier(request: &Request, draft: &mut Draft<'_>) {
    let tier = match request.service_tier.as_deref() {
        None => return,
        Some("auto") => "auto",
        Some("default" | "standard_only") => "standard_only",
        Some(_) => {
            draft.dropped.note("service_tier");
            return;
        }
    };
    draft.writer.key("service_tier").text(tier);
}

/// The betas that a client wrote into its body.
fn own_betas(extra: &[Extra]) -> impl Iterator<Item = Cow<'_, str>> {
    let raw = extras::find(extra, BETA).unwrap_or("[]");
    let elements = object::elements(raw).unwrap_or_default();
    elements
        .into_iter()
        .filter_map(|raw| object::text(raw).ok())
}
