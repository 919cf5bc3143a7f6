//! How much of a budget edges hold that records do not say yet, between the wire of operators and that of edges.
//!
//! Knows the question, and what an answer says; knows nothing of who is asked, or of what records say.

use policy::applying::Whose;
use proto::sync::{Explain, Explained, LedgerCount};
use store::limit::Row;

/// The question to an edge of each region: how much is left of this budget, or of the one that this member has.
pub(crate) fn question(row: &Row, whose: Option<&Whose>) -> Explain {
    let asked = LedgerCount {
        limit_id: row.id.as_bytes().to_vec(),
        ..LedgerCount::default()
    };
    let count = match whose {
        None => asked,
        Some(whose) => LedgerCount {
            project_id: whose.project.as_bytes().to_vec(),
            key_id: whose.key_id.clone(),
            end_user: whose.end_user.clone(),
            ..asked
        },
    };
    Explain {
        count: Some(count),
        ..Explain::default()
    }
}

/// How much an edge counts as used in its region, in millionths of a dollar; `None` where it could not ask its Redis.
pub(crate) fn counted(explained: &Explained) -> Option<u64> {
    let [limit] = explained.limits.as_slice() else {
        return None;
    };
    if explained.local_share || limit.share == Some(0) {
        return None;
    }
    let amount = i64::try_from(limit.amount).ok()?;
    let used = amount.saturating_sub(limit.remaining?);
    Some(u64::try_from(used).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use proto::sync::ExplainedLimit;

    use super::*;

    fn told(remaining: Option<i64>, local_share: bool) -> Explained {
        let limit = ExplainedLimit {
            amount: 100,
            remaining,
            ..ExplainedLimit::default()
        };
        Explained {
            limits: vec![limit],
            local_share,
            ..Explained::default()
        }
    }

    #[test]
    fn what_is_not_left_is_counted_debts_included() {
        assert_eq!(counted(&told(Some(30), false)), Some(70));
        assert_eq!(counted(&told(Some(-20), false)), Some(120));
        assert_eq!(counted(&told(None, false)), None);
        assert_eq!(counted(&told(Some(30), true)), None);
        assert_eq!(counted(&Explained::default()), None);
    }
}
