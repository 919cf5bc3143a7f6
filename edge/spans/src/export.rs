//! Brings spans to a collector, in batches.
//!
//! Knows one address and how long to wait; knows nothing of what spans tell. While the collector is away a batch is tried
//! a few times and then dropped and counted; the queue fills meanwhile, and what finds no place in it is dropped, too.

use std::{fmt, fs, io, net::IpAddr, time::Duration};

use lifecycle::settings::{self, InvalidSettings};
use opentelemetry_proto::tonic::{
    collector::trace::v1::trace_service_client::TraceServiceClient, resource::v1::Resource,
};
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};
use tonic::{
    Request,
    metadata::{Ascii, MetadataValue},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint},
};
use tracing::warn;

use crate::{config::Config, span::Span, tracer::Tracer, wire};

/// How many spans go in one export.
const BATCH_MAX: usize = 512; // Full: the next ones go in the next one.

/// How long the first span of a batch waits for others.
const GATHER: Duration = Duration::from_secs(1);

/// How long an export may take.
const EXPORT_MAX: Duration = Duration::from_secs(10);

/// How long the connection may take.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// How often an export is tried, and how long is waited in between.
const TRIES: u32 = 3;
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The largest file of authorities, in bytes. Full: it is refused.
const CA_BYTES_MAX: u64 = 1 << 20;

/// The way to a collector.
pub struct Export {
    endpoint: Endpoint,
    authorization: Option<MetadataValue<Ascii>>,
    resource: Resource,
    spans: mpsc::Receiver<Span>,
}

/// Why `[traces]` cannot be used.
#[derive(Debug)]
pub enum Unusable {
    /// The endpoint is not one.
    Endpoint(String),
    /// It would carry spans in plaintext to another machine.
    Plaintext(String),
    /// The ratio is no part.
    Ratio(f64),
    /// The file of authorities cannot be read.
    Authorities(io::Error),
    /// What authorizes us cannot stand in a header.
    Authorization,
    /// A secret cannot be read.
    Secret(InvalidSettings),
}

/// A tracer and the way of its spans, where the settings name a collector. `instance` tells this process from others.
pub fn open(config: &Config, instance: &str) -> Result<(Tracer, Option<Export>), Unusable> {
    if !(0.0..=1.0).contains(&config.ratio) {
        return Err(Unusable::Ratio(config.ratio));
    }
    if config.endpoint.is_empty() {
        return Ok((Tracer::default(), None));
    }
    let endpoint = endpoint(config)?;
    let secret = settings::secret(
        &config.authorization,
        &config.authorization_file,
        "traces.authorization",
    );
    let authorization = secret.map_err(Unusable::Secret)?.map(|text| {
        let parsed = text.expose().parse::<MetadataValue<Ascii>>();
        parsed.map(|mut value| {
            value.set_sensitive(true);
            value
        })
    });
    let authorization = authorization.transpose();
    let (tracer, spans) = Tracer::new(config);
    let export = Export {
        endpoint,
        authorization: authorization.map_err(|_| Unusable::Authorization)?,
        resource: wire::resource(vec![
            ("service.name", "sluice-edge".to_owned()),
            ("service.version", lifecycle::build::VERSION.to_owned()),
            ("service.instance.id", instance.to_owned()),
        ]),
        spans,
    };
    Ok((tracer, Some(export)))
}

fn endpoint(config: &Config) -> Result<Endpoint, Unusable> {
    let text = &config.endpoint;
    let invalid = || Unusable::Endpoint(text.clone());
    let endpoint = Endpoint::from_shared(text.clone()).map_err(|_| invalid())?;
    let uri = endpoint.uri().clone();
    let host = uri.host().ok_or_else(invalid)?;
    let endpoint = match uri.scheme_str() {
        Some("https") => endpoint.tls_config(trust(config)?).map_err(|_| invalid())?,
        Some("http") if config.plaintext_beyond_loopback || is_loopback(host) => endpoint,
        Some("http") => return Err(Unusable::Plaintext(text.clone())),
        _ => return Err(invalid()),
    };
    Ok(endpoint
        .connect_timeout(CONNECT_MAX)
        .timeout(EXPORT_MAX)
        .tcp_nodelay(true))
}

fn trust(config: &Config) -> Result<ClientTlsConfig, Unusable> {
    let Some(path) = &config.ca_file else {
        let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned();
        return Ok(ClientTlsConfig::new().trust_anchors(roots));
    };
    let length = fs::metadata(path).map_err(Unusable::Authorities)?.len();
    if length > CA_BYTES_MAX {
        return Err(Unusable::Authorities(io::ErrorKind::FileTooLarge.into()));
    }
    let pem = fs::read(path).map_err(Unusable::Authorities)?;
    Ok(ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)))
}

fn is_loopback(host: &str) -> bool {
    let address: Result<IpAddr, _> = host.trim_matches(['[', ']']).parse();
    address.map_or(host == "localhost", |address| address.is_loopback())
}

// === impl Export ===

impl Export {
    /// Works until every tracer is gone and what is left is sent or dropped.
    pub async fn run(mut self) {
        // Connects when it is used, and again when it is used after a failure.
        let mut client = TraceServiceClient::new(self.endpoint.connect_lazy());
        let mut batch = Vec::with_capacity(BATCH_MAX);
        while self.spans.recv_many(&mut batch, BATCH_MAX).await > 0 {
            self.gather(&mut batch).await;
            self.send(&mut client, std::mem::take(&mut batch)).await;
        }
    }

    /// Waits a while for more.
    async fn gather(&mut self, batch: &mut Vec<Span>) {
        let more = async {
            while batch.len() < BATCH_MAX {
                let room = BATCH_MAX - batch.len();
                if self.spans.recv_many(batch, room).await == 0 {
                    return;
                }
            }
        };
        // What has come by then goes.
        let _in_time = timeout(GATHER, more).await.is_ok();
    }

    async fn send(&self, client: &mut TraceServiceClient<Channel>, batch: Vec<Span>) {
        let count = batch.len() as u64;
        let message = wire::request(self.resource.clone(), batch);
        for tried in 1..=TRIES {
            let mut request = Request::new(message.clone());
            if let Some(authorization) = &self.authorization {
                let metadata = request.metadata_mut();
                metadata.insert("authorization", authorization.clone());
            }
            match timeout(EXPORT_MAX, client.export(request)).await {
                Ok(Ok(answer)) => {
                    let partial = answer.into_inner().partial_success;
                    let rejected = partial.map_or(0, |it| it.rejected_spans);
                    let rejected = u64::try_from(rejected).unwrap_or(0).min(count);
                    dropped("rejected", rejected);
                    metrics::counter!("sluice_span_exported_total").increment(count - rejected);
                    return;
                }
                Ok(Err(status)) => {
                    warn!(code = ?status.code(), tried, "the collector takes no spans");
                }
                Err(_) => warn!(tried, "the collector is silent"),
            }
            if tried < TRIES {
                sleep(AGAIN_AFTER * tried).await;
            }
        }
        dropped("collector_away", count);
    }
}

fn dropped(why: &'static str, count: u64) {
    if count > 0 {
        metrics::counter!("sluice_span_dropped_total", "why" => why).increment(count);
    }
}

// === impl Unusable ===

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Endpoint(text) => write!(
                f,
                "traces.endpoint: `{text}` is not such as `http://127.0.0.1:4317`"
            ),
            Self::Plaintext(text) => write!(
                f,
                "traces.endpoint: `{text}` would carry spans in plaintext beyond this machine; use https, or set traces.plaintext_beyond_loopback where the network itself is private"
            ),
            Self::Ratio(ratio) => {
                write!(f, "traces.ratio: {ratio} is not from 0 to 1, such as 0.05")
            }
            Self::Authorities(why) => write!(f, "traces.ca_file: it cannot be read: {why}"),
            Self::Authorization => {
                f.write_str("traces.authorization: it is not one line of visible characters")
            }
            Self::Secret(why) => why.fmt(f),
        }
    }
}

impl std::error::Error for Unusable {}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(change: impl FnOnce(&mut Config)) -> Result<bool, String> {
        let mut config = Config::default();
        change(&mut config);
        let opened = open(&config, "edge");
        opened
            .map(|(_, export)| export.is_some())
            .map_err(|why| why.to_string())
    }

    #[tokio::test]
    async fn spans_leave_the_machine_in_plaintext_only_when_told_and_by_default_not_at_all() {
        assert_eq!(opened(|_| {}), Ok(false));
        let near = |it: &mut Config| "http://127.0.0.1:4317".clone_into(&mut it.endpoint);
        assert_eq!(opened(near), Ok(true));
        let far = |it: &mut Config| "http://collector:4317".clone_into(&mut it.endpoint);
        assert!(opened(far).unwrap_err().contains("plaintext"));
        let told = |it: &mut Config| {
            far(it);
            it.plaintext_beyond_loopback = true;
        };
        assert_eq!(opened(told), Ok(true));
        for (endpoint, ratio) in [
            ("nonsense", 1.0),
            ("ftp://x", 1.0),
            ("", 1.5),
            ("", f64::NAN),
        ] {
            let refused = opened(|it| {
                endpoint.clone_into(&mut it.endpoint);
                it.ratio = ratio;
            });
            assert!(refused.is_err(), "{endpoint} {ratio}");
        }
    }

    #[test]
    fn the_settings_print_without_what_authorizes() {
        let config = Config {
            authorization: Some("Bearer hunter2".to_owned().into()),
            ..Config::default()
        };
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
