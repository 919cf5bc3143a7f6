//! The credential of a provider as edges are told of it: in the secrets lane, bound to where it may go.
//!
//! Sees it in clear, and keeps nothing.

use domain::base_url::BaseUrl;
use policy::{
    credential::Credential,
    id::ProviderId,
    object::{Kind, Object},
    region::Audience,
};

use crate::write::Write;

/// Where a credential may go.
pub(crate) struct Bounds<'a> {
    /// Where it is presented.
    pub(crate) base_url: &'a BaseUrl,
    /// Where it may be exchanged for a token, beside where its provider's kind does.
    pub(crate) exchange_origins: &'a [String],
}

/// Notes that the provider's credential stands so from now on.
pub(crate) fn put(
    write: &mut Write,
    provider: ProviderId,
    bounds: &Bounds<'_>,
    clear: &[u8],
    audience: Audience,
) {
    write.put(
        Object::Credential(Credential {
            provider,
            secret: clear.to_vec(),
            allowed_origin: bounds.base_url.origin().to_owned(),
            exchange_origins: bounds.exchange_origins.to_vec(),
        }),
        audience,
    );
}

/// Notes that the provider has none any more.
pub(crate) fn forget(write: &mut Write, provider: ProviderId) {
    write.forget(Kind::Credential, provider.as_bytes());
}
