//! Where Redis may be: behind TLS, and wherever its sentinels have put the primary.
//!
//! Real servers, really killed. The certificates are of a test authority whose key exists nowhere; they are for
//! `localhost`.

mod redis_server;
mod demands;

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::Child,
    time::{Duration, Instant},
};

use counters::{Config, Counters, Mode, Request, Reserved, config::InvalidConfig, open};
use demands::{ORGANIZATION, hourly};
use lifecycle::{clock::Clock, drain};
use policy::id::OrganizationId;
use redis_server::{RedisServer, ask, spawn_with};
use tempfile::TempDir;
use tokio::sync::watch;

/// How long a failover may take, with sentinels that wait half a second.
const PATIENCE: Duration = Duration::from_secs(20);

/// Counters that are kept up for as long as this is there.
struct Edge {
    counters: Counters,
    _kept: (drain::Trigger, watch::Sender<u32>),
}

/// A sentinel, alone in its opinion.
struct Sentinel {
    _child: Ended,
    port: u16,
    _folder: TempDir,
}

/// A process that ends with its test.
struct Ended(Child);

impl Edge {
    fn start(url: String, authority: Option<PathBuf>) -> Self {
        let config = Config {
            redis_url: url.into(),
            redis_ca_file: authority,
            timeout_ms: 1_000,
            ..Config::default()
        };
        let (trigger, drain) = drain::channel(Duration::ZERO, Duration::ZERO);
        let (edges, live_edges) = watch::channel(1);
        let (counters, upkeep) = open(&config, Clock::system(), live_edges).expect("settings");
        tokio::spawn(upkeep.run(drain));
        Self {
            counters,
            _kept: (trigger, edges),
        }
    }

    /// Asks for so many of a hundred; what is left, if there was room.
    async fn take(&self, id: u32, amount: u64) -> Option<i64> {
        self.take_of(ORGANIZATION, id, amount).await
    }

    /// The same for another organization.
    async fn take_of(&self, organization: OrganizationId, id: u32, amount: u64) -> Option<i64> {
        let request = request(organization, id);
        match self
            .counters
            .reserve(&request, &[hourly(100, amount)])
            .await
        {
            Reserved::Granted { remaining, .. } => remaining.first().copied(),
            _ => None,
        }
    }
}

impl Sentinel {
    fn start(primary: &RedisServer) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let settings = format!(
            "port {port}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 {} 1\n\
             sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 2000\n",
            primary.port
        );
        let path = folder.path().join("sentinel.conf");
        fs::write(&path, settings).expect("a file");
        let child = spawn_with(&[text(&path), "--sentinel"], &folder);
        Self {
            _child: Ended(child),
            port,
            _folder: folder,
        }
    }

    /// What it says, as the words of the wire.
    fn says(&self, command: &str) -> String {
        ask(self.port, command).unwrap_or_default()
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        // It may have ended already.
        let _gone = self.0.kill().and_then(|()| self.0.wait());
    }
}

/// Three servers that share all slots, and a fourth that follows the one which has ours.
struct Cluster {
    servers: Vec<RedisServer>,
    /// Which of them has our organization's slot.
    ours: usize,
}

/// The last slots of the first two servers, and of all.
const LAST_SLOTS: [u32; 3] = [5_460, 10_922, 16_383];

impl Cluster {
    async fn start() -> Self {
        let started: Vec<_> = (0..4).map(|_| Self::server()).collect();
        let (servers, buses): (Vec<_>, Vec<_>) = started.into_iter().unzip();
        let mut first_slot = 0;
        for (server, last) in servers.iter().zip(LAST_SLOTS) {
            agreed(
                server,
                &format!("CLUSTER ADDSLOTSRANGE {first_slot} {last}"),
            );
            first_slot = last + 1;
        }
        for (server, bus) in servers.iter().zip(buses).skip(1) {
            let meet = format!("CLUSTER MEET 127.0.0.1 {} {bus}", server.port);
            agreed(&servers[0], &meet);
        }
        let slot = servers[0].ask(&format!("CLUSTER KEYSLOT {{{ORGANIZATION}}}"));
        let slot: u32 = slot.expect("it answers")[1..].trim().parse().expect("one");
        let ours = LAST_SLOTS.iter().position(|last| slot <= *last);
        let ours = ours.expect("one has it");
        let id = servers[ours].texts("CLUSTER MYID").remove(0);
        let id = String::from_utf8(id).expect("hex");
        until("the fourth knows whom to follow", || {
            let follow = servers[3].ask(&format!("CLUSTER REPLICATE {id}"));
            follow.is_ok_and(|it| it.starts_with("+OK"))
        })
        .await;
        until("all agree on the cluster", || {
            servers.iter().all(|server| {
                let said = server.ask("CLUSTER INFO").unwrap_or_default();
                said.contains("cluster_state:ok") && said.contains("cluster_known_nodes:4")
            })
        })
        .await;
        until("the replica follows", || is_following(&servers[3])).await;
        Self { servers, ours }
    }

    /// Kills the server that has our organization's slot, when the fourth has all of it, and waits until that one has it.
    async fn lose_ours(&mut self) {
        let ours = self.ours;
        until("the replica has the count", || {
            let there = offset(&self.servers[ours]);
            there.is_some() && there == offset(&self.servers[3])
        })
        .await;
        let child = &mut self.servers[ours].child;
        child.kill().expect("our own process");
        child.wait().expect("our own process");
        until("the replica has the slots", || {
            let role = self.servers[3].ask("ROLE");
            role.is_ok_and(|it| it.contains("master"))
        })
        .await;
    }

    /// One that is alone yet, and where it speaks with others of its cluster.
    fn server() -> (RedisServer, u16) {
        loop {
            let (port, bus) = (free_port(), free_port());
            let directory = tempfile::tempdir().expect("a folder");
            let (port_text, bus_text) = (port.to_string(), bus.to_string());
            let options = [
                ["--port", &port_text],
                ["--bind", "127.0.0.1"],
                ["--cluster-enabled", "yes"],
                ["--cluster-port", &bus_text],
                ["--cluster-node-timeout", "500"],
            ];
            let mut server = RedisServer {
                child: spawn_with(options.as_flattened(), &directory),
                port,
                directory,
            };
            // Another test may have taken a port.
            if server.answers() {
                return (server, bus);
            }
        }
    }
}

fn agreed(server: &RedisServer, command: &str) {
    let said = server.ask(command).expect("it answers");
    assert!(said.starts_with("+OK"), "{command}: {said}");
}

fn is_following(replica: &RedisServer) -> bool {
    let said = replica.ask("INFO replication");
    said.is_ok_and(|it| it.contains("master_link_status:up"))
}

fn offset(server: &RedisServer) -> Option<String> {
    let said = server.ask("INFO replication").unwrap_or_default();
    let line = said
        .lines()
        .find(|it| it.starts_with("master_repl_offset:"));
    line.map(str::to_owned)
}

fn request(organization: OrganizationId, id: u32) -> Request {
    Request {
        organization,
        id: u128::from(id).to_be_bytes(),
    }
}

fn free_port() -> u16 {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    free.local_addr().expect("a bound address").port()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}: not in time");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn tls(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/tls")
        .join(file)
}

#[tokio::test]
async fn an_edge_follows_its_sentinels_to_the_next_primary_with_the_counts_that_it_has() {
    let mut primary = RedisServer::start();
    let replica = RedisServer::start();
    let answer = replica.ask(&format!("REPLICAOF 127.0.0.1 {}", primary.port));
    assert!(answer.expect("it answers").starts_with("+OK"));
    until("the replica follows", || is_following(&replica)).await;
    let sentinel = Sentinel::start(&primary);
    until("the sentinel is there", || {
        sentinel.says("PING").starts_with("+PONG")
    })
    .await;
    // The first one that is named is not there.
    let url = format!(
        "redis+sentinel://127.0.0.1:1,127.0.0.1:{}/main",
        sentinel.port
    );
    let edge = Edge::start(url, None);
    until("redis is found", || edge.counters.mode() == Mode::Shared).await;
    assert_eq!(edge.take(1, 60).await, Some(40));
    until("the replica has the count", || {
        offset(&primary).is_some() && offset(&primary) == offset(&replica)
    })
    .await;
    until("the sentinel knows the replica", || {
        let port = replica.port.to_string();
        sentinel.says("SENTINEL REPLICAS main").contains(&port)
    })
    .await;
    primary.child.kill().expect("our own process");
    primary.child.wait().expect("our own process");
    until("the replica is the primary", || {
        replica.ask("ROLE").is_ok_and(|it| it.contains("master"))
    })
    .await;
    // That the connection is gone is noticed by whoever asks; that is answered from the edge's own share.
    edge.take(9, 1).await;
    until("the edge is with the next primary", || {
        edge.counters.mode() == Mode::Shared
    })
    .await;
    // What was used of the limit is still used.
    assert_eq!(edge.take(2, 60).await, None);
    assert!(edge.take(3, 30).await.is_some());
}

#[tokio::test]
async fn organizations_of_a_cluster_are_counted_where_their_slots_are_and_where_these_go() {
    let mut cluster = Cluster::start().await;
    // The first one that is named is not there.
    let url = format!(
        "redis+cluster://127.0.0.1:1,127.0.0.1:{}",
        cluster.servers[0].port
    );
    let edge = Edge::start(url, None);
    until("redis is found", || edge.counters.mode() == Mode::Shared).await;
    assert_eq!(edge.take(1, 60).await, Some(40));
    let others: Vec<_> = (10_u8..26)
        .map(|byte| (u32::from(byte), OrganizationId::from_bytes([byte; 16])))
        .collect();
    for (id, other) in &others {
        assert_eq!(edge.take_of(*other, *id, 60).await, Some(40), "{other}");
    }
    let keys = |server: &RedisServer| server.ask("DBSIZE").unwrap_or_default();
    for server in &cluster.servers[..3] {
        assert_ne!(
            keys(server).trim(),
            ":0",
            "sixteen organizations, three servers"
        );
    }
    // What they did not use comes back in one go, to all servers.
    for (id, other) in &others {
        let counter = hourly(100, 60).applied.counter;
        edge.counters
            .settle(&request(*other, *id), &[(counter, 10)]);
    }
    for (id, other) in &others {
        let deadline = Instant::now() + PATIENCE;
        let mut ids = 100..;
        while edge
            .take_of(*other, ids.next().expect("more"), 90)
            .await
            .is_none()
        {
            assert!(
                Instant::now() < deadline,
                "{other} got nothing back of {id}"
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    cluster.lose_ours().await;
    // Whether the slot's new place is found within a call or by dialling again, what was used is still used. Until then it
    // is answered from the edge's own share, of which more is left.
    let deadline = Instant::now() + PATIENCE;
    let mut ids = 1_000..;
    let shared = |left: Option<i64>| left.is_some_and(|left| left < 40);
    while !shared(edge.take(ids.next().expect("more"), 1).await) {
        assert!(Instant::now() < deadline, "the count is gone");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(edge.take(2, 60).await, None);
    assert!(edge.take(3, 20).await.is_some());
}

#[tokio::test]
async fn redis_behind_tls_is_reached_by_whoever_trusts_its_authority_and_by_nobody_else() {
    let (folder, port) = (tempfile::tempdir().expect("a folder"), free_port());
    let (certificate, key, authority) =
        (tls("leaf.pem"), tls("leaf.key.pem"), tls("authority.pem"));
    let port_text = port.to_string();
    let options = [
        ["--port", "0"],
        ["--tls-port", &port_text],
        ["--tls-cert-file", text(&certificate)],
        ["--tls-key-file", text(&key)],
        ["--tls-ca-cert-file", text(&authority)],
        ["--tls-auth-clients", "no"],
    ];
    let _server = Ended(spawn_with(options.as_flattened(), &folder));
    let url = format!("rediss://localhost:{port}/");
    let trusting = Edge::start(url.clone(), Some(authority));
    until("redis is found", || {
        trusting.counters.mode() == Mode::Shared
    })
    .await;
    assert_eq!(trusting.take(1, 60).await, Some(40));
    // Where there is no TLS, whom one would trust does not matter.
    let plain = RedisServer::start();
    let plain = Edge::start(plain.url(), Some(tls("authority.pem")));
    until("redis is found", || plain.counters.mode() == Mode::Shared).await;
    let other = Edge::start(url, None);
    assert_eq!(other.take(2, 60).await, Some(40), "its own share");
    assert_eq!(other.counters.mode(), Mode::Local);
}

#[tokio::test]
async fn certificates_that_are_none_are_refused_at_the_start() {
    for file in ["nothing.pem", "../places.rs"] {
        let config = Config {
            redis_url: "rediss://localhost/".to_owned().into(),
            redis_ca_file: Some(tls(file)),
            ..Config::default()
        };
        let (_edges, live_edges) = watch::channel(1);
        let refused = open(&config, Clock::system(), live_edges).err();
        assert_eq!(refused, Some(InvalidConfig::RedisCa), "{file}");
    }
}
