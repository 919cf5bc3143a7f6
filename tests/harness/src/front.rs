//! TLS in front of a server that has none: what connects is passed on to it, byte by byte.

use std::{fs, net::SocketAddr, sync::Arc};

use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

use crate::authority::Pair;

/// A front. Dropping it ends it.
#[derive(Debug)]
pub struct Front {
    address: SocketAddr,
    task: JoinHandle<()>,
}

// === impl Front ===

impl Front {
    /// One that shows this certificate, before the server at `target`.
    pub async fn start(pair: &Pair, target: SocketAddr) -> Self {
        let read = |path| fs::read(path).expect("the file is there");
        let certificate = CertificateDer::from_pem_slice(&read(&pair.cert_file));
        let key = PrivateKeyDer::from_pem_slice(&read(&pair.key_file));
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("there are versions of TLS")
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.expect("it is a certificate")],
                key.expect("it is a key"),
            )
            .expect("the certificate fits its key");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let mut near = acceptor.accept(stream).await?;
                    let mut far = TcpStream::connect(target).await?;
                    copy_bidirectional(&mut near, &mut far).await
                });
            }
        });
        Self { address, task }
    }

    /// Where it is asked.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.task.abort();
    }
}
