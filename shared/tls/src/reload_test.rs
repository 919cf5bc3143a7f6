//! A door and its files: which certificate is shown, and what a change of the files does.

use std::{path::Path, sync::Arc, time::Duration};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName},
};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsConnector;

use super::*;
use crate::{door::NotShaken, files::Pair, provider::provider};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn write(folder: &Path, stem: &str, authority: &Authority, name: &str) -> Pair {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = certificate.signed_by(&key, authority).unwrap();
    let pair = Pair {
        cert_file: folder.join(format!("{stem}.pem")),
        key_file: folder.join(format!("{stem}.key")),
    };
    std::fs::write(&pair.cert_file, certificate.pem()).unwrap();
    std::fs::write(&pair.key_file, key.serialize_pem()).unwrap();
    pair
}

fn config(first: &Pair, more: Vec<Pair>) -> Config {
    Config {
        cert_file: first.cert_file.clone(),
        key_file: first.key_file.clone(),
        more,
        client_ca_file: None,
    }
}

/// The certificate that the door shows to who asks for `name`, and what was agreed to be spoken.
async fn shown(door: &Door, authority: &Authority, name: &str) -> CertificateDer<'static> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).await;
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let connecting = TlsConnector::from(Arc::new(client)).connect(name, stream.unwrap());
    let accepting = async { door.accept(listener.accept().await.unwrap().0).await };
    let (client, server) = tokio::join!(connecting, accepting);
    drop(server.unwrap());
    let client = client.unwrap();
    client.get_ref().1.peer_certificates().unwrap()[0].clone()
}

fn looked(reload: &mut Reload) {
    for _ in 0..2 {
        reload.look(reload.config.read(&reload.known));
    }
}

#[tokio::test]
async fn a_client_gets_the_certificate_of_the_name_that_it_asks_for() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), authority());
    let first = write(folder.path(), "first", &authority, "one.example");
    let second = write(folder.path(), "second", &authority, "two.example");
    let (door, _) = open(
        "test",
        config(&first, vec![second.clone()]),
        Vec::new(),
        &[b"h2"],
    )
    .unwrap();
    for (name, pair) in [("one.example", first), ("two.example", second)] {
        let written = std::fs::read(&pair.cert_file).unwrap();
        let expected = rustls::pki_types::pem::PemObject::from_pem_slice(&written).unwrap();
        let shown: CertificateDer<'static> = shown(&door, &authority, name).await;
        let expected: CertificateDer<'static> = expected;
        assert_eq!(shown, expected, "{name}");
    }
}

#[tokio::test]
async fn a_new_pair_is_served_and_a_broken_one_leaves_the_old_in_place() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), authority());
    let pair = write(folder.path(), "it", &authority, "one.example");
    let (door, mut reload) = open("test", config(&pair, Vec::new()), Vec::new(), &[]).unwrap();
    let first = shown(&door, &authority, "one.example").await;

    let renewed = write(folder.path(), "it", &authority, "one.example");
    reload.look(reload.config.read(&reload.known));
    assert_eq!(shown(&door, &authority, "one.example").await, first);
    looked(&mut reload);
    let second = shown(&door, &authority, "one.example").await;
    assert_ne!(second, first);

    // A key of another certificate, none at all, and no file.
    let other = KeyPair::generate().unwrap().serialize_pem();
    for broken in [other.as_str(), "", "-----BEGIN PRIVATE KEY-----"] {
        std::fs::write(&renewed.key_file, broken).unwrap();
        looked(&mut reload);
        assert_eq!(shown(&door, &authority, "one.example").await, second);
        let refused = open("test", config(&renewed, Vec::new()), Vec::new(), &[]);
        let told = refused.map(drop).unwrap_err();
        assert_eq!(told.path, renewed.key_file, "{told}");
    }
    std::fs::remove_file(&renewed.cert_file).unwrap();
    looked(&mut reload);
    assert_eq!(shown(&door, &authority, "one.example").await, second);

    write(folder.path(), "it", &authority, "one.example");
    looked(&mut reload);
    assert_ne!(shown(&door, &authority, "one.example").await, second);
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_is_hung_up_on() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), authority());
    let pair = write(folder.path(), "it", &authority, "one.example");
    let (door, _) = open("test", config(&pair, Vec::new()), Vec::new(), &[]).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut silent = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (accepted, _) = listener.accept().await.unwrap();
    let since = tokio::time::Instant::now();
    let ended = door.accept(accepted).await;
    assert!(matches!(ended, Err(NotShaken::Slow)), "{ended:?}");
    assert_eq!(since.elapsed(), Duration::from_secs(10));
    assert_eq!(silent.read(&mut [0; 8]).await.unwrap(), 0);
}
