//! Clients that are known by the certificate of their connection: whose they are, what they may, and until when.

use std::{path::PathBuf, time::Duration};

use bytes::Bytes;
use harness::{
    authority::{self, Authority, Bearer, Pair},
    provider::Provider,
    site::{Plan, Site},
    tenant::Tenant,
    wait,
};
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use proto::admin::{self, CreateIssuerRequest, QueryUsageRequest};
use scenarios::{
    openai,
    realtime::{Realtime, WORDS},
    sdk,
    tokens::{Issuer, encode},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// An edge that knows clients of two organizations by certificates of two authorities.
struct Town {
    site: Site,
    acme: Tenant,
    beta: Tenant,
    /// Who signs for the edge.
    server: Authority,
    /// Who signs for clients of acme, and of beta.
    authorities: [Authority; 2],
    folder: tempfile::TempDir,
    _provider: Provider,
}

/// One connection to the edge.
struct Line(SendRequest<Full<Bytes>>);

/// A client's certificate of this name and number, for an hour.
fn bearer(common_name: &str, serial: u64) -> Bearer<'_> {
    Bearer {
        common_name,
        uri: "spiffe://acme/batch",
        serial,
        life: Duration::from_hours(1),
    }
}

impl Town {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str| folder.path().join(name).display().to_string();
        let server = Authority::new("the edge's");
        let authorities = ["acme's", "beta's"].map(Authority::new);
        server.write(&folder.path().join("ca.pem"));
        server.issue(folder.path(), "edge", &["localhost"]);
        let mut settings = vec![
            ("SLUICE_INFERENCE__TLS__CERT_FILE", file("edge.pem")),
            ("SLUICE_INFERENCE__TLS__KEY_FILE", file("edge.key")),
            (
                "SLUICE_CLIENT_CERTIFICATES__ACME__REVOKED_FILE",
                file("acme.crl"),
            ),
        ];
        authorities[0].revoke(&folder.path().join("acme.crl"), &[]);
        for (at, [issuer, ca_file]) in [
            [
                "SLUICE_CLIENT_CERTIFICATES__ACME__ISSUER",
                "SLUICE_CLIENT_CERTIFICATES__ACME__CA_FILE",
            ],
            [
                "SLUICE_CLIENT_CERTIFICATES__BETA__ISSUER",
                "SLUICE_CLIENT_CERTIFICATES__BETA__CA_FILE",
            ],
        ]
        .into_iter()
        .enumerate()
        {
            let name = ["acme", "beta"][at];
            authorities[at].write(&folder.path().join(format!("{name}.pem")));
            settings.push((issuer, format!("organizations/{name}/issuers/corp")));
            settings.push((ca_file, file(&format!("{name}.pem"))));
        }
        let provider = Provider::start(openai::answer).await;
        let site = Site::start(Plan {
            edge_settings: settings,
            ..Plan::default()
        })
        .await;
        let acme = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
        let beta = Tenant::make(&site.admin(), "beta", &provider.base_url()).await;
        for tenant in [&acme, &beta] {
            let issuer = admin::Issuer {
                issuer_url: "https://corp.invalid".to_owned(),
                audiences: vec![tenant.organization.clone()],
                project: tenant.project.clone(),
                condition: r#"claims.san_uri.exists(it, it.startsWith("spiffe://acme/"))"#
                    .to_owned(),
                end_user_expression: "claims.cn".to_owned(),
                ..Default::default()
            };
            trust(&site, tenant, "corp", issuer).await;
        }
        site.propagated().await;
        Self {
            site,
            acme,
            beta,
            server,
            authorities,
            folder,
            _provider: provider,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A client's certificate by acme's authority, or by beta's.
    fn certify(&self, by: usize, stem: &str, bearer: &Bearer<'_>) -> Pair {
        self.authorities[by].certify(self.folder.path(), stem, bearer)
    }

    /// A connection that shows this; `None` where the handshake is refused, which with TLS 1.3 a client may hear only later.
    async fn line(&self, shown: Option<&Pair>) -> Option<Line> {
        let address = self.site.edges[0].inference;
        let stream = self
            .server
            .connect(address, "localhost", shown)
            .await
            .ok()?;
        let shaken = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (send, connection) = shaken.ok()?;
        tokio::spawn(connection);
        Some(Line(send))
    }

    /// What one request on a connection of its own comes to.
    async fn outcome(&self, shown: Option<&Pair>, headers: &[(&str, &str)]) -> Outcome {
        match self.line(shown).await {
            Some(mut line) => line.ask(headers).await,
            None => Outcome::HungUp,
        }
    }
}

/// What comes of a request for the list of models.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// Whose models are listed.
    Owner(String),
    /// The status and our code.
    Refused(u16, String),
    /// There is no answer.
    HungUp,
}

fn refused(status: u16, code: &str) -> Outcome {
    Outcome::Refused(status, code.to_owned())
}

fn owner(name: &str) -> Outcome {
    Outcome::Owner(name.to_owned())
}

impl Line {
    async fn ask(&mut self, headers: &[(&str, &str)]) -> Outcome {
        self.answered(headers)
            .await
            .map_or(Outcome::HungUp, |it| it.0)
    }

    /// Asks until that comes to this.
    async fn becomes(&mut self, expected: &Outcome) {
        let asked = async || (self.ask(&[]).await == *expected).then_some(());
        wait::until(&format!("a request comes to {expected:?}"), asked).await;
    }

    /// The same as [`Self::ask`], and the message.
    async fn answered(&mut self, headers: &[(&str, &str)]) -> Option<(Outcome, String)> {
        let mut request = Request::get("/v1/models").header("host", "localhost");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(Full::default())
            .expect("a test's request is one");
        self.0.ready().await.ok()?;
        let (head, body) = self.0.send_request(request).await.ok()?.into_parts();
        let body = body.collect().await.ok()?.to_bytes();
        let body: Value = serde_json::from_slice(&body).expect("the answer is JSON");
        let code = head.headers.get("x-sluice-code");
        let code = code.map_or("", |it| it.to_str().expect("text")).to_owned();
        let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
        let outcome = match head.status.as_u16() {
            200 => Outcome::Owner(text(&body["data"][0]["owned_by"])),
            status => Outcome::Refused(status, code),
        };
        Some((outcome, text(&body["error"]["message"])))
    }
}

async fn trust(site: &Site, tenant: &Tenant, id: &str, issuer: admin::Issuer) {
    let request = CreateIssuerRequest {
        parent: tenant.organization.clone(),
        issuer_id: id.to_owned(),
        issuer: Some(issuer),
        ..Default::default()
    };
    let made = site.admin().issuers().create_issuer(request).await;
    made.expect("an issuer is made");
}

#[tokio::test]
async fn a_certificate_is_its_authority_s_organization_s_and_the_record_says_whose_it_is() {
    let town = Town::start().await;
    let of_acme = town.certify(0, "of-acme", &bearer("batch", 1));
    // To the letter the same, by the other one.
    let of_beta = town.certify(1, "of-beta", &bearer("batch", 1));
    let url = format!("https://localhost:{}", town.site.edges[0].inference.port());
    for (pair, organization) in [(&of_acme, "acme"), (&of_beta, "beta")] {
        let (cert_file, key_file) = (&pair.cert_file, &pair.key_file);
        let seen = sdk::certified(&url, &town.path("ca.pem"), cert_file, key_file).await;
        let expected = json!({"text": openai::WORDS.concat(), "owners": [organization]});
        assert_eq!(seen, expected);
        assert_eq!(town.outcome(Some(pair), &[]).await, owner(organization));
    }
    let condition = Bearer {
        uri: "spiffe://else/batch",
        ..bearer("batch", 2)
    };
    let other = town.certify(0, "other", &condition);
    let unmapped = refused(403, "certificate_not_mapped");
    assert_eq!(town.outcome(Some(&other), &[]).await, unmapped);

    for tenant in [&town.acme, &town.beta] {
        let told = || async {
            let request = QueryUsageRequest {
                parent: tenant.organization.clone(),
                group_by: vec![admin::UsageDimension::Key.into()],
                ..Default::default()
            };
            let usage = town.site.admin().usage().query_usage(request).await;
            let rows = usage.expect("usage is told").into_inner().rows;
            let name = format!("{}/keys/corp:CN=batch,O=Acme", tenant.project);
            let row = rows.iter().find(|it| it.key == name)?;
            (row.requests == 1).then_some(())
        };
        wait::until("the record names the subject", told).await;
    }
}

#[tokio::test]
async fn who_shows_none_or_a_stranger_s_is_refused_and_a_key_in_a_header_goes_first() {
    let town = Town::start().await;
    let pair = town.certify(0, "of-acme", &bearer("batch", 1));
    let mut nobody = town.line(None).await.expect("nobody must show one");
    let (outcome, message) = nobody.answered(&[]).await.unwrap();
    assert_eq!(outcome, refused(401, "missing_api_key"));
    assert!(
        message.ends_with("or connect with a client certificate."),
        "{message}"
    );
    let stranger = Authority::new("acme's");
    let strange = stranger.certify(town.folder.path(), "strange", &bearer("batch", 1));
    assert_eq!(town.outcome(Some(&strange), &[]).await, Outcome::HungUp);
    let failed = town
        .site
        .count(0, "sluice_tls_handshake_failed_total", "inference")
        .await;
    assert!(failed >= 1, "it is counted");

    let (_, key) = town.beta.key().await;
    town.site.propagated().await;
    let bearing = |text: &str| format!("Bearer {text}");
    for (name, value, expected) in [
        ("authorization", bearing(&key), owner("beta")),
        ("x-api-key", key.clone(), owner("beta")),
        (
            "authorization",
            bearing("slc_live_wrong"),
            refused(401, "invalid_api_key"),
        ),
        (
            "authorization",
            "Basic eDp5".to_owned(),
            refused(401, "missing_api_key"),
        ),
        ("authorization", "Bearer ".to_owned(), owner("acme")),
        ("authorization", String::new(), owner("acme")),
    ] {
        let outcome = town.outcome(Some(&pair), &[(name, &value)]).await;
        assert_eq!(outcome, expected, "{name}: {value}");
    }
    // Nobody is believed who merely says whose certificate they have.
    let said = [("x-forwarded-client-cert", "Subject=\"CN=batch,O=Acme\"")];
    let outcome = town.outcome(None, &said).await;
    assert_eq!(outcome, refused(401, "missing_api_key"));
}

#[tokio::test]
async fn what_is_revoked_taken_away_or_over_opens_nothing_on_connections_that_stand_either() {
    let town = Town::start().await;
    let short = Bearer {
        life: Duration::from_secs(6),
        ..bearer("short", 3)
    };
    let short = town.certify(0, "short", &short);
    let mut over = town.line(Some(&short)).await.unwrap();
    assert_eq!(over.ask(&[]).await, owner("acme"));
    let [first, second] = [1, 2].map(|at| {
        let stem = format!("of-acme-{at}");
        town.certify(0, &stem, &bearer("batch", at))
    });
    let of_beta = town.certify(1, "of-beta", &bearer("batch", 1));
    let mut lines = Vec::new();
    for pair in [&first, &second, &of_beta] {
        let mut line = town.line(Some(pair)).await.unwrap();
        assert!(matches!(line.ask(&[]).await, Outcome::Owner(_)));
        lines.push(line);
    }
    town.authorities[0].revoke(&town.path("acme.crl"), &[1]);
    lines[0].becomes(&refused(401, "certificate_revoked")).await;
    assert_eq!(town.outcome(Some(&first), &[]).await, Outcome::HungUp);
    // Beta's has the same number, and another authority.
    assert_eq!(lines[1].ask(&[]).await, owner("acme"));
    assert_eq!(lines[2].ask(&[]).await, owner("beta"));
    over.becomes(&refused(401, "certificate_expired")).await;

    // What cannot be served is refused, and what was before goes on.
    std::fs::write(town.path("acme.crl"), "no list").unwrap();
    let told = async || {
        let refused = town
            .site
            .count(0, "sluice_tls_reload_total", "refused")
            .await;
        (refused == 1).then_some(())
    };
    wait::until("the broken list is refused", told).await;
    assert_eq!(lines[0].ask(&[]).await, refused(401, "certificate_revoked"));
    assert_eq!(lines[1].ask(&[]).await, owner("acme"));
    let successor = Authority::new("acme's next");
    successor.revoke(&town.path("acme.crl"), &[]);
    successor.write(&town.path("acme.pem"));
    lines[1].becomes(&refused(401, "certificate_unknown")).await;
    assert_eq!(lines[2].ask(&[]).await, owner("beta"));
    let next = successor.certify(town.folder.path(), "next", &bearer("batch", 1));
    assert_eq!(town.outcome(Some(&next), &[]).await, owner("acme"));
}

#[tokio::test]
async fn a_token_that_is_bound_to_a_certificate_is_nothing_without_it() {
    let town = Town::start().await;
    let issuer = Issuer::start().await;
    let wanted = admin::Issuer {
        issuer_url: issuer.url(),
        audiences: vec!["sluice".to_owned()],
        project: town.beta.project.clone(),
        ..Default::default()
    };
    trust(&town.site, &town.beta, "tokens", wanted).await;
    town.site.propagated().await;
    let [right, wrong] = [1, 2].map(|at| {
        let stem = format!("of-acme-{at}");
        town.certify(0, &stem, &bearer("batch", at))
    });
    let digest = Sha256::digest(authority::read(&right.cert_file));
    let bound = |bond: Value| {
        let mut claims = issuer.claims("alice");
        claims["cnf"] = bond;
        format!("Bearer {}", issuer.token(&claims))
    };
    let token = bound(json!({"x5t#S256": encode(&digest)}));
    let missing = || refused(401, "token_certificate_missing");
    for (shown, expected) in [
        (None, missing()),
        (Some(&right), owner("beta")),
        // Once proved it is known, and still nothing without its certificate.
        (None, missing()),
        (Some(&wrong), missing()),
    ] {
        let outcome = town.outcome(shown, &[("authorization", &token)]).await;
        assert_eq!(outcome, expected, "{shown:?}");
    }
    let elsewhere = bound(json!({"jkt": "x"}));
    let outcome = town
        .outcome(Some(&right), &[("authorization", &elsewhere)])
        .await;
    assert_eq!(outcome, refused(401, "token_invalid"));
}

/// A client's end of a socket.
struct Socket<S>(S);

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// Asks for one on this connection: its end, or the head of the answer that there is none.
    async fn open(mut stream: S) -> Result<Self, String> {
        let asked = "GET /v1/realtime?model=live HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
                     Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        let sent = stream.write_all(asked.as_bytes()).await;
        sent.expect("the edge reads");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("there is an answer"));
        }
        let head = String::from_utf8(head).expect("a head is text");
        if head.starts_with("HTTP/1.1 101 ") {
            Ok(Self(stream))
        } else {
            Err(head)
        }
    }

    /// Asks for an answer, and reads until that has come.
    async fn is_answered(&mut self) {
        let question = br#"{"type":"response.create"}"#;
        let length = u8::try_from(question.len()).expect("it is short");
        // Masked, as clients must, with nothing.
        let frame = [&[0x81, 0x80 | length, 0, 0, 0, 0], &question[..]].concat();
        self.0.write_all(&frame).await.expect("the edge reads");
        let mut said = Vec::new();
        while !said.ends_with(WORDS.as_bytes()) {
            said.push(self.0.read_u8().await.expect("it is answered"));
        }
    }

    /// Reads until it ends: what was said meanwhile.
    async fn end(mut self) -> Vec<u8> {
        let mut said = Vec::new();
        // One that is broken off has ended, too.
        let _ = self.0.read_to_end(&mut said).await;
        said
    }
}

#[tokio::test]
async fn a_socket_ends_when_the_certificate_that_opened_it_is_revoked() {
    let town = Town::start().await;
    let live = Realtime::start().await;
    town.acme.provider("live", &live.base_url()).await;
    town.acme.model("live", "live", "provider-chat").await;
    town.site.propagated().await;
    let address = town.site.edges[0].inference;
    let connect = async |shown: Option<&Pair>| {
        let connected = town.server.connect(address, "localhost", shown).await;
        connected.expect("nobody must show one")
    };
    let refused = Socket::open(connect(None).await).await;
    let refused = refused.err().expect("nobody is known");
    assert!(refused.starts_with("HTTP/1.1 401 "), "{refused}");

    let [revoked, stands] = [7, 8].map(|at| {
        let stem = format!("of-acme-{at}");
        town.certify(0, &stem, &bearer("batch", at))
    });
    let mut sockets = Vec::new();
    for pair in [&revoked, &stands] {
        let socket = Socket::open(connect(Some(pair)).await).await;
        let mut socket = socket.unwrap_or_else(|head| panic!("{head}"));
        socket.is_answered().await;
        sockets.push(socket);
    }
    let mut other = sockets.pop().unwrap();
    town.authorities[0].revoke(&town.path("acme.crl"), &[7]);
    let ends = sockets.pop().unwrap().end();
    let within = Duration::from_secs(15);
    let said = tokio::time::timeout(within, ends).await;
    let said = String::from_utf8_lossy(&said.expect("it ends")).into_owned();
    assert!(said.contains("api_key_revoked"), "{said}");
    other.is_answered().await;
}
