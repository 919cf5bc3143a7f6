//! Whether a condition of a model is true of a request, and which version serves then.
//!
//! Makes ready what a condition names and nothing else. A version that is not in force here is passed over.

use std::{borrow::Cow, sync::Arc};

use claims::condition::{
    CLAIMS, DATA_CLASS, END_USER, Fact, HEADERS, HEADERS_MAX, KEY, Known, LABELS, PROJECT,
};
use policy::{id::VersionId, model::Model, rules::Rules};

use crate::{asking::Asking, identify::Caller};

/// What is known of one request.
struct Facts<'a> {
    rules: &'a Rules,
    caller: &'a Caller,
    asking: Asking<'a>,
}

/// The version of the first rule whose condition is true, and which rule that is, 1 the first.
pub(crate) fn chosen(
    rules: &Rules,
    model: &Arc<Model>,
    caller: &Caller,
    asking: Asking<'_>,
) -> Option<(VersionId, u8)> {
    let ready = asking.fares?.in_force.conditions(model);
    let known = Facts {
        rules,
        caller,
        asking,
    };
    for (number, rule) in (1..).zip(ready.iter()) {
        let Some(condition) = &rule.condition else {
            continue;
        };
        if !condition.is_true(&known) {
            continue;
        }
        if rules.version(rule.version).is_some() {
            return Some((rule.version, number));
        }
        // Nobody is refused for this, so nobody else counts it.
        metrics::counter!("sluice_config_dangling_reference_total").increment(1);
    }
    None
}

// === impl Facts ===

impl Known for Facts<'_> {
    fn fact(&self, name: &'static str) -> Option<Fact> {
        let (caller, asking) = (self.caller, self.asking);
        Some(match name {
            KEY => Fact::Text(caller.key().key_id.clone()),
            PROJECT => Fact::Text(self.rules.project(caller.key().project)?.name.clone()),
            LABELS => Fact::Texts(caller.labels().to_vec()),
            CLAIMS => Fact::Claims(caller.claims()?.clone()),
            DATA_CLASS => Fact::Text(data_class(caller, asking).to_owned()),
            END_USER => Fact::Text(match caller.end_user() {
                Some(said) => said.to_owned(),
                None => asking.end_user()?.into_owned(),
            }),
            _ => return asking.fact(name),
        })
    }

    fn member(&self, name: &'static str, member: &str) -> Option<Cow<'_, str>> {
        if name == HEADERS {
            return self.asking.header(member).map(Cow::Borrowed);
        }
        let mut labels = self.caller.labels().iter().take(HEADERS_MAX);
        let found = labels.rfind(|(label, _)| label == member);
        found.map(|(_, value)| Cow::Borrowed(value.as_str()))
    }
}

/// How the data is classed. Policy speaks before the client.
fn data_class<'a>(caller: &'a Caller, asking: Asking<'a>) -> &'a str {
    let label = caller.labels().iter().find(|(name, _)| name == DATA_CLASS);
    let label = label.map(|(_, value)| value.as_str());
    let claim = || caller.claims()?.text(DATA_CLASS);
    let said = label.or_else(claim).or_else(|| asking.tag(DATA_CLASS));
    said.unwrap_or_default()
}
