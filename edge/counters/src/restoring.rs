//! Lets a keeper remember what it forgot: tells Redis, or the twin where that is all there is, what was used of quotas.
//!
//! Knows who keeps counts; knows nothing of who can tell what was used. Nothing here is on a request's way but a look at a reply.

use policy::id::OrganizationId;

use crate::{
    parts::Parts,
    recall::{Before, Told},
    reservation::{Demand, Line, Reserved},
};

// === impl Parts ===

impl Parts {
    /// Since when the keeper has forgotten nothing of an organization, in milliseconds of its clock; `None` where it cannot be
    /// asked.
    pub(crate) async fn stands_since(&self, organization: OrganizationId) -> Option<u64> {
        let Some(remote) = &self.remote else {
            return self.local.twin().since_ms();
        };
        let clear = remote.link.clear_now()?;
        match clear.connection.mark(organization, None).await {
            Ok(since_ms) => {
                remote.link.answered();
                Some(since_ms)
            }
            Err(failure) => {
                remote.link.failed(&clear, &failure);
                None
            }
        }
    }

    /// Tells the keeper, as long as it has stood since then, what was used of these, each once; gives what it had counted.
    pub(crate) async fn restore(
        &self,
        organization: OrganizationId,
        since_ms: u64,
        told: &mut Vec<Told>,
    ) -> Vec<Before> {
        // Counts of one shelf are written together, and none may stand there twice.
        told.sort_by_key(|it| {
            (
                *it.applied.shelf.id.as_bytes(),
                *it.applied.counter.as_bytes(),
            )
        });
        told.dedup_by_key(|it| it.applied.counter);
        let line = |it: &Told| Some((it.line(it.used)?, it.line(it.least)?.amount));
        let lines: Option<Vec<(Line, i64)>> = told.iter().map(line).collect();
        let Some((lines, least)) = lines.map(|it| it.into_iter().unzip::<_, _, Vec<_>, Vec<_>>())
        else {
            return vec![Before::Passed; told.len()];
        };
        let Some(remote) = &self.remote else {
            let now_ms = self.local.clock.now_ms();
            let mut twin = self.local.twin();
            let before = twin.restore((organization, since_ms), &lines, &least, now_ms);
            return before.into_iter().map(Before::read).collect();
        };
        let passed = vec![Before::Passed; told.len()];
        let Some(clear) = remote.link.clear_now() else {
            return passed;
        };
        let connection = &clear.connection;
        let restored = connection.restore((organization, since_ms), (&lines, &least), None);
        match restored.await {
            Ok(before) => {
                remote.link.answered();
                before.into_iter().map(Before::read).collect()
            }
            Err(failure) => {
                remote.link.failed(&clear, &failure);
                passed
            }
        }
    }

    /// Whether a keeper says that it does not know enough, which is noted then.
    pub(crate) fn lacks(
        &self,
        organization: OrganizationId,
        demands: &[Demand],
        reserved: &Reserved,
    ) -> bool {
        if let Reserved::Lacking { places } = reserved {
            self.recall.lack(organization, demands, places);
            return true;
        }
        self.recall.see(organization, demands);
        false
    }
}
