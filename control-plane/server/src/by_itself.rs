//! Commits what the control plane changes by itself, with its entry in the audit trail.
//!
//! Knows nothing of what is changed.

use policy::revision::Revision;
use proto::unknown::Contract;
use store::{Numbered, StoreError, Write};

use crate::audit_entry::{self, Deed};

/// Who does it, for the log and the audit trail.
pub(crate) const ACTOR: &str = "control-plane";

/// What is changed.
pub(crate) struct Change<'a> {
    /// The word for what is done.
    pub(crate) method: &'a str,
    /// The name of what it is done to.
    pub(crate) object: String,
    /// The name of the message that shows it.
    pub(crate) message: &'a str,
    /// That message as it was.
    pub(crate) before: Vec<u8>,
}

/// Commits it; `after` is the message as it is now, at a revision. Says that revision.
pub(crate) async fn commit(
    contract: &Contract,
    write: Write,
    change: Change<'_>,
    after: impl FnOnce(Revision) -> Vec<u8>,
) -> Result<Revision, StoreError> {
    settle(contract, write.number().await?, change, after).await
}

/// The same of a write that has its revision.
pub(crate) async fn settle(
    contract: &Contract,
    mut numbered: Numbered,
    change: Change<'_>,
    after: impl FnOnce(Revision) -> Vec<u8>,
) -> Result<Revision, StoreError> {
    let revision = numbered.revision();
    let shown = |bytes: &[u8]| contract.shown(change.message, bytes).unwrap_or_default();
    let deed = Deed {
        actor: ACTOR.to_owned(),
        source: String::new(),
        method: change.method.to_owned(),
        object: change.object,
    };
    let result = audit_entry::Result::Changed {
        revision: revision.0,
        before: shown(&change.before),
        after: shown(&after(revision)),
    };
    let about = deed.about();
    numbered
        .audit(&about, |stamp| deed.text(&result, stamp))
        .await?;
    numbered.commit().await?;
    Ok(revision)
}
