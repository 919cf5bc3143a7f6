//! A Redis Cluster: which of its servers are asked first, and how long a call of it may take.
//!
//! Knows the URL and the client's terms; knows nothing of counters. All keys of one organization are in one slot, so that
//! which server holds them is the client's to find. No text that may hold a password is in an error.

use std::time::Duration;

use redis::{
    IntoConnectionInfo, TlsCertificates,
    cluster::{ClusterClient, ClusterClientBuilder},
    io::tcp::TcpSettings,
};

/// How many servers of a cluster can be named. One that answers names all others.
const SEEDS_MAX: usize = 9;

/// How often a call is sent again, within its deadline, when its slot has moved or is moving.
const REDIRECTIONS_MAX: u32 = 3;

/// How long it is waited before that at least and at most, in milliseconds.
const REDIRECTION_WAITS_MS: [u64; 2] = [1, 20];

/// Reads `[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]]…[/]`. The credentials are the same at every server; a cluster has no
/// numbered databases. `certificates` are those of the authority that signs the servers', in PEM. `None` if it is not that.
pub(crate) fn read(
    scheme: &str,
    rest: &str,
    certificates: Option<&[u8]>,
    (dial, call): (Duration, Duration),
) -> Option<ClusterClient> {
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    let (credentials, hosts) = match authority.rsplit_once('@') {
        Some((credentials, hosts)) => (format!("{credentials}@"), hosts),
        None => (String::new(), authority),
    };
    let seeds: Vec<_> = hosts.split(',').collect();
    if seeds.len() > SEEDS_MAX || hosts.contains('/') {
        return None;
    }
    let seed = |host: &&str| {
        let url = format!("{scheme}://{credentials}{host}/");
        url.into_connection_info().ok()
    };
    let seeds = seeds.iter().map(seed).collect::<Option<Vec<_>>>()?;
    let [least, most] = REDIRECTION_WAITS_MS;
    let mut builder = ClusterClientBuilder::new(seeds)
        // Without it a small command waits for the acknowledgement of the one before, up to 40 ms.
        .tcp_settings(TcpSettings::default().set_nodelay(true))
        .connection_timeout(dial)
        .response_timeout(call)
        .overall_response_timeout(Some(call))
        .retries(REDIRECTIONS_MAX)
        .min_retry_wait(least)
        .max_retry_wait(most);
    if let Some(pem) = certificates.filter(|_| scheme == "rediss") {
        builder = builder.certs(TlsCertificates {
            client_tls: None,
            root_cert: Some(pem.to_vec()),
        });
    }
    builder.build().ok()
}
