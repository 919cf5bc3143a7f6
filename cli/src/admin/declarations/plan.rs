//! What it takes to make an organization what it should be: steps, in an order in which each can be taken.
//!
//! A pure function of what is declared and what stands. Who has made the difference, a file or a hand, it does not know.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    admin::declarations::{
        difference::{self, Change},
        document::Declared,
        kind::Kind,
        standing::Standing,
    },
    failure::{Exit, Failure},
    wording,
};

/// One write.
#[derive(Debug, Clone)]
pub struct Step {
    /// Of what.
    pub kind: &'static Kind,
    /// Its whole name.
    pub name: String,
    /// What is declared; none of what is deleted.
    pub declared: Option<Declared>,
    /// What stands; none of what is made.
    pub standing: Option<Standing>,
    /// The fields that change, or that a new one has; none of what is deleted.
    pub changes: Vec<Change>,
}

/// All of them.
#[derive(Debug)]
pub struct Plan {
    /// In order: what is made or changed, each after what it may name; then what is deleted, the other way round.
    pub steps: Vec<Step>,
    /// How many stand as they are declared.
    pub same: usize,
}

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It makes something.
    Create,
    /// It changes something.
    Update,
    /// It deletes something.
    Delete,
}

// === impl Plan ===

impl Plan {
    /// Compares what is declared, in order, with what stands, by name. Of the kinds in `prune`, what is not declared goes.
    pub fn of(
        declared: Vec<Declared>,
        mut standing: BTreeMap<String, Standing>,
        prune: &[&'static Kind],
    ) -> Result<Self, Failure> {
        let goes = |it: &Standing| prune.contains(&it.kind) && !it.is_budget();
        let stays = standing.iter().filter(|(_, it)| !goes(it));
        let mut there: BTreeSet<String> = stays.map(|(name, _)| name.clone()).collect();
        there.extend(declared.iter().map(|it| it.name.clone()));
        let mut problems = Vec::new();
        let (mut steps, mut same) = (Vec::new(), 0);
        for it in declared {
            problems.extend(missing(&it, &there));
            let stands = standing.remove(&it.name);
            let changes = match &stands {
                Some(stands) => difference::changes(&it, &stands.message),
                None => difference::first(&it),
            };
            problems.extend(changes.iter().filter_map(|change| fixed(&it, change)));
            if stands.is_some() && changes.is_empty() {
                same += 1;
                continue;
            }
            steps.push(Step {
                kind: it.kind,
                name: it.name.clone(),
                declared: Some(it),
                standing: stands,
                changes,
            });
        }
        let mut deletes: Vec<Step> = standing
            .into_iter()
            .filter(|(_, it)| goes(it))
            .map(|(name, stands)| Step {
                kind: stands.kind,
                name,
                declared: None,
                standing: Some(stands),
                changes: Vec::new(),
            })
            .collect();
        deletes.sort_by_key(|step| std::cmp::Reverse(step.kind.order()));
        steps.extend(deletes);
        if problems.is_empty() {
            Ok(Self { steps, same })
        } else {
            let why = "what is declared cannot be made of what stands";
            Err(Failure::new(Exit::Refused, why).with_details(problems))
        }
    }

    /// How many steps do this.
    pub fn count(&self, action: Action) -> usize {
        let steps = self.steps.iter();
        steps.filter(|step| step.action() == action).count()
    }
}

// === impl Step ===

impl Step {
    /// What it does.
    pub fn action(&self) -> Action {
        match (&self.declared, &self.standing) {
            (None, _) => Action::Delete,
            (Some(_), None) => Action::Create,
            (Some(_), Some(_)) => Action::Update,
        }
    }
}

/// Why a change cannot be made.
fn fixed(declared: &Declared, change: &Change) -> Option<String> {
    let Change { field, old, .. } = change;
    change.is_fixed.then(|| {
        let (at, name) = (&declared.source, &declared.name);
        format!(
            "{at}: {field} of {name} is `{old}` and cannot change: declare it under another id, or delete what stands first"
        )
    })
}

/// What it names and nothing is or will be.
fn missing(declared: &Declared, there: &BTreeSet<String>) -> Vec<String> {
    let names_others = match declared.kind.word {
        "limit" => &["scope", "model", "provider"][..],
        "alias" => &["model"],
        _ => &[],
    };
    let names_others = names_others.iter().copied();
    let named = names_others.filter(|field| declared.named.contains(field));
    let problem = |field| {
        let name = wording::field(&declared.wanted, field);
        // An organization, a project and what stands in it: the project is what is looked for.
        let segments: Vec<&str> = name.split('/').take(4).collect();
        let looked_for = segments.join("/");
        let (at, own) = (&declared.source, &declared.name);
        let is_there = segments.len() < 4 || there.contains(&looked_for);
        (!is_there).then(|| {
            format!(
                "{at}: {field} of {own} names {looked_for}, which neither stands nor is declared"
            )
        })
    };
    named.filter_map(problem).collect()
}

#[cfg(test)]
#[path = "plan_test.rs"]
mod tests;
