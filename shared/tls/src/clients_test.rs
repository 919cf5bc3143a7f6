//! Whose a certificate is: one authority's and no other's, for its time, until it is revoked.

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    IsCa, KeyIdMethod, KeyPair, RevokedCertParams, SerialNumber,
};

use super::*;
use crate::files::Named;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = rcgen::date_time_ymd(2026, 1, 1);
    params.not_after = rcgen::date_time_ymd(2028, 1, 1);
    params
}

fn authority(name: &str) -> Authority {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn below(above: &Authority, name: &str) -> Authority {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::signed_by(params, KeyPair::generate().unwrap(), above).unwrap()
}

fn leaf(authority: &Authority, serial: u64) -> CertificateDer<'static> {
    let mut params = params("client");
    params.serial_number = Some(SerialNumber::from(serial));
    params.not_after = rcgen::date_time_ymd(2027, 1, 1);
    let key = KeyPair::generate().unwrap();
    params.signed_by(&key, authority).unwrap().der().clone()
}

fn revoked(authority: &Authority, serials: &[u64]) -> Vec<u8> {
    let of = |serial: &u64| RevokedCertParams {
        serial_number: SerialNumber::from(*serial),
        revocation_time: rcgen::date_time_ymd(2026, 6, 1),
        reason_code: None,
        invalidity_date: None,
    };
    let list = CertificateRevocationListParams {
        this_update: rcgen::date_time_ymd(2026, 6, 1),
        next_update: rcgen::date_time_ymd(2026, 7, 1),
        crl_number: SerialNumber::from(1_u64),
        issuing_distribution_point: None,
        revoked_certs: serials.iter().map(of).collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let list = list.signed_by(authority).unwrap();
    list.pem().unwrap().into_bytes()
}

fn named(name: &str, authorities: &[&Authority], revoked: Option<Vec<u8>>) -> Named {
    let pem: String = authorities.iter().map(|it| it.pem()).collect();
    Named {
        name: name.to_owned(),
        ca: (format!("{name}.pem").into(), pem.into_bytes()),
        revoked: revoked.map(|it| (format!("{name}.crl").into(), it)),
    }
}

fn clients(known: Vec<Named>, any: Option<&Authority>) -> Result<Clients, Unusable> {
    let contents = Contents {
        pairs: Vec::new(),
        client_ca: any.map(|it| ("any.pem".into(), it.pem().into_bytes())),
        known,
        digest: [0; 32],
    };
    Clients::of(&contents).map(Option::unwrap)
}

/// At the beginning of 2026 and so many days.
fn day(number: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(1_767_225_600 + 86_400 * number))
}

fn of(name: &str) -> Of {
    Of::Known(name.into())
}

#[test]
fn a_certificate_is_of_the_authority_that_signed_it_for_its_time() {
    let [a, b, any, stranger] = ["a", "b", "any", "stranger"].map(authority);
    let known = vec![named("a", &[&a], None), named("b", &[&b], None)];
    let clients = clients(known, Some(&any)).unwrap();
    assert!(clients.client_auth_mandatory());
    let judge = |leaf: CertificateDer<'static>, at| clients.judge(&[leaf], at);
    assert_eq!(judge(leaf(&a, 1), day(1)), Ok(of("a")));
    assert_eq!(judge(leaf(&b, 1), day(1)), Ok(of("b")));
    assert_eq!(judge(leaf(&any, 1), day(1)), Ok(Of::Any));
    assert_eq!(judge(leaf(&stranger, 1), day(1)), Err(NotTaken::Stranger));
    assert_eq!(judge(leaf(&a, 1), day(366)), Err(NotTaken::Time));
    assert_eq!(clients.judge(&[], day(1)), Err(NotTaken::Stranger));
}

#[test]
fn what_two_authorities_would_take_is_taken_for_neither() {
    let a = authority("a");
    let nested = below(&a, "nested");
    let known = vec![named("a", &[&a], None), named("b", &[&nested], None)];
    let both = clients(known, None).unwrap();
    assert!(!both.client_auth_mandatory());
    let leaf = leaf(&nested, 1);
    assert_eq!(both.judge(std::slice::from_ref(&leaf), day(1)), Ok(of("b")));
    // With what leads to the other one, too, it is said of both.
    let chain = [leaf, nested.der().clone()];
    assert_eq!(both.judge(&chain, day(1)), Err(NotTaken::Stranger));

    let same = vec![named("a", &[&a], None), named("b", &[&nested, &a], None)];
    let why = clients(same, None).unwrap_err();
    assert!(
        why.to_string()
            .contains("b.pem: holds an authority that another"),
        "{why}"
    );
}

#[test]
fn a_list_takes_certificates_away_and_one_that_says_nothing_of_an_authority_takes_all_of_its() {
    let [a, other] = ["a", "other"].map(authority);
    let nested = below(&a, "nested");
    let listed = |list: Vec<u8>| clients(vec![named("a", &[&a], Some(list))], None).unwrap();
    let list = listed(revoked(&a, &[7]));
    assert_eq!(list.judge(&[leaf(&a, 8)], day(1)), Ok(of("a")));
    assert_eq!(list.judge(&[leaf(&a, 7)], day(1)), Err(NotTaken::Revoked));
    // A list whose next one is overdue goes on counting.
    assert_eq!(list.judge(&[leaf(&a, 8)], day(300)), Ok(of("a")));
    let chain = [leaf(&nested, 8), nested.der().clone()];
    assert_eq!(list.judge(&chain, day(1)), Err(NotTaken::Revoked));
    let mut both = revoked(&a, &[]);
    both.extend(revoked(&nested, &[]));
    assert_eq!(listed(both).judge(&chain, day(1)), Ok(of("a")));
    let foreign = listed(revoked(&other, &[7]));
    assert_eq!(
        foreign.judge(&[leaf(&a, 8)], day(1)),
        Err(NotTaken::Revoked)
    );

    for (list, word) in [
        (b"nonsense".to_vec(), "holds no list"),
        (a.pem().into_bytes(), "holds no list"),
    ] {
        let why = clients(vec![named("a", &[&a], Some(list))], None).unwrap_err();
        let why = why.to_string();
        assert!(why.contains("a.crl") && why.contains(word), "{why}");
    }
}

#[test]
fn files_without_authorities_are_refused_by_name() {
    let a = authority("a");
    let empty = Named {
        ca: ("empty.pem".into(), b"nothing".to_vec()),
        ..named("b", &[&a], None)
    };
    let why = clients(vec![empty], None).unwrap_err();
    assert_eq!(why.to_string(), "empty.pem: holds no certificate");
    let many = (0..=AUTHORITIES_MAX).map(|at| named(&format!("n{at}"), &[&authority("n")], None));
    let why = clients(many.collect(), None).unwrap_err();
    assert!(why.to_string().contains("more than 16"), "{why}");
}
