//! The counters in Redis: eight scripts, called over one pipelined connection to each server.
//!
//! Knows how a call is spelled and what a reply means; knows nothing of what to do when one fails. Every
//! operation ends within its deadline, and no answer is invented.

mod telling;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use policy::id::OrganizationId;
use redis::{AsyncConnectionConfig, Cmd, ErrorKind, Pipeline, RedisError, ServerErrorKind, Value};

use crate::{
    call::{
        ahead_amounts, bequest, borrow, claim_numbers, counted_from, keys, keys_of, least, lines,
        shelved, soft_places, time,
    },
    channel::{Answer, Channel},
    keyspace,
    place::{Invalid, Lost, Place},
    reply::{doubles, owned, reserved, settled},
    reservation::{
        Line, Reply, Request, Reserved, Saying, Settled, Settlement, Slot, Term, Wanted,
    },
    scripts::{Scripts, evalsha},
};

/// How long a dial may take, names and TLS and all. No request waits for one.
pub const DIAL_MS_MAX: u64 = 1_000;

/// The most reservations renewed by one call of the script, which spreads them over its stack.
const RENEW_IDS_MAX: usize = 500;

/// The most counts of slots of which one call of the script is told.
const SLOTS_MAX: usize = 500;

/// How many commands wait for the connection's task.
// Full: the next one waits, within its deadline.
const COMMANDS_MAX: usize = 1_024;

/// Where Redis is, and how to call it.
#[derive(Clone)]
pub struct Server {
    place: Place,
    connection: AsyncConnectionConfig,
    scripts: Arc<Scripts>,
}

/// One way to Redis, shared by all calls of a thread. Cloning it copies pointers.
#[derive(Clone)]
pub struct Connection {
    channel: Channel,
    scripts: Arc<Scripts>,
}

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

// === impl Server ===

impl Server {
    /// A Redis at `url`, of which each call may take `timeout`. `certificates` are those of the authority that signs the
    /// server's, in PEM; without them the system's own are trusted. Touches no network.
    pub fn new(url: &str, certificates: Option<&[u8]>, timeout: Duration) -> Result<Self, Invalid> {
        let dial = Duration::from_millis(DIAL_MS_MAX);
        let place = Place::read(url, certificates, (dial, timeout))?;
        let connection = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(dial))
            .set_response_timeout(Some(timeout))
            .set_pipeline_buffer_size(COMMANDS_MAX);
        Ok(Self {
            place,
            connection,
            scripts: Arc::new(Scripts::new()),
        })
    }

    /// Connects, loads the scripts and sees that Redis takes writes.
    pub async fn dial(&self) -> Result<Connection, Failure> {
        let dial = Duration::from_millis(DIAL_MS_MAX);
        let now = self.place.now().await?;
        let connection = Connection {
            channel: Channel::dial(now, &self.connection, dial).await?,
            scripts: Arc::clone(&self.scripts),
        };
        connection.load().await?;
        let mut probe = redis::cmd("SET");
        probe.arg(keyspace::PROBE).arg("").arg("PX").arg(1_000);
        connection.once(&probe).await?;
        // From here on it knows what it forgets.
        connection.marked(keyspace::WHOLE.as_bytes(), None).await?;
        Ok(connection)
    }
}

// === impl Connection ===

impl Connection {
    /// Holds room in every line's limit and takes a slot for every claim, or nothing, and borrows what is wanted ahead.
    /// There must be a line or a claim.
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
        let counts = (wanted.lines.len(), wanted.claimed().len());
        reserved(&answer, counts).ok_or(Failure::Garbled)
    }

    /// What is left of every line's limit, and what there is of each claim. Takes nothing: it is what
    /// [`Connection::reserve`] asks, for no request, so that the same script answers. There must be a line or a claim.
    pub async fn look(
        &self,
        organization: OrganizationId,
        wanted: Wanted<'_>,
        now_ms: Option<u64>,
    ) -> Result<(Vec<i64>, Vec<Slot>), Failure> {
        let term = Term {
            lease_ms: 0,
            now_ms,
        };
        let call = self.reserving((organization, &[]), wanted, term);
        let answer = match self.once(&call).await {
            Err(Failure::NoScript) => self.again(&call).await?,
            answer => answer?,
        };
        let counts = (wanted.lines.len(), wanted.claimed().len());
        match reserved(&answer, counts).map(|reply| reply.value) {
            Some(
                Reserved::Granted {
                    remaining, slots, ..
                }
                | Reserved::Denied {
                    remaining, slots, ..
                },
            ) => Ok((remaining, slots)),
            Some(Reserved::Unknown { .. } | Reserved::Lacking { .. }) | None => {
                Err(Failure::Garbled)
            }
        }
    }

    fn reserving(
        &self,
        (organization, id): (OrganizationId, &[u8]),
        wanted: Wanted<'_>,
        term: Term,
    ) -> Cmd {
        let claimed = wanted.claimed().len();
        let number = keys_of(wanted.lines) + claimed;
        let mut call = evalsha(&self.scripts.reserve, number, wanted.lines.len());
        keys(&mut call, organization, wanted.lines);
        for claim in wanted.claimed() {
            call.arg(keyspace::slots(organization, claim.counter));
        }
        time(&mut call, term.now_ms);
        call.arg(id).arg(term.lease_ms);
        borrow(&mut call, wanted.ahead);
        soft_places(&mut call, wanted);
        call.arg(claimed);
        lines(&mut call, wanted.lines);
        ahead_amounts(&mut call, wanted.ahead);
        counted_from(&mut call, wanted.lines);
        call.arg(wanted.bequest);
        claim_numbers(&mut call, wanted.claims);
        shelved(&mut call, wanted.lines);
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
            let (of, all) = (settlement.request.organization, &settlement.lines);
            let mut call = evalsha(&self.scripts.settle, keys_of(all), all.len());
            keys(&mut call, of, all);
            time(&mut call, now_ms);
            call.arg(keyspace::hex(&settlement.request.id).as_slice());
            call.arg(u8::from(settlement.charge_if_absent));
            lines(&mut call, all);
            bequest(&mut call, settlement.bequest.as_ref());
            shelved(&mut call, all);
            calls.add_command(call);
        }
        let answers = self.all(&calls).await?.into_iter();
        let settle = |answer| settled(&answer?).ok_or(Failure::Garbled);
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
                let mut call = evalsha(&self.scripts.renew, 2, ids.len());
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

    /// Says that what these requests left is taken care of, a few hundred at most.
    pub async fn inherited(
        &self,
        organization: OrganizationId,
        ids: &[[u8; 16]],
        now_ms: Option<u64>,
    ) -> Result<(), Failure> {
        let mut call = evalsha(&self.scripts.inherited, 2, ids.len());
        call.arg(keyspace::held(organization))
            .arg(keyspace::due(organization));
        time(&mut call, now_ms);
        for id in ids {
            call.arg(keyspace::hex(id).as_slice());
        }
        self.once_or_again(&call).await.map(drop)
    }

    /// Since when Redis has forgotten nothing of an organization, in milliseconds of its clock; since now, where it does not
    /// know.
    pub async fn mark(
        &self,
        organization: OrganizationId,
        now_ms: Option<u64>,
    ) -> Result<u64, Failure> {
        self.marked(&keyspace::whole(organization), now_ms).await
    }

    async fn marked(&self, mark: &[u8], now_ms: Option<u64>) -> Result<u64, Failure> {
        let mut call = evalsha(&self.scripts.mark, 1, 0);
        call.arg(mark);
        time(&mut call, now_ms);
        match self.once_or_again(&call).await? {
            Value::Int(since_ms) => u64::try_from(since_ms).map_err(|_| Failure::Garbled),
            _ => Err(Failure::Garbled),
        }
    }

    /// Tells what was used of quotas, as long as Redis has stood since then: of each line its amount, where nobody knows, and
    /// `at_least` where that is known. Gives for each what had been counted; -1 where nobody knew, -2 where nothing was told.
    pub async fn restore(
        &self,
        (organization, since_ms): (OrganizationId, u64),
        (all, at_least): (&[Line], &[i64]),
        now_ms: Option<u64>,
    ) -> Result<Vec<i64>, Failure> {
        let mut call = evalsha(&self.scripts.restore, keys_of(all), all.len());
        keys(&mut call, organization, all);
        time(&mut call, now_ms);
        call.arg(since_ms);
        lines(&mut call, all);
        least(&mut call, at_least);
        shelved(&mut call, all);
        let before = integers(self.once_or_again(&call).await?)?;
        let whole = before.len() == all.len();
        whole.then_some(before).ok_or(Failure::Garbled)
    }

    async fn once_or_again(&self, call: &Cmd) -> Result<Value, Failure> {
        match self.once(call).await {
            Err(Failure::NoScript) => self.again(call).await,
            answer => answer,
        }
    }

    /// Says how many slots are whose, in one round trip; tells how many are then, of each that was said.
    pub async fn hold_slots(
        &self,
        saying: &Saying,
        now_ms: Option<u64>,
    ) -> Result<Vec<u32>, Failure> {
        let (calls, counts) = self.say(saying, now_ms);
        let mut all = Vec::new();
        for (answer, count) in self.all(&calls).await?.into_iter().zip(counts) {
            let numbers = owned(&integers(answer?)?, count);
            all.extend(numbers.ok_or(Failure::Garbled)?);
        }
        Ok(all)
    }

    /// The calls that say it, and of how many counts each tells.
    fn say(&self, saying: &Saying, now_ms: Option<u64>) -> (Pipeline, Vec<usize>) {
        let (mut calls, mut counts) = (Pipeline::new(), Vec::new());
        for (organization, said) in &saying.of {
            for said in said.chunks(SLOTS_MAX) {
                let mut call = evalsha(&self.scripts.slots, said.len(), 0);
                for it in said {
                    call.arg(keyspace::slots(*organization, it.counter));
                }
                time(&mut call, now_ms);
                call.arg(keyspace::hex(&saying.owner).as_slice())
                    .arg(saying.turn);
                for it in said {
                    call.arg(it.number).arg(u8::from(it.at_least));
                }
                calls.add_command(call);
                counts.push(said.len());
            }
        }
        (calls, counts)
    }

    async fn again(&self, command: &Cmd) -> Result<Value, Failure> {
        self.load().await?;
        self.once(command).await
    }

    async fn once(&self, command: &Cmd) -> Result<Value, Failure> {
        let sent = Instant::now();
        let answer = self.channel.send(command).await;
        self.scripts.took.record(sent.elapsed());
        checked(answer)
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
        let answers = self.channel.send_all(calls).await?;
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
            &self.scripts.slots,
            &self.scripts.restore,
            &self.scripts.mark,
            &self.scripts.inherited,
            &self.scripts.hints,
        ] {
            calls.cmd("SCRIPT").arg("LOAD").arg(script.text);
        }
        Ok(self.channel.send_everywhere(&calls).await?)
    }
}

// === what comes back ===

fn checked(answer: Answer) -> Result<Value, Failure> {
    match answer? {
        Value::ServerError(error) if error.kind() == Some(ServerErrorKind::NoScript) => {
            Err(Failure::NoScript)
        }
        Value::ServerError(error) => Err(Failure::Refused(error.code().to_owned())),
        answer => Ok(answer),
    }
}

fn integers(answer: Value) -> Result<Vec<i64>, Failure> {
    let values = match answer {
        Value::Array(values) => values,
        Value::BulkString(packed) => return Ok(doubles(&packed)),
        _ => return Err(Failure::Garbled),
    };
    let integer = |value| match value {
        Value::Int(integer) => Ok(integer),
        _ => Err(Failure::Garbled),
    };
    values.into_iter().map(integer).collect()
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

impl From<Lost> for Failure {
    fn from(lost: Lost) -> Self {
        match lost {
            Lost::Asking(error) => error.into(),
            Lost::Unknown => Self::Refused("no such primary".to_owned()),
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
