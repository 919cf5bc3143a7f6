//! What stands in the organization, of the kinds that are looked at.
//!
//! Reads only. Whoever may see these kinds may plan.

use std::collections::BTreeMap;

use prost_reflect::{DynamicMessage, Value};
use proto::admin::{LimitUnit, LimitWindow};

use crate::{
    admin::declarations::{
        folder::Folder,
        kind::{KINDS, Kind},
    },
    failure::{Exit, Failure},
    session::Session,
    wording,
};

/// The most of one kind that is looked at.
// Full: refused, since what is not seen cannot be compared.
const OF_A_KIND_MAX: usize = 100_000;

/// Something that stands.
#[derive(Debug, Clone)]
pub struct Standing {
    /// What it is.
    pub kind: &'static Kind,
    /// It, in the form in which it is compared.
    pub message: DynamicMessage,
}

/// Reads what `folder` is compared with, and what of `prune` it might take away. By their names.
pub async fn read(
    folder: &Folder,
    prune: &[&'static Kind],
    session: &mut Session,
) -> Result<BTreeMap<String, Standing>, Failure> {
    // What names others is looked at together with them.
    let names_others = |kind: &Kind| ["alias", "limit"].contains(&kind.word);
    let all = folder.declared.iter().any(|it| names_others(it.kind));
    let asked = |kind: &Kind| folder.declared.iter().any(|it| it.kind == kind);
    let parent = folder.place.organization()?;
    let mut standing = BTreeMap::new();
    for kind in &KINDS {
        // Nothing names an alias.
        let is_named = all && kind.word != "alias";
        if !(is_named || asked(kind) || prune.contains(&kind)) {
            continue;
        }
        let (found, page) = session.all(kind.noun, &parent, OF_A_KIND_MAX).await?;
        if !wording::field(&page, "next_page_token").is_empty() {
            let why = format!("there are more than 100,000 of the kind {}", kind.word);
            return Err(Failure::new(Exit::Failed, why));
        }
        for message in found.iter().filter_map(Value::as_message) {
            let message = (kind.usual)(message)?;
            standing.insert(wording::field(&message, "name"), Standing { kind, message });
        }
    }
    Ok(standing)
}

// === impl Standing ===

impl Standing {
    /// Whether it is a budget, too: money over a day or longer. Those are made and looked after elsewhere as well.
    pub fn is_budget(&self) -> bool {
        let number = |field| match self.message.get_field_by_name(field).as_deref() {
            Some(Value::EnumNumber(number)) => *number,
            _ => 0,
        };
        self.kind.word == "limit"
            && number("unit") == i32::from(LimitUnit::MicroDollars)
            && number("window") >= i32::from(LimitWindow::Day)
    }
}
