//! Who calls the admin API: finds the operator behind a request, or says what is missing.
//!
//! Knows operator keys and where they stand in a request; knows nothing of what an operator may do, nor of
//! gRPC codes. The text of a key is read here, compared in constant time and kept nowhere.

use std::{fmt, sync::Arc};

use domain::access::Bindings;
use http::{HeaderMap, header::AUTHORIZATION};
use keys::{Family, Presented};
use store::{Store, StoreError};

use crate::turns::Turns;

/// An authenticated operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The id of the operator key that was presented; safe to log.
    pub key_id: String,
    /// What it may do.
    pub bindings: Arc<Bindings>,
    /// The address that the call comes from; empty when nobody knows.
    pub source: Arc<str>,
}

/// Who calls what needs no key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stranger {
    /// The address that the call comes from; empty when nobody knows.
    pub source: Arc<str>,
}

/// Why a request has no actor.
#[derive(Debug)]
pub enum NotAuthenticated {
    /// Nothing was presented.
    Nothing,
    /// What was presented is not the text of an operator key.
    NotAKey,
    /// The key is not one of ours, or not any more.
    UnknownKey,
    /// Too many ask at once.
    Busy,
    /// The store could not be asked.
    Store(StoreError),
}

/// The actor of a request with these headers. Asks the store in its turn only.
pub async fn actor(
    (store, turns): (&Store, &Turns),
    headers: &HeaderMap,
) -> Result<Actor, NotAuthenticated> {
    let presented = operator_key(headers)?;
    let key_id = presented.key_id();
    let _turn = turns.take().await.ok_or(NotAuthenticated::Busy)?;
    let known = store
        .operator_key(key_id)
        .await
        .map_err(NotAuthenticated::Store)?;
    // An unknown id is compared too, so that both answers take the same steps.
    let secret_sha256 = known.as_ref().map(|it| it.secret_sha256);
    let matches = presented.matches_sha256(&secret_sha256.unwrap_or_default());
    match known {
        Some(known) if matches => Ok(Actor {
            key_id: key_id.to_owned(),
            bindings: Arc::new(known.bindings),
            source: Arc::from(""),
        }),
        _ => Err(NotAuthenticated::UnknownKey),
    }
}

/// The operator key that the headers present, by its form alone.
fn operator_key(headers: &HeaderMap) -> Result<Presented<'_>, NotAuthenticated> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(NotAuthenticated::Nothing)?;
    if values.next().is_some() {
        // Two keys leave it open which one counts.
        return Err(NotAuthenticated::NotAKey);
    }
    let text = value.to_str().map_err(|_| NotAuthenticated::NotAKey)?;
    let (scheme, text) = text.split_once(' ').ok_or(NotAuthenticated::NotAKey)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(NotAuthenticated::NotAKey);
    }
    let presented = keys::parse(text.trim_start()).map_err(|_| NotAuthenticated::NotAKey)?;
    match presented.family() {
        Family::Operator => Ok(presented),
        Family::Live | Family::Test | Family::Join | Family::Activation => {
            Err(NotAuthenticated::NotAKey)
        }
    }
}

// === impl NotAuthenticated ===

impl fmt::Display for NotAuthenticated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "present an operator key as metadata `authorization: Bearer slo_…`",
            Self::NotAKey => {
                "what `authorization` holds is not an operator key: present `Bearer slo_…`"
            }
            Self::UnknownKey => {
                "the operator key is not known here; present one of this control plane"
            }
            Self::Busy => "too many keys are being checked; try again",
            Self::Store(_) => "the operator key could not be checked now; try again",
        })
    }
}

impl std::error::Error for NotAuthenticated {}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let values = values
            .iter()
            .map(|value| HeaderValue::from_str(value).unwrap());
        values.map(|value| (AUTHORIZATION, value)).collect()
    }

    #[test]
    fn an_operator_key_is_found_under_bearer() {
        let minted = keys::mint(Family::Operator);
        let text = minted.text.as_str();
        for value in [format!("Bearer {text}"), format!("bearer  {text}")] {
            let headers = headers(&[&value]);
            let presented = operator_key(&headers).unwrap();
            assert_eq!(presented.key_id(), minted.key_id);
            assert!(presented.matches_sha256(&minted.secret_sha256));
        }
    }

    #[test]
    fn nothing_else_is_an_operator_key() {
        let operator = format!("Bearer {}", keys::mint(Family::Operator).text.as_str());
        let live = format!("Bearer {}", keys::mint(Family::Live).text.as_str());
        let join = format!("Bearer {}", keys::mint(Family::Join).text.as_str());
        let activation = format!("Bearer {}", keys::mint(Family::Activation).text.as_str());
        let basic = operator.replace("Bearer", "Basic");
        let bare = operator.replace("Bearer ", "");
        let cut = &operator[..operator.len() - 1];
        for value in [
            &live,
            &join,
            &activation,
            &basic,
            &bare,
            cut,
            "Bearer",
            "Bearer ",
            "",
        ] {
            let headers = headers(&[value]);
            assert!(
                matches!(operator_key(&headers), Err(NotAuthenticated::NotAKey)),
                "{value}"
            );
        }
        let twice = headers(&[&operator, &operator]);
        assert!(matches!(
            operator_key(&twice),
            Err(NotAuthenticated::NotAKey)
        ));
        assert!(matches!(
            operator_key(&HeaderMap::new()),
            Err(NotAuthenticated::Nothing)
        ));
    }
}
