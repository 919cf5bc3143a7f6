//! What is read of a certificate, and that no name passes for two.

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType, SerialNumber};

use super::*;

fn certificate(spoil: impl FnOnce(&mut CertificateParams)) -> CertificateDer<'static> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name = DistinguishedName::new();
    spoil(&mut params);
    let key = KeyPair::generate().unwrap();
    params.self_signed(&key).unwrap().der().clone()
}

fn named(parts: &[(DnType, &str)]) -> Facts {
    let certificate = certificate(|it| {
        for (kind, name) in parts {
            it.distinguished_name.push(kind.clone(), *name);
        }
    });
    Facts::read(&certificate).unwrap()
}

#[test]
fn what_a_certificate_says_is_read() {
    let certificate = certificate(|it| {
        let name = &mut it.distinguished_name;
        name.push(DnType::OrganizationName, "Acme");
        name.push(DnType::OrganizationalUnitName, "ml");
        name.push(DnType::CommonName, "batch");
        it.subject_alt_names = vec![
            SanType::URI("spiffe://acme/batch".try_into().unwrap()),
            SanType::DnsName("batch.acme.example".try_into().unwrap()),
            SanType::Rfc822Name("batch@acme.example".try_into().unwrap()),
            SanType::IpAddress([192, 0, 2, 1].into()),
        ];
        it.serial_number = Some(SerialNumber::from(0x0a0b_u64));
        it.not_before = rcgen::date_time_ymd(2026, 1, 1);
        it.not_after = rcgen::date_time_ymd(2027, 1, 1);
    });
    let texts = |it: &str| vec![it.to_owned()];
    let expected = Facts {
        subject: "CN=batch,OU=ml,O=Acme".to_owned(),
        issuer: "CN=batch,OU=ml,O=Acme".to_owned(),
        common_names: texts("batch"),
        organizations: texts("Acme"),
        units: texts("ml"),
        uris: texts("spiffe://acme/batch"),
        hosts: texts("batch.acme.example"),
        mails: texts("batch@acme.example"),
        serial: "0a0b".to_owned(),
        fingerprint: hex(&Sha256::digest(&certificate)),
        begins_at: 1_767_225_600,
        ends_at: 1_798_761_600,
    };
    assert_eq!(Facts::read(&certificate), Ok(expected));
}

#[test]
fn a_name_that_holds_another_is_one_name() {
    let one = named(&[(DnType::CommonName, "batch,O=Acme")]);
    let two = named(&[
        (DnType::OrganizationName, "Acme"),
        (DnType::CommonName, "batch"),
    ]);
    assert_eq!(one.subject, r"CN=batch\,O\=Acme");
    assert_eq!(two.subject, "CN=batch,O=Acme");
    assert_eq!(one.common_names, ["batch,O=Acme"]);
    let odd = named(&[(DnType::CommonName, " #a+b\\ ")]);
    assert_eq!(odd.subject, r"CN=\ #a\+b\\\ ");
    let other = named(&[(DnType::CustomDnType(vec![1, 2, 3]), "x=y")]);
    assert_eq!(other.subject, "1.2.3=#783d79");
}

#[test]
fn what_says_too_much_or_is_no_certificate_says_nothing() {
    let many = |count: usize| {
        certificate(|it| {
            let names = (0..count).map(|at| format!("n{at}").try_into().unwrap());
            it.subject_alt_names = names.map(SanType::DnsName).collect();
        })
    };
    assert!(Facts::read(&many(NAMES_MAX)).is_ok());
    assert_eq!(Facts::read(&many(NAMES_MAX + 1)), Err(Unreadable));
    let good = many(1);
    for broken in [&[][..], &good[..good.len() - 1], &[0x30; 40]] {
        let broken = CertificateDer::from(broken.to_vec());
        assert_eq!(Facts::read(&broken), Err(Unreadable));
    }
    let mut longer = good.to_vec();
    longer.push(0);
    assert_eq!(Facts::read(&longer.into()), Err(Unreadable));
}
