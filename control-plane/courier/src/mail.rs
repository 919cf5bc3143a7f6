//! Sends a notice as e-mail, by SMTP.
//!
//! The addresses of the server are checked before one is dialled; its certificate must be for its name. A server that offers no
//! TLS where it is demanded gets nothing, and no password.

use std::{
    net::SocketAddr,
    time::{Duration, UNIX_EPOCH},
};

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::header::ContentType,
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, CertificateStore, Tls, TlsParameters},
    },
};
use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

use crate::{
    dial::Dialler,
    notice::Notice,
    place::{Mailbox, Security, Server},
    said::Undelivered,
};

/// How long a step of a conversation may take.
const STEP_MAX: Duration = Duration::from_secs(5);

/// A server of mail, and whom it is to bring notices to.
#[derive(Clone)]
pub struct Mail {
    /// The server.
    pub server: Server,
    /// How the connection is secured.
    pub security: Security,
    /// As whom to sign in; empty: not at all.
    pub username: String,
    /// With what.
    pub password: Zeroizing<String>,
    /// From whom.
    pub sender: Mailbox,
    /// To whom.
    pub recipients: Vec<Mailbox>,
}

/// Sends a notice to everybody, as one message.
pub(crate) async fn send(
    dialler: &Dialler,
    authorities: &[CertificateDer<'static>],
    mail: &Mail,
    notice: &Notice,
) -> Result<(), Undelivered> {
    let message = message(mail, notice)?;
    let encrypted = mail.security != Security::None;
    let mut last = Undelivered::because("the server of mail has no address");
    for address in dialler.addresses(&mail.server, encrypted).await? {
        match bring(address, authorities, mail, &message).await {
            Ok(()) => return Ok(()),
            Err(why) => last = why,
        }
    }
    Err(last)
}

fn message(mail: &Mail, notice: &Notice) -> Result<Message, Undelivered> {
    // The same whenever it is sent, so that a mailbox knows it again.
    let id = format!("<{}@sluice>", notice.id);
    let at = UNIX_EPOCH + Duration::from_millis(notice.at_ms);
    let mut message = Message::builder()
        .message_id(Some(id))
        .date(at)
        .from(mail.sender.0.clone())
        .subject(notice.headline())
        .header(ContentType::TEXT_PLAIN);
    for it in &mail.recipients {
        message = message.to(it.0.clone());
    }
    let mut text = format!("{}\n", notice.summary);
    for (what, name) in [
        ("About", &notice.subject),
        ("Rule", &notice.rule),
        ("Alert", &notice.alert),
    ] {
        if !name.is_empty() {
            text = format!("{text}\n{what}: {name}");
        }
    }
    let message = message.body(format!("{text}\n"));
    message.map_err(|why| Undelivered::because(format!("it cannot be written as mail: {why}")))
}

async fn bring(
    address: SocketAddr,
    authorities: &[CertificateDer<'static>],
    mail: &Mail,
    message: &Message,
) -> Result<(), Undelivered> {
    // By the address that was checked; the name is what its certificate must be for.
    let host = address.ip().to_string();
    let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
        .port(address.port())
        .timeout(Some(STEP_MAX))
        .tls(match mail.security {
            Security::StartTls => Tls::Required(parameters(&mail.server, authorities)?),
            Security::Tls => Tls::Wrapper(parameters(&mail.server, authorities)?),
            Security::None => Tls::None,
        });
    if !mail.username.is_empty() {
        let (name, password) = (mail.username.clone(), mail.password.to_string());
        transport = transport.credentials(Credentials::new(name, password));
    }
    let sent = transport
        .build::<Tokio1Executor>()
        .send(message.clone())
        .await;
    // What a server says is in it, and nothing of ours.
    let sent = sent.map_err(|why| Undelivered::because(format!("the server of mail: {why}")));
    sent.map(drop)
}

fn parameters(
    server: &Server,
    authorities: &[CertificateDer<'static>],
) -> Result<TlsParameters, Undelivered> {
    let mut builder = TlsParameters::builder(server.host.clone())
        .certificate_store(CertificateStore::WebpkiRoots);
    for it in authorities {
        let authority = Certificate::from_der(it.to_vec());
        builder = builder.add_root_certificate(authority.map_err(Undelivered::because)?);
    }
    builder.build_rustls().map_err(Undelivered::because)
}
