//! What is presented to a provider: nothing, a credential, or what one was exchanged for.
//!
//! Knows secrets and lets them go. Must never decide who is asked.

use std::{rc::Rc, sync::Arc};

use bytes::Bytes;
use http::HeaderName;
use policy::provider::Provider;

use crate::{
    call::{
        client::{self, Presented},
        exchange::{issued::Issued, no_token::NoToken},
        failure::Failure,
        origin::Origin,
    },
    in_force::Credential,
};

/// What is presented to a provider.
pub(super) enum ToPresent {
    /// There is no credential.
    Nothing,
    /// The credential.
    Itself(Arc<Credential>),
    /// What the credential was exchanged for.
    Token(Arc<Credential>, Rc<Issued>),
    /// The credential could not be exchanged.
    NoToken(Box<NoToken>),
}

/// To whom it is presented.
pub(super) struct To<'a> {
    pub(super) provider: &'a Provider,
    pub(super) origin: &'a Origin,
    /// The header that takes it as it is, where the provider's mapping names one.
    pub(super) header: Option<&'a HeaderName>,
    pub(super) now_seconds: u64,
}

/// Presents what is to be presented, and lets it go.
pub(super) fn present<B>(
    message: &mut http::Request<B>,
    to_present: ToPresent,
    to: &To<'_>,
    whole: fn(&B) -> Bytes,
) -> Result<(), Failure> {
    let (credential, token) = match to_present {
        ToPresent::Nothing if to.provider.credential_required => {
            return Err(Failure::Misconfigured("credential, which is missing"));
        }
        ToPresent::Nothing => return Ok(()),
        ToPresent::Itself(credential) => (credential, None),
        ToPresent::Token(credential, token) => (credential, Some(token)),
        ToPresent::NoToken(why) => return Err(Failure::NoToken(why)),
    };
    let presented = Presented {
        credential: &credential,
        token: token.as_deref().map(Issued::secret),
        kind: to.provider.kind,
        header: to.header,
        origin: to.origin,
        now_seconds: to.now_seconds,
    };
    client::authenticate(message, presented, whole)
        .map_err(|_| Failure::Misconfigured("credential, which is for another origin"))
}
