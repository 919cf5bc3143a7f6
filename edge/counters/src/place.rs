//! Where Redis is: at a fixed address, wherever its sentinels say that the primary is now, or spread over a cluster.
//!
//! Knows URLs, certificates and what sentinels are asked; knows nothing of counters. A sentinel is asked anew at every dial,
//! so that an edge follows a failover by dialling as it does after any other loss. No text that may hold a password is in an
//! error.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisError,
    TlsCertificates, cluster::ClusterClient, io::tcp::TcpSettings,
};

use crate::cluster;

/// How many sentinels can be named.
const SENTINELS_MAX: usize = 9;

/// How long one sentinel may take to be reached, and to answer.
const SENTINEL_TIME_MAX: Duration = Duration::from_millis(250);

/// How long a dial may take, and a call.
pub(crate) type Times = (Duration, Duration);

/// Where sentinels listen unless somebody says otherwise.
const SENTINEL_PORT: u16 = 26_379;

/// Where Redis is.
#[derive(Clone)]
pub(crate) enum Place {
    /// Always there.
    Fixed(Arc<Client>),
    /// Where sentinels say.
    Watched(Arc<Watched>),
    /// Each organization at the server that has its slot.
    Spread(Arc<ClusterClient>),
}

/// Who is to be dialled.
pub(crate) enum Now {
    /// One server.
    Server(Arc<Client>),
    /// A cluster, which finds the servers itself.
    Cluster(Arc<ClusterClient>),
}

/// A primary that sentinels watch.
pub(crate) struct Watched {
    sentinels: Vec<Client>,
    /// Which of them answered last.
    answered: AtomicUsize,
    name: String,
    /// How the primary is spoken to; its address is what is asked for.
    primary: ConnectionInfo,
}

/// Why settings name no Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invalid {
    /// The text is not the URL of a Redis.
    Url,
    /// What should be certificates are none.
    Certificates,
}

/// Why nobody can say where the primary is.
#[derive(Debug)]
pub(crate) enum Lost {
    /// No sentinel answered; this is what became of the last.
    Asking(RedisError),
    /// They know no primary of this name.
    Unknown,
}

// === impl Place ===

impl Place {
    /// Reads `url`. `certificates` are those of the authority that signs the server's, in PEM; without them the system's own
    /// are trusted. Touches no network.
    pub(crate) fn read(
        url: &str,
        certificates: Option<&[u8]>,
        times: Times,
    ) -> Result<Self, Invalid> {
        for (prefix, scheme) in [
            ("redis+cluster://", "redis"),
            ("rediss+cluster://", "rediss"),
        ] {
            if let Some(rest) = url.strip_prefix(prefix) {
                let certificates = trusted(scheme == "rediss", certificates)?;
                let client = cluster::read(scheme, rest, certificates, times);
                let spread = |client| Self::Spread(Arc::new(client));
                return client.map(spread).ok_or(Invalid::Url);
            }
        }
        let open = |url: &str| client(url, certificates);
        if let Some(rest) = url.strip_prefix("redis+sentinel://") {
            return Watched::read("redis", rest, open).map(|it| Self::Watched(Arc::new(it)));
        }
        if let Some(rest) = url.strip_prefix("rediss+sentinel://") {
            return Watched::read("rediss", rest, open).map(|it| Self::Watched(Arc::new(it)));
        }
        open(url).map(|client| Self::Fixed(Arc::new(client)))
    }

    /// Where it is now.
    pub(crate) async fn now(&self) -> Result<Now, Lost> {
        Ok(match self {
            Self::Fixed(client) => Now::Server(Arc::clone(client)),
            Self::Watched(watched) => Now::Server(Arc::new(watched.primary().await?)),
            Self::Spread(cluster) => Now::Cluster(Arc::clone(cluster)),
        })
    }
}

fn client(url: &str, certificates: Option<&[u8]>) -> Result<Client, Invalid> {
    let info = url.into_connection_info().map_err(|_| Invalid::Url)?;
    // Without it a small command waits for the acknowledgement of the one before, up to 40 ms.
    let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true));
    let is_tls = matches!(info.addr(), ConnectionAddr::TcpTls { .. });
    match trusted(is_tls, certificates)? {
        None => Client::open(info).map_err(|_| Invalid::Url),
        Some(pem) => {
            let certificates = TlsCertificates {
                client_tls: None,
                root_cert: Some(pem.to_vec()),
            };
            Client::build_with_tls(info, certificates).map_err(|_| Invalid::Certificates)
        }
    }
}

/// Who is trusted where there is TLS, if anybody was named.
fn trusted(is_tls: bool, certificates: Option<&[u8]>) -> Result<Option<&[u8]>, Invalid> {
    if is_tls {
        // Whoever was first to choose one has chosen the same.
        let _chosen = rustls::crypto::aws_lc_rs::default_provider().install_default();
    }
    match certificates.filter(|_| is_tls) {
        // Trusting nobody would be told apart from nobody being there by no one.
        Some(pem) if !holds_a_certificate(pem) => Err(Invalid::Certificates),
        trusted => Ok(trusted),
    }
}

fn holds_a_certificate(pem: &[u8]) -> bool {
    str::from_utf8(pem).is_ok_and(|text| text.contains("-----BEGIN CERTIFICATE-----"))
}

// === impl Watched ===

impl Watched {
    /// Reads `[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]]…/NAME[/DATABASE][?sentinel_password=PASSWORD]`. The credentials are
    /// the primary's.
    fn read(
        scheme: &str,
        rest: &str,
        open: impl Fn(&str) -> Result<Client, Invalid>,
    ) -> Result<Self, Invalid> {
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let password = match query {
            "" => "",
            query => query
                .strip_prefix("sentinel_password=")
                .ok_or(Invalid::Url)?,
        };
        let (authority, path) = rest.split_once('/').ok_or(Invalid::Url)?;
        let (credentials, hosts) = match authority.rsplit_once('@') {
            Some((credentials, hosts)) => (format!("{credentials}@"), hosts),
            None => (String::new(), authority),
        };
        let (name, database) = path.split_once('/').unwrap_or((path, "0"));
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if name.is_empty() || !name.bytes().all(plain) {
            return Err(Invalid::Url);
        }
        let hosts: Vec<_> = hosts.split(',').collect();
        if hosts.len() > SENTINELS_MAX {
            return Err(Invalid::Url);
        }
        let own = match password {
            "" => String::new(),
            password => format!(":{password}@"),
        };
        let sentinel = |host: &&str| open(&format!("{scheme}://{own}{}/", with_port(host)));
        let sentinels = hosts.iter().map(sentinel).collect::<Result<_, _>>()?;
        // Any address will do: it is replaced by that of the primary.
        let primary = open(&format!(
            "{scheme}://{credentials}primary.invalid:6379/{database}"
        ))?;
        Ok(Self {
            sentinels,
            answered: AtomicUsize::new(0),
            name: name.to_owned(),
            primary: primary.get_connection_info().clone(),
        })
    }

    /// Asks one sentinel after another, first the one that answered last.
    async fn primary(&self) -> Result<Client, Lost> {
        let first = self.answered.load(Ordering::Relaxed);
        let mut lost = Lost::Unknown;
        for at in 0..self.sentinels.len() {
            let at = (first + at) % self.sentinels.len();
            let Some(sentinel) = self.sentinels.get(at) else {
                continue;
            };
            match ask(sentinel, &self.name).await {
                Ok(Some((host, port))) => {
                    self.answered.store(at, Ordering::Relaxed);
                    let info = self.primary.clone();
                    let address = moved(info.addr(), host, port);
                    return Client::open(info.set_addr(address)).map_err(Lost::Asking);
                }
                // One that has just been started knows nothing; the next one may.
                Ok(None) => {}
                Err(error) => lost = Lost::Asking(error),
            }
        }
        Err(lost)
    }
}

async fn ask(sentinel: &Client, name: &str) -> Result<Option<(String, u16)>, RedisError> {
    let patience = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(SENTINEL_TIME_MAX))
        .set_response_timeout(Some(SENTINEL_TIME_MAX));
    let connection = sentinel.get_multiplexed_async_connection_with_config(&patience);
    let mut connection = connection.await?;
    redis::cmd("SENTINEL")
        .arg("GET-MASTER-ADDR-BY-NAME")
        .arg(name)
        .query_async(&mut connection)
        .await
}

/// The same way of speaking, to another address.
fn moved(address: &ConnectionAddr, host: String, port: u16) -> ConnectionAddr {
    match address {
        ConnectionAddr::TcpTls {
            insecure,
            tls_params,
            ..
        } => ConnectionAddr::TcpTls {
            host,
            port,
            insecure: *insecure,
            tls_params: tls_params.clone(),
        },
        _ => ConnectionAddr::Tcp(host, port),
    }
}

fn with_port(host: &str) -> String {
    // An address of IPv6 stands in brackets, with colons in it.
    let name = host.rsplit_once(']').map_or(host, |(_, behind)| behind);
    if name.contains(':') {
        host.to_owned()
    } else {
        format!("{host}:{SENTINEL_PORT}")
    }
}

// === impl Invalid ===

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            // Without the text, which may hold a password.
            Self::Url => {
                "not the URL of a redis, such as redis://127.0.0.1:6379/0, \
                 redis+sentinel://one:26379,two:26379/NAME or redis+cluster://one:6379,two:6379"
            }
            Self::Certificates => "holds no certificates in PEM that can be trusted",
        })
    }
}

impl std::error::Error for Invalid {}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: Times = (Duration::from_secs(1), Duration::from_millis(50));

    fn watched(url: &str) -> Arc<Watched> {
        match Place::read(url, None, TIMES) {
            Ok(Place::Watched(watched)) => watched,
            _ => panic!("{url}"),
        }
    }

    #[test]
    fn sentinels_are_read_with_their_ports_and_the_primarys_credentials() {
        let it = watched("redis+sentinel://us%65r:se%3Acret@one,two:7,[::1]:8,[::2]/main/3");
        let addresses: Vec<_> = it
            .sentinels
            .iter()
            .map(|it| it.get_connection_info().addr().to_string())
            .collect();
        assert_eq!(addresses, ["one:26379", "two:7", "::1:8", "::2:26379"]);
        let settings = it.primary.redis_settings();
        assert_eq!(
            (settings.username(), settings.password(), settings.db()),
            (Some("user"), Some("se:cret"), 3)
        );
        let sentinel = it.sentinels[0].get_connection_info().redis_settings();
        assert_eq!((sentinel.username(), sentinel.password()), (None, None));
        let it = watched("rediss+sentinel://one/main?sentinel_password=p%2Fq");
        let sentinel = it.sentinels[0].get_connection_info();
        assert_eq!(sentinel.redis_settings().password(), Some("p/q"));
        for info in [sentinel, &it.primary] {
            assert!(matches!(info.addr(), ConnectionAddr::TcpTls { .. }));
        }
        let moved = moved(it.primary.addr(), "there".to_owned(), 9);
        assert_eq!(moved.to_string(), "there:9");
        assert!(matches!(moved, ConnectionAddr::TcpTls { .. }));
    }

    #[test]
    fn what_names_no_primary_is_refused() {
        for url in [
            "",
            "http://one/",
            "redis+sentinel://one",
            "redis+sentinel://one/",
            "redis+sentinel:///main",
            "redis+sentinel://one,,two/main",
            "redis+sentinel://one/ma%69n",
            "redis+sentinel://one/main/x",
            "redis+sentinel://one:port/main",
            "redis+sentinel://one/main?password=x",
            "redis+sentinel://1,2,3,4,5,6,7,8,9,10/main",
            "redis+cluster://",
            "redis+cluster://one,,two",
            "redis+cluster://one/1",
            "redis+cluster://one:port",
            "redis+cluster://1,2,3,4,5,6,7,8,9,10",
        ] {
            assert!(
                matches!(Place::read(url, None, TIMES), Err(Invalid::Url)),
                "{url}"
            );
        }
        let pem = Some(&b"no certificate"[..]);
        for url in ["rediss://one/", "rediss+cluster://one"] {
            let read = Place::read(url, pem, TIMES);
            assert!(matches!(read, Err(Invalid::Certificates)), "{url}");
        }
    }

    #[test]
    fn a_cluster_is_read_with_its_servers() {
        for url in [
            "redis+cluster://one",
            "redis+cluster://user:p%2Fq@one:7000,[::1]:7001/",
            "rediss+cluster://one:7000,two",
        ] {
            let read = Place::read(url, None, TIMES);
            assert!(matches!(read, Ok(Place::Spread(_))), "{url}");
        }
    }
}
