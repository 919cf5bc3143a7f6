//! What an authority certifies, and that it is not the one who asks who says it.

use super::*;
use crate::{member::Shown, membership::Asking};

fn authority() -> Authority {
    Authority::open(&make(OffsetDateTime::now_utc()).unwrap()).unwrap()
}

#[test]
fn an_edge_gets_the_region_that_it_was_invited_to_whatever_it_asks_for() {
    let member = Member {
        region: "eu-1".to_owned(),
        organization: None,
        edge_id: "edge-7".to_owned(),
        identity: "0a".to_owned(),
    };
    let other = Member {
        region: "us-1".to_owned(),
        organization: Some("0b".to_owned()),
        ..member.clone()
    };
    let key = KeyPair::generate().unwrap();
    let mut asked = CertificateParams::new(vec!["example.com".to_owned()]).unwrap();
    let uri = other.to_string().try_into().unwrap();
    asked.subject_alt_names.push(SanType::URI(uri));
    asked.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let request = asked.serialize_request(&key).unwrap();
    let now = OffsetDateTime::now_utc();
    let life = Duration::from_hours(1);
    let issued = authority()
        .issue(request.der(), &member, (now, life))
        .unwrap();
    let certificate = CertificateDer::from_pem_slice(issued.certificate.as_bytes()).unwrap();
    let shown = Shown::read(&certificate).unwrap();
    assert_eq!((&shown.member, &shown.serial), (&member, &issued.serial));
    let ends_at = u64::try_from(issued.ends_at.unix_timestamp()).unwrap();
    assert_eq!(shown.ends_at_ms, ends_at * 1_000);
}

#[test]
fn what_an_edge_keeps_is_read_back() {
    let member = Member {
        region: "eu-1".to_owned(),
        organization: None,
        edge_id: "edge-7".to_owned(),
        identity: "0a".to_owned(),
    };
    let (asking, authority) = (Asking::draw().unwrap(), authority());
    let times = (OffsetDateTime::now_utc(), Duration::from_hours(1));
    let issued = authority.issue(asking.request(), &member, times).unwrap();
    let membership = asking.answered(issued.certificate, authority.pem().to_owned());
    let text = membership.unwrap().text();
    let read = crate::membership::Membership::parse(&text).unwrap();
    assert_eq!(read.shown().unwrap().member, member);
    assert!(crate::membership::Membership::parse(&text[1..text.len() / 2]).is_none());
}

#[test]
fn nonsense_is_certified_for_nobody() {
    let member = Member {
        region: "eu-1".to_owned(),
        organization: None,
        edge_id: "edge-7".to_owned(),
        identity: "0a".to_owned(),
    };
    let times = (OffsetDateTime::now_utc(), Duration::from_hours(1));
    for request in [Vec::new(), vec![0x30; 20], vec![0; 20_000]] {
        assert!(authority().issue(&request, &member, times).is_err());
    }
}
