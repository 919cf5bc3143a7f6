//! Takes room of a quota for good, for whoever gives it back to others: charged to the count as if it were used, or not at all.
//!
//! Only who keeps the counts says so; a share of one edge never does.

use crate::{
    live::By,
    parts::Parts,
    reservation::{Demand, LEASE_MS_MAX, Line, Request, Reserved, Settlement, Term, Wanted},
};

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is charged, now or by an earlier call; so much is left beside it, which is negative where there is debt.
    All(i64),
    /// There is no room for it, and nothing is charged; so much is left.
    Nothing(i64),
}

// === impl Parts ===

impl Parts {
    /// Charges what is demanded, once for each id of a request, as long as that is remembered; `None` where the keeper of the
    /// counts cannot be asked or does not know what was used.
    pub(crate) async fn take(&self, request: &Request, demand: &Demand) -> Option<Taken> {
        let lines = [Line {
            soft: false,
            ..demand.line()?
        }];
        let wanted = Wanted::now(&lines);
        let reserved = match &self.remote {
            None => self.local.reserve(request, wanted),
            Some(remote) => {
                let clear = remote.link.clear(remote.timeout).await?;
                // Long, and charged in full when it ends: what is lost on the way to the settlement stays taken.
                let term = Term {
                    lease_ms: LEASE_MS_MAX,
                    now_ms: None,
                };
                let answer = clear.connection.reserve(request, wanted, term).await;
                self.heard((remote, &clear), request.organization, answer)?
            }
        };
        match reserved {
            Reserved::Granted { remaining, .. } => {
                // Remembered, so that another edge which is told to do the same takes nothing more.
                let settlement = Settlement {
                    request: *request,
                    lines: lines.into(),
                    charge_if_absent: true,
                    bequest: None,
                };
                self.settle(settlement, By::Whole);
                remaining.first().copied().map(Taken::All)
            }
            Reserved::Denied { remaining, .. } => remaining.first().copied().map(Taken::Nothing),
            Reserved::Unknown { .. } | Reserved::Lacking { .. } => None,
        }
    }
}
