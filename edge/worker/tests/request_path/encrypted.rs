//! TLS to a provider: proven by its name, and by an authority that is trusted.
//!
//! The certificates are of a test authority whose key exists nowhere; they are for `localhost`.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio_rustls::TlsAcceptor;
use worker::call;

use crate::{
    edge::{CREDENTIAL, Setup},
    provider::{Peer, Provider, json},
};

const AUTHORITY: &[u8] = include_bytes!("tls/authority.der");
const LEAF: &[u8] = include_bytes!("tls/leaf.der");
const LEAF_KEY: &[u8] = include_bytes!("tls/leaf.key.der");

fn acceptor() -> TlsAcceptor {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(LEAF_KEY));
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(LEAF)], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

fn trusting() -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(AUTHORITY)).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

#[tokio::test]
async fn a_provider_with_a_trusted_name_gets_the_request_and_the_credential() {
    let provider = Provider::start().await;
    let origin = format!("https://localhost:{}", provider.address().port());
    let mut edge = Setup {
        tls: trusting(),
        ..Setup::default()
    }
    .start(&[format!("{origin}/v1")]);
    edge.put_credential(&origin);
    let mut client = edge.chat(r#"{"model":"chat"}"#).await;
    let stream = acceptor()
        .accept(provider.accept().await.stream)
        .await
        .unwrap();
    let mut peer = Peer::new(stream);
    for _ in 0..2 {
        let received = peer.request().await;
        assert_eq!(
            received.header("authorization"),
            Some(&*format!("Bearer {CREDENTIAL}"))
        );
        peer.write(json("200 OK", "", "{}")).await;
        assert_eq!(client.response().await.text(), "{}");
        client
            .post(
                "/v1/chat/completions",
                &edge.key.text,
                r#"{"model":"chat"}"#,
            )
            .await;
    }
}

#[tokio::test]
async fn a_provider_that_cannot_prove_its_name_gets_nothing() {
    let provider = Provider::start().await;
    let port = provider.address().port();
    let untrusting = call::dial::tls().unwrap();
    for (tls, host) in [(untrusting, "localhost"), (trusting(), "127.0.0.1")] {
        let base_url = format!("https://{host}:{port}/v1");
        let edge = Setup {
            tls,
            ..Setup::default()
        }
        .start(&[base_url]);
        let mut client = edge.chat(r#"{"model":"chat"}"#).await;
        assert!(
            acceptor()
                .accept(provider.accept().await.stream)
                .await
                .is_err()
        );
        let response = client.response().await;
        assert_eq!(
            (response.status, response.code().as_str()),
            (502, "upstream_unreachable")
        );
    }
}
