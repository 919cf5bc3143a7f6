//! What proves this edge to control planes where they speak TLS: a certificate, from an invitation to its renewals.
//!
//! Owns the key and the certificate, in memory and, sealed, on the disk. Knows nothing of policy or usage. No request waits
//! for any of it: an edge whose certificate has ended serves on.

use std::{fmt, sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use lifecycle::{clock::Clock, settings::Secret};
use proto::sync::{
    Certificate, EnrolRequest, RenewRequest, enrolment_service_client::EnrolmentServiceClient,
};
use tls::membership::{Asking, Membership};
use tonic::{Request, transport::Channel};
use zeroize::Zeroizing;

use crate::feed::disk::{Directory, Note};

/// How long a control plane may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// An invitation: a join token, and the fingerprint of the authority that it names.
pub struct Invitation {
    token: Secret,
    key_id: String,
    pin: String,
}

/// What proves this edge.
pub struct Proof {
    current: ArcSwapOption<Membership>,
    invitation: Option<Invitation>,
    directory: Option<Directory>,
    edge_id: String,
    clock: Clock,
}

/// Why there is no certificate, or no new one: a sentence.
#[derive(Debug)]
pub struct NotCertified(String);

// === impl Invitation ===

impl Invitation {
    /// The invitation with this text; `None` when it is a join token without a fingerprint, or something else.
    pub fn parse(text: &str) -> Option<Self> {
        let (token, pin) = text.rsplit_once('.')?;
        let is_pin = pin.len() == 64 && pin.bytes().all(|byte| byte.is_ascii_hexdigit());
        let key_id = keys::parse(token).ok()?.key_id().to_owned();
        is_pin.then(|| Self {
            token: Secret::from(token.to_owned()),
            key_id,
            pin: pin.to_ascii_lowercase(),
        })
    }
}

// === impl Proof ===

impl Proof {
    /// What was kept on the disk, unless there is an invitation that it did not come from. `None` when there is neither.
    pub fn open(
        invitation: Option<Invitation>,
        directory: Option<Directory>,
        edge_id: String,
        clock: Clock,
    ) -> Option<Arc<Self>> {
        let kept = directory.as_ref().and_then(|it| it.note(Note::Membership));
        let kept = kept.map(Zeroizing::new);
        let kept = kept.and_then(|text| {
            let (invited_by, text) = text.split_once('\n')?;
            let newer = invitation
                .as_ref()
                .is_some_and(|it| it.key_id != invited_by);
            Membership::parse(text).filter(|_| !newer)
        });
        if kept.is_none() && invitation.is_none() {
            return None;
        }
        if directory.is_none() {
            tracing::warn!(
                "this edge's certificate is not kept, because nothing is: after a restart it must be invited anew"
            );
        }
        Some(Arc::new(Self {
            current: ArcSwapOption::from_pointee(kept),
            invitation,
            directory,
            edge_id,
            clock,
        }))
    }

    /// The certificate, if there is one yet.
    pub fn current(&self) -> Option<Arc<Membership>> {
        self.current.load_full()
    }

    /// How long until a new certificate is due; `None` while there is none.
    pub fn due_in(&self) -> Option<Duration> {
        let shown = self.current()?.shown()?;
        let life = shown.ends_at_ms.saturating_sub(shown.issued_at_ms);
        // Spread, so that a fleet that was started at once does not renew at once.
        let at = fastrand::u64(life * 60 / 100..=life * 66 / 100 + 1);
        let due = shown.issued_at_ms.saturating_add(at);
        Some(Duration::from_millis(
            due.saturating_sub(self.clock.now_ms()),
        ))
    }

    /// The authority of whoever is at `host:port`, as PEM, when it is the one that the invitation names.
    pub async fn authority(&self, host: &str, port: u16) -> Result<String, NotCertified> {
        let invitation = self.invitation()?;
        let found = tls::pinned::authority(host, port, &invitation.pin).await;
        found.map_err(|why| NotCertified(format!("the control plane is not believed: {why}")))
    }

    /// Gets the first certificate over a connection to `authority`.
    pub async fn enrol(&self, channel: Channel, authority: String) -> Result<(), NotCertified> {
        let invitation = self.invitation()?;
        let asking = Asking::draw().map_err(|why| NotCertified(why.to_string()))?;
        let mut request = Request::new(EnrolRequest {
            edge_id: self.edge_id.clone(),
            certificate_request: asking.request().to_vec(),
        });
        request.set_timeout(ANSWER_MAX);
        let text = Zeroizing::new(format!("Bearer {}", invitation.token.expose()));
        let mut bearer: tonic::metadata::MetadataValue<_> = text
            .parse()
            .map_err(|_| NotCertified("the invitation is no text".to_owned()))?;
        bearer.set_sensitive(true);
        request.metadata_mut().insert("authorization", bearer);
        let answer = EnrolmentServiceClient::new(channel).enrol(request).await;
        let answer = answer.map_err(|status| {
            NotCertified(format!("the invitation is refused: {}", status.message()))
        })?;
        let certificate = answer.into_inner().certificate.unwrap_or_default();
        self.take(asking, certificate.certificate, authority)
            .await?;
        tracing::info!(edge.id = self.edge_id, "this edge has enrolled");
        Ok(())
    }

    /// Gets the next certificate over a connection that shows the one before.
    pub async fn renew(&self, channel: Channel) -> Result<(), NotCertified> {
        let asking = Asking::draw().map_err(|why| NotCertified(why.to_string()))?;
        let mut request = Request::new(RenewRequest {
            certificate_request: asking.request().to_vec(),
        });
        request.set_timeout(ANSWER_MAX);
        let answer = EnrolmentServiceClient::new(channel).renew(request).await;
        let answer = answer.map_err(|status| NotCertified(status.message().to_owned()))?;
        let Certificate {
            certificate,
            authority,
            ..
        } = answer.into_inner().certificate.unwrap_or_default();
        self.take(asking, certificate, authority).await
    }

    async fn take(
        &self,
        asking: Asking,
        certificate: String,
        authority: String,
    ) -> Result<(), NotCertified> {
        let answered = asking.answered(certificate, authority);
        let membership =
            answered.ok_or_else(|| NotCertified("the answer holds no certificate".to_owned()))?;
        if let Some(directory) = self.directory.clone() {
            let invited_by = self.invitation.as_ref().map_or("", |it| it.key_id.as_str());
            let text = Zeroizing::new(format!("{invited_by}\n{}", membership.text().as_str()));
            let kept =
                tokio::task::spawn_blocking(move || directory.write_note(Note::Membership, &text));
            if !matches!(kept.await, Ok(Ok(()))) {
                tracing::error!(
                    "this edge's certificate cannot be kept on disk; after a restart it must be invited anew"
                );
            }
        }
        self.current.store(Some(Arc::new(membership)));
        Ok(())
    }

    fn invitation(&self) -> Result<&Invitation, NotCertified> {
        let why = "there is no certificate and no invitation";
        self.invitation
            .as_ref()
            .ok_or_else(|| NotCertified(why.to_owned()))
    }
}

// === impl NotCertified ===

impl fmt::Display for NotCertified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotCertified {}
