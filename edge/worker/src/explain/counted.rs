//! Which count of a quota an operator asks for, who wants to know how much of it edges hold.
//!
//! Reads the question and finds the count as `policy` does for requests; looks at nothing.

use policy::{
    applying::{Applied, Whose},
    id::{LimitId, ProjectId},
    limit::{Allowance, Member},
    rules::Rules,
};
use proto::sync::{ExplainProblem, LedgerCount};

/// The members that a question can name.
const NAMED: [Member; 3] = [Member::Project, Member::Key, Member::EndUser];

/// The count at this time, milliseconds since 1970.
pub(crate) fn found(
    rules: &Rules,
    asked: &LedgerCount,
    now_ms: u64,
) -> Result<Applied, ExplainProblem> {
    let limit = id(&asked.limit_id).ok_or(ExplainProblem::Limit)?;
    let whose = Whose {
        // Where the limit does not tell projects apart, none is named.
        project: ProjectId::from_bytes(id(&asked.project_id).unwrap_or_default()),
        key_id: asked.key_id.clone(),
        model: None,
        end_user: asked.end_user.clone(),
        provider: None,
    };
    rules
        .count_of(LimitId::from_bytes(limit), &whose, now_ms)
        .filter(|it| matches!(it.limit.allowance, Allowance::Quota(_)))
        .filter(|it| it.limit.scope.each.iter().all(|it| NAMED.contains(&it)))
        .ok_or(ExplainProblem::Limit)
}

fn id(bytes: &[u8]) -> Option<[u8; 16]> {
    bytes.try_into().ok()
}
