//! In what two versions differ: their targets and what those can do, how they are chosen, and what is changed in requests.
//!
//! Reads what operators said of both; what is known of well-known models beside that is the gateway's.

use std::collections::BTreeSet;

use clap::Args;
use prost_reflect::DynamicMessage;
use proto::admin::{ModelAbility, ModelCapabilities, ModelVersion, Target};
use serde_json::json;

use crate::{
    failure::{Exit, Failure},
    noun,
    output::{self, Format},
    place::split,
    session::Session,
    wording,
};

/// Which two.
#[derive(Debug, Clone, Args)]
pub struct Diff {
    /// MODEL@VERSION, or its whole name
    from: String,
    /// The other one, also of another model
    to: String,
    /// End with 10 where they differ
    #[arg(long)]
    detailed_exitcode: bool,
}

/// One thing in which they differ.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Difference {
    /// What.
    what: String,
    /// In the first one; empty where there is nothing of it.
    old: String,
    /// In the second one.
    new: String,
}

/// What is compared as it is shown, beside targets and provenance.
const FIELDS: [&str; 9] = [
    "balance",
    "adapt",
    "hedge_after",
    "hedge_percentile",
    "fallback_on",
    "no_fallback_on",
    "transform_rules",
    "header_rules",
    "samples",
];

/// What is said of an ability of which nobody says anything.
const UNSAID: &str = "not said";

/// Shows it.
pub async fn run(diff: Diff, session: &mut Session) -> Result<(), Failure> {
    let mut both = Vec::new();
    for text in [&diff.from, &diff.to] {
        let name = session.place.name(noun::MODEL_VERSION.collections, text)?;
        both.push(
            session
                .call_by_name(&noun::MODEL_VERSION, "Get", &name)
                .await?,
        );
    }
    let [one, other] = &both[..] else {
        return Err(Failure::usage("name two versions"));
    };
    let all = differences(one, other)?;
    let names = [one, other].map(|it| wording::field(it, "name"));
    match session.format {
        Format::Table if all.is_empty() => output::remark("they differ in nothing"),
        Format::Table => output::line(table(&names, &all))?,
        Format::Json => {
            let shown = all.iter();
            let shown = shown.map(|it| json!({"what": it.what, "old": it.old, "new": it.new}));
            let shown: Vec<_> = shown.collect();
            let [from, to] = names;
            let document = json!({"from": from, "to": to, "differences": shown});
            let text = serde_json::to_string_pretty(&document);
            output::line(text.map_err(Failure::broken)?)?;
        }
    }
    if diff.detailed_exitcode && !all.is_empty() {
        let why = format!("the two versions differ in {}", all.len());
        return Err(Failure::new(Exit::Differs, why));
    }
    Ok(())
}

fn table(names: &[String; 2], all: &[Difference]) -> String {
    let [old, new] = names.each_ref().map(|name| {
        let (model, version) = split(name);
        format!("{}@{version}", split(model).1).to_uppercase()
    });
    let cell = |text: &str| match text {
        "" => "nothing".to_owned(),
        text => text.to_owned(),
    };
    let row = |it: &Difference| vec![it.what.clone(), cell(&it.old), cell(&it.new)];
    let rows: Vec<_> = all.iter().map(row).collect();
    output::table(&["WHAT", &old, &new], &rows)
}

/// All of them, targets first.
fn differences(one: &DynamicMessage, other: &DynamicMessage) -> Result<Vec<Difference>, Failure> {
    let [old, new] = [one, other].map(DynamicMessage::transcode_to::<ModelVersion>);
    let (old, new) = (old.map_err(Failure::broken)?, new.map_err(Failure::broken)?);
    let mut all = Differences::default();
    all.targets(&old.targets, &new.targets);
    for field in FIELDS {
        let [old, new] = [one, other].map(|it| wording::field(it, field));
        // Of a number that is not said.
        let said = |text: String| if text == "0" { String::new() } else { text };
        all.note(field.replace('_', " "), said(old), said(new));
    }
    let names: BTreeSet<_> = old.provenance.keys().chain(new.provenance.keys()).collect();
    for name in names {
        let [old, new] = [&old, &new].map(|it| it.provenance.get(name));
        let text = |it: Option<&String>| it.cloned().unwrap_or_default();
        all.note(format!("provenance {name}"), text(old), text(new));
    }
    Ok(all.0)
}

/// `provider=model`, without its weight.
fn label(target: &Target) -> String {
    format!("{}={}", split(&target.provider).1, target.provider_model)
}

/// What is said of an ability.
fn said(of: &ModelCapabilities, ability: ModelAbility) -> &'static str {
    let number = i32::from(ability);
    match (of.can.contains(&number), of.cannot.contains(&number)) {
        (true, _) => "can",
        (_, true) => "cannot",
        _ => UNSAID,
    }
}

/// How many tokens are said.
type Count = fn(&ModelCapabilities) -> i64;

const fn context_tokens(of: &ModelCapabilities) -> i64 {
    of.context_tokens
}

const fn output_tokens_max(of: &ModelCapabilities) -> i64 {
    of.output_tokens_max
}

/// What was found.
#[derive(Default)]
struct Differences(Vec<Difference>);

// === impl Differences ===

impl Differences {
    fn note(&mut self, what: String, old: String, new: String) {
        if old != new {
            self.0.push(Difference { what, old, new });
        }
    }

    /// Targets are the same where provider and model are; of several such ones the first is compared with the first.
    fn targets(&mut self, old: &[Target], new: &[Target]) {
        let mut left: Vec<_> = new.iter().enumerate().collect();
        for (place, target) in old.iter().enumerate() {
            let is_same = |it: &(usize, &Target)| label(it.1) == label(target);
            let found = left.iter().position(is_same).map(|at| left.remove(at));
            self.target(Some((place, target)), found);
        }
        for found in left {
            self.target(None, Some(found));
        }
    }

    fn target(&mut self, old: Option<(usize, &Target)>, new: Option<(usize, &Target)>) {
        let both = [old, new];
        let Some((_, target)) = old.or(new) else {
            return;
        };
        let name = format!("target {}", label(target));
        let each = |of: fn(usize, &Target) -> String| {
            both.map(|it| it.map_or_else(String::new, |(place, target)| of(place, target)))
        };
        let [old, new] = each(|place, _| (place + 1).to_string());
        self.note(format!("{name}: place"), old, new);
        let number = |number: i64| match number {
            0 => String::new(),
            number => number.to_string(),
        };
        let [old, new] = both.map(|it| it.map_or(0, |(_, target)| target.weight.into()));
        self.note(format!("{name}: weight"), number(old), number(new));
        let able = |it: Option<(usize, &Target)>| {
            let said = it.and_then(|(_, target)| target.capabilities.clone());
            said.unwrap_or_default()
        };
        let [old, new] = both.map(able);
        for (what, of) in [
            ("context tokens", context_tokens as Count),
            ("output tokens max", output_tokens_max),
        ] {
            self.note(
                format!("{name}: {what}"),
                number(of(&old)),
                number(of(&new)),
            );
        }
        let named = [&old.can, &old.cannot, &new.can, &new.cannot];
        let named: BTreeSet<i32> = named.into_iter().flatten().copied().collect();
        for ability in named {
            // What this build does not know has no word.
            let Ok(ability) = ModelAbility::try_from(ability) else {
                continue;
            };
            let word = ability.as_str_name().trim_start_matches("MODEL_ABILITY_");
            let word = word.to_lowercase().replace('_', "-");
            let [old, new] = [&old, &new].map(|it| said(it, ability).to_owned());
            self.note(format!("{name}: {word}"), old, new);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use prost_reflect::DescriptorPool;

    use super::*;

    fn dynamic(version: &ModelVersion) -> DynamicMessage {
        let pool = DescriptorPool::decode(proto::DESCRIPTORS).unwrap();
        let descriptor = pool.get_message_by_name("sluice.admin.v1.ModelVersion");
        let mut message = DynamicMessage::new(descriptor.unwrap());
        message.transcode_from(version).unwrap();
        message
    }

    fn target(provider: &str, weight: i32, capabilities: Option<ModelCapabilities>) -> Target {
        Target {
            provider: format!("organizations/acme/providers/{provider}"),
            provider_model: "m".to_owned(),
            weight,
            capabilities,
        }
    }

    fn told(old: &ModelVersion, new: &ModelVersion) -> Vec<(String, String, String)> {
        let all = differences(&dynamic(old), &dynamic(new)).unwrap();
        let all = all.into_iter().map(|it| (it.what, it.old, it.new));
        all.collect()
    }

    #[test]
    fn what_targets_can_do_and_how_they_are_chosen_is_told_apart() {
        let able = |context_tokens, can: &[ModelAbility], cannot: &[ModelAbility]| {
            let numbers = |all: &[ModelAbility]| all.iter().map(|it| (*it).into()).collect();
            Some(ModelCapabilities {
                context_tokens,
                output_tokens_max: 0,
                can: numbers(can),
                cannot: numbers(cannot),
            })
        };
        let (tools, images) = (ModelAbility::Tools, ModelAbility::ImageInput);
        let old = ModelVersion {
            targets: vec![
                target("a", 3, able(8_192, &[tools], &[])),
                target("b", 0, None),
            ],
            provenance: HashMap::from([("git_sha".to_owned(), "1".to_owned())]),
            ..ModelVersion::default()
        };
        let new = ModelVersion {
            targets: vec![
                target("c", 0, able(0, &[tools], &[])),
                target("a", 1, able(200_000, &[images], &[tools])),
            ],
            hedge_percentile: 95,
            provenance: HashMap::from([("git_sha".to_owned(), "2".to_owned())]),
            ..ModelVersion::default()
        };
        let expected = [
            ("target a=m: place", "1", "2"),
            ("target a=m: weight", "3", "1"),
            ("target a=m: context tokens", "8192", "200000"),
            ("target a=m: image-input", UNSAID, "can"),
            ("target a=m: tools", "can", "cannot"),
            ("target b=m: place", "2", ""),
            ("target c=m: place", "", "1"),
            ("target c=m: tools", UNSAID, "can"),
            ("hedge percentile", "", "95"),
            ("provenance git_sha", "1", "2"),
        ];
        let expected = expected.map(|(what, old, new)| {
            let texts = [what, old, new].map(str::to_owned);
            let [what, old, new] = texts;
            (what, old, new)
        });
        assert_eq!(told(&old, &new), expected);
        assert_eq!(told(&new, &new), []);
        let names = ["a@v1", "a@v2"].map(|it| {
            let (model, version) = it.split_once('@').unwrap();
            format!("organizations/acme/models/{model}/versions/{version}")
        });
        let all = differences(&dynamic(&old), &dynamic(&new)).unwrap();
        let table = table(&names, &all);
        let lines: Vec<Vec<_>> = table
            .lines()
            .map(|it| it.split_whitespace().collect())
            .collect();
        assert_eq!(lines[0], ["WHAT", "A@V1", "A@V2"]);
        assert_eq!(lines[6], ["target", "b=m:", "place", "2", "nothing"]);
    }
}
