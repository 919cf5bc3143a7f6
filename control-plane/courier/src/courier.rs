//! The courier: brings one notice to one receiver, within a time.
//!
//! Tries once. Who sends remembers what did not arrive, and comes again.

use std::{fmt, time::Duration};

use rustls_pki_types::CertificateDer;
use tokio::time::timeout;

pub use crate::mail::Mail;
use crate::{
    config::Config,
    dial::{self, Dialler},
    mail,
    notice::Notice,
    place::Place,
    post,
    said::{Undelivered, Unusable},
    signing::SigningSecret,
};

/// How long it may take to bring a notice.
pub const BRING_MAX: Duration = Duration::from_secs(10);

/// Where notices go. Holds secrets: never printed.
#[derive(Clone)]
pub enum Destination {
    /// A webhook, and the secret that signs.
    Webhook(Place, SigningSecret),
    /// An incoming webhook of Slack; its URL is the secret.
    Slack(Place),
    /// Mail.
    Mail(Box<Mail>),
}

/// Brings notices.
#[derive(Clone)]
pub struct Courier {
    dialler: Dialler,
    authorities: Vec<CertificateDer<'static>>,
}

// === impl Courier ===

impl Courier {
    /// One that goes where these settings allow.
    pub fn open(config: &Config) -> Result<Self, Unusable> {
        let authorities = dial::authorities(config.ca_file.as_deref())?;
        let dialler = Dialler::new(config, &authorities)?;
        Ok(Self {
            dialler,
            authorities,
        })
    }

    /// Brings a notice, at this time, milliseconds since 1970.
    pub async fn bring(
        &self,
        to: &Destination,
        notice: &Notice,
        now_ms: u64,
    ) -> Result<(), Undelivered> {
        let dialler = &self.dialler;
        let brought = async {
            match to {
                Destination::Webhook(place, secret) => {
                    post::webhook(dialler, (place, secret), notice, now_ms / 1_000).await
                }
                Destination::Slack(place) => post::slack(dialler, place, notice).await,
                Destination::Mail(mail) => {
                    mail::send(dialler, &self.authorities, mail, notice).await
                }
            }
        };
        let silent = |_| Undelivered::because("the receiver took longer than ten seconds");
        timeout(BRING_MAX, brought).await.map_err(silent)?
    }
}

impl fmt::Debug for Courier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Courier").finish_non_exhaustive()
    }
}
