//! The counters in Redis: three scripts, called over one pipelined connection.
//!
//! Knows how a call is spelled and what a reply means; knows nothing of what to do when one fails. Every
//! operation ends within its deadline, and no answer is invented.

use std::{fmt, sync::Arc, time::Duration};

use policy::{applying::Measure, id::OrganizationId};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, IntoConnectionInfo, Pipeline, RedisError,
    Script, ServerErrorKind, Value, aio::MultiplexedConnection, io::tcp::TcpSettings,
};

use crate::{
    keyspace,
    reservation::{Ahead, Line, Reply, Request, Reserved, Settled, Settlement, Term, Wanted},
};

/// How long a dial may take, names and TLS and all. No request waits for one.
pub const DIAL_MS_MAX: u64 = 1_000;

/// The most reservations renewed by one call of the script, which spreads them over its stack.
const RENEW_IDS_MAX: usize = 500;

/// How many commands wait for the connection's task.
// Full: the next one waits, within its deadline.
const COMMANDS_MAX: usize = 1_024;

/// Where Redis is, and how to call it.
#[derive(Clone)]
pub struct Server {
    client: Client,
    connection: AsyncConnectionConfig,
    scripts: Arc<Scripts>,
}

/// One connection, shared by all calls of a thread. Cloning it copies pointers.
#[derive(Clone)]
pub struct Connection {
    connection: MultiplexedConnection,
    scripts: Arc<Scripts>,
}

/// The text was not the URL of a Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidUrl;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// None came in time. Whether the call took effect is not known.
    Late,
    /// The connection is gone, or was never made. Whether the call took effect is not known.
    Lost,
    /// Redis has not got the scripts, although they were just loaded.
    NoScript,
    /// Redis refused; its code, such as `OOM`.
    Refused(String),
    /// The answer was not one of ours.
    Garbled,
}

struct Scripts {
    reserve: Text,
    settle: Text,
    renew: Text,
}

/// A script, and the hash by which Redis knows it once it is loaded.
struct Text {
    text: &'static str,
    sha1: String,
}

// === impl Server ===

impl Server {
    /// A Redis at `url`, of which each call may take `timeout`. Touches no network.
    pub fn new(url: &str, timeout: Duration) -> Result<Self, InvalidUrl> {
        let info = url.into_connection_info().map_err(|_| InvalidUrl)?;
        // Without it a small command waits for the acknowledgement of the one before, up to 40 ms.
        let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true));
        let client = Client::open(info).map_err(|_| InvalidUrl)?;
        let connection = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(Duration::from_millis(DIAL_MS_MAX)))
            .set_response_timeout(Some(timeout))
            .set_pipeline_buffer_size(COMMANDS_MAX);
        Ok(Self {
            client,
            connection,
            scripts: Arc::new(Scripts::new()),
        })
    }

    /// Connects, loads the scripts and sees that Redis takes writes.
    pub async fn dial(&self) -> Result<Connection, Failure> {
        let connection = self
            .client
            .get_multiplexed_async_connection_with_config(&self.connection)
            .await?;
        let connection = Connection {
            connection,
            scripts: Arc::clone(&self.scripts),
        };
        connection.load().await?;
        let mut probe = redis::cmd("SET");
        probe.arg(keyspace::PROBE).arg("").arg("PX").arg(1_000);
        connection.once(&probe).await?;
        Ok(connection)
    }
}

// === impl Connection ===

impl Connection {
    /// Holds room in every line's limit, or in none, and borrows what is wanted ahead. There must be a line.
    pub async fn reserve(
        &self,
        request: &Request,
        wanted: Wanted<'_>,
        term: Term,
    ) -> Result<Reply<Reserved>, Failure> {
        let id = keyspace::hex(&request.id);
        let call = self.reserving((request.organization, &id), wanted, term);
        let answer = match self.once(&call).await {
            // Rare, and boxed so that every request's future does not hold room for it.
            Err(Failure::NoScript) => Box::pin(self.again(&call)).await?,
            answer => answer?,
        };
        reserved(&integers(answer)?, wanted.lines.len()).ok_or(Failure::Garbled)
    }

    /// What is left of every line's limit. Takes nothing: it is what [`Connection::reserve`] asks, for no request, so that
    /// the same script answers. There must be a line.
    pub async fn look(
        &self,
        organization: OrganizationId,
        lines: &[Line],
        now_ms: Option<u64>,
    ) -> Result<Vec<i64>, Failure> {
        let term = Term {
            lease_ms: 0,
            now_ms,
        };
        let call = self.reserving((organization, &[]), Wanted::now(lines), term);
        let answer = match self.once(&call).await {
            Err(Failure::NoScript) => self.again(&call).await?,
            answer => answer?,
        };
        match reserved(&integers(answer)?, lines.len()).map(|reply| reply.value) {
            Some(Reserved::Granted { remaining, .. } | Reserved::Denied { remaining, .. }) => {
                Ok(remaining)
            }
            Some(Reserved::Unknown { .. }) | None => Err(Failure::Garbled),
        }
    }

    fn reserving(
        &self,
        (organization, id): (OrganizationId, &[u8]),
        wanted: Wanted<'_>,
        term: Term,
    ) -> Cmd {
        let Wanted { lines, ahead } = wanted;
        let mut call = evalsha(&self.scripts.reserve, 2 + lines.len());
        limit_keys(&mut call, organization, lines);
        time(&mut call, term.now_ms);
        call.arg(id).arg(term.lease_ms);
        borrow(&mut call, ahead);
        soft_places(&mut call, lines);
        for (place, line) in lines.iter().enumerate() {
            limit_numbers(&mut call, line);
            let amount = ahead.and_then(|ahead| ahead.amounts.get(place));
            call.arg(amount.copied().unwrap_or(0));
        }
        call
    }

    /// Settles each, in order and in one round trip. Fails as a whole when nothing came back; all may be sent
    /// again then.
    pub async fn settle<'a>(
        &self,
        settlements: impl Iterator<Item = &'a Settlement>,
        now_ms: Option<u64>,
    ) -> Result<Vec<Result<Reply<Settled>, Failure>>, Failure> {
        let mut calls = Pipeline::new();
        for settlement in settlements {
            let mut call = evalsha(&self.scripts.settle, 2 + settlement.lines.len());
            limit_keys(
                &mut call,
                settlement.request.organization,
                &settlement.lines,
            );
            time(&mut call, now_ms);
            call.arg(keyspace::hex(&settlement.request.id).as_slice());
            call.arg(u8::from(settlement.charge_if_absent));
            for line in &settlement.lines {
                limit_numbers(&mut call, line);
            }
            calls.add_command(call);
        }
        let answers = self.all(&calls).await?.into_iter();
        let settle = |answer| settled(&integers(answer?)?).ok_or(Failure::Garbled);
        Ok(answers.map(settle).collect())
    }

    /// Renews the leases of these requests in one round trip; says how many were still held.
    pub async fn renew(
        &self,
        held: &[(OrganizationId, Vec<[u8; 16]>)],
        term: Term,
    ) -> Result<u64, Failure> {
        let mut calls = Pipeline::new();
        for (organization, ids) in held {
            for ids in ids.chunks(RENEW_IDS_MAX) {
                let mut call = evalsha(&self.scripts.renew, 2);
                call.arg(keyspace::held(*organization))
                    .arg(keyspace::due(*organization));
                time(&mut call, term.now_ms);
                call.arg(term.lease_ms);
                for id in ids {
                    call.arg(keyspace::hex(id).as_slice());
                }
                calls.add_command(call);
            }
        }
        let mut renewed = 0;
        for answer in self.all(&calls).await? {
            let Value::Int(count) = answer? else {
                return Err(Failure::Garbled);
            };
            renewed += u64::try_from(count).map_err(|_| Failure::Garbled)?;
        }
        Ok(renewed)
    }

    async fn again(&self, command: &Cmd) -> Result<Value, Failure> {
        self.load().await?;
        self.once(command).await
    }

    async fn once(&self, command: &Cmd) -> Result<Value, Failure> {
        // The clone is a handle to the same connection; the client wants it mutable.
        checked(self.connection.clone().send_packed_command(command).await?)
    }

    /// Sends all in one write, again when Redis had lost the scripts. Every script may be run twice.
    async fn all(&self, calls: &Pipeline) -> Result<Vec<Result<Value, Failure>>, Failure> {
        if calls.is_empty() {
            return Ok(Vec::new());
        }
        let answers = self.all_once(calls).await?;
        if !answers.contains(&Err(Failure::NoScript)) {
            return Ok(answers);
        }
        self.load().await?;
        self.all_once(calls).await
    }

    async fn all_once(&self, calls: &Pipeline) -> Result<Vec<Result<Value, Failure>>, Failure> {
        let answers = self
            .connection
            .clone()
            .send_packed_commands(calls, 0, calls.len())
            .await?;
        if answers.len() != calls.len() {
            return Err(Failure::Garbled);
        }
        Ok(answers.into_iter().map(checked).collect())
    }

    async fn load(&self) -> Result<(), Failure> {
        let mut calls = Pipeline::new();
        for script in [
            &self.scripts.reserve,
            &self.scripts.settle,
            &self.scripts.renew,
        ] {
            calls.cmd("SCRIPT").arg("LOAD").arg(script.text);
        }
        self.all_once(&calls)
            .await?
            .into_iter()
            .try_for_each(|answer| answer.map(drop))
    }
}

// === impl Scripts ===

impl Scripts {
    fn new() -> Self {
        Self {
            reserve: Text::new(concat!(
                include_str!("lua/bucket.lua"),
                include_str!("lua/reserve.lua")
            )),
            settle: Text::new(concat!(
                include_str!("lua/bucket.lua"),
                include_str!("lua/settle.lua")
            )),
            renew: Text::new(concat!(
                include_str!("lua/bucket.lua"),
                include_str!("lua/renew.lua")
            )),
        }
    }
}

// === impl Text ===

impl Text {
    fn new(text: &'static str) -> Self {
        Self {
            text,
            sha1: Script::new(text).get_hash().to_owned(),
        }
    }
}

fn evalsha(script: &Text, keys: usize) -> Cmd {
    // A guess at the size of a call over four limits, so that it grows once at most.
    let mut call = Cmd::with_capacity(6 + 5 * keys, 128 * keys + 128);
    call.arg("EVALSHA").arg(&script.sha1).arg(keys);
    call
}

fn limit_keys(call: &mut Cmd, organization: OrganizationId, lines: &[Line]) {
    call.arg(keyspace::held(organization))
        .arg(keyspace::due(organization));
    for line in lines {
        call.arg(keyspace::count(organization, line.counter));
    }
}

fn limit_numbers(call: &mut Cmd, line: &Line) {
    match line.measure {
        Measure::Rate(rate) => call
            .arg(rate.amount())
            .arg(rate.window_ms())
            .arg(rate.burst()),
        Measure::Quota { amount, span } => call
            .arg(amount)
            .arg(format!(
                "{}:{}:{}",
                span.before_ms, span.from_ms, span.to_ms
            ))
            .arg(amount),
    };
    call.arg(line.amount);
}

fn borrow(call: &mut Cmd, ahead: Option<&Ahead>) {
    match ahead {
        Some(ahead) => call
            .arg(keyspace::hex(&ahead.loan).as_slice())
            .arg(ahead.term_ms),
        None => call.arg("").arg(0),
    };
}

/// One digit for each line, 1 for those that only warn; nothing where none does.
fn soft_places(call: &mut Cmd, lines: &[Line]) {
    if lines.iter().any(|line| line.soft) {
        let digit = |line: &Line| if line.soft { '1' } else { '0' };
        call.arg(lines.iter().map(digit).collect::<String>());
    } else {
        call.arg("");
    }
}

fn time(call: &mut Cmd, now_ms: Option<u64>) {
    match now_ms {
        Some(now_ms) => call.arg(now_ms),
        None => call.arg(""),
    };
}

fn checked(answer: Value) -> Result<Value, Failure> {
    match answer {
        Value::ServerError(error) if error.kind() == Some(ServerErrorKind::NoScript) => {
            Err(Failure::NoScript)
        }
        Value::ServerError(error) => Err(Failure::Refused(error.code().to_owned())),
        answer => Ok(answer),
    }
}

fn integers(answer: Value) -> Result<Vec<i64>, Failure> {
    let Value::Array(values) = answer else {
        return Err(Failure::Garbled);
    };
    let integer = |value| match value {
        Value::Int(integer) => Ok(integer),
        _ => Err(Failure::Garbled),
    };
    values.into_iter().map(integer).collect()
}

fn reserved(reply: &[i64], limits: usize) -> Option<Reply<Reserved>> {
    let (value, expired) = match reply {
        [1, expired, levels @ ..] => {
            let (remaining, lent) = levels.split_at_checked(limits)?;
            let granted = Reserved::Granted {
                remaining: remaining.to_vec(),
                lent: lent.to_vec(),
                over: Vec::new(),
            };
            (granted, *expired)
        }
        [2, expired, levels @ ..] => {
            let (remaining, over) = levels.split_at_checked(limits)?;
            let over = over.iter().map(|place| usize::try_from(*place).ok());
            let granted = Reserved::Granted {
                remaining: remaining.to_vec(),
                lent: Vec::new(),
                over: over.collect::<Option<_>>()?,
            };
            (granted, *expired)
        }
        [0, expired, tightest, retry_after_ms, remaining @ ..] => {
            let denied = Reserved::Denied {
                tightest: usize::try_from(*tightest).ok()?,
                retry_after_ms: u64::try_from(*retry_after_ms).ok()?,
                remaining: remaining.to_vec(),
            };
            (denied, *expired)
        }
        _ => return None,
    };
    Some(Reply {
        value,
        expired: u64::try_from(expired).ok()?,
    })
}

fn settled(reply: &[i64]) -> Option<Reply<Settled>> {
    let (value, expired) = match reply {
        [2, expired] => (Settled::Released, expired),
        [1, expired] => (Settled::Charged, expired),
        [0, expired] => (Settled::Nothing, expired),
        _ => return None,
    };
    Some(Reply {
        value,
        expired: u64::try_from(*expired).ok()?,
    })
}

// === impl Failure ===

impl From<RedisError> for Failure {
    fn from(error: RedisError) -> Self {
        if error.is_timeout() {
            return Self::Late;
        }
        if error.is_io_error() || error.is_connection_dropped() || error.is_unrecoverable_error() {
            return Self::Lost;
        }
        match error.kind() {
            ErrorKind::Server(ServerErrorKind::NoScript) => Self::NoScript,
            _ => error
                .code()
                .map_or(Self::Garbled, |code| Self::Refused(code.to_owned())),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Late => f.write_str("redis did not answer in time"),
            Self::Lost => f.write_str("there is no connection to redis"),
            Self::NoScript => f.write_str("redis does not keep the scripts that it is given"),
            Self::Refused(code) => write!(f, "redis refused: {code}"),
            Self::Garbled => f.write_str("redis gave an answer that is not one of ours"),
        }
    }
}

impl std::error::Error for Failure {}

impl fmt::Display for InvalidUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the text, which may hold a password.
        f.write_str("not the URL of a redis, such as redis://127.0.0.1:6379/0")
    }
}

impl std::error::Error for InvalidUrl {}
