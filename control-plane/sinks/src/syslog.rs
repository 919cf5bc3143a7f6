//! A syslog server: each line as a message of RFC 5424, counted by octets over TLS (RFC 5425) or TCP (RFC 6587).
//!
//! TCP says what the other machine has, and never what the server has read. So a connection is for one batch, and it counts as sent when
//! the server has closed its side behind it, or has kept quiet for a while.

use std::{fmt, io, sync::Arc, time::Duration};

use egress::is_here;
use rustls_pki_types::ServerName;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use crate::{
    config::Syslog as Config,
    line::Line,
    unsent::{Unsent, Unusable},
};

/// Facility 13, which is for audits, and severity 6: for information.
const PRIORITY: u8 = 13 * 8 + 6;

/// How long a connection may take.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// How long a batch may take to be written.
const WRITE_MAX: Duration = Duration::from_secs(20);

/// How long is waited for the server to close its side.
const CLOSE_MAX: Duration = Duration::from_secs(2);

/// A syslog server.
pub(crate) struct Syslog {
    address: String,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

// === impl Syslog ===

impl Syslog {
    /// Opens the one of these settings, which stand under `setting`.
    pub(crate) fn open(setting: &str, config: &Config) -> Result<Self, Unusable> {
        let unusable = |field: &str, why: String| Unusable {
            setting: format!("{setting}.{field}"),
            why,
        };
        let host = config.address.rsplit_once(':').and_then(|(host, port)| {
            let is_one = !host.is_empty() && port.parse::<u16>().is_ok_and(|it| it > 0);
            is_one.then_some(host.trim_matches(['[', ']']))
        });
        let host = host.ok_or_else(|| {
            let why = format!("`{}` is not such as `siem.example:6514`", config.address);
            unusable("address", why)
        })?;
        if !config.tls && !is_here(host) && !config.plaintext_beyond_loopback {
            let why = "without tls the trail would cross a network in plaintext; set plaintext_beyond_loopback where the network itself \
                       is private";
            return Err(unusable("tls", why.to_owned()));
        }
        let tls = config.tls.then(|| {
            let trust = egress::trust(config.ca_file.as_deref())
                .map_err(|why| unusable("ca_file", format!("it cannot be read: {why}")))?;
            let name = ServerName::try_from(host.to_owned())
                .map_err(|_| unusable("address", format!("`{host}` is no name of a server")))?;
            Ok((TlsConnector::from(Arc::new(trust)), name))
        });
        Ok(Self {
            address: config.address.clone(),
            tls: tls.transpose()?,
        })
    }

    /// Sends lines, a message each.
    pub(crate) async fn send(&self, lines: &[Line]) -> Result<(), Unsent> {
        let mut batch = Vec::new();
        for line in lines {
            let message = message(line);
            batch.extend(format!("{} ", message.len()).into_bytes());
            batch.extend(message.into_bytes());
        }
        let tcp = within(CONNECT_MAX, TcpStream::connect(&self.address)).await?;
        match &self.tls {
            None => deliver(tcp, &batch).await,
            Some((connector, name)) => {
                let met = connector.connect(name.clone(), tcp);
                deliver(within(CONNECT_MAX, met).await?, &batch).await
            }
        }
    }
}

impl fmt::Debug for Syslog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Syslog");
        shown
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// Writes a batch, says that it is the last, and waits until the server has nothing to say to that.
async fn deliver(
    mut server: impl AsyncRead + AsyncWrite + Unpin,
    batch: &[u8],
) -> Result<(), Unsent> {
    let written = async {
        server.write_all(batch).await?;
        server.shutdown().await
    };
    within(WRITE_MAX, written).await?;
    let mut said = [0; 64];
    match timeout(CLOSE_MAX, server.read(&mut said)).await {
        // Some never close first. What they say nobody has asked for.
        Err(_) | Ok(Ok(_)) => Ok(()),
        // It ended without the words that TLS has for an end: it has read to ours.
        Ok(Err(why)) if why.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
        Ok(Err(why)) => Err(Unsent::because(&why)),
    }
}

async fn within<T>(most: Duration, done: impl Future<Output = io::Result<T>>) -> Result<T, Unsent> {
    match timeout(most, done).await {
        Ok(done) => done.map_err(|why| Unsent::because(&why)),
        Err(_) => Err(Unsent::because(&format!(
            "it takes longer than {} s",
            most.as_secs()
        ))),
    }
}

/// A line as a message.
fn message(line: &Line) -> String {
    let at = i128::from(line.at_ms) * 1_000_000;
    let at = OffsetDateTime::from_unix_timestamp_nanos(at).ok();
    let at = at.and_then(|at| at.format(&Rfc3339).ok());
    // A dash stands for what is not known.
    let at = at.as_deref().unwrap_or("-");
    format!(
        "<{PRIORITY}>1 {at} - sluice - {} - {}",
        line.kind, line.text
    )
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    fn config(address: &str) -> Config {
        Config {
            address: address.to_owned(),
            tls: false,
            plaintext_beyond_loopback: false,
            ca_file: None,
        }
    }

    #[test]
    fn a_line_is_a_message_of_rfc_5424() {
        let line = Line {
            at_ms: 1_767_225_600_250,
            kind: "entry",
            text: "{\"chain\":\"changes\"}".to_owned(),
        };
        assert_eq!(
            message(&line),
            "<110>1 2026-01-01T00:00:00.25Z - sluice - entry - {\"chain\":\"changes\"}"
        );
    }

    #[test]
    fn the_trail_leaves_the_machine_in_plaintext_only_when_told() {
        let open = |config: &Config| Syslog::open("audit_sinks.x.syslog", config);
        assert!(open(&config("127.0.0.1:514")).is_ok() && open(&config("[::1]:514")).is_ok());
        let beyond = open(&config("siem.example:514")).unwrap_err().to_string();
        assert!(beyond.contains("audit_sinks.x.syslog.tls"), "{beyond}");
        let told = Config {
            plaintext_beyond_loopback: true,
            ..config("siem.example:514")
        };
        assert!(open(&told).is_ok());
        let encrypted = Config {
            tls: true,
            ..config("siem.example:6514")
        };
        assert!(open(&encrypted).is_ok());
        for wrong in [
            "",
            "siem.example",
            "siem.example:0",
            ":514",
            "siem.example:x",
        ] {
            let said = open(&config(wrong)).unwrap_err().to_string();
            assert!(said.contains("address"), "{said}");
        }
    }

    #[tokio::test]
    async fn messages_are_counted_by_octets_and_a_server_that_is_away_is_told() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = server.local_addr().unwrap().to_string();
        let syslog = Syslog::open("s", &config(&address)).unwrap();
        let lines = ["a", "\u{e9}"].map(|text| Line {
            at_ms: 0,
            kind: "entry",
            text: text.to_owned(),
        });
        let heard = tokio::spawn(async move {
            let (mut client, _) = server.accept().await.unwrap();
            let mut heard = String::new();
            client.read_to_string(&mut heard).await.unwrap();
            heard
        });
        syslog.send(&lines).await.unwrap();
        let before = "<110>1 1970-01-01T00:00:00Z - sluice - entry - ";
        let expected = format!("48 {before}a49 {before}\u{e9}");
        assert_eq!(heard.await.unwrap(), expected);
        let away = syslog.send(&lines).await.unwrap_err().to_string();
        assert!(away.contains("refused"), "{away}");
    }
}
