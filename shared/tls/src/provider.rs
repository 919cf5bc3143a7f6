//! The one provider of cryptography.
//!
//! Knows that it is aws-lc-rs, so that nothing depends on which one a process happens to have installed.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};

/// The provider. Cheap enough to make anew: it is made when certificates are, not for connections.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}
