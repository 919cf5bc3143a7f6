//! The credential of a provider as edges are told of it: in the secrets lane, bound to one origin.
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

/// Notes that the provider's credential stands so from now on.
pub(crate) fn put(
    write: &mut Write,
    provider: ProviderId,
    base_url: &BaseUrl,
    clear: &[u8],
    audience: Audience,
) {
    let (secret, allowed_origin) = (clear.to_vec(), base_url.origin().to_owned());
    write.put(
        Object::Credential(Credential {
            provider,
            secret,
            allowed_origin,
        }),
        audience,
    );
}

/// Notes that the provider has none any more.
pub(crate) fn forget(write: &mut Write, provider: ProviderId) {
    write.forget(Kind::Credential, provider.as_bytes());
}
