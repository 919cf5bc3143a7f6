//! A decision of an edge as the audit trail has it, or the field for which it can never be told.
//!
//! Holds every text to its bound. Knows nothing of chains.

use std::net::IpAddr;

use policy::remit::Remit;
use proto::usage::Access;
use serde_json::{Map, Value};
use store::{audit::Stamp, audit_access};

use crate::ingest::record::{Malformed, at_ms, id, number, text};

/// What its entry says, beside where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    edge: String,
    access: Access,
    source: String,
    decided_at_ms: u64,
}

/// The decision, if it is about a request of an organization that the edge serves.
pub(super) fn read(
    access: Access,
    (edge_id, remit): (&str, &Remit),
) -> Result<(audit_access::Access, Said), Malformed> {
    let source = match access.source.as_str() {
        "" => String::new(),
        source => {
            let address: Result<IpAddr, _> = source.parse();
            let address = address.map_err(|_| Malformed("source"))?;
            address.to_canonical().to_string()
        }
    };
    for (said, field) in [
        (&access.model, "model"),
        (&access.provider, "provider"),
        (&access.endpoint, "endpoint"),
        (&access.reason, "reason"),
    ] {
        text(said, field)?;
    }
    id::<[u8; 16]>(&access.request_id, "request_id")?;
    number(access.lost_before, "lost_before")?;
    let known = audit_access::Access {
        id: id(&access.id, "id")?,
        organization: id(&access.organization_id, "organization_id")?,
        project: id(&access.project_id, "project_id")?,
        actor: text(&access.key_id, "key_id")?.to_owned(),
    };
    if !remit.serves_organization(known.organization) {
        return Err(Malformed("organization_id"));
    }
    let said = Said {
        edge: edge_id.to_owned(),
        source,
        decided_at_ms: at_ms(access.at.as_ref()).ok_or(Malformed("at"))?,
        access,
    };
    Ok((known, said))
}

// === impl Said ===

impl Said {
    /// The entry about an object, at its place in the chain.
    pub(super) fn text(&self, object: &str, stamp: Stamp<'_>) -> String {
        let it = &self.access;
        let mut entry = Map::new();
        let mut put = |name: &str, value: Value| drop(entry.insert(name.to_owned(), value));
        put("chain", stamp.chain.into());
        put("sequence", stamp.sequence.into());
        put("at_ms", stamp.at_ms.into());
        put("actor", it.key_id.as_str().into());
        put("source", self.source.as_str().into());
        put("method", it.endpoint.as_str().into());
        put("object", object.into());
        for (name, said) in [("model", &it.model), ("provider", &it.provider)] {
            if !said.is_empty() {
                put(name, said.as_str().into());
            }
        }
        if it.reason.is_empty() {
            put("result", "allowed".into());
        } else {
            put("result", "denied".into());
            put("reason", it.reason.as_str().into());
        }
        put("edge", self.edge.as_str().into());
        // Of sixteen bytes: that was looked at when it was read.
        let request = <[u8; 16]>::try_from(it.request_id.as_slice()).unwrap_or_default();
        put(
            "request",
            uuid::Uuid::from_bytes(request).to_string().into(),
        );
        put("decided_at_ms", self.decided_at_ms.into());
        if it.lost_before > 0 {
            put("lost_before", it.lost_before.into());
        }
        Value::Object(entry).to_string()
    }
}

#[cfg(test)]
mod tests {
    use policy::{id::OrganizationId, region::Region};

    use super::*;

    type Spoil = fn(&mut Access);

    fn access() -> Access {
        Access {
            id: vec![1; 16],
            request_id: vec![2; 16],
            at: Some(prost_types::Timestamp {
                seconds: 1_800_000_000,
                nanos: 5_000_000,
            }),
            organization_id: vec![3; 16],
            project_id: vec![4; 16],
            key_id: "key".to_owned(),
            model: "chat".to_owned(),
            endpoint: "/v1/chat/completions".to_owned(),
            reason: "model_forbidden".to_owned(),
            source: "::ffff:192.0.2.1".to_owned(),
            ..Access::default()
        }
    }

    /// That of an edge of one organization, or of all.
    fn remit(organization: Option<[u8; 16]>) -> Remit {
        Remit {
            region: Region::try_from("eu").unwrap(),
            organization: organization.map(OrganizationId::from_bytes),
        }
    }

    #[test]
    fn an_edge_of_one_organization_tells_of_no_other() {
        let told = |of| read(access(), ("edge-1", &remit(Some(of)))).map(drop);
        assert_eq!(told([3; 16]), Ok(()));
        assert_eq!(told([4; 16]), Err(Malformed("organization_id")));
    }

    #[test]
    fn an_entry_says_who_asked_for_what_from_where_and_what_came_of_it() {
        let (known, said) = read(access(), ("edge-1", &remit(None))).unwrap();
        assert_eq!((known.id, known.actor.as_str()), ([1; 16], "key"));
        let stamp = Stamp {
            chain: "access/edge-1",
            sequence: 7,
            at_ms: 8,
        };
        let entry: Value = serde_json::from_str(&said.text("it", stamp)).unwrap();
        let wanted = serde_json::json!({
            "chain": "access/edge-1", "sequence": 7, "at_ms": 8, "actor": "key",
            "source": "192.0.2.1", "method": "/v1/chat/completions", "object": "it",
            "model": "chat", "result": "denied", "reason": "model_forbidden", "edge": "edge-1",
            "request": "02020202-0202-0202-0202-020202020202", "decided_at_ms": 1_800_000_000_005_u64,
        });
        assert_eq!(entry, wanted);
    }

    #[test]
    fn what_can_never_be_told_is_refused_by_the_name_of_its_field() {
        let cases: [(&str, Spoil); 7] = [
            ("id", |it| it.id.truncate(15)),
            ("request_id", |it| it.request_id.clear()),
            ("at", |it| it.at = None),
            ("project_id", |it| it.project_id.clear()),
            ("source", |it| it.source = "somewhere".to_owned()),
            ("model", |it| it.model = "m".repeat(513)),
            ("key_id", |it| it.key_id = "\0".to_owned()),
        ];
        for (field, spoil) in cases {
            let mut access = access();
            spoil(&mut access);
            let read = read(access, ("edge-1", &remit(None)));
            assert_eq!(read.err(), Some(Malformed(field)));
        }
    }
}
