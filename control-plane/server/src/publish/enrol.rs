//! `sluice.sync.v1` enrolment: certificates for edges, the first for an invitation, the next for the one before.
//!
//! What a certificate says comes from the invitation and, at a renewal, from the certificate before; an edge chooses its
//! name, once. A serial that is neither the last nor the one before it is of a copy, which is refused and told.

use std::{sync::Arc, time::Duration};

use domain::segment::EdgeSlug;
use http::HeaderMap;
use lifecycle::clock::Clock;
use metrics::{counter, describe_counter};
use policy::remit::Remit;
use proto::sync::{
    Certificate, EnrolRequest, EnrolResponse, RenewRequest, RenewResponse,
    enrolment_service_server::EnrolmentService,
};
use serde_json::json;
use store::{
    Store,
    edge_identity::{self, Enrolled, Issued, New, Renewed},
    id,
};
use time::OffsetDateTime;
use tls::{authority::Authority, member::Member, member::Shown};
use tonic::{Extensions, Request, Response, Status};
use tracing::{info, warn};
use uuid::Uuid;

use crate::{
    audit_entry::{self, Deed},
    peer::Peer,
    publish::join::{self, NoBadge},
    status,
    turns::Turns,
};

/// The longest request, in bytes.
pub const REQUEST_BYTES_MAX: usize = 32 << 10; // Full: the call ends with an error.

/// The service.
pub struct Enrolment {
    store: Store,
    authority: Arc<Authority>,
    clock: Clock,
    life: Duration,
    turns: Turns,
}

/// Registers what is measured here.
pub fn describe() {
    describe_counter!(
        "sluice_edge_certificate_total",
        "Certificates that edges asked for, by what became of it"
    );
}

// === impl Enrolment ===

impl Enrolment {
    /// Certifies by `authority`, each time for `life`.
    pub fn new(store: Store, authority: Arc<Authority>, clock: Clock, life: Duration) -> Self {
        let turns = Turns::new();
        Self {
            store,
            authority,
            clock,
            life,
            turns,
        }
    }

    /// The remit of the invitation in these headers, and its id. Nothing is said of one that is no invitation.
    async fn invited(&self, headers: &HeaderMap) -> Result<(String, Remit), NoBadge> {
        let presented = join::presented(headers)?;
        let found = self
            .store
            .join_tokens(&[presented.key_id().to_owned()])
            .await;
        let token = found
            .map_err(NoBadge::Store)?
            .pop()
            .ok_or(NoBadge::Invitation)?;
        let secret = token.secret_sha256.ok_or(NoBadge::Invitation)?;
        if !presented.matches_sha256(&secret) || !token.single_use {
            return Err(NoBadge::Invitation);
        }
        Ok((token.key_id, token.remit))
    }

    fn issue(&self, request: &[u8], member: &Member) -> Result<(Certificate, Issued), Status> {
        let now = OffsetDateTime::from(self.clock.now());
        let issued = self.authority.issue(request, member, (now, self.life));
        let issued = issued.map_err(|_| {
            status::edge_nonsense(&"certificate_request is no request for a certificate")
        })?;
        let certificate = Certificate {
            certificate: issued.certificate,
            authority: self.authority.pem().to_owned(),
            end_time: Some(prost_types::Timestamp {
                seconds: issued.ends_at.unix_timestamp(),
                nanos: 0,
            }),
        };
        let issued = Issued {
            serial: issued.serial,
            ends_at: issued.ends_at,
        };
        Ok((certificate, issued))
    }

    /// Uses the invitation up, and tells the audit trail.
    async fn enrolled(&self, remit: &Remit, new: &New, source: String) -> Result<(), Status> {
        let mut write = self
            .store
            .write(&new.join_token)
            .await
            .map_err(status::store)?;
        let enrolled = edge_identity::enrol(&mut write, remit, new).await;
        match enrolled.map_err(status::store)? {
            Enrolled::Yes => {}
            Enrolled::Used => return Err(refused(&NoBadge::Invitation)),
            Enrolled::Taken => return Err(status::edge_enrolled(&new.edge_id)),
        }
        let deed = Deed {
            actor: new.join_token.clone(),
            source,
            method: "Enrol".to_owned(),
            object: format!("edges/{}", new.edge_id),
        };
        let result = audit_entry::Result::Changed {
            revision: 0,
            before: serde_json::Value::Null,
            after: json!({
                "name": deed.object,
                "region": remit.region.as_str(),
                "organization_id": remit.organization.map(|it| it.to_string()),
                "identity": new.identity,
            }),
        };
        let mut numbered = write.number().await.map_err(status::store)?;
        let about = deed.about();
        let told = numbered.audit(&about, |stamp| deed.text(&result, stamp));
        told.await.map_err(status::store)?;
        numbered.commit().await.map_err(status::store)?;
        Ok(())
    }
}

#[tonic::async_trait]
impl EnrolmentService for Enrolment {
    async fn enrol(
        &self,
        request: Request<EnrolRequest>,
    ) -> Result<Response<EnrolResponse>, Status> {
        let (metadata, extensions, asked) = request.into_parts();
        let busy = || status::edge_not_checked(&NoBadge::Busy);
        let _turn = self.turns.take().await.ok_or_else(busy)?;
        let headers = metadata.into_headers();
        let invited = self.invited(&headers).await;
        let (join_token, remit) = invited.map_err(|why| refused(&why))?;
        let edge_id = EdgeSlug::parse(&asked.edge_id);
        let edge_id = edge_id
            .map_err(|_| status::edge_nonsense(&"edge_id is not the id of an edge"))?
            .to_string();
        let identity = Uuid::from_bytes(id::draw()).simple().to_string();
        let member = Member {
            region: remit.region.to_string(),
            organization: remit.organization.map(|it| it.to_string()),
            edge_id: edge_id.clone(),
            identity: identity.clone(),
        };
        let (certificate, issued) = self.issue(&asked.certificate_request, &member)?;
        let new = New {
            identity,
            edge_id: edge_id.clone(),
            join_token,
            issued,
        };
        self.enrolled(&remit, &new, source(&extensions)).await?;
        counter!("sluice_edge_certificate_total", "result" => "enrolled").increment(1);
        let region = &remit.region;
        info!(edge.id = edge_id, %region, "Edge {edge_id} has enrolled");
        Ok(Response::new(EnrolResponse {
            certificate: Some(certificate),
        }))
    }

    async fn renew(
        &self,
        request: Request<RenewRequest>,
    ) -> Result<Response<RenewResponse>, Status> {
        let busy = || status::edge_not_checked(&NoBadge::Busy);
        let _turn = self.turns.take().await.ok_or_else(busy)?;
        let shown = shown(request.extensions()).map_err(|why| refused(&why))?;
        let asked = request.get_ref();
        let (certificate, issued) = self.issue(&asked.certificate_request, &shown.member)?;
        let edge_id = &shown.member.edge_id;
        let renewed = self
            .store
            .edge_renewed(&shown.member.identity, &shown.serial, &issued);
        let (result, why) = match renewed.await.map_err(status::store)? {
            Renewed::Yes => ("renewed", None),
            Renewed::Revoked => ("revoked", Some(NoBadge::Revoked)),
            Renewed::Copied => {
                warn!(
                    edge.id = edge_id,
                    "Two edges use the identity of {edge_id}: revoke it and invite both"
                );
                ("copied", Some(NoBadge::Copied))
            }
        };
        counter!("sluice_edge_certificate_total", "result" => result).increment(1);
        match why {
            Some(why) => Err(refused(&why)),
            None => Ok(Response::new(RenewResponse {
                certificate: Some(certificate),
            })),
        }
    }
}

/// What the certificate of a connection says.
pub fn shown(extensions: &Extensions) -> Result<Shown, NoBadge> {
    let certificate = extensions
        .get::<Peer>()
        .and_then(|it| it.certificate.as_ref());
    let certificate = certificate.ok_or(NoBadge::NoCertificate)?;
    Shown::read(certificate).ok_or(NoBadge::NoCertificate)
}

fn source(extensions: &Extensions) -> String {
    let peer = extensions.get::<Peer>().and_then(|it| it.tcp.remote_addr());
    peer.map_or_else(String::new, |it| it.ip().to_string())
}

fn refused(why: &NoBadge) -> Status {
    match why {
        NoBadge::Crowded | NoBadge::Busy | NoBadge::Store(_) => status::edge_not_checked(why),
        _ => status::edge_not_joined(why),
    }
}
