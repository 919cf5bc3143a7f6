//! A request's body: the few facts that we need from it, and the few bytes that we may change in it.
//!
//! Must never judge what the provider can judge, nor write a body anew. A member that we read and a provider
//! could read otherwise, because it stands there twice or in other letter case, is refused.

mod fields;
pub mod demand;

use std::{borrow::Cow, fmt, ops::Range};

use bytes::Bytes;
use payload::{
    json::{self, Embedded, Fault},
    scalar,
};

use crate::{
    cost,
    field::{Spelling, spelling},
    neutral::Family,
};

use self::{
    demand::Demands,
    fields::{Field, fields},
};

/// What is asked, and in which dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `/v1/chat/completions`.
    ChatCompletions,
    /// `/v1/completions`.
    Completions,
    /// `/v1/embeddings`.
    Embeddings,
    /// `/v1/responses`.
    Responses,
    /// `/v1/messages`.
    Messages,
    /// `/v1/messages/count_tokens`.
    CountMessages,
    /// `…/models/{model}:countTokens`.
    CountGenerate,
    /// `…/models/{model}:generateContent`.
    Generate,
    /// `…/models/{model}:streamGenerateContent`, as server-sent events or as one growing array.
    GenerateStream,
    /// `/v2/models/{model}/infer`.
    Infer,
    /// `/v2/models/{model}`: which tensors go in and come out.
    InferMetadata,
    /// `/models/{model}:invoke`: any JSON.
    Invoke,
}

/// The facts of one body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scanned {
    /// The model, as the client calls it.
    pub model: String,
    /// Whether `stream` is `true`. Anything else is left to the provider and taken as not streaming.
    pub stream: bool,
    /// The largest of `max_tokens` and `max_completion_tokens`, for each choice. Always 0 for embeddings.
    pub output_tokens_max: Option<u64>,
    /// How many answers are generated: `n` or `best_of`, times the prompts of a completion. At least 1.
    pub choices: u64,
    /// Whether the client itself asks for usage in the stream.
    pub usage_asked: bool,
    /// What it says that is for us.
    pub for_us: ForUs,
    /// Images, sounds and files that stand in the body itself, as `data:` URLs.
    pub embedded: Embedded,
    /// What it demands of whoever answers.
    pub demands: Demands,
    /// `None` where the path says the model.
    model_place: Option<Range<usize>>,
    options: Options,
    brace: usize,
}

/// What a body says that is for us, and is taken out before a provider gets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForUs {
    /// Whether the client asks for the cost in the usage.
    pub cost: bool,
    /// Whether it says what it prefers: any of [`crate::preferences::MEMBERS`].
    pub preferences: bool,
}

/// Why a body is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It is not one JSON object in UTF-8.
    NotJson(Fault),
    /// It is not one JSON value in UTF-8.
    NotJsonValue(Fault),
    /// There is no `model`.
    ModelMissing,
    /// `model` is not a string, or one with half a surrogate pair.
    ModelNotText,
    /// This member stands there twice, perhaps spelled with escapes: a provider could read the other one.
    Duplicate(&'static str),
    /// A member differs from this one only in letter case: a provider could read it as this one.
    Lookalike(&'static str),
}

/// What to change in a body.
#[derive(Debug, Clone, Copy)]
pub struct Rewrite<'a> {
    /// The model, as the provider calls it.
    pub model: &'a str,
    /// Whether to ask for usage in the stream, too. Does nothing to a request that does not stream, because
    /// providers refuse the question there.
    pub ask_usage: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Options {
    Absent,
    Null(Range<usize>),
    Object {
        brace: usize,
        empty: bool,
        include_usage: Option<Range<usize>>,
    },
    /// Neither: the provider refuses it in its own words.
    Other,
}

struct Facts<'a> {
    text: &'a str,
    seen: u32,
    model: Option<(String, Range<usize>)>,
    stream: bool,
    options: Options,
    usage_asked: bool,
    for_us: ForUs,
    output_tokens_max: Option<u64>,
    choices: u64,
    prompts: u64,
    demands: Demands,
}

const INCLUDE_USAGE: &str = "stream_options.include_usage";

/// Reads the facts of a body in one pass. Every byte of it is checked to be JSON.
pub fn scan(endpoint: Endpoint, body: &[u8]) -> Result<Scanned, Refused> {
    let mut scanned = facts(endpoint, body)?;
    if scanned.model_place.is_none() {
        return Err(Refused::ModelMissing);
    }
    if endpoint == Endpoint::Embeddings || endpoint.counts() {
        scanned.output_tokens_max = Some(0);
    }
    Ok(scanned)
}

/// The same for a body whose model stands in the path: this one.
pub fn scan_for(endpoint: Endpoint, model: &str, body: &[u8]) -> Result<Scanned, Refused> {
    let mut scanned = facts(endpoint, body)?;
    model.clone_into(&mut scanned.model);
    scanned.stream = endpoint.streams();
    if endpoint.counts() {
        scanned.output_tokens_max = Some(0);
    }
    Ok(scanned)
}

fn facts(endpoint: Endpoint, body: &[u8]) -> Result<Scanned, Refused> {
    let text = str::from_utf8(body).map_err(|error| {
        Refused::NotJson(Fault::Malformed {
            at: error.valid_up_to(),
        })
    })?;
    let (fields, family) = (fields(endpoint), endpoint.family());
    let mut facts = Facts::new(text);
    let sought = demand::sought(endpoint);
    let (brace, embedded) = json::members_seeking(text, sought, |key, value, found| {
        // A key that is not valid Unicode is none of ours to any reader.
        let Some(key) = scalar::string(key) else {
            return Ok(());
        };
        if let Some(family) = family {
            let raw = &text[value.clone()];
            facts.demands.note(family, &key, raw, found);
        }
        for (at, (name, field)) in fields.iter().enumerate() {
            match spelling(&key, name) {
                Spelling::Other => {}
                // The one name here that has capitals.
                Spelling::Alike if key == "generationConfig" => {
                    return facts.take(*field, value);
                }
                Spelling::Alike => return Err(Refused::Lookalike(name)),
                Spelling::Same if facts.seen & 1 << at != 0 => {
                    return Err(Refused::Duplicate(name));
                }
                Spelling::Same => {
                    facts.seen |= 1 << at;
                    return facts.take(*field, value);
                }
            }
        }
        Ok(())
    })?;
    let (model, model_place) = facts.model.unzip();
    Ok(Scanned {
        model: model.unwrap_or_default(),
        model_place,
        brace,
        stream: facts.stream,
        output_tokens_max: facts.output_tokens_max,
        choices: facts.choices.saturating_mul(facts.prompts),
        usage_asked: facts.usage_asked,
        for_us: facts.for_us,
        embedded,
        demands: facts.demands.of(endpoint, facts.stream),
        options: facts.options,
    })
}

/// Splices the changes into a body and leaves every other byte as it is. `scanned` must come from this body.
/// A body that is right already is not copied.
pub fn rewrite(body: &Bytes, scanned: &Scanned, rewrite: &Rewrite<'_>) -> Bytes {
    let place = scanned.model_place.clone();
    let place = place.filter(|_| scanned.model != rewrite.model);
    let model = place.map(|place| {
        let mut quoted = Vec::with_capacity(rewrite.model.len() + 2);
        scalar::quote(&mut quoted, rewrite.model);
        (place, Cow::Owned(quoted))
    });
    let ask = rewrite.ask_usage && scanned.stream;
    let usage = if ask { scanned.usage_edit() } else { None };
    let mut edits: Vec<_> = model.into_iter().chain(usage).collect();
    if edits.is_empty() {
        return body.clone();
    }
    edits.sort_by_key(|(place, _)| place.start);
    let grown: usize = edits.iter().map(|(_, text)| text.len()).sum();
    let mut out = Vec::with_capacity(body.len() + grown);
    let mut from = 0;
    for (place, text) in edits {
        out.extend_from_slice(&body[from..place.start]);
        out.extend_from_slice(&text);
        from = place.end;
    }
    out.extend_from_slice(&body[from..]);
    Bytes::from(out)
}

/// How many prompts a completion has: an array of numbers is one prompt, any other array one for each element.
fn prompts(raw: &str) -> u64 {
    let mut prompts = 0;
    let walked = json::elements(raw, |place| {
        prompts += u64::from(raw[place].starts_with(['"', '[']));
        Ok::<_, Fault>(())
    });
    if walked.is_ok() { prompts.max(1) } else { 1 }
}

// === impl Endpoint ===

impl Endpoint {
    /// The family whose dialect the request and its answer are in; `None` where only those who speak that one
    /// dialect can answer.
    pub const fn family(self) -> Option<Family> {
        match self {
            Self::ChatCompletions => Some(Family::Chat),
            Self::Responses => Some(Family::Responses),
            Self::Messages | Self::CountMessages => Some(Family::Messages),
            Self::Generate | Self::GenerateStream | Self::CountGenerate => Some(Family::Gemini),
            Self::Completions
            | Self::Embeddings
            | Self::Infer
            | Self::InferMetadata
            | Self::Invoke => None,
        }
    }

    /// Whether nothing is asked but how many tokens a request has, or what a model takes, which costs nothing.
    pub const fn counts(self) -> bool {
        matches!(
            self,
            Self::CountMessages | Self::CountGenerate | Self::InferMetadata
        )
    }

    /// Whether the path itself asks for a stream.
    pub const fn streams(self) -> bool {
        matches!(self, Self::GenerateStream)
    }
}

// === impl ForUs ===

impl ForUs {
    const NOTHING: Self = Self {
        cost: false,
        preferences: false,
    };
}

// === impl Facts ===

impl<'a> Facts<'a> {
    const fn new(text: &'a str) -> Self {
        Self {
            text,
            seen: 0,
            model: None,
            stream: false,
            options: Options::Absent,
            usage_asked: false,
            for_us: ForUs::NOTHING,
            output_tokens_max: None,
            choices: 1,
            prompts: 1,
            demands: Demands::NONE,
        }
    }

    fn take(&mut self, field: Field, place: Range<usize>) -> Result<(), Refused> {
        let raw = &self.text[place.clone()];
        match field {
            Field::GenerationConfig => self.take_generation(raw),
            Field::Model => {
                let model = scalar::string(raw).ok_or(Refused::ModelNotText)?;
                self.model = Some((model.into_owned(), place));
            }
            Field::Stream => self.stream = raw == "true",
            Field::StreamOptions => self.take_options(raw, place)?,
            Field::OutputMax => {
                self.output_tokens_max = self.output_tokens_max.max(scalar::whole_number(raw));
            }
            Field::Choices => {
                self.choices = self.choices.max(scalar::whole_number(raw).unwrap_or(1));
            }
            Field::Prompt => self.prompts = prompts(raw),
            Field::Usage => self.for_us.cost = cost::is_asked(raw),
            Field::Preference => self.for_us.preferences = true,
        }
        Ok(())
    }

    /// Gemini's numbers, one level down. What is no object is the provider's to refuse.
    fn take_generation(&mut self, raw: &str) {
        let walked = json::members(raw, |key, value| {
            let raw = &raw[value];
            match key.trim_matches('"') {
                "maxOutputTokens" | "max_output_tokens" => {
                    self.output_tokens_max = self.output_tokens_max.max(scalar::whole_number(raw));
                }
                "candidateCount" | "candidate_count" => {
                    self.choices = self.choices.max(scalar::whole_number(raw).unwrap_or(1));
                }
                other => self.demands.note_generation(other, raw),
            }
            Ok::<_, Fault>(())
        });
        // Every byte was read before: what fails here is another kind of value.
        let _all_read = walked.is_ok();
    }

    fn take_options(&mut self, raw: &str, place: Range<usize>) -> Result<(), Refused> {
        if !raw.starts_with('{') {
            self.options = if raw == "null" {
                Options::Null(place)
            } else {
                Options::Other
            };
            return Ok(());
        }
        let (mut empty, mut include_usage) = (true, None);
        let brace = json::members(raw, |key, value| {
            empty = false;
            match scalar::string(key).map(|key| spelling(&key, "include_usage")) {
                None | Some(Spelling::Other) => return Ok(()),
                Some(Spelling::Alike) => return Err(Refused::Lookalike(INCLUDE_USAGE)),
                Some(Spelling::Same) => {}
            }
            self.usage_asked = &raw[value.clone()] == "true";
            let place = place.start + value.start..place.start + value.end;
            match include_usage.replace(place) {
                None => Ok(()),
                Some(_) => Err(Refused::Duplicate(INCLUDE_USAGE)),
            }
        })?;
        self.options = Options::Object {
            brace: place.start + brace,
            empty,
            include_usage,
        };
        Ok(())
    }
}

// === impl Scanned ===

impl Scanned {
    /// The facts of a request of which nothing but the model is known.
    pub fn unread(model: &str) -> Self {
        Self {
            model: model.to_owned(),
            stream: false,
            output_tokens_max: None,
            choices: 1,
            usage_asked: false,
            for_us: ForUs::NOTHING,
            embedded: Embedded::default(),
            demands: Demands::NONE,
            model_place: None,
            options: Options::Absent,
            brace: 0,
        }
    }

    /// What makes the body ask for usage, if it does not already.
    fn usage_edit(&self) -> Option<(Range<usize>, Cow<'static, [u8]>)> {
        let (place, text): (_, &'static str) = match &self.options {
            _ if self.usage_asked => return None,
            Options::Absent => (
                self.brace..self.brace,
                r#","stream_options":{"include_usage":true}"#,
            ),
            Options::Null(place) => (place.clone(), r#"{"include_usage":true}"#),
            Options::Object {
                include_usage: Some(place),
                ..
            } => (place.clone(), "true"),
            Options::Object {
                brace, empty: true, ..
            } => (*brace..*brace, r#""include_usage":true"#),
            Options::Object { brace, .. } => (*brace..*brace, r#","include_usage":true"#),
            Options::Other => return None,
        };
        Some((place, Cow::Borrowed(text.as_bytes())))
    }
}

// === impl Refused ===

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self::NotJson(fault)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson(fault) => write!(f, "the body must be one JSON object: {fault}"),
            Self::NotJsonValue(fault) => write!(f, "the body must be one JSON value: {fault}"),
            Self::ModelMissing => f.write_str("model is missing: name one of /v1/models"),
            Self::ModelNotText => f.write_str("model must be a string: name one of /v1/models"),
            Self::Duplicate(field) => write!(f, "{field} stands there twice: send it once"),
            Self::Lookalike(field) => {
                write!(
                    f,
                    "a member differs from {field} only in letter case: write it as {field}"
                )
            }
        }
    }
}

impl std::error::Error for Refused {}
