//! What a request says that is for us and no provider: what it prefers, in a header or in its body, and whether it wants to know its
//! cost. It is read, and taken out.
//!
//! Knows where it stands; knows nothing of what is made of it.

use bytes::Bytes;
use dialect::{
    cost, custom,
    neutral::Family,
    preferences::{self, Preferences, Unclear},
    request::{Endpoint, Rewrite, Scanned, rewrite, scan, scan_for},
};
use http::{HeaderMap, HeaderName};

use crate::request::{Refusal, Request, rare::Rare};

/// The header in which clients of other APIs than OpenAI's may say what they prefer.
pub const PREFERENCES: HeaderName = HeaderName::from_static("x-sluice-preferences");

/// What the header says, which is taken out. Boxed, because it is rare and would ride in the future of every request.
pub(super) fn read(headers: &mut HeaderMap) -> Result<Option<Box<Preferences>>, Refusal> {
    let Some(value) = headers.remove(PREFERENCES) else {
        return Ok(None);
    };
    let wanted = preferences::read(value.to_str().unwrap_or_default());
    wanted
        .map(|wanted| Some(Box::new(wanted)))
        .map_err(Refusal::Preferences)
}

/// A body without what is for us, and its facts; what it prefers is kept in `rare`.
pub(super) fn taken_out(
    endpoint: Endpoint,
    (scanned, body): (Scanned, Bytes),
    rare: &mut Option<Box<Rare>>,
) -> Result<(Scanned, Bytes), Refusal> {
    let asked = scanned.for_us;
    if !asked.cost && !asked.preferences {
        return Ok((scanned, body));
    }
    // The scan has seen that it is UTF-8.
    let text = str::from_utf8(&body).unwrap_or_default();
    let mut rest = None;
    if asked.preferences {
        let (wanted, without) = preferences::take(text).map_err(Refusal::Preferences)?;
        rest = Some(without);
        if wanted != Preferences::default() {
            let rare = rare.get_or_insert_default();
            if rare.preferences.is_some() {
                return Err(Refusal::Preferences(TWICE));
            }
            rare.preferences = Some(Box::new(wanted));
        }
    }
    if asked.cost {
        let text = rest.as_deref().unwrap_or(text);
        rest = cost::without_question(text).or(rest);
    }
    let body = rest.map_or(body, Bytes::from);
    let scanned = scan(endpoint, &body).map_err(Refusal::Body)?;
    Ok((scanned, body))
}

/// Preferences in two places.
const TWICE: Unclear = Unclear {
    member: "x-sluice-preferences",
    why: "stands beside what the body prefers: say it in one place",
};

// === impl Request ===

impl Request {
    /// What its client prefers among targets and models, if it says so.
    pub fn preferences(&self) -> Option<&Preferences> {
        self.rare.as_ref()?.preferences.as_deref()
    }

    /// The models to ask after the one that it names.
    pub fn other_models(&self) -> &[String] {
        self.preferences().map_or(&[], |it| &it.models)
    }

    /// Whether only those may answer who can be told all that it says.
    pub fn requires_parameters(&self) -> bool {
        self.preferences().is_some_and(|it| it.require_parameters)
    }

    /// Asks for another model, with the body that came, whatever the rules of the model before have made of it.
    pub fn ask_for(&mut self, model: &str, came: &Bytes) -> Result<(), Refusal> {
        let (scanned, body) = match (self.endpoint, self.endpoint.family()) {
            // The path says the model there.
            (Endpoint::Infer | Endpoint::InferMetadata, _) => {
                (Ok(Scanned::unread(model)), came.clone())
            }
            (Endpoint::Invoke, _) => (custom::invoke::scan(model, came), came.clone()),
            (endpoint, Some(Family::Gemini)) => (scan_for(endpoint, model, came), came.clone()),
            (endpoint, _) => {
                let scanned = scan(endpoint, came).map_err(Refusal::Body)?;
                let ask = Rewrite {
                    model,
                    ask_usage: false,
                };
                let body = rewrite(came, &scanned, &ask);
                (scan(endpoint, &body), body)
            }
        };
        let grown = body.len().saturating_sub(self.body.len());
        self.share.grow(grown).map_err(|_| Refusal::Full)?;
        self.scanned = scanned.map_err(Refusal::Body)?;
        self.body = body;
        if let Some(rare) = &mut self.rare {
            // The limits of the model before hold it no more.
            rare.held = None;
        }
        Ok(())
    }
}
