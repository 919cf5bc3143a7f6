//! What a request leaves beside its reservation, so that another edge can make its record when this one is gone.
//!
//! Knows one layout of bytes, which edges of other versions may read; knows nothing of where they are kept. No names of people
//! and nothing that a client wrote: the end user and the tags are not in it, and of who asks with a token only the issuer.

use dialect::Tokens;
use policy::{
    id::{ModelId, ProjectId, ProviderId, VersionId},
    key::Key,
    limit::UNITS_MAX,
    revision::Revision,
};

use crate::request::Arrival;

/// The layout. Of another one nothing is read.
const LAYOUT: u8 = 1;

/// The longest text in it.
// Full: it is cut. Only names of issuers are that long.
const TEXT_BYTES_MAX: usize = 64;

/// Where what is reserved begins, and where the provider does.
const RESERVED_AT: usize = 1;
const PROVIDER_AT: usize = 92;

/// What stands for a cost that nobody reserved.
const UNKNOWN: u32 = u32::MAX;

const STREAMED: u8 = 1;
const PREVIOUS_SECRET: u8 = 2;

/// The same, written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bequest(Vec<u8>);

/// What is known of a request before room is reserved for it.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Who asks.
    pub key: &'a Key,
    /// Whether with the secret that a rotation replaced.
    pub previous_secret: bool,
    /// The public model; zeroes where there is none.
    pub model: ModelId,
    /// Its version; zeroes where there is none.
    pub version: VersionId,
    /// Who is to be asked first; zeroes for nobody.
    pub provider: ProviderId,
    /// The path, or its class.
    pub endpoint: &'static str,
    /// Whether it is a stream.
    pub streamed: bool,
    /// The configuration that it saw.
    pub revision: Revision,
}

/// What is charged of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charged {
    /// Input tokens.
    pub input: u64,
    /// Output tokens.
    pub output: u64,
    /// Millionths of a dollar; `None` where no limit counts money.
    pub micro_dollars: Option<u64>,
}

/// What was left of a request, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// The request's id.
    pub id: [u8; 16],
    /// When it came, milliseconds since 1970.
    pub at_ms: u64,
    /// Which project's.
    pub project: ProjectId,
    /// Which key's; of a token the issuer's name and a colon.
    pub key_id: String,
    /// As in [`Facts`].
    pub previous_secret: bool,
    /// As in [`Facts`].
    pub model: ModelId,
    /// As in [`Facts`].
    pub version: VersionId,
    /// As in [`Facts`]; `None` for nobody.
    pub provider: Option<ProviderId>,
    /// As in [`Facts`].
    pub endpoint: String,
    /// As in [`Facts`].
    pub streamed: bool,
    /// As in [`Facts`].
    pub revision: Revision,
    /// What limits were charged.
    pub charged: Charged,
}

// === impl Bequest ===

impl Bequest {
    /// What this request leaves, of which so much is reserved.
    pub fn of(arrival: &Arrival, facts: &Facts<'_>, reserved: Charged) -> Self {
        let mut bytes = Vec::with_capacity(192);
        bytes.push(LAYOUT);
        bytes.extend_from_slice(&reserved.bytes());
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        bytes.push(flag(facts.streamed, STREAMED) | flag(facts.previous_secret, PREVIOUS_SECRET));
        bytes.extend_from_slice(arrival.id.as_bytes());
        bytes.extend_from_slice(&arrival.at_ms.to_be_bytes()[2..]);
        bytes.extend_from_slice(&facts.revision.0.to_be_bytes());
        bytes.extend_from_slice(facts.key.project.as_bytes());
        bytes.extend_from_slice(facts.model.as_bytes());
        bytes.extend_from_slice(facts.version.as_bytes());
        bytes.extend_from_slice(facts.provider.as_bytes());
        push(&mut bytes, facts.endpoint);
        push(&mut bytes, nobody(&facts.key.key_id));
        Self(bytes)
    }

    /// As it is kept.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The same of an attempt at this provider.
    pub fn at(mut self, provider: ProviderId) -> Self {
        if let Some(place) = self.0.get_mut(PROVIDER_AT..PROVIDER_AT + 16) {
            place.copy_from_slice(provider.as_bytes());
        }
        self
    }

    /// The same when so much was charged beyond what was reserved: of all tokens together, of input and of money the larger.
    pub fn raised(&self, tokens: &Tokens, micro_dollars: Option<u64>) -> Self {
        let mut raised = self.clone();
        let Some(place) = raised.0.get_mut(RESERVED_AT..RESERVED_AT + 12) else {
            return raised;
        };
        let Some(reserved) = Charged::read(place) else {
            return raised;
        };
        let all = (reserved.input + reserved.output).max(tokens.total());
        let input = reserved.input.max(tokens.input_total());
        let more = Charged {
            input,
            output: all.saturating_sub(input),
            micro_dollars: reserved
                .micro_dollars
                .map(|it| it.max(micro_dollars.unwrap_or(0))),
        };
        place.copy_from_slice(&more.bytes());
        raised
    }
}

/// A key's id; of a token, which has the name of somebody behind a colon, what is before that.
fn nobody(key_id: &str) -> &str {
    key_id.find(':').map_or(key_id, |at| &key_id[..=at])
}

fn push(bytes: &mut Vec<u8>, text: &str) {
    let text = &text[..text.floor_char_boundary(TEXT_BYTES_MAX)];
    // At most TEXT_BYTES_MAX.
    bytes.push(u8::try_from(text.len()).unwrap_or(0));
    bytes.extend_from_slice(text.as_bytes());
}

// === impl Charged ===

impl Charged {
    fn bytes(&self) -> [u8; 12] {
        let small = |count: u64| u32::try_from(count.min(UNITS_MAX)).unwrap_or(UNKNOWN);
        let mut bytes = [0; 12];
        let numbers = [
            small(self.input),
            small(self.output),
            self.micro_dollars.map_or(UNKNOWN, small),
        ];
        for (place, number) in bytes.chunks_exact_mut(4).zip(numbers) {
            place.copy_from_slice(&number.to_be_bytes());
        }
        bytes
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let number = |at: usize| {
            let bytes = bytes.get(at..at + 4)?.try_into().ok()?;
            Some(u32::from_be_bytes(bytes))
        };
        let micro_dollars = number(8)?;
        Some(Self {
            input: number(0)?.into(),
            output: number(4)?.into(),
            micro_dollars: (micro_dollars != UNKNOWN).then_some(micro_dollars.into()),
        })
    }
}

// === impl Left ===

impl Left {
    /// What these bytes say; `None` where they are of another layout.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(&[LAYOUT])?;
        let charged = Charged::read(rest.split_off(..12)?)?;
        let flags = *rest.split_off_first()?;
        let id = sixteen(&mut rest)?;
        let mut at_ms = [0; 8];
        at_ms[2..].copy_from_slice(rest.split_off(..6)?);
        let revision = rest.split_off(..8)?.try_into().ok()?;
        let project = ProjectId::from_bytes(sixteen(&mut rest)?);
        let model = ModelId::from_bytes(sixteen(&mut rest)?);
        let version = VersionId::from_bytes(sixteen(&mut rest)?);
        let provider = sixteen(&mut rest)?;
        let endpoint = text(&mut rest)?;
        let key_id = text(&mut rest)?;
        Some(Self {
            id,
            at_ms: u64::from_be_bytes(at_ms),
            project,
            key_id,
            previous_secret: flags & PREVIOUS_SECRET != 0,
            model,
            version,
            provider: (provider != [0; 16]).then_some(ProviderId::from_bytes(provider)),
            endpoint,
            streamed: flags & STREAMED != 0,
            revision: Revision(u64::from_be_bytes(revision)),
            charged,
        })
    }
}

fn sixteen(rest: &mut &[u8]) -> Option<[u8; 16]> {
    rest.split_off(..16)?.try_into().ok()
}

fn text(rest: &mut &[u8]) -> Option<String> {
    let length = usize::from(*rest.split_off_first()?);
    let text = std::str::from_utf8(rest.split_off(..length)?).ok()?;
    Some(text.to_owned())
}

#[cfg(test)]
#[path = "bequest_test.rs"]
mod tests;
