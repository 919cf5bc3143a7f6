//! A plan in lines for people, and as a document for programs.
//!
//! Changes nothing. What a credential is stands in neither.

use prost_reflect::DynamicMessage;
use serde_json::{Value, json};

use crate::{
    admin::declarations::plan::{Action, Plan, Step},
    failure::Failure,
    wording,
};

/// How much of a value is shown to people, in characters.
// Full: cut; `-o json` has it whole.
const VALUE_CHARS_MAX: usize = 160;

/// For people.
pub fn text(plan: &Plan) -> String {
    let mut lines: Vec<String> = plan.steps.iter().flat_map(step).collect();
    let [made, changed, deleted] =
        [Action::Create, Action::Update, Action::Delete].map(|it| plan.count(it));
    lines.push(if plan.steps.is_empty() {
        format!("nothing to do: all {} stand as declared", plan.same)
    } else {
        format!(
            "{made} to make, {changed} to change, {deleted} to delete; {} as declared",
            plan.same
        )
    });
    lines.join("\n")
}

/// For programs; with how many of the steps are done, where any were to be.
pub fn document(plan: &Plan, done: Option<usize>) -> Result<String, Failure> {
    let steps = plan.steps.iter().enumerate();
    let steps: Vec<Value> = steps
        .map(|(at, step)| {
            let changes = step.changes.iter();
            let fields = changes.map(|it| json!({"field": it.field, "old": it.old, "new": it.new}));
            let source = step.declared.as_ref().map(|it| &it.source);
            let mut shown = json!({
                "action": word(step.action()),
                "name": step.name,
                "fields": fields.collect::<Vec<_>>(),
                "file": source.map(|it| &it.file),
                "line": source.map(|it| it.line),
                "updateTime": step.standing.as_ref().map(|it| changed(&it.message)),
            });
            if let (Some(done), Value::Object(shown)) = (done, &mut shown) {
                shown.insert("done".to_owned(), json!(at < done));
            }
            shown
        })
        .collect();
    let document = json!({"changes": steps, "same": plan.same});
    serde_json::to_string_pretty(&document).map_err(Failure::broken)
}

/// What a step does, in a word.
pub const fn word(action: Action) -> &'static str {
    match action {
        Action::Create => "create",
        Action::Update => "update",
        Action::Delete => "delete",
    }
}

fn step(step: &Step) -> Vec<String> {
    let sign = match step.action() {
        Action::Create => '+',
        Action::Update => '~',
        Action::Delete => '-',
    };
    let source = step.declared.as_ref().map(|it| it.source.to_string());
    let standing = step.standing.as_ref();
    let changed = standing.map(|it| format!("last changed {}", changed(&it.message)));
    let from: Vec<String> = source.into_iter().chain(changed).collect();
    let mut lines = vec![format!("{sign} {}  ({})", step.name, from.join(", "))];
    for it in &step.changes {
        let new = value(&it.new);
        lines.push(match step.action() {
            Action::Create => format!("    {}: {new}", it.field),
            _ => format!("    {}: {} → {new}", it.field, value(&it.old)),
        });
    }
    lines
}

fn changed(message: &DynamicMessage) -> String {
    wording::field(message, "update_time")
}

/// In one line, and not the whole of what is long.
fn value(text: &str) -> String {
    if text.is_empty() {
        return "nothing".to_owned();
    }
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= VALUE_CHARS_MAX {
        return line;
    }
    let cut: String = line.chars().take(VALUE_CHARS_MAX).collect();
    format!("{cut}…")
}
