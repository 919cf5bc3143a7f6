//! Tokens that only their issuers can read: which texts are such, what an issuer last said of one, and who waits to hear it.
//!
//! Knows settings, hashes and answers; knows no HTTP, and nothing of what an answer means. Each core has its own, so that
//! nothing here is locked. The text of a token goes to whoever asks, and is kept nowhere.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    fmt,
    path::PathBuf,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use claims::token;
use dialect::base64;
use egress::Unfit;
use http::{HeaderValue, Uri};
use lifecycle::settings::{self, InvalidSettings, Secret};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};
use zeroize::Zeroizing;

use crate::request::query;

/// How many issuers may be asked.
// Full: the edge does not start.
const PLACES_MAX: usize = 16;

/// How many questions wait to be asked.
// Full: the request is told that the issuer cannot be asked.
const QUESTIONS_MAX: usize = 256;

/// How many answers wait for their requests, or spare an issuer the same question.
// Full: all are forgotten, and asked for anew.
const ANSWERS_MAX: usize = 1_024;

/// How long an answer spares the issuer the same question, where it does not open anything: made-up tokens are no flood.
const SPARED_MS: u64 = 10_000;

/// The same while the issuer is away.
const AWAY_MS: u64 = 1_000;

/// How long a request waits for an answer. Within it an exchange with the issuer is over.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// How long an answer may be believed, milliseconds: at least, unless it is said, and at most.
const KEEP_MS: [u64; 3] = [1_000, 60_000, 3_600_000];

/// `[introspection.NAME]`: one issuer that is asked about its tokens (RFC 7662). In variables,
/// `SLUICE_INTROSPECTION__NAME__URL` and so on.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Whose tokens: `organizations/acme/issuers/corp`. Required.
    pub issuer: String,
    /// Where it is asked: https, or http on this machine. Required.
    pub url: String,
    /// As whom it is asked. Required.
    pub client_id: String,
    /// What proves that. This or `client_secret_file` is required.
    pub client_secret: Option<Secret>,
    /// A file that holds the same, read at the start.
    pub client_secret_file: Option<PathBuf>,
    /// What its tokens begin with, such as `ory_at_`. Default: whatever is neither a key nor a signed token.
    pub token_prefix: String,
    /// How long its word is believed, 1,000 to 3,600,000 milliseconds. Default 60,000.
    pub keep_ms: u64,
}

/// Settings of all.
pub type Configs = BTreeMap<String, Config>;

/// An issuer that can be asked.
pub struct Place {
    /// The last segment of the organization's name.
    pub organization: String,
    /// The last segment of the issuer's.
    pub issuer: String,
    /// Where.
    pub url: String,
    /// As whom.
    pub authorization: HeaderValue,
    prefix: String,
    keep_ms: u64,
}

/// Those of an edge, for all cores: the longest prefix first.
#[derive(Clone, Default)]
pub struct Places(Arc<[Place]>);

/// `[introspection.NAME]` cannot be used: why.
#[derive(Debug)]
pub struct Unusable {
    name: String,
    why: Why,
}

#[derive(Debug)]
enum Why {
    Many,
    Missing(&'static str),
    Issuer,
    Url(Unfit),
    Prefix,
    Keep,
    Secret(InvalidSettings),
}

/// One core's. A clone is the same.
#[derive(Clone)]
pub struct Opaque(Rc<State>);

struct State {
    places: Places,
    questions: mpsc::Sender<Question>,
    // Taken once, by whoever asks.
    coming: RefCell<Option<mpsc::Receiver<Question>>>,
    // Borrowed for a look-up or an insertion, never over an await.
    answers: RefCell<HashMap<[u8; 32], (Answer, u64)>>,
    // As many as there are questions.
    waiting: RefCell<HashMap<[u8; 32], watch::Receiver<()>>>,
}

/// What an issuer is to be asked.
pub struct Question {
    /// About which token.
    pub token: Zeroizing<String>,
    digest: [u8; 32],
    // Dropped when it is answered.
    heard: watch::Sender<()>,
}

/// What an issuer said of a token.
#[derive(Debug, Clone)]
pub enum Answer {
    /// This, and until when it is believed, milliseconds since 1970.
    Said {
        /// As it came.
        said: Rc<Map<String, Value>>,
        /// Until when.
        until_ms: u64,
    },
    /// Nothing: it cannot be asked.
    Away,
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            url: String::new(),
            client_id: String::new(),
            client_secret: None,
            client_secret_file: None,
            token_prefix: String::new(),
            keep_ms: KEEP_MS[1],
        }
    }
}

impl Config {
    fn place(&self) -> Result<Place, Why> {
        let name = self.issuer.strip_prefix("organizations/");
        let name = name.and_then(|it| it.split_once("/issuers/"));
        let (organization, issuer) = name.ok_or(Why::Issuer)?;
        let uri: Result<Uri, _> = self.url.parse();
        let way = uri.map_err(|_| Unfit::NotAnAddress);
        way.and_then(|it| egress::way(&it, false))
            .map_err(Why::Url)?;
        if self.client_id.is_empty() {
            return Err(Why::Missing("client_id"));
        }
        let secret = settings::secret(
            &self.client_secret,
            &self.client_secret_file,
            "client_secret",
        );
        let secret = secret.map_err(Why::Secret)?;
        let secret = secret.ok_or(Why::Missing("client_secret"))?;
        if !(KEEP_MS[0]..=KEEP_MS[2]).contains(&self.keep_ms) {
            return Err(Why::Keep);
        }
        // RFC 6749, 2.3.1: as in a form, then as HTTP has it.
        let [id, secret] = [self.client_id.as_str(), secret.expose()].map(query::encoded);
        let basic = Zeroizing::new(format!("{id}:{secret}"));
        let basic = format!("Basic {}", base64::encode(basic.as_bytes()));
        let mut authorization =
            HeaderValue::try_from(basic).map_err(|_| Why::Missing("client_secret"))?;
        authorization.set_sensitive(true);
        Ok(Place {
            organization: organization.to_owned(),
            issuer: issuer.to_owned(),
            url: self.url.clone(),
            authorization,
            prefix: self.token_prefix.clone(),
            keep_ms: self.keep_ms,
        })
    }
}

// === impl Places ===

impl Places {
    /// Those of the settings.
    pub fn read(configs: &Configs) -> Result<Self, Unusable> {
        let mut places: Vec<Place> = Vec::with_capacity(configs.len());
        for (name, config) in configs {
            let unusable = |why| Unusable {
                name: name.clone(),
                why,
            };
            let place = config.place().map_err(unusable)?;
            if places.iter().any(|it| it.prefix == place.prefix) {
                return Err(unusable(Why::Prefix));
            }
            if places.len() == PLACES_MAX {
                return Err(unusable(Why::Many));
            }
            places.push(place);
        }
        places.sort_by_key(|it| std::cmp::Reverse(it.prefix.len()));
        Ok(Self(places.into()))
    }

    /// Who is asked about this text, if it may be a token that only its issuer can read.
    fn of(&self, text: &str) -> Option<&Place> {
        let place = self.0.iter().find(|it| text.starts_with(&it.prefix))?;
        let may_be = text.len() <= token::BYTES_MAX
            && text.bytes().all(|it| it.is_ascii_graphic())
            && !(place.prefix.is_empty() && token::is_shaped(text));
        may_be.then_some(place)
    }
}

// === impl Opaque ===

impl Default for Opaque {
    fn default() -> Self {
        Self::new(Places::default())
    }
}

impl Opaque {
    /// One core's, of these places.
    pub fn new(places: Places) -> Self {
        let (questions, coming) = mpsc::channel(QUESTIONS_MAX);
        Self(Rc::new(State {
            places,
            questions,
            coming: RefCell::new(Some(coming)),
            answers: RefCell::default(),
            waiting: RefCell::default(),
        }))
    }

    /// Who is asked about this text, if it may be a token that only its issuer can read.
    pub fn place(&self, text: &str) -> Option<&Place> {
        self.0.places.of(text)
    }

    /// What its issuer said of the token with this hash.
    pub fn answer(&self, digest: &[u8; 32], now_ms: u64) -> Option<Answer> {
        let answers = self.0.answers.borrow();
        let (answer, until_ms) = answers.get(digest)?;
        (now_ms < *until_ms).then(|| answer.clone())
    }

    /// Waits until an issuer has been asked about a token, once for all who wait. Says whether it was.
    pub async fn ask(&self, text: &str, digest: [u8; 32]) -> bool {
        let Some(mut heard) = self.queue(text, digest) else {
            return false;
        };
        // It never changes: its sender goes when there is an answer.
        timeout(WAIT_MAX, heard.changed()).await.is_ok()
    }

    fn queue(&self, text: &str, digest: [u8; 32]) -> Option<watch::Receiver<()>> {
        let mut waiting = self.0.waiting.borrow_mut();
        if let Some(heard) = waiting.get(&digest) {
            return Some(heard.clone());
        }
        let (sender, heard) = watch::channel(());
        let question = Question {
            token: Zeroizing::new(text.to_owned()),
            digest,
            heard: sender,
        };
        self.0.questions.try_send(question).ok()?;
        waiting.insert(digest, heard.clone());
        Some(heard)
    }

    /// The questions, for whoever asks them; `None` the second time.
    pub fn coming(&self) -> Option<mpsc::Receiver<Question>> {
        self.0.coming.take()
    }

    /// Notes what an issuer said, or that it said nothing, and has all who wait look.
    pub fn land(&self, question: Question, said: Option<Map<String, Value>>, now_ms: u64) {
        let Question {
            token,
            digest,
            heard,
        } = question;
        let keep_ms = self.place(&token).map_or(0, |it| it.keep_ms);
        let (answer, spared_ms) = match said {
            Some(said) => {
                let until_ms = now_ms.saturating_add(keep_ms);
                let said = Rc::new(said);
                (Answer::Said { said, until_ms }, SPARED_MS.min(keep_ms))
            }
            None => (Answer::Away, AWAY_MS),
        };
        let mut answers = self.0.answers.borrow_mut();
        if answers.len() >= ANSWERS_MAX {
            answers.clear();
        }
        answers.insert(digest, (answer, now_ms.saturating_add(spared_ms)));
        self.0.waiting.borrow_mut().remove(&digest);
        drop(heard);
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "introspection.{}", self.name)?;
        match &self.why {
            Why::Many => write!(f, ": there are more than {PLACES_MAX}"),
            Why::Missing(what) => write!(f, ".{what} is missing, or cannot stand in a header"),
            Why::Issuer => f.write_str(".issuer is not such as `organizations/acme/issuers/corp`"),
            Why::Url(Unfit::NotAnAddress) => {
                f.write_str(".url is not such as `https://id.example/oauth2/introspect`")
            }
            Why::Url(Unfit::Plaintext) => {
                f.write_str(".url would carry tokens in plaintext beyond this machine; use https")
            }
            Why::Prefix => {
                f.write_str(".token_prefix is another's too: no token could tell whose it is")
            }
            Why::Keep => write!(f, ".keep_ms must be {} to {}", KEEP_MS[0], KEEP_MS[2]),
            Why::Secret(why) => write!(f, ": {why}"),
        }
    }
}

impl std::error::Error for Unusable {}

#[cfg(test)]
#[path = "opaque_test.rs"]
mod tests;
