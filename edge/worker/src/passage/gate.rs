//! Who may pass something through, and where to; told to the audit trail where an organization asks for that.
//!
//! The same stages as everywhere. What is told names a provider or a model, as the client did.

use std::{net::IpAddr, sync::Arc};

use policy::{key::Key, rules::Rules};

use crate::{
    admit::guess::Guess,
    authorize,
    identify::{self, Caller},
    passage::{
        Passage, Refusal,
        way::{self, Way},
    },
    request::{
        Arrival,
        passing::{Aim, Passing},
    },
    trail::{Case, What, denial},
};

// === impl Passage ===

impl Passage<'_> {
    /// Who calls, and where that may go. Forgets the key's text.
    pub(super) async fn let_in(
        &self,
        rules: &Rules,
        (passing, arrival, client): (&mut Passing, &Arrival, Option<IpAddr>),
    ) -> Result<(Caller, Way, Option<Box<Case>>), Refusal> {
        let mut caller = self.identify.caller(rules, passing.proof());
        if let Err(why) = caller
            && Box::pin(self.identify.awaited(why, passing.proof().text)).await
        {
            caller = self.identify.caller(rules, passing.proof());
        }
        let case = |key: &Arc<Key>| {
            let endpoint = passing.aim.class();
            self.trail.case(rules, key, (arrival, client), endpoint)
        };
        let caller = match caller {
            Ok(caller) => caller,
            Err(why) => {
                let key = self.identify.in_vain(why, passing.proof().text);
                let case = key.and_then(|key| case(&key));
                return Err(denied(case.as_deref(), rules, &passing.aim, why.into()));
            }
        };
        let case = case(caller.key());
        passing.forget_key();
        let way = self.way(rules, &caller, &passing.aim, (arrival, client));
        let way = way.map_err(|why| denied(case.as_deref(), rules, &passing.aim, why))?;
        Ok((caller, way, case))
    }

    fn way(
        &self,
        rules: &Rules,
        caller: &Caller,
        aim: &Aim,
        (arrival, client): (&Arrival, Option<IpAddr>),
    ) -> Result<Way, Refusal> {
        authorize::enter(caller.key(), client, aim.word()).map_err(Refusal::Authorize)?;
        Ok(way::way(rules, caller, aim, (arrival, self.call.fares()))?)
    }
}

/// Whether the caller may use so much at once: the last of what is decided.
pub(super) fn weigh(
    case: Option<Box<Case>>,
    caller: &Caller,
    aim: &Aim,
    guess: Guess,
) -> Result<(), Refusal> {
    let weighed = authorize::weigh(caller, || guess.total());
    if let Some(case) = case {
        // No refusal of weight is about which models there are.
        let word = |why| denial::of_caller(why, |_| false);
        case.tell(what(aim), weighed.as_ref().err().and_then(word));
    }
    weighed.map_err(Refusal::Authorize)
}

fn denied(case: Option<&Case>, rules: &Rules, aim: &Aim, why: Refusal) -> Refusal {
    if let Some(case) = case
        && let Some(word) = word(&why, rules, case.key())
    {
        case.tell(what(aim), Some(word));
    }
    why
}

/// By which rule whoever has this key is denied.
fn word(why: &Refusal, rules: &Rules, key: &Key) -> Option<&'static str> {
    match why {
        Refusal::Identify(why) => denial::of_key(*why),
        Refusal::Authorize(why) => {
            denial::of_caller(why, |name| rules.model(key.organization, name).is_some())
        }
        Refusal::Closed(_) => Some(denial::CLOSED),
        Refusal::Route(why) => denial::of_way(why),
        Refusal::Request(_) | Refusal::Admit(_) | Refusal::Call(_) => None,
    }
}

fn what(aim: &Aim) -> What {
    match aim {
        Aim::Provider { name, .. } => What::Provider(name.as_str().into()),
        Aim::Realtime { model, .. } => What::model(model),
    }
}

// === impl Refusal ===

impl From<identify::Refusal> for Refusal {
    fn from(why: identify::Refusal) -> Self {
        Self::Identify(why)
    }
}
